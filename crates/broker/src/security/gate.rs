//! What a shard tells a handshake: who the broker is, and who the client is if it is believed.

use std::sync::{PoisonError, RwLockReadGuard};

use sedge_crypto::{Crypto as _, CryptoRng, Signature, public_key_from_info};
use sedge_dtls::{
    AlertDescription, CertificateType, Credentials, PeerCertificate, Psk, TicketKeys, Verified,
};
use sedge_time::Duration;
use sedge_x509::Error;

use super::{Provider, Security, count};
use crate::admin::{check_device_name, unix_seconds};
use crate::state::State;
use crate::{Login, Principal};

/// The broker's side of one handshake, for one call.
pub(crate) struct Gate<'a> {
    state: &'a State,
    security: &'a Security,
    tickets: RwLockReadGuard<'a, TicketKeys>,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(state: &'a State, security: &'a Security) -> Self {
        let tickets = security.tickets.read().unwrap_or_else(PoisonError::into_inner);
        Self { state, security, tickets }
    }

    fn raw_public_key(&self, entry: &[u8]) -> Result<Verified, AlertDescription> {
        let counter = &self.security.counters.unknown_keys;
        let public_key = public_key_from_info(entry).map_err(|_| {
            count(counter);
            AlertDescription::UNSUPPORTED_CERTIFICATE
        })?;
        let device = self.state.directory.by_login(&Login::PublicKey(public_key));
        let principal = match device {
            Some((principal, _)) => Some(principal),
            None => self.state.tokens.by_public_key(&public_key),
        };
        match principal {
            Some(principal) => Ok(Verified { public_key, principal }),
            None => {
                count(counter);
                self.state.audit.sign_in_failed("unknown-key", crate::pin(&public_key));
                Err(AlertDescription::CERTIFICATE_UNKNOWN)
            }
        }
    }

    fn certificate(&self, shown: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        let Security { trust, counters, .. } = self.security;
        let now = unix_seconds();
        let certificate = trust.judge(shown.entries(), now).map_err(|error| {
            count(match error {
                Error::Revoked => &counters.certificates_revoked,
                Error::CrlExpired => &counters.revocation_list_expired,
                _ => &counters.certificates_refused,
            });
            if error == Error::CrlExpired && self.security.may_complain(now) {
                tracing::error!(%error, "a device is refused: sign a new list, as `sedge ca crl` does");
            }
            self.state.audit.sign_in_failed("certificate-refused", error);
            tracing::debug!(%error, "a certificate is refused");
            AlertDescription(error.alert())
        })?;
        let name = certificate.peer_name().unwrap_or_default();
        match self.state.directory.by_login(&Login::Certificate(name.to_owned())) {
            Some((principal, _)) => {
                trust.note(principal, shown.entries());
                Ok(Verified { public_key: *certificate.public_key(), principal })
            }
            None => {
                count(&counters.unknown_names);
                self.state.audit.sign_in_failed("unknown-name", name);
                tracing::debug!(name, "nobody with a certificate of this name is enrolled");
                Err(AlertDescription::CERTIFICATE_UNKNOWN)
            }
        }
    }
}

impl Credentials<Provider> for Gate<'_> {
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, Principal)> {
        if !self.security.psk {
            return None;
        }
        if let Some((principal, device)) = self.state.directory.by_login(&Login::Psk(identity.to_vec())) {
            return Some((Psk::new(device.credential.key()?.expose())?, principal));
        }
        let refused = match self.state.tokens.by_identity(unix_seconds(), identity) {
            Ok(found) => return Some(found),
            Err(refused) => refused,
        };
        count(&self.security.counters.unknown_identities);
        // Only what looks like a name: others may have mixed something up with their key.
        let name = std::str::from_utf8(identity).ok().filter(|said| check_device_name(said).is_ok());
        match (name, refused) {
            (None, Some(refused)) => self.state.audit.token_not_good(refused),
            (name, _) => self.state.audit.sign_in_failed("unknown-identity", name.unwrap_or("not a name")),
        }
        None
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        let security = self.security;
        match kind {
            _ if !security.takes_public_keys() => None,
            CertificateType::RawPublicKey => (index == 0).then_some(&security.identity.info),
            CertificateType::X509 => security.identity.chain.get(index).map(Vec::as_slice),
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &Provider,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.security.identity.key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        self.security.believes
    }

    fn verify(&mut self, _: &Provider, shown: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        match shown.kind {
            kind if !self.security.believes.contains(&kind) => Err(AlertDescription::UNSUPPORTED_CERTIFICATE),
            CertificateType::RawPublicKey => self.raw_public_key(shown.entries().next().unwrap_or_default()),
            CertificateType::X509 => self.certificate(shown),
        }
    }

    fn tickets(&self) -> Option<(&TicketKeys, Duration)> {
        let lifetime = self.security.ticket_lifetime;
        (!lifetime.is_zero()).then(|| (&*self.tickets, lifetime.into()))
    }

    /// A device that was removed has lost its number for ever, and so has a key whose token is over.
    fn may_resume(&mut self, principal: Principal) -> bool {
        match principal {
            0 => self.security.admits_anonymous(),
            principal => {
                self.state.directory.by_principal(principal).is_some()
                    || self.state.tokens.get(principal).is_some()
            }
        }
    }
}
