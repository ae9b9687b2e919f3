//! A device as a person would write one: it connects to its broker, publishes a temperature every second, and listens
//! for what its valve is to do.
//!
//! It runs on a Cortex-M4 or Cortex-M33 that QEMU emulates. What belongs to the board stands in the library beside it: a
//! clock, entropy, a console and datagrams. On another board only those change.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use sedge_client::{Client, ClientResources, Config, ContentFormat, Error, PskOnly};
use sedge_crypto::{Rfc7925, RustCrypto};
use sedge_firmware_mps2::board::{self, Entropy, Ticks, host};
use sedge_firmware_mps2::command_line::Credential;
use sedge_firmware_mps2::network::Network;
use sedge_time::Duration;

/// The cryptography of a constrained device, in portable Rust.
type Provider = Rfc7925<RustCrypto>;
/// All of the client's memory: no heap, two subscriptions.
type Memory = ClientResources<PskOnly<Provider>, Entropy, 2, 3>;

#[entry]
fn main() -> ! {
    match board::run(run()) {
        Ok(()) => host::exit_success(),
        Err(why) => host::exit_failure(why),
    }
}

async fn run() -> Result<(), &'static str> {
    let clock = Ticks::start(0);
    let mut line = [0; 256];
    let (credential, _) =
        Credential::from_command_line(&mut line).ok_or("the command line has no credential")?;
    let network = Network::start(credential.broker, clock).ok_or("there is no network")?;
    let security = credential.security().ok_or("the key is too long")?;
    let entropy = Entropy::open().ok_or("there is no entropy")?;
    let mut client: Client<Memory, _, _> =
        Client::new(Config::default(), security, network, clock, Rfc7925(RustCrypto), entropy)
            .map_err(|_| "the credential does not fit its memory")?;
    // Each attempt comes later after the last one than that came after the one before.
    while let Err(error) = client.connect().await {
        hprintln!("{}", error);
    }
    hprintln!("connected");

    let valve = client.subscribe("site/7/valve").await.map_err(|_| "the valve cannot be observed")?;
    let mut buffer = [0; 64];
    for second in 0.. {
        let mut text = [0; 4];
        let reading = temperature(second, &mut text);
        match client.publish("site/7/temp", ContentFormat::TEXT, reading.as_bytes()).await {
            Ok(()) => hprintln!("published {}", reading),
            // The next one may fare better.
            Err(error) => hprintln!("not published: {}", error),
        }

        // Until the next reading is due, what the valve is to do.
        let next = clock.time() + Duration::from_secs(1);
        while let Some(order) = board::until(&clock, next, client.next(&mut buffer)).await {
            match order {
                Ok(order) if order.subscription == valve => match order.payload {
                    b"stop" => {
                        hprintln!("told to stop");
                        client.close().await;
                        hprintln!("{} frames of strangers were dropped", client.socket_mut().dropped());
                        return Ok(());
                    }
                    other => hprintln!("valve: {}", core::str::from_utf8(other).unwrap_or("?")),
                },
                Ok(_) => {}
                Err(Error::Ended { .. }) => return Err("the valve is no more to be observed"),
                // The connection was lost and is being made again.
                Err(error) => hprintln!("{}", error),
            }
        }
    }
    Ok(())
}

/// A day of mild weather in a minute, as a text in tenths of a degree.
fn temperature(second: u32, text: &mut [u8; 4]) -> &str {
    let phase = second % 60;
    let tenths = 180 + if phase < 30 { phase } else { 60 - phase };
    let digit = |value: u32| b'0' + (value % 10) as u8;
    *text = [digit(tenths / 100), digit(tenths / 10), b'.', digit(tenths)];
    core::str::from_utf8(text).unwrap_or("?")
}
