//! Sealing and opening the fragment of one record (RFC 6655 section 3, RFC 9146 section 5).

use sedge_crypto::{Aead, AeadError, Crypto, Secret};

use crate::record::{ContentType, DTLS_1_2, Header};
use crate::wire::Writer;

/// Bytes of nonce that travel with every record.
pub(crate) const EXPLICIT_NONCE: usize = 8;

/// What protects the records of one direction: the key and the salt (the nonce's implicit part).
#[derive(Clone, Debug)]
pub(crate) struct DirectionKeys {
    pub(crate) key: Secret<16>,
    pub(crate) salt: Secret<4>,
}

impl DirectionKeys {
    /// Encrypts `in_out` and writes the tag behind it, into `tag`, which must be as long as the suite's tag.
    pub(crate) fn seal<C: Crypto>(
        &self,
        crypto: &C,
        aead: Aead,
        header: &Header,
        cid: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), AeadError> {
        // The explicit nonce is the epoch and sequence number: never the same twice under one key.
        let nonce = self.nonce(epoch_and_sequence(header).to_be_bytes());
        let mut aad = [0; MAX_AAD];
        let aad = additional_data(&mut aad, header, cid, in_out.len())?;
        let computed = crypto.seal(aead, self.key.expose(), &nonce, aad, in_out)?;
        match tag.len() == computed.as_bytes().len() {
            true => tag.copy_from_slice(computed.as_bytes()),
            false => return Err(AeadError),
        }
        Ok(())
    }

    /// Decrypts `in_out` in place if `tag` is right.
    #[expect(clippy::too_many_arguments, reason = "these are the parts of one record")]
    pub(crate) fn open<C: Crypto>(
        &self,
        crypto: &C,
        aead: Aead,
        header: &Header,
        cid: &[u8],
        explicit_nonce: [u8; EXPLICIT_NONCE],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        let mut aad = [0; MAX_AAD];
        let aad = additional_data(&mut aad, header, cid, in_out.len())?;
        crypto.open(aead, self.key.expose(), &self.nonce(explicit_nonce), aad, in_out, tag)
    }

    fn nonce(&self, explicit: [u8; EXPLICIT_NONCE]) -> [u8; 12] {
        let [a, b, c, d] = *self.salt.expose();
        let [e, f, g, h, i, j, k, l] = explicit;
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }
}

/// The epoch and the sequence number as the one 64-bit number they are on the wire.
pub(crate) const fn epoch_and_sequence(header: &Header) -> u64 {
    (header.epoch as u64) << 48 | header.sequence
}

const MAX_AAD: usize = 23 + crate::cid::ConnectionId::MAX_LEN;

/// RFC 5246 section 6.2.3.3, or RFC 9146 section 5.3 for a record with a Connection ID.
fn additional_data<'a>(
    buf: &'a mut [u8; MAX_AAD],
    header: &Header,
    cid: &[u8],
    length: usize,
) -> Result<&'a [u8], AeadError> {
    let length = u16::try_from(length).map_err(|_| AeadError)?;
    let mut out = Writer::new(buf);
    if header.content_type == ContentType::TLS12_CID {
        out.bytes(&[0xff; 8]);
        out.u8(ContentType::TLS12_CID.0);
        out.u8(u8::try_from(cid.len()).map_err(|_| AeadError)?);
        out.u8(ContentType::TLS12_CID.0);
        out.u16(DTLS_1_2);
        out.bytes(&epoch_and_sequence(header).to_be_bytes());
        out.bytes(cid);
    } else {
        out.bytes(&epoch_and_sequence(header).to_be_bytes());
        out.u8(header.content_type.0);
        out.u16(DTLS_1_2);
    }
    out.u16(length);
    let len = out.finish().ok_or(AeadError)?;
    buf.get(..len).ok_or(AeadError)
}
