//! Who the client is in a handshake, and whom it believes.

use sedge_crypto::{
    Crypto, CryptoRng, PublicKey, Secret, Signature, public_key_from_info, subject_public_key_info,
};
use sedge_dtls::{
    AlertDescription, CertificateType, Credentials, PeerCertificate, Profile, Psk, Resumption, Verified,
};
use sedge_endpoint::memory::Buffer;
use sedge_x509::{Expected, PeerName, PinnedIssuer};

use crate::memory::{CryptoOf, Memory};
use crate::security::{Identity, NotBelieved, Security, SecurityError, Trust, certificates};

/// Who the client is, and its last session.
pub(crate) struct Login<M: Memory> {
    proof: Proof<M>,
    resumption: M::Resumption,
}

/// What the core keeps of [`Security`].
enum Proof<M: Memory> {
    Psk { identity: M::Name, key: Psk },
    PublicKey(PublicKeys<M>),
    None,
}

/// The public keys of both sides.
pub(super) struct PublicKeys<M: Memory> {
    /// Our private key; zero if we show nothing.
    key: Secret<32>,
    shown: Shown<M::Certificates>,
    /// The key of the server or of its issuer.
    pinned: PublicKey,
    /// The name that the server's certificate must have; `None` if the key is the server's own.
    server_name: Option<M::Name>,
    /// Why the server was not believed last time.
    refusal: Option<NotBelieved>,
}

/// What the server gets to see.
enum Shown<C> {
    Nothing,
    RawPublicKey([u8; 91]),
    Certificates(C),
}

impl<M: Memory> Login<M> {
    pub(crate) fn new(security: Security<'_>, crypto: &CryptoOf<M>) -> Result<Self, SecurityError> {
        let proof = match security {
            Security::Psk { identity, key } => Proof::Psk { identity: name::<M>(identity)?, key },
            Security::PublicKey { own, server } => {
                // Seen by the compiler: firmware without certificates has none of this in it.
                if !<M::Dtls as Profile>::CERTIFICATES {
                    return Err(SecurityError::NotInProfile);
                }
                Proof::PublicKey(PublicKeys::new(own, server, crypto)?)
            }
            Security::DangerousNone if M::PLAIN => Proof::None,
            Security::DangerousNone => return Err(SecurityError::NotInProfile),
        };
        Ok(Self { proof, resumption: M::Resumption::default() })
    }

    /// The login for one call, with the seconds since 1970 if they are known.
    pub(super) const fn at(&mut self, now: Option<u64>) -> AtTime<'_, M> {
        AtTime { login: self, now }
    }

    pub(super) const fn is_none(&self) -> bool {
        matches!(self.proof, Proof::None)
    }

    /// The public keys, if there are any. Seen by the compiler: a profile without has no code for them.
    const fn public_keys(&self) -> Option<&PublicKeys<M>> {
        match &self.proof {
            Proof::PublicKey(keys) if <M::Dtls as Profile>::CERTIFICATES => Some(keys),
            _ => None,
        }
    }

    /// The last session, if there is one to resume.
    pub(super) fn resumption(&self) -> Option<&Resumption> {
        self.resumption.as_ref().first()?.as_ref()
    }

    /// Keeps a session to resume, or forgets the one that there is. Says whether there is room for one.
    pub(super) fn set_resumption(&mut self, resumption: Option<Resumption>) -> bool {
        let Some(place) = self.resumption.as_mut().first_mut() else { return false };
        *place = resumption;
        true
    }

    /// Why the server was not believed, if that is how the handshake ended.
    pub(super) fn take_refusal(&mut self) -> Option<NotBelieved> {
        match &mut self.proof {
            Proof::PublicKey(keys) => keys.refusal.take(),
            Proof::Psk { .. } | Proof::None => None,
        }
    }
}

impl<M: Memory> PublicKeys<M> {
    fn new(own: Identity<'_>, server: Trust<'_>, crypto: &CryptoOf<M>) -> Result<Self, SecurityError> {
        let x509 = matches!(own, Identity::Certificate { .. }) || matches!(server, Trust::Issuer { .. });
        if x509 && !M::X509 {
            return Err(SecurityError::NotInProfile);
        }
        let (key, shown) = match own {
            Identity::Anonymous => (Secret::zero(), Shown::Nothing),
            Identity::RawPublicKey { key } => {
                let prepared = crypto.signing_key(&key).map_err(|_| SecurityError::Key)?;
                let info = subject_public_key_info(&crypto.public_key(&prepared));
                (key, Shown::RawPublicKey(info))
            }
            Identity::Certificate { .. } if !M::X509 => return Err(SecurityError::NotInProfile),
            Identity::Certificate { chain, key } => {
                let _usable = crypto.signing_key(&key).map_err(|_| SecurityError::Key)?;
                if chain.is_empty() || certificates(chain).any(|certificate| certificate.is_none()) {
                    return Err(SecurityError::Chain);
                }
                let mut kept = M::Certificates::default();
                if !kept.store(chain) {
                    return Err(SecurityError::ChainTooLong);
                }
                (key, Shown::Certificates(kept))
            }
        };
        let (pinned, server_name) = match server {
            Trust::Key(key) => (key, None),
            Trust::Issuer { key, server_name } => (key, Some(name::<M>(server_name.as_bytes())?)),
        };
        Ok(Self { key, shown, pinned, server_name, refusal: None })
    }

