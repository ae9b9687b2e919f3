//! What OpenSSL thinks of our certificates, lists and keys, and we of OpenSSL's.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sedge_crypto::RustCrypto;
use sedge_x509::authority::{
    AlternativeName, Issuer, PrivateKey, PrivateKeyError, RevocationList, SerialNumber, Template,
    public_key_of_file, public_key_of_request,
};
use sedge_x509::{
    Certificate, CertificateRevocationList, Error, Expected, ExtendedKeyUsage, KeyUsage, PeerName,
    PinnedIssuer, Revocation, TrustAnchors, Validity, Verifier, certificates,
};
use tempfile::TempDir;

use crate::support::*;

/// A folder to run `openssl` in.
struct Desk(TempDir);

impl Desk {
    /// Says aloud that a test is not run where there is no `openssl`, and fails where everything must run.
    fn new(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
            return Some(Self(TempDir::new().unwrap()));
        }
        let why = format!("{test} needs the command `openssl`: `apt-get install openssl` has it");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        // Straight to the file: the test harness hides what a passing test prints.
        let _ = writeln!(std::io::stderr().lock(), "\nnot run: {why}");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs `openssl` with these words, and gives whether it succeeds and what it prints.
    fn run(&self, words: &str) -> (bool, String) {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    #[track_caller]
    fn ok(&self, words: &str) -> String {
        let (success, text) = self.run(words);
        assert!(success, "openssl {words}: {text}");
        text
    }

    #[track_caller]
    fn fails(&self, words: &str, hint: &str) {
        let (success, text) = self.run(words);
        assert!(!success && text.contains(hint), "openssl {words} should say `{hint}`: {text}");
    }

    /// A certificate in PEM, by way of `openssl` itself.
    fn write_pem(&self, name: &str, der: &[u8]) {
        self.write("tmp.der", der);
        self.ok(&format!("x509 -inform DER -in tmp.der -out {name}"));
    }

    /// The first certificate in a file.
    fn certificate(&self, name: &str) -> Vec<u8> {
        certificates(&self.read(name)).unwrap().remove(0)
    }
}

#[test]
fn openssl_believes_our_certificates() {
    let Some(desk) = Desk::new("openssl_believes_our_certificates") else { return };
    let mut root = Ca::root(1);
    let mut below = root.below(&Template::ca("Below", Some(0), YEAR));
    let names = vec![
        AlternativeName::Dns("broker.example".into()),
        AlternativeName::Ip([192, 0, 2, 1].into()),
        AlternativeName::Uri("coaps://broker.example".into()),
    ];
    let (server, client) =
        (below.issue(&Template::server("broker.example", names, YEAR)), below.issue(&client()));
    let expired = below.issue(&Template::client("old", Validity { not_before: 0, not_after: 1 }));
    let nameless = below.issue(&Template { common_name: None, ..crate::support::server() });
    for (name, der) in [
        ("root.pem", &root.der),
        ("below.pem", &below.der),
        ("server.pem", &server),
        ("client.pem", &client),
        ("expired.pem", &expired),
        ("nameless.pem", &nameless),
    ] {
        desk.write_pem(name, der);
    }
    let text = desk.ok("x509 -in server.pem -noout -text");
    for line in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: CN = Below",
        "Not Before: Nov 22 06:43:20 2026 GMT",
        "Subject: CN = broker.example",
        "ASN1 OID: prime256v1",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "DNS:broker.example, IP Address:192.0.2.1, URI:coaps://broker.example",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let text = desk.ok("x509 -in below.pem -noout -text");
    for line in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "X509v3 Subject Key Identifier"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let verify = format!("verify -attime {NOW} -x509_strict -CAfile root.pem -untrusted below.pem");
    let strict = |purpose: &str| format!("{verify} -purpose {purpose}");
    desk.ok(&format!("{} -verify_hostname broker.example server.pem", strict("sslserver")));
    desk.ok(&format!("{} -verify_ip 192.0.2.1 server.pem", strict("sslserver")));
    desk.ok(&format!("{} -verify_hostname broker.example nameless.pem", strict("sslserver")));
    desk.ok(&format!("{} client.pem", strict("sslclient")));
    desk.fails(&format!("{} client.pem", strict("sslserver")), "unsuitable certificate purpose");
    desk.fails(&format!("{} expired.pem", strict("sslclient")), "certificate has expired");
}

#[test]
fn openssl_believes_our_lists() {
    let Some(desk) = Desk::new("openssl_believes_our_lists") else { return };
    let mut root = Ca::root(2);
    let (good, bad) = (root.issue(&client()), root.issue(&client()));
    let serial = SerialNumber::new(Certificate::parse(&bad).unwrap().serial());
    desk.write_pem("root.pem", &root.der);
    desk.write_pem("good.pem", &good);
    desk.write_pem("bad.pem", &bad);
    let verify = format!("verify -attime {NOW} -crl_check -CAfile root.pem -CRLfile crl.pem");
    for (revoked, hint) in [(vec![], ""), (vec![(serial.clone(), NOW - 5)], "certificate revoked")] {
        let list = RevocationList { number: 300, this_update: NOW - 1, next_update: NOW + 9, revoked };
        let der = root.issuer.revocation_list(&list, &mut root.rng).unwrap();
        desk.write("crl.der", &der);
        desk.ok("crl -inform DER -in crl.der -out crl.pem");
        let text = desk.ok("crl -in crl.pem -noout -text -CAfile root.pem");
        for line in
            ["verify OK", "Version 2 (0x1)", "X509v3 CRL Number: \n                300", "Next Update"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert_eq!(text.contains("No Revoked Certificates"), hint.is_empty());
        desk.ok(&format!("{verify} good.pem"));
        if hint.is_empty() {
            desk.ok(&format!("{verify} bad.pem"));
        } else {
            let serial = format!("Serial Number: {}", serial.to_string().to_uppercase());
            assert!(text.contains(&serial), "{text}");
            desk.fails(&format!("{verify} bad.pem"), hint);
        }
        // It is also in PEM that we read it.
        let lists = CertificateRevocationList::read(desk.path("crl.pem")).unwrap();
        let verifier = root.verifier().with_crls(lists, Revocation::Required);
        let expected = if hint.is_empty() { Ok(()) } else { Err(Error::Revoked) };
        assert_eq!(verdict(&verifier, &[&bad], &CLIENT), expected);
    }
}

#[test]
fn we_believe_openssl_s_certificates() {
    let Some(desk) = Desk::new("we_believe_openssl_s_certificates") else { return };
    desk.write(
        "x.cnf",
        "[req]\nprompt=no\ndistinguished_name=dn\n[dn]\nC=DE\nO=Example\nCN=x\n\
         [ca]\nbasicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign,cRLSign\n\
         subjectKeyIdentifier=hash\n\
         [server]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n\
         subjectAltName=DNS:broker.example,IP:192.0.2.1,URI:coaps://x\nsubjectKeyIdentifier=hash\n\
         authorityKeyIdentifier=keyid,issuer:always\n",
    );
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256";
    desk.ok(&format!("req -x509 -config x.cnf -extensions ca {key} -days 30 -keyout ca.key -out ca.pem"));
    desk.ok(&format!("req -config x.cnf {key} -keyout server.key -out server.csr"));
    let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -extfile x.cnf -extensions server -days 9";
    desk.ok(&format!("{sign} -sha256 -set_serial 0x1234 -out server.pem"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();

    let der = desk.certificate("server.pem");
    let certificate = Certificate::parse(&der).unwrap();
    assert_eq!(certificate.serial(), [0x12, 0x34]);
    assert_eq!(certificate.subject().common_name(), Some("x"));
    assert_eq!(certificate.peer_name(), Some("broker.example"));
    assert_eq!(certificate.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
    assert_eq!(certificate.extended_key_usage(), Some(ExtendedKeyUsage::SERVER_AUTH));
    assert_eq!(certificate.subject_key_identifier().unwrap().len(), 20);
    assert_eq!(certificate.authority_key_identifier().unwrap().len(), 20);
    let key = PrivateKey::from_pem(&desk.text("server.key"), None).unwrap();
    assert_eq!(key.public_key(&RustCrypto).unwrap(), *certificate.public_key());

    let verifier = Verifier::new(RustCrypto, TrustAnchors::read(desk.path("ca.pem")).unwrap());
    let ca = desk.certificate("ca.pem");
    let pinned = PinnedIssuer::new(*Certificate::parse(&ca).unwrap().public_key());
    for name in ["broker.example", "192.0.2.1"] {
        let expected = Expected::server(PeerName::of_host(name));
        verifier.verify([&der[..]], &expected, now).unwrap();
        pinned.verify(&RustCrypto, &der, &expected, Some(now)).unwrap();
        assert_eq!(
            verifier.verify([&der[..]], &expected, now + 9 * 86_400 + 1).map(|_| ()),
            Err(Error::Expired)
        );
    }
    // The key signs, and what it signs OpenSSL believes.
    let mut rng = TestRng(3);
    let key = PrivateKey::from_pem(&desk.text("ca.key"), None).unwrap();
    let issuer = Issuer::new(RustCrypto, &key, &Certificate::parse(&ca).unwrap()).unwrap();
    let validity = Validity { not_before: now - 9, not_after: now + 9 };
    let ours = issuer
        .issue(
            &Template::client("ours", validity),
            &SerialNumber::random(&mut rng),
            certificate.public_key(),
            &mut rng,
        )
        .unwrap();
    desk.write_pem("ours.pem", &ours);
    desk.ok("verify -x509_strict -purpose sslclient -CAfile ca.pem ours.pem");

    // With another hash it is another algorithm.
    desk.ok(&format!("{sign} -sha384 -out sha384.pem"));
    let der = desk.certificate("sha384.pem");
    assert_eq!(Certificate::parse(&der).map(|_| ()), Err(Error::UnsupportedAlgorithm));
}

#[test]
fn other_algorithms_are_refused_by_name() {
    let Some(desk) = Desk::new("other_algorithms_are_refused_by_name") else { return };
    for (name, key) in [
        ("rsa", "rsa:2048"),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521"),
        ("ed25519", "ed25519"),
        ("k1", "ec -pkeyopt ec_paramgen_curve:secp256k1"),
    ] {
        desk.ok(&format!(
            "req -x509 -newkey {key} -nodes -sha256 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ));
        let der = desk.certificate(&format!("{name}.pem"));
        assert_eq!(Certificate::parse(&der).map(|_| ()), Err(Error::UnsupportedAlgorithm), "{name}");
        let root = Ca::root(4);
        root.both(&der, &SERVER, Err(Error::UnsupportedAlgorithm));
        for len in 0..der.len() {
            assert_eq!(Certificate::parse(&der[..len]).map(|_| ()), Err(Error::Malformed), "{name} {len}");
        }
        // It is no trust anchor either, and its key is no key.
        assert!(TrustAnchors::read(desk.path(&format!("{name}.pem"))).is_err());
        let key = PrivateKey::from_pem(&desk.text(&format!("{name}.key")), None);
        assert_eq!(key.map(|_| ()), Err(PrivateKeyError::UnsupportedAlgorithm), "{name}");
        if let "p384" | "k1" = name {
            desk.ok(&format!("ec -in {name}.key -out {name}.sec1"));
            let key = PrivateKey::from_pem(&desk.text(&format!("{name}.sec1")), None);
            assert_eq!(key.map(|_| ()), Err(PrivateKeyError::UnsupportedAlgorithm), "{name}");
        }
        desk.ok(&format!("pkey -in {name}.key -pubout -out {name}.pub"));
        let public = public_key_of_file(&desk.read(&format!("{name}.pub")));
        assert_eq!(public.map(|_| ()), Err(Error::UnsupportedAlgorithm), "{name}");
    }
    // A P-256 key that an RSA key vouches for.
    desk.ok(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout x.key -out x.csr",
    );
    desk.write("v3.cnf", "keyUsage=digitalSignature\n");
    desk.ok("x509 -req -in x.csr -CA rsa.pem -CAkey rsa.key -extfile v3.cnf -set_serial 1 -out x.pem");
    assert_eq!(Certificate::parse(&desk.certificate("x.pem")).map(|_| ()), Err(Error::UnsupportedAlgorithm));
}

#[test]
fn keys_go_both_ways() {
    let Some(desk) = Desk::new("keys_go_both_ways") else { return };
    let mut rng = TestRng(5);
    let key = PrivateKey::generate(&RustCrypto, &mut rng).unwrap();
    desk.write("plain.pem", key.to_pem(&RustCrypto, None, &mut rng).unwrap());
    desk.write("locked.pem", key.to_pem(&RustCrypto, Some(b"correct horse"), &mut rng).unwrap());
    desk.write("pass", "correct horse\n");
    let plain = desk.ok("pkey -in plain.pem -check -noout -text");
    assert!(plain.contains("Key is valid") && plain.contains("NIST CURVE: P-256"), "{plain}");
    assert_eq!(desk.ok("pkey -in locked.pem -passin file:pass -check -noout -text"), plain);
    desk.fails("pkey -in locked.pem -passin pass:wrong -noout", "");
    let text = desk.ok("asn1parse -in locked.pem");
    assert!(text.contains("PBES2") && text.contains("scrypt") && text.contains("aes-256-cbc"), "{text}");
    assert!(!desk.text("locked.pem").contains("BEGIN PRIVATE"));

    // What OpenSSL makes of them we read back.
    desk.ok("pkcs8 -topk8 -in plain.pem -v2 aes-256-cbc -passout file:pass -out pbkdf2.pem");
    desk.ok(
        "pkcs8 -topk8 -in plain.pem -v2 aes-128-cbc -v2prf hmacWithSHA512 -passout file:pass -out prf.pem",
    );
    desk.ok("pkcs8 -topk8 -in plain.pem -scrypt -passout file:pass -out scrypt.pem");
    desk.ok("ec -in plain.pem -out sec1.pem");
    desk.ok("ecparam -name prime256v1 -genkey -out params.pem");
    for name in ["plain.pem", "sec1.pem"] {
        assert_eq!(PrivateKey::from_pem(&desk.text(name), None).as_ref(), Ok(&key), "{name}");
        assert_eq!(PrivateKey::from_pem(&desk.text(name), Some(b"unused")).as_ref(), Ok(&key), "{name}");
    }
    assert!(PrivateKey::from_pem(&desk.text("params.pem"), None).is_ok());
    for name in ["locked.pem", "pbkdf2.pem", "prf.pem", "scrypt.pem"] {
        let open = |passphrase: Option<&[u8]>| PrivateKey::from_pem(&desk.text(name), passphrase);
        assert_eq!(open(Some(b"correct horse")).as_ref(), Ok(&key), "{name}");
        assert_eq!(open(Some(b"wrong")), Err(PrivateKeyError::WrongPassphrase), "{name}");
        assert_eq!(open(None), Err(PrivateKeyError::PassphraseNeeded), "{name}");
    }
    for text in ["", "x", "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n"] {
        assert!(PrivateKey::from_pem(text, None).is_err(), "{text}");
    }
}

#[test]
fn public_keys_and_requests_are_read() {
    let Some(desk) = Desk::new("public_keys_and_requests_are_read") else { return };
    desk.ok("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj /CN=x -keyout x.key -out x.csr");
    desk.ok("pkey -in x.key -pubout -out x.pub");
    desk.ok("pkey -in x.key -pubout -outform DER -out x.pub.der");
    desk.ok("req -in x.csr -outform DER -out x.csr.der");
    let key = PrivateKey::from_pem(&desk.text("x.key"), None).unwrap();
    let key = key.public_key(&RustCrypto).unwrap();
    for name in ["x.pub", "x.pub.der"] {
        assert_eq!(public_key_of_file(&desk.read(name)), Ok(key), "{name}");
    }
    for name in ["x.csr", "x.csr.der"] {
        assert_eq!(public_key_of_request(&RustCrypto, &desk.read(name)), Ok(key), "{name}");
    }
    // One is not the other.
    assert!(public_key_of_file(&desk.read("x.csr")).is_err());
    assert!(public_key_of_request(&RustCrypto, &desk.read("x.pub")).is_err());
    // A request whose sender does not show that it has the key; anything that is cut short.
    let request = desk.read("x.csr.der");
    let mut false_request = request.clone();
    let at = request.windows(3).position(|part| part == [0x0c, 1, b'x']).unwrap() + 2;
    false_request[at] = b'y';
    assert_eq!(public_key_of_request(&RustCrypto, &false_request), Err(Error::BadSignature));
    for len in 0..request.len() {
        assert!(public_key_of_request(&RustCrypto, &request[..len]).is_err());
    }
}

/// A list that `openssl ca` has made, for certificates that it has issued.
#[test]
fn we_believe_openssl_s_lists() {
    let Some(desk) = Desk::new("we_believe_openssl_s_lists") else { return };
    desk.write(
        "ca.cnf",
        "[req]\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=x\n[v3]\nkeyUsage=digitalSignature\n\
         [root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n\
         [ca]\ndefault_ca=this\n[this]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ncrlnumber=crlnumber\n\
         certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\ndefault_days=3\ndefault_crl_days=2\n\
         policy=any\nunique_subject=no\nx509_extensions=v3\ncrl_extensions=crl\n[any]\ncommonName=supplied\n\
         [crl]\nauthorityKeyIdentifier=keyid\n",
    );
    desk.write("index", "");
    desk.write("serial", "1000\n");
    desk.write("crlnumber", "01\n");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config ca.cnf";
    desk.ok(&format!("req -x509 {key} -extensions root -subj /CN=Root -keyout ca.key -out ca.pem"));
    for name in ["good", "bad"] {
        desk.ok(&format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        desk.ok(&format!("ca -batch -config ca.cnf -in {name}.csr -out {name}.pem"));
    }
    desk.ok("ca -config ca.cnf -revoke bad.pem -crl_reason keyCompromise");
    desk.ok("ca -config ca.cnf -gencrl -out crl.pem");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let lists = CertificateRevocationList::read(desk.path("crl.pem")).unwrap();
    let anchors = TrustAnchors::read(desk.path("ca.pem")).unwrap();
    let verifier = Verifier::new(RustCrypto, anchors).with_crls(lists, Revocation::Required);
    let check = |name: &str, at: u64| {
        // The file begins with the certificate in words.
        let der = desk.certificate(name);
        verifier.verify([&der[..]], &CLIENT, at).map(|_| ())
    };
    assert_eq!(check("good.pem", now), Ok(()));
    assert_eq!(check("bad.pem", now), Err(Error::Revoked));
    assert_eq!(check("good.pem", now + 2 * 86_400), Err(Error::CrlExpired));
}
