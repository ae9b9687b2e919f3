//! The servers, each run in a process of its own: `sedge-bench serve NAME`.

mod broker;
mod endpoint;
mod raw;

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::{io, net::SocketAddr};

use clap::Subcommand;

pub(crate) use broker::IDENTITY;
pub(crate) use raw::fan_out_order;

use crate::net::enlarge_buffers;
use crate::pki::Pki;
use crate::process::end_with_parent;

/// What to serve.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Server {
    /// Sends every datagram back: recv_from, send_to.
    RawEcho,
    /// Sends every datagram back: recvmmsg, sendmmsg.
    RawEchoBatched,
    /// Sends as many datagrams as it is asked to, each to another address, by sendmmsg.
    RawFanOut,
    /// Answers as it is asked to, without DTLS: recvmmsg, sendmmsg.
    Bare,
    /// An endpoint over DTLS that answers every request with its payload, and tells observers of it.
    Endpoint {
        /// The folder with its certificate and the CA it believes.
        #[arg(long)]
        pki: Option<PathBuf>,
        /// What it wants of clients without a pre-shared key.
        #[arg(long, default_value = "required")]
        clients: endpoint::Clients,
    },
    /// The broker, on one core, with its store in a folder.
    Broker {
        /// The folder.
        dir: PathBuf,
        /// Asks for an acknowledgement of every notification, as is the default of the broker.
        #[arg(long)]
        confirmable: bool,
    },
}

impl Server {
    pub(crate) fn run(&self) -> io::Result<()> {
        end_with_parent();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        enlarge_buffers(&socket)?;
        match self {
            Self::RawEcho => announce(&socket).and_then(|()| raw::echo(&socket)),
            Self::RawEchoBatched => announce(&socket).and_then(|()| raw::echo_batched(&socket)),
            Self::Bare => announce(&socket).and_then(|()| raw::bare(&socket)),
            Self::RawFanOut => announce(&socket).and_then(|()| raw::fan_out(&socket)),
            Self::Broker { dir, confirmable } => broker::serve(dir, *confirmable),
            Self::Endpoint { pki, clients } => {
                let identity = endpoint::Identity::new(pki.as_deref().map(Pki::in_folder).as_ref())?;
                announce(&socket).and_then(|()| endpoint::serve(&socket, identity, *clients))
            }
        }
    }
}

/// Tells whoever started this server where it listens.
fn announce(socket: &UdpSocket) -> io::Result<()> {
    let SocketAddr::V4(address) = socket.local_addr()? else {
        return Err(io::Error::other("not an IPv4 socket"));
    };
    announce_address(address);
    Ok(())
}

fn announce_address(address: SocketAddrV4) {
    println!("ready {address}");
}
