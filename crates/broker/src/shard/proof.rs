//! Proof that a peer without security receives at the address it sends from
//! ([RFC 9175 section 2.4](https://www.rfc-editor.org/rfc/rfc9175#section-2.4)), before it is sent much more than
//! it sent: otherwise it could have somebody else flooded. DTLS proves that by itself.

use rand_core::Rng as _;
use sedge_coap::Message;
use sedge_coap::echo;
use sedge_crypto::{Crypto, Entropy, Mac, RustCrypto, Secret};
use sedge_endpoint::memory::Path as _;
use sedge_time::{Duration, Instant};

use crate::net::Path;

/// Makes and checks Echo values.
pub(super) struct Proof {
    mac: <RustCrypto as Crypto>::Mac,
}

impl Proof {
    /// How long a proof holds; a client may use it for several requests.
    const LIFETIME: Duration = Duration::from_secs(60);
    /// How many times what it sent a peer may be sent without proof.
    const AMPLIFICATION: usize = 3;

    /// Under a key of its own, which is known to nobody else and ends with the process.
    pub(super) fn new() -> Self {
        let mut key = Secret::<32>::zero();
        Entropy::new().fill_bytes(key.expose_mut());
        Self { mac: RustCrypto.hmac_sha256(key.expose()) }
    }

    /// The Echo value for a peer that is to prove that it is at `path`.
    pub(super) fn challenge(&self, now: Instant, path: &Path) -> [u8; echo::LEN] {
        echo::challenge(now, |time| self.tag(time, path))
    }

    /// Whether the request proves that its sender is at `path`.
    pub(super) fn is_given(&self, now: Instant, path: &Path, message: &Message<'_>) -> bool {
        message.echo().is_some_and(|value| {
            echo::verify(value, now, Self::LIFETIME, |time| self.tag(time, path)).is_ok()
        })
    }

    /// Whether an answer with `payload` bytes is too much for `request` without proof.
    pub(super) fn is_needed(request: &Message<'_>, payload: usize) -> bool {
        // An option takes a byte besides its value, mostly; those of the answer count as much as the request's.
        let options: usize = request.options().map(|(_, value)| 1 + value.len()).sum();
        let request = 4 + request.token().len() + options + request.payload().len();
        payload > request * (Self::AMPLIFICATION - 1)
    }

    fn tag(&self, time: &[u8; 8], path: &Path) -> [u8; 8] {
        let mut mac = self.mac.clone();
        let mut address = [0; 32];
        let len = path.cookie_bytes(&mut address);
        mac.update(time);
        mac.update(&address[..len]);
        let full = mac.finish();
        std::array::from_fn(|at| full[at])
    }
}

#[cfg(test)]
mod tests {
    use sedge_coap::{Code, OptionNumber, Token, Type, Writer};

    use super::*;
    use crate::net::{Via, Vias};

    #[test]
    fn a_proof_holds_for_one_address_and_some_time() {
        let mut vias = Vias::for_listeners(1);
        let via = Via { listener: 0, local: None };
        let here = vias.path("[::1]:1".parse().unwrap(), via);
        let there = vias.path("[::1]:2".parse().unwrap(), via);
        let proof = Proof::new();
        let at = |secs| Instant::EPOCH + Duration::from_secs(secs);
        let value = proof.challenge(at(100), &here);
        let mut buf = [0; 100];
        let mut writer = Writer::new(&mut buf, Type::Con, Code::GET, 1, Token::default());
        writer.option(OptionNumber::ECHO, &value);
        let len = writer.finish().unwrap();
        let message = Message::parse(&buf[..len]).unwrap();
        assert!(proof.is_given(at(101), &here, &message));
        assert!(!proof.is_given(at(101), &there, &message));
        assert!(!proof.is_given(at(161), &here, &message));
        assert!(!Proof::new().is_given(at(101), &here, &message));
    }
}
