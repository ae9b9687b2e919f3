//! The way to a peer: its address, and which of our sockets and addresses it talks to.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use sedge_endpoint::memory;

/// A network path in 20 bytes, because there is one per session. IPv4 addresses are mapped into IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    ip: [u8; 16],
    port: u16,
    /// The number of a [`Via`] in the shard's [`Vias`].
    via: u16,
}

/// Our end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Via {
    /// The number of the listener.
    pub(crate) listener: u16,
    /// The address that the peer used, on a socket that serves several.
    pub(crate) local: Option<Local>,
}

/// One of this host's addresses, and the interface that it came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Local {
    pub(crate) ip: Ipv6Addr,
    pub(crate) interface: u32,
}

/// Our ends of all paths, numbered, so that a path need not repeat them.
#[derive(Debug, Default)]
pub(crate) struct Vias {
    list: Vec<Via>,
    numbers: HashMap<Via, u16>,
    /// The one used last is most often the one used next.
    last: u16,
}

/// A host has few addresses; one that pretends to have more answers from whatever address routing prefers.
const MAX_VIAS: usize = 4096;

impl Vias {
    /// The path from `peer` to our end.
    pub(crate) fn path(&mut self, peer: SocketAddrV6, via: Via) -> Path {
        Path { ip: peer.ip().octets(), port: peer.port(), via: self.number(via) }
    }

    fn number(&mut self, via: Via) -> u16 {
        if self.list.get(usize::from(self.last)) == Some(&via) {
            return self.last;
        }
        self.last = match self.numbers.get(&via) {
            Some(&number) => number,
            None if self.list.len() < MAX_VIAS => {
                let number = self.list.len() as u16;
                self.list.push(via);
                let _ = self.numbers.insert(via, number);
                number
            }
            None => return self.number(Via { local: None, ..via }),
        };
        self.last
    }

    /// Has a number for each listener by itself, which [`Vias::number`] can fall back on.
    pub(crate) fn for_listeners(count: usize) -> Self {
        let mut vias = Self::default();
        for listener in 0..count as u16 {
            let _ = vias.number(Via { listener, local: None });
        }
        vias
    }

    /// Our end of `path`.
    pub(crate) fn get(&self, path: &Path) -> Option<Via> {
        self.list.get(usize::from(path.via)).copied()
    }

    /// Where datagrams for the peer of `path` go.
    pub(crate) fn peer(&self, path: &Path) -> SocketAddrV6 {
        let ip = Ipv6Addr::from(path.ip);
        // A link-local address means something on one link only: the one it was heard on.
        let interface = self.get(path).and_then(|via| via.local).map_or(0, |local| local.interface);
        let scope = if ip.is_unicast_link_local() { interface } else { 0 };
        SocketAddrV6::new(ip, path.port, 0, scope)
    }
}

impl Path {
    /// The peer's address as people write it.
    pub(crate) fn peer(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V6(Ipv6Addr::from(self.ip)).to_canonical(), self.port)
    }
}

impl memory::Path for Path {
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize {
        let parts = self.ip.into_iter().chain(self.port.to_be_bytes()).chain(self.via.to_be_bytes());
        let mut len = 0;
        for (to, byte) in out.iter_mut().zip(parts) {
            *to = byte;
            len += 1;
        }
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_small_and_knows_both_ends() {
        assert_eq!(size_of::<Path>(), 20);
        let mut vias = Vias::for_listeners(2);
        let local = Local { ip: "2001:db8::1".parse().unwrap(), interface: 7 };
        let via = Via { listener: 1, local: Some(local) };
        let peer: SocketAddrV6 = "[fe80::5]:1234".parse().unwrap();
        let path = vias.path(peer, via);
        assert_eq!(vias.get(&path), Some(via));
        assert_eq!(vias.peer(&path).scope_id(), 7);
        assert_eq!(vias.path(peer, via), path);
        let mapped: SocketAddrV6 = "[::ffff:192.0.2.1]:99".parse().unwrap();
        assert_eq!(vias.path(mapped, via).peer().to_string(), "192.0.2.1:99");
    }

    #[test]
    fn a_host_of_endless_addresses_is_still_answered() {
        let mut vias = Vias::for_listeners(1);
        let peer: SocketAddrV6 = "[::1]:1".parse().unwrap();
        for number in 0..2 * MAX_VIAS as u128 {
            let local = Local { ip: Ipv6Addr::from(number), interface: 1 };
            let path = vias.path(peer, Via { listener: 0, local: Some(local) });
            assert_eq!(vias.get(&path).unwrap().listener, 0);
        }
        assert!(vias.list.len() <= MAX_VIAS);
    }
}
