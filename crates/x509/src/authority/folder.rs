//! The CA of a folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::path::{Path, PathBuf};

use pki_types::CertificateDer;
use sedge_crypto::{Crypto, CryptoRng, KeyError, PublicKey};

use super::error::AuthorityError;
use super::file::{Readers, replace, write_new};
use super::index::{Index, Issued};
use super::issuer::{Issuer, SerialNumber};
use super::key::{PrivateKey, PrivateKeyError};
use super::list::RevocationList;
use super::template::{AlternativeName, Template};
use crate::certificate::Certificate;
use crate::extension::ExtendedKeyUsage;
use crate::pem::{self, FileError};
use crate::time::Validity;

/// The CA of a folder, whose lock it holds until it is dropped.
///
/// The folder has mode 0700. In it are the root certificate `ca.pem`, its private key `ca.key.pem` (mode 0600, perhaps
/// encrypted), the index of everything issued `index.toml`, and the latest list of revoked certificates `crl.pem`.
/// Every change is on disk when a method returns; an interrupted one leaves what was there before.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    certificate: Vec<u8>,
    index: Index,
    _lock: File,
}

/// What a new CA is to be.
#[derive(Clone, Debug)]
pub struct NewAuthority<'a> {
    /// Its name: short, because every certificate repeats it.
    pub name: &'a str,
    /// From when until when its certificate is valid.
    pub validity: Validity,
    /// What encrypts its private key; without, whoever reads the file is the CA.
    pub passphrase: Option<&'a [u8]>,
}

impl Authority {
    /// Sets up a CA in an empty or missing folder.
    pub fn create<C: Crypto, R: CryptoRng + ?Sized>(
        folder: impl Into<PathBuf>,
        new: &NewAuthority<'_>,
        crypto: C,
        rng: &mut R,
    ) -> Result<Self, AuthorityError> {
        let folder = folder.into();
        check_name(new.name)?;
        make_private_folder(&folder)?;
        let lock = lock(&folder)?;
        let key = PrivateKey::generate(&crypto, rng)?;
        let pem = key.to_pem(&crypto, new.passphrase, rng);
        let pem = pem.map_err(|error| AuthorityError::PrivateKey(key_path(&folder), error))?;
        // Nobody but peers stands below: this CA is small.
        let template = Template::ca(new.name, Some(0), new.validity);
        let serial = SerialNumber::random(rng);
        let (_, certificate) = Issuer::self_signed(crypto, &key, &template, &serial, rng)?;
        let path = key_path(&folder);
        write_new(&path, pem.as_bytes()).map_err(|error| AuthorityError::io(&path, error))?;
        let authority = Self { folder, certificate, index: Index::default(), _lock: lock };
        authority.save()?;
        // Comes last: with it there is a CA.
        let pem = pem::to_pem(&authority.certificate);
        authority.write(&authority.certificate_path(), &pem)?;
        Ok(authority)
    }

