//! What a client offers: its ClientHello.

use sedge_crypto::{Crypto, CryptoRng, NamedGroup, Secret};
use sedge_time::Instant;

use super::legacy::Legacy;
use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError};
use crate::credentials::{CertificateType, Credentials};
use crate::dtls13::extension::{self, KeyShareEntry, PSK_DHE_KE, PSK_KE, number};
use crate::dtls13::flight::Flight;
use crate::dtls13::is_dtls_1_3;
use crate::dtls13::message::write_signature_algorithms;
use crate::dtls13::schedule::{EarlySecret, PskOrigin};
use crate::dtls13::transcript::Transcript;
use crate::handshake::message::MessageType;
use crate::handshake::resumption::Resumption;
use crate::handshake::{Context, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::profile::{Buffer, Profile};
use crate::psk::MAX_IDENTITY;
use crate::record::{DTLS_1_2, DTLS_1_3};
use crate::suite::CipherSuite;
use crate::wire::Writer;

/// What the client brought along, and what it says in every ClientHello of one handshake.
pub(super) struct Offer<C: Crypto> {
    pub(super) random: [u8; 32],
    suites: [CipherSuite; ClientConfig::MAX_SUITES],
    suites_len: u8,
    /// Without groups there are no key shares: a pre-shared key alone.
    groups: [Option<NamedGroup>; 2],
    pub(super) share: Option<(NamedGroup, C::EphemeralKey)>,
    pub(super) own_cid: Option<ConnectionId>,
    pub(super) record_size_limit: Option<u16>,
    pub(super) return_routability: bool,
    /// Whether there is a session to be resumed.
    resumes: bool,
    /// The ClientHello's message_seq.
    pub(super) message_seq: u16,
}

/// What is said in one ClientHello and not in another.
pub(super) struct Says<'a> {
    /// For the age of tickets.
    pub(super) now: Instant,
    /// Of a HelloRetryRequest.
    pub(super) cookie: Option<&'a [u8]>,
    /// Of a HelloVerifyRequest.
    pub(super) legacy_cookie: &'a [u8],
    pub(super) legacy: Option<&'a Legacy>,
}

/// Length of a binder in its list.
const BINDER_ENTRY: usize = 1 + 32;

impl<C: Crypto> Offer<C> {
    pub(super) const NOTHING: Self = Self {
        random: [0; 32],
        suites: [CipherSuite(0); ClientConfig::MAX_SUITES],
        suites_len: 0,
        groups: [None; 2],
        share: None,
        own_cid: None,
        record_size_limit: None,
        return_routability: false,
        resumes: false,
        message_seq: 0,
    };

