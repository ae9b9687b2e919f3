//! DTLS 1.2 (RFC 6347).
//!
//! ```text
//! Client                                                        Server
//! flight 1  ClientHello                      ----->
//!                                            <-----  HelloVerifyRequest        flight 2  (stateless: `hello`)
//! flight 3  ClientHello + cookie             ----->
//!                                                    ServerHello
//!                                                    Certificate          (C)
//!                                                    ServerKeyExchange    (E)
//!                                                    CertificateRequest   (M)
//!                                            <-----  ServerHelloDone           flight 4
//! flight 5  Certificate          (M)
//!           ClientKeyExchange
//!           CertificateVerify    (M)
//!           ChangeCipherSpec
//!           Finished                         ----->
//!                                                    NewSessionTicket     (T)
//!                                                    ChangeCipherSpec
//!                                            <-----  Finished                  flight 6
//! ```
//! With certificates or raw public keys (C), ephemeral keys (E), a client that has to authenticate by one too (M),
//! and tickets (T). Without any of them it is the exchange of RFC 4279 section 2 (RFC 6347 section 4.2.4, RFC 5246
//! section 7.3, RFC 8422 section 2, RFC 5077 section 3.1).
//!
//! A session that both sides remember is resumed with less:
//! ```text
//! flight 3  ClientHello + cookie             ----->
//!                                                    ServerHello
//!                                                    NewSessionTicket     (T)
//!                                                    ChangeCipherSpec
//!                                            <-----  Finished                  flight 4
//! flight 5  ChangeCipherSpec
//!           Finished                         ----->
//! ```
//! Whoever sends the last flight keeps it in its session, for the peer may have to ask for it again.

pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod effort;
pub(crate) mod key_exchange;
pub(crate) mod premaster;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod taken;
pub(crate) mod ticket;
#[cfg(test)]
mod trace;
pub(crate) mod transcript;

/// What a server that could have spoken 1.3 puts at the end of its random
/// ([RFC 8446 section 4.1.3](https://www.rfc-editor.org/rfc/rfc8446#section-4.1.3)).
const DOWNGRADE: [u8; 8] = *b"DOWNGRD\x01";
