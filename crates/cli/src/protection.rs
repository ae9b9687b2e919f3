//! Topics that are protected end to end: keys and sequence numbers of the one who runs the command.
//!
//! Beside a credential `boiler-7.toml` there is a folder `boiler-7.groups`. It holds which sequence numbers were used, so
//! that none is used twice, and the key to sign with if the credential has none. Group keys are on no disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sedge_client::protected::{Group, ProtectError, Protected, Record, SequenceStorage};
use sedge_client::tokio::{Address, TokioClock};
use sedge_client::{Code, Credential, Growing, Hosted, Login, Secret};
use sedge_crypto::{Crypto as _, Hash as _, RustCrypto};
use zeroize::Zeroizing;

use crate::codec::hex;
use crate::connection::{self, As, CliClient};
use crate::failure::Failure;
use crate::trace::{TapCrypto, TapSocket};

/// Whether and with whose keys values are protected.
#[derive(Debug, clap::Args)]
pub(crate) struct Protect {
    /// Encrypt from end to end, for the members of the topic's group: the broker cannot read it
    #[arg(long)]
    pub(crate) protect: bool,
    /// Where group keys are given out, if that is not the broker: coaps://HOST or coaps://HOST:PORT
    #[arg(long, value_name = "URI", requires = "protect")]
    keys_from: Option<String>,
}

/// Publishers that are told apart, and keys that are held, for each topic.
type CliGroup = Group<SequenceFile, 64, 8, 255>;

/// The groups that a command works with.
pub(crate) struct Protection {
    groups: Vec<CliGroup>,
    scratch: Vec<u8>,
    centre: Option<CliClient>,
}

/// A client that protects.
pub(crate) type CliProtected<'p> = Protected<
    'p,
    Growing<Hosted<TapCrypto>, rand_core::UnwrapErr<getrandom::SysRng>>,
    TapSocket,
    TokioClock,
    SequenceFile,
    64,
    8,
    255,
>;

/// Who the client is towards those who give out keys.
pub(crate) struct Towards<'c> {
    /// Its own credential, whatever the broker is shown.
    pub(crate) own: &'c Credential,
    /// The session in which it got a token, if it did.
    pub(crate) authority: Option<CliClient>,
}

async fn close(client: Option<CliClient>) {
    if let Some(mut client) = client {
        client.close().await;
    }
}