    /// Makes it what this configuration and these credentials have to offer.
    pub(super) fn fill<P: Profile<Crypto = C>, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        credentials: &mut impl Credentials<C>,
        config: &ClientConfig<'_>,
    ) -> Result<(), ConfigError> {
        let psk = P::PSK && credentials.own_psk().is_some();
        if credentials.own_psk().is_some_and(|(identity, _)| identity.len() > MAX_IDENTITY) {
            return Err(ConfigError::IdentityTooLong);
        }
        let offer = self;
        *offer = Self {
            own_cid: config.own_cid,
            record_size_limit: config.transport.record_size_limit,
            return_routability: config.transport.return_routability && config.own_cid.is_some(),
            ..Self::NOTHING
        };
        if P::ECDHE {
            offer.groups.iter_mut().zip(config.groups).for_each(|(place, group)| *place = Some(*group));
        }
        let certificates = P::CERTIFICATES && offer.groups != [None; 2] && !credentials.believes().is_empty();
        for &suite in config.suites.iter().filter(|suite| is_dtls_1_3(**suite)) {
            let place = offer.suites.get_mut(usize::from(offer.suites_len));
            *place.ok_or(ConfigError::UnusableSuites)? = suite;
            offer.suites_len += 1;
        }
        let resumable = P::RESUMPTION && credentials.recall(&[]).is_some_and(|it| is_usable(&it));
        if offer.suites_len == 0 || !(psk || certificates || resumable) {
            return Err(ConfigError::UnusableSuites);
        }
        let limits = MIN_RECORD_SIZE_LIMIT..=MAX_PLAINTEXT;
        if offer.record_size_limit.is_some_and(|limit| !limits.contains(&limit)) {
            return Err(ConfigError::RecordSizeLimit);
        }
        offer.renew::<P, R>(cx, credentials).ok_or(ConfigError::NoKeyShare)
    }

    /// Draws what must not be used for two handshakes.
    pub(super) fn renew<P: Profile<Crypto = C>, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        credentials: &mut impl Credentials<C>,
    ) -> Option<()> {
        cx.rng.fill_bytes(&mut self.random);
        self.message_seq = 0;
        let last = if P::RESUMPTION { credentials.recall(&[]) } else { None };
        self.resumes = last.is_some_and(|it| is_usable(&it) && cx.now < it.expires());
        match self.groups {
            [Some(group), _] => self.share_in::<P, R>(cx, group),
            _ => Some(()),
        }
    }

    /// Makes a key share in this group.
    pub(super) fn share_in<P: Profile<Crypto = C>, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        group: NamedGroup,
    ) -> Option<()> {
        if P::ECDHE {
            self.share = Some((group, cx.crypto.ephemeral_key(group, cx.rng).ok()?));
        }
        Some(())
    }

    pub(super) fn offers(&self, suite: CipherSuite) -> bool {
        self.suites().contains(&suite)
    }

    pub(super) fn offers_group(&self, group: NamedGroup) -> bool {
        self.groups.contains(&Some(group))
    }

    /// RFC 8446 section 4.2.9: with key shares whenever there can be.
    pub(super) const fn psk_mode(&self) -> u8 {
        match self.groups {
            [Some(_), _] => PSK_DHE_KE,
            _ => PSK_KE,
        }
    }

    fn suites(&self) -> &[CipherSuite] {
        self.suites.get(..usize::from(self.suites_len)).unwrap_or_default()
    }

    /// Makes the flight a ClientHello and adds it to the transcript, which says what came before.
    pub(super) fn hello<P: Profile<Crypto = C>, B: Buffer>(
        &self,
        flight: &mut Flight<B>,
        crypto: &C,
        credentials: &mut impl Credentials<C>,
        transcript: &mut Transcript<C>,
        says: &Says<'_>,
    ) -> Option<()> {
        flight.clear();
        let body = flight.push(MessageType::CLIENT_HELLO, self.message_seq, |out| {
            self.write::<P>(crypto, credentials, says, out);
        })?;
        let ticket = self.resumption::<P>(credentials);
        // Said again for the compiler, which then has no memory for it on the stack; so below.
        let ticket = ticket.as_ref().filter(|_| P::RESUMPTION);
        let psk = if P::PSK { credentials.own_psk() } else { None };
        let count = usize::from(ticket.is_some()) + usize::from(psk.is_some());
        if (P::PSK || P::RESUMPTION) && count > 0 {
            let length = body.len();
            let (truncated, binders) =
                body.split_at_mut_checked(length.checked_sub(2 + count * BINDER_ENTRY)?)?;
            let hash = transcript.hash_truncated(length, truncated);
            let ticket = ticket.map(|it| (it.saved.psk(), PskOrigin::Resumption));
            let psk = psk.map(|(_, psk)| (psk.expose(), PskOrigin::External));
            let entries = binders.get_mut(2..)?.chunks_exact_mut(BINDER_ENTRY);
            for (entry, (psk, origin)) in entries.zip([ticket, psk].into_iter().flatten()) {
                let binder = EarlySecret::new(crypto, Some(psk)).binder(crypto, origin, &hash);
                entry.get_mut(1..)?.copy_from_slice(&binder);
            }
        }
        transcript.add(MessageType::CLIENT_HELLO, body);
        flight.protect();
        Some(())
    }

    /// RFC 8446 section 4.1.2, RFC 9147 section 5.3.
    #[cfg_attr(target_os = "none", inline(never))]
    fn write<P: Profile<Crypto = C>>(
        &self,
        crypto: &C,
        credentials: &mut impl Credentials<C>,
        says: &Says<'_>,
        out: &mut Writer<'_>,
    ) {
        let legacy = says.legacy.filter(|_| P::DTLS_1_2);
        let older_suites = legacy.map_or(&[][..], |legacy| legacy.offer.suites());
        out.u16(DTLS_1_2);
        out.bytes(&self.random);
        out.vec8(|out| out.bytes(legacy.map_or(&[], |legacy| legacy.offer.session_id())));
        out.vec8(|out| out.bytes(says.legacy_cookie));
        out.vec16(|out| {
            self.suites().iter().chain(older_suites).for_each(|suite| out.u16(suite.0));
            if legacy.is_some() {
                out.u16(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV.0);
            }
        });
        out.vec8(|out| out.u8(0));
        out.vec16(|out| {
            extension::write(out, number::SUPPORTED_VERSIONS, |out| {
                out.vec8(|out| {
                    out.u16(DTLS_1_3);
                    if legacy.is_some() {
                        out.u16(DTLS_1_2);
                    }
                });
            });
            if let Some(legacy) = legacy {
                legacy.write_extensions::<P>(credentials, out);
            }
            if let Some(cookie) = says.cookie {
                extension::write(out, number::COOKIE, |out| out.vec16(|out| out.bytes(cookie)));
            }
            self.write_groups::<P>(crypto, out);
            if P::CERTIFICATES && !credentials.believes().is_empty() {
                write_certificate_extensions(credentials, out);
            }
            if let Some(cid) = &self.own_cid {
                extension::write(out, number::CONNECTION_ID, |out| out.vec8(|out| out.bytes(cid.as_bytes())));
            }
            if self.return_routability {
                extension::write(out, number::RETURN_ROUTABILITY_CHECK, |_| {});
            }
            if let Some(limit) = self.record_size_limit {
                extension::write(out, number::RECORD_SIZE_LIMIT, |out| out.u16(limit));
            }
            if P::PSK || P::RESUMPTION {
                self.write_pre_shared_keys::<P>(says.now, credentials, out);
            }
        });
    }

    /// RFC 8446 sections 4.2.9 and 4.2.11: tickets first, with room for the binders.
    fn write_pre_shared_keys<P: Profile<Crypto = C>>(
        &self,
        now: Instant,
        credentials: &mut impl Credentials<C>,
        out: &mut Writer<'_>,
    ) {
        let ticket = self.resumption::<P>(credentials);
        let ticket = ticket.as_ref().filter(|_| P::RESUMPTION);
        let wants_tickets = P::RESUMPTION && credentials.wants_tickets();
        let identity = if P::PSK { credentials.own_psk().map(|(identity, _)| identity) } else { None };
        if wants_tickets || ticket.is_some() || identity.is_some() {
            extension::write(out, number::PSK_KEY_EXCHANGE_MODES, |out| {
                out.vec8(|out| out.u8(self.psk_mode()));
            });
        }
        // RFC 8446 section 4.2.11.1. A key that did not come with a ticket has no age.
        let ticket = ticket.map(|it| {
            let age = now.saturating_since(it.received).as_micros() / 1000;
            (it.ticket(), it.age_add.wrapping_add(age as u32))
        });
        let keys = [ticket, identity.map(|identity| (identity, 0))];
        if keys == [None, None] {
            return;
        }
        extension::write(out, number::PRE_SHARED_KEY, |out| {
            out.vec16(|out| {
                for (identity, age) in keys.into_iter().flatten() {
                    out.vec16(|out| out.bytes(identity));
                    out.bytes(&age.to_be_bytes());
                }
            });
            out.vec16(|out| {
                keys.iter().flatten().for_each(|_| out.vec8(|out| out.bytes(Secret::<32>::zero().expose())));
            });
        });
    }

    /// The session that is to be resumed.
    pub(super) fn resumption<P: Profile<Crypto = C>>(
        &self,
        credentials: &mut impl Credentials<C>,
    ) -> Option<Resumption> {
        if !P::RESUMPTION || !self.resumes {
            return None;
        }
        credentials.recall(&[]).filter(is_usable)
    }

    fn write_groups<P: Profile<Crypto = C>>(&self, crypto: &C, out: &mut Writer<'_>) {
        if P::ECDHE
            && let Some((group, key)) = &self.share
        {
            extension::write(out, number::SUPPORTED_GROUPS, |out| {
                out.vec16(|out| self.groups.iter().flatten().for_each(|group| out.u16(group.to_u16())));
            });
            let share = crypto.key_share(key);
            extension::write(out, number::KEY_SHARE, |out| {
                out.vec16(|out| KeyShareEntry::write(*group, share.as_bytes(), out));
            });
        }
    }
}

