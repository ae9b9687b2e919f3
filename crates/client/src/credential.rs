//! Credential files: what a device needs to reach its broker, in one small file.
//!
//! ```toml
//! broker = "coaps://broker.example"
//! name = "boiler-7"
//! identity = "boiler-7"
//! key = "6f1c0c9e0d2b4b4f8a3f6f0d1e2c3b4a"
//! ```
//! It is TOML of the simplest kind, one `key = "value"` per line. `identity` may be left out if it is the name;
//! one that is not plain text is written as `identity_hex`.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use zeroize::Zeroizing;

/// Who a device is, and where its broker is. The key is erased when this is dropped, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The broker's URI, such as `coaps://broker.example` or `coaps://[2001:db8::1]:5684`.
    pub broker: String,
    /// The name that the operator calls the device by.
    pub name: String,
    /// The PSK identity that is presented in the handshake; usually the name in UTF-8.
    pub identity: Vec<u8>,
    /// The pre-shared key, 16 to 64 bytes.
    pub key: Zeroizing<Vec<u8>>,
}

impl Credential {
    /// Reads the text of a credential file.
    ///
    /// # Errors
    /// The first line that is not understood, or what is missing; one line of text each.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let (mut broker, mut name, mut identity, mut key) = (None, None, None, None);
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |what| CredentialError::Line { number, what };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (field, value) = line.split_once('=').ok_or(wrong("is not `key = \"value\"`"))?;
            let value = quoted(value.trim()).ok_or(wrong("has a value that does not stand in quotes"))?;
            let hex = || unhex(value).ok_or(wrong("is not hexadecimal"));
            let again = match field.trim() {
                "broker" => broker.replace(value).is_some(),
                "name" => name.replace(value).is_some(),
                "identity" => identity.replace(value.as_bytes().to_vec()).is_some(),
                "identity_hex" => identity.replace(hex()?).is_some(),
                "key" => key.replace(Zeroizing::new(hex()?)).is_some(),
                _ => return Err(wrong("has a key other than broker, name, identity, identity_hex and key")),
            };
            if again {
                return Err(wrong("says something a second time"));
            }
        }
        let name = name.ok_or(CredentialError::Missing("name"))?;
        let key = key.ok_or(CredentialError::Missing("key"))?;
        if !(16..=64).contains(&key.len()) {
            return Err(CredentialError::KeyLength(key.len()));
        }
        Ok(Self {
            broker: broker.ok_or(CredentialError::Missing("broker"))?.to_string(),
            name: name.to_string(),
            identity: identity.unwrap_or_else(|| name.as_bytes().to_vec()),
            key,
        })
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, others may read it too, or as [`Credential::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CredentialError> {
        let path = path.as_ref();
        let in_file =
            |error| CredentialError::InFile(path.display().to_string(), std::boxed::Box::new(error));
        let text = std::fs::read_to_string(path).map_err(|e| in_file(CredentialError::Io(e.kind())))?;
        let text = Zeroizing::new(text);
        refuse_if_public(path).map_err(in_file)?;
        Self::parse(&text).map_err(in_file)
    }

    /// Writes a new file at `path` that only its owner can read (mode 0600), and never over an existing one.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::AlreadyExists`] if there is a file.
    pub fn write_new(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(self.to_toml().as_bytes())?;
        file.sync_all()
    }

    /// The text of the credential file.
    pub fn to_toml(&self) -> Zeroizing<String> {
        let Self { broker, name, .. } = self;
        let identity = match str::from_utf8(&self.identity) {
            Ok(identity) if quoted(&std::format!("\"{identity}\"")).is_some() => {
                std::format!("identity = \"{identity}\"")
            }
            _ => std::format!("identity_hex = \"{}\"", hex(&self.identity)),
        };
        let key = Zeroizing::new(hex(&self.key));
        Zeroizing::new(std::format!(
            "# Whoever holds this file is the device: keep it secret.\n\
             broker = \"{broker}\"\nname = \"{name}\"\n{identity}\nkey = \"{}\"\n",
            key.as_str()
        ))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = String::from_utf8_lossy(&self.identity);
        f.debug_struct("Credential")
            .field("broker", &self.broker)
            .field("name", &self.name)
            .field("identity", &identity)
            .field("key", &format_args!("[secret]"))
            .finish()
    }
}

