//! Where a client keeps its state: the caller's memory, sized by the type chosen.

use core::marker::PhantomData;

use rand_core::CryptoRng;
use sedge_dtls::{ClientOnly, Profile, Resumption};
use sedge_endpoint::memory::{Buffer, FixedBuffer};

use crate::core::{Exchange, Subscription};

/// The memory of a client, bundled as types, and how its empty state is made.
///
/// [`Fixed`] is all arrays, for firmware; [`Growing`](crate::Growing) is for hosts.
pub trait Memory {
    /// What of DTLS the client speaks, and with which provider of cryptography.
    type Dtls: Profile;
    /// The source of randomness.
    type Rng: CryptoRng;
    /// Room for one datagram.
    type Datagram: AsRef<[u8]> + AsMut<[u8]>;
    /// Room for values that nobody has asked for yet.
    type Inbox: AsRef<[u8]> + AsMut<[u8]>;
    /// Room for the name of a topic or of the server, or for an identity.
    type Name: Buffer;
    /// Room for the client's own certificates.
    type Certificates: Buffer;
    /// Room for the last session, so that a later handshake can take it up again: one place, or none.
    type Resumption: Default + AsRef<[Option<Resumption>]> + AsMut<[Option<Resumption>]>;
    /// Messages that await something: one for requests, and one for each subscription.
    type Exchanges: AsRef<[Exchange]> + AsMut<[Exchange]>;
    /// Room for subscriptions.
    type Subscriptions: AsRef<[Subscription<Self::Name>]> + AsMut<[Subscription<Self::Name>]>;

    /// Whether certificates are understood, and not only raw public keys: what it takes to check them is linked only then.
    const X509: bool;
    /// Whether plain CoAP can be spoken ([`Security::DangerousNone`](crate::Security::DangerousNone)).
    const PLAIN: bool;
    /// The longest datagram, in bytes.
    const DATAGRAM: usize;

    /// An empty datagram.
    fn datagram() -> Self::Datagram;
    /// An empty inbox.
    fn inbox() -> Self::Inbox;
    /// No exchanges.
    fn exchanges() -> Self::Exchanges;
    /// No subscriptions.
    fn subscriptions() -> Self::Subscriptions;
}

/// The provider of cryptography that comes with a client's memory.
pub(crate) type CryptoOf<M> = <<M as Memory>::Dtls as Profile>::Crypto;
/// The source of randomness that comes with a client's memory.
pub(crate) type RngOf<M> = <M as Memory>::Rng;

/// Memory in arrays: `SUBSCRIPTIONS` observed topics, `EXCHANGES` requests that await something (each
/// observation is one), datagrams of `DATAGRAM` bytes, names of `NAME` bytes, own certificates of `CERTIFICATES`
/// bytes together (none with pre-shared keys; with none, only raw public keys are understood of the server, too), and if `RESUMPTION` is 1 and not 0 the last session,
/// which the next handshake takes up again if the profile can.
///
/// `DATAGRAM` has to hold the longest datagram that the server sends. With certificates or raw public keys that is as
/// long as the path takes, 1152 bytes from a server of this project, unless the server is told less.
///
/// `EXCHANGES` has to be one more than `SUBSCRIPTIONS`.
pub struct Fixed<
    D,
    R,
    const SUBSCRIPTIONS: usize = 2,
    const EXCHANGES: usize = 3,
    const DATAGRAM: usize = 576,
    const NAME: usize = 48,
    const CERTIFICATES: usize = 0,
    const RESUMPTION: usize = 0,
    const PLAIN: bool = false,
>(PhantomData<(D, R)>);

/// `N` places for a session to resume.
pub struct Places<const N: usize>([Option<Resumption>; N]);

impl<const N: usize> Default for Places<N> {
    fn default() -> Self {
        Self([const { None }; N])
    }
}

impl<const N: usize> AsRef<[Option<Resumption>]> for Places<N> {
    fn as_ref(&self) -> &[Option<Resumption>] {
        &self.0
    }
}

impl<const N: usize> AsMut<[Option<Resumption>]> for Places<N> {
    fn as_mut(&mut self) -> &mut [Option<Resumption>] {
        &mut self.0
    }
}

impl<
    D: Profile,
    R: CryptoRng,
    const SUBSCRIPTIONS: usize,
    const EXCHANGES: usize,
    const DATAGRAM: usize,
    const NAME: usize,
    const CERTIFICATES: usize,
    const RESUMPTION: usize,
    const PLAIN: bool,
> Memory for Fixed<D, R, SUBSCRIPTIONS, EXCHANGES, DATAGRAM, NAME, CERTIFICATES, RESUMPTION, PLAIN>
{
    type Dtls = ClientOnly<D>;
    type Rng = R;
    type Exchanges = [Exchange; EXCHANGES];
    type Datagram = [u8; DATAGRAM];
    type Inbox = [u8; DATAGRAM];
    type Name = FixedBuffer<NAME>;
    type Certificates = FixedBuffer<CERTIFICATES>;
    type Resumption = Places<RESUMPTION>;
    type Subscriptions = [Subscription<FixedBuffer<NAME>>; SUBSCRIPTIONS];
    const X509: bool = CERTIFICATES > 0;
    const PLAIN: bool = PLAIN;
    const DATAGRAM: usize = DATAGRAM;

    fn exchanges() -> Self::Exchanges {
        const {
            assert!(
                EXCHANGES > SUBSCRIPTIONS,
                "one exchange is for requests, and each subscription has its own"
            )
        };
        [Exchange::FREE; EXCHANGES]
    }

    fn datagram() -> Self::Datagram {
        [0; DATAGRAM]
    }

    fn inbox() -> Self::Inbox {
        [0; DATAGRAM]
    }

    fn subscriptions() -> Self::Subscriptions {
        core::array::from_fn(|_| Subscription::default())
    }
}

/// Memory that grows with use, for hosts: up to 32 subscriptions, datagrams of 1280 bytes, and 64 KB of values
/// that nobody has asked for yet.
#[cfg(feature = "std")]
pub struct Growing<D, R>(PhantomData<(D, R)>);

#[cfg(feature = "std")]
mod growing {
    use std::boxed::Box;
    use std::vec;

    use sedge_endpoint::memory::GrowingBuffer;

    use super::{CryptoRng, Exchange, Growing, Memory, Places, Profile, Subscription};

    const SUBSCRIPTIONS: usize = 32;

    impl<D: Profile, R: CryptoRng> Memory for Growing<D, R> {
        type Dtls = D;
        type Rng = R;
        type Exchanges = Box<[Exchange]>;
        type Datagram = Box<[u8]>;
        type Inbox = Box<[u8]>;
        type Name = GrowingBuffer;
        type Certificates = GrowingBuffer;
        type Resumption = Places<1>;
        type Subscriptions = Box<[Subscription<GrowingBuffer>]>;
        const X509: bool = true;
        const PLAIN: bool = true;
        const DATAGRAM: usize = 1280;

        fn exchanges() -> Self::Exchanges {
            vec![Exchange::FREE; SUBSCRIPTIONS + 1].into()
        }

        fn datagram() -> Self::Datagram {
            vec![0; Self::DATAGRAM].into()
        }

        fn inbox() -> Self::Inbox {
            vec![0; 65_536].into()
        }

        fn subscriptions() -> Self::Subscriptions {
            (0..SUBSCRIPTIONS).map(|_| Subscription::default()).collect()
        }
    }
}
