//! The Echo option ([RFC 9175 section 2](https://www.rfc-editor.org/rfc/rfc9175#section-2)): proof that a
//! request is fresh, and that its sender receives at the address it sends from.
//!
//! A server that wants proof answers 4.01 with an Echo option; the client repeats the request with the same
//! option. The value made here is the time under a MAC, so that the server keeps nothing between the two.

use core::fmt;

use sedge_time::{Duration, Instant};

/// The length of an Echo value in bytes: 8 of time, 8 of MAC.
pub const LEN: usize = 16;

/// Why an Echo value proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFresh {
    /// It was not made by this server for this client.
    Unknown,
    /// It is too old: challenge again.
    Stale,
}

impl fmt::Display for NotFresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the Echo value was not made here",
            Self::Stale => "the Echo value is too old",
        })
    }
}

impl core::error::Error for NotFresh {}

/// The Echo value that challenges a client at `now`.
///
/// `mac` is a keyed MAC over the 8 bytes it is given and over what identifies the client, its address if
/// that is to be proved; the first 8 bytes of an HMAC will do.
pub fn challenge(now: Instant, mac: impl FnOnce(&[u8; 8]) -> [u8; 8]) -> [u8; LEN] {
    let time = now.as_micros().to_be_bytes();
    let mut value = [0; LEN];
    let (time_place, mac_place) = value.split_at_mut(8);
    time_place.copy_from_slice(&time);
    mac_place.copy_from_slice(&mac(&time));
    value
}

/// Whether the Echo value of a request that came at `now` answers a challenge made at most `within` ago.
///
/// # Errors
/// It does not.
pub fn verify(
    echo: &[u8],
    now: Instant,
    within: Duration,
    mac: impl FnOnce(&[u8; 8]) -> [u8; 8],
) -> Result<(), NotFresh> {
    let (Some(time), Some(tag), LEN) = (echo.first_chunk::<8>(), echo.last_chunk::<8>(), echo.len()) else {
        return Err(NotFresh::Unknown);
    };
    // All bytes are looked at, so that the time taken tells nothing of the tag.
    let difference = mac(time).iter().zip(tag).fold(0, |difference, (a, b)| difference | (a ^ b));
    if core::hint::black_box(difference) != 0 {
        return Err(NotFresh::Unknown);
    }
    let made = Instant::from_micros(u64::from_be_bytes(*time));
    if made > now || now.saturating_since(made) > within { Err(NotFresh::Stale) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No MAC, but as good for telling keys apart here.
    fn mac(key: u8) -> impl Fn(&[u8; 8]) -> [u8; 8] {
        move |time| time.map(|byte| byte.wrapping_mul(31) ^ key)
    }

    #[test]
    fn a_challenge_is_good_for_a_while() {
        let at = |secs| Instant::EPOCH + Duration::from_secs(secs);
        let within = Duration::from_secs(10);
        let echo = challenge(at(100), mac(1));
        assert_eq!(verify(&echo, at(100), within, mac(1)), Ok(()));
        assert_eq!(verify(&echo, at(110), within, mac(1)), Ok(()));
        assert_eq!(verify(&echo, at(111), within, mac(1)), Err(NotFresh::Stale));
        assert_eq!(verify(&echo, at(99), within, mac(1)), Err(NotFresh::Stale));
        assert_eq!(verify(&echo, at(100), within, mac(2)), Err(NotFresh::Unknown));
        assert_eq!(verify(&echo[..15], at(100), within, mac(1)), Err(NotFresh::Unknown));
        assert_eq!(verify(&[], at(100), within, mac(1)), Err(NotFresh::Unknown));
        for index in 0..LEN {
            let mut forged = echo;
            forged[index] ^= 0x80;
            assert_eq!(verify(&forged, at(100), within, mac(1)), Err(NotFresh::Unknown));
        }
    }
}
