//! What the fuzz targets share.

// The scripted peers of the handshake tests, which know the keys.
#[path = "../../../crates/dtls/tests/scripts/mod.rs"]
pub mod scripts;

use rand_core::{TryCryptoRng, TryRng};
use sedge_crypto::RustCrypto;
use sedge_dtls::{
    ClientConfig, ClientHandshake, ClientPsk, ConnectionId, Context, CookieKeys, Hello, Progress, Psk, PskOnly, Records,
    ServerConfig, ServerHandshake, Session,
};
use sedge_time::{Duration, Instant};

/// The identity that handshakes here use.
pub const IDENTITY: &[u8] = b"device-7";

/// Its key.
pub fn psk() -> Psk {
    Psk::new(b"0123456789abcdef").expect("16 bytes")
}

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

/// Who the client is.
fn device(psk: &Psk) -> ClientPsk<'_> {
    ClientPsk { identity: IDENTITY, psk }
}

/// A client and a server that have not finished their handshake, with the datagrams between them in hand.
#[allow(missing_debug_implementations, reason = "handshakes hold secrets")]
pub struct Pair {
    pub crypto: RustCrypto,
    pub client_rng: Repeatable,
    pub server_rng: Repeatable,
    pub cookies: CookieKeys<RustCrypto>,
    pub client: ClientHandshake<PskOnly<RustCrypto>>,
    pub server: Option<ServerHandshake<PskOnly<RustCrypto>>>,
    pub now: Instant,
    pub client_session: Option<Session>,
    pub server_session: Option<Session>,
}

const CLIENT_CID: [u8; 1] = [0x0a];
const SERVER_CID: [u8; 4] = [0xc0, 1, 2, 3];

impl Pair {
    /// Neither has sent anything.
    pub fn new(with_cid: bool) -> Self {
        let crypto = RustCrypto;
        let (mut client_rng, mut server_rng) = (Repeatable(1), Repeatable(2));
        let cookies = CookieKeys::new(&crypto, &mut server_rng);
        let own_cid = with_cid.then(|| ConnectionId::new(&CLIENT_CID).expect("short"));
        let config = ClientConfig { own_cid, ..ClientConfig::default() };
        let now = Instant::from_micros(1);
        let mut context = Context::new(&crypto, &mut client_rng, now);
        let client = ClientHandshake::connect(&mut context, &mut device(&psk()), &config)
            .expect("a usable configuration");
        Self {
            crypto,
            client_rng,
            server_rng,
            cookies,
            client,
            server: None,
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
            } else if self.client.receive(&mut context, &mut device(&psk()), record) == Ok(Progress::Complete) {
                let mut buffer = [0; 1_500];
                while self.client.poll_transmit(&self.crypto, &mut buffer).is_some() {}
                self.client_session = self.client.take_session().map(|established| established.session);
            }
        }
    }

    /// The server takes a datagram in; what it answers without keeping anything comes back.
    pub fn server_takes(&mut self, datagram: &mut [u8]) -> Option<Vec<u8>> {
        let mut context = Context::new(&self.crypto, &mut self.server_rng, self.now);
        let mut lookup = |identity: &[u8]| (identity == IDENTITY).then(|| (psk(), 1));
        if sedge_dtls::is_client_hello(datagram) {
            let mut reply = [0; 256];
            let config = ServerConfig::default();
            match sedge_dtls::hello(&self.crypto, &self.cookies, &config, b"somewhere", datagram, &mut reply) {
                Hello::Reply(length) => {
                    assert!(length <= datagram.len(), "nothing is amplified");
                    return Some(reply[..length].to_vec());
                }
                Hello::Accept(verified) => {
                    let known = self.server.as_ref().is_some_and(|server| server.answers(&verified));
                    if !known {
                        let cid = ConnectionId::new(&SERVER_CID).expect("short");
                        let accepted =
                            ServerHandshake::accept(&mut context, &mut lookup, &config, &verified, cid);
                        match accepted {
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
        for record in Records::new(datagram, SERVER_CID.len()) {
            if let Some(session) = &mut self.server_session {
                let _ = session.open(&self.crypto, record);
            } else if let Some(server) = &mut self.server
                && server.receive(&mut context, &mut lookup, record) == Ok(Progress::Complete)
            {
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
        let _ = self.client.expire(&mut context, &mut device(&psk()));
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
            && let Some(session) = &mut self.server_session
        {
            let mut buffer = [0; 256];
            let length = session.last_flight(&self.crypto, &mut buffer);
            flight.extend(length.map(|length| buffer[..length].to_vec()));
        }
        flight
    }
}
