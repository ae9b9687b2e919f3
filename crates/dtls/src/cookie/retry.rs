//! The cookie of DTLS 1.3: what the server has to know of the first hello, authenticated and bound to the address
//! (RFC 8446 section 4.2.2, RFC 9147 section 5.1).
//!
//! ```text
//! +------------------------------+---------+---------+-----+
//! | SHA-256 of the ClientHello 32| suite 2 | group 2 | MAC |
//! +------------------------------+---------+---------+-----+
//! ```

use sedge_crypto::{Crypto, Mac, NamedGroup, constant_time_eq};

use super::{COOKIE, CookieKeys, Verdict, VerifiedHello};
use crate::alert::AlertDescription;
use crate::config::ServerConfig;
use crate::dtls13::hello::{ClientHello, ServerHello};
use crate::dtls13::is_dtls_1_3;
use crate::dtls13::schedule::Digest;
use crate::dtls13::transcript::Transcript;
use crate::handshake::message::{self, HANDSHAKE_HEADER, MessageType};
use crate::record::{ContentType, Header, RECORD_HEADER};
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// Length of the cookie.
const RETRY_COOKIE: usize = 32 + 2 + 2 + COOKIE;

/// A HelloRetryRequest with everything in it.
pub(super) const MAX_REPLY: usize =
    RECORD_HEADER + HANDSHAKE_HEADER + (2 + 32 + 1 + 2 + 1) + 2 + 6 + 6 + (4 + 2 + RETRY_COOKIE);

/// A cookie to be sent.
pub(super) struct RetryCookie {
    suite: CipherSuite,
    group: Option<NamedGroup>,
    bytes: [u8; RETRY_COOKIE],
}

/// What a good cookie says of the HelloRetryRequest that it came with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retried<'d> {
    pub(crate) first_hello: Digest,
    pub(crate) suite: CipherSuite,
    pub(crate) group: Option<NamedGroup>,
    pub(crate) cookie: &'d [u8],
}

impl Retried<'_> {
    /// Writes the body of the HelloRetryRequest.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        ServerHello::write_retry(out, self.suite, self.group, self.cookie);
    }
}

/// What the cookie of a hello says, if it is good, and what the hello gets.
pub(super) fn verify<'d, C: Crypto>(
    crypto: &C,
    keys: &CookieKeys<C>,
    config: &ServerConfig<'_>,
    peer: &[u8],
    hello: &ClientHello<'d>,
    body: &[u8],
) -> (Option<Retried<'d>>, Verdict) {
    // RFC 9147 section 5.3, RFC 8446 section 4.1.2.
    if !hello.legacy_cookie.is_empty() || hello.compression_methods != [0] {
        return (None, Verdict::Refuse(AlertDescription::ILLEGAL_PARAMETER));
    }
    if let Some(cookie) = hello.extensions.cookie {
        // RFC 9147 section 5.1: whoever brings a bad one has to begin anew.
        return match open(keys, peer, cookie) {
            Some(retried) => (Some(retried), Verdict::Good),
            None => (None, Verdict::Refuse(AlertDescription::ILLEGAL_PARAMETER)),
        };
    }
    let suites = config.suites.iter().copied();
    let Some(suite) = suites.filter(|&suite| is_dtls_1_3(suite)).find(|&suite| hello.offers(suite)) else {
        return (None, Verdict::Refuse(AlertDescription::HANDSHAKE_FAILURE));
    };
    let mut transcript = Transcript::<C>::new(crypto);
    transcript.add(MessageType::CLIENT_HELLO, body);
    let group = missing_group(config, hello);
    let bytes = make(&keys.current, peer, &transcript.hash(), suite, group);
    (None, Verdict::RetryFirst(RetryCookie { suite, group, bytes }))
}

/// RFC 8446 section 4.1.4: the group to ask for if the client has sent no share that can be used.
fn missing_group(config: &ServerConfig<'_>, hello: &ClientHello<'_>) -> Option<NamedGroup> {
    let shares = hello.extensions.key_share?;
    let common = || config.groups.iter().copied().filter(|&group| hello.offers_group(group));
    match common().any(|group| shares.find(group).is_some()) {
        true => None,
        false => common().next(),
    }
}

fn make<M: Mac>(
    keyed: &M,
    peer: &[u8],
    first_hello: &Digest,
    suite: CipherSuite,
    group: Option<NamedGroup>,
) -> [u8; RETRY_COOKIE] {
    let mut cookie = [0; RETRY_COOKIE];
    let mut out = Writer::new(&mut cookie);
    out.bytes(first_hello);
    out.u16(suite.0);
    out.u16(group.map_or(0, NamedGroup::to_u16));
    let content = out.len();
    if let Some((content, place)) = cookie.split_at_mut_checked(content) {
        place.copy_from_slice(&mac(keyed, peer, content));
    }
    cookie
}

fn mac<M: Mac>(keyed: &M, peer: &[u8], content: &[u8]) -> [u8; COOKIE] {
    let mut mac = keyed.clone();
    // No cookie of DTLS 1.2 is made of fields that begin like this: its first one is an address.
    for field in [b"HelloRetryRequest of DTLS 1.3", peer, content] {
        mac.update(&u16::try_from(field.len()).unwrap_or(u16::MAX).to_be_bytes());
        mac.update(field);
    }
    *mac.finish().first_chunk().unwrap_or(&[0; COOKIE])
}

fn open<'d, C: Crypto>(keys: &CookieKeys<C>, peer: &[u8], cookie: &'d [u8]) -> Option<Retried<'d>> {
    let (content, brought) = cookie.split_at_checked(RETRY_COOKIE - COOKIE)?;
    let good = |keyed| constant_time_eq(brought, &mac(keyed, peer, content));
    if !good(&keys.current) && !good(&keys.previous) {
        return None;
    }
    let mut content = Reader::new(content);
    Some(Retried {
        first_hello: content.array()?,
        suite: CipherSuite(content.u16()?),
        group: NamedGroup::from_u16(content.u16()?),
        cookie,
    })
}

/// Writes a HelloRetryRequest. Like the HelloVerifyRequest of DTLS 1.2 it has the hello's own numbers, so that many
/// exchanges never repeat one.
pub(super) fn write(hello: &VerifiedHello<'_>, retry: &RetryCookie, reply: &mut [u8]) -> Option<usize> {
    let (header, body) = reply.split_at_mut_checked(RECORD_HEADER + HANDSHAKE_HEADER)?;
    let mut out = Writer::new(body);
    ServerHello::write_retry(&mut out, retry.suite, retry.group, &retry.bytes);
    let length = out.finish()?;
    let mut out = Writer::new(header);
    Header { content_type: ContentType::HANDSHAKE, epoch: 0, sequence: hello.sequence }.write(
        &mut out,
        &[],
        HANDSHAKE_HEADER + length,
    );
    message::write_header(&mut out, MessageType::SERVER_HELLO, hello.message_seq, length);
    out.finish().map(|header| header + length)
}
