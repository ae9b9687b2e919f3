//! Where a client keeps its state: the caller's memory, sized by the type chosen.

#[cfg(feature = "std")]
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use rand_core::CryptoRng;
use sedge_dtls::{ClientOnly, Profile, Resumption};
use sedge_endpoint::memory::{Buffer, FixedBuffer};
use sedge_time::Instant;

use crate::config::Config;
use crate::core::{Exchange, Login, Subscription};
use crate::polled::Polled;
use crate::security::{Security, SecurityError};

/// The memory of a client, bundled as types, and how its empty state is made.
///
/// [`ClientResources`] is all arrays, for firmware; `Growing` (with the feature `std`) is for hosts.
pub trait Memory {
    /// What of DTLS the client speaks, and with which provider of cryptography.
    type Dtls: Profile;
    /// The source of randomness: the chip's own generator and nothing else, for a counter or the time of the start makes keys
    /// that can be guessed. Those of `embassy-nrf` are such sources as they are:
    ///
    /// ```ignore
    /// let mut rng = embassy_nrf::rng::Rng::new_blocking(peripherals.RNG); // nRF52
    /// rng.set_bias_correction(true);
    /// let rng = embassy_nrf::cryptocell_rng::CcRng::new_blocking(peripherals.CC_RNG); // nRF91
    /// ```
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

/// All the memory of a device's client, for one `static`: its session or the handshake that leads to it, what it awaits, its
/// buffers, and the source of randomness `R`. What of DTLS it speaks, `P` says.
///
/// There is one session, for a client has one server. The numbers are those of what can be under way on it:
///
/// - `SUBSCRIPTIONS`: how many topics are observed;
/// - `EXCHANGES`: how many requests await something: each subscription is one, and one more is for everything else;
/// - `BUFFER`: bytes of the longest datagram, and of the values that wait to be fetched. It has to hold the longest datagram
///   that the server sends. With certificates or raw public keys that is as long as the path takes, 1152 bytes from a server of
///   this project, unless the server is told less;
/// - `NAME`: bytes of the longest name of a topic, and of the identity;
/// - `CERTIFICATES`: bytes of the client's own certificates. With none, certificates of the server are not understood
///   either, only raw public keys;
/// - `RESUMPTION`: 1 if the last session is kept to be taken up by the next handshake, if the profile can;
/// - `PLAIN`: whether [no security](crate::Security::DangerousNone) can be asked for.
///
/// ```
/// # struct Rng;
/// # impl sedge_crypto::TryRng for Rng {
/// #     type Error = core::convert::Infallible;
/// #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(4) }
/// #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { Ok(4) }
/// #     fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> { Ok(()) }
/// # }
/// # impl sedge_crypto::TryCryptoRng for Rng {}
/// use sedge_client::{ClientResources, Config, Instant, Polled, Psk, PskOnly, Security, SecurityError};
/// use sedge_crypto::{Rfc7925, RustCrypto};
///
/// // Two subscriptions, and datagrams of 256 bytes.
/// type Resources = ClientResources<PskOnly<Rfc7925<RustCrypto>>, Rng, 2, 3, 256>;
/// // The build fails if it grows beyond what the board has for it.
/// const _: () = assert!(Resources::SIZE <= 4096);
///
/// /// `resources` come from a `static`, such as a `static_cell::ConstStaticCell`, by `take`.
/// fn begin(resources: &'static mut Resources, key: Psk) -> Result<&'static mut Polled<Resources>, SecurityError> {
///     let security = Security::Psk { identity: b"boiler-7", key };
///     resources.start(Instant::EPOCH, Config::default(), security, Rfc7925(RustCrypto), Rng)
/// }
/// # begin(Box::leak(Box::new(Resources::new())), Psk::new(b"sixteen secrets!").unwrap()).unwrap();
/// # println!("{} bytes", Resources::SIZE);
/// ```
///
/// The asynchronous [`Client`](crate::Client) has the same in itself, beside a buffer for what arrives; executors for devices
/// keep their tasks in statics.
pub struct ClientResources<
    P: Profile,
    R: CryptoRng,
    const SUBSCRIPTIONS: usize = 2,
    const EXCHANGES: usize = 3,
    const BUFFER: usize = 576,
    const NAME: usize = 48,
    const CERTIFICATES: usize = 0,
    const RESUMPTION: usize = 0,
    const PLAIN: bool = false,
>(MaybeUninit<Polled<Self>>);

impl<
    P: Profile,
    R: CryptoRng,
    const SUBSCRIPTIONS: usize,
    const EXCHANGES: usize,
    const BUFFER: usize,
    const NAME: usize,
    const CERTIFICATES: usize,
    const RESUMPTION: usize,
    const PLAIN: bool,
> ClientResources<P, R, SUBSCRIPTIONS, EXCHANGES, BUFFER, NAME, CERTIFICATES, RESUMPTION, PLAIN>
{
    /// How many bytes of RAM it takes.
    pub const SIZE: usize = size_of::<Self>();

    /// Memory that nobody has used yet: all zeros, so that it takes no flash.
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// A client in this memory, which will dial when it is first asked what to do. It is made where it stays: with
    /// [`Polled::new`] the stack has to hold it for a moment.
    ///
    /// # Errors
    /// [`SecurityError`].
    #[inline(always)]
    pub fn start(
        &'static mut self,
        now: Instant,
        config: Config,
        security: Security<'_>,
        crypto: P::Crypto,
        rng: R,
    ) -> Result<&'static mut Polled<Self>, SecurityError> {
        let login = Login::new(security, &crypto)?;
        Ok(self.0.write(Polled::with_login(now, config, login, crypto, rng)))
    }
}

