//! A device on an nRF52840: it connects to its broker over 802.15.4 and 6LoWPAN, publishes the temperature of its chip
//! every ten seconds, in the open and for the members of a group, and listens for what its valve is to do. Told to sleep, it
//! switches everything off, memory included, until its button is pressed; then it goes on with the session that it had.
#![no_std]
#![no_main]

mod network;
mod radio;

use core::cell::RefCell;
use core::net::SocketAddrV6;
use core::panic::PanicInfo;
use core::pin::pin;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_futures::poll_once;
use embassy_futures::select::{Either, select};
use embassy_nrf::config::HfclkSource;
use embassy_nrf::gpio::{Input, Pull};
use embassy_nrf::mode::Blocking;
use embassy_nrf::nvmc::{FLASH_SIZE, Nvmc, PAGE_SIZE};
use embassy_nrf::power::set_system_off;
use embassy_nrf::radio::ieee802154::Radio;
use embassy_nrf::rng::Rng;
use embassy_nrf::temp::Temp;
use embassy_nrf::{bind_interrupts, pac, peripherals, radio as chip_radio, temp};
use embassy_time::{Duration, Timer};
use sedge_board::credential::Credential;
use sedge_board::embassy::Clock;
use sedge_board::flash::{self, Pages};
use sedge_client::protected::{Group, ProtectError};
use sedge_client::{Client, ClientResources, Config, ContentFormat, Error, PskOnly};
use sedge_crypto::{Rfc7925, RustCrypto};
use smoltcp::wire::Ieee802154Address;

use crate::network::{CHANNEL, Memory as NetworkMemory, Network, PAN};
use crate::radio::Frames;

/// The cryptography of a constrained device, in portable Rust.
type Provider = Rfc7925<RustCrypto>;
/// All of the client's memory: no heap, one subscription. The chip's random number generator is in it.
type Memory = ClientResources<PskOnly<Provider>, Rng<'static, Blocking>, 1, 2>;
type Device<'d> = Client<Memory, Network<'d>, Clock>;
type Sessions<'f, 'd> = Pages<'f, Nvmc<'d>>;

/// The last pages of the flash, which memory.x keeps free of code: the credential, the session, and the numbers of what is
/// encrypted for the group.
const SEQUENCES: u32 = FLASH_SIZE as u32 - 4 * PAGE_SIZE as u32;
const SESSIONS: u32 = SEQUENCES - 4 * PAGE_SIZE as u32;
const CREDENTIAL: u32 = SESSIONS - PAGE_SIZE as u32;

bind_interrupts!(struct Irqs {
    RADIO => chip_radio::InterruptHandler<peripherals::RADIO>;
    TEMP => temp::InterruptHandler;
});

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let why = match run().await {
        Ok(()) => "told to stop",
        Err(why) => why,
    };
    defmt::error!("{=str}", why);
}

