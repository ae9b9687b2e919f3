//! Certificates with a fault each: the broker refuses them with the alert that the fault deserves, clients refuse the
//! broker's, and nobody else notices.

use std::path::Path;
use std::process::Command;

use sedge_client::tokio::Socket;
use sedge_client::{Disconnect, Error, Identity, NotBelieved, Security, Trust};
use sedge_crypto::PublicKey;
use sedge_dtls::{AlertDescription, CertificateType, Failure, Versions};
use sedge_tests::broker::TestBroker;
use sedge_x509::authority::{
    AlternativeName, PrivateKey, RawExtension, RevocationList, SerialNumber, Template, write_new,
};
use sedge_x509::{BasicConstraints, ExtendedKeyUsage, KeyUsage, Validity};

use crate::site::{BROKER, By, CERTIFIED, Ca, Files, Site, new_key, public, rng, this_year, unix_now};

const VERSIONS: [Versions; 2] = [Versions::ONLY_1_2, Versions::ONLY_1_3];
/// The serial number that the list names.
const REVOKED: &[u8] = &[7, 7, 7];

fn past() -> Validity {
    Validity { not_before: unix_now() - 7_200, not_after: unix_now() - 60 }
}

fn future() -> Validity {
    Validity { not_before: unix_now() + 7_200, not_after: unix_now() + 31_536_000 }
}

/// A chain, the alert that it deserves, and the counter that it grows.
type Fault = (&'static str, Vec<Vec<u8>>, AlertDescription, &'static str);

const REFUSED: &str = "auth.certificates_refused";

/// Chains for this key with a fault each.
fn faults(ca: &Ca, key: &PublicKey) -> Vec<Fault> {
    let good = || Template::client(CERTIFIED, this_year());
    let issue = |template: Template| vec![ca.issue(&template, key)];
    let (stranger, double) = (Ca::root("Another CA"), Ca::root("Example CA"));
    let mut forged = ca.issue(&good(), key);
    *forged.last_mut().expect("not empty") ^= 1;
    let mut changed = ca.issue(&good(), key);
    let at = changed.windows(9).position(|part| part == CERTIFIED.as_bytes()).expect("its name");
    changed[at] ^= 0x20;
    let narrow = ca.below(&Template::ca("Narrow", Some(0), this_year()));
    let lower = narrow.below(&Template::ca("Lower", Some(0), this_year()));
    let no_ca = ca.below(&Template { basic_constraints: None, ..Template::ca("None", None, this_year()) });
    let expired_ca = ca.below(&Template::ca("Expired", Some(0), past()));
    let critical = RawExtension { id: vec![0x55, 0x1d, 99], critical: true, value: vec![5, 0] };
    let is_ca = Some(BasicConstraints { ca: true, path_len: None });
    vec![
        (
            "expired",
            issue(Template { validity: past(), ..good() }),
            AlertDescription::CERTIFICATE_EXPIRED,
            REFUSED,
        ),
        (
            "early",
            issue(Template { validity: future(), ..good() }),
            AlertDescription::CERTIFICATE_EXPIRED,
            REFUSED,
        ),
        (
            "for agreement",
            issue(Template { key_usage: Some(KeyUsage::KEY_AGREEMENT), ..good() }),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
            REFUSED,
        ),
        (
            "for servers",
            issue(Template { extended_key_usage: Some(ExtendedKeyUsage::SERVER_AUTH), ..good() }),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
            REFUSED,
        ),
        (
            "of a CA",
            issue(Template { basic_constraints: is_ca, ..good() }),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
            REFUSED,
        ),
        (
            "with an unknown critical extension",
            issue(Template { further_extensions: vec![critical], ..good() }),
            AlertDescription::UNSUPPORTED_CERTIFICATE,
            REFUSED,
        ),
        (
            "of nobody enrolled",
            issue(Template::client("somebody", this_year())),
            AlertDescription::CERTIFICATE_UNKNOWN,
            "auth.unknown_names",
        ),
        ("of another CA", vec![stranger.issue(&good(), key)], AlertDescription::UNKNOWN_CA, REFUSED),
        (
            "of a CA of the same name",
            vec![double.issue(&good(), key)],
            AlertDescription::BAD_CERTIFICATE,
            REFUSED,
        ),
        (
            "of another CA itself",
            vec![stranger.certificate.clone()],
            AlertDescription::UNSUPPORTED_CERTIFICATE,
            REFUSED,
        ),
        ("with a forged signature", vec![forged], AlertDescription::BAD_CERTIFICATE, REFUSED),
        ("with a changed name", vec![changed], AlertDescription::BAD_CERTIFICATE, REFUSED),
        (
            "revoked",
            vec![ca.issue_as(&SerialNumber::new(REVOKED), &good(), key)],
            AlertDescription::CERTIFICATE_REVOKED,
            "auth.certificates_revoked",
        ),
        (
            "too far below",
            vec![lower.issue(&good(), key), lower.certificate.clone(), narrow.certificate.clone()],
            AlertDescription::UNKNOWN_CA,
            REFUSED,
        ),
        (
            "of no CA",
            vec![no_ca.issue(&good(), key), no_ca.certificate],
            AlertDescription::UNKNOWN_CA,
            REFUSED,
        ),
        (
            "of an expired CA",
            vec![expired_ca.issue(&good(), key), expired_ca.certificate],
            AlertDescription::CERTIFICATE_EXPIRED,
            REFUSED,
        ),
        (
            "with too many issuers",
            std::iter::repeat_n(ca.issue(&good(), key), 6).collect(),
            AlertDescription::BAD_CERTIFICATE,
            REFUSED,
        ),
        ("that is none", vec![vec![0x30, 3, 1, 2, 3]], AlertDescription::BAD_CERTIFICATE, REFUSED),
        (
            "that is cut off",
            vec![ca.issue(&good(), key)[..200].to_vec()],
            AlertDescription::BAD_CERTIFICATE,
            REFUSED,
        ),
    ]
}

