//! A Cortex-M4 in QEMU, whose serial port carries datagrams to and from a server here.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use std::{sync::mpsc, thread};

use super::server::Server;

/// What an image says about itself.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) handshake: u64,
    pub(super) session: u64,
    pub(super) stack: u64,
    pub(super) instructions: u64,
    /// UDP payload bytes of the handshake, both ways.
    pub(super) bytes: u64,
}

/// How long an image may take: a handshake is some 50 million instructions.
const PATIENCE: Duration = Duration::from_secs(180);
/// In a frame's length: it is a report.
const REPORT: u16 = 0x8000;

/// A running image.
pub(crate) struct Board {
    qemu: Child,
    to_board: ChildStdin,
    /// What it sends: the head, which is the length and whether it is a report, and the frame.
    received: mpsc::Receiver<(u16, Vec<u8>)>,
    end: Instant,
}

/// What comes from an image.
pub(crate) enum Frame {
    Datagram(Vec<u8>),
    Report(Figures),
}

/// Names and numbers.
pub(crate) type Figures = BTreeMap<String, u64>;

impl Board {
    pub(crate) fn start(image: &Path) -> Result<Self, String> {
        let mut qemu = Command::new("qemu-system-arm")
            .args([
                "-machine",
                "mps2-an386",
                "-icount",
                "shift=0,sleep=off",
                "-nographic",
                "-monitor",
                "none",
            ])
            .args(["-serial", "stdio", "-nic", "user,model=lan9118", "-kernel"])
            .arg(image)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("cannot start qemu-system-arm ({error}); benches/setup installs it"))?;
        let (Some(to_board), Some(mut from_board)) = (qemu.stdin.take(), qemu.stdout.take()) else {
            return Err("QEMU has no pipes".into());
        };
        let (frames, received) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(frame) = read_frame(&mut from_board) {
                if frames.send(frame).is_err() {
                    return;
                }
            }
        });
        Ok(Self { qemu, to_board, received, end: Instant::now() + PATIENCE })
    }

    pub(crate) fn receive(&mut self) -> Result<Frame, String> {
        let left = self.end.saturating_duration_since(Instant::now());
        let (head, frame) =
            self.received.recv_timeout(left).map_err(|error| format!("the image is silent: {error}"))?;
        if head & REPORT != 0 { parse(&frame).map(Frame::Report) } else { Ok(Frame::Datagram(frame)) }
    }

    pub(crate) fn send(&mut self, datagram: &[u8]) -> Result<(), String> {
        let head = (datagram.len() as u16).to_be_bytes();
        self.to_board
            .write_all(&[&head[..], datagram].concat())
            .and_then(|()| self.to_board.flush())
            .map_err(|error| format!("QEMU has ended: {error}"))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // Both may fail only because it has ended already.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

pub(super) fn run(image: &Path, server: &mut Server) -> Result<Report, String> {
    let mut board = Board::start(image)?;
    let mut bytes = 0;
    loop {
        let frame = match board.receive()? {
            Frame::Report(figures) => return Report::new(&figures, bytes),
            Frame::Datagram(frame) => frame,
        };
        let in_handshake = !server.is_connected();
        let answers = server.receive(&frame)?;
        if in_handshake {
            bytes += (frame.len() + answers.iter().map(Vec::len).sum::<usize>()) as u64;
        }
        for answer in answers {
            board.send(&answer)?;
        }
    }
}

impl Report {
    fn new(figures: &Figures, bytes: u64) -> Result<Self, String> {
        let figure = |name: &str| {
            figures.get(name).copied().ok_or_else(|| format!("the image does not say its {name}"))
        };
        Ok(Self {
            handshake: figure("handshake")?,
            session: figure("session")?,
            stack: figure("stack")?,
            instructions: figure("instructions")?,
            bytes,
        })
    }
}

fn read_frame(from: &mut impl Read) -> std::io::Result<(u16, Vec<u8>)> {
    let mut head = [0; 2];
    from.read_exact(&mut head)?;
    let head = u16::from_be_bytes(head);
    let mut frame = vec![0; usize::from(head & !REPORT)];
    from.read_exact(&mut frame)?;
    Ok((head, frame))
}

fn parse(report: &[u8]) -> Result<Figures, String> {
    let text = String::from_utf8_lossy(report);
    let figures = text.strip_prefix('+').ok_or("the image failed at what it was to do")?;
    let figure = |line: &str| {
        let (name, figure) = line.split_once('=')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    let figures = figures.lines().map(|line| figure(line).ok_or_else(|| format!("no figure: {line}")));
    figures.collect()
}
