//! Link-layer security (IEEE 802.15.4-2006 section 7.6 and annex B): AES-CCM*, with one key for the network.
//!
//! DTLS's ciphers have tags of 8 and 16 bytes only, so that CCM* with its shorter ones is put together here, from
//! the provider's block cipher.

use sedge_crypto::{Crypto, RustCrypto, Secret, constant_time_eq};

use super::frame::SplitOff;

/// The key of a network, and how frames are protected with it.
#[derive(Clone, Debug)]
pub struct LinkSecurity {
    /// The key.
    pub key: Secret<16>,
    /// Its index in frames.
    pub index: u8,
    /// How frames are protected.
    pub level: SecurityLevel,
}

/// How a frame is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SecurityLevel {
    /// A code of 4 bytes.
    Mic32 = 1,
    /// A code of 8 bytes.
    Mic64 = 2,
    /// A code of 16 bytes.
    Mic128 = 3,
    /// Encrypted, with a code of 4 bytes, as Thread and 6TiSCH do.
    EncMic32 = 5,
    /// Encrypted, with a code of 8 bytes.
    EncMic64 = 6,
    /// Encrypted, with a code of 16 bytes.
    EncMic128 = 7,
}

impl SecurityLevel {
    /// Length of the code.
    pub const fn mic_len(self) -> usize {
        2 << (self as u8 & 3)
    }

    const fn encrypts(self) -> bool {
        self as u8 & 4 != 0
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            1 => Self::Mic32,
            2 => Self::Mic64,
            3 => Self::Mic128,
            5 => Self::EncMic32,
            6 => Self::EncMic64,
            7 => Self::EncMic128,
            // 0 is none, and 4 encrypts what anyone may change.
            _ => return None,
        })
    }
}

/// The auxiliary security header with a key index (key identifier mode 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// How the frame is protected.
    pub level: SecurityLevel,
    /// The sender's frame counter.
    pub counter: u32,
    /// Index of the key.
    pub key: u8,
}

impl Protection {
    /// Its length in a frame.
    pub const LEN: usize = 6;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.level as u8 | 1 << 3);
        out.extend_from_slice(&self.counter.to_le_bytes());
        out.push(self.key);
    }

    pub(super) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let [control] = *bytes.split_off_chunk()?;
        let level = SecurityLevel::from_bits(control & 7)?;
        if control >> 3 != 1 {
            return None;
        }
        let counter = u32::from_le_bytes(*bytes.split_off_chunk()?);
        let [key] = *bytes.split_off_chunk()?;
        Some(Self { level, counter, key })
    }
}

/// Protects a frame of which the first `open` bytes stay readable, and appends the code.
pub(crate) fn seal(
    key: &Secret<16>,
    source: [u8; 8],
    protection: Protection,
    frame: &mut Vec<u8>,
    open: usize,
) {
    let ccm = CcmStar::new(key, source, protection);
    let (readable, payload) = frame.split_at_mut(open);
    let mic = ccm.mic(readable, payload);
    if protection.level.encrypts() {
        ccm.crypt(payload);
    }
    frame.extend_from_slice(&mic[..protection.level.mic_len()]);
}

/// Undoes [`seal`]: the payload, if its code is right.
pub(crate) fn open(
    key: &Secret<16>,
    source: [u8; 8],
    protection: Protection,
    frame: &[u8],
    open: usize,
) -> Option<Vec<u8>> {
    let ccm = CcmStar::new(key, source, protection);
    let (readable, rest) = frame.split_at_checked(open)?;
    let (payload, mic) = rest.split_at_checked(rest.len().checked_sub(protection.level.mic_len())?)?;
    let mut payload = payload.to_vec();
    if protection.level.encrypts() {
        ccm.crypt(&mut payload);
    }
    let expected = ccm.mic(readable, &payload);
    constant_time_eq(&expected[..mic.len()], mic).then_some(payload)
}

struct CcmStar<'a> {
    key: &'a Secret<16>,
    nonce: [u8; 13],
    level: SecurityLevel,
}

impl<'a> CcmStar<'a> {
    fn new(key: &'a Secret<16>, source: [u8; 8], protection: Protection) -> Self {
        let mut nonce = [0; 13];
        nonce[..8].copy_from_slice(&source);
        nonce[8..12].copy_from_slice(&protection.counter.to_be_bytes());
        nonce[12] = protection.level as u8;
        Self { key, nonce, level: protection.level }
    }

    fn block(&self, flags: u8, last: u16) -> [u8; 16] {
        let mut block = [0; 16];
        block[0] = flags;
        block[1..14].copy_from_slice(&self.nonce);
        block[14..].copy_from_slice(&last.to_be_bytes());
        block
    }

    fn encrypt(&self, block: &mut [u8; 16]) {
        RustCrypto.encrypt_block(self.key.expose(), block);
    }

