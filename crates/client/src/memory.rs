//! Where a client keeps its state: the caller's memory, sized by the type chosen.

use core::marker::PhantomData;

use rand_core::CryptoRng;
use sedge_dtls::{ClientOnly, Profile, Resumption};
use sedge_endpoint::Parts;
use sedge_endpoint::memory::{Buffer, FixedBuffer, FixedMemory, Memory as EndpointMemory, Path};

use crate::core::Subscription;

/// The one peer of a client. Which address it has is the business of the [`Datagram`](crate::Datagram)s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Server;

impl Path for Server {
    fn cookie_bytes(&self, _: &mut [u8; 32]) -> usize {
        // Only servers make cookies.
        0
    }
}

/// The memory of a client, bundled as types, and how its empty state is made.
///
/// [`Fixed`] is all arrays, for firmware; [`Growing`](crate::Growing) is for hosts.
pub trait Memory {
    /// The memory of the endpoint underneath, with the providers of cryptography and randomness.
    type Endpoint: EndpointMemory<Path = Server>;
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
    /// Room for subscriptions.
    type Subscriptions: AsRef<[Option<Subscription<Self::Name>>]> + AsMut<[Option<Subscription<Self::Name>>]>;

    /// The endpoint's empty state.
    fn endpoint() -> Parts<Self::Endpoint>;
    /// An empty datagram.
    fn datagram() -> Self::Datagram;
    /// An empty inbox.
    fn inbox() -> Self::Inbox;
    /// No subscriptions.
    fn subscriptions() -> Self::Subscriptions;
}

/// What of DTLS a client speaks.
pub(crate) type ProfileOf<M> = <<M as Memory>::Endpoint as EndpointMemory>::Dtls;
/// The provider of cryptography that comes with a client's memory.
pub(crate) type CryptoOf<M> = sedge_endpoint::memory::CryptoOf<<M as Memory>::Endpoint>;
/// The source of randomness that comes with a client's memory.
pub(crate) type RngOf<M> = <<M as Memory>::Endpoint as EndpointMemory>::Rng;

/// Memory in arrays: `SUBSCRIPTIONS` observed topics, `EXCHANGES` requests that await something (each
/// observation is one), datagrams of `DATAGRAM` bytes, names of `NAME` bytes, own certificates of `CERTIFICATES`
/// bytes together (none with pre-shared keys or a raw public key), and if `RESUMPTION` is 1 and not 0 the last session,
/// which the next handshake takes up again if the profile can.
///
/// `DATAGRAM` has to hold the longest datagram that the server sends. With certificates or raw public keys that is as
/// long as the path takes, 1152 bytes from a server of this project, unless the server is told less.
///
/// `EXCHANGES` should be one more than `SUBSCRIPTIONS`, and is at most 15.
pub struct Fixed<
    D,
    R,
    const SUBSCRIPTIONS: usize = 2,
    const EXCHANGES: usize = 3,
    const DATAGRAM: usize = 576,
    const NAME: usize = 48,
    const CERTIFICATES: usize = 0,
    const RESUMPTION: usize = 0,
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

/// As many timers as the endpoint of [`Fixed`] can ever need.
const TIMERS: usize = 16;

impl<
    D: Profile,
    R: CryptoRng,
    const SUBSCRIPTIONS: usize,
    const EXCHANGES: usize,
    const DATAGRAM: usize,
    const NAME: usize,
    const CERTIFICATES: usize,
    const RESUMPTION: usize,
> Memory for Fixed<D, R, SUBSCRIPTIONS, EXCHANGES, DATAGRAM, NAME, CERTIFICATES, RESUMPTION>
{
    type Endpoint = FixedMemory<Server, ClientOnly<D>, R, 1, 1, EXCHANGES, DATAGRAM, TIMERS>;
    type Datagram = [u8; DATAGRAM];
    type Inbox = [u8; DATAGRAM];
    type Name = FixedBuffer<NAME>;
    type Certificates = FixedBuffer<CERTIFICATES>;
    type Resumption = Places<RESUMPTION>;
    type Subscriptions = [Option<Subscription<FixedBuffer<NAME>>>; SUBSCRIPTIONS];

    fn endpoint() -> Parts<Self::Endpoint> {
        Parts::default()
    }

    fn datagram() -> Self::Datagram {
        [0; DATAGRAM]
    }

    fn inbox() -> Self::Inbox {
        [0; DATAGRAM]
    }

    fn subscriptions() -> Self::Subscriptions {
        [const { None }; SUBSCRIPTIONS]
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

    use sedge_endpoint::memory::{GrowingBuffer, PagedMemory};

    use super::{CryptoRng, Growing, Memory, Parts, Places, Profile, Server, Subscription};

    const SUBSCRIPTIONS: usize = 32;

    impl<D: Profile, R: CryptoRng> Memory for Growing<D, R> {
        type Endpoint = PagedMemory<Server, D, R>;
        type Datagram = Box<[u8]>;
        type Inbox = Box<[u8]>;
        type Name = GrowingBuffer;
        type Certificates = GrowingBuffer;
        type Resumption = Places<1>;
        type Subscriptions = Box<[Option<Subscription<GrowingBuffer>>]>;

        fn endpoint() -> Parts<Self::Endpoint> {
            // Four exchanges per session: enough for every subscription, its renewal and a request.
            PagedMemory::parts(SUBSCRIPTIONS / 2, 2, 64)
        }

        fn datagram() -> Self::Datagram {
            vec![0; 1280].into()
        }

        fn inbox() -> Self::Inbox {
            vec![0; 65_536].into()
        }

        fn subscriptions() -> Self::Subscriptions {
            (0..SUBSCRIPTIONS).map(|_| None).collect()
        }
    }
}
