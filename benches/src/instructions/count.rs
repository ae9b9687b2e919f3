//! Running the images.

use std::path::Path;

use super::sessions;
use crate::footprint::board::{Board, Figures, Frame};
use crate::footprint::server::Server;

/// What is counted, by name, and how many instructions it takes.
pub(super) type Counts = Vec<(String, u64)>;

pub(super) const PARSE: &str = "parse a PUT of 53 B with four options";

/// Whole clients: image, and what the table calls it.
const CLIENTS: [(&str, &str); 5] = [
    ("client_psk_1_2", "PSK, DTLS 1.2"),
    ("client_psk_1_2_protected", "PSK, DTLS 1.2, value in COSE_Encrypt0"),
    ("client_psk_1_3", "PSK, DTLS 1.3"),
    ("client_rpk_1_2", "raw public key, DTLS 1.2"),
    ("client_rpk_1_3", "raw public key, DTLS 1.3"),
];

/// One publication of a reading, until its acknowledgement is taken.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) what: &'static str,
    pub(super) instructions: u64,
    /// Bytes of UDP payload: the request, and its acknowledgement.
    pub(super) bytes: [usize; 2],
}

/// Parsing, sealing and opening 64 bytes, and the operations of the provider, which come last.
pub(super) fn operations(images: &Path, pki: &Path) -> Result<[Counts; 2], String> {
    let mut board = Board::start(&images.join("instructions"))?;
    let mut operations = report(&mut board)?;
    let parse = operations.remove("parse").ok_or("the image does not say what parsing takes")?;
    let mut counts = vec![(PARSE.to_owned(), parse)];
    for (what, versions, suite) in sessions::KINDS {
        let [client, server] = sessions::pair(versions, suite, pki)?;
        board.send(&client)?;
        board.send(&server)?;
        let figures = report(&mut board)?;
        counts.push((format!("seal 64 B, {what}"), figure(&figures, "seal")?));
        counts.push((format!("open 64 B, {what}"), figure(&figures, "open")?));
    }
    Ok([counts, operations.into_iter().collect()])
}

fn report(board: &mut Board) -> Result<Figures, String> {
    match board.receive()? {
        Frame::Report(figures) => Ok(figures),
        Frame::Datagram(datagram) => Err(format!("the image said {datagram:02x?}")),
    }
}

fn figure(figures: &Figures, name: &str) -> Result<u64, String> {
    figures.get(name).copied().ok_or_else(|| format!("the image does not say its {name}"))
}

/// Handshakes, publications and notifications of whole clients.
pub(super) fn clients(images: &Path, pki: &Path) -> Result<(Counts, Vec<Publication>), String> {
    let (mut counts, mut publications) = (Counts::new(), Vec::new());
    for (image, what) in CLIENTS {
        let mut board = Board::start(&images.join(image))?;
        let mut server = Server::new(pki)?;
        let first = serve(&mut board, &mut server, &mut Vec::new())?;
        let mut datagrams = Vec::new();
        let then = serve(&mut board, &mut server, &mut datagrams)?;
        let publish = figure(&then, "publish")?;
        // A value in COSE changes nothing else: its line has what is different.
        if image.ends_with("protected") {
            counts.push((format!("protecting a reading, {what}"), figure(&then, "protect")?));
        } else {
            counts.push((format!("handshake, {what}"), figure(&first, "instructions")?));
        }
        counts.push((format!("publication, {what}"), publish));
        if !image.ends_with("protected") {
            counts.push((format!("notification, {what}"), figure(&then, "notification")?));
        }
        let [request, answer, ..] = datagrams[..] else {
            return Err(format!("{image} did not publish: {datagrams:?}"));
        };
        publications.push(Publication { what, instructions: publish, bytes: [request, answer] });
    }
    Ok((counts, publications))
}

/// Carries datagrams until the image reports, and notes how long they are.
fn serve(board: &mut Board, server: &mut Server, lengths: &mut Vec<usize>) -> Result<Figures, String> {
    loop {
        let datagram = match board.receive()? {
            Frame::Report(figures) => return Ok(figures),
            Frame::Datagram(datagram) => datagram,
        };
        lengths.push(datagram.len());
        for answer in server.receive(&datagram)? {
            lengths.push(answer.len());
            board.send(&answer)?;
        }
    }
}
