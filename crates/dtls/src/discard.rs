//! Why a record was dropped.

use core::fmt;

macro_rules! discards {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Why a record, or what it carried, was dropped without any effect.
        ///
        /// Nothing needs to be done about it: whoever sent it gets no answer and the state is as before. Callers
        /// count them, by [`index`](Self::index).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Discard {
            $($(#[$doc])* $name,)*
        }

        impl Discard {
            /// Every reason, in the order of [`index`](Self::index).
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The reason's name in counters: lower case with underscores.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

discards! {
    /// The bytes are not a record, or not one of DTLS 1.2.
    MalformedRecord = "malformed_record";
    /// A content type that this state has no use for.
    UnexpectedContentType = "unexpected_content_type";
    /// A record of epoch 0 for an established session: obeying it would let anyone in.
    Unprotected = "unprotected";
    /// A record of an epoch whose keys do not exist (yet, or ever).
    UnknownEpoch = "unknown_epoch";
    /// The record names another Connection ID, or none where one was negotiated, or one where none was.
    WrongConnectionId = "wrong_connection_id";
    /// Too short to hold an explicit nonce and a tag.
    TooShort = "too_short";
    /// Longer than the record size limit that was announced.
    TooLong = "too_long";
    /// A sequence number that was seen before, or is older than the replay window.
    Replayed = "replayed";
    /// The authentication tag is wrong.
    BadTag = "bad_tag";
    /// Authentic, but its content makes no sense.
    MalformedContent = "malformed_content";
    /// A handshake message or fragment that cannot be parsed.
    MalformedHandshake = "malformed_handshake";
    /// A handshake message that this state does not expect.
    UnexpectedHandshake = "unexpected_handshake";
    /// A handshake message seen before.
    HandshakeRepeated = "handshake_repeated";
    /// A handshake message ahead of its turn.
    HandshakeEarly = "handshake_early";
    /// A handshake message longer than the buffer for it; after the handshake, a ticket in fragments, which is acknowledged
    /// and passed over.
    HandshakeTooLong = "handshake_too_long";
    /// A fragment of a handshake message of which too many pieces lie apart.
    TooManyFragments = "too_many_fragments";
    /// A ClientHello in fragments: nothing is kept before the cookie, so it cannot be put together.
    FragmentedClientHello = "fragmented_client_hello";
    /// A ClientHello of a version before DTLS 1.2.
    UnsupportedVersion = "unsupported_version";
    /// A ServerHello that answers a question that was not asked, or chooses what was not offered.
    UnofferedChoice = "unoffered_choice";
    /// A certificate that is not believed, or none where there has to be one.
    UntrustedCertificate = "untrusted_certificate";
    /// A signature that is wrong, or by an algorithm that was not offered.
    BadSignature = "bad_signature";
    /// A key share that is in no offered group, or no point of its group.
    BadKeyShare = "bad_key_share";
    /// What would take more key agreements and verifications than a handshake does in one turn of its timer.
    TooManyAttempts = "too_many_attempts";
    /// An alert that nothing authenticates.
    UnauthenticatedAlert = "unauthenticated_alert";
    /// The handshake or session is over.
    Closed = "closed";
}

impl Discard {
    /// The reason's place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
