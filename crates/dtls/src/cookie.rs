//! The stateless cookie exchange (RFC 6347 section 4.2.1): nothing is kept for a client before it has shown that
//! it receives what is sent to its address.
//!
//! ```text
//! Client                                   Server
//! ClientHello                 ----->       (keeps nothing)
//!                             <-----       HelloVerifyRequest, cookie = HMAC(secret, address, hello)
//! ClientHello with cookie     ----->       (computes it again: equal, so the client is there)
//! ```
//! In DTLS 1.3 the answer is a HelloRetryRequest, whose cookie also holds what the transcript needs of the first hello
//! (RFC 9147 section 5.1): see [`retry`].

use core::fmt;

use sedge_crypto::{Crypto, CryptoRng, Mac, Secret, constant_time_eq};

use crate::alert::{Alert, AlertDescription};
use crate::config::ServerConfig;
use crate::discard::Discard;
use crate::dtls13::extension::lists;
use crate::dtls13::hello::ClientHello as ClientHello13;
use crate::handshake::flight;
use crate::handshake::hello::{ClientHello, write_hello_verify_request};
use crate::handshake::message::{self, Fragment, HANDSHAKE_HEADER, MessageType};
use crate::record::{ContentType, DTLS_1_2, Header, RECORD_HEADER, Record};
use crate::session::RecordLayer;
use crate::wire::Writer;

mod retry;

pub(crate) use retry::Retried;
use retry::RetryCookie;

/// Length of a cookie in bytes: enough that nobody guesses one, short because it travels twice.
const COOKIE: usize = 8;

/// The highest message_seq a ClientHello may have: far more hellos than any client sends.
const MAX_MESSAGE_SEQ: u16 = 255;

/// Length in bytes of the datagram that [`Hello::Reply`] wrote.
pub const HELLO_VERIFY_REQUEST_LEN: usize = RECORD_HEADER + HANDSHAKE_HEADER + 3 + COOKIE;

/// Length in bytes of the longest datagram that [`Hello::Reply`] writes.
pub const HELLO_REPLY_LEN: usize = retry::MAX_REPLY;

/// The secrets that cookies are made with.
///
/// [`rotate`](Self::rotate) them every now and then (a minute is good): a cookie stays good until the second
/// rotation after it was made.
pub struct CookieKeys<C: Crypto> {
    current: C::Mac,
    previous: C::Mac,
}

impl<C: Crypto> CookieKeys<C> {
    /// Two random secrets.
    pub fn new(crypto: &C, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self { current: random_key(crypto, rng), previous: random_key(crypto, rng) }
    }

    /// Replaces the older secret; cookies made with it are good no more.
    pub fn rotate(&mut self, crypto: &C, rng: &mut (impl CryptoRng + ?Sized)) {
        self.previous = core::mem::replace(&mut self.current, random_key(crypto, rng));
    }
}

impl<C: Crypto> fmt::Debug for CookieKeys<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

fn random_key<C: Crypto>(crypto: &C, rng: &mut (impl CryptoRng + ?Sized)) -> C::Mac {
    let mut secret = Secret::<32>::zero();
    rng.fill_bytes(secret.expose_mut());
    crypto.hmac_sha256(secret.expose())
}

/// What to do about a ClientHello.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives for one call, and borrows most of what it holds")]
pub enum Hello<'d> {
    /// Send this many bytes of the reply buffer back to where the hello came from, and forget it.
    Reply(usize),
    /// The client is there: [`ServerHandshake::accept`](crate::ServerHandshake::accept) it.
    Accept(VerifiedHello<'d>),
    /// Drop it.
    Discard(Discard),
}

/// A ClientHello whose sender has shown that it receives at its address.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedHello<'d> {
    pub(crate) hello: ClientHello<'d>,
    /// As DTLS 1.3 sees it, if that is to be spoken.
    pub(crate) dtls_1_3: Option<Hello13<'d>>,
    /// The whole message as it enters the transcript.
    pub(crate) message: &'d [u8],
    pub(crate) message_seq: u16,
    /// The record's sequence number, from which ours go on.
    pub(crate) sequence: u64,
}

