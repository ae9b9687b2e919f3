//! The passphrase of a CA's key: from a file or from a person, never from the command line.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use sedge_x509::authority::Authority;
use zeroize::Zeroizing;

use super::explain::explain;
use crate::failure::Failure;

type Passphrase = Zeroizing<Vec<u8>>;

/// How a new key is to be protected.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// Encrypt the CA's key with the first line of a file
    #[arg(long, value_name = "FILE", group = "choice")]
    passphrase_file: Option<PathBuf>,
    /// Ask for a passphrase to encrypt the CA's key with; this is what happens in a terminal anyway
    #[arg(long, group = "choice")]
    ask_passphrase: bool,
    /// Do not encrypt the CA's key
    #[arg(long, group = "choice")]
    no_passphrase: bool,
}

impl Choice {
    pub(super) fn take(&self) -> Result<Option<Passphrase>, Failure> {
        if self.no_passphrase {
            return Ok(None);
        }
        if let Some(path) = &self.passphrase_file {
            return read_file(path).map(Some);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "nobody is here to ask for a passphrase: name a file with --passphrase-file, or say --no-passphrase",
            ));
        }
        let passphrase = ask("Passphrase for the CA's key (nothing for none): ")?;
        if passphrase.is_empty() && !self.ask_passphrase {
            return Ok(None);
        }
        if passphrase.is_empty() {
            return Err(Failure::new("the passphrase is empty: --no-passphrase does without"));
        }
        if ask("The same once more: ")? != passphrase {
            return Err(Failure::new("the two are not the same: nothing was written"));
        }
        Ok(Some(passphrase))
    }
}

/// How a key is to be opened.
#[derive(Debug, clap::Args)]
pub(crate) struct Unlock {
    /// The passphrase is the first line of a file [default: ask for it]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Unlock {
    /// The passphrase of this CA's key, if it has one.
    pub(crate) fn take(&self, dir: &Path) -> Result<Option<Passphrase>, Failure> {
        if !Authority::needs_passphrase(dir).map_err(explain)? {
            return Ok(None);
        }
        match &self.passphrase_file {
            Some(path) => read_file(path).map(Some),
            None if io::stdin().is_terminal() => ask("Passphrase of the CA's key: ").map(Some),
            None => Err(Failure::usage(
                "the CA's key is encrypted: name the file with its passphrase with --passphrase-file",
            )),
        }
    }
}

/// The longest passphrase: its buffer never moves, so that no copy is left behind.
const MAX_LEN: usize = 1024;

fn read_file(path: &Path) -> Result<Passphrase, Failure> {
    let in_file = |what: &dyn std::fmt::Display| Failure::new(format!("{}: {what}", path.display()));
    let mut file = File::open(path).map_err(|error| in_file(&error))?;
    let metadata = file.metadata().map_err(|error| in_file(&error))?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        let path = path.display();
        return Err(Failure::new(format!("{path} can be read by others: run `chmod 600 {path}`")));
    }
    let passphrase = line(&mut file).map_err(|error| in_file(&error))?;
    if passphrase.is_empty() { Err(in_file(&"its first line is empty")) } else { Ok(passphrase) }
}

/// Asks without showing what is typed.
fn ask(prompt: &str) -> Result<Passphrase, Failure> {
    let stdin = io::stdin();
    let mut typed = stdin.as_fd().try_clone_to_owned().map(File::from)?;
    eprint!("{prompt}");
    let silence = Silence::new(stdin.as_fd())?;
    let passphrase = line(&mut typed);
    drop(silence);
    eprintln!();
    let passphrase = passphrase?;
    if passphrase.contains(&INTERRUPT) { Err(Failure::interrupted()) } else { Ok(passphrase) }
}

/// What Ctrl-C types.
const INTERRUPT: u8 = 3;

/// The terminal does not show what is typed, until this is dropped.
struct Silence<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn new(terminal: BorrowedFd<'a>) -> nix::Result<Self> {
        let before = termios::tcgetattr(terminal)?;
        let mut silent = before.clone();
        // Ctrl-C must not end the process while nothing is shown: it ends the line instead.
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        silent.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT;
        termios::tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _restored = termios::tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

/// As far as the end of the line, without it.
fn line(from: &mut File) -> io::Result<Passphrase> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    let mut byte = Zeroizing::new([0]);
    while line.len() < MAX_LEN {
        match from.read(byte.as_mut())? {
            0 => return Ok(line),
            _ => match byte[0] {
                b'\n' | b'\r' => return Ok(line),
                byte => line.push(byte),
            },
        }
        if line.last() == Some(&INTERRUPT) {
            return Ok(line);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("a passphrase has fewer than {MAX_LEN} bytes")))
}
