//! A server in a process of its own, whose CPU time and memory can be read from outside.

use std::io::{BufRead, BufReader};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use tempfile::TempDir;

use crate::cpu::CpuClock;
use crate::meter::{Counts, Meter};
use crate::pki::Pki;
use crate::scenario::{Auth, Scenario};

/// How all servers are run; what is not said at the start is never said.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// A command in front of them.
    pub(crate) under: Vec<String>,
    /// The program that has ours, if not this one.
    pub(crate) program: Option<PathBuf>,
    /// What is preloaded to meter them.
    pub(crate) meter: Option<PathBuf>,
}

static SURROUNDINGS: OnceLock<Surroundings> = OnceLock::new();

impl Surroundings {
    /// Has all servers run like this from now on.
    pub(crate) fn use_for_all(self) {
        // Said once, before there are servers.
        let _ = SURROUNDINGS.set(self);
    }
}

/// A server that ends when its standard input does, or when this is dropped.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) address: SocketAddrV4,
    clock: CpuClock,
    meter: Option<Meter>,
    /// Where it keeps its data, if it does; gone when it is.
    dir: Option<TempDir>,
}

impl ServerProcess {
    /// Starts this program again as one of its servers, and waits until it says where it listens.
    pub(crate) fn ours(server: &[&str]) -> Result<Self, String> {
        let other = SURROUNDINGS.get().and_then(|around| around.program.clone());
        let program = other.map_or_else(env::current_exe, Ok);
        let program = program.map_err(|error| format!("cannot find this program: {error}"))?;
        Self::announced(Command::new(program).arg("serve").args(server))
    }

    /// Starts an endpoint that holds all credentials, for handshakes of one scenario.
    pub(crate) fn endpoint(pki: &Pki, scenario: Scenario) -> Result<Self, String> {
        let folder = pki.folder().to_str().ok_or("the folder's name is not UTF-8")?;
        let clients = if scenario.auth == Auth::Mutual { "required" } else { "anonymous" };
        Self::ours(&["endpoint", "--pki", folder, "--clients", clients])
    }

    /// Starts a broker whose notifications are not confirmable.
    pub(crate) fn broker() -> Result<Self, String> {
        Self::broker_with(&[])
    }

    /// Starts a broker whose notifications are confirmable, as they are if nothing else is said.
    pub(crate) fn confirming_broker() -> Result<Self, String> {
        Self::broker_with(&["--confirmable"])
    }

    fn broker_with(options: &[&str]) -> Result<Self, String> {
        let dir = TempDir::new().map_err(|error| format!("no room for a store: {error}"))?;
        let path = dir.path().to_str().ok_or("the temporary folder's name is not UTF-8")?;
        let mut server = Self::ours(&[&["broker", path], options].concat())?;
        server.dir = Some(dir);
        Ok(server)
    }

    /// Starts a server that prints `ready ADDRESS` once it listens.
    pub(crate) fn announced(command: &mut Command) -> Result<Self, String> {
        let name = format!("{:?}", command.get_program());
        let around = SURROUNDINGS.get();
        let mut under;
        let command = match around.and_then(|around| around.under.split_first()) {
            Some((first, words)) => {
                under = Command::new(first);
                under.args(words).arg(command.get_program()).args(command.get_args())
            }
            None => command,
        };
        let library = around.and_then(|around| around.meter.as_ref());
        let meter = library.map(|library| Meter::attach(library, command)).transpose();
        let meter = meter.map_err(|error| format!("no meter for {name}: {error}"))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let mut line = String::new();
        let announced = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let address = line.trim().strip_prefix("ready ").and_then(|address| address.parse().ok());
        let Some(address) = address else {
            end(&mut child);
            return Err(format!("{name} did not say where it listens ({announced:?}: {line:?})"));
        };
        let mut server = Self::new(child, address)?;
        server.meter = meter;
        Ok(server)
    }

    /// Starts a server that somebody else wrote and that will listen at `address`, as `ready` finds out.
    pub(crate) fn foreign(
        command: &mut Command,
        address: SocketAddrV4,
        mut ready: impl FnMut() -> bool,
    ) -> Result<Self, String> {
        let name = format!("{:?}", command.get_program());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let start = Instant::now();
        while !ready() {
            if start.elapsed() > Duration::from_secs(10) || !matches!(child.try_wait(), Ok(None)) {
                end(&mut child);
                return Err(format!("{name} does not answer at {address}"));
            }
        }
        Self::new(child, address)
    }

    fn new(mut child: Child, address: SocketAddrV4) -> Result<Self, String> {
        match CpuClock::of_process(child.id()) {
            Ok(clock) => Ok(Self { child, address, clock, meter: None, dir: None }),
            Err(error) => {
                end(&mut child);
                Err(format!("cannot read the server's CPU time: {error}"))
            }
        }
    }

    /// CPU seconds (user and system, all threads) that the server takes from before `work` until it is done
    /// with what `work` left it.
    pub(crate) fn cpu_seconds<R>(&self, work: impl FnOnce() -> R) -> Result<(f64, R), String> {
        let dead = |error: io::Error| format!("the server has ended: {error}");
        let start = self.clock.read().map_err(dead)?;
        let result = work();
        let mut end = self.clock.read().map_err(dead)?;
        // What it does after the last answer (timers, freeing) is part of the price.
        loop {
            thread::sleep(Duration::from_millis(20));
            let now = self.clock.read().map_err(dead)?;
            if !self.is_busy() && now - end < Duration::from_micros(500) {
                return Ok(((now - start).as_secs_f64(), result));
            }
            end = now;
        }
    }

    /// Begins to count system calls, if there is a meter.
    pub(crate) fn start_meter(&self) -> Result<(), String> {
        self.meter
            .as_ref()
            .map_or(Ok(()), |meter| meter.start().map_err(|error| format!("the meter: {error}")))
    }

    /// Counts no more; what was counted.
    pub(crate) fn stop_meter(&self) -> Result<Option<Counts>, String> {
        let counts = self.meter.as_ref().map(Meter::stop).transpose();
        counts.map_err(|error| format!("the meter: {error}"))
    }

    /// Whether a thread of the server runs, or would if it were given a core: silence alone does not tell, on a
    /// machine that has other things to do.
    pub(crate) fn is_busy(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        threads.into_iter().flatten().flatten().any(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The state stands behind the name, which may contain anything.
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('S'))
        })
    }

    /// Bytes of physical memory that the process holds.
    pub(crate) fn resident(&self) -> Result<u64, String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .map_err(|error| format!("the server has ended: {error}"))?;
        (status.lines().find_map(|line| line.strip_prefix("VmRSS:")))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            .map(|kilobytes| kilobytes * 1024)
            .ok_or_else(|| "no VmRSS in /proc".into())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // What it runs under may have something to write.
        if SURROUNDINGS.get().is_some_and(|around| !around.under.is_empty()) {
            drop(self.child.stdin.take());
            let _ = self.child.wait();
        }
        end(&mut self.child);
        drop(self.dir.take());
    }
}

fn end(child: &mut Child) {
    // Both may fail only because it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// In a server: ends the process when whoever started it is gone.
pub(crate) fn end_with_parent() {
    let _ = thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}