impl<
    P: Profile,
    R: CryptoRng,
    const SUBSCRIPTIONS: usize,
    const EXCHANGES: usize,
    const BUFFER: usize,
    const NAME: usize,
    const CERTIFICATES: usize,
    const RESUMPTION: usize,
    const PLAIN: bool,
> Default for ClientResources<P, R, SUBSCRIPTIONS, EXCHANGES, BUFFER, NAME, CERTIFICATES, RESUMPTION, PLAIN>
{
    fn default() -> Self {
        Self::new()
    }
}

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
    P: Profile,
    R: CryptoRng,
    const SUBSCRIPTIONS: usize,
    const EXCHANGES: usize,
    const BUFFER: usize,
    const NAME: usize,
    const CERTIFICATES: usize,
    const RESUMPTION: usize,
    const PLAIN: bool,
> Memory for ClientResources<P, R, SUBSCRIPTIONS, EXCHANGES, BUFFER, NAME, CERTIFICATES, RESUMPTION, PLAIN>
{
    type Dtls = ClientOnly<P>;
    type Rng = R;
    type Exchanges = [Exchange; EXCHANGES];
    type Datagram = [u8; BUFFER];
    type Inbox = [u8; BUFFER];
    type Name = FixedBuffer<NAME>;
    type Certificates = FixedBuffer<CERTIFICATES>;
    type Resumption = Places<RESUMPTION>;
    type Subscriptions = [Subscription<FixedBuffer<NAME>>; SUBSCRIPTIONS];
    const X509: bool = CERTIFICATES > 0;
    const PLAIN: bool = PLAIN;
    const DATAGRAM: usize = BUFFER;

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
        [0; BUFFER]
    }

    fn inbox() -> Self::Inbox {
        [0; BUFFER]
    }

    fn subscriptions() -> Self::Subscriptions {
        [const { Subscription::free(FixedBuffer::EMPTY) }; SUBSCRIPTIONS]
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
            (0..SUBSCRIPTIONS).map(|_| Subscription::free(GrowingBuffer::default())).collect()
        }
    }
}
