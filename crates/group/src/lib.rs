//! Values that only the members of a topic's group can read, whoever carries them
//! ([draft-ietf-ace-coap-pubsub-profile](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile)); without
//! a heap.
//!
//! Each protected topic has a group of members that share a key. A [`Publisher`] encrypts a value as COSE_Encrypt0, a
//! [`Subscriber`] opens it; the broker between them sees neither. Who is in the group is for the key distribution centre to
//! say, with which members speak as [`keying`] has it. It makes a new key whenever somebody comes or goes.
//!
//! ```
//! use sedge_crypto::RustCrypto;
//! use sedge_group::{Cipher, Forgetful, Gid, GroupKey, Publisher, SenderId, Subscriber, Value};
//!
//! // What the key distribution centre hands out.
//! let key = GroupKey::new(Cipher::AesCcm16_64_128, &[7; 16], &[9; 13], Gid::from_number(1), 0).unwrap();
//!
//! let mut publisher = Publisher::new(Forgetful);
//! publisher.begin(&RustCrypto, key.clone(), SenderId::from_number(0)).unwrap();
//! let mut buffer = [0; 64];
//! let value = Value { payload: b"21.5", content_format: None };
//! let message = publisher.seal(&RustCrypto, &value, &mut buffer).unwrap();
//!
//! let mut subscriber = Subscriber::<4, 2>::new();
//! subscriber.install(key);
//! let mut out = [0; 64];
//! let opened = subscriber.open(&RustCrypto, message, false, |_| None, &mut out).unwrap();
//! assert_eq!(opened.payload, b"21.5");
//! assert_eq!((opened.sender, opened.verified), (SenderId::from_number(0), false));
//! ```
//!
//! # Never a nonce twice
//! A nonce is made of the Sender ID and a sequence number. The centre gives a Sender ID to one publisher only under one key,
//! and a [`Sequence`] gives out each number once: through a loss of power with the help of a [`Storage`], or without one
//! ([`Forgetful`]) because the publisher joins anew and gets another Sender ID.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that meets what it does not expect is to stop there"
    )
)]

mod id;
mod key;
pub mod keying;
mod publisher;
mod sequence;
mod storage;
mod subscriber;
mod window;

pub use id::{Gid, Id, SenderId};
pub use key::{Cipher, GroupKey};
pub use publisher::{Publisher, SealError, Value};
pub use sequence::{Context, NUMBERS, STEP, Sequence, SequenceError};
pub use storage::{Forgetful, RECORD_LEN, Record, Storage};
pub use subscriber::{Installed, OpenError, Opened, Subscriber};
pub use window::Window;
