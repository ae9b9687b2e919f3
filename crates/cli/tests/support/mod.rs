//! Running the command as a user does: in an empty folder, looking at what it prints and how it ends.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// An empty folder to run commands in.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sedge"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(&self.command(args).output().unwrap())
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let outcome = self.run(args);
        assert_eq!(outcome.status, Some(0), "{args:?}: {outcome:?}");
        outcome.stdout
    }

    /// Runs a command that must fail with this status and one line that says `hint`.
    pub(crate) fn fails(&self, status: i32, args: &[&str], hint: &str) {
        let outcome = self.run(args);
        assert_eq!(outcome.status, Some(status), "{args:?}: {outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{args:?}: {outcome:?}");
        assert!(outcome.stderr.starts_with("sedge: "), "{args:?}: {outcome:?}");
        assert!(outcome.stderr.contains(hint), "{args:?} should say `{hint}`: {outcome:?}");
    }

    /// Starts a command that goes on by itself.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running { child: Some(child) }
    }

    /// Starts a broker on the folder `broker` and any free port; gives its URI.
    pub(crate) fn broker(&self) -> (Running, String) {
        let mut broker = self.start(&["broker", "--data", "broker", "--listen", "[::1]:0"]);
        let line = broker.line();
        let uri = line.strip_prefix("serving ").unwrap_or_else(|| panic!("{line}")).to_owned();
        (broker, uri)
    }
}

impl Outcome {
    fn of(output: &Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A command that has not ended yet; it is killed when the test ends before it.
pub(crate) struct Running {
    child: Option<Child>,
}

impl Running {
    /// The next line that it prints; if none comes within a minute it is ended, and the line is empty.
    pub(crate) fn line(&mut self) -> String {
        let child = self.child.as_mut().unwrap();
        let id = child.id().to_string();
        let (read, waiting) = mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            if waiting.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
                assert!(Command::new("kill").arg(id).status().unwrap().success());
            }
        });
        // Byte by byte, so that nothing of the lines after it is lost.
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        drop(read);
        watch.join().unwrap();
        line.trim_end().to_owned()
    }

    /// Sends it a signal and waits for its end.
    pub(crate) fn signal(self, name: &str) -> Outcome {
        self.tell(name);
        self.end()
    }

    /// Sends it a signal.
    pub(crate) fn tell(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Outcome {
        let start = Instant::now();
        let mut child = self.child.take().unwrap();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(30) {
                child.kill().unwrap();
                panic!("it does not end: {:?}", Outcome::of(&child.wait_with_output().unwrap()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Outcome::of(&child.wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Runs a command to its end with these environment variables.
pub(crate) fn run_in(desk: &Desk, environment: &[(&str, &str)], args: &[&str]) -> Outcome {
    Outcome::of(&desk.command(args).envs(environment.iter().copied()).output().unwrap())
}

/// Starts a command with these environment variables.
pub(crate) fn start_in(desk: &Desk, environment: &[(&str, &str)], args: &[&str]) -> Running {
    let mut command = desk.command(args);
    command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running { child: Some(command.spawn().unwrap()) }
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
