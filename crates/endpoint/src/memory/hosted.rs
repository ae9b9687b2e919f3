//! What of DTLS a host carries: everything, with the long buffers of a handshake on the heap.

use core::cell::OnceCell;
use core::marker::PhantomData;
use std::boxed::Box;
use std::vec;

use sedge_crypto::Crypto;
use sedge_dtls::{Buffer, Full, Profile};

/// [`Full`], whose buffers for flights and messages are on the heap: a handshake is passed from hand to hand while it
/// begins and ends, and this way the buffers stay where they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hosted<C>(PhantomData<C>);

impl<C: Crypto> Profile for Hosted<C> {
    type Crypto = C;
    type Flight = HeapBuffer<4096>;
    type ServerFlight = HeapBuffer<4096>;
    const SERVER: bool = Full::<C>::SERVER;
    type Server = <Full<C> as Profile>::Server;
    type Inbox = HeapBuffer<4096>;
    const DTLS_1_2: bool = Full::<C>::DTLS_1_2;
    const DTLS_1_3: bool = Full::<C>::DTLS_1_3;
    type Dtls13 = <Full<C> as Profile>::Dtls13;
    const PSK: bool = Full::<C>::PSK;
    const ECDHE: bool = Full::<C>::ECDHE;
    type Ephemeral = <Full<C> as Profile>::Ephemeral;
    const CERTIFICATES: bool = Full::<C>::CERTIFICATES;
    const RESUMPTION: bool = Full::<C>::RESUMPTION;
}

/// `N` bytes on the heap, once they are wanted: most handshakes put no message together.
#[derive(Clone, Debug)]
pub struct HeapBuffer<const N: usize>(OnceCell<Box<[u8]>>);

impl<const N: usize> HeapBuffer<N> {
    fn make() -> Box<[u8]> {
        vec![0; N].into_boxed_slice()
    }
}

impl<const N: usize> Buffer for HeapBuffer<N> {
    fn zeroed() -> Self {
        Self(OnceCell::new())
    }

    fn bytes(&self) -> &[u8] {
        self.0.get_or_init(Self::make)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let _made = self.bytes();
        self.0.get_mut().map(AsMut::as_mut).unwrap_or_default()
    }

    fn size(&self) -> usize {
        N
    }
}
