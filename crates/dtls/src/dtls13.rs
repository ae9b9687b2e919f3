//! DTLS 1.3 (RFC 9147).
//!
//! ```text
//! Client                                                        Server
//!           ClientHello                      ----->
//!                                            <-----  HelloRetryRequest         (stateless: `hello`)
//!           ClientHello + cookie             ----->
//!                                                    ServerHello
//!                                                    {EncryptedExtensions}
//!                                                    {CertificateRequest}
//!                                                    {Certificate}
//!                                                    {CertificateVerify}
//!                                            <-----  {Finished}
//!           {Certificate}
//!           {CertificateVerify}
//!           {Finished}                       ----->
//!                                            <-----  [ACK] [NewSessionTicket]
//! ```
//! (RFC 9147 section 5.7; `{}` is epoch 2, `[]` epoch 3. With a pre-shared key there are no certificates.)

use crate::alert::AlertDescription;
use crate::discard::Discard;
use crate::handshake::message::{Fragment, MessageType};
use crate::handshake::resumption::Resumption;
use crate::handshake::{Authentication, Established};
use crate::record::{ContentType, DTLS_1_3, Record};
use crate::session::Session13;
use crate::suite::CipherSuite;

pub(crate) mod ack;
pub(crate) mod client;
pub(crate) mod epoch;
pub(crate) mod extension;
pub(crate) mod flight;
pub(crate) mod hello;
pub(crate) mod link;
pub(crate) mod message;
pub(crate) mod protection;
pub(crate) mod record;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod ticket;
pub(crate) mod transcript;

/// Why a message is not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is dropped.
    Drop(Discard),
    /// It deserves an alert.
    Refuse(AlertDescription),
}

impl From<Discard> for Fault {
    fn from(discard: Discard) -> Self {
        Self::Drop(discard)
    }
}

impl From<AlertDescription> for Fault {
    fn from(description: AlertDescription) -> Self {
        Self::Refuse(description)
    }
}

/// Whether a suite is one of this version's: those say nothing of how keys are agreed on.
pub(crate) const fn is_dtls_1_3(suite: CipherSuite) -> bool {
    suite.aead().is_some() && suite.key_exchange().is_none()
}

/// Who the peer is, and how that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) principal: u32,
    pub(crate) authentication: Authentication,
    pub(crate) resumed: bool,
}

impl Identity {
    pub(crate) const ANONYMOUS: Self =
        Self { principal: 0, authentication: Authentication::Anonymous, resumed: false };

    pub(crate) const fn of_psk(principal: u32) -> Self {
        Self { principal, authentication: Authentication::PreSharedKey, resumed: false }
    }

    pub(crate) const fn of_resumption(resumption: &Resumption) -> Self {
        let (principal, authentication) = (resumption.principal(), resumption.authentication());
        Self { principal, authentication, resumed: true }
    }

    /// The session with this peer.
    pub(crate) fn of(self, session: Session13) -> Established {
        let Self { principal, authentication, resumed } = self;
        Established { session: session.into(), principal, authentication, resumed }
    }
}

/// Whether a record begins with a ServerHello or a HelloRetryRequest of this version.
pub(crate) fn is_server_hello(record: &[u8]) -> bool {
    let hello = Record::parse(record, 0)
        .filter(|record| record.header.epoch == 0 && record.header.content_type == ContentType::HANDSHAKE)
        .and_then(|record| Fragment::parse(record.fragment))
        .and_then(|(fragment, _)| fragment.whole())
        .filter(|message| message.message_type == MessageType::SERVER_HELLO)
        .and_then(|message| hello::ServerHello::parse(message.body));
    hello.is_some_and(|hello| hello.extensions.selected_version == Some(DTLS_1_3))
}
