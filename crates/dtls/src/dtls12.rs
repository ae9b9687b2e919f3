//! DTLS 1.2 (RFC 6347).
//!
//! ```text
//! Client                                                        Server
//! flight 1  ClientHello                      ----->
//!                                            <-----  HelloVerifyRequest        flight 2  (stateless: `hello`)
//! flight 3  ClientHello + cookie             ----->
//!                                                    ServerHello
//!                                            <-----  ServerHelloDone           flight 4
//! flight 5  ClientKeyExchange
//!           ChangeCipherSpec
//!           Finished                         ----->
//!                                                    ChangeCipherSpec
//!                                            <-----  Finished                  flight 6
//! ```
//! (RFC 6347 section 4.2.4 with the messages of RFC 4279 section 2.)

pub(crate) mod client;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod transcript;
