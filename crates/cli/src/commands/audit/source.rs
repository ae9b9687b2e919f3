//! Where an audit log is: in a folder of this machine, or with a broker elsewhere that administrators read it from.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sedge_audit::{Copy, parts, read_part, records, tail};
use sedge_broker::admin::{AdminReply, AdminRequest, AuditPlace};
use sedge_broker::store::DataDir;

use crate::admin::{Admin, Which, unexpected};
use crate::codec::hex;
use crate::failure::Failure;

/// An audit log that is read from some place on.
pub(super) struct Source {
    way: Way,
    /// Where the next record begins; before the first file if its number is zero.
    at: AuditPlace,
    /// What was read of it, but is no whole record yet.
    rest: Vec<u8>,
}

enum Way {
    Folder(PathBuf),
    Remote(Box<Admin>),
}

/// A log in a folder, which is removed afterwards if it was only fetched.
pub(super) struct OnDisk {
    folder: PathBuf,
    is_copy: bool,
}

/// Bytes of a file before its first record.
const HEADER: u64 = 8 + 8 + 32 + 32;
/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

impl Source {
    /// The log of this broker, from its beginning.
    pub(super) async fn open(which: &Which) -> Result<Self, Failure> {
        let way = match which.folder() {
            // The files are there whether or not a broker writes to them, and are read as they are.
            Some(dir) => {
                let folder = DataDir::new(dir).audit();
                if !folder.is_dir() {
                    return Err(Failure::new(format!(
                        "{} holds no audit log: a broker begins one when it starts there, unless audit.enabled is \
                         false",
                        dir.display()
                    )));
                }
                Way::Folder(folder)
            }
            None => Way::Remote(Box::new(which.connect().await?)),
        };
        Ok(Self { way, at: AuditPlace::default(), rest: Vec::new() })
    }

    /// Goes to where the last so many records begin.
    pub(super) async fn skip_to_last(&mut self, count: usize) -> Result<(), Failure> {
        let found = match &mut self.way {
            Way::Folder(folder) => tail(folder, count)?.map(|(file, offset)| AuditPlace { file, offset }),
            Way::Remote(admin) => {
                places(admin.call(AdminRequest::AuditTail(count as u64)).await?)?.into_iter().next()
            }
        };
        self.at = found.unwrap_or_default();
        self.rest.clear();
        Ok(())
    }

    /// Hands out every record up to the end that there is now.
    pub(super) async fn each(
        &mut self,
        show: &mut impl FnMut(&sedge_audit::Record) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let from = self.at.offset + self.rest.len() as u64;
            let piece = match self.at.file {
                0 => Vec::new(),
                file => self.read(AuditPlace { file, offset: from }).await?,
            };
            if piece.is_empty() {
                // A file that is followed by another does not grow.
                let after = self.at.file;
                let Some(next) = self.files().await?.into_iter().find(|next| next.file > after) else {
                    return Ok(());
                };
                self.at = AuditPlace { file: next.file, offset: HEADER };
                self.rest.clear();
                continue;
            }
            self.rest.extend_from_slice(&piece);
            let (records, taken) = records(&self.rest);
            drop(self.rest.drain(..taken));
            self.at.offset += taken as u64;
            records.iter().try_for_each(&mut *show)?;
        }
    }

    /// The log as files: where it is, or a copy.
    pub(super) async fn on_disk(mut self) -> Result<OnDisk, Failure> {
        if let Way::Folder(folder) = self.way {
            return Ok(OnDisk { folder, is_copy: false });
        }
        let log = OnDisk::temporary()?;
        let copy = Copy::open(log.folder())?;
        for end in self.files().await? {
            loop {
                let offset = copy.len_of(end.file)?;
                // Of the file that is written to only what was there at first.
                let left = usize::try_from(end.offset.saturating_sub(offset)).unwrap_or(usize::MAX);
                let piece = match left {
                    0 => Vec::new(),
                    _ => self.read(AuditPlace { offset, ..end }).await?,
                };
                if piece.is_empty() {
                    break;
                }
                copy.append(end.file, piece.get(..left).unwrap_or(&piece))?;
            }
        }
        self.close().await;
        Ok(log)
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        if let Way::Remote(admin) = self.way {
            admin.close().await;
        }
    }

    async fn files(&mut self) -> Result<Vec<AuditPlace>, Failure> {
        match &mut self.way {
            Way::Folder(folder) => {
                let parts = parts(folder)?;
                Ok(parts.iter().map(|part| AuditPlace { file: part.first, offset: part.len }).collect())
            }
            Way::Remote(admin) => places(admin.call(AdminRequest::AuditFiles).await?),
        }
    }

    async fn read(&mut self, place: AuditPlace) -> Result<Vec<u8>, Failure> {
        match &mut self.way {
            Way::Folder(folder) => Ok(read_part(folder, place.file, place.offset, PIECE)?),
            Way::Remote(admin) => match admin.call(AdminRequest::AuditRead(place)).await? {
                AdminReply::AuditPiece(piece) => Ok(piece),
                _ => Err(unexpected()),
            },
        }
    }
}

fn places(reply: AdminReply) -> Result<Vec<AuditPlace>, Failure> {
    match reply {
        AdminReply::AuditFiles(places) => Ok(places),
        _ => Err(unexpected()),
    }
}

impl OnDisk {
    /// An empty folder for a copy, which nobody else can read.
    fn temporary() -> Result<Self, Failure> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|error| Failure::new(format!("no randomness: {error}")))?;
        let folder = std::env::temp_dir().join(format!("sedge-audit-{}", hex::encode(&name)));
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder, is_copy: true })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        if self.is_copy {
            let _removed = std::fs::remove_dir_all(&self.folder);
        }
    }
}
