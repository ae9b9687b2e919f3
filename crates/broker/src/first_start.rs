//! What happens when a broker is started on an empty folder: an administrator comes into being, and nobody else.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sedge_access::Grants;
use sedge_client::{Credential, CredentialError, Login};
use zeroize::Zeroizing;

use crate::Key;
use crate::admin::unix_seconds;
use crate::audit::Actor;
use crate::state::State;
use crate::store::{Change, DataDir, Device, DeviceCredential, StoreError};

/// The name of the first administrator.
const ADMINISTRATOR: &str = "admin";
/// The entry of the store that says that the first start is over.
const DONE: &str = "first-start";

/// A folder has just been set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstStart {
    dir: PathBuf,
    credential: PathBuf,
    /// The digest of the broker's public key.
    pin: Option<String>,
    has_topics: bool,
    /// Where tokens come from if that is elsewhere, and the broker's name in them.
    authority: Option<(String, String)>,
}

impl FirstStart {
    /// The file with the administrator's credential.
    pub fn credential(&self) -> &Path {
        &self.credential
    }
}

/// What to do next, in a few lines.
impl fmt::Display for FirstStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dir, credential) = (self.dir.display(), self.credential.display());
        let what = if self.has_topics { "broker" } else { "authorisation server" };
        write!(
            f,
            "This {what} is new: nobody can connect yet but its administrator.\n\
             \n\
             The administrator's credential is {credential}; keep it secret, and keep a copy.\n"
        )?;
        if let Some((uri, audience)) = &self.authority {
            return write!(
                f,
                "Tokens for it come from the authorisation server {uri}. A device that is enrolled there gets one by\n\
                 \n\
                 \x20   sedge token request --as DEVICE.toml --audience {audience} --broker coaps://THIS-HOST"
            );
        }
        if self.has_topics {
            f.write_str("On this machine, enrol a first device that publishes and one that reads:\n\n")?;
        } else {
            write!(
                f,
                "On this machine, enrol a broker that is to take its tokens, and the devices that are to get them:\n\
                 \n\
                 \x20   sedge authority add-rs plant-a --data {dir}\n"
            )?;
        }
        write!(
            f,
            "\x20   sedge device add thermometer --publish 'home/+/temperature' --data {dir}\n\
             \x20   sedge device add display --subscribe 'home/#' --data {dir}\n\
             \n\
             Each writes a credential file to copy to where it is used, and says how to use it."
        )?;
        match &self.pin {
            Some(pin) => write!(
                f,
                "\n\nThe SHA-256 of the {what}'s own public key, which devices with --auth rpk or cert know it by:\n{pin}"
            ),
            None => Ok(()),
        }
    }
}

/// Creates the administrator, unless that has happened before. A start that was cut short is taken up again.
pub(crate) async fn first_start(
    dir: &DataDir,
    state: &State,
    listening: Option<SocketAddr>,
) -> Result<Option<FirstStart>, FirstStartError> {
    if state.is_set_up() {
        return Ok(None);
    }
    let path = dir.admin_credential();
    let credential = match Credential::read(&path) {
        Ok(credential) => credential,
        Err(_) if !path.exists() => {
            let key = Key::random().map_err(io::Error::other)?.expose().to_vec();
            let credential = Credential::psk(uri(listening), ADMINISTRATOR, ADMINISTRATOR, key);
            // The file first: an administrator in the store whose key nobody has would be of no use.
            credential.write_new(&path)?;
            credential
        }
        Err(error) => return Err(FirstStartError::Credential(error)),
    };
    let Login::Psk { identity, key } = &credential.login else {
        return Err(
            io::Error::other("the administrator's credential is not one with a pre-shared key").into()
        );
    };
    if state.directory.by_name(&credential.name).is_none() {
        let administrator = Device {
            name: credential.name.clone(),
            credential: DeviceCredential::Psk {
                identity: identity.clone(),
                key: Key::from_bytes(key).map_err(io::Error::other)?,
            },
            grants: Grants::administrator(),
            created: unix_seconds(),
            roles: Vec::new(),
            segment: None,
            resource_server: false,
        };
        state.store.commit(Change::Device(administrator.clone())).await?;
        state.audit.enrolled(&Actor::process(), &administrator);
        // The name is free, and there was nobody else whose identity this could be.
        let _ = state.directory.insert(administrator);
    }
    state.store.commit(Change::Secret(DONE.into(), Vec::new())).await?;
    let pin = state.public_key.as_ref().map(crate::pin);
    let has_topics = state.serves_topics;
    let authority = state.remote.as_ref().map(|remote| (remote.uri(), remote.audience().to_owned()));
    Ok(Some(FirstStart { dir: dir.path().to_owned(), credential: path, pin, has_topics, authority }))
}

/// Whether the secrets that a store keeps say that the first start is over.
pub(crate) fn is_over(secrets: &[(String, Zeroizing<Vec<u8>>)]) -> bool {
    secrets.iter().any(|(name, _)| name == DONE)
}

/// Where the administrator reaches a broker that listens at this address, from the same machine.
fn uri(listening: Option<SocketAddr>) -> String {
    match listening {
        Some(address) if !address.ip().is_unspecified() => format!("coaps://{address}"),
        Some(address) if address.port() != 5684 => format!("coaps://localhost:{}", address.port()),
        _ => "coaps://localhost".into(),
    }
}

/// Why a folder could not be set up.
#[derive(Debug)]
pub(crate) enum FirstStartError {
    Io(io::Error),
    Store(StoreError),
    Credential(CredentialError),
}

impl From<io::Error> for FirstStartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<StoreError> for FirstStartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn the_administrator_is_made_once_and_after_a_cut_too() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path().join("d"));
        dir.create().unwrap();
        let config = Arc::new(Config::default());
        let key = {
            let state = State::open(&dir, &config).await.unwrap();
            // As if the process had died before the store heard of the file.
            let credential = Credential::psk(uri(None), ADMINISTRATOR, ADMINISTRATOR, vec![7; 16]);
            credential.write_new(dir.admin_credential()).unwrap();
            let first = first_start(&dir, &state, None).await.unwrap().unwrap();
            assert!(first.to_string().contains("sedge device add"), "{first}");
            state.directory.by_name(ADMINISTRATOR).unwrap().credential.key().unwrap().clone()
        };
        assert_eq!(key.expose(), [7; 16]);
        let state = State::open(&dir, &config).await.unwrap();
        assert!(first_start(&dir, &state, None).await.unwrap().is_none());
        assert!(state.directory.by_name(ADMINISTRATOR).unwrap().grants.is_administrator());
        assert_eq!(state.directory.len(), 1);
    }

    #[test]
    fn the_uri_is_one_that_reaches_the_broker() {
        for (address, expected) in [
            ("[::]:5684", "coaps://localhost"),
            ("0.0.0.0:9000", "coaps://localhost:9000"),
            ("[::1]:5684", "coaps://[::1]:5684"),
        ] {
            assert_eq!(uri(address.parse().ok()), expected);
        }
    }
}
