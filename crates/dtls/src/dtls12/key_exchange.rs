//! ServerKeyExchange and ClientKeyExchange, for the three ways to a premaster secret.
//!
//! ```text
//!                 ServerKeyExchange                      ClientKeyExchange
//! PSK             (hint)                                 identity                (RFC 4279 section 2)
//! ECDHE_PSK       hint, group, share                     identity, share         (RFC 5489 section 2)
//! ECDHE_ECDSA     group, share, signature over both      share                   (RFC 8422 sections 5.4, 5.7)
//! ```

use sedge_crypto::{Crypto, Hash, NamedGroup, Signature};

use super::schedule::Randoms;
use crate::suite::KeyExchange;
use crate::wire::{Reader, Writer};

/// `ECCurveType` `named_curve` (RFC 8422 section 5.4): the only one there is.
const NAMED_CURVE: u8 = 3;
/// `ecdsa_secp256r1_sha256` (RFC 8446 section 4.2.3), which to TLS 1.2 is SHA-256 and ECDSA (RFC 5246 section
/// 7.4.1.4.1): the only algorithm this crate signs with.
pub(crate) const ECDSA_SECP256R1_SHA256: u16 = 0x0403;

/// A ServerKeyExchange; which parts it has depends on the suite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerKeyExchange<'a> {
    pub(crate) share: Option<ServerShare<'a>>,
    pub(crate) signature: Option<DigitallySigned<'a>>,
}

/// `ServerECDHParams` (RFC 8422 section 5.4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerShare<'a> {
    /// The group's number.
    pub(crate) group: u16,
    pub(crate) point: &'a [u8],
    /// All of it as it stands in the message, which is what the signature covers.
    pub(crate) bytes: &'a [u8],
}

impl<'a> ServerKeyExchange<'a> {
    pub(crate) fn parse(kind: KeyExchange, body: &'a [u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        if kind.uses_psk() {
            // RFC 4279 section 5.2: a hint is for users, and a device has none.
            let _psk_identity_hint = body.vec16()?;
        }
        let share = if kind.is_ephemeral() { Some(ServerShare::read(&mut body)?) } else { None };
        let signature = match kind {
            KeyExchange::EcdheEcdsa => Some(DigitallySigned::read(&mut body)?),
            KeyExchange::Psk | KeyExchange::EcdhePsk => None,
        };
        body.is_empty().then_some(Self { share, signature })
    }

    /// Writes one for an ephemeral exchange, without a hint.
    pub(crate) fn write(
        out: &mut Writer<'_>,
        kind: KeyExchange,
        group: NamedGroup,
        point: &[u8],
        signature: Option<&Signature>,
    ) {
        if kind.uses_psk() {
            out.vec16(|_| {});
        }
        ServerShare::write(out, group, point);
        if let Some(signature) = signature {
            DigitallySigned::write(out, signature);
        }
    }
}

impl<'a> ServerShare<'a> {
    fn read(body: &mut Reader<'a>) -> Option<Self> {
        let from = *body;
        let named_curve = body.u8()? == NAMED_CURVE;
        let group = body.u16()?;
        let point = body.vec8()?;
        let bytes = from.rest().get(..from.rest().len() - body.rest().len())?;
        named_curve.then_some(Self { group, point, bytes })
    }

    fn write(out: &mut Writer<'_>, group: NamedGroup, point: &[u8]) {
        out.u8(NAMED_CURVE);
        out.u16(group.to_u16());
        out.vec8(|out| out.bytes(point));
    }

    /// The longest there is: a point of P-256.
    const MAX_LEN: usize = 1 + 2 + 1 + 65;

    /// What a server signs for its share (RFC 8422 section 5.4): `None` if the point is too long to be one.
    pub(crate) fn digest_of<C: Crypto>(
        crypto: &C,
        randoms: &Randoms,
        group: NamedGroup,
        point: &[u8],
    ) -> Option<[u8; 32]> {
        let mut bytes = [0; Self::MAX_LEN];
        let mut out = Writer::new(&mut bytes);
        Self::write(&mut out, group, point);
        let len = out.finish()?;
        Some(signed_digest(crypto, randoms, bytes.get(..len)?))
    }

    /// What the server has to have signed.
    pub(crate) fn digest<C: Crypto>(&self, crypto: &C, randoms: &Randoms) -> [u8; 32] {
        signed_digest(crypto, randoms, self.bytes)
    }
}

/// What the signature covers (RFC 8422 section 5.4): the randoms, so that it is good for this handshake only, and the
/// share.
fn signed_digest<C: Crypto>(crypto: &C, randoms: &Randoms, share: &[u8]) -> [u8; 32] {
    let mut hash = crypto.sha256();
    hash.update(&randoms.client);
    hash.update(&randoms.server);
    hash.update(share);
    hash.finish()
}

/// A signature with its algorithm (RFC 5246 section 4.7).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DigitallySigned<'a> {
    algorithm: u16,
    signature: &'a [u8],
}

