//! Who a command is towards a server, whom it believes, and what it offers.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sedge_client::{BrokerKey, CipherSuite, Credential, Login, PublicKey, Versions};
use sedge_crypto::NamedGroup;
use sedge_x509::Certificate;
use sedge_x509::authority::{PrivateKey, public_key_of_file};
use zeroize::Zeroizing;

use crate::codec::hex;
use crate::failure::Failure;

/// What is offered to a server.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Offer {
    /// Speak only this version of DTLS
    #[arg(long, value_name = "VERSION", value_enum)]
    pub(crate) version: Option<Version>,
    /// Offer only this cipher suite, by its IANA name; may be repeated
    #[arg(long = "suite", value_name = "NAME", value_parser = suite)]
    pub(crate) suites: Vec<CipherSuite>,
    /// Offer only this group for key agreement: secp256r1 or x25519; may be repeated
    #[arg(long = "group", value_name = "NAME", value_parser = group)]
    pub(crate) groups: Vec<NamedGroup>,
    /// Append the secrets of the connection to a file, with which Wireshark decrypts it: whoever reads the file
    /// reads everything
    #[arg(long, value_name = "FILE")]
    pub(crate) key_log: Option<PathBuf>,
}

/// A file of secrets, in the format of NSS.
pub(crate) struct KeyLog(File);

impl KeyLog {
    /// Appends one secret.
    pub(crate) fn write(&mut self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let (random, secret) = (hex::encode(client_random), Zeroizing::new(hex::encode(secret)));
        let line = Zeroizing::new(format!("{label} {random} {}\n", secret.as_str()));
        if let Err(error) = self.0.write_all(line.as_bytes()) {
            eprintln!("sedge: the key log: {error}");
        }
    }
}

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Version {
    /// DTLS 1.2
    #[value(name = "1.2")]
    Dtls12,
    /// DTLS 1.3
    #[value(name = "1.3")]
    Dtls13,
}

impl Offer {
    /// Opens the file that secrets are to be appended to, if any.
    pub(crate) fn key_log(&self) -> Result<Option<KeyLog>, Failure> {
        let Some(path) = &self.key_log else { return Ok(None) };
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.append(true).create(true), 0o600);
        let opened = options.open(path);
        let file = opened.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        eprintln!("sedge: the secrets of this connection are written to {}", path.display());
        Ok(Some(KeyLog(file)))
    }

    /// Puts what is offered into the settings of an endpoint.
    pub(crate) fn apply(&self, config: &mut sedge_client::Config) {
        let endpoint = &mut config.endpoint;
        endpoint.versions = match self.version {
            None => Versions::ALL,
            Some(Version::Dtls12) => Versions::ONLY_1_2,
            Some(Version::Dtls13) => Versions::ONLY_1_3,
        };
        // Few bytes, and once for each connection of a command.
        if !self.suites.is_empty() {
            endpoint.suites = self.suites.clone().leak();
        }
        if !self.groups.is_empty() {
            endpoint.groups = self.groups.clone().leak();
        }
    }
}

/// Who to be towards a server, and whom to believe.
#[derive(Debug, clap::Args)]
pub(crate) struct Identity {
    /// A credential file, for coaps
    #[arg(long = "as", value_name = "FILE", conflicts_with_all = ["auth", "identity", "key", "key_text", "cert", "ca", "peer_key"])]
    pub(crate) credential: Option<PathBuf>,
    /// How to authenticate without a credential file [default: psk with --identity, cert with --cert,
    /// rpk with --key alone, none without any]
    #[arg(long, value_name = "WAY", value_enum)]
    auth: Option<Auth>,
    /// psk: the identity
    #[arg(long, value_name = "TEXT")]
    identity: Option<String>,
    /// psk: the key of the identity, in hexadecimal digits; rpk, cert: the file with the private key (PEM)
    #[arg(long, value_name = "HEX|FILE", conflicts_with = "key_text")]
    key: Option<String>,
    /// psk: the key of the identity, as text
    #[arg(long, value_name = "TEXT", requires = "identity")]
    key_text: Option<String>,
    /// cert: the file with the certificate, and after it those of its issuers (PEM or DER)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Believe a server whose certificate the CA in this file (PEM or DER) has issued
    #[arg(long, value_name = "FILE", conflicts_with = "peer_key")]
    ca: Option<PathBuf>,
    /// The name in the server's certificate [default: the host of the URI]
    #[arg(long, value_name = "NAME", requires = "ca")]
    peer_name: Option<String>,
    /// Believe a server with this public key: a file (PEM or DER), or hexadecimal digits
    #[arg(long, value_name = "HEX|FILE")]
    peer_key: Option<String>,
}

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Auth {
    /// A pre-shared key
    Psk,
    /// A raw public key
    Rpk,
    /// A certificate
    Cert,
    /// Nothing: only the server shows who it is
    None,
}

impl Identity {
    /// Whether anything was said at all.
    pub(crate) const fn is_given(&self) -> bool {
        self.credential.is_some()
            || self.auth.is_some()
            || self.identity.is_some()
            || self.key.is_some()
            || self.ca.is_some()
            || self.peer_key.is_some()
    }

