//! Registration with a router in place of multicast solicitations: Neighbour Solicitation and Advertisement with the
//! Extended Address Registration Option ([RFC 6775](https://www.rfc-editor.org/rfc/rfc6775),
//! [RFC 8505](https://www.rfc-editor.org/rfc/rfc8505)).
//!
//! A node registers once with each router that becomes its parent; the registration lasts as long as the run, so that
//! it is not renewed.

use crate::mac::{Address, SplitOff};

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const REGISTRATION: u8 = 33;
/// In units of 60 s.
const LIFETIME: u16 = 0xffff;
/// The bit that says that the transaction number counts (T).
const WITH_TRANSACTION: u8 = 1;

/// A message of the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    /// A node asks to be registered.
    Asked { address: [u8; 16], transaction: u8, owner: [u8; 8] },
    /// A router has registered it, if the status is 0.
    Answered { address: [u8; 16], transaction: u8, owner: [u8; 8], status: u8 },
}

impl Registration {
    /// The ICMPv6 message; `from` is the sender's address on the link.
    pub(crate) fn write(&self, from: Address) -> Vec<u8> {
        let (kind, flags, address, transaction, owner, status) = match *self {
            Self::Asked { address, transaction, owner } => (SOLICITATION, 0, address, transaction, owner, 0),
            // Router, solicited.
            Self::Answered { address, transaction, owner, status } => {
                (ADVERTISEMENT, 0xc0, address, transaction, owner, status)
            }
        };
        let mut out = vec![kind, 0, 0, 0, flags, 0, 0, 0];
        out.extend_from_slice(&address);
        if kind == SOLICITATION {
            match from {
                Address::Absent => {}
                Address::Short(short) => {
                    out.extend_from_slice(&[SOURCE_LINK_ADDRESS, 1]);
                    out.extend_from_slice(&short.to_be_bytes());
                    out.extend_from_slice(&[0; 4]);
                }
                Address::Extended(eui64) => {
                    out.extend_from_slice(&[SOURCE_LINK_ADDRESS, 2]);
                    out.extend_from_slice(&eui64);
                    out.extend_from_slice(&[0; 6]);
                }
            }
        }
        let [high, low] = LIFETIME.to_be_bytes();
        out.extend_from_slice(&[REGISTRATION, 2, status, 0, WITH_TRANSACTION, transaction, high, low]);
        out.extend_from_slice(&owner);
        out
    }

    /// Reads such a message; `None` if it is something else.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let [kind, _, _, _, _, _, _, _] = *rest.split_off_chunk()?;
        let address = *rest.split_off_chunk()?;
        while let Some(&[option, units]) = rest.first_chunk::<2>() {
            let length = 8 * usize::from(units);
            let (value, after) = rest.split_at_checked(length).filter(|_| length > 0)?;
            rest = after;
            if option != REGISTRATION {
                continue;
            }
            let mut value = value;
            let [_, _, status, _, _, transaction, _, _] = *value.split_off_chunk()?;
            let owner = *value.split_off_chunk()?;
            return match kind {
                SOLICITATION => Some(Self::Asked { address, transaction, owner }),
                ADVERTISEMENT => Some(Self::Answered { address, transaction, owner, status }),
                _ => None,
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_they_were_written() {
        let asked = Registration::Asked { address: [7; 16], transaction: 3, owner: [9; 8] };
        let answered = Registration::Answered { address: [7; 16], transaction: 3, owner: [9; 8], status: 1 };
        for from in [Address::Short(0x1234), Address::Extended([5; 8])] {
            for message in [asked, answered] {
                let bytes = message.write(from);
                assert_eq!(bytes.len() % 8, 0);
                assert_eq!(Registration::read(&bytes), Some(message));
                for end in 0..bytes.len() {
                    assert_eq!(Registration::read(&bytes[..end]), None, "cut at {end}");
                }
            }
        }
    }
}
