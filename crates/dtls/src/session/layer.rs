//! What a session is opened and sealed with.

use core::fmt;

use sedge_crypto::Crypto;

use crate::profile::Profile;

/// What a session is opened and sealed with: a provider of cryptography, and what sessions there can be.
///
/// Every [`Crypto`] is one, for all of them. [`Of`] one [`Profile`] leaves out what that does not speak, so that it
/// is not linked.
pub trait RecordLayer {
    /// The provider.
    type Crypto: Crypto;
    /// Whether there can be sessions of DTLS 1.2.
    const DTLS_1_2: bool;
    /// Whether there can be sessions of DTLS 1.3.
    const DTLS_1_3: bool;
    /// Whether there can be sessions of a server.
    const SERVER: bool;
    /// Whether tickets are of use.
    const RESUMPTION: bool;
    /// The provider.
    fn crypto(&self) -> &Self::Crypto;
}

impl<C: Crypto> RecordLayer for C {
    type Crypto = C;
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = true;
    const SERVER: bool = true;
    const RESUMPTION: bool = true;

    fn crypto(&self) -> &C {
        self
    }
}

/// The record layer of what one profile speaks.
pub struct Of<'a, P: Profile>(&'a P::Crypto);

impl<'a, P: Profile> Of<'a, P> {
    /// With this provider.
    pub const fn new(crypto: &'a P::Crypto) -> Self {
        Self(crypto)
    }
}

impl<P: Profile> RecordLayer for Of<'_, P> {
    type Crypto = P::Crypto;
    const DTLS_1_2: bool = P::DTLS_1_2;
    const DTLS_1_3: bool = P::DTLS_1_3;
    const SERVER: bool = P::SERVER;
    const RESUMPTION: bool = P::RESUMPTION;

    fn crypto(&self) -> &P::Crypto {
        self.0
    }
}

impl<P: Profile> fmt::Debug for Of<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Of")
    }
}