/// A broker that knows a list of revoked certificates.
fn site() -> Site {
    Site::with(|config, ca, folder| {
        let list = RevocationList {
            number: 1,
            this_update: unix_now() - 60,
            next_update: unix_now() + 86_400,
            revoked: vec![(SerialNumber::new(REVOKED), unix_now() - 60)],
        };
        let list = ca.issuer.revocation_list(&list, &mut rng()).expect("signed");
        let path = folder.join("crl.der");
        write_new(&path, &list).expect("written");
        config.dtls.revocation_lists = vec![path];
    })
}

#[test]
fn a_faulty_client_certificate_is_refused_with_its_alert() {
    let mut site = site();
    let server = site.scene.broker.secure();
    let key = new_key();
    let below = site.ca.below(&Template::ca("Below", Some(0), this_year()));
    for versions in VERSIONS {
        for (what, chain, alert, counter) in faults(&site.ca, &public(&key)) {
            let mut party = site.party_with(chain, &key);
            party.versions = versions;
            let counted = site.scene.counted(counter, 1, |_| {
                let outcome = party.connect(server).map(|_| ());
                assert_eq!(outcome, Err(Failure::Refused(alert)), "a certificate {what}, {versions:?}");
            });
            assert_eq!(counted, 1, "a certificate {what}, {versions:?}");
            site.scene.bystander_works();
        }
        // What all of these would be without their fault.
        let good = Template::client(CERTIFIED, this_year());
        let direct = vec![site.ca.issue(&good, &public(&key))];
        let indirect = vec![
            below
                .issuer
                .issue(&good, &SerialNumber::random(&mut rng()), &public(&key), &mut rng())
                .expect("signed"),
            below.certificate.clone(),
        ];
        for chain in [direct, indirect] {
            let mut party = site.party_with(chain, &key);
            party.versions = versions;
            site.scene.still_works(&mut party.device(server));
        }
    }
}