    /// The code over what is readable and the plaintext, encrypted.
    fn mic(&self, readable: &[u8], payload: &[u8]) -> [u8; 16] {
        // A payload that is not encrypted is authenticated as part of what is readable.
        let (head, message) = if self.level.encrypts() { (&[][..], payload) } else { (payload, &[][..]) };
        let length = readable.len() + head.len();
        let mic = (self.level.mic_len() as u8 - 2) / 2;
        let flags = u8::from(length > 0) << 6 | mic << 3 | 1;
        let mut mac = self.block(flags, message.len() as u16);
        self.encrypt(&mut mac);
        let mut place = 0;
        let length = (length as u16).to_be_bytes();
        for part in [[&length[..], readable, head], [message, &[], &[]]] {
            for &byte in part.into_iter().flatten() {
                mac[place] ^= byte;
                place += 1;
                if place == mac.len() {
                    self.encrypt(&mut mac);
                    place = 0;
                }
            }
            if place > 0 {
                self.encrypt(&mut mac);
                place = 0;
            }
        }
        let mut pad = self.block(1, 0);
        self.encrypt(&mut pad);
        std::array::from_fn(|index| mac[index] ^ pad[index])
    }

    fn crypt(&self, payload: &mut [u8]) {
        for (counter, chunk) in payload.chunks_mut(16).enumerate() {
            let mut pad = self.block(1, counter as u16 + 1);
            self.encrypt(&mut pad);
            chunk.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= pad);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = *b"\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf";
    const SOURCE: [u8; 8] = [0xac, 0xde, 0x48, 0, 0, 0, 0, 1];

    /// IEEE 802.15.4-2006 annex C.2.1: a beacon with a code of 8 bytes.
    #[test]
    fn a_beacon_is_authenticated_as_in_the_standard() {
        let mut frame =
            b"\x08\xd0\x84\x21\x43\x01\0\0\0\0\x48\xde\xac\x02\x05\0\0\0\x55\xcf\0\0\x51\x52\x53\x54"
                .to_vec();
        let protection = Protection { level: SecurityLevel::Mic64, counter: 5, key: 0 };
        let whole = frame.len();
        seal(&Secret::new(KEY), SOURCE, protection, &mut frame, 22);
        assert_eq!(frame[whole..], *b"\x22\x3b\xc1\xec\x84\x1a\xb5\x53");
    }

    /// IEEE 802.15.4-2006 annex C.2.3: an encrypted command with a code of 8 bytes.
    #[test]
    fn a_command_is_encrypted_as_in_the_standard() {
        let mut frame = b"\x2b\xdc\x84\x21\x43\x02\0\0\0\0\x48\xde\xac\xff\xff\x01\0\0\0\0\x48\xde\xac\x06\x05\0\0\0\x01\xce".to_vec();
        let protection = Protection { level: SecurityLevel::EncMic64, counter: 5, key: 0 };
        seal(&Secret::new(KEY), SOURCE, protection, &mut frame, 29);
        assert_eq!(frame[29..], *b"\xd8\x4f\xde\x52\x90\x61\xf9\xc6\xf1");
        assert_eq!(open(&Secret::new(KEY), SOURCE, protection, &frame, 29).as_deref(), Some(&[0xce][..]));
    }

    /// With 8 and 16 bytes of code, CCM* is the CCM that the provider has.
    #[test]
    fn long_codes_are_those_of_the_provider() {
        use sedge_crypto::Aead;
        for (level, aead) in
            [(SecurityLevel::EncMic64, Aead::Aes128Ccm8), (SecurityLevel::EncMic128, Aead::Aes128Ccm)]
        {
            for length in [0, 1, 15, 16, 17, 90] {
                let protection = Protection { level, counter: 77, key: 1 };
                let mut frame: Vec<u8> = (0..21 + length).collect();
                seal(&Secret::new(KEY), SOURCE, protection, &mut frame, 21);
                let mut nonce = SOURCE.to_vec();
                nonce.extend([0, 0, 0, 77, level as u8]);
                let mut payload: Vec<u8> = (21..21 + length).collect();
                let readable: Vec<u8> = (0..21).collect();
                let tag = RustCrypto.seal(aead, &KEY, &nonce, &readable, &mut payload).unwrap();
                assert_eq!(frame[21..], [&payload[..], tag.as_bytes()].concat());
            }
        }
    }

    #[test]
    fn whatever_is_changed_is_refused() {
        let protection = Protection { level: SecurityLevel::EncMic32, counter: 9, key: 1 };
        let mut frame = (0..40).collect();
        seal(&Secret::new(KEY), SOURCE, protection, &mut frame, 15);
        assert!(open(&Secret::new(KEY), SOURCE, protection, &frame, 15).is_some());
        for place in 0..frame.len() {
            let mut changed = frame.clone();
            changed[place] ^= 0x10;
            assert_eq!(open(&Secret::new(KEY), SOURCE, protection, &changed, 15), None, "byte {place}");
        }
        let later = Protection { counter: 10, ..protection };
        assert_eq!(open(&Secret::new(KEY), SOURCE, later, &frame, 15), None);
    }
}
