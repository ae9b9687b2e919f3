//! Network namespaces: several hosts on one machine, gone when the test ends.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{need, peers};

/// One host of a test's own.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    ip: PathBuf,
}

impl Namespace {
    /// Makes a host with a loopback interface.
    ///
    /// # Errors
    /// One line that says what this machine lacks for it.
    pub fn new(role: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        need::root()?;
        let ip = peers::program("ip")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Self { name: format!("sedge-{}-{number}-{role}", std::process::id()), ip };
        run(Command::new(&namespace.ip).args(["netns", "add", &namespace.name]))?;
        namespace.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Lays a cable from this host to another; each end is named for the host at its other end and gets an
    /// address such as `10.0.0.1/24`.
    ///
    /// # Errors
    /// What the program that did it said.
    pub fn connect(&self, own: (&str, &str), other: &Self, others: (&str, &str)) -> Result<(), String> {
        let mut link = Command::new(&self.ip);
        link.args(["link", "add", own.0, "netns", &self.name, "type", "veth"]);
        link.args(["peer", "name", others.0, "netns", &other.name]);
        run(&mut link)?;
        for (host, (device, address)) in [(self, own), (other, others)] {
            host.run(&["ip", "address", "add", address, "dev", device])?;
            host.run(&["ip", "link", "set", device, "up"])?;
        }
        Ok(())
    }

    /// A command that runs on this host.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a command on this host to its end.
    ///
    /// # Errors
    /// What it said, if it failed.
    pub fn run(&self, words: &[&str]) -> Result<String, String> {
        let (program, arguments) = words.split_first().ok_or("no command")?;
        run(self.command(peers::program(program)?).args(arguments))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Processes that the test forgot would keep the host alive: end exactly those, by their ids.
        if let Ok(ids) = run(Command::new(&self.ip).args(["netns", "pids", &self.name])) {
            for id in ids.split_whitespace() {
                let _ = Command::new("kill").args(["-KILL", id]).status();
            }
        }
        if let Err(why) = run(Command::new(&self.ip).args(["netns", "delete", &self.name])) {
            eprintln!("{}: {why}", self.name);
        }
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {}", said.trim()))
    }
}