#[test]
fn a_certificate_without_its_key_or_none_at_all_is_refused() {
    let mut site = site();
    let server = site.scene.broker.secure();
    let sessions = site.scene.broker.status().sessions;
    for versions in VERSIONS {
        for by in [By::Certificate, By::RawPublicKey] {
            let mut thief = site.party_by(by);
            thief.versions = versions;
            thief.lose_key();
            let refused = Failure::Refused(AlertDescription::DECRYPT_ERROR);
            assert_eq!(thief.connect(server).map(|_| ()), Err(refused), "{versions:?} {by:?}");
            // A raw public key that nobody has enrolled.
            let mut nobody = site.party_by(by);
            nobody.versions = versions;
            let key = new_key();
            let info = sedge_crypto::subject_public_key_info(&public(&key)).to_vec();
            nobody.shows(CertificateType::RawPublicKey, vec![info], &key);
            nobody.believes = vec![CertificateType::RawPublicKey];
            site.scene.counted("auth.unknown_keys", 1, |_| {
                let refused = Failure::Refused(AlertDescription::CERTIFICATE_UNKNOWN);
                assert_eq!(nobody.connect(server).map(|_| ()), Err(refused));
            });
            // Nothing at all.
            let mut empty = site.party_by(by);
            empty.versions = versions;
            empty.shows(CertificateType::X509, vec![], &key);
            let alert = match versions.dtls_1_3 {
                true => AlertDescription::CERTIFICATE_REQUIRED,
                false => AlertDescription::HANDSHAKE_FAILURE,
            };
            assert_eq!(
                empty.connect(server).map(|_| ()),
                Err(Failure::Refused(alert)),
                "{versions:?} {by:?}"
            );
        }
    }
    assert_eq!(site.scene.broker.status().sessions, sessions);
    site.scene.bystander_works();
}

/// Certificates as others make them, of kinds that are not supported.
#[test]
fn other_keys_and_signatures_are_refused() {
    let mut site = site();
    let server = site.scene.broker.secure();
    let key = new_key();
    for (what, arguments) in [
        ("RSA", &["-newkey", "rsa:2048"][..]),
        ("P-384", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]),
        ("P-256 with SHA-384", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-sha384"]),
    ] {
        let certificate = openssl(site.folder(), arguments);
        for versions in VERSIONS {
            let mut party = site.party_with(vec![certificate.clone()], &key);
            party.versions = versions;
            site.scene.counted(REFUSED, 1, |_| {
                let refused = Failure::Refused(AlertDescription::UNSUPPORTED_CERTIFICATE);
                assert_eq!(party.connect(server).map(|_| ()), Err(refused), "{what} {versions:?}");
            });
        }
    }
    site.scene.bystander_works();
}

/// A self-signed certificate in DER.
fn openssl(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let file = folder.join("other.der");
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-subj",
            "/CN=certified",
            "-days",
            "1",
            "-outform",
            "DER",
            "-keyout",
        ])
        .arg(folder.join("other.key"))
        .arg("-out")
        .arg(&file)
        .args(arguments)
        .output()
        .expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(file).expect("a certificate")
}

/// The longest chain that a handshake has memory for is looked at; a longer one is never put together, which is counted, and
/// nobody else pays for it.
#[test]
fn a_huge_chain_is_not_put_together() {
    const COUNTER: &str = "dtls.discarded.handshake_too_long";
    let mut site = site();
    let server = site.scene.broker.secure();
    let key = new_key();
    let certificate = |padding: usize| {
        let padding = RawExtension { id: vec![0x55, 0x1d, 99], critical: false, value: vec![0x5a; padding] };
        let large =
            Template { further_extensions: vec![padding], ..Template::client(CERTIFIED, this_year()) };
        site.ca.issue(&large, &public(&key))
    };
    let (large, huge) = (certificate(3_000), certificate(4_200));
    for versions in VERSIONS {
        let mut party = site.party_with(vec![large.clone()], &key);
        party.versions = versions;
        let before = site.scene.broker.counters()[COUNTER];
        assert!(party.connect(server).is_ok(), "{versions:?}");
        assert_eq!(site.scene.broker.counters()[COUNTER], before, "{versions:?}");

        let mut party = site.party_with(vec![huge.clone()], &key).patient(2);
        party.versions = versions;
        assert_eq!(party.connect(server).map(|_| ()), Err(Failure::TimedOut), "{versions:?}");
        assert!(site.scene.broker.counters()[COUNTER] > before, "{versions:?}");
        site.scene.bystander_works();
    }
}