    /// The server's key, if what it shows is to be believed.
    fn check(
        &self,
        crypto: &CryptoOf<M>,
        shown: &PeerCertificate<'_>,
        now: Option<u64>,
    ) -> Result<PublicKey, NotBelieved> {
        let first = shown.entries().next().unwrap_or_default();
        match (shown.kind, self.server_name()) {
            (CertificateType::RawPublicKey, None) => match public_key_from_info(first) {
                Ok(key) if key == self.pinned => Ok(key),
                _ => Err(NotBelieved::WrongKey),
            },
            (CertificateType::X509, Some(name)) if M::X509 => {
                let expected = Expected::server(PeerName::of_host(name));
                let certificate = PinnedIssuer::new(self.pinned).verify(crypto, first, &expected, now);
                Ok(*certificate.map_err(NotBelieved::Certificate)?.public_key())
            }
            // Not the kind that was asked for.
            _ => Err(NotBelieved::WrongKey),
        }
    }

    fn server_name(&self) -> Option<&str> {
        self.server_name.as_ref().and_then(|name| core::str::from_utf8(name.bytes()).ok())
    }
}

fn name<M: Memory>(bytes: &[u8]) -> Result<M::Name, SecurityError> {
    let mut kept = M::Name::default();
    if kept.store(bytes) { Ok(kept) } else { Err(SecurityError::NameTooLong) }
}

/// The login for one call: with the time.
pub(super) struct AtTime<'a, M: Memory> {
    login: &'a mut Login<M>,
    /// Seconds since 1970, if known.
    now: Option<u64>,
}

impl<M: Memory> Credentials<CryptoOf<M>> for AtTime<'_, M> {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        match &self.login.proof {
            Proof::Psk { identity, key } => Some((identity.bytes(), key)),
            Proof::PublicKey(_) | Proof::None => None,
        }
    }

    fn server_name(&self) -> Option<&str> {
        let keys = self.login.public_keys()?;
        // RFC 6066 section 3: literal addresses are not sent.
        keys.server_name().filter(|name| M::X509 && matches!(PeerName::of_host(name), PeerName::Dns(_)))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        let keys = self.login.public_keys()?;
        match (&keys.shown, kind) {
            (Shown::RawPublicKey(info), CertificateType::RawPublicKey) => (index == 0).then_some(info),
            (Shown::Certificates(chain), CertificateType::X509) => certificates(chain.bytes()).nth(index)?,
            _ => None,
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &CryptoOf<M>,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        let keys = self.login.public_keys()?;
        let key = crypto.signing_key(&keys.key).ok()?;
        crypto.sign(&key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        match &self.login.proof {
            Proof::PublicKey(PublicKeys { server_name: None, .. }) => &[CertificateType::RawPublicKey],
            Proof::PublicKey(_) => &[CertificateType::X509],
            Proof::Psk { .. } | Proof::None => &[],
        }
    }

    fn verify(
        &mut self,
        crypto: &CryptoOf<M>,
        shown: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let (Proof::PublicKey(keys), true) = (&mut self.login.proof, <M::Dtls as Profile>::CERTIFICATES)
        else {
            return Err(AlertDescription::CERTIFICATE_UNKNOWN);
        };
        match keys.check(crypto, shown, self.now) {
            Ok(public_key) => Ok(Verified { public_key, principal: 0 }),
            Err(refusal) => {
                keys.refusal = Some(refusal);
                Err(match refusal {
                    NotBelieved::WrongKey => AlertDescription::CERTIFICATE_UNKNOWN,
                    NotBelieved::Certificate(error) => AlertDescription(error.alert()),
                })
            }
        }
    }

    fn wants_tickets(&self) -> bool {
        !self.login.resumption.as_ref().is_empty()
    }

    fn remember(&mut self, resumption: &Resumption) {
        let _kept = self.login.set_resumption(Some(resumption.clone()));
    }

    fn recall(&mut self, _: &[u8]) -> Option<Resumption> {
        self.login.resumption().cloned()
    }
}
