//! A device as a person would write one: it connects to its broker, publishes a temperature every second, and listens
//! for what its valve is to do.
//!
//! It runs on a Cortex-M4 that QEMU emulates. What belongs to this board stands in [`board`] and [`network`]: a clock,
//! entropy, a console and datagrams. On another board only those change.
#![no_std]
#![no_main]

mod board;
mod credential;
mod lan9118;
mod network;

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use sedge_client::{Client, Config, ContentFormat, Error, Fixed, PskOnly};
use sedge_crypto::{Rfc7925, RustCrypto};

use crate::board::{Entropy, Ticks};
use crate::credential::Credential;
use crate::network::Network;

/// The cryptography of a constrained device, in portable Rust.
type Provider = Rfc7925<RustCrypto>;
/// All of the client's memory: no heap, two subscriptions.
type Memory = Fixed<PskOnly<Provider>, Entropy, 2, 3>;

#[entry]
fn main() -> ! {
    let mut running = pin!(run());
    let mut context = Context::from_waker(Waker::noop());
    let outcome = loop {
        match running.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => break outcome,
            // Until the clock's next tick, or whatever else interrupts.
            Poll::Pending => board::wait_for_interrupt(),
        }
    };
    match outcome {
        Ok(()) => board::exit_success(),
        Err(why) => board::exit_failure(why),
    }
}

async fn run() -> Result<(), &'static str> {
    board::start_clock();
    let mut line = [0; 256];
    let credential = Credential::from_command_line(&mut line).ok_or("the command line has no credential")?;
    let network = Network::start(credential.broker).ok_or("there is no network")?;
    let security = credential.security().ok_or("the key is too long")?;
    let entropy = Entropy::open().ok_or("there is no entropy")?;
    let mut client: Client<Memory, _, _> =
        Client::new(Config::default(), security, network, Ticks, Rfc7925(RustCrypto), entropy)
            .map_err(|_| "the credential does not fit its memory")?;
    client.connect().await.map_err(|_| "the broker does not answer")?;
    hprintln!("connected");

    let valve = client.subscribe("site/7/valve").await.map_err(|_| "the valve cannot be observed")?;
    let mut buffer = [0; 64];
    for second in 0.. {
        let mut text = [0; 8];
        let reading = temperature(second, &mut text);
        client
            .publish("site/7/temp", ContentFormat::TEXT, reading.as_bytes())
            .await
            .map_err(|_| "the reading was not taken")?;
        hprintln!("published {}", reading);

        // Until the next reading is due, what the valve is to do.
        let next = Ticks::after_a_second();
        loop {
            match board::until(next, client.next(&mut buffer)).await {
                None => break,
                Some(Ok(order)) if order.subscription == valve => match order.payload {
                    b"stop" => {
                        hprintln!("told to stop");
                        client.close().await;
                        return Ok(());
                    }
                    other => hprintln!("valve: {}", core::str::from_utf8(other).unwrap_or("?")),
                },
                Some(Ok(_)) => {}
                Some(Err(Error::Ended { .. })) => return Err("the valve is no more to be observed"),
                // The connection was lost and is being made again.
                Some(Err(_)) => hprintln!("disconnected"),
            }
        }
    }
    Ok(())
}

/// A day of mild weather in a minute, as a text in tenths of a degree.
fn temperature(second: u32, text: &mut [u8; 8]) -> &str {
    let phase = second % 60;
    let tenths = 180 + if phase < 30 { phase } else { 60 - phase };
    text[..4].copy_from_slice(&[
        b'0' + (tenths / 100) as u8,
        b'0' + (tenths / 10 % 10) as u8,
        b'.',
        b'0' + (tenths % 10) as u8,
    ]);
    core::str::from_utf8(&text[..4]).unwrap_or("?")
}