    /// The CA of a folder. Waits while another process works on it.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, AuthorityError> {
        let folder = folder.into();
        if !certificate_path(&folder).exists() {
            return Err(AuthorityError::NoAuthority(folder));
        }
        let lock = lock(&folder)?;
        let certificate = read_certificate(&certificate_path(&folder))?;
        let path = index_path(&folder);
        let text = pem::read(&path)?;
        let index = String::from_utf8(text).map_err(|_| "it is not text in UTF-8".to_owned());
        let index = index.and_then(|text| Index::parse(&text));
        let index = index.map_err(|why| AuthorityError::Index(path, why))?;
        Ok(Self { folder, certificate, index, _lock: lock })
    }

    /// Whether the private key of a folder's CA is encrypted, so that a passphrase has to be asked for.
    pub fn needs_passphrase(folder: impl AsRef<Path>) -> Result<bool, AuthorityError> {
        let folder = folder.as_ref();
        if !certificate_path(folder).exists() {
            return Err(AuthorityError::NoAuthority(folder.to_owned()));
        }
        match read_key(folder, None) {
            Ok(_) => Ok(false),
            Err(AuthorityError::PrivateKey(_, PrivateKeyError::PassphraseNeeded)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The root certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Where the root certificate is, in PEM.
    pub fn certificate_path(&self) -> PathBuf {
        certificate_path(&self.folder)
    }

    /// Where the private key is.
    pub fn key_path(&self) -> PathBuf {
        key_path(&self.folder)
    }

    /// Where the list of revoked certificates is, once there is one.
    pub fn crl_path(&self) -> PathBuf {
        self.folder.join("crl.pem")
    }

    /// Everything issued, in that order.
    pub fn issued(&self) -> &[Issued] {
        &self.index.issued
    }

    /// Takes the private key out.
    pub fn unlock<C: Crypto>(
        &self,
        crypto: C,
        passphrase: Option<&[u8]>,
    ) -> Result<Issuer<C>, AuthorityError> {
        let key = read_key(&self.folder, passphrase)?;
        let certificate = Certificate::parse(&self.certificate)
            .map_err(|error| FileError::certificate(&self.certificate_path(), error))?;
        Issuer::new(crypto, &key, &certificate).map_err(|error| match error {
            KeyError::PrivateKey => AuthorityError::OtherKey(self.key_path()),
            error => AuthorityError::Crypto(error),
        })
    }

    /// Issues a certificate and gives it in DER; it is in the index before anybody sees it.
    pub fn issue<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        issuer: &Issuer<C>,
        template: &Template,
        key: &PublicKey,
        rng: &mut R,
    ) -> Result<Vec<u8>, AuthorityError> {
        let name = name_of(template);
        check_name(&name)?;
        let own = Certificate::parse(&self.certificate).map_err(AuthorityError::Unfit)?;
        if template.validity.not_after > own.validity().not_after {
            return Err(AuthorityError::OutlivesIssuer(own.validity().not_after));
        }
        let mut serial = SerialNumber::random(rng);
        while self.index.issued.iter().any(|issued| issued.serial == serial) {
            serial = SerialNumber::random(rng);
        }
        let der = issuer.issue(template, &serial, key, rng)?;
        Certificate::parse(&der).map_err(AuthorityError::Unfit)?;
        let uses = uses_of(template).into_iter().map(str::to_owned).collect();
        self.index.issued.push(Issued { serial, name, uses, validity: template.validity, revoked: None });
        self.save()?;
        Ok(der)
    }

    /// Revokes the certificate of this serial number in hexadecimal digits, or every one of this name; gives those
    /// that were not revoked before. Peers learn of it from the next [`write_crl`](Self::write_crl).
    pub fn revoke(&mut self, which: &str, now: u64) -> Result<Vec<Issued>, AuthorityError> {
        let serial = SerialNumber::from_hex(which);
        let is_meant = |issued: &Issued| issued.name == which || Some(&issued.serial) == serial.as_ref();
        if !self.index.issued.iter().any(is_meant) {
            return Err(AuthorityError::NotIssued(which.to_owned()));
        }
        let mut revoked = Vec::new();
        for issued in self.index.issued.iter_mut().filter(|issued| is_meant(issued)) {
            if issued.revoked.is_none() {
                issued.revoked = Some(now);
                revoked.push(issued.clone());
            }
        }
        if revoked.is_empty() {
            return Err(AuthorityError::AlreadyRevoked(which.to_owned()));
        }
        self.save()?;
        Ok(revoked)
    }

    /// Signs a new list of revoked certificates, writes it to [`crl_path`](Self::crl_path), and gives it in DER.
    pub fn write_crl<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        issuer: &Issuer<C>,
        this_update: u64,
        next_update: u64,
        rng: &mut R,
    ) -> Result<Vec<u8>, AuthorityError> {
        let revoked = self.index.issued.iter();
        let revoked = revoked.filter_map(|issued| Some((issued.serial.clone(), issued.revoked?))).collect();
        self.index.crl_number += 1;
        let list = RevocationList { number: self.index.crl_number, this_update, next_update, revoked };
        let der = issuer.revocation_list(&list, rng)?;
        // A number that no list has does no harm; two lists with one number would.
        self.save()?;
        self.write(&self.crl_path(), &pem::encode("X509 CRL", &der))?;
        Ok(der)
    }

    fn save(&self) -> Result<(), AuthorityError> {
        let path = index_path(&self.folder);
        let text = self.index.to_toml().map_err(|why| AuthorityError::Index(path.clone(), why))?;
        self.write(&path, &text)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), AuthorityError> {
        replace(path, text.as_bytes(), Readers::Everybody).map_err(|error| AuthorityError::io(path, error))
    }
}

fn certificate_path(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

fn key_path(folder: &Path) -> PathBuf {
    folder.join("ca.key.pem")
}

fn index_path(folder: &Path) -> PathBuf {
    folder.join("index.toml")
}

fn make_private_folder(folder: &Path) -> Result<(), AuthorityError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let empty = builder.create(folder).and_then(|()| {
        let mut entries = std::fs::read_dir(folder)?;
        Ok(entries.next().is_none())
    });
    match empty {
        Ok(true) => {}
        Ok(false) => return Err(AuthorityError::NotEmpty(folder.to_owned())),
        Err(error) => return Err(AuthorityError::io(folder, error)),
    }
    // One that was there may be open to others.
    #[cfg(unix)]
    {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder, private).map_err(|error| AuthorityError::io(folder, error))?;
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, AuthorityError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).and_then(|file| file.lock().map(|()| file));
    file.map_err(|error| AuthorityError::io(&path, error))
}

fn read_certificate(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    let unusable = |error| FileError::certificate(path, error);
    let mut found = pem::objects::<CertificateDer<'static>>(&pem::read(path)?).map_err(unusable)?;
    let certificate = found.swap_remove(0).to_vec();
    Certificate::parse(&certificate).map_err(unusable)?;
    Ok(certificate)
}

fn read_key(folder: &Path, passphrase: Option<&[u8]>) -> Result<PrivateKey, AuthorityError> {
    let path = key_path(folder);
    let text = zeroize::Zeroizing::new(pem::read(&path)?);
    let key = match std::str::from_utf8(&text) {
        Ok(text) => PrivateKey::from_pem(text, passphrase),
        Err(_) => Err(PrivateKeyError::NoKey),
    };
    key.map_err(|error| AuthorityError::PrivateKey(path, error))
}

/// RFC 5280 appendix A.1 allows 64 characters.
fn check_name(name: &str) -> Result<(), AuthorityError> {
    let is_name = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_name { Ok(()) } else { Err(AuthorityError::BadName(name.to_owned())) }
}

fn name_of(template: &Template) -> String {
    let first = template.alternative_names.first().map(|name| match name {
        AlternativeName::Dns(name) | AlternativeName::Uri(name) => name.clone(),
        AlternativeName::Ip(address) => address.to_string(),
    });
    template.common_name.clone().or(first).unwrap_or_default()
}

fn uses_of(template: &Template) -> Vec<&'static str> {
    let usage = template.extended_key_usage.unwrap_or_default();
    let uses = [
        (template.basic_constraints.is_some_and(|constraints| constraints.ca), "ca"),
        (usage.contains(ExtendedKeyUsage::SERVER_AUTH), "server"),
        (usage.contains(ExtendedKeyUsage::CLIENT_AUTH), "client"),
    ];
    uses.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect()
}
