//! The datagrams of handshakes without DTLS: what the kernel takes for them, whoever's engine it is.

use std::time::Duration;

use crate::fleet::FleetSocket;
use crate::process::ServerProcess;

/// Exchanges under way at once, as many as handshakes are.
const WAVE: u32 = 128;
const PATIENCE: Duration = Duration::from_secs(2);

/// What the client and the server of one handshake send, round by round.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// Datagrams of the client, and then of the server.
    rounds: Vec<(u32, u32)>,
    /// Bytes of a datagram.
    client_len: usize,
    server_len: usize,
}

impl Pattern {
    /// As many datagrams of as many bytes as handshakes have on average: what is more than one a round is said by the
    /// client at the end, and by the server before its last word.
    pub(crate) fn new(datagrams: (u32, u32), bytes: (u64, u64)) -> Self {
        let (client, server) = (datagrams.0.max(1), datagrams.1.max(1));
        let count = client.min(server).min(3);
        let mut rounds = vec![(1, 1); count as usize];
        if let Some(last) = rounds.last_mut() {
            last.0 += client - count;
        }
        if let Some(middle) = rounds.iter_mut().rev().nth(usize::from(count > 1)) {
            middle.1 += server - count;
        }
        let len =
            |bytes: u64, datagrams: u32| (bytes / u64::from(datagrams)).clamp(ORDER as u64, 1200) as usize;
        Self { rounds, client_len: len(bytes.0, client), server_len: len(bytes.1, server) }
    }
}

/// Length of what a datagram says of its answer: how many datagrams of how many bytes.
const ORDER: usize = 3;

/// What the server is to answer.
pub(crate) fn order(datagram: &[u8]) -> (u8, usize) {
    match datagram {
        [count, high, low, ..] => (*count, u16::from_be_bytes([*high, *low]).into()),
        _ => (0, 0),
    }
}

/// Clients that go through the motions.
pub(crate) struct Walk {
    socket: FleetSocket,
    pattern: Pattern,
    /// How many answers each client has had in the round that it is in.
    clients: Vec<(usize, u32)>,
}

impl Walk {
    pub(crate) fn new(server: &ServerProcess, pattern: Pattern) -> Result<Self, String> {
        let socket = FleetSocket::new(server.address).map_err(|error| error.to_string())?;
        Ok(Self { socket, pattern, clients: Vec::new() })
    }

    /// So many more clients do it.
    pub(crate) fn run(&mut self, count: u32) -> Result<(), String> {
        let first = self.clients.len() as u32;
        let (mut started, mut done) = (0, 0);
        while done < count {
            while started < count && started - done < WAVE {
                self.clients.push((0, 0));
                self.say(first + started);
                started += 1;
            }
            let came = self.socket.receive(PATIENCE).map_err(|error| error.to_string())?;
            let (client, _) = came.ok_or("bare datagrams were lost")?;
            let Some((round, answers)) = self.clients.get_mut(client as usize) else { continue };
            *answers += 1;
            if *answers == self.pattern.rounds[*round].1 {
                (*round, *answers) = (*round + 1, 0);
                match *round == self.pattern.rounds.len() {
                    true => done += 1,
                    false => self.say(client),
                }
            }
        }
        Ok(())
    }

    /// The client's datagrams of its round, the last of which is answered.
    fn say(&mut self, client: u32) {
        let (datagrams, answers) = self.pattern.rounds[self.clients[client as usize].0];
        let mut datagram = vec![0; self.pattern.client_len];
        for number in 1..=datagrams {
            if number == datagrams {
                datagram[0] = answers as u8;
                datagram[1..ORDER].copy_from_slice(&(self.pattern.server_len as u16).to_be_bytes());
            }
            self.socket.later(client, &datagram);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_all_datagrams() {
        for (datagrams, rounds) in [
            ((3, 3), vec![(1, 1), (1, 1), (1, 1)]),
            ((6, 4), vec![(1, 1), (1, 2), (4, 1)]),
            ((2, 5), vec![(1, 4), (1, 1)]),
            ((1, 2), vec![(1, 2)]),
        ] {
            assert_eq!(Pattern::new(datagrams, (600, 600)).rounds, rounds);
        }
    }
}