/// Why a credential file was refused, in one line.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialError {
    /// The file with this name cannot be used.
    InFile(String, std::boxed::Box<CredentialError>),
    /// The file cannot be read.
    Io(io::ErrorKind),
    /// Users other than the owner can read the file, so that its key is no secret.
    Public,
    /// A line is not understood.
    Line {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// This key is missing.
    Missing(&'static str),
    /// The key has this many bytes, and not 16 to 64.
    KeyLength(usize),
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFile(name, error) => match **error {
                Self::Public => write!(f, "{name} can be read by others: run `chmod 600 {name}`"),
                Self::Io(io::ErrorKind::NotFound) => {
                    write!(f, "there is no credential file {name}: `sedge device add` writes one")
                }
                _ => write!(f, "{name}: {error}"),
            },
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Public => f.write_str("can be read by others"),
            Self::Line { number, what } => write!(f, "line {number} {what}"),
            Self::Missing(key) => write!(f, "no `{key} = \"...\"` in it"),
            Self::KeyLength(bytes) => write!(f, "the key has {bytes} bytes instead of 16 to 64"),
        }
    }
}

impl std::error::Error for CredentialError {}

#[cfg(unix)]
fn refuse_if_public(path: &Path) -> Result<(), CredentialError> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).map_err(|error| CredentialError::Io(error.kind()))?;
    if metadata.mode() & 0o077 != 0 { Err(CredentialError::Public) } else { Ok(()) }
}

#[cfg(not(unix))]
fn refuse_if_public(_: &Path) -> Result<(), CredentialError> {
    Ok(())
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| std::format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(digits.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Credential {
        Credential {
            broker: "coaps://[::1]:5684".into(),
            name: "boiler 7 ß".into(),
            identity: "boiler 7 ß".into(),
            key: Zeroizing::new((0..16).collect()),
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for identity in [&b"boiler 7"[..], b"\"", b"\\", b"\xff\x00", b"", "ü".as_bytes()] {
            let credential = Credential { identity: identity.into(), ..sample() };
            assert_eq!(Credential::parse(&credential.to_toml()).unwrap(), credential);
        }
    }

    #[test]
    fn a_file_is_private_and_never_overwritten() {
        let folder = std::env::temp_dir().join(std::format!("sedge-credential-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.toml");
        sample().write_new(&path).unwrap();
        assert_eq!(sample().write_new(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(Credential::read(&path).unwrap(), sample());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            let message = Credential::read(&path).unwrap_err().to_string();
            assert!(message.contains("chmod 600"), "{message}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        let message = Credential::read(&path).unwrap_err().to_string();
        assert!(message.contains("sedge device add"), "{message}");
    }

    #[test]
    fn a_refusal_says_which_line() {
        let key = "key = \"000102030405060708090a0b0c0d0e0f\"";
        for (text, hint) in [
            ("broker = \"b\"\nname = n", "line 2"),
            ("broker = \"b\"\ncolour = \"red\"", "line 2"),
            ("key = \"0\"", "line 1"),
            ("key = \"zz\"", "line 1"),
            ("name = \"a\"\n\n# note\nname = \"b\"", "line 4"),
            ("name = \"a\" \"b\"", "line 1"),
            ("broker = \"b\"\nname = \"n\"", "key"),
            ("broker = \"b\"\nname = \"n\"\nkey = \"00\"", "1 bytes"),
            (key, "name"),
            ("", "name"),
        ] {
            let message = Credential::parse(text).unwrap_err().to_string();
            assert!(message.contains(hint) && !message.contains('\n'), "{text:?}: {message}");
        }
        let text = std::format!("broker = \"b\" # here\nname = \"n\"\n{key}\n");
        assert_eq!(Credential::parse(&text).unwrap().identity, b"n");
    }

    #[test]
    fn the_key_is_not_printed() {
        let text = std::format!("{:?}", sample());
        assert!(text.contains("[secret]") && !text.contains("00010203") && !text.contains("[0, 1"), "{text}");
    }
}
