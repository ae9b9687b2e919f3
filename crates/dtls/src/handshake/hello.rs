//! The hellos: ClientHello, HelloVerifyRequest and ServerHello (RFC 5246 section 7.4.1, RFC 6347 section 4.2.1).

use super::extension::Extensions;
use crate::record::{DTLS_1_0, DTLS_1_2};
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// A ClientHello.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) cookie: &'a [u8],
    /// 16-bit suite numbers.
    pub(crate) cipher_suites: &'a [u8],
    pub(crate) compression_methods: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        let version = body.u16()?;
        let random = body.array()?;
        let session_id = body.vec8()?;
        let cookie = body.vec8()?;
        let cipher_suites = body.vec16()?;
        let compression_methods = body.vec8()?;
        let extensions = Extensions::parse(body)?;
        let sound = session_id.len() <= 32 && cipher_suites.len() % 2 == 0;
        sound.then_some(Self {
            version,
            random,
            session_id,
            cookie,
            cipher_suites,
            compression_methods,
            extensions,
        })
    }

    /// Whether the client offers this suite.
    pub(crate) fn offers(&self, suite: CipherSuite) -> bool {
        self.cipher_suites.chunks_exact(2).any(|offered| offered == suite.0.to_be_bytes())
    }

    /// Writes a ClientHello as this crate's client sends it: no compression, and the signalling suite number in
    /// place of the longer renegotiation_info extension (RFC 5746 section 3.4).
    pub(crate) fn write(
        out: &mut Writer<'_>,
        random: &[u8; 32],
        session_id: &[u8],
        cookie: &[u8],
        suites: &[CipherSuite],
        extensions: &Extensions<'_>,
    ) {
        out.u16(DTLS_1_2);
        out.bytes(random);
        out.vec8(|out| out.bytes(session_id));
        out.vec8(|out| out.bytes(cookie));
        out.vec16(|out| {
            suites.iter().for_each(|suite| out.u16(suite.0));
            out.u16(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV.0);
        });
        out.vec8(|out| out.u8(0));
        extensions.write(out);
    }
}

/// A HelloVerifyRequest's cookie.
pub(crate) fn parse_hello_verify_request(body: &[u8]) -> Option<&[u8]> {
    let mut body = Reader::new(body);
    // RFC 6347 section 4.2.1: the version here says nothing about the version negotiated later.
    let _server_version = body.u16()?;
    let cookie = body.vec8()?;
    body.is_empty().then_some(cookie)
}

/// Writes a HelloVerifyRequest; its version is DTLS 1.0 whatever comes later (RFC 6347 section 4.2.1).
pub(crate) fn write_hello_verify_request(out: &mut Writer<'_>, cookie: &[u8]) {
    out.u16(DTLS_1_0);
    out.vec8(|out| out.bytes(cookie));
}

/// A ServerHello.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) suite: CipherSuite,
    pub(crate) compression_method: u8,
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        let version = body.u16()?;
        let random = body.array()?;
        let session_id = body.vec8()?;
        let suite = CipherSuite(body.u16()?);
        let compression_method = body.u8()?;
        let extensions = Extensions::parse(body)?;
        let sound = session_id.len() <= 32;
        sound.then_some(Self { version, random, session_id, suite, compression_method, extensions })
    }

    /// Writes a ServerHello.
    pub(crate) fn write(
        out: &mut Writer<'_>,
        random: &[u8; 32],
        session_id: &[u8],
        suite: CipherSuite,
        extensions: &Extensions<'_>,
    ) {
        out.u16(DTLS_1_2);
        out.bytes(random);
        out.vec8(|out| out.bytes(session_id));
        out.u16(suite.0);
        out.u8(0);
        extensions.write(out);
    }
}
