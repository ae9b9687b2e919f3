//! The one writer of a log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::chain::{self, BEGINNING, Found, HEADER, Link};
use crate::folder::{self, Name};
use crate::{Event, Hash, Kind};

/// A log that is written to. Only one may be open on a folder.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    settings: Settings,
    file: File,
    link: Link,
    /// Of the file that is written to: its size, and the time of its first record.
    bytes: u64,
    since: Option<u64>,
    /// Whether the last write came to nothing, so that its beginning may be in the file.
    failed: bool,
}

/// How large files become, and how long they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A file of more bytes is followed by another.
    pub file_bytes: u64,
    /// So is one whose first record is older.
    pub file_age: Duration,
    /// So many files are kept, besides the one that is written to.
    pub files: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { file_bytes: 16 << 20, file_age: Duration::from_secs(30 * 24 * 3600), files: 64 }
    }
}

/// How far a file can be believed.
struct Read {
    link: Link,
    /// Bytes of header and whole records.
    good: u64,
    since: Option<u64>,
    fault: Option<Fault>,
}

enum Fault {
    /// The last record was written in part; so many bytes.
    Torn(u64),
    /// Something before the end was changed.
    Changed,
}

impl Log {
    /// Opens the log in `folder`, or begins one. What a crash has left half written is cut off, and that is recorded, as
    /// is anything else that does not fit. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// The folder or a file cannot be read or written.
    pub fn open(folder: &Path, settings: Settings, now: u64) -> io::Result<Self> {
        folder::create(folder)?;
        let mut files = folder::files(folder)?;
        // A crash while a file was begun leaves one without a whole header.
        while let Some(last) = files.last() {
            if last.path.metadata()?.len() >= HEADER as u64 {
                break;
            }
            std::fs::remove_file(&last.path)?;
            let _begun = files.pop();
        }
        let Some(last) = files.last() else {
            return Self::begin(folder, settings, Link { next: 1, hash: BEGINNING });
        };
        let read = read(last)?;
        match read.fault {
            None => Self::go_on(folder, settings, last, &read),
            Some(Fault::Torn(bytes)) => {
                let mut log = Self::go_on(folder, settings, last, &read)?;
                log.file.set_len(read.good)?;
                let event = Event::new(Kind::Log)
                    .with("what", "the end was written in part, by a crash, and was cut off")
                    .with("bytes", bytes);
                log.append(now, &event)?;
                log.sync()?;
                Ok(log)
            }
            Some(Fault::Changed) => {
                // What was changed stays as it is, for whoever finds out why.
                let after = Link { next: read.link.next.max(last.first) + 1, ..read.link };
                let mut log = Self::begin(folder, settings, after)?;
                let event = Event::new(Kind::Log)
                    .with("what", "the file before does not fit: somebody or a fault has changed it")
                    .with("file", last.path.display());
                log.append(now, &event)?;
                log.sync()?;
                Ok(log)
            }
        }
    }

    fn go_on(folder: &Path, settings: Settings, last: &Name, read: &Read) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(&last.path)?;
        let Read { link, good, since, .. } = *read;
        Ok(Self { folder: folder.into(), settings, file, link, bytes: good, since, failed: false })
    }

    fn begin(folder: &Path, settings: Settings, link: Link) -> io::Result<Self> {
        let mut file = folder::open_new(&folder::path(folder, link.next))?;
        file.write_all(&chain::header(&link))?;
        file.sync_all()?;
        folder::sync(folder)?;
        let bytes = HEADER as u64;
        Ok(Self { folder: folder.into(), settings, file, link, bytes, since: None, failed: false })
    }

    /// Appends a record. It is safe after the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// It cannot be written; the log is as before.
    pub fn append(&mut self, now: u64, event: &Event) -> io::Result<()> {
        if self.failed {
            self.file.set_len(self.bytes)?;
            self.failed = false;
        }
        if self.is_full(now) {
            self.rotate(now)?;
        }
        self.write(now, event)
    }

    fn write(&mut self, now: u64, event: &Event) -> io::Result<()> {
        let record = event.record(self.link.next, now);
        let (bytes, hash) = chain::frame(&self.link, &record);
        if let Err(error) = self.file.write_all(&bytes) {
            self.failed = true;
            return Err(error);
        }
        self.link = Link { next: self.link.next + 1, hash };
        self.bytes += bytes.len() as u64;
        let _first = self.since.get_or_insert(now);
        Ok(())
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The hash of the last record.
    pub const fn head(&self) -> &Hash {
        &self.link.hash
    }

    fn is_full(&self, now: u64) -> bool {
        let age = self.since.map_or(0, |since| now.saturating_sub(since));
        self.since.is_some()
            && (self.bytes >= self.settings.file_bytes
                || u128::from(age) >= self.settings.file_age.as_millis())
    }

    /// Begins the next file, and removes what is older than is kept.
    fn rotate(&mut self, now: u64) -> io::Result<()> {
        self.sync()?;
        *self = Self::begin(&self.folder, self.settings, self.link)?;
        let files = folder::files(&self.folder)?;
        let old = files.len().saturating_sub(self.settings.files + 1);
        for file in &files[..old] {
            std::fs::remove_file(&file.path)?;
        }
        if old > 0 {
            let event = Event::new(Kind::Log)
                .with("what", "older records were removed, as configured")
                .with("first", files.get(old).map_or(self.link.next, |file| file.first));
            self.write(now, &event)?;
        }
        Ok(())
    }
}

/// Whether nothing was written after a record's length.
fn is_unwritten(bytes: &[u8]) -> bool {
    bytes.iter().skip(4).all(|byte| *byte == 0)
}

fn read(file: &Name) -> io::Result<Read> {
    let bytes = std::fs::read(&file.path)?;
    let begin = Link { next: file.first, hash: BEGINNING };
    let Some(mut link) = chain::read_header(&bytes).filter(|link| link.next == file.first) else {
        return Ok(Read { link: begin, good: 0, since: None, fault: Some(Fault::Changed) });
    };
    let (mut at, mut since) = (HEADER, None);
    let fault = loop {
        match chain::take(&link, &bytes[at..]) {
            Found::Record(record, hash, size) => {
                let _first = since.get_or_insert(record.time);
                link = Link { next: link.next + 1, hash };
                at += size;
            }
            Found::End => break None,
            Found::Torn => break Some(Fault::Torn((bytes.len() - at) as u64)),
            // A disk may have made the file longer, and not have written all of the record.
            Found::Broken(_, size) if at + size >= bytes.len() || is_unwritten(&bytes[at..]) => {
                break Some(Fault::Torn((bytes.len() - at) as u64));
            }
            Found::Broken(..) => break Some(Fault::Changed),
        }
    };
    Ok(Read { link, good: at as u64, since, fault })
}
