//! Frames of IEEE 802.15.4, in and out one at a time, as smoltcp wants to have them.

use embassy_nrf::radio::ieee802154::{Packet, Radio};
use embassy_time::{Duration, Timer};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{Ieee802154Address, Ieee802154Frame, Ieee802154Pan};

/// A backoff period (IEEE 802.15.4 section 6.2.5.1): 20 symbols.
const UNIT: Duration = Duration::from_micros(320);
/// macMinBE, macMaxBE and macMaxCSMABackoffs.
const BACKOFF: (u32, u32, u32) = (3, 5, 4);

/// The radio, with room for a frame each way.
pub struct Frames<'d> {
    radio: Radio<'d>,
    own: Ieee802154Address,
    pan: Ieee802154Pan,
    received: Option<Packet>,
    to_send: Option<Packet>,
    /// Spreads attempts over time; nothing depends on nobody guessing it.
    random: u32,
    dropped: u32,
}

impl<'d> Frames<'d> {
    pub fn new(radio: Radio<'d>, own: Ieee802154Address, pan: Ieee802154Pan, seed: u32) -> Self {
        Self { radio, own, pan, received: None, to_send: None, random: seed | 1, dropped: 0 }
    }

    /// How many frames were for others, or no frames.
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Listens until a frame for this device has come. A frame that comes while nobody listens is lost, as on any radio.
    pub async fn listen(&mut self) {
        while self.received.is_none() {
            let mut packet = Packet::new();
            if self.radio.receive(&mut packet).await.is_ok() && self.is_for_us(&packet) {
                self.received = Some(packet);
            } else {
                self.dropped = self.dropped.wrapping_add(1);
            }
        }
    }

    /// Sends the frame that waits, when the air is free. Says whether there was one.
    pub async fn send(&mut self) -> bool {
        let (first, most, attempts) = BACKOFF;
        for attempt in 0..=attempts {
            let slots = self.draw() % (1 << (first + attempt).min(most));
            // The frame stays where it is until it is out: whoever waits for this may give up and come again.
            let Some(packet) = &mut self.to_send else { return false };
            Timer::after(UNIT * slots).await;
            if self.radio.try_send(packet).await.is_ok() {
                break;
            }
        }
        self.to_send = None;
        true
    }

    fn is_for_us(&self, packet: &[u8]) -> bool {
        let Ok(frame) = Ieee802154Frame::new_checked(packet) else { return false };
        let pan = frame.dst_pan_id();
        frame.dst_addr().is_some_and(|to| to == self.own || to.is_broadcast())
            && (pan == Some(self.pan) || pan == Some(Ieee802154Pan::BROADCAST))
    }

    /// Marsaglia's xorshift.
    fn draw(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }
}

impl Device for Frames<'_> {
    type RxToken<'a>
        = Received
    where
        Self: 'a;
    type TxToken<'a>
        = Free<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Received, Free<'_>)> {
        // Only with room for the answer.
        let packet = if self.to_send.is_none() { self.received.take() } else { None };
        Some((Received(packet?), Free(&mut self.to_send)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Free<'_>> {
        self.to_send.is_none().then_some(Free(&mut self.to_send))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ieee802154;
        capabilities.max_transmission_unit = usize::from(Packet::CAPACITY);
        capabilities
    }
}

/// A frame that has come.
pub struct Received(Packet);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

/// Room for one frame.
pub struct Free<'a>(&'a mut Option<Packet>);

impl TxToken for Free<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut packet = Packet::new();
        packet.set_len(u8::try_from(len).unwrap_or(Packet::CAPACITY).min(Packet::CAPACITY));
        let outcome = fill(&mut packet);
        *self.0 = Some(packet);
        outcome
    }
}
