//! The hellos of DTLS 1.3: ClientHello, ServerHello and HelloRetryRequest (RFC 8446 section 4.1, RFC 9147 sections 5.3
//! and 5.4).

use sedge_crypto::NamedGroup;

use super::extension::{self, KeyShareEntry, KeyShares, OfferedPsks, number, once};
use crate::record::{DTLS_1_2, DTLS_1_3};
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// The random of a ServerHello that is a HelloRetryRequest: the SHA-256 of "HelloRetryRequest".
pub(crate) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, //
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A ClientHello, as far as DTLS 1.3 looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientHello<'a> {
    pub(crate) random: [u8; 32],
    pub(crate) legacy_cookie: &'a [u8],
    /// 16-bit suite numbers.
    pub(crate) cipher_suites: &'a [u8],
    pub(crate) compression_methods: &'a [u8],
    pub(crate) extensions: ClientExtensions<'a>,
    /// Length of the message's body.
    pub(crate) length: usize,
}

/// What the extensions of a ClientHello say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientExtensions<'a> {
    pub(crate) server_name: Option<&'a [u8]>,
    /// 16-bit numbers.
    pub(crate) supported_groups: Option<&'a [u8]>,
    /// 16-bit numbers.
    pub(crate) signature_algorithms: Option<&'a [u8]>,
    pub(crate) client_certificate_types: Option<&'a [u8]>,
    pub(crate) server_certificate_types: Option<&'a [u8]>,
    pub(crate) record_size_limit: Option<u16>,
    pub(crate) pre_shared_key: Option<OfferedPsks<'a>>,
    /// 16-bit numbers.
    pub(crate) supported_versions: Option<&'a [u8]>,
    pub(crate) cookie: Option<&'a [u8]>,
    pub(crate) psk_key_exchange_modes: Option<&'a [u8]>,
    pub(crate) key_share: Option<KeyShares<'a>>,
    pub(crate) connection_id: Option<&'a [u8]>,
    pub(crate) return_routability_check: bool,
}

impl<'a> ClientHello<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let length = body.len();
        let mut body = Reader::new(body);
        let _legacy_version = body.u16()?;
        let random = body.array()?;
        let _legacy_session_id = body.vec8().filter(|id| id.len() <= 32)?;
        let legacy_cookie = body.vec8()?;
        let cipher_suites = body.vec16().filter(|suites| suites.len() % 2 == 0)?;
        let compression_methods = body.vec8()?;
        let extensions = ClientExtensions::parse(body.vec16()?)?;
        body.is_empty().then_some(Self {
            random,
            legacy_cookie,
            cipher_suites,
            compression_methods,
            extensions,
            length,
        })
    }

    /// Whether the client speaks DTLS 1.3 (RFC 8446 section 4.2.1: if it does, it says so here and nowhere else).
    pub(crate) fn speaks_dtls_1_3(&self) -> bool {
        self.extensions.supported_versions.is_some_and(|versions| extension::lists(versions, DTLS_1_3))
    }

    pub(crate) fn offers(&self, suite: CipherSuite) -> bool {
        extension::lists(self.cipher_suites, suite.0)
    }

    pub(crate) fn offers_group(&self, group: NamedGroup) -> bool {
        self.extensions.supported_groups.is_some_and(|groups| extension::lists(groups, group.to_u16()))
    }

    /// Length of the message's body up to the binders.
    pub(crate) fn truncated_len(&self) -> usize {
        let binders = self.extensions.pre_shared_key.map_or(0, |offered| offered.binders_len());
        self.length.saturating_sub(binders)
    }
}

impl<'a> ClientExtensions<'a> {
    fn parse(list: &'a [u8]) -> Option<Self> {
        let mut extensions = Self::default();
        let mut routability = None;
        extension::for_each(list, |kind, data, last| match kind {
            number::SERVER_NAME => once(&mut extensions.server_name, extension::parse_server_name(data)?),
            number::SUPPORTED_GROUPS => once(&mut extensions.supported_groups, data.vec16()?),
            number::SIGNATURE_ALGORITHMS => once(&mut extensions.signature_algorithms, data.vec16()?),
            number::CLIENT_CERTIFICATE_TYPE => once(&mut extensions.client_certificate_types, data.vec8()?),
            number::SERVER_CERTIFICATE_TYPE => once(&mut extensions.server_certificate_types, data.vec8()?),
            number::RECORD_SIZE_LIMIT => once(&mut extensions.record_size_limit, data.u16()?),
            number::SUPPORTED_VERSIONS => once(&mut extensions.supported_versions, data.vec8()?),
            number::COOKIE => once(&mut extensions.cookie, data.vec16()?),
            number::PSK_KEY_EXCHANGE_MODES => once(&mut extensions.psk_key_exchange_modes, data.vec8()?),
            number::KEY_SHARE => once(&mut extensions.key_share, KeyShares::parse(data)?),
            number::CONNECTION_ID => once(&mut extensions.connection_id, data.vec8()?),
            number::RETURN_ROUTABILITY_CHECK => once(&mut routability, ()),
            // RFC 8446 section 4.2.11: the last one, so that binders cover all the others.
            number::PRE_SHARED_KEY if last => once(&mut extensions.pre_shared_key, OfferedPsks::parse(data)?),
            number::PRE_SHARED_KEY => None,
            _ => data.take(data.rest().len()).map(|_| ()),
        })?;
        extensions.return_routability_check = routability.is_some();
        Some(extensions)
    }
}

