//! The key schedule of TLS 1.2: from the premaster secret to record keys and Finished
//! (RFC 5246 sections 5, 6.3, 7.4.9 and 8.1, RFC 7627 section 4).

use sedge_crypto::{Crypto, Mac, Secret};

use super::premaster::Premaster;
use crate::handshake::Context;
use crate::protection::DirectionKeys;

#[cfg(test)]
mod tests;

/// What the master secret is bound to.
pub(crate) enum Binding<'a> {
    /// The hash of all messages up to ClientKeyExchange: the extended master secret.
    SessionHash(&'a [u8; 32]),
    /// The two randoms alone.
    Randoms,
}

/// The master secret of one connection, as a keyed HMAC state: the key is hashed once.
pub(crate) struct MasterSecret<C: Crypto> {
    secret: Secret<48>,
    keyed: C::Mac,
}

/// The two directions' record keys.
pub(crate) struct RecordKeys {
    pub(crate) client_write: DirectionKeys,
    pub(crate) server_write: DirectionKeys,
}

/// Both sides' randoms.
#[derive(Clone, Debug)]
pub(crate) struct Randoms {
    pub(crate) client: [u8; 32],
    pub(crate) server: [u8; 32],
}

impl<C: Crypto> MasterSecret<C> {
    /// From what the key exchange yields.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn new(crypto: &C, premaster: &Premaster, randoms: &Randoms, binding: Binding<'_>) -> Self {
        let keyed = crypto.hmac_sha256(premaster.expose());
        let mut secret = Secret::zero();
        let (label, seed): (&[u8], [&[u8]; 2]) = match binding {
            Binding::SessionHash(hash) => (b"extended master secret", [hash, &[]]),
            Binding::Randoms => (b"master secret", [&randoms.client, &randoms.server]),
        };
        prf(&keyed, label, &seed, secret.expose_mut());
        Self::from_secret(crypto, secret)
    }

    /// From the secret itself, as a session that is resumed has it.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn from_secret(crypto: &C, secret: Secret<48>) -> Self {
        let keyed = crypto.hmac_sha256(secret.expose());
        Self { secret, keyed }
    }

    /// The secret itself.
    pub(crate) const fn secret(&self) -> &Secret<48> {
        &self.secret
    }

    /// Tells it to whoever wants to look at captures.
    pub(crate) fn log<R: ?Sized>(&self, cx: &mut Context<'_, C, R>, client_random: &[u8; 32]) {
        if let Some(key_log) = &mut cx.dangerous_key_log {
            key_log.secret("CLIENT_RANDOM", client_random, self.secret.expose());
        }
    }

    /// RFC 5246 section 6.3: an AEAD suite with 16-byte keys and 4-byte salts and no MAC keys.
    pub(crate) fn record_keys(&self, randoms: &Randoms) -> RecordKeys {
        let mut block = Secret::<40>::zero();
        prf(&self.keyed, b"key expansion", &[&randoms.server, &randoms.client], block.expose_mut());
        let block = block.expose();
        RecordKeys {
            client_write: DirectionKeys { key: part(block, 0), salt: part(block, 32) },
            server_write: DirectionKeys { key: part(block, 16), salt: part(block, 36) },
        }
    }

    /// The client's verify_data, from the hash of all messages before its Finished.
    pub(crate) fn client_verify_data(&self, transcript: &[u8; 32]) -> [u8; 12] {
        self.verify_data(b"client finished", transcript)
    }

    /// The server's verify_data, from the hash of all messages up to the client's Finished.
    pub(crate) fn server_verify_data(&self, transcript: &[u8; 32]) -> [u8; 12] {
        self.verify_data(b"server finished", transcript)
    }

    fn verify_data(&self, label: &[u8], transcript: &[u8; 32]) -> [u8; 12] {
        let mut out = [0; 12];
        prf(&self.keyed, label, &[transcript], &mut out);
        out
    }
}

/// The `N` bytes of the key block that start at `at`.
fn part<const N: usize>(block: &[u8; 40], at: usize) -> Secret<N> {
    let mut part = Secret::zero();
    for (to, from) in part.expose_mut().iter_mut().zip(block.iter().skip(at)) {
        *to = *from;
    }
    part
}

/// `PRF(secret, label, seed)` with `P_SHA256` (RFC 5246 section 5); the seed comes in parts.
fn prf<M: Mac>(keyed: &M, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let mut a = hmac(keyed, &[label], seed);
    let mut chunks = out.chunks_mut(32).peekable();
    while let Some(chunk) = chunks.next() {
        for (to, from) in chunk.iter_mut().zip(hmac(keyed, &[&a, label], seed)) {
            *to = from;
        }
        if chunks.peek().is_some() {
            a = hmac(keyed, &[&a], &[]);
        }
    }
}

/// The HMAC of these parts and of those behind them.
#[cfg_attr(target_os = "none", inline(never))]
fn hmac<M: Mac>(keyed: &M, parts: &[&[u8]], more: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    parts.iter().chain(more).for_each(|part| mac.update(part));
    mac.finish()
}
