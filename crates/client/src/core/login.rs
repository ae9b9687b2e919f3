//! Who the client is in a handshake.

use sedge_crypto::Crypto;
use sedge_dtls::{Credentials, Psk};
use sedge_endpoint::memory::Buffer;
use sedge_endpoint::{Host, SessionId};

/// What the core keeps of [`Security`](super::Security).
pub(super) enum Login<N> {
    Psk { identity: N, key: Psk },
    None,
}

impl<C: Crypto, N: Buffer> Credentials<C> for &Login<N> {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        match self {
            Login::Psk { identity, key } => Some((identity.bytes(), key)),
            Login::None => None,
        }
    }
}

/// The caller's host, which sends, and the login, which says who dials.
pub(super) struct Dialler<'a, H, N> {
    pub(super) host: &'a mut H,
    pub(super) login: &'a Login<N>,
}

impl<C: Crypto, H: Host<C>, N: Buffer> Host<C> for Dialler<'_, H, N> {
    type Path = H::Path;

    fn transmit(&mut self, path: &H::Path, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        self.host.transmit(path, fill)
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<C> {
        self.login
    }
}
