//! One run of an emulated device.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sedge_tests::process::Running;

use crate::board::Board;
use crate::capture::Capture;
use crate::site::Key;

/// What the device is told.
pub(crate) struct Orders<'a> {
    /// The port of this machine where it finds its broker.
    pub(crate) port: u16,
    /// Who it is.
    pub(crate) key: &'a Key,
    /// Its settings and steps, as `examples/firmware-mps2/src/bin/trial.rs` lists them.
    pub(crate) steps: &'a str,
    /// Ports of this machine that lead to ports of the device.
    pub(crate) forwarded: &'a [(u16, u16)],
}

/// A running device. QEMU ends when it is dropped.
pub(crate) struct Guest {
    qemu: Running,
    folder: tempfile::TempDir,
    port: u16,
    key: Key,
}

impl Guest {
    pub(crate) fn start(board: Board, image: PathBuf, orders: &Orders<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut network = "user,id=net,model=lan9118,ipv6=off".to_owned();
        for (host, guest) in orders.forwarded {
            network += &format!(",hostfwd=udp:127.0.0.1:{host}-:{guest}");
        }
        let mut told = format!("enable=on,target=native,arg=10.0.2.2:{}", orders.port);
        for word in
            [orders.key.name.as_str(), &orders.key.hex()].into_iter().chain(orders.steps.split_whitespace())
        {
            told += &format!(",arg={word}");
        }
        let dump = format!("filter-dump,id=dump,netdev=net,file={}", folder.path().join("pcap").display());
        let mut command = Command::new("qemu-system-arm");
        command.args(["-machine", board.machine(), "-nographic", "-monitor", "none", "-serial", "none"]);
        command
            .args(["-nic", &network, "-object", &dump, "-semihosting-config", &told, "-kernel"])
            .arg(image);
        Self { qemu: Running::start(&mut command), folder, port: orders.port, key: orders.key.clone() }
    }

    /// Waits for a text among what it says and returns the rest of that line.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        self.qemu.expect(text, crate::SOON)
    }

    /// As [`expect`](Self::expect), for what takes longer.
    pub(crate) fn expect_within(&mut self, text: &str, within: Duration) -> String {
        self.qemu.expect(text, within)
    }

    /// Everything that it has said.
    pub(crate) fn said(&self) -> String {
        self.qemu.printed()
    }

    /// Waits until it has done all its steps, and looks through its capture.
    pub(crate) fn finish(self, within: Duration) -> Capture {
        let done = self.end(within);
        assert!(done.said.contains("all steps done"), "{}", done.said);
        done.capture
    }

    /// Waits until it ends, whatever the reason, and looks through its capture.
    pub(crate) fn end(mut self, within: Duration) -> Ended {
        let _status = self.qemu.finish(within);
        let said = self.qemu.printed();
        let capture = Capture::read(&self.folder.path().join("pcap"), self.port, &self.key);
        capture.check();
        Ended { said, capture }
    }
}

/// A device that has ended.
pub(crate) struct Ended {
    pub(crate) said: String,
    pub(crate) capture: Capture,
}
