//! What the worlds of all tests have in common: randomness, a provider under guard, and a link whose every datagram has a
//! scripted fate.
#![allow(missing_docs, unreachable_pub, dead_code, reason = "for several test binaries; each uses a part")]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use sedge_crypto::{Aead, AeadError, Crypto, Layer, RustCrypto, Tag, TryCryptoRng, TryRng};
use sedge_dtls::*;
use sedge_time::{Duration, Instant};

pub const IDENTITY: &[u8] = b"sensor-7";
pub const KEY: [u8; 16] = *b"0123456789abcdef";
/// Whoever has that key.
pub const PRINCIPAL: u32 = 41;

/// Deterministic and good enough to be different every time: SplitMix64.
#[derive(Clone, Debug)]
pub struct TestRng(pub u64);

impl TryRng for TestRng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in dst.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

thread_local! {
    static SEALED: RefCell<HashSet<(Vec<u8>, Vec<u8>)>> = RefCell::default();
}

/// The portable provider under guard: no two records of one world are sealed with the same key and nonce.
#[derive(Debug)]
pub struct Watched;

impl Watched {
    /// Forgets what was sealed: a new world begins.
    pub fn forget() {
        SEALED.with_borrow_mut(HashSet::clear);
    }
}

impl Layer for Watched {
    type Inner = RustCrypto;

    fn inner(&self) -> &RustCrypto {
        &RustCrypto
    }

    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        let fresh = SEALED.with_borrow_mut(|sealed| sealed.insert((key.to_vec(), nonce.to_vec())));
        assert!(fresh, "a nonce was used twice");
        RustCrypto.seal(aead, key, nonce, aad, in_out)
    }
}

pub fn cid(bytes: &[u8]) -> ConnectionId {
    ConnectionId::new(bytes).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// One side of the connection.
#[allow(clippy::large_enum_variant, reason = "there are two of them")]
pub enum Peer<H> {
    Absent,
    Handshaking(H),
    Established(Session),
    Failed(Failure),
}

impl<H> Peer<H> {
    pub fn session(&mut self) -> &mut Session {
        match self {
            Self::Established(session) => session,
            _ => panic!("not established"),
        }
    }

    pub fn is_established(&self) -> bool {
        matches!(self, Self::Established(_))
    }

    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(*failure),
            _ => None,
        }
    }
}

/// Seals a record of any kind.
pub fn seal(session: &mut Session, content_type: ContentType, text: &[u8]) -> Vec<u8> {
    let mut record = vec![0; text.len() + session.overhead() + 8];
    let at = session.headroom();
    record[at..at + text.len()].copy_from_slice(text);
    let len = session.seal(&Watched, content_type, &mut record, text.len()).unwrap();
    record.truncate(len);
    record
}

/// Opens a record with application data.
pub fn open(session: &mut Session, mut record: Vec<u8>) -> Result<(Vec<u8>, bool), Discard> {
    let opened = session.open(&Watched, &mut record)?;
    match opened.content {
        Content::ApplicationData(data) => Ok((data.to_vec(), opened.newest)),
        other => panic!("{other:?}"),
    }
}

/// When the copies of a datagram arrive: none for a lost one.
pub type Fate = Box<dyn FnMut(usize, Direction, &[u8]) -> Vec<Duration>>;

pub const LATENCY: Duration = Duration::from_millis(10);

pub fn undisturbed(_: usize, _: Direction, _: &[u8]) -> Vec<Duration> {
    vec![LATENCY]
}

/// A link with the usual latency that loses the datagrams that `lost` names.
pub fn losing(lost: impl Fn(usize) -> bool + 'static) -> Fate {
    Box::new(move |index, _, _| if lost(index) { vec![] } else { vec![LATENCY] })
}

/// What is on its way.
#[derive(Default)]
pub struct Link {
    in_flight: BTreeMap<(Instant, u64), (Direction, Vec<u8>)>,
    serial: u64,
}

impl Link {
    /// Puts copies of a datagram on their way, one for each delay.
    pub fn send(&mut self, now: Instant, delays: Vec<Duration>, direction: Direction, datagram: &[u8]) {
        for delay in delays {
            self.serial += 1;
            let _ = self.in_flight.insert((now + delay, self.serial), (direction, datagram.to_vec()));
        }
    }

    /// When the next datagram arrives.
    pub fn arrival(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|(at, _)| *at)
    }

    /// The next datagram to arrive, and when.
    pub fn next(&mut self) -> Option<(Instant, Direction, Vec<u8>)> {
        let ((at, _), (direction, datagram)) = self.in_flight.pop_first()?;
        Some((at, direction, datagram))
    }

    /// A man in the middle changes what is on its way.
    pub fn rewrite(&mut self, mut change: impl FnMut(Direction, &mut [u8])) {
        for (direction, datagram) in self.in_flight.values_mut() {
            change(*direction, datagram);
        }
    }
}
