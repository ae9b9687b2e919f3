//! What the fuzz targets share.

// The scripted peers of the handshake tests, which know the keys.
#[path = "../../../crates/dtls/tests/scripts/mod.rs"]
pub mod scripts;

use rand_core::{TryCryptoRng, TryRng};
use sedge_crypto::RustCrypto;
use sedge_dtls::{
    ClientHandshake, ConnectionId, Content, Context, CookieKeys, Full, HELLO_REPLY_LEN, Hello, Progress,
    Records, ServerHandshake, Session,
};
use sedge_time::{Duration, Instant};

mod way;

pub use way::{IDENTITY, Way, Who, psk};

/// The same numbers in every run: an input that fails must fail again.
#[derive(Debug)]
pub struct Repeatable(pub u64);

impl TryRng for Repeatable {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0.rotate_left(29))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in into.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeatable {}

/// Cuts an input into steps.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a>(pub &'a [u8]);

impl<'a> Steps<'a> {
    /// The next byte; zero behind the end.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// The next two bytes as a number.
    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// As many bytes as the next two say, or as there are.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.number()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    /// Whether anything is left.
    pub fn more(&self) -> bool {
        !self.0.is_empty()
    }
}

/// A client and a server that have not finished their handshake, with the datagrams between them in hand.
#[allow(missing_debug_implementations, reason = "handshakes hold secrets")]
pub struct Pair {
    pub crypto: RustCrypto,
    pub client_rng: Repeatable,
    pub server_rng: Repeatable,
    pub cookies: CookieKeys<RustCrypto>,
    pub way: Way,
    client_who: Who,
    server_who: Who,
    pub client: ClientHandshake<Full<RustCrypto>>,
    pub server: Option<ServerHandshake<Full<RustCrypto>>>,
    /// What the server had to send when its handshake ended, and what its session sends.
    server_out: Vec<Vec<u8>>,
    pub now: Instant,
    pub client_session: Option<Session>,
    pub server_session: Option<Session>,
}

const CLIENT_CID: [u8; 1] = [0x0a];
const SERVER_CID: [u8; 4] = [0xc0, 1, 2, 3];

impl Pair {
    /// Neither has sent anything. The number says what they speak and how they authenticate: see [`Way::new`].
    pub fn new(choice: u8) -> Self {
        let crypto = RustCrypto;
        let (mut client_rng, mut server_rng) = (Repeatable(1), Repeatable(2));
        let cookies = CookieKeys::new(&crypto, &mut server_rng);
        let way = Way::new(choice);
        let (mut client_who, server_who) = way.parties();
        let own_cid = way.with_cid.then(|| ConnectionId::new(&CLIENT_CID).expect("short"));
        let now = Instant::from_micros(1);
        let mut context = Context::new(&crypto, &mut client_rng, now);
        let client = ClientHandshake::connect(&mut context, &mut client_who, &way.client(own_cid))
            .expect("a usable configuration");
        Self {
            crypto,
            client_rng,
            server_rng,
            cookies,
            way,
            client_who,
            server_who,
            client,
            server: None,
            server_out: Vec::new(),
            now,
            client_session: None,
            server_session: None,
        }
    }

