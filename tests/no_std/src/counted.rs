//! What a client computes once it is connected: for a publication, and for a notification.

use sedge_client::{Next, Request, Transfer};

use super::board::{clock, serial};
use super::{Device, INSTRUCTIONS_PER_TICK, Image, NOW};

/// SenML in CBOR: `[{-2: "urn:dev:mac:0024:", 0: "t", 2: 21.5}]`.
const READING: &[u8] = b"\x81\xa3\x21\x71urn:dev:mac:0024:\x00\x61t\x02\xf9\x4d\x60";

/// Publishes a reading, takes the notification that the server sends after it, and says how many instructions the client
/// took for each; of the first, how many for protecting the value.
pub fn report<I: Image, const DATAGRAM: usize>(client: Option<&mut Device<I::Profile, DATAGRAM>>) {
    let ticks = client.and_then(count::<I, DATAGRAM>);
    let [protect, publish, notification] =
        ticks.unwrap_or_default().map(|ticks| ticks as usize * INSTRUCTIONS_PER_TICK);
    let figures = [("protect", protect), ("publish", publish), ("notification", notification)];
    serial::report(ticks.is_some(), &figures);
}

#[inline(never)]
fn count<I: Image, const DATAGRAM: usize>(client: &mut Device<I::Profile, DATAGRAM>) -> Option<[u32; 3]> {
    let (mut datagram, mut buffer) = ([0; DATAGRAM], [0; 192]);
    let begun = clock::now();
    let (value, format) = I::protect_again(READING, &mut buffer)?;
    let protect = clock::since(begun);
    let begun = clock::now();
    let request = Request::publish("site/7/temp", format, value);
    let mut transfer = Some(Transfer::new(request, client.block_size(), &mut []));
    let mut ticks = protect + clock::since(begun);
    let (mut publish, mut told) = (None, false);
    loop {
        let begun = clock::now();
        let next = client.poll(NOW, transfer.as_mut());
        ticks += clock::since(begun);
        match next {
            Next::Send(datagram) => serial::send(datagram),
            Next::Done => {
                transfer.take()?.into_response().ok().filter(|answer| answer.code.is_success())?;
                publish = Some(core::mem::take(&mut ticks));
            }
            Next::Value(_) => told = true,
            Next::Wait(_) if told => return Some([protect, publish?, ticks]),
            Next::Wait(_) => {
                let len = serial::receive(&mut datagram);
                let begun = clock::now();
                client.receive(NOW, datagram.get_mut(..len)?, transfer.as_mut());
                ticks += clock::since(begun);
            }
            _ => return None,
        }
    }
}
