//! Who the broker is in handshakes: a key, and perhaps a certificate of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sedge_crypto::{Crypto as _, Entropy, PublicKey, subject_public_key_info};
use sedge_x509::authority::{PrivateKey, write_new};
use sedge_x509::{Certificate, Error, certificates};
use zeroize::Zeroizing;

use super::{Provider, SecurityError};
use crate::admin::unix_seconds;
use crate::config::Dtls;
use crate::store::DataDir;

/// Who the broker is in handshakes.
pub(crate) struct Identity {
    /// Prepared for signing.
    pub(super) key: <Provider as sedge_crypto::Crypto>::SigningKey,
    pub(crate) public_key: PublicKey,
    /// What is shown to clients that want a raw public key.
    pub(super) info: [u8; 91],
    /// What is shown to clients that want a certificate, each in DER, the broker's own first; perhaps nothing.
    pub(super) chain: Vec<Vec<u8>>,
}

impl Identity {
    pub(super) fn open(dir: &DataDir, config: &Dtls) -> Result<Self, SecurityError> {
        let own = dir.server_key();
        let (option, path) = match config.private_key.as_os_str().is_empty() {
            true => ("the broker's key", own.as_path()),
            false => ("dtls.private_key", config.private_key.as_path()),
        };
        let wrong = |error: &dyn std::fmt::Display| SecurityError::new(option, path, error);
        let key = match path == own {
            true => read_or_make(path).map_err(|error| wrong(&error))?,
            false => read(path).map_err(|error| wrong(&error))?,
        };
        let key = Provider::default().signing_key(key.scalar()).map_err(|error| wrong(&error))?;
        let public_key = Provider::default().public_key(&key);
        let chain = match config.certificate.as_os_str().is_empty() {
            true => Vec::new(),
            false => read_chain(&config.certificate, &public_key, path)?,
        };
        // Whoever administers the folder while no broker runs reads it there.
        let file = dir.server_public_key();
        let info = subject_public_key_info(&public_key);
        let text = format!("{}\n", crate::key::hex_encode(&info));
        sedge_x509::authority::write_over(&file, text.as_bytes())
            .map_err(|error| SecurityError::new("the broker's public key", &file, error))?;
        Ok(Self { key, public_key, info, chain })
    }
}

/// The public key of the broker in this folder: of the last that ran there, or else of the first that will.
pub(crate) fn public_key(dir: &DataDir) -> Option<PublicKey> {
    let text = std::fs::read_to_string(dir.server_public_key()).ok();
    let shown = text.and_then(|text| crate::key::hex_decode(text.trim()));
    let shown = shown.and_then(|info| sedge_crypto::public_key_from_info(&info).ok());
    shown.or_else(|| read_or_make(&dir.server_key()).ok()?.public_key(&Provider::default()).ok())
}

fn read_or_make(path: &Path) -> Result<PrivateKey, String> {
    if path.exists() {
        return read(path);
    }
    let (crypto, mut rng) = (Provider::default(), Entropy::new());
    let key = PrivateKey::generate(&crypto, &mut rng).map_err(|error| error.to_string())?;
    let pem = key.to_pem(&crypto, None, &mut rng).map_err(|error| error.to_string())?;
    match write_new(path, pem.as_bytes()) {
        Ok(()) => Ok(key),
        Err(error) => Err(format!("cannot be written: {error}")),
    }
}

fn read(path: &Path) -> Result<PrivateKey, String> {
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| error.to_string())?);
    let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        return Err(format!("it can be read by others: run `chmod 600 {}`", path.display()));
    }
    // Nobody is there to ask for a passphrase.
    PrivateKey::from_pem(&text, None).map_err(|error| error.to_string())
}

fn read_chain(path: &Path, key: &PublicKey, key_path: &Path) -> Result<Vec<Vec<u8>>, SecurityError> {
    let wrong = |what: &dyn std::fmt::Display| SecurityError::new("dtls.certificate", path, what);
    let file = std::fs::read(path).map_err(|error| wrong(&error))?;
    let chain = certificates(&file).map_err(|error| wrong(&error))?;
    let first = chain.first().ok_or_else(|| wrong(&Error::NoCertificate))?;
    let certificate = Certificate::parse(first).map_err(|error| wrong(&error))?;
    if certificate.public_key() != key {
        let what = format!(
            "its first certificate is of another key than {}: name its key in dtls.private_key",
            key_path.display()
        );
        return Err(wrong(&what));
    }
    // Clients will refuse it, and say so less clearly; but those with other credentials are served all the same.
    if let Err(error) = certificate.validity().check(unix_seconds()) {
        tracing::error!(file = %path.display(), %error, "the broker's certificate: issue another one");
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DataDir) {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path().join("d"));
        dir.create().unwrap();
        (temporary, dir)
    }

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let (_temporary, dir) = folder();
        let made = Identity::open(&dir, &Dtls::default()).unwrap().public_key;
        assert_eq!(Identity::open(&dir, &Dtls::default()).unwrap().public_key, made);
        assert_eq!(public_key(&dir), Some(made));
        assert_eq!(dir.server_key().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // A folder in which only the private key is left.
        std::fs::remove_file(dir.server_public_key()).unwrap();
        assert_eq!(public_key(&dir), Some(made));

        std::fs::set_permissions(dir.server_key(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Identity::open(&dir, &Dtls::default()).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn another_key_and_its_absence_are_told_apart() {
        let (temporary, dir) = folder();
        let made = Identity::open(&dir, &Dtls::default()).unwrap().public_key;
        let file = temporary.path().join("other.pem");
        let config = Dtls { private_key: file.clone(), ..Dtls::default() };
        let error = Identity::open(&dir, &config).err().unwrap().to_string();
        assert!(error.starts_with("dtls.private_key: ") && error.contains("other.pem"), "{error}");

        let other = PrivateKey::generate(&Provider::default(), &mut Entropy::new()).unwrap();
        let pem = other.to_pem(&Provider::default(), None, &mut Entropy::new()).unwrap();
        write_new(&file, pem.as_bytes()).unwrap();
        let shown = Identity::open(&dir, &config).unwrap().public_key;
        assert_ne!(shown, made);
        assert_eq!(public_key(&dir), Some(shown));
    }
}
