//! Sources of randomness: a good one, one that says what it is told, and broken ones.

use core::convert::Infallible;

use sedge_crypto::{Crypto, KeyError, NamedGroup, RustCrypto, TryCryptoRng, TryRng};

/// Deterministic and different for every seed: SplitMix64.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.word())
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for chunk in into.chunks_mut(8) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// Yields these 32 bytes, over and over.
pub(crate) struct Scripted(pub(crate) [u8; 32]);

impl TryRng for Scripted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("keys are drawn as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("keys are drawn as bytes")
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Scripted {}

/// A provider that can be given the private key of a key exchange, for known answers.
pub(crate) trait KnownKeys: Crypto {
    fn known_key(&self, group: NamedGroup, private: [u8; 32]) -> Result<Self::EphemeralKey, KeyError>;
}

impl KnownKeys for RustCrypto {
    fn known_key(&self, group: NamedGroup, private: [u8; 32]) -> Result<Self::EphemeralKey, KeyError> {
        self.ephemeral_key(group, &mut Scripted(private))
    }
}

#[cfg(feature = "host")]
impl KnownKeys for sedge_crypto::HostCrypto {
    fn known_key(&self, group: NamedGroup, private: [u8; 32]) -> Result<Self::EphemeralKey, KeyError> {
        self.dangerous_ephemeral_key(group, &sedge_crypto::Secret::new(private))
    }
}

#[cfg(feature = "host")]
#[test]
fn a_private_key_out_of_range_is_none() {
    for byte in [0, 0xff] {
        let key = sedge_crypto::HostCrypto.known_key(NamedGroup::Secp256r1, [byte; 32]);
        assert_eq!(key.err(), Some(KeyError::PrivateKey));
    }
}

/// A source that yields nothing in P-256's range neither hangs its user nor makes a key.
#[test]
fn broken_sources_are_noticed() {
    let crypto = RustCrypto;
    for byte in [0, 0xff] {
        let key = crypto.ephemeral_key(NamedGroup::Secp256r1, &mut Scripted([byte; 32]));
        assert_eq!(key.err(), Some(KeyError::Randomness));
    }
}

/// The first draw that is in range is the key.
#[test]
fn draws_out_of_range_are_skipped() {
    let crypto = RustCrypto;
    struct Late(u8);
    impl TryRng for Late {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unreachable!()
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            unreachable!()
        }
        fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
            self.0 += 1;
            into.fill(if self.0 < 3 { 0xff } else { self.0 });
            Ok(())
        }
    }
    impl TryCryptoRng for Late {}

    let share = |key| crypto.key_share(&key);
    let late = crypto.ephemeral_key(NamedGroup::Secp256r1, &mut Late(0)).map(share);
    assert_eq!(late, crypto.ephemeral_key(NamedGroup::Secp256r1, &mut Scripted([3; 32])).map(share));
}
