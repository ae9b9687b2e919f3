//! Handshake messages in the clear, or opened (RFC 6347 section 4.2.2, RFC 9147 section 5.2).

/// A message, or a fragment of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handshake<'d> {
    pub(crate) kind: u8,
    /// Where in the body the fragment begins.
    offset: usize,
    fragment: &'d [u8],
    /// The whole body; nothing if this is only a part of the message.
    pub(crate) body: Option<&'d [u8]>,
}

/// What a server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    /// DTLS 1.3, and not 1.2.
    pub(crate) is_1_3: bool,
    /// A HelloRetryRequest, which chooses nothing yet.
    pub(crate) is_retry: bool,
    pub(crate) suite: u16,
    /// Whether it names the session.
    pub(crate) has_session_id: bool,
    /// The group of its key share, or the one it asks for.
    pub(crate) group: Option<u16>,
    /// The numbers of all its extensions.
    pub(crate) extensions: Vec<u16>,
}

pub(crate) mod kind {
    pub(crate) const CLIENT_HELLO: u8 = 1;
    pub(crate) const SERVER_HELLO: u8 = 2;
    pub(crate) const HELLO_VERIFY_REQUEST: u8 = 3;
    pub(crate) const ENCRYPTED_EXTENSIONS: u8 = 8;
    pub(crate) const SERVER_KEY_EXCHANGE: u8 = 12;
    pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
    pub(crate) const SERVER_HELLO_DONE: u8 = 14;
}

pub(crate) mod extension {
    pub(crate) const EXTENDED_MASTER_SECRET: u16 = 23;
    pub(crate) const RECORD_SIZE_LIMIT: u16 = 28;
    pub(crate) const SESSION_TICKET: u16 = 35;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
    pub(crate) const KEY_SHARE: u16 = 51;
    pub(crate) const CONNECTION_ID: u16 = 54;
    pub(crate) const RETURN_ROUTABILITY: u16 = 61;
}

/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The messages in the body of a record.
pub(crate) fn messages(mut body: &[u8]) -> Vec<Handshake<'_>> {
    let mut messages = Vec::new();
    while let [kind, l2, l1, l0, _, _, o2, o1, o0, f2, f1, f0, rest @ ..] = body {
        let uint = |bytes: [&u8; 3]| bytes.iter().fold(0, |value, byte| value << 8 | usize::from(**byte));
        let (len, offset, fragment) = (uint([l2, l1, l0]), uint([o2, o1, o0]), uint([f2, f1, f0]));
        let whole = offset == 0 && fragment == len;
        let (fragment, after) = rest.split_at_checked(fragment).unwrap_or_default();
        messages.push(Handshake { kind: *kind, offset, fragment, body: Some(fragment).filter(|_| whole) });
        body = after;
    }
    messages
}

impl Handshake<'_> {
    /// What it is called, and of a ServerHello what it chooses.
    pub(crate) fn describe(&self) -> String {
        match ServerHello::of(self) {
            Some(hello) => hello.describe(),
            None => self.name().into(),
        }
    }

    const fn name(&self) -> &'static str {
        match self.kind {
            0 => "HelloRequest",
            kind::CLIENT_HELLO => "ClientHello",
            kind::SERVER_HELLO => "ServerHello",
            kind::HELLO_VERIFY_REQUEST => "HelloVerifyRequest",
            4 => "NewSessionTicket",
            kind::ENCRYPTED_EXTENSIONS => "EncryptedExtensions",
            9 => "RequestConnectionId",
            10 => "NewConnectionId",
            11 => "Certificate",
            kind::SERVER_KEY_EXCHANGE => "ServerKeyExchange",
            kind::CERTIFICATE_REQUEST => "CertificateRequest",
            kind::SERVER_HELLO_DONE => "ServerHelloDone",
            15 => "CertificateVerify",
            16 => "ClientKeyExchange",
            20 => "Finished",
            24 => "KeyUpdate",
            _ => "handshake message",
        }
    }
}

/// The beginning of a ServerKeyExchange of DTLS 1.2: its first fragment may be of a single byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyExchange(Vec<u8>);

impl KeyExchange {
    /// Takes in a message, or a fragment of one. Fragments that are repeated or come out of turn do no harm: the whole
    /// flight is sent again.
    pub(crate) fn take(&mut self, message: &Handshake<'_>) {
        if message.kind == kind::SERVER_KEY_EXCHANGE && message.offset <= self.0.len() {
            self.0.truncate(message.offset);
            self.0.extend_from_slice(message.fragment);
        }
    }

    /// The group of its key (RFC 8422 section 5.4); under a pre-shared key it stands behind the hint (RFC 5489 section 2).
    pub(crate) fn group(&self) -> Option<u16> {
        const NAMED_CURVE: u8 = 3;
        let after_hint = |body: &'_ [u8]| match body {
            [high, low, rest @ ..] => {
                let hint = usize::from(u16::from_be_bytes([*high, *low]));
                rest.get(hint..).and_then(|rest| rest.first_chunk::<3>().copied())
            }
            _ => None,
        };
        let named =
            |[form, high, low]: [u8; 3]| (form == NAMED_CURVE).then(|| u16::from_be_bytes([high, low]));
        let body = &self.0;
        let first = body.first_chunk::<3>().copied().and_then(named);
        first.filter(|group| *group > 0).or_else(|| after_hint(body).and_then(named))
    }
}

