//! A Cortex-M4 in QEMU, whose serial port carries datagrams to and from a server here.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
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

pub(super) fn run(image: &Path, server: &mut Server) -> Result<Report, String> {
    let mut child = Command::new("qemu-system-arm")
        .args(["-machine", "mps2-an386", "-icount", "shift=0,sleep=off", "-nographic", "-monitor", "none"])
        .args(["-serial", "stdio", "-nic", "user,model=lan9118", "-kernel"])
        .arg(image)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| format!("cannot start qemu-system-arm ({error}); benches/setup installs it"))?;
    let (mut to_board, from_board) = (child.stdin.take(), child.stdout.take());
    let outcome = match (&mut to_board, from_board) {
        (Some(to_board), Some(from_board)) => talk(to_board, from_board, server),
        _ => Err("QEMU has no pipes".into()),
    };
    // Both may fail only because it has ended already.
    let _ = child.kill();
    let _ = child.wait();
    outcome
}

fn talk(
    to_board: &mut impl Write,
    mut from_board: impl Read + Send + 'static,
    server: &mut Server,
) -> Result<Report, String> {
    let (frames, received) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(frame) = read_frame(&mut from_board) {
            if frames.send(frame).is_err() {
                return;
            }
        }
    });
    let end = Instant::now() + PATIENCE;
    let mut bytes = 0;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let (head, frame) =
            received.recv_timeout(left).map_err(|error| format!("the image is silent: {error}"))?;
        if head & REPORT != 0 {
            return parse(&frame, bytes);
        }
        let in_handshake = !server.is_connected();
        let answers = server.receive(&frame)?;
        if in_handshake {
            bytes += (frame.len() + answers.iter().map(Vec::len).sum::<usize>()) as u64;
        }
        for answer in answers {
            let head = (answer.len() as u16).to_be_bytes();
            to_board
                .write_all(&[&head[..], &answer].concat())
                .and_then(|()| to_board.flush())
                .map_err(|error| format!("QEMU has ended: {error}"))?;
        }
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

fn parse(report: &[u8], bytes: u64) -> Result<Report, String> {
    let text = String::from_utf8_lossy(report);
    let figures = text.strip_prefix('+').ok_or("the image's handshake failed")?;
    let mut report = Report { bytes, ..Report::default() };
    for (name, figure) in figures.lines().filter_map(|line| line.split_once('=')) {
        let figure = figure.parse().map_err(|_| format!("{name} is no number: {figure}"))?;
        match name {
            "handshake" => report.handshake = figure,
            "session" => report.session = figure,
            "stack" => report.stack = figure,
            "instructions" => report.instructions = figure,
            _ => return Err(format!("unknown figure {name}")),
        }
    }
    Ok(report)
}