/// What a server with a certificate needs to know.
fn write_certificate_extensions<C: Crypto>(credentials: &impl Credentials<C>, out: &mut Writer<'_>) {
    if let Some(name) = credentials.server_name() {
        extension::write_server_name(out, name);
    }
    write_signature_algorithms(out);
    // RFC 7250 section 4.1: X.509 alone need not be said.
    let kinds = [CertificateType::RawPublicKey, CertificateType::X509];
    let own = kinds.into_iter().filter(|&kind| credentials.certificate(kind, 0).is_some());
    write_certificate_types(number::CLIENT_CERTIFICATE_TYPE, own, out);
    write_certificate_types(number::SERVER_CERTIFICATE_TYPE, credentials.believes().iter().copied(), out);
}

fn write_certificate_types(
    number: u16,
    kinds: impl Iterator<Item = CertificateType> + Clone,
    out: &mut Writer<'_>,
) {
    if kinds.clone().any(|kind| kind != CertificateType::X509) {
        extension::write(out, number, |out| out.vec8(|out| kinds.for_each(|kind| out.u8(kind as u8))));
    }
}

/// Whether a session was one of this version, and is known by a ticket.
fn is_usable(resumption: &Resumption) -> bool {
    is_dtls_1_3(resumption.suite()) && !resumption.ticket().is_empty()
}