impl ServerHello {
    /// Reads a whole ServerHello.
    pub(crate) fn of(message: &Handshake<'_>) -> Option<Self> {
        if message.kind != kind::SERVER_HELLO {
            return None;
        }
        let body = message.body?;
        let random: [u8; 32] = body.get(2..34)?.try_into().ok()?;
        let session_id = usize::from(*body.get(34)?);
        let rest = body.get(35 + session_id..)?;
        let suite = u16::from_be_bytes(*rest.first_chunk()?);
        // compression_method, and the length of all extensions, if there are any.
        let mut list = rest.get(5..).unwrap_or_default();
        let mut hello = Self {
            is_1_3: false,
            is_retry: random == RETRY,
            suite,
            has_session_id: session_id > 0,
            group: None,
            extensions: Vec::new(),
        };
        while let [t1, t0, l1, l0, after @ ..] = list {
            let (number, len) = (u16::from_be_bytes([*t1, *t0]), usize::from(u16::from_be_bytes([*l1, *l0])));
            let value = after.get(..len)?;
            match (number, value) {
                (extension::SUPPORTED_VERSIONS, [0xfe, 0xfc]) => hello.is_1_3 = true,
                (extension::KEY_SHARE, [high, low, ..]) => {
                    hello.group = Some(u16::from_be_bytes([*high, *low]));
                }
                _ => {}
            }
            hello.extensions.push(number);
            list = after.get(len..)?;
        }
        Some(hello)
    }

    pub(crate) fn has(&self, number: u16) -> bool {
        self.extensions.contains(&number)
    }

    fn describe(&self) -> String {
        let name = if self.is_retry { "HelloRetryRequest" } else { "ServerHello" };
        let version = if self.is_1_3 { "1.3" } else { "1.2" };
        let group = self.group.map_or_else(String::new, |group| format!(", {}", group_name(group)));
        format!("{name} ({version}, {}{group})", suite_name(self.suite))
    }
}

/// The numbers of the extensions in an EncryptedExtensions.
pub(crate) fn encrypted_extensions(message: &Handshake<'_>) -> Option<Vec<u16>> {
    if message.kind != kind::ENCRYPTED_EXTENSIONS {
        return None;
    }
    let mut list = message.body?.get(2..)?;
    let mut numbers = Vec::new();
    while let [t1, t0, l1, l0, after @ ..] = list {
        numbers.push(u16::from_be_bytes([*t1, *t0]));
        list = after.get(usize::from(u16::from_be_bytes([*l1, *l0]))..)?;
    }
    Some(numbers)
}

/// A suite's name, or its number.
pub(crate) fn suite_name(number: u16) -> String {
    let suite = sedge_dtls::CipherSuite(number);
    if suite.aead().is_some() { suite.as_str().into() } else { format!("{number:#06x}") }
}

/// A group's name, or its number.
pub(crate) fn group_name(number: u16) -> String {
    match number {
        23 => "secp256r1".into(),
        24 => "secp384r1".into(),
        29 => "x25519".into(),
        _ => format!("group {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let len = &(body.len() as u32).to_be_bytes()[1..];
        [&[kind], len, &[0, 0, 0, 0, 0], len, body].concat()
    }

    fn server_hello(random: [u8; 32], extensions: &[u8]) -> Vec<u8> {
        let len = (extensions.len() as u16).to_be_bytes();
        message(2, &[&[0xfe, 0xfd], &random[..], &[1, 9, 0x13, 5, 0], &len, extensions].concat())
    }

    #[test]
    fn what_a_server_chose_is_read() {
        let chosen =
            [&[0, 43, 0, 2, 0xfe, 0xfc][..], &[0, 51, 0, 4, 0, 29, 0, 0], &[0, 54, 0, 1, 0]].concat();
        let bytes = server_hello([7; 32], &chosen);
        let hello = ServerHello::of(&messages(&bytes)[0]).unwrap();
        assert!(hello.is_1_3 && !hello.is_retry && hello.has(extension::CONNECTION_ID));
        assert_eq!((hello.suite, hello.group), (0x1305, Some(29)));
        assert_eq!(hello.describe(), "ServerHello (1.3, TLS_AES_128_CCM_8_SHA256, x25519)");
        let retry = server_hello(RETRY, &chosen[..6]);
        assert!(messages(&retry)[0].describe().starts_with("HelloRetryRequest (1.3"));
        // Cut anywhere, it is a part of a message or nothing.
        for cut in 0..bytes.len() {
            assert!(messages(&bytes[..cut]).iter().all(|message| ServerHello::of(message).is_none()));
        }
    }

    #[test]
    fn the_group_of_a_key_exchange_is_read() {
        let group = |body: &[u8]| {
            let mut exchange = KeyExchange::default();
            exchange.take(&messages(&message(12, body))[0]);
            exchange.group()
        };
        assert_eq!(group(&[3, 0, 23, 65]), Some(23));
        // Behind an empty hint and behind one.
        assert_eq!(group(&[0, 0, 3, 0, 29, 32]), Some(29));
        assert_eq!(group(&[0, 2, b'h', b'i', 3, 0, 29, 32]), Some(29));
        assert_eq!(group(&[0, 2, b'h', b'i']), None);
    }

    #[test]
    fn a_key_exchange_may_come_byte_by_byte() {
        let body = [3, 0, 23, 65];
        let mut exchange = KeyExchange::default();
        // One of them too early, two of them twice.
        for at in [0, 2, 1, 0, 1, 2] {
            assert_eq!(exchange.group(), None);
            let len = body.len() as u8;
            let fragment = [12, 0, 0, len, 0, 0, 0, 0, at, 0, 0, 1, body[usize::from(at)]];
            exchange.take(&messages(&fragment)[0]);
        }
        assert_eq!(exchange.group(), Some(23));
    }
}
