//! What the hellos settled, and the keys that follow from it.

use sedge_crypto::{Aead, Crypto, CryptoRng, Secret};

use super::{AwaitFinished, State};
use crate::alert::AlertDescription;
use crate::cid::ConnectionId;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12::schedule::{Binding, MasterSecret, Randoms};
use crate::dtls12::transcript::Transcript;
use crate::handshake::extension::Extensions;
use crate::handshake::message::{Message, MessageType};
use crate::handshake::{Context, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::psk::Psk;
use crate::record::DTLS_1_2;
use crate::session::{Parameters, Role, Session12};
use crate::suite::{CipherSuite, KeyExchange};
use crate::wire::Reader;

/// What the hellos settled.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) randoms: Randoms,
    pub(super) suite: CipherSuite,
    pub(super) aead: Aead,
    pub(super) extended_master_secret: bool,
    pub(super) connection_ids: bool,
    pub(super) own_cid: ConnectionId,
    pub(super) peer_cid: ConnectionId,
    pub(super) read_limit: u16,
    pub(super) write_limit: u16,
    /// The message_seq of the hellos: ServerHello repeats ClientHello's.
    pub(super) message_seq: u16,
}

impl Chosen {
    /// Chooses from what a ClientHello offers, or says which alert it deserves.
    pub(super) fn from_hello(
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
        randoms: Randoms,
    ) -> Result<Self, AlertDescription> {
        let hello = &verified.hello;
        let Extensions {
            extended_master_secret, renegotiation_info, connection_id, record_size_limit, ..
        } = hello.extensions;
        // RFC 8446 section 4.2.1: a client that lists versions must list this one.
        if let Some(versions) = hello.extensions.supported_versions
            && !versions.chunks_exact(2).any(|version| version == DTLS_1_2.to_be_bytes())
        {
            return Err(AlertDescription::PROTOCOL_VERSION);
        }
        // RFC 5246 section 7.4.1.2: the null method must be offered.
        if !hello.compression_methods.contains(&0) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        let suite = config
            .suites
            .iter()
            .copied()
            .find(|&suite| hello.offers(suite) && suite.key_exchange() == Some(KeyExchange::Psk));
        let (suite, aead) = suite
            .and_then(|suite| Some((suite, suite.aead()?)))
            .ok_or(AlertDescription::HANDSHAKE_FAILURE)?;
        // RFC 7627 section 5.3.
        if !extended_master_secret && !config.transport.dangerous_allow_plain_master_secret {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        // RFC 5746 section 3.6: nothing was negotiated before.
        if renegotiation_info.is_some_and(|connection| !connection.is_empty()) {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        // RFC 8449 section 4.
        if record_size_limit.is_some_and(|limit| limit < MIN_RECORD_SIZE_LIMIT) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        // An identifier too long to be kept is as good as none: RFC 9146 leaves the answer to the server.
        let peer_cid = connection_id.and_then(ConnectionId::new);
        Ok(Self {
            randoms,
            suite,
            aead,
            extended_master_secret,
            connection_ids: peer_cid.is_some(),
            own_cid: if peer_cid.is_some() { own_cid } else { ConnectionId::EMPTY },
            peer_cid: peer_cid.unwrap_or_default(),
            read_limit: config
                .transport
                .record_size_limit
                .map_or(MAX_PLAINTEXT, |limit| limit.clamp(MIN_RECORD_SIZE_LIMIT, MAX_PLAINTEXT)),
            write_limit: record_size_limit.unwrap_or(MAX_PLAINTEXT).min(MAX_PLAINTEXT),
            message_seq: verified.message_seq,
        })
    }

    /// Derives everything at once: what the client's Finished must say and what ours will say follow from the
    /// same transcript.
    pub(super) fn client_key_exchange<C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        transcript: &Transcript<C>,
        state: &State,
        cx: &mut Context<'_, C, R>,
        credentials: &mut impl Credentials<C>,
        message: &Message<'_>,
    ) -> Result<AwaitFinished, Discard> {
        let mut body = Reader::new(message.body);
        let identity = body.vec16().filter(|_| body.is_empty()).ok_or(Discard::MalformedHandshake)?;
        let mut transcript = transcript.clone();
        transcript.add(message);
        let session_hash = transcript.hash();
        let mut change_cipher_spec = false;
        if let State::AwaitFinished(AwaitFinished {
            session_hash: earlier, change_cipher_spec: seen, ..
        }) = state
        {
            if *earlier == session_hash {
                return Err(Discard::HandshakeRepeated);
            }
            change_cipher_spec = *seen;
        }

        // Always drawn, so that an unknown identity takes the same steps as a known one.
        let mut nobody = Secret::<16>::zero();
        cx.rng.fill_bytes(nobody.expose_mut());
        let nobody = Psk::new(nobody.expose()).ok_or(Discard::MalformedHandshake)?;
        let (psk, principal) = credentials.psk(identity).unwrap_or((nobody, 0));

        let binding = match self.extended_master_secret {
            true => Binding::SessionHash(&session_hash),
            false => Binding::Randoms,
        };
        let master = MasterSecret::from_psk(cx.crypto, &psk, &self.randoms, binding);
        if let Some(key_log) = &mut cx.dangerous_key_log {
            key_log.secret("CLIENT_RANDOM", &self.randoms.client, master.expose());
        }
        let keys = master.record_keys(&self.randoms);
        let expected = master.client_verify_data(&session_hash);
        let message_seq = message.message_seq + 1;
        transcript.add(&Message { message_type: MessageType::FINISHED, message_seq, body: &expected });
        let reply = master.server_verify_data(&transcript.hash());
        let session = Session12::new(Parameters {
            role: Role::Server,
            suite: self.suite,
            aead: self.aead,
            read: keys.client_write,
            write: keys.server_write,
            own_cid: self.own_cid,
            peer_cid: self.peer_cid,
            read_limit: self.read_limit,
            write_limit: self.write_limit,
            next_sequence: 0,
        });
        Ok(AwaitFinished { session, principal, session_hash, expected, reply, change_cipher_spec })
    }
}
