//! What the bare kernel does: the yardstick.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};

use nix::sys::socket::MsgFlags;

use crate::bare::order;
use crate::net::{DATAGRAM, Receiver, Sender};

pub(super) fn echo(socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; DATAGRAM];
    loop {
        let (len, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..len], from)?;
    }
}

pub(super) fn echo_batched(socket: &UdpSocket) -> io::Result<()> {
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    loop {
        receiver.receive(socket, MsgFlags::MSG_WAITFORONE)?;
        for (from, datagram) in receiver.datagrams() {
            sender.push(socket, from, |buffer| {
                buffer[..datagram.len()].copy_from_slice(datagram);
                datagram.len()
            })?;
        }
        sender.flush(socket)?;
    }
}

/// Answers datagrams of [`crate::bare`].
pub(super) fn bare(socket: &UdpSocket) -> io::Result<()> {
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    loop {
        receiver.receive(socket, MsgFlags::MSG_WAITFORONE)?;
        for (from, datagram) in receiver.datagrams() {
            let (count, len) = order(datagram);
            for _ in 0..count {
                sender.push(socket, from, |buffer| len.min(buffer.len()))?;
            }
        }
        sender.flush(socket)?;
    }
}

/// Asks a [`fan_out`] server for `count` datagrams of `len` bytes to `port` of the first `count` addresses of
/// [`crate::fleet`].
pub(crate) fn fan_out_order(count: u32, len: u16, port: u16) -> [u8; 8] {
    let mut order = [0; 8];
    order[..4].copy_from_slice(&count.to_be_bytes());
    order[4..6].copy_from_slice(&len.to_be_bytes());
    order[6..].copy_from_slice(&port.to_be_bytes());
    order
}

pub(super) fn fan_out(socket: &UdpSocket) -> io::Result<()> {
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    loop {
        receiver.receive(socket, MsgFlags::MSG_WAITFORONE)?;
        // Whatever is no order is an answer to what was sent.
        for (_, order) in receiver.datagrams() {
            let Ok([count @ .., len_high, len_low, port_high, port_low]) = <[u8; 8]>::try_from(&*order)
            else {
                continue;
            };
            let len = usize::from(u16::from_be_bytes([len_high, len_low])).min(DATAGRAM);
            let port = u16::from_be_bytes([port_high, port_low]);
            for client in 0..u32::from_be_bytes(count) {
                let to = SocketAddrV4::new(crate::fleet::address(client), port);
                sender.push(socket, to, |buffer| {
                    // As a notification does, each datagram differs from the one before.
                    buffer[..4].copy_from_slice(&client.to_be_bytes());
                    len
                })?;
            }
            sender.flush(socket)?;
        }
    }
}
