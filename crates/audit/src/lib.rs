//! A log of who was granted, refused and changed what, that shows when somebody has changed the log itself.
//!
//! Each record is followed by the SHA-256 of the hash before it and its own bytes, so that no record can be changed,
//! taken out or put in without [`verify`] noticing; the chain goes on from file to file. What it cannot show by itself is
//! that records were cut off at the end: keep the [head](Verified::head) of some day elsewhere, and have it looked for
//! ([`verify_with`]).
//!
//! A [`Log`] is the folder's one writer. It is safe against a crash at any moment: what was written in part is cut off at
//! the next start, and that is recorded. A [`Recorder`] writes on a thread of its own behind a bounded queue, so that
//! whoever has something to record never waits.
//!
//! ```
//! use sedge_audit::{Event, Kind, Log, Settings, verify};
//!
//! let folder = tempfile::tempdir()?;
//! let mut log = Log::open(folder.path(), Settings::default(), 0)?;
//! log.append(0, &Event::new(Kind::Enrolment).by("admin").about("boiler-7").with("auth", "psk"))?;
//! log.sync()?;
//! assert_eq!(verify(folder.path())?.records, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file is a header and records. The header is `SEDGEAU1`, the number of the first record (8 bytes), the hash before it
//! (32 bytes) and the SHA-256 of these (32 bytes). A record is its length (4 bytes), its CBOR (see [`Record`]) and its hash
//! (32 bytes). Numbers are in network byte order.

mod chain;
mod copy;
mod event;
mod folder;
mod log;
mod reader;
mod recorder;
mod verify;

pub use copy::{Copy, Part, parts, read_part};
pub use event::{Event, Kind, Record};
pub use log::{Log, Settings};
pub use reader::{Reader, records, tail};
pub use recorder::Recorder;
pub use verify::{Broken, Verified, VerifyError, verify, verify_with};

/// A SHA-256.
pub type Hash = [u8; 32];