/// A ServerHello or a HelloRetryRequest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerHello<'a> {
    pub(crate) random: [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) suite: CipherSuite,
    pub(crate) compression_method: u8,
    pub(crate) extensions: ServerExtensions<'a>,
}

/// What the extensions of a ServerHello or a HelloRetryRequest say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServerExtensions<'a> {
    /// `None`: the server speaks an older version.
    pub(crate) selected_version: Option<u16>,
    /// Of a ServerHello.
    pub(crate) key_share: Option<KeyShareEntry<'a>>,
    /// Of a HelloRetryRequest: the group of which it wants a share.
    pub(crate) selected_group: Option<u16>,
    /// Of a HelloRetryRequest.
    pub(crate) cookie: Option<&'a [u8]>,
    pub(crate) selected_identity: Option<u16>,
    pub(crate) connection_id: Option<&'a [u8]>,
    pub(crate) return_routability_check: bool,
    /// Whether there was one that is none of these.
    pub(crate) unknown: bool,
}

impl<'a> ServerHello<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader::new(body);
        let _legacy_version = body.u16()?;
        let random = body.array()?;
        let session_id = body.vec8().filter(|id| id.len() <= 32)?;
        let suite = CipherSuite(body.u16()?);
        let compression_method = body.u8()?;
        let list = if body.is_empty() { &[] } else { body.vec16()? };
        let extensions = ServerExtensions::parse(list, random == RETRY_RANDOM)?;
        body.is_empty().then_some(Self { random, session_id, suite, compression_method, extensions })
    }

    /// RFC 8446 section 4.1.4: a HelloRetryRequest is a ServerHello with one certain random.
    pub(crate) fn is_retry(&self) -> bool {
        self.random == RETRY_RANDOM
    }

    /// Writes a ServerHello. RFC 9147 section 5: `legacy_session_id` is not echoed.
    pub(crate) fn write(
        out: &mut Writer<'_>,
        random: &[u8; 32],
        suite: CipherSuite,
        key_share: Option<(NamedGroup, &[u8])>,
        selected_identity: Option<u16>,
        connection_id: Option<&[u8]>,
        return_routability_check: bool,
    ) {
        write_head(out, random, suite);
        out.vec16(|out| {
            write_version(out);
            if let Some((group, share)) = key_share {
                extension::write(out, number::KEY_SHARE, |out| KeyShareEntry::write(group, share, out));
            }
            if let Some(identity) = selected_identity {
                extension::write(out, number::PRE_SHARED_KEY, |out| out.u16(identity));
            }
            if let Some(cid) = connection_id {
                extension::write(out, number::CONNECTION_ID, |out| out.vec8(|out| out.bytes(cid)));
            }
            if return_routability_check {
                extension::write(out, number::RETURN_ROUTABILITY_CHECK, |_| {});
            }
        });
    }

    /// Writes a HelloRetryRequest: the same bytes for the same arguments, so that a server need not keep it.
    pub(crate) fn write_retry(
        out: &mut Writer<'_>,
        suite: CipherSuite,
        group: Option<NamedGroup>,
        cookie: &[u8],
    ) {
        write_head(out, &RETRY_RANDOM, suite);
        out.vec16(|out| {
            write_version(out);
            if let Some(group) = group {
                extension::write(out, number::KEY_SHARE, |out| out.u16(group.to_u16()));
            }
            extension::write(out, number::COOKIE, |out| out.vec16(|out| out.bytes(cookie)));
        });
    }
}

fn write_head(out: &mut Writer<'_>, random: &[u8; 32], suite: CipherSuite) {
    out.u16(DTLS_1_2);
    out.bytes(random);
    out.vec8(|_| {});
    out.u16(suite.0);
    out.u8(0);
}

fn write_version(out: &mut Writer<'_>) {
    extension::write(out, number::SUPPORTED_VERSIONS, |out| out.u16(DTLS_1_3));
}

impl<'a> ServerExtensions<'a> {
    fn parse(list: &'a [u8], retry: bool) -> Option<Self> {
        let mut extensions = Self::default();
        let mut routability = None;
        extension::for_each(list, |kind, data, _| match kind {
            number::SUPPORTED_VERSIONS => once(&mut extensions.selected_version, data.u16()?),
            number::KEY_SHARE if retry => once(&mut extensions.selected_group, data.u16()?),
            number::KEY_SHARE => once(&mut extensions.key_share, KeyShareEntry::parse(data)?),
            number::COOKIE if retry => once(&mut extensions.cookie, data.vec16().filter(|c| !c.is_empty())?),
            number::PRE_SHARED_KEY => once(&mut extensions.selected_identity, data.u16()?),
            number::CONNECTION_ID => once(&mut extensions.connection_id, data.vec8()?),
            number::RETURN_ROUTABILITY_CHECK => once(&mut routability, ()),
            _ => {
                extensions.unknown = true;
                data.take(data.rest().len()).map(|_| ())
            }
        })?;
        extensions.return_routability_check = routability.is_some();
        Some(extensions)
    }
}
