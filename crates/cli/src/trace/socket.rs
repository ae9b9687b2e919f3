//! A socket that shows the tape what it sends and receives.

use std::io;

use sedge_client::Datagram;
use sedge_client::tokio::Socket;

use super::Tape;

/// A socket, with a look at every datagram.
#[derive(Debug)]
pub(crate) struct TapSocket {
    pub(crate) socket: Socket,
    pub(crate) tape: Tape,
}

impl Datagram for TapSocket {
    type Error = io::Error;

    async fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.tape.sent(datagram);
        self.socket.send(datagram).await
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.socket.receive(buffer).await?;
        self.tape.received(buffer.get(..len).unwrap_or_default());
        Ok(len)
    }
}
