//! What this crate's tickets of DTLS 1.3 hold (RFC 8446 section 4.6.1).

use sedge_crypto::{Crypto, CryptoRng, Secret};
use sedge_time::{Duration, Instant};

use crate::handshake::Authentication;
use crate::handshake::ticket::{TicketKeys, ends};
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// What a ticket of DTLS 1.3 is sealed as.
const KIND: u8 = 3;
/// Suite, authentication, pre-shared key, principal, when the peer proved who it is, and expiry, both in seconds.
const CONTENT: usize = 2 + 1 + 32 + 4 + 4 + 4;

/// What a ticket says.
pub(crate) struct Ticketed {
    pub(crate) suite: CipherSuite,
    pub(crate) authentication: Authentication,
    pub(crate) psk: Secret<32>,
    pub(crate) principal: u32,
    /// When the peer proved who it is.
    pub(crate) authenticated: Instant,
}

impl Ticketed {
    /// Length of a ticket.
    pub(crate) const SEALED: usize = CONTENT + TicketKeys::OVERHEAD;

    /// For how many seconds a ticket is good that is made now; `None` if its peer has to prove anew who it is.
    pub(crate) fn lifetime(&self, now: Instant, lifetime: Duration) -> Option<u32> {
        let end = ends(now, lifetime, self.authenticated)?;
        u32::try_from(end.saturating_since(now).as_secs()).ok().filter(|&seconds| seconds > 0)
    }

    /// Writes the ticket, which is good for so many seconds.
    pub(crate) fn seal<C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        keys: &TicketKeys,
        crypto: &C,
        rng: &mut R,
        now: Instant,
        lifetime: u32,
    ) -> Option<[u8; Self::SEALED]> {
        let mut content = Secret::<CONTENT>::zero();
        let mut out = Writer::new(content.expose_mut());
        out.u16(self.suite.0);
        out.u8(self.authentication as u8);
        out.bytes(self.psk.expose());
        out.bytes(&self.principal.to_be_bytes());
        out.bytes(&seconds(self.authenticated).to_be_bytes());
        out.bytes(&seconds(now).saturating_add(lifetime).to_be_bytes());
        let _ = out.finish()?;
        let mut sealed = [0; Self::SEALED];
        let len = keys.seal(crypto, rng, KIND, content.expose(), &mut sealed)?;
        (len == Self::SEALED).then_some(sealed)
    }

    /// What a ticket says, unless it is too old or was not sealed by this server.
    pub(crate) fn open<C: Crypto>(
        keys: &TicketKeys,
        crypto: &C,
        now: Instant,
        ticket: &[u8],
    ) -> Option<Self> {
        let mut content = Secret::<CONTENT>::zero();
        let mut content = Reader::new(keys.open(crypto, KIND, ticket, content.expose_mut())?);
        let suite = CipherSuite(content.u16()?);
        let authentication = Authentication::from_u8(content.u8()?)?;
        let psk = Secret::new(content.array()?);
        let principal = content.array().map(u32::from_be_bytes)?;
        let authenticated = content.array().map(u32::from_be_bytes)?;
        let authenticated = Instant::EPOCH + Duration::from_secs(authenticated.into());
        let expires = content.array().map(u32::from_be_bytes)?;
        let good = content.is_empty() && seconds(now) < expires;
        good.then_some(Self { suite, authentication, psk, principal, authenticated })
    }
}

fn seconds(instant: Instant) -> u32 {
    u32::try_from(instant.saturating_since(Instant::EPOCH).as_secs()).unwrap_or(u32::MAX)
}