impl<'a> DigitallySigned<'a> {
    pub(crate) fn read(body: &mut Reader<'a>) -> Option<Self> {
        Some(Self { algorithm: body.u16()?, signature: body.vec16()? })
    }

    pub(crate) fn write(out: &mut Writer<'_>, signature: &Signature) {
        out.u16(ECDSA_SECP256R1_SHA256);
        out.vec16(|out| out.bytes(signature.write_der(&mut [0; Signature::MAX_DER_LEN])));
    }

    /// The signature, if it is by the algorithm that was offered.
    pub(crate) fn signature(&self) -> Option<Signature> {
        match self.algorithm {
            ECDSA_SECP256R1_SHA256 => Signature::from_der(self.signature).ok(),
            _ => None,
        }
    }
}

/// A ClientKeyExchange; a part that the suite has no use for is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientKeyExchange<'a> {
    pub(crate) identity: &'a [u8],
    pub(crate) point: &'a [u8],
}

impl<'a> ClientKeyExchange<'a> {
    pub(crate) fn parse(kind: KeyExchange, body: &'a [u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        let identity = if kind.uses_psk() { body.vec16()? } else { &[] };
        let point = if kind.is_ephemeral() { body.vec8()? } else { &[] };
        body.is_empty().then_some(Self { identity, point })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>, kind: KeyExchange) {
        if kind.uses_psk() {
            out.vec16(|out| out.bytes(self.identity));
        }
        if kind.is_ephemeral() {
            out.vec8(|out| out.bytes(self.point));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const ALL: [KeyExchange; 3] = [KeyExchange::Psk, KeyExchange::EcdhePsk, KeyExchange::EcdheEcdsa];
    const POINT: [u8; 65] = [4; 65];

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buf = [0; 256];
        let mut out = Writer::new(&mut buf);
        write(&mut out);
        let len = out.finish().unwrap();
        buf[..len].to_vec()
    }

    fn signature() -> Signature {
        Signature::new(core::array::from_fn(|index| index as u8 | 0x81))
    }

    fn server(kind: KeyExchange) -> Vec<u8> {
        let signed = signature();
        let signature = (kind == KeyExchange::EcdheEcdsa).then_some(&signed);
        written(|out| ServerKeyExchange::write(out, kind, NamedGroup::Secp256r1, &POINT, signature))
    }

    #[test]
    fn what_is_written_is_read() {
        for kind in [KeyExchange::EcdhePsk, KeyExchange::EcdheEcdsa] {
            let bytes = server(kind);
            let message = ServerKeyExchange::parse(kind, &bytes).unwrap();
            let share = message.share.unwrap();
            assert_eq!((share.group, share.point), (23, &POINT[..]));
            assert_eq!(share.bytes[..4], [3, 0, 23, 65]);
            assert_eq!(share.bytes.len(), 4 + 65);
            let signed = message.signature.map(|signed| signed.signature().unwrap());
            assert_eq!(signed, (kind == KeyExchange::EcdheEcdsa).then(signature));
        }
        for kind in ALL {
            let message = ClientKeyExchange { identity: b"sensor", point: &POINT };
            let bytes = written(|out| message.write(out, kind));
            let read = ClientKeyExchange::parse(kind, &bytes).unwrap();
            assert_eq!(read.identity, if kind.uses_psk() { &b"sensor"[..] } else { b"" });
            assert_eq!(read.point, if kind.is_ephemeral() { &POINT[..] } else { b"" });
        }
    }

    #[test]
    fn every_truncation_and_every_byte_too_many_is_refused() {
        for kind in [KeyExchange::EcdhePsk, KeyExchange::EcdheEcdsa] {
            let whole = server(kind);
            assert!((0..whole.len()).all(|len| ServerKeyExchange::parse(kind, &whole[..len]).is_none()));
            assert!(ServerKeyExchange::parse(kind, &[&whole[..], &[0]].concat()).is_none());
        }
        for kind in ALL {
            let message = ClientKeyExchange { identity: b"sensor", point: &POINT };
            let whole = written(|out| message.write(out, kind));
            assert!((0..whole.len()).all(|len| ClientKeyExchange::parse(kind, &whole[..len]).is_none()));
            assert!(ClientKeyExchange::parse(kind, &[&whole[..], &[0]].concat()).is_none());
        }
    }

    #[test]
    fn explicit_curves_and_other_signatures_are_refused() {
        let mut explicit = server(KeyExchange::EcdheEcdsa);
        explicit[0] = 1;
        assert!(ServerKeyExchange::parse(KeyExchange::EcdheEcdsa, &explicit).is_none());
        let mut rsa = server(KeyExchange::EcdheEcdsa);
        rsa[4 + 65 + 1] = 1;
        let message = ServerKeyExchange::parse(KeyExchange::EcdheEcdsa, &rsa).unwrap();
        assert_eq!(message.signature.unwrap().signature(), None);
    }
}