/// A ClientHello that is to be answered in DTLS 1.3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hello13<'d> {
    pub(crate) hello: ClientHello13<'d>,
    /// The message's body.
    pub(crate) body: &'d [u8],
    /// What the HelloRetryRequest said that it answers; `None` for a first hello.
    pub(crate) retried: Option<Retried<'d>>,
}

/// Whether a datagram starts with a handshake record of epoch 0 that starts with a ClientHello: then it is for
/// [`hello`], whatever session its sender's address may have
/// ([RFC 6347 section 4.2.8](https://www.rfc-editor.org/rfc/rfc6347#section-4.2.8)).
pub fn is_client_hello(datagram: &[u8]) -> bool {
    datagram.first() == Some(&ContentType::HANDSHAKE.0)
        && datagram.get(3..5) == Some(&[0, 0])
        && datagram.get(RECORD_HEADER) == Some(&MessageType::CLIENT_HELLO.0)
}

/// Answers a ClientHello without keeping anything.
///
/// `peer` is the sender's address as bytes in any fixed form (address and port); `reply` has room for
/// [`HELLO_REPLY_LEN`] bytes. The answer is never longer than the hello. It is a HelloVerifyRequest or a
/// HelloRetryRequest, whichever version is to be spoken, or an alert if there is none, or if what the hello says cannot
/// be answered.
///
/// A hello that comes in fragments cannot be put together without keeping something and is dropped
/// ([`Discard::FragmentedClientHello`]): it has to fit into one datagram.
pub fn hello<'d, L: RecordLayer>(
    layer: &L,
    keys: &CookieKeys<L::Crypto>,
    config: &ServerConfig<'_>,
    peer: &[u8],
    datagram: &'d [u8],
    reply: &mut [u8],
) -> Hello<'d> {
    match verify(layer, keys, config, peer, datagram) {
        Ok((verified, Verdict::Good)) => Hello::Accept(verified),
        Ok((unverified, verdict)) => {
            let written = match verdict {
                Verdict::Good => None,
                Verdict::VerifyFirst(cookie) => write_reply(&unverified, &cookie, reply),
                Verdict::RetryFirst(retried) => retry::write(&unverified, &retried, reply),
                Verdict::Refuse(description) => {
                    let alert = Alert::fatal(description).to_bytes();
                    flight::write_plaintext(
                        &mut unverified.sequence.clone(),
                        ContentType::ALERT,
                        &alert,
                        reply,
                    )
                }
            };
            match written.filter(|&len| len <= datagram.len()) {
                Some(len) => Hello::Reply(len),
                None => Hello::Discard(Discard::TooLong),
            }
        }
        Err(discard) => Hello::Discard(discard),
    }
}

/// Takes a ClientHello without asking whether its sender receives at its address.
///
/// That saves a round trip, and lets anybody make the server compute and send: for addresses that are known to be good
/// for another reason (RFC 9147 section 5.1).
pub fn dangerous_hello_without_cookie<'d, L: RecordLayer>(
    layer: &L,
    keys: &CookieKeys<L::Crypto>,
    config: &ServerConfig<'_>,
    datagram: &'d [u8],
) -> Hello<'d> {
    match verify(layer, keys, config, &[], datagram) {
        Ok((verified, _)) => Hello::Accept(verified),
        Err(discard) => Hello::Discard(discard),
    }
}

/// What a hello gets.
enum Verdict {
    Good,
    /// A HelloVerifyRequest with this cookie.
    VerifyFirst([u8; COOKIE]),
    /// A HelloRetryRequest.
    RetryFirst(RetryCookie),
    Refuse(AlertDescription),
}

