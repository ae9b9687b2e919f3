//! NewSessionTicket, and what this crate's tickets hold (RFC 5077 sections 3.3 and 4).

use sedge_crypto::{Crypto, CryptoRng, Secret};
use sedge_time::{Duration, Instant};

use crate::handshake::Authentication;
use crate::handshake::resumption::SavedSession;
use crate::handshake::ticket::TicketKeys;
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// What a ticket of DTLS 1.2 is sealed as.
const KIND: u8 = 2;
/// Suite, extended master secret, authentication, master secret, principal, when the peer proved who it is, and expiry,
/// both in seconds.
const CONTENT: usize = 2 + 1 + 1 + 48 + 4 + 4 + 4;

/// A ticket of this crate's servers.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// For how many seconds it is good.
    lifetime: u32,
    sealed: [u8; Self::LEN],
}

impl Ticket {
    const LEN: usize = CONTENT + TicketKeys::OVERHEAD;
    /// Length of the NewSessionTicket's body.
    pub(crate) const BODY: usize = 4 + 2 + Self::LEN;

    /// Seals what is to be remembered of a session whose peer proved at `authenticated` who it is.
    pub(crate) fn seal<C: Crypto, R: CryptoRng + ?Sized>(
        keys: &TicketKeys,
        crypto: &C,
        rng: &mut R,
        now: Instant,
        session: &SavedSession,
        authenticated: Instant,
    ) -> Option<Self> {
        let mut content = Secret::<CONTENT>::zero();
        let mut out = Writer::new(content.expose_mut());
        out.u16(session.suite.0);
        out.u8(session.extended_master_secret.into());
        out.u8(session.authentication as u8);
        out.bytes(session.secret.expose());
        out.bytes(&session.principal.to_be_bytes());
        out.bytes(&seconds(authenticated).to_be_bytes());
        out.bytes(&seconds(session.expires).to_be_bytes());
        let _ = out.finish()?;
        let mut sealed = [0; Self::LEN];
        let len = keys.seal(crypto, rng, KIND, content.expose(), &mut sealed)?;
        let lifetime = seconds(session.expires).saturating_sub(seconds(now));
        (len == Self::LEN).then_some(Self { lifetime, sealed })
    }

    /// What a ticket says, and when the peer proved who it is, unless it is too old or was not sealed by this server.
    pub(crate) fn open<C: Crypto>(
        keys: &TicketKeys,
        crypto: &C,
        now: Instant,
        ticket: &[u8],
    ) -> Option<(SavedSession, Instant)> {
        let mut content = Secret::<CONTENT>::zero();
        let mut content = Reader::new(keys.open(crypto, KIND, ticket, content.expose_mut())?);
        let suite = CipherSuite(content.u16()?);
        let extended_master_secret = content.u8()? == 1;
        let authentication = Authentication::from_u8(content.u8()?)?;
        let secret = Secret::new(content.array()?);
        let principal = content.array().map(u32::from_be_bytes)?;
        let mut instant = || {
            let seconds = content.array().map(u32::from_be_bytes)?;
            Some(Instant::EPOCH + Duration::from_secs(seconds.into()))
        };
        let (authenticated, expires) = (instant()?, instant()?);
        let good = content.is_empty() && now < expires;
        let saved =
            SavedSession { suite, secret, principal, expires, extended_master_secret, authentication };
        good.then_some((saved, authenticated))
    }

    /// Writes the body of the NewSessionTicket that carries it, [`BODY`](Self::BODY) bytes.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.bytes(&self.lifetime.to_be_bytes());
        out.vec16(|out| out.bytes(&self.sealed));
    }
}

fn seconds(instant: Instant) -> u32 {
    u32::try_from(instant.saturating_since(Instant::EPOCH).as_secs()).unwrap_or(u32::MAX)
}

/// A NewSessionTicket, of any server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSessionTicket<'a> {
    /// In seconds; zero if the server does not say.
    pub(crate) lifetime_hint: u32,
    /// Empty if the server changed its mind.
    pub(crate) ticket: &'a [u8],
}

impl<'a> NewSessionTicket<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        let lifetime_hint = body.array().map(u32::from_be_bytes)?;
        let ticket = body.vec16()?;
        body.is_empty().then_some(Self { lifetime_hint, ticket })
    }
}