    /// What was said, as a credential for the server at `host`.
    pub(crate) fn credential(&self, broker: &str, host: &str) -> Result<Credential, Failure> {
        if let Some(file) = &self.credential {
            return Ok(Credential::read(file)?);
        }
        let login = match self.auth() {
            Auth::Psk => self.psk()?,
            Auth::Rpk => self.public_key(Some(self.private_key()?), Vec::new(), host)?,
            Auth::Cert => {
                let key = self.private_key()?;
                let Some(path) = &self.cert else {
                    return Err(Failure::usage("--auth cert needs --cert FILE"));
                };
                self.public_key(Some(key), certificates(path)?.concat(), host)?
            }
            Auth::None => self.public_key(None, Vec::new(), host)?,
        };
        Ok(Credential { broker: broker.to_owned(), name: self.identity.clone().unwrap_or_default(), login })
    }

    fn auth(&self) -> Auth {
        match self.auth {
            Some(auth) => auth,
            None if self.cert.is_some() => Auth::Cert,
            None if self.ca.is_some() || self.peer_key.is_some() => match self.key {
                Some(_) => Auth::Rpk,
                None => Auth::None,
            },
            None => Auth::Psk,
        }
    }

    fn psk(&self) -> Result<Login, Failure> {
        let key = match (&self.key, &self.key_text) {
            (Some(digits), _) => hex::decode(digits).ok_or_else(|| {
                Failure::usage("--key takes pairs of hexadecimal digits with a PSK identity")
            })?,
            (None, Some(text)) => text.clone().into_bytes(),
            (None, None) => Vec::new(),
        };
        let key = Zeroizing::new(key);
        match &self.identity {
            Some(identity) if (1..=64).contains(&key.len()) => {
                Ok(Login::Psk { identity: identity.clone().into_bytes(), key })
            }
            _ => Err(Failure::usage(
                "coaps:// needs --as FILE; or --identity TEXT with a --key of 1 to 64 bytes; or --key FILE or \
                 --auth none, with --peer-key or --ca",
            )),
        }
    }

    fn private_key(&self) -> Result<PrivateKey, Failure> {
        let Some(path) = &self.key else { return Err(Failure::usage("this needs --key FILE")) };
        let in_file = |error: &dyn std::fmt::Display| Failure::new(format!("{path}: {error}"));
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| in_file(&error))?);
        PrivateKey::from_pem(&text, None).map_err(|error| in_file(&error))
    }

    fn public_key(&self, key: Option<PrivateKey>, chain: Vec<u8>, host: &str) -> Result<Login, Failure> {
        let server = match (&self.peer_key, &self.ca) {
            (Some(text), _) => BrokerKey::Key(public_key(text)?),
            (None, Some(path)) => {
                let first = certificates(path)?.into_iter().next().unwrap_or_default();
                let certificate = Certificate::parse(&first)
                    .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
                let server_name = self.peer_name.clone().unwrap_or_else(|| host.to_owned());
                BrokerKey::Issuer { key: *certificate.public_key(), server_name }
            }
            (None, None) => {
                return Err(Failure::usage(
                    "whom to believe? give --peer-key, or --ca (`sedge probe` shows what a server has)",
                ));
            }
        };
        let private_key = key.map(|key| key.scalar().clone());
        Ok(Login::PublicKey { private_key, certificates: chain, server })
    }
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let in_file = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
    let file = std::fs::read(path).map_err(|error| in_file(&error))?;
    sedge_x509::certificates(&file).map_err(|error| in_file(&error))
}

fn public_key(text: &str) -> Result<PublicKey, Failure> {
    let parse = |info: &[u8]| {
        let key = sedge_crypto::public_key_from_info(info);
        key.or_else(|_| PublicKey::from_bytes(info)).ok()
    };
    if let Some(key) = hex::decode(text).and_then(|info| parse(&info)) {
        return Ok(key);
    }
    let file = std::fs::read(text).map_err(|error| Failure::new(format!("{text}: {error}")))?;
    // A file of hexadecimal digits, of PEM, or of DER.
    let digits = std::str::from_utf8(&file).ok().and_then(|text| hex::decode(text.trim()));
    let key = digits.and_then(|info| parse(&info)).or_else(|| public_key_of_file(&file).ok());
    key.ok_or_else(|| Failure::new(format!("{text}: there is no P-256 public key in it")))
}

fn suite(text: &str) -> Result<CipherSuite, String> {
    let found = CipherSuite::ALL.iter().find(|suite| suite.as_str() == text);
    found.copied().ok_or_else(|| {
        let known: Vec<_> = CipherSuite::ALL.iter().map(|suite| suite.as_str()).collect();
        format!("known are {}", known.join(", "))
    })
}

fn group(text: &str) -> Result<NamedGroup, String> {
    match text {
        "secp256r1" => Ok(NamedGroup::Secp256r1),
        "x25519" => Ok(NamedGroup::X25519),
        _ => Err("known are secp256r1 and x25519".into()),
    }
}