/// The hello, and what it gets.
fn verify<'d, L: RecordLayer>(
    layer: &L,
    keys: &CookieKeys<L::Crypto>,
    config: &ServerConfig<'_>,
    peer: &[u8],
    datagram: &'d [u8],
) -> Result<(VerifiedHello<'d>, Verdict), Discard> {
    let (Record { header, fragment, .. }, _) =
        Record::parse_first(datagram, 0).ok_or(Discard::MalformedRecord)?;
    if header.content_type != ContentType::HANDSHAKE || header.epoch != 0 {
        return Err(Discard::UnexpectedContentType);
    }
    let (message, rest) = Fragment::parse(fragment).ok_or(Discard::MalformedHandshake)?;
    if message.message_type != MessageType::CLIENT_HELLO {
        return Err(Discard::UnexpectedHandshake);
    }
    if !message.is_whole() {
        return Err(Discard::FragmentedClientHello);
    }
    // A client counts its hellos from zero; the answers' numbers follow from this one.
    if !rest.is_empty() || message.message_seq > MAX_MESSAGE_SEQ {
        return Err(Discard::MalformedHandshake);
    }
    let hello = ClientHello::parse(message.body).ok_or(Discard::MalformedHandshake)?;
    // Versions count downwards: 0xfeff is 1.0, 0xfefd is 1.2.
    if hello.version > DTLS_1_2 {
        return Err(Discard::UnsupportedVersion);
    }
    let mut verified = VerifiedHello {
        hello,
        dtls_1_3: None,
        message: fragment,
        message_seq: message.message_seq,
        sequence: header.sequence,
    };
    if L::DTLS_1_3
        && config.versions.dtls_1_3
        && let Some(hello) = ClientHello13::parse(message.body).filter(ClientHello13::speaks_dtls_1_3)
    {
        // RFC 9147 section 5.2: the first message, or the second. The transcript does not cover the number.
        if message.message_seq != u16::from(hello.extensions.cookie.is_some()) {
            return Err(Discard::MalformedHandshake);
        }
        let (retried, verdict) = retry::verify(layer.crypto(), keys, config, peer, &hello, message.body);
        verified.dtls_1_3 = Some(Hello13 { hello, body: message.body, retried });
        return Ok((verified, verdict));
    }
    // RFC 8446 section 4.2.1: a client that lists versions must list this one.
    let unlisted = hello.extensions.supported_versions.is_some_and(|versions| !lists(versions, DTLS_1_2));
    if !L::DTLS_1_2 || !config.versions.dtls_1_2 || unlisted {
        return Ok((verified, Verdict::Refuse(AlertDescription::PROTOCOL_VERSION)));
    }
    let expected = cookie(&keys.current, peer, &hello);
    let brought = hello.cookie;
    let good = constant_time_eq(brought, &expected)
        || (!brought.is_empty() && constant_time_eq(brought, &cookie(&keys.previous, peer, &hello)));
    Ok((verified, if good { Verdict::Good } else { Verdict::VerifyFirst(expected) }))
}

/// The parameters that a client repeats unchanged in its second hello (RFC 6347 section 4.2.1), each with its
/// length in front, bound to the address.
fn cookie<M: Mac>(keyed: &M, peer: &[u8], hello: &ClientHello<'_>) -> [u8; COOKIE] {
    let mut mac = keyed.clone();
    let fields = [
        peer,
        &hello.version.to_be_bytes(),
        &hello.random,
        hello.session_id,
        hello.cipher_suites,
        hello.compression_methods,
    ];
    for field in fields {
        mac.update(&u16::try_from(field.len()).unwrap_or(u16::MAX).to_be_bytes());
        mac.update(field);
    }
    let mac = mac.finish();
    *mac.first_chunk().unwrap_or(&[0; COOKIE])
}

fn write_reply(hello: &VerifiedHello<'_>, cookie: &[u8], reply: &mut [u8]) -> Option<usize> {
    let mut out = Writer::new(reply);
    // RFC 6347 section 4.2.1: the record number is the hello's own, so that many exchanges never repeat one.
    let header = Header { content_type: ContentType::HANDSHAKE, epoch: 0, sequence: hello.sequence };
    let length = 3 + cookie.len();
    header.write(&mut out, &[], HANDSHAKE_HEADER + length);
    message::write_header(&mut out, MessageType::HELLO_VERIFY_REQUEST, hello.message_seq, length);
    write_hello_verify_request(&mut out, cookie);
    out.finish()
}
