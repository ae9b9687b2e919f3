//! The keys by which tokens are protected, and how they are replaced.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};
use sedge_ace::TokenKeys;
use sedge_crypto::{Crypto, CryptoRng, Secret, hkdf_expand};
use zeroize::Zeroizing;

use crate::Store;

/// Which generation of keys.
pub type KeyId = [u8; 8];

/// All generations that are still good for something, in order, and at the end the next one.
///
/// The next generation is there before it is needed, and resource servers on other hosts have it: when it becomes the
/// present one, they know tokens under it, even if they cannot be told at that moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Vec<Generation>);

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) id: KeyId,
    /// Since when it has been the present one, in seconds since 1970; of the next one, when it was made.
    pub(crate) since: u64,
    /// Whether it is the next one.
    waits: bool,
    /// Everything symmetric is derived from this.
    secret: Secret<32>,
    /// The private key of signatures.
    signing: Secret<32>,
}

/// How a generation is kept.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Record {
    #[n(0)]
    since: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    secret: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    signing: [u8; 32],
    #[n(3)]
    waits: Option<bool>,
}

/// How the names of such records begin.
pub(crate) const PREFIX: &str = "key/";

impl Keys {
    /// The present generation, which new tokens are protected by.
    pub(crate) fn present(&self) -> Option<&Generation> {
        self.0.iter().rev().find(|generation| !generation.waits)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Generation> {
        self.0.iter()
    }

    /// Makes what there has to be at least: a present generation, and the next one. Says whether anything was missing.
    pub(crate) fn begin<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        now: u64,
        crypto: &C,
        rng: &mut R,
        store: &mut dyn Store,
    ) -> bool {
        let missing = [self.present().is_none(), !self.0.iter().any(|generation| generation.waits)];
        for (waits, _) in [false, true].into_iter().zip(missing).filter(|(_, missing)| *missing) {
            self.insert(Generation::random(now, waits, crypto, rng), store);
        }
        missing != [false; 2]
    }

    /// Makes the next generation the present one, and another the next.
    pub(crate) fn rotate<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        now: u64,
        crypto: &C,
        rng: &mut R,
        store: &mut dyn Store,
    ) {
        // Generations follow each other even if the clock was set back, or stands.
        let after = self.present().map_or(0, |present| present.since.saturating_add(1));
        for generation in self.0.iter_mut().filter(|generation| generation.waits) {
            generation.waits = false;
            generation.since = now.max(after);
            store.put(&generation.name(), &generation.to_record());
        }
        let _made = self.begin(now, crypto, rng, store);
    }

    fn insert(&mut self, generation: Generation, store: &mut dyn Store) {
        store.put(&generation.name(), &generation.to_record());
        self.0.push(generation);
        self.sort();
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|generation| (generation.waits, generation.since));
    }

    /// Forgets the generations before the present one that `is_needed` does not keep; says whether there were any.
    pub(crate) fn prune(&mut self, is_needed: impl Fn(&KeyId) -> bool, store: &mut dyn Store) -> bool {
        let before = self.0.len();
        let present = self.present().map(|generation| generation.id);
        self.0.retain(|generation| {
            let keep = generation.waits || Some(generation.id) == present || is_needed(&generation.id);
            if !keep {
                store.remove(&generation.name());
            }
            keep
        });
        self.0.len() != before
    }

    /// Takes up what a store has kept; `false` if that is no such record.
    pub(crate) fn restore(&mut self, name: &str, record: &[u8]) -> bool {
        let Some(generation) = Generation::from_record(name, record) else { return false };
        self.0.push(generation);
        self.sort();
        true
    }
}

impl Generation {
    fn random<C: Crypto, R: CryptoRng + ?Sized>(since: u64, waits: bool, crypto: &C, rng: &mut R) -> Self {
        let mut id = KeyId::default();
        rng.fill_bytes(&mut id);
        let mut secret = Secret::zero();
        rng.fill_bytes(secret.expose_mut());
        let mut signing = Secret::zero();
        // One number in 2^32 is none of P-256's.
        loop {
            rng.fill_bytes(signing.expose_mut());
            if crypto.signing_key(&signing).is_ok() {
                break;
            }
        }
        Self { id, since, waits, secret, signing }
    }

    /// The keys that are shared with one resource server, and with no other but the one of signatures.
    pub(crate) fn for_audience<C: Crypto>(&self, crypto: &C, audience: &str) -> Option<TokenKeys> {
        let keyed = crypto.hmac_sha256(self.secret.expose());
        let part = |what: &'static str| [what.as_bytes(), b"\0", audience.as_bytes()];
        let signing = crypto.signing_key(&self.signing).ok()?;
        Some(TokenKeys {
            id: *hkdf_expand::<8>(&keyed, &part("sedge token key id")).expose(),
            encryption: hkdf_expand(&keyed, &part("sedge token encryption")),
            mac: hkdf_expand(&keyed, &part("sedge token mac")),
            derivation: hkdf_expand(&keyed, &part("sedge token key derivation")),
            verification: crypto.public_key(&signing),
        })
    }

    /// The private key of signatures.
    pub(crate) const fn signing(&self) -> &Secret<32> {
        &self.signing
    }

    fn name(&self) -> String {
        format!("{PREFIX}{}", crate::hex::encode(&self.id))
    }

    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let record = Record {
            since: self.since,
            secret: *self.secret.expose(),
            signing: *self.signing.expose(),
            waits: self.waits.then_some(true),
        };
        // A vector takes everything.
        Zeroizing::new(minicbor::to_vec(&record).unwrap_or_default())
    }

    fn from_record(name: &str, record: &[u8]) -> Option<Self> {
        let mut id = KeyId::default();
        crate::hex::decode(name.strip_prefix(PREFIX)?, &mut id)?;
        let record: Record = minicbor::decode(record).ok()?;
        Some(Self {
            id,
            since: record.since,
            waits: record.waits.unwrap_or(false),
            secret: Secret::new(record.secret),
            signing: Secret::new(record.signing),
        })
    }
}
