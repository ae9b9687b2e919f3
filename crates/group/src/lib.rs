//! Values that only the members of a topic's group can read.
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
mod sequence;
mod storage;
mod window;

pub use id::{Gid, Id, SenderId};
pub use key::{Cipher, GroupKey};
pub use sequence::{Context, NUMBERS, STEP, Sequence, SequenceError};
pub use storage::{Forgetful, RECORD_LEN, Record, Storage};
pub use window::Window;