/// The broker's own chain for this key, and why a client does not believe it.
fn server_faults(ca: &Ca, key: &PublicKey) -> Vec<(&'static str, Vec<u8>, sedge_x509::Error)> {
    use sedge_x509::Error;
    let names = || vec![AlternativeName::Dns(BROKER.to_owned())];
    let good = || Template::server("broker", names(), this_year());
    let issue = |template: Template| ca.issue(&template, key);
    let mut forged = issue(good());
    *forged.last_mut().expect("not empty") ^= 1;
    let other = vec![AlternativeName::Dns("other.example".to_owned())];
    let wild = vec![AlternativeName::Dns("*.example".to_owned())];
    let is_ca = Some(BasicConstraints { ca: true, path_len: None });
    vec![
        ("expired", issue(Template { validity: past(), ..good() }), Error::Expired),
        ("early", issue(Template { validity: future(), ..good() }), Error::NotYetValid),
        (
            "for clients",
            issue(Template { extended_key_usage: Some(ExtendedKeyUsage::CLIENT_AUTH), ..good() }),
            Error::WrongUsage,
        ),
        (
            "for agreement",
            issue(Template { key_usage: Some(KeyUsage::KEY_AGREEMENT), ..good() }),
            Error::WrongUsage,
        ),
        ("of a CA", issue(Template { basic_constraints: is_ca, ..good() }), Error::IsCa),
        ("for another name", issue(Template { alternative_names: other, ..good() }), Error::WrongName),
        ("for any name", issue(Template { alternative_names: wild, ..good() }), Error::WrongName),
        ("of another CA", Ca::root("Example CA").issue(&good(), key), Error::UnknownIssuer),
        ("with a forged signature", forged, Error::UnknownIssuer),
    ]
}

/// A client as devices have it, against a broker whose certificate has a fault.
#[test]
fn a_faulty_certificate_of_the_broker_is_not_believed() {
    let (ca, key, device) = (Ca::root("Example CA"), new_key(), new_key());
    let own = ca.issue(&Template::client(CERTIFIED, this_year()), &public(&device));
    for (what, certificate, error) in server_faults(&ca, &public(&key)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = Files { key: key.clone(), chain: vec![certificate], anchor: ca.certificate.clone() };
        let broker = TestBroker::with(|config| files.write(folder.path(), config));
        for versions in VERSIONS {
            let outcome = dial(&broker, versions, &own, &device, ca.issuer.public_key());
            let Err(Error::Disconnected(Disconnect::NotBelieved(why))) = outcome else {
                panic!("a certificate {what}, {versions:?}: {outcome:?}")
            };
            assert_eq!(why, NotBelieved::Certificate(error), "a certificate {what}, {versions:?}");
        }
        assert_eq!(broker.status().sessions, 0, "{what}");
    }
}

fn dial(
    broker: &TestBroker,
    versions: Versions,
    own: &[u8],
    key: &PrivateKey,
    issuer: PublicKey,
) -> Result<(), Error<std::io::Error>> {
    let own = Identity::Certificate { chain: own, key: key.scalar().clone() };
    let security = Security::PublicKey { own, server: Trust::Issuer { key: issuer, server_name: BROKER } };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = Socket::connect(broker.secure()).await.expect("a socket");
        let mut config = sedge_client::tokio::config();
        config.endpoint.versions = versions;
        let mut client = sedge_client::tokio::client(socket, security, config)?;
        client.set_unix_time(unix_now());
        tokio::time::timeout(sedge_tests::dtls::SOON * 2, client.connect()).await.expect("in time")
    })
}
