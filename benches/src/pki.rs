//! Keys and certificates for one run: a CA, a server and a client, all on P-256.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sedge_crypto::{Crypto, HostCrypto, HostSigningKey, subject_public_key_info};
use sedge_x509::authority::PrivateKey;

use crate::Settings;

/// The folder with `ca`, `server` and `client`: certificates as `.pem` and `.der`, private keys as `.key` (PEM) and
/// `.key.der` (PKCS #8).
#[derive(Clone, Debug)]
pub(crate) struct Pki(PathBuf);

/// Somebody's key, with what can be shown of it.
pub(crate) struct KeyPair {
    pub(crate) key: HostSigningKey,
    /// In DER.
    pub(crate) certificate: Vec<u8>,
    /// `SubjectPublicKeyInfo`.
    pub(crate) info: Vec<u8>,
}

impl Pki {
    /// Makes new ones with OpenSSL, which signs what every peer understands.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let dir = settings.out.join("pki");
        fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        let pki = Self(dir.canonicalize().map_err(|error| error.to_string())?);
        pki.key("ca")?;
        pki.openssl("req -x509 -new -key ca.key -subj /CN=bench-ca -days 30 -out ca.pem -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign", "")?;
        for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
            pki.key(name)?;
            pki.openssl(
                &format!("req -new -key {name}.key -subj /CN={name}.bench.test -out {name}.csr"),
                "",
            )?;
            let extensions = format!(
                "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                 extendedKeyUsage={usage}\nsubjectAltName=DNS:{name}.bench.test\n"
            );
            pki.openssl(
                &format!(
                    "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
                     -extfile /dev/stdin -out {name}.pem"
                ),
                &extensions,
            )?;
        }
        for name in ["ca", "server", "client"] {
            pki.openssl(&format!("x509 -in {name}.pem -outform DER -out {name}.der"), "")?;
        }
        Ok(pki)
    }

    /// What is in a folder that [`new`](Self::new) filled.
    pub(crate) fn in_folder(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The key and the certificate of that name.
    pub(crate) fn key_pair(&self, name: &str) -> io::Result<KeyPair> {
        let pem = fs::read_to_string(self.file(&format!("{name}.key")))?;
        let key = PrivateKey::from_pem(&pem, None).map_err(io::Error::other)?;
        let key = HostCrypto.signing_key(key.scalar());
        let key = key.map_err(|error| io::Error::other(format!("{error:?}")))?;
        let info = subject_public_key_info(&HostCrypto.public_key(&key)).into();
        Ok(KeyPair { key, certificate: fs::read(self.file(&format!("{name}.der")))?, info })
    }

    fn key(&self, name: &str) -> Result<(), String> {
        self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"), "")?;
        self.openssl(&format!("pkcs8 -topk8 -nocrypt -in {name}.key -outform DER -out {name}.key.der"), "")
    }

    fn openssl(&self, arguments: &str, input: &str) -> Result<(), String> {
        let failed = |error| format!("cannot run openssl: {error}; benches/setup installs what is missing");
        let mut child = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(stdin) = &mut child.stdin {
            stdin.write_all(input.as_bytes()).map_err(failed)?;
        }
        let output = child.wait_with_output().map_err(failed)?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)))
        }
    }
}
