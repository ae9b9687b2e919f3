//! A driver for the LAN9118, the Ethernet controller of the MPS2 boards (its data sheet is Microchip's DS00002266).
//!
//! It polls and copies each frame once: enough for a device that sends a few datagrams a second.

use core::ptr;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::board::chip::ETHERNET;

/// Its registers.
const RX_DATA: usize = 0x00;
const TX_DATA: usize = 0x20;
const RX_STATUS: usize = 0x40;
const BYTE_TEST: usize = 0x64;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_FIFO_INF: usize = 0x7c;
const TX_FIFO_INF: usize = 0x80;
const MAC_COMMAND: usize = 0xa4;
const MAC_DATA: usize = 0xa8;

/// Registers behind `MAC_COMMAND`.
const MAC_CR: u32 = 1;
const MAC_ADDRH: u32 = 2;
const MAC_ADDRL: u32 = 3;

/// What `BYTE_TEST` reads when the bytes of a word are in order.
const IN_ORDER: u32 = 0x8765_4321;
const FRAME: usize = 1514;

pub struct Lan9118(());

fn read(register: usize) -> u32 {
    // SAFETY: the controller's registers are there on this board, and reading one upsets no memory.
    unsafe { ptr::read_volatile((ETHERNET + register) as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: as in `read`.
    unsafe { ptr::write_volatile((ETHERNET + register) as *mut u32, value) }
}

fn write_mac(register: u32, value: u32) {
    const BUSY: u32 = 1 << 31;
    write(MAC_DATA, value);
    write(MAC_COMMAND, BUSY | register);
    while read(MAC_COMMAND) & BUSY != 0 {}
}

impl Lan9118 {
    /// Starts the controller with this hardware address, if there is one.
    pub fn start(address: [u8; 6]) -> Option<Self> {
        const SOFT_RESET: u32 = 1;
        const MUST_BE_ONE: u32 = 1 << 20;
        const TX_ON: u32 = 1 << 1;
        const RECEIVE_AND_TRANSMIT: u32 = 1 << 2 | 1 << 3;
        if read(BYTE_TEST) != IN_ORDER {
            return None;
        }
        write(HW_CFG, SOFT_RESET);
        while read(HW_CFG) & SOFT_RESET != 0 {}
        // 5 KB for what is to be sent, as after power-on.
        write(HW_CFG, MUST_BE_ONE | 5 << 16);
        let [a, b, c, d, e, f] = address;
        write_mac(MAC_ADDRL, u32::from_le_bytes([a, b, c, d]));
        write_mac(MAC_ADDRH, u32::from_le_bytes([e, f, 0, 0]));
        write(TX_CFG, TX_ON);
        write_mac(MAC_CR, RECEIVE_AND_TRANSMIT);
        Some(Self(()))
    }

    /// Takes a frame out, if one has come.
    fn take(&mut self) -> Option<Frame> {
        const ERROR: u32 = 1 << 15;
        const CHECKSUM: usize = 4;
        while read(RX_FIFO_INF) >> 16 & 0xff != 0 {
            let status = read(RX_STATUS);
            let len = (status >> 16 & 0x3fff) as usize;
            let mut frame = Frame { bytes: [0; FRAME], len: len.saturating_sub(CHECKSUM) };
            for at in (0..len).step_by(4) {
                let word = read(RX_DATA).to_le_bytes();
                for (place, byte) in frame.bytes.iter_mut().skip(at).zip(word) {
                    *place = byte;
                }
            }
            if status & ERROR == 0 && frame.len <= FRAME {
                return Some(frame);
            }
        }
        None
    }

    fn has_room() -> bool {
        (read(TX_FIFO_INF) & 0xffff) as usize > FRAME + 16
    }
}

impl Device for Lan9118 {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Sender;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Sender)> {
        if Self::has_room() { Some((self.take()?, Sender)) } else { None }
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender> {
        Self::has_room().then_some(Sender)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

/// A frame that has come.
pub struct Frame {
    bytes: [u8; FRAME],
    len: usize,
}

impl Frame {
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.bytes())
    }
}

/// The right to send one frame.
pub struct Sender;

impl TxToken for Sender {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        const FIRST_AND_LAST: u32 = 1 << 13 | 1 << 12;
        let mut bytes = [0; FRAME];
        let len = len.min(FRAME);
        let outcome = fill(&mut bytes[..len]);
        write(TX_DATA, FIRST_AND_LAST | len as u32);
        write(TX_DATA, len as u32);
        let (words, _) = bytes.as_chunks();
        for word in words.iter().take(len.div_ceil(4)) {
            write(TX_DATA, u32::from_le_bytes(*word));
        }
        // The last two bytes of a frame of full length: `FRAME` is no multiple of four.
        if len > words.len() * 4 {
            write(TX_DATA, u32::from_le_bytes([bytes[FRAME - 2], bytes[FRAME - 1], 0, 0]));
        }
        outcome
    }
}