    /// The next datagram that the client sends.
    pub fn client_sends(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 1_500];
        let length = self.client.poll_transmit(&self.crypto, &mut buffer)?;
        Some(buffer[..length].to_vec())
    }

    /// The next datagram that the server sends.
    pub fn server_sends(&mut self) -> Option<Vec<u8>> {
        if !self.server_out.is_empty() {
            return Some(self.server_out.remove(0));
        }
        let mut buffer = [0; 1_500];
        let length = self.server.as_mut()?.poll_transmit(&self.crypto, &mut buffer)?;
        Some(buffer[..length].to_vec())
    }

    /// The client takes a datagram in.
    pub fn client_takes(&mut self, datagram: &mut [u8]) {
        let mut context = Context::new(&self.crypto, &mut self.client_rng, self.now);
        for record in Records::new(datagram, CLIENT_CID.len()) {
            if let Some(session) = &mut self.client_session {
                let _ = session.open(&self.crypto, record);
            } else if self.client.receive(&mut context, &mut self.client_who, record)
                == Ok(Progress::Complete)
            {
                let mut buffer = [0; 1_500];
                while self.client.poll_transmit(&self.crypto, &mut buffer).is_some() {}
                self.client_session = self.client.take_session().map(|established| established.session);
            }
        }
    }

    /// The server takes a datagram in; what it answers without keeping anything comes back.
    pub fn server_takes(&mut self, datagram: &mut [u8]) -> Option<Vec<u8>> {
        let mut context = Context::new(&self.crypto, &mut self.server_rng, self.now);
        if sedge_dtls::is_client_hello(datagram) {
            let mut reply = [0; HELLO_REPLY_LEN];
            let config = self.way.server();
            match sedge_dtls::hello(&self.crypto, &self.cookies, &config, b"somewhere", datagram, &mut reply)
            {
                Hello::Reply(length) => {
                    assert!(length <= datagram.len(), "nothing is amplified");
                    return Some(reply[..length].to_vec());
                }
                Hello::Accept(verified) => {
                    let known = self.server.as_ref().is_some_and(|server| server.answers(&verified));
                    if !known {
                        let cid = ConnectionId::new(&SERVER_CID).expect("short");
                        let who = &mut self.server_who;
                        match ServerHandshake::accept(&mut context, who, &config, &verified, cid) {
                            Ok(server) => self.server = Some(server),
                            Err(refusal) => {
                                let length = refusal.write(&mut reply).expect("room for an alert");
                                return Some(reply[..length].to_vec());
                            }
                        }
                        return None;
                    }
                }
                Hello::Discard(_) => return None,
            }
        }
        let mut buffer = [0; 1_500];
        for record in Records::new(datagram, SERVER_CID.len()) {
            if let Some(session) = &mut self.server_session {
                let again = matches!(
                    session.open(&self.crypto, record),
                    Ok(opened) if matches!(opened.content, Content::FinishedAgain)
                );
                if again && let Some(length) = session.last_flight(&self.crypto, &mut buffer) {
                    self.server_out.push(buffer[..length].to_vec());
                }
            } else if let Some(server) = &mut self.server
                && server.receive(&mut context, &mut self.server_who, record) == Ok(Progress::Complete)
            {
                while let Some(length) = server.poll_transmit(&self.crypto, &mut buffer) {
                    self.server_out.push(buffer[..length].to_vec());
                }
                self.server_session = server.take_session().map(|established| established.session);
            }
        }
        None
    }

    /// Lets time pass, as far as either handshake's next deadline.
    pub fn wait(&mut self) {
        let deadlines = [self.client.deadline(), self.server.as_ref().and_then(ServerHandshake::deadline)];
        let next = deadlines.into_iter().flatten().min();
        self.now = next.unwrap_or(self.now).max(self.now + Duration::from_millis(1));
        let mut context = Context::new(&self.crypto, &mut self.client_rng, self.now);
        let _ = self.client.expire(&mut context, &mut self.client_who);
        let _ = self.server.as_mut().map(|server| server.expire(self.now));
    }

    /// Completes the handshake undisturbed: the client's and the server's session.
    pub fn complete(mut self) -> (Session, Session) {
        for _ in 0..8 {
            while let Some(mut datagram) = self.client_sends() {
                if let Some(mut reply) = self.server_takes(&mut datagram) {
                    self.client_takes(&mut reply);
                }
            }
            for mut datagram in self.server_flight() {
                self.client_takes(&mut datagram);
            }
            if let (Some(_), Some(_)) = (&self.client_session, &self.server_session) {
                break;
            }
        }
        (self.client_session.expect("connected"), self.server_session.expect("connected"))
    }

    /// Everything that the server sends now: the flight of its handshake, or, while the client still lacks it,
    /// the last flight again from the session that has replaced the handshake.
    pub fn server_flight(&mut self) -> Vec<Vec<u8>> {
        let mut flight: Vec<Vec<u8>> = core::iter::from_fn(|| self.server_sends()).collect();
        if flight.is_empty()
            && self.client_session.is_none()
            && let Some(session) = self.server_session.as_mut().filter(|session| !session.is_dtls_1_3())
        {
            let mut buffer = [0; 256];
            let length = session.last_flight(&self.crypto, &mut buffer);
            flight.extend(length.map(|length| buffer[..length].to_vec()));
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_leads_to_a_session() {
        for choice in 0..32 {
            let way = Way::new(choice);
            let (client, server) = Pair::new(choice).complete();
            assert_eq!(client.is_dtls_1_3(), way.is_dtls_1_3(), "{way:?}");
            assert_eq!(server.is_dtls_1_3(), way.is_dtls_1_3(), "{way:?}");
        }
    }
}
