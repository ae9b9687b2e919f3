//! The text of a credential file.

use std::string::{String, ToString};
use std::vec::Vec;

use sedge_crypto::{PublicKey, Secret, public_key_from_info, subject_public_key_info};
use zeroize::Zeroizing;

use super::{BrokerKey, Credential, CredentialError, Login};
use crate::security::certificates;

/// What a file may say, each once.
#[derive(Default)]
struct Fields<'t> {
    broker: Option<&'t str>,
    name: Option<&'t str>,
    identity: Option<Vec<u8>>,
    key: Option<Zeroizing<Vec<u8>>>,
    private_key: Option<Secret<32>>,
    certificates: Option<Vec<u8>>,
    server_key: Option<PublicKey>,
    issuer_key: Option<PublicKey>,
    server_name: Option<&'t str>,
}

impl Credential {
    /// Reads the text of a credential file.
    ///
    /// # Errors
    /// The first line that is not understood, or what is missing; one line of text each.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let mut fields = Fields::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                fields.read(line).map_err(|what| CredentialError::Line { number, what })?;
            }
        }
        let name = fields.name.ok_or(CredentialError::Missing("name"))?;
        let login = if fields.is_about_public_keys() { fields.public_key() } else { fields.psk(name) }?;
        let broker = fields.broker.ok_or(CredentialError::Missing("broker"))?;
        Ok(Self { broker: broker.to_string(), name: name.to_string(), login })
    }

    /// The text of the credential file.
    pub fn to_toml(&self) -> Zeroizing<String> {
        let Self { broker, name, login } = self;
        let mut text = Zeroizing::new(String::with_capacity(2048));
        let mut line = |key: &str, value: &str| {
            for part in [key, " = \"", value, "\"\n"] {
                text.push_str(part);
            }
        };
        line("broker", broker);
        line("name", name);
        match login {
            Login::Psk { identity, key } => {
                match str::from_utf8(identity) {
                    Ok(plain) if quoted(&std::format!("\"{plain}\"")).is_some() => line("identity", plain),
                    _ => line("identity_hex", &hex(identity)),
                }
                line("key", &hex(key));
            }
            Login::PublicKey { private_key, certificates, server } => {
                if let Some(key) = private_key {
                    line("private_key", &hex(key.expose()));
                    if !certificates.is_empty() {
                        line("certificates", &hex(certificates));
                    }
                }
                match server {
                    BrokerKey::Key(key) => line("server_key", &hex(&subject_public_key_info(key))),
                    BrokerKey::Issuer { key, server_name } => {
                        line("issuer_key", &hex(&subject_public_key_info(key)));
                        line("server_name", server_name);
                    }
                }
            }
        }
        text.insert_str(0, "# Whoever holds this file is the device: keep it secret.\n");
        text
    }
}

impl<'t> Fields<'t> {
    fn read(&mut self, line: &'t str) -> Result<(), &'static str> {
        let (field, value) = line.split_once('=').ok_or("is not `key = \"value\"`")?;
        let value = quoted(value.trim()).ok_or("has a value that does not stand in quotes")?;
        let hex = || unhex(value).ok_or("is not hexadecimal");
        let public_key = || public_key(&hex()?).ok_or("is not a public key in P-256");
        let again = match field.trim() {
            "broker" => self.broker.replace(value).is_some(),
            "name" => self.name.replace(value).is_some(),
            "identity" => self.identity.replace(value.as_bytes().to_vec()).is_some(),
            "identity_hex" => self.identity.replace(hex()?.to_vec()).is_some(),
            "key" => self.key.replace(hex()?).is_some(),
            "private_key" => {
                let (digits, mut key) = (hex()?, Secret::zero());
                if digits.len() != key.expose().len() {
                    return Err("is not a key of 32 bytes");
                }
                key.expose_mut().copy_from_slice(&digits);
                self.private_key.replace(key).is_some()
            }
            "certificates" => {
                let chain = hex()?.to_vec();
                if chain.is_empty() || certificates(&chain).any(|certificate| certificate.is_none()) {
                    return Err("holds something that is no certificate");
                }
                self.certificates.replace(chain).is_some()
            }
            "server_key" => self.server_key.replace(public_key()?).is_some(),
            "issuer_key" => self.issuer_key.replace(public_key()?).is_some(),
            "server_name" => self.server_name.replace(value).is_some(),
            _ => return Err("has a key that no credential has"),
        };
        if again { Err("says something a second time") } else { Ok(()) }
    }

    const fn is_about_public_keys(&self) -> bool {
        self.private_key.is_some() || self.server_key.is_some() || self.issuer_key.is_some()
    }

    fn psk(&mut self, name: &str) -> Result<Login, CredentialError> {
        let key = self.key.take().ok_or(CredentialError::Missing("key"))?;
        if !(16..=64).contains(&key.len()) {
            return Err(CredentialError::KeyLength(key.len()));
        }
        let both = |other| Err(CredentialError::Both("key", other));
        match (&self.certificates, self.server_name) {
            (Some(_), _) => both("certificates"),
            (_, Some(_)) => both("server_name"),
            _ => {
                let identity = self.identity.take().unwrap_or_else(|| name.as_bytes().to_vec());
                Ok(Login::Psk { identity, key })
            }
        }
    }

    fn public_key(&mut self) -> Result<Login, CredentialError> {
        let server = match (self.server_key, self.issuer_key) {
            (Some(_), Some(_)) => return Err(CredentialError::Both("server_key", "issuer_key")),
            (None, None) => return Err(CredentialError::Missing("server_key")),
            (Some(_), None) if self.server_name.is_some() => {
                return Err(CredentialError::Both("server_key", "server_name"));
            }
            (Some(key), None) => BrokerKey::Key(key),
            (None, Some(key)) => {
                let server_name = self.server_name.or_else(|| host(self.broker?));
                let server_name = server_name.ok_or(CredentialError::Missing("server_name"))?.to_string();
                BrokerKey::Issuer { key, server_name }
            }
        };
        if self.key.is_some() {
            return Err(CredentialError::Both("key", "private_key"));
        }
        if self.identity.is_some() {
            return Err(CredentialError::Both("identity", "private_key"));
        }
        let certificates = self.certificates.take().unwrap_or_default();
        let private_key = self.private_key.take();
        if private_key.is_none() && !certificates.is_empty() {
            return Err(CredentialError::Missing("private_key"));
        }
        Ok(Login::PublicKey { private_key, certificates, server })
    }
}

/// The host of a URI, without brackets.
fn host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// A public key as `SubjectPublicKeyInfo`, or as the bare point.
fn public_key(bytes: &[u8]) -> Option<PublicKey> {
    public_key_from_info(bytes).or_else(|_| PublicKey::from_bytes(bytes)).ok()
}

/// What stands between the quotes, if nothing there needs the escapes of TOML.
fn quoted(value: &str) -> Option<&str> {
    let value = value.strip_prefix('"')?;
    // After the closing quote only a comment may follow.
    let (value, rest) = value.split_once('"')?;
    let rest = rest.trim_start();
    let plain = !value.contains(|c: char| c == '\\' || c.is_control());
    (plain && (rest.is_empty() || rest.starts_with('#'))).then_some(value)
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    // Made at its full length at once: a string that grows leaves copies behind.
    let mut digits = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        digits.push(digit(byte >> 4));
        digits.push(digit(byte & 15));
    }
    digits
}

fn unhex(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|nibble| nibble as u8);
    for [high, low] in pairs {
        bytes.push(nibble(*high)? << 4 | nibble(*low)?);
    }
    Some(bytes)
}