async fn run() -> Result<(), &'static str> {
    let mut config = embassy_nrf::config::Config::default();
    // The radio needs the crystal.
    config.hfclk_source = HfclkSource::ExternalXtal;
    let parts = embassy_nrf::init(config);

    let flash = RefCell::new(Nvmc::new(parts.NVMC));
    let mut line = [0; 256];
    let line = flash::text(&flash, CREDENTIAL, &mut line);
    let line = line.ok_or("the page of the credential is empty; see README.md")?;
    let credential: Credential<'_, SocketAddrV6> =
        Credential::parse(line).ok_or("the credential makes no sense; see README.md")?;
    let mut sessions = Pages::new(&flash, SESSIONS..SEQUENCES).ok_or("the flash has other pages")?;
    let sequences = Pages::new(&flash, SEQUENCES..FLASH_SIZE as u32).ok_or("the flash has other pages")?;
    let security = credential.security().ok_or("the key is too long")?;

    let mut rng = Rng::new_blocking(parts.RNG);
    // Against a source that is not quite even.
    rng.set_bias_correction(true);
    let seed = rng.blocking_next_u64();

    let mut radio = Radio::new(parts.RADIO, Irqs);
    radio.set_channel(CHANNEL);
    let address = hardware_address();
    let frames = Frames::new(radio, Ieee802154Address::Extended(address), PAN, seed as u32);
    let memory = cortex_m::singleton!(: NetworkMemory = NetworkMemory::EMPTY).ok_or("started twice")?;
    let network = network::start(frames, address, credential.broker, seed, memory)
        .ok_or("the network does not start")?;

    // Numbers of records are reserved so many at a time, and the session is saved as often.
    let config = Config { reserve: 256, ..Config::default() };
    let mut client: Device<'_> = Client::new(config, security, network, Clock, Rfc7925(RustCrypto), rng)
        .map_err(|_| "the credential does not fit its memory")?;
    // Without a session to go on with there is a handshake, and each attempt comes later after the last one than that came
    // after the one before.
    client.restore(&mut sessions).map_err(|_| "the flash cannot be read")?;
    while let Err(error) = client.connect().await {
        defmt::warn!("{}", error);
    }
    save(&mut client, &mut sessions)?;

    loop {
        match client.subscribe("site/7/valve").await {
            Err(Error::Refused(_) | Error::NotObserved) => return Err("the valve cannot be observed"),
            Err(Error::Disconnected(why)) => defmt::warn!("the valve is not observed yet: {}", why),
            _ => break,
        }
    }
    let group = Group::<_, 1, 2, 32>::new("site/7/secret", sequences);
    let group = group.and_then(|group| group.named(credential.identity)).ok_or("a name is too long")?;
    let (mut groups, mut scratch) = ([group], [0; 128]);
    let mut sensor = Temp::new(parts.TEMP, Irqs);
    let mut button = Input::new(parts.P0_11, Pull::Up);
    let mut buffer = [0; 64];
    loop {
        let mut text = [0; 6];
        let reading = tenths(sensor.read().await.to_bits() * 10 / 4, &mut text);
        while let Err(error) = client.publish("site/7/temp", ContentFormat::TEXT, reading).await {
            if error != Error::Unsaved {
                defmt::warn!("not published: {}", error);
                break;
            }
            save(&mut client, &mut sessions)?;
        }
        let mut protected = client.protected(&mut groups, &mut scratch);
        match protected.publish("site/7/secret", ContentFormat::TEXT, reading).await {
            // It is left to the next reading.
            Err(ProtectError::Client(Error::Unsaved)) => save(&mut client, &mut sessions)?,
            Err(error) => defmt::warn!("not published: {}", defmt::Display2Format(&error)),
            Ok(()) => {}
        }

        // Until the next reading is due, what the valve is to do.
        let mut next = Timer::after(Duration::from_secs(10));
        while let Either::Second(order) = select(&mut next, client.next(&mut buffer)).await {
            match order {
                Ok(order) if order.payload == b"stop" => {
                    client.close().await;
                    defmt::info!("{=u32} frames were for others", client.socket_mut().wire_mut().dropped());
                    return Ok(());
                }
                Ok(order) if order.payload == b"sleep" => {
                    client.suspend(&mut sessions).map_err(|_| "the session cannot be saved")?;
                    // A press of the button wakes the chip, by a reset.
                    let mut pressed = pin!(button.wait_for_low());
                    let _not_yet = poll_once(pressed.as_mut());
                    set_system_off();
                }
                Ok(order) => defmt::info!("valve: {=[u8]:a}", order.payload),
                Err(Error::Ended { .. }) => return Err("the valve is no more to be observed"),
                Err(Error::Unsaved) => save(&mut client, &mut sessions)?,
                // The connection was lost and is being made again.
                Err(error) => defmt::warn!("{}", error),
            }
        }
    }
}

/// Before more is sent, the flash has to say so: or the same numbers would be used again after a loss of power.
fn save(client: &mut Device<'_>, sessions: &mut Sessions<'_, '_>) -> Result<(), &'static str> {
    client.save(sessions).map_err(|_| "the session cannot be saved")
}

/// The number that the chip was made with.
fn hardware_address() -> [u8; 8] {
    let [low, high] = [0, 1].map(|half| pac::FICR.deviceid(half).read());
    let mut address = ((u64::from(high) << 32) | u64::from(low)).to_be_bytes();
    // One device's, and administered by nobody.
    address[0] = (address[0] & !1) | 2;
    address
}

/// Tenths of a degree as a text.
fn tenths(value: i32, text: &mut [u8; 6]) -> &[u8] {
    let digit = |value: u32| b'0' + (value % 10) as u8;
    let size = value.unsigned_abs();
    *text = [b'-', digit(size / 1_000), digit(size / 100), digit(size / 10), b'.', digit(size)];
    if value < 0 { &text[..] } else { &text[1..] }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // Whatever it was, the device is there again in a moment.
    cortex_m::peripheral::SCB::sys_reset()
}
