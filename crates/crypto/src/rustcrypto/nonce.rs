//! Nonces for ECDSA (RFC 6979 sections 3.2 and 3.6): HMAC_DRBG over the private key, the digest and more.

use super::hash::RustMac;
use crate::provider::Mac;
use crate::secret::Secret;

/// A sequence of candidates. Each is looked at only if the one before was refused.
pub(crate) struct Nonces {
    key: Secret<32>,
    value: Secret<32>,
    /// Whether a candidate has been drawn, and so, if there is a next, refused.
    drawn: bool,
}

impl Nonces {
    /// The sequence for a private key, a digest reduced by the order of the curve, and `extra` input of any length.
    pub(crate) fn new(scalar: &Secret<32>, reduced: &[u8; 32], extra: &[u8]) -> Self {
        let mut nonces = Self { key: Secret::zero(), value: Secret::new([1; 32]), drawn: false };
        for separator in [0, 1] {
            nonces.rekey(&[&[separator], scalar.expose(), reduced, extra]);
        }
        nonces
    }

    /// The next candidate.
    pub(crate) fn next(&mut self) -> &Secret<32> {
        if self.drawn {
            self.rekey(&[&[0]]);
        }
        self.drawn = true;
        self.advance();
        &self.value
    }

    fn rekey(&mut self, input: &[&[u8]]) {
        let mut mac = RustMac::new(self.key.expose());
        mac.update(self.value.expose());
        input.iter().for_each(|part| mac.update(part));
        *self.key.expose_mut() = mac.finish();
        self.advance();
    }

    fn advance(&mut self) {
        let mut mac = RustMac::new(self.key.expose());
        mac.update(self.value.expose());
        *self.value.expose_mut() = mac.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::NistP256;
    use p256::elliptic_curve::Curve;

    /// Candidates past the first occur once in 2^32 signatures, where no vector is: another implementation tells.
    #[test]
    fn refused_candidates_have_successors() {
        let (scalar, reduced, extra) = (Secret::new([3; 32]), [5; 32], [7; 20]);
        let mut ours = Nonces::new(&scalar, &reduced, &extra);
        let order = NistP256::ORDER;
        let mut theirs =
            rfc6979::KGenerator::<sha2::Sha256, _>::new(scalar.expose(), &reduced, &extra, order.as_ref());
        for _ in 0..4 {
            let mut candidate = [0; 32];
            theirs.fill_next_k(&mut candidate);
            assert_eq!(ours.next().expose(), &candidate);
        }
    }
}
