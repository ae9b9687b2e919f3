//! What a client offers, and whether a server chose from it.

use sedge_crypto::{Aead, Crypto};

use crate::alert::AlertDescription;
use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError};
use crate::credentials::Credentials;
use crate::dtls12::transcript::Transcript;
use crate::handshake::extension::Extensions;
use crate::handshake::hello::{ClientHello, ServerHello};
use crate::handshake::link::Link;
use crate::handshake::message::MessageType;
use crate::handshake::{MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::profile::{Buffer, Profile};
use crate::psk::MAX_IDENTITY;
use crate::record::DTLS_1_2;
use crate::suite::{CipherSuite, KeyExchange};

/// What the client brought along.
pub(super) struct Offer {
    pub(super) random: [u8; 32],
    pub(super) suites_len: u8,
    pub(super) suites: [CipherSuite; ClientConfig::MAX_SUITES],
    pub(super) own_cid: Option<ConnectionId>,
    pub(super) record_size_limit: Option<u16>,
    pub(super) allow_plain_master_secret: bool,
    /// The ClientHello's message_seq.
    pub(super) message_seq: u16,
}

/// What a ServerHello chose.
pub(super) struct Chosen<C: Crypto> {
    pub(super) server_random: [u8; 32],
    pub(super) suite: CipherSuite,
    pub(super) aead: Aead,
    pub(super) extended_master_secret: bool,
    pub(super) own_cid: ConnectionId,
    pub(super) peer_cid: ConnectionId,
    pub(super) read_limit: u16,
    pub(super) write_limit: u16,
    pub(super) hint_seen: bool,
    /// The server's next message_seq.
    pub(super) next_seq: u16,
    /// The hash of both hellos, to know this one again.
    pub(super) hellos: [u8; 32],
    pub(super) transcript: Transcript<C>,
}

impl Offer {
    pub(super) fn new<P: Profile>(
        config: &ClientConfig<'_>,
        credentials: &mut impl Credentials<P::Crypto>,
        random: [u8; 32],
    ) -> Result<Self, ConfigError> {
        let psk = P::PSK && credentials.own_psk().is_some();
        if credentials.own_psk().is_some_and(|(identity, _)| identity.len() > MAX_IDENTITY) {
            return Err(ConfigError::IdentityTooLong);
        }
        let usable = |suite: &&CipherSuite| match suite.key_exchange() {
            Some(KeyExchange::Psk) => psk,
            _ => false,
        };
        let mut suites = [CipherSuite(0); ClientConfig::MAX_SUITES];
        let mut suites_len = 0;
        for &suite in config.suites.iter().filter(usable) {
            *suites.get_mut(usize::from(suites_len)).ok_or(ConfigError::UnusableSuites)? = suite;
            suites_len += 1;
        }
        if suites_len == 0 {
            return Err(ConfigError::UnusableSuites);
        }
        let record_size_limit = config.transport.record_size_limit;
        if record_size_limit.is_some_and(|limit| !(MIN_RECORD_SIZE_LIMIT..=MAX_PLAINTEXT).contains(&limit)) {
            return Err(ConfigError::RecordSizeLimit);
        }
        Ok(Self {
            random,
            suites_len,
            suites,
            own_cid: config.own_cid,
            record_size_limit,
            allow_plain_master_secret: config.transport.dangerous_allow_plain_master_secret,
            message_seq: 0,
        })
    }

    fn suites(&self) -> &[CipherSuite] {
        self.suites.get(..usize::from(self.suites_len)).unwrap_or_default()
    }

    /// Makes the flight a ClientHello, and the transcript with it: what was said before a cookie is not part of
    /// it (RFC 6347 section 4.2.1).
    pub(super) fn hello<C: Crypto, B: Buffer>(
        &self,
        link: &mut Link<B>,
        crypto: &C,
        cookie: &[u8],
    ) -> Option<Transcript<C>> {
        let extensions = Extensions {
            extended_master_secret: true,
            connection_id: self.own_cid.as_ref().map(ConnectionId::as_bytes),
            record_size_limit: self.record_size_limit,
            ..Extensions::default()
        };
        let mut transcript = Transcript::new(crypto);
        link.flight.clear();
        transcript.say(link, MessageType::CLIENT_HELLO, self.message_seq, |out| {
            ClientHello::write(out, &self.random, cookie, self.suites(), &extensions);
        })?;
        Some(transcript)
    }

    /// Checks what a ServerHello chose, or says which alert it deserves.
    pub(super) fn check<C: Crypto>(
        &self,
        hello: &ServerHello<'_>,
        next_seq: u16,
        transcript: Transcript<C>,
        hellos: [u8; 32],
    ) -> Result<Chosen<C>, AlertDescription> {
        let Extensions {
            extended_master_secret,
            renegotiation_info,
            connection_id,
            record_size_limit,
            supported_versions,
            unknown,
        } = hello.extensions;
        if hello.version != DTLS_1_2 {
            return Err(AlertDescription::PROTOCOL_VERSION);
        }
        if hello.compression_method != 0 || !self.suites().contains(&hello.suite) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        let aead = hello.suite.aead().ok_or(AlertDescription::ILLEGAL_PARAMETER)?;
        // RFC 5246 section 7.4.1.4: nothing that was not asked for.
        let unasked = unknown
            || supported_versions.is_some()
            || (connection_id.is_some() && self.own_cid.is_none())
            || (record_size_limit.is_some() && self.record_size_limit.is_none());
        if unasked {
            return Err(AlertDescription::UNSUPPORTED_EXTENSION);
        }
        // RFC 7627 section 5.2.
        if !extended_master_secret && !self.allow_plain_master_secret {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        // RFC 5746 section 3.4. A server that does not know the extension never renegotiates with us either.
        if renegotiation_info.is_some_and(|connection| !connection.is_empty()) {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        // RFC 8449 section 4.
        if record_size_limit.is_some_and(|limit| limit < MIN_RECORD_SIZE_LIMIT) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        let (own_cid, peer_cid) = match (self.own_cid, connection_id) {
            (Some(own), Some(peer)) => {
                (own, ConnectionId::new(peer).ok_or(AlertDescription::ILLEGAL_PARAMETER)?)
            }
            _ => (ConnectionId::EMPTY, ConnectionId::EMPTY),
        };
        Ok(Chosen {
            server_random: hello.random,
            suite: hello.suite,
            aead,
            extended_master_secret,
            own_cid,
            peer_cid,
            read_limit: self.record_size_limit.unwrap_or(MAX_PLAINTEXT),
            write_limit: record_size_limit.unwrap_or(MAX_PLAINTEXT).min(MAX_PLAINTEXT),
            hint_seen: false,
            next_seq,
            hellos,
            transcript,
        })
    }
}
