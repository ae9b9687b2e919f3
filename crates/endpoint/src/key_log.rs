//! What a host is told for its key log.

use sedge_crypto::Secret;
use sedge_dtls::KeyLog;

use crate::host::HostOf;
use crate::memory::Memory;

/// Holds the secrets of one handshake step for a host that asked for them: at most four, in DTLS 1.3.
#[derive(Default)]
pub(crate) struct CapturedKeys([Option<CapturedKey>; 4]);

struct CapturedKey {
    label: &'static str,
    client_random: [u8; 32],
    secret: Secret<48>,
    len: usize,
}

impl CapturedKey {
    fn bytes(&self) -> &[u8] {
        self.secret.expose().get(..self.len).unwrap_or_default()
    }
}

impl CapturedKeys {
    pub(crate) fn tell<M: Memory, H: HostOf<M>>(&self, host: &mut H) {
        for key in self.0.iter().flatten() {
            host.dangerous_log_keys(key.label, &key.client_random, key.bytes());
        }
    }
}

impl KeyLog for CapturedKeys {
    fn secret(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        let mut copy = Secret::zero();
        for (to, from) in copy.expose_mut().iter_mut().zip(secret) {
            *to = *from;
        }
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free =
                Some(CapturedKey { label, client_random: *client_random, secret: copy, len: secret.len() });
        }
    }
}
