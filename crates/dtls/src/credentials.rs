//! Who a side is and whom it believes: lent to a handshake at every call, kept by none.

use sedge_crypto::{Crypto, CryptoRng, PublicKey, Signature};
use sedge_time::Duration;

use crate::alert::AlertDescription;
use crate::handshake::resumption::Resumption;
use crate::handshake::ticket::TicketKeys;
use crate::psk::Psk;

/// Who this side is and whom it believes.
///
/// A handshake borrows this at every call and copies none of it, so keys have one home, certificates stay in flash,
/// and a key in a secure element never leaves it. Every method has a default that says "no": implement those of
/// the ways to authenticate that are meant.
///
/// For a server with pre-shared keys a closure `FnMut(&[u8]) -> Option<(Psk, u32)>` is enough, for a client
/// [`ClientPsk`].
pub trait Credentials<C: Crypto> {
    /// Of a client: the PSK identity to claim, at most [`MAX_IDENTITY`](crate::MAX_IDENTITY) bytes, and its key.
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        None
    }

    /// Of a server: the key of a PSK identity, and the caller's own number for whoever holds it, which the finished
    /// handshake repeats in [`Established::principal`](crate::Established::principal).
    ///
    /// An identity that is not found is not refused: the handshake goes on with a random key and fails exactly like
    /// one with a wrong key, so that nobody can probe which identities exist
    /// ([RFC 4279 section 2](https://www.rfc-editor.org/rfc/rfc4279#section-2)). The look-up itself should take the
    /// same time either way.
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        let _ = identity;
        None
    }

    /// The name of the server that a client means, to be sent as
    /// [server_name](https://www.rfc-editor.org/rfc/rfc6066#section-3) unless it is an address, and to be checked by
    /// [`verify`](Self::verify).
    fn server_name(&self) -> Option<&str> {
        None
    }

    /// What this side shows of the given kind: entry 0 is its own certificate or its `SubjectPublicKeyInfo`, then
    /// come the issuers of the chain, each in DER; `None` past the last. Without an entry 0 there is nothing of the
    /// kind.
    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        let _ = (kind, index);
        None
    }

    /// Signs a SHA-256 digest with the private key of what [`certificate`](Self::certificate) shows.
    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &C,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        let _ = (crypto, rng, digest);
        None
    }

    /// Which kinds of certificate this side believes, the preferred first; with none, a server does not ask for one.
    fn believes(&self) -> &[CertificateType] {
        &[]
    }

    /// Whether the peer's certificate is to be believed, or which alert it deserves. That the peer holds its private
    /// key is for the handshake to check.
    fn verify(
        &mut self,
        crypto: &C,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let _ = (crypto, certificate);
        Err(AlertDescription::CERTIFICATE_UNKNOWN)
    }

    /// Of a server: the keys for its session tickets and how long a ticket is good; with none, it neither makes nor
    /// takes tickets ([RFC 5077](https://www.rfc-editor.org/rfc/rfc5077)). In DTLS 1.2 none is made where the path
    /// takes fewer than 256 bytes, for it has to fit into one datagram with Finished.
    fn tickets(&self) -> Option<(&TicketKeys, Duration)> {
        None
    }

    /// Of a server: for how long it remembers the sessions of clients that take no tickets, by
    /// [`remember`](Self::remember) and [`recall`](Self::recall); with none, not at all.
    fn session_cache(&self) -> Option<Duration> {
        None
    }

    /// Of a client: whether it asks servers for tickets, in order to resume its sessions.
    fn wants_tickets(&self) -> bool {
        false
    }

    /// Keeps a session that is established now so that it can be resumed: a client's last one with this server,
    /// or one in a server's cache, under its [`session_id`](Resumption::session_id).
    fn remember(&mut self, resumption: &Resumption) {
        let _ = resumption;
    }

    /// What [`remember`](Self::remember) kept: for a client, whose `session_id` is empty, its last session with this
    /// server; for a server the session of this identifier.
    fn recall(&mut self, session_id: &[u8]) -> Option<Resumption> {
        let _ = session_id;
        None
    }

    /// Of a server: whether this peer may still resume a session. Not if its key or its certificate was withdrawn in
    /// the meantime, for nothing else of it is checked again.
    fn may_resume(&mut self, principal: u32) -> bool {
        let _ = principal;
        true
    }
}

/// A server with pre-shared keys.
impl<C: Crypto, F: FnMut(&[u8]) -> Option<(Psk, u32)>> Credentials<C> for F {
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        self(identity)
    }
}

/// A client with one pre-shared key.
#[derive(Clone, Copy, Debug)]
pub struct ClientPsk<'a> {
    /// Its identity, at most [`MAX_IDENTITY`](crate::MAX_IDENTITY) bytes.
    pub identity: &'a [u8],
    /// The key that goes with it.
    pub psk: &'a Psk,
}

impl<C: Crypto> Credentials<C> for ClientPsk<'_> {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        Some((self.identity, self.psk))
    }
}

/// What stands for a public key in a handshake
/// ([RFC 7250 section 3](https://www.rfc-editor.org/rfc/rfc7250#section-3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CertificateType {
    /// A chain of X.509 certificates.
    X509 = 0,
    /// A bare `SubjectPublicKeyInfo`.
    RawPublicKey = 2,
}

impl CertificateType {
    pub(crate) const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::X509),
            2 => Some(Self::RawPublicKey),
            _ => None,
        }
    }
}

/// What a peer showed.
#[derive(Clone, Copy, Debug)]
pub struct PeerCertificate<'a> {
    /// Of which kind its entries are.
    pub kind: CertificateType,
    pub(crate) entries: CertificateEntries<'a>,
}

impl<'a> PeerCertificate<'a> {
    /// The entries in DER: the peer's own first, then the issuers it sent along. Never empty; only a chain has more
    /// than one.
    pub fn entries(&self) -> CertificateEntries<'a> {
        self.entries
    }
}

/// The entries of a Certificate message, checked for form when it was parsed.
#[derive(Clone, Copy, Debug)]
pub struct CertificateEntries<'a> {
    /// `certificate_list` without its length.
    pub(crate) list: &'a [u8],
    /// Whether each entry is followed by extensions, as in TLS 1.3.
    pub(crate) with_extensions: bool,
}

impl<'a> Iterator for CertificateEntries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut list = crate::wire::Reader::new(self.list);
        let length = usize::try_from(list.u24()?).ok()?;
        let entry = list.take(length)?;
        if self.with_extensions {
            let _extensions = list.vec16()?;
        }
        self.list = list.rest();
        Some(entry)
    }
}

/// A peer whose certificate is believed.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// The public key in its certificate.
    pub public_key: PublicKey,
    /// The caller's own number for it, which the finished handshake repeats in
    /// [`Established::principal`](crate::Established::principal).
    pub principal: u32,
}