impl Protect {
    /// What it takes to protect values of these topics of at most `longest` bytes.
    pub(crate) async fn open<'t>(
        &self,
        topics: impl Iterator<Item = &'t str>,
        longest: usize,
        who: &As,
        Towards { own: credential, authority }: Towards<'_>,
        verbose: bool,
    ) -> Result<Option<Protection>, Failure> {
        if !self.protect {
            close(authority).await;
            return Ok(None);
        }
        let folder = who.credential.with_extension("groups");
        let in_folder = |error: io::Error| Failure::new(format!("{}: {error}", folder.display()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(in_folder)?;
        let key = signing_key(&folder, credential).map_err(in_folder)?;
        let mut groups = Vec::new();
        for topic in topics {
            let storage = SequenceFile::open(&folder, topic).map_err(in_folder)?;
            let group = CliGroup::new(topic, storage).and_then(|group| group.named(&credential.name));
            let group = group.ok_or_else(|| Failure::usage(format!("{topic}: the name is too long")))?;
            groups.push(group.signing(key.clone()));
        }
        let centre = match &self.keys_from {
            // Whoever gives out tokens gives out keys, too.
            None => authority,
            Some(uri) => {
                close(authority).await;
                let address = Address::parse(uri).map_err(Failure::usage)?;
                Some(connection::connect(credential, Some(&address), &who.offer, verbose).await?)
            }
        };
        Ok(Some(Protection { groups, scratch: vec![0; longest + 256], centre }))
    }
}

impl Protection {
    /// The client, with these groups.
    pub(crate) fn over<'p>(&'p mut self, client: &'p mut CliClient) -> CliProtected<'p> {
        let protected = client.protected(&mut self.groups, &mut self.scratch);
        match &mut self.centre {
            Some(centre) => protected.with_centre(centre),
            None => protected,
        }
    }

    /// Says goodbye to the key distribution centre.
    pub(crate) async fn close(&mut self) {
        if let Some(centre) = &mut self.centre {
            centre.close().await;
        }
    }
}

/// An error of a protected topic, for the user.
pub(crate) fn explain(topic: &str, error: &ProtectError<io::Error>) -> Failure {
    Failure::new(match error {
        ProtectError::Client(sedge_client::Error::Refused(Code::UNSUPPORTED_CONTENT_FORMAT)) => format!(
            "the topic {topic} takes no encrypted values: it has a format of its own (`sedge topic show {topic}`)"
        ),
        ProtectError::Client(error) => return connection::explain(error),
        ProtectError::Centre(Code::NOT_FOUND) => format!(
            "no keys are given out for {topic}: the broker has [groups] enabled = false, or the topic is not \
             protected (`sedge topic create {topic} --protected`); --keys-from names another place"
        ),
        ProtectError::Centre(Code::FORBIDDEN) => {
            format!("the keys of {topic} are not for you: `sedge access explain` shows what you may do")
        }
        other => format!("{topic}: {other}"),
    })
}

/// The credential's own key, or one that is made once and kept.
fn signing_key(folder: &Path, credential: &Credential) -> io::Result<Secret<32>> {
    if let Login::PublicKey { private_key: Some(key), .. } = &credential.login {
        return Ok(key.clone());
    }
    let path = folder.join("signing-key");
    if let Ok(text) = fs::read_to_string(&path) {
        let text = Zeroizing::new(text);
        let bytes = hex::decode(text.trim()).map(Zeroizing::new);
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(&bytes[..]).ok()).map(Secret::new);
        return key.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "signing-key holds no key: remove it")
        });
    }
    loop {
        let mut key = Secret::zero();
        getrandom::fill(key.expose_mut()).map_err(|error| io::Error::other(error.to_string()))?;
        // All but one in four thousand million are private keys.
        if RustCrypto.signing_key(&key).is_ok() {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(Zeroizing::new(hex::encode(key.expose())).as_bytes())?;
            file.sync_all()?;
            return Ok(key);
        }
    }
}

/// Which sequence numbers were used for a topic, in a file of four records.
#[derive(Debug)]
pub(crate) struct SequenceFile(Option<File>);

const SLOTS: usize = 4;

impl SequenceFile {
    /// The file of a topic. While another command has it, this one has none: it joins anew and gets a Sender ID that was
    /// never used.
    fn open(folder: &Path, topic: &str) -> io::Result<Self> {
        let mut hash = RustCrypto.sha256();
        hash.update(topic.as_bytes());
        let path: PathBuf = folder.join(hex::encode(&hash.finish()[..16]));
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Self(file.try_lock().is_ok().then_some(file)))
    }
}

impl SequenceStorage for SequenceFile {
    type Error = io::Error;

    fn slots(&self) -> usize {
        if self.0.is_some() { SLOTS } else { 0 }
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> io::Result<()> {
        record.fill(0);
        let Some(file) = &self.0 else { return Ok(()) };
        let offset = (slot * record.len()) as u64;
        let mut read = 0;
        // A file that is shorter holds nothing there.
        while read < record.len() {
            match file.read_at(&mut record[read..], offset + read as u64)? {
                0 => break,
                len => read += len,
            }
        }
        Ok(())
    }

    fn write(&mut self, slot: usize, record: &Record) -> io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        file.write_all_at(record, (slot * record.len()) as u64)?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_there_when_the_file_is_opened_again_and_one_command_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = SequenceFile::open(folder.path(), "site/7/temp").unwrap();
        assert_eq!(first.slots(), SLOTS);
        first.write(2, &[7; 32]).unwrap();
        assert_eq!(SequenceFile::open(folder.path(), "site/7/temp").unwrap().slots(), 0, "it is in use");
        assert_eq!(SequenceFile::open(folder.path(), "site/8/temp").unwrap().slots(), SLOTS);
        drop(first);
        let mut again = SequenceFile::open(folder.path(), "site/7/temp").unwrap();
        let mut records = [[1; 32]; SLOTS];
        for (slot, record) in records.iter_mut().enumerate() {
            again.read(slot, record).unwrap();
        }
        assert_eq!(records, [[0; 32], [0; 32], [7; 32], [0; 32]]);
    }
}
