//! What of DTLS a program carries, as a type.

use core::convert::Infallible;
use core::marker::PhantomData;

use sedge_crypto::Crypto;

/// What of DTLS a program carries: its cryptography, its buffers and what it can speak.
///
/// The constants are seen by the compiler: what a profile lacks is not linked, so firmware with pre-shared keys
/// only has no elliptic curves in it. What a profile has can still be left out of one handshake by its
/// [`ClientConfig`](crate::ClientConfig) or [`ServerConfig`](crate::ServerConfig).
///
/// [`PskOnly`] and [`Full`] are ready made; a program with other wishes implements this trait for an empty type of
/// its own.
pub trait Profile {
    /// The provider of cryptography.
    type Crypto: Crypto;
    /// Memory for the longest flight that is sent, with 12 bytes of header for each message.
    type Flight: Buffer;
    /// The same for a server of DTLS 1.2, which says little where it shows no certificate.
    type ServerFlight: Buffer;
    /// Whether handshakes are accepted, not only begun; [`ClientOnly`] makes any profile one that does not.
    const SERVER: bool;
    /// Memory for handshakes that are accepted: [`Present`] or [`Absent`], as [`SERVER`](Self::SERVER) says.
    type Server: Presence;
    /// Memory for the longest message that has to be put together from fragments. One that comes whole may be of
    /// any length.
    type Inbox: Buffer;
    /// Whether DTLS 1.2 ([RFC 6347](https://www.rfc-editor.org/rfc/rfc6347)) is spoken.
    const DTLS_1_2: bool;
    /// Whether DTLS 1.3 ([RFC 9147](https://www.rfc-editor.org/rfc/rfc9147)) is spoken.
    const DTLS_1_3: bool;
    /// Memory for handshakes of DTLS 1.3: [`Present`] or [`Absent`], as [`DTLS_1_3`](Self::DTLS_1_3) says.
    type Dtls13: Presence;
    /// Whether peers may authenticate by a pre-shared key.
    const PSK: bool;
    /// Whether keys are agreed on by ephemeral Diffie-Hellman, so that recorded traffic stays secret when a
    /// long-term key is lost.
    const ECDHE: bool;
    /// Memory for the private key of such an agreement: [`Present`] or [`Absent`], as [`ECDHE`](Self::ECDHE) says.
    type Ephemeral: Presence;
    /// Whether peers may authenticate by an X.509 certificate or a raw public key; takes [`ECDHE`](Self::ECDHE).
    const CERTIFICATES: bool;
    /// Whether a session can be resumed by a later handshake.
    const RESUMPTION: bool;
}

/// DTLS 1.2 with pre-shared keys and nothing else: the smallest client and server.
#[derive(Clone, Copy, Debug, Default)]
pub struct PskOnly<C>(PhantomData<C>);

impl<C: Crypto> Profile for PskOnly<C> {
    type Crypto = C;
    type Flight = [u8; 416];
    type ServerFlight = [u8; 128];
    const SERVER: bool = true;
    type Server = Present;
    type Inbox = [u8; 192];
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = false;
    type Dtls13 = Absent;
    const PSK: bool = true;
    const ECDHE: bool = false;
    type Ephemeral = Absent;
    const CERTIFICATES: bool = false;
    const RESUMPTION: bool = false;
}

/// Everything, with buffers for certificate chains: what a broker or a host's client carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Full<C>(PhantomData<C>);

impl<C: Crypto> Profile for Full<C> {
    type Crypto = C;
    type Flight = [u8; 4096];
    type ServerFlight = [u8; 4096];
    const SERVER: bool = true;
    type Server = Present;
    type Inbox = [u8; 4096];
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = true;
    type Dtls13 = Present;
    const PSK: bool = true;
    const ECDHE: bool = true;
    type Ephemeral = Present;
    const CERTIFICATES: bool = true;
    const RESUMPTION: bool = true;
}

/// What `P` carries, but for everything that only a server needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientOnly<P>(PhantomData<P>);

impl<P: Profile> Profile for ClientOnly<P> {
    type Crypto = P::Crypto;
    type Flight = P::Flight;
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = Absent;
    type Inbox = P::Inbox;
    const DTLS_1_2: bool = P::DTLS_1_2;
    const DTLS_1_3: bool = P::DTLS_1_3;
    type Dtls13 = P::Dtls13;
    const PSK: bool = P::PSK;
    const ECDHE: bool = P::ECDHE;
    type Ephemeral = P::Ephemeral;
    const CERTIFICATES: bool = P::CERTIFICATES;
    const RESUMPTION: bool = P::RESUMPTION;
}

/// A fixed piece of memory, in an array or behind a pointer of the caller's.
pub trait Buffer {
    /// The memory, cleared.
    fn zeroed() -> Self;
    /// All of it.
    fn bytes(&self) -> &[u8];
    /// All of it, for writing.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// How much there is, known without a look at it.
    fn size(&self) -> usize {
        self.bytes().len()
    }
}

impl<const N: usize> Buffer for [u8; N] {
    fn zeroed() -> Self {
        [0; N]
    }

    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// Whether there is memory for something: [`Present`] or [`Absent`].
pub trait Presence {
    /// A `T`, or nothing that could ever be made.
    type Slot<T>: Slot<T>;
}

/// There is.
#[derive(Clone, Copy, Debug)]
pub enum Present {}

/// There is not.
#[derive(Clone, Copy, Debug)]
pub enum Absent {}

impl Presence for Present {
    type Slot<T> = Filled<T>;
}

impl Presence for Absent {
    type Slot<T> = Never<T>;
}

/// Memory for a `T`, or none.
pub trait Slot<T>: Sized {
    /// The value in its place, if there is one.
    fn put(value: T) -> Option<Self>;
    /// The value.
    fn get(&self) -> &T;
    /// The value.
    fn get_mut(&mut self) -> &mut T;
}

/// A `T`.
#[derive(Debug)]
pub struct Filled<T>(T);

impl<T> Slot<T> for Filled<T> {
    fn put(value: T) -> Option<Self> {
        Some(Self(value))
    }

    fn get(&self) -> &T {
        &self.0
    }

    fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// No `T`: there are no values of this type.
#[derive(Debug)]
pub struct Never<T>(Infallible, PhantomData<T>);

impl<T> Slot<T> for Never<T> {
    fn put(_: T) -> Option<Self> {
        None
    }

    fn get(&self) -> &T {
        match self.0 {}
    }

    fn get_mut(&mut self) -> &mut T {
        match self.0 {}
    }
}
