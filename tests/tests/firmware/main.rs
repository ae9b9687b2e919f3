//! Devices in QEMU, a Cortex-M4 and a Cortex-M33, against a real broker: what a board would do, down to its driver.
//!
//! ```text
//!   QEMU                                              this process
//!   trial (examples/firmware-mps2) -- LAN9118 -- slirp -- [relay that loses] -- broker -- a client of the test's
//!                                        |
//!                                    capture, for tshark
//! ```
//!
//! Every run ends with a look at its capture: each packet of the device went to its broker, each is DTLS, and tshark finds
//! none malformed.

mod board;
mod bytes;
mod capture;
mod clock;
mod guest;
mod kill;
mod links;
mod power;
mod refusals;
mod site;
mod strangers;
mod talk;

/// One test for each board.
macro_rules! on_each_board {
    ($($name:ident),+ $(,)?) => {
        mod an386 {
            $(#[test]
            fn $name() {
                super::$name(crate::board::Board::An386);
            })+
        }
        mod an505 {
            $(#[test]
            fn $name() {
                super::$name(crate::board::Board::An505);
            })+
        }
    };
}
use on_each_board;

use std::time::Duration;

/// How long an emulated device may take for what it does at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(40);
