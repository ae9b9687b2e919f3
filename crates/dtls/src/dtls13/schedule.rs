//! The key schedule: from what both sides know to the keys of each epoch and to Finished
//! (RFC 8446 section 7.1, with the labels of RFC 9147 section 5.9).
//!
//! ```text
//!         PSK, or 0                (EC)DHE, or 0               0
//!             |                          |                     |
//! 0 --> HKDF-Extract = Early --> HKDF-Extract = Handshake --> HKDF-Extract = Master
//!             |                          |                     |
//!           binders              epoch 2, Finished      epoch 3, tickets
//! ```

use sedge_crypto::{Crypto, Mac, Secret, hkdf_expand_into, hkdf_extract};

use super::protection::RecordKeys;

#[cfg(test)]
mod tests;

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// The digest of nothing, `Transcript-Hash("")`.
const EMPTY_DIGEST: Digest = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, //
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// What stands in for a secret that a handshake does without.
const ZEROS: [u8; 32] = [0; 32];

/// `HKDF-Expand-Label`; `keyed` is an HMAC under the secret.
#[cfg_attr(target_os = "none", inline(never))]
fn expand_label<const N: usize>(keyed: &impl Mac, label: &[u8], context: &[u8]) -> Secret<N> {
    let mut output = Secret::zero();
    expand_label_into(keyed, label, context, output.expose_mut());
    output
}

/// Not generic over the length, so that there is one copy for all.
fn expand_label_into(keyed: &impl Mac, label: &[u8], context: &[u8], output: &mut [u8]) {
    const PREFIX: &[u8] = b"dtls13";
    let length = (output.len() as u16).to_be_bytes();
    let label_len = [(PREFIX.len() + label.len()) as u8];
    let info = [&length[..], &label_len, PREFIX, label, &[context.len() as u8], context];
    hkdf_expand_into(keyed, &info, output);
}

/// Where a pre-shared key comes from: its binder is made with another label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PskOrigin {
    /// Both sides were given it.
    External,
    /// From a ticket of an earlier session.
    Resumption,
}

/// The early secret of one pre-shared key, or of none.
pub(crate) struct EarlySecret(Secret<32>);

impl EarlySecret {
    pub(crate) fn new<C: Crypto>(crypto: &C, psk: Option<&[u8]>) -> Self {
        Self(hkdf_extract(crypto, &ZEROS, psk.unwrap_or(&ZEROS)))
    }

    /// RFC 8446 section 4.2.11.2: the proof of knowing the key, over the ClientHello up to the binders.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn binder<C: Crypto>(
        &self,
        crypto: &C,
        origin: PskOrigin,
        truncated_hello: &Digest,
    ) -> Digest {
        let label: &[u8] = match origin {
            PskOrigin::External => b"ext binder",
            PskOrigin::Resumption => b"res binder",
        };
        let key = expand_label(&crypto.hmac_sha256(self.0.expose()), label, &EMPTY_DIGEST);
        TrafficSecret(key).finished(crypto, truncated_hello)
    }

    /// Mixes in what the key shares agree on, if there are any.
    pub(crate) fn into_handshake<C: Crypto>(
        self,
        crypto: &C,
        shared: Option<&Secret<32>>,
    ) -> HandshakeSecret {
        let salt = derived(crypto, &self.0);
        let shared = shared.map_or(&ZEROS, Secret::expose);
        HandshakeSecret(hkdf_extract(crypto, salt.expose(), shared))
    }
}

/// The handshake secret.
pub(crate) struct HandshakeSecret(Secret<32>);

impl HandshakeSecret {
    /// The traffic secrets of epoch 2, from the hash of ClientHello to ServerHello.
    pub(crate) fn traffic<C: Crypto>(&self, crypto: &C, hellos: &Digest) -> TrafficSecrets {
        let keyed = crypto.hmac_sha256(self.0.expose());
        TrafficSecrets {
            client: TrafficSecret(expand_label(&keyed, b"c hs traffic", hellos)),
            server: TrafficSecret(expand_label(&keyed, b"s hs traffic", hellos)),
        }
    }

    pub(crate) fn into_master<C: Crypto>(self, crypto: &C) -> MasterSecret {
        MasterSecret(hkdf_extract(crypto, derived(crypto, &self.0).expose(), &ZEROS))
    }
}

/// The salt of the next extraction.
fn derived<C: Crypto>(crypto: &C, secret: &Secret<32>) -> Secret<32> {
    expand_label(&crypto.hmac_sha256(secret.expose()), b"derived", &EMPTY_DIGEST)
}

/// The master secret.
pub(crate) struct MasterSecret(Secret<32>);

impl MasterSecret {
    /// The traffic secrets of epoch 3, from the hash of ClientHello to the server's Finished.
    pub(crate) fn traffic<C: Crypto>(&self, crypto: &C, server_finished: &Digest) -> TrafficSecrets {
        let keyed = crypto.hmac_sha256(self.0.expose());
        TrafficSecrets {
            client: TrafficSecret(expand_label(&keyed, b"c ap traffic", server_finished)),
            server: TrafficSecret(expand_label(&keyed, b"s ap traffic", server_finished)),
        }
    }

    /// What tickets' keys come from, from the hash of ClientHello to the client's Finished.
    pub(crate) fn resumption<C: Crypto>(&self, crypto: &C, client_finished: &Digest) -> ResumptionSecret {
        let keyed = crypto.hmac_sha256(self.0.expose());
        ResumptionSecret(expand_label(&keyed, b"res master", client_finished))
    }
}

/// The resumption master secret.
#[derive(Clone, Debug)]
pub(crate) struct ResumptionSecret(pub(crate) Secret<32>);

impl ResumptionSecret {
    /// RFC 8446 section 4.6.1: the pre-shared key that goes with the ticket of this nonce.
    pub(crate) fn psk<C: Crypto>(&self, crypto: &C, ticket_nonce: &[u8]) -> Secret<32> {
        expand_label(&crypto.hmac_sha256(self.0.expose()), b"resumption", ticket_nonce)
    }
}

/// Both directions' traffic secrets of one epoch.
pub(crate) struct TrafficSecrets {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
}

/// What the keys of one direction in one epoch come from.
#[derive(Clone, Debug)]
pub(crate) struct TrafficSecret(pub(crate) Secret<32>);

impl TrafficSecret {
    /// RFC 8446 section 7.3, RFC 9147 section 4.2.3.
    pub(crate) fn keys<C: Crypto>(&self, crypto: &C) -> RecordKeys {
        let keyed = crypto.hmac_sha256(self.0.expose());
        RecordKeys {
            key: expand_label(&keyed, b"key", b""),
            iv: expand_label(&keyed, b"iv", b""),
            sn: expand_label(&keyed, b"sn", b""),
        }
    }

    /// RFC 8446 section 4.4.4: the `verify_data` over a transcript.
    pub(crate) fn finished<C: Crypto>(&self, crypto: &C, transcript: &Digest) -> Digest {
        let key: Secret<32> = expand_label(&crypto.hmac_sha256(self.0.expose()), b"finished", b"");
        let mut mac = crypto.hmac_sha256(key.expose());
        mac.update(transcript);
        mac.finish()
    }

    /// RFC 8446 section 7.2: the secret of the epoch after a KeyUpdate.
    pub(crate) fn next<C: Crypto>(&self, crypto: &C) -> Self {
        Self(expand_label(&crypto.hmac_sha256(self.0.expose()), b"traffic upd", b""))
    }
}
