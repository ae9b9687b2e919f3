//! What each message of the server's flight does, in the order of the protocol (RFC 8446 sections 4.3 and 4.4).

use sedge_crypto::{Crypto, CryptoRng, constant_time_eq};

use super::{Awaiting, Secured};
use crate::alert::AlertDescription;
use crate::credentials::{CertificateType, Credentials, PeerCertificate};
use crate::dtls13::message::{self, EncryptedExtensions};
use crate::handshake::message::{Message, MessageType};
use crate::handshake::{Context, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::profile::Profile;

impl<P: Profile> Secured<P> {
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self.awaiting, Awaiting::Nothing)
    }

    /// Takes a message in its turn, or says which alert it deserves.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn message<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        limit_offered: bool,
        message: &Message<'_>,
    ) -> Result<(), AlertDescription> {
        let awaiting = core::mem::replace(&mut self.awaiting, Awaiting::Nothing);
        self.awaiting = match (awaiting, message.message_type) {
            (Awaiting::EncryptedExtensions, MessageType::ENCRYPTED_EXTENSIONS) => {
                self.encrypted_extensions(credentials, limit_offered, message.body)?
            }
            (Awaiting::CertificateRequest, MessageType::CERTIFICATE_REQUEST) if P::CERTIFICATES => {
                self.certificate_request(message.body)?
            }
            (Awaiting::CertificateRequest | Awaiting::Certificate, MessageType::CERTIFICATE)
                if P::CERTIFICATES =>
            {
                self.certificate(cx.crypto, credentials, message.body)?
            }
            (Awaiting::CertificateVerify(key), MessageType::CERTIFICATE_VERIFY) if P::CERTIFICATES => {
                let signature = message::parse_certificate_verify(message.body)
                    .ok_or(AlertDescription::DECODE_ERROR)?
                    .ok_or(AlertDescription::ILLEGAL_PARAMETER)?;
                let digest = message::signed_digest(cx.crypto, true, &self.transcript.hash());
                cx.crypto.verify(&key, &digest, &signature).map_err(|_| AlertDescription::DECRYPT_ERROR)?;
                Awaiting::Finished
            }
            (Awaiting::Finished, MessageType::FINISHED) => {
                let expected = self.traffic.server.finished(cx.crypto, &self.transcript.hash());
                if !constant_time_eq(message.body, &expected) {
                    return Err(AlertDescription::DECRYPT_ERROR);
                }
                Awaiting::Nothing
            }
            _ => return Err(AlertDescription::UNEXPECTED_MESSAGE),
        };
        self.transcript.add(message.message_type, message.body);
        self.next_seq = self.next_seq.checked_add(1).ok_or(AlertDescription::UNEXPECTED_MESSAGE)?;
        Ok(())
    }

    fn encrypted_extensions(
        &mut self,
        credentials: &impl Credentials<P::Crypto>,
        limit_offered: bool,
        body: &[u8],
    ) -> Result<Awaiting, AlertDescription> {
        let extensions = EncryptedExtensions::parse(body).ok_or(AlertDescription::DECODE_ERROR)?;
        // RFC 8446 section 4.2: nothing that was not asked for.
        if extensions.unknown
            || (extensions.record_size_limit.is_some() && !limit_offered)
            || (extensions.server_name && credentials.server_name().is_none())
        {
            return Err(AlertDescription::UNSUPPORTED_EXTENSION);
        }
        // RFC 8449 section 4: one more than a plaintext, for the content type.
        if let Some(limit) = extensions.record_size_limit {
            if limit < MIN_RECORD_SIZE_LIMIT {
                return Err(AlertDescription::ILLEGAL_PARAMETER);
            }
            self.write_limit = limit.min(MAX_PLAINTEXT + 1);
        }
        if self.psk {
            return Ok(Awaiting::Finished);
        }
        // RFC 7250 section 4.2: one of the kinds that were offered.
        if P::CERTIFICATES {
            let own = |kind| credentials.certificate(kind, 0).is_some();
            self.client_kind = chosen(extensions.client_certificate_type, |kind| {
                kind == CertificateType::X509 || own(kind)
            })?;
            self.server_kind =
                chosen(extensions.server_certificate_type, |kind| credentials.believes().contains(&kind))?;
        }
        Ok(Awaiting::CertificateRequest)
    }

    fn certificate_request(&mut self, body: &[u8]) -> Result<Awaiting, AlertDescription> {
        let usable = message::parse_certificate_request(body).ok_or(AlertDescription::DECODE_ERROR)?;
        if !usable {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        self.certificate_requested = true;
        Ok(Awaiting::Certificate)
    }

    fn certificate(
        &mut self,
        crypto: &P::Crypto,
        credentials: &mut impl Credentials<P::Crypto>,
        body: &[u8],
    ) -> Result<Awaiting, AlertDescription> {
        let entries = message::parse_certificate(body).ok_or(AlertDescription::DECODE_ERROR)?;
        let kind = self.server_kind;
        // RFC 8446 section 4.4.2.4: a server has one, and a raw public key comes alone.
        match entries.count() {
            0 => return Err(AlertDescription::DECODE_ERROR),
            1 => {}
            _ if kind == CertificateType::RawPublicKey => return Err(AlertDescription::BAD_CERTIFICATE),
            _ => {}
        }
        let verified = credentials.verify(crypto, &PeerCertificate { kind, entries })?;
        self.server.principal = verified.principal;
        self.server.authentication = kind.into();
        Ok(Awaiting::CertificateVerify(verified.public_key))
    }
}

/// The kind of certificate that a server chose; X.509 if it does not say.
fn chosen(
    kind: Option<u8>,
    offered: impl Fn(CertificateType) -> bool,
) -> Result<CertificateType, AlertDescription> {
    let kind = match kind {
        None | Some(0) => CertificateType::X509,
        Some(2) => CertificateType::RawPublicKey,
        Some(_) => return Err(AlertDescription::ILLEGAL_PARAMETER),
    };
    if offered(kind) { Ok(kind) } else { Err(AlertDescription::UNSUPPORTED_CERTIFICATE) }
}
