//! Load generators on others' libraries: clients that owe nothing to the server they load, whoever's it is.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddrV4;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Settings;
use crate::peers::{c_program, wolfssl};
use crate::pki::Pki;
use crate::scenario::Scenario;

/// A load generator's process, with the clients that live in it.
pub(crate) struct Generator {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// UDP payload bytes of handshakes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Generator {
    /// Clients of a server: on OpenSSL for DTLS 1.2, on wolfSSL for 1.3.
    pub(crate) fn start(
        settings: &Settings,
        server: SocketAddrV4,
        scenario: Scenario,
        pki: &Pki,
    ) -> Result<Self, String> {
        let program = if scenario.dtls_1_3 {
            wolfssl::program("wolfssl_load", include_str!("../peers/wolfssl_load.c"))?.build(settings)?
        } else {
            c_program::CProgram {
                name: "openssl_load",
                source: include_str!("../peers/openssl_load.c"),
                flags: Vec::new(),
                libraries: ["-lssl", "-lcrypto"].map(str::to_owned).into(),
            }
            .build(settings)?
        };
        let mut child = Command::new(program)
            .args([server.ip().to_string(), server.port().to_string()])
            .args([scenario.auth(), scenario.version()])
            .args(["client.pem", "client.key", "ca.pem"].map(|name| pki.file(name)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start the load generator: {error}"))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok(Self { child, stdin, stdout: BufReader::new(stdout) }),
            _ => Err("the load generator has no pipes".into()),
        }
    }

    /// Connects so many more clients by full handshakes.
    pub(crate) fn full(&mut self, count: u32) -> Result<Bytes, String> {
        self.command(&format!("full {count}"))
    }

    /// Connects so many more clients that resume the sessions of the last full handshakes, each of which must be
    /// resumed.
    pub(crate) fn again(&mut self, count: u32) -> Result<Bytes, String> {
        self.command(&format!("again {count}"))
    }

    /// Says goodbye for all clients.
    pub(crate) fn close(&mut self) -> Result<(), String> {
        self.command("close").map(drop)
    }

    fn command(&mut self, command: &str) -> Result<Bytes, String> {
        let mut line = String::new();
        writeln!(self.stdin, "{command}")
            .and_then(|()| self.stdout.read_line(&mut line))
            .map_err(|error| format!("the load generator has ended: {error}"))?;
        let mut words = line.split_whitespace();
        match (words.next(), words.next().map(str::parse), words.next().map(str::parse)) {
            (Some("done"), Some(Ok(sent)), Some(Ok(received))) => Ok(Bytes { sent, received }),
            _ => Err(format!("{command}: {}", line.trim())),
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // Both may fail only because it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
