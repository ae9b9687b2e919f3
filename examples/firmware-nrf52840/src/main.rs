//! A device on an nRF52840: it connects to its broker over 802.15.4 and 6LoWPAN, publishes the temperature of its chip
//! every ten seconds, in the open and for the members of a group, and listens for what its valve is to do.
#![no_std]
#![no_main]

mod clock;
mod credential;
mod flash;
mod network;
mod radio;

use core::panic::PanicInfo;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_nrf::config::HfclkSource;
use embassy_nrf::mode::Blocking;
use embassy_nrf::nvmc::Nvmc;
use embassy_nrf::radio::ieee802154::Radio;
use embassy_nrf::rng::Rng;
use embassy_nrf::temp::Temp;
use embassy_nrf::{bind_interrupts, pac, peripherals, radio as chip_radio, temp};
use embassy_time::{Duration, Timer};
use sedge_client::protected::Group;
use sedge_client::{Client, ClientResources, Config, ContentFormat, Error, PskOnly};
use sedge_crypto::{Rfc7925, RustCrypto};
use smoltcp::wire::Ieee802154Address;

use crate::clock::Rtc;
use crate::credential::Credential;
use crate::flash::Flash;
use crate::network::{CHANNEL, Memory as NetworkMemory, Network, PAN};
use crate::radio::Frames;

/// The cryptography of a constrained device, in portable Rust.
type Provider = Rfc7925<RustCrypto>;
/// All of the client's memory: no heap, one subscription. The chip's random number generator is in it.
type Memory = ClientResources<PskOnly<Provider>, Rng<'static, Blocking>, 1, 2>;

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

    let mut flash = Flash(Nvmc::new(parts.NVMC));
    let mut text = [0; 256];
    let text = flash.credential(&mut text).ok_or("the page of the credential is empty; see README.md")?;
    let credential = Credential::parse(text).ok_or("the credential makes no sense; see README.md")?;
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
    let network = Network::new(frames, address, credential.broker.into(), seed, memory)
        .ok_or("the network does not start")?;

    let mut client: Client<Memory, _, _> =
        Client::new(Config::default(), security, network, Rtc, Rfc7925(RustCrypto), rng)
            .map_err(|_| "the credential does not fit its memory")?;
    // Each attempt comes later after the last one than that came after the one before.
    while let Err(error) = client.connect().await {
        defmt::warn!("{}", defmt::Display2Format(&error));
    }
    defmt::info!("connected");

    let _valve = client.subscribe("site/7/valve").await.map_err(|_| "the valve cannot be observed")?;
    let group = Group::<_, 1, 2, 32>::new("site/7/secret", flash);
    let group = group.and_then(|group| group.named(credential.identity)).ok_or("a name is too long")?;
    let (mut groups, mut scratch) = ([group], [0; 128]);
    let mut sensor = Temp::new(parts.TEMP, Irqs);
    let mut buffer = [0; 64];
    loop {
        let mut text = [0; 6];
        let reading = tenths(sensor.read().await.to_bits() * 10 / 4, &mut text);
        if let Err(error) = client.publish("site/7/temp", ContentFormat::TEXT, reading).await {
            defmt::warn!("not published: {}", defmt::Display2Format(&error));
        }
        let mut protected = client.protected(&mut groups, &mut scratch);
        if let Err(error) = protected.publish("site/7/secret", ContentFormat::TEXT, reading).await {
            defmt::warn!("not published: {}", defmt::Display2Format(&error));
        }

        // Until the next reading is due, what the valve is to do.
        let mut next = Timer::after(Duration::from_secs(10));
        while let Either::Second(order) = select(&mut next, client.next(&mut buffer)).await {
            match order {
                Ok(order) if order.payload == b"stop" => {
                    client.close().await;
                    defmt::info!("{=u32} frames were for others", client.socket_mut().dropped());
                    return Ok(());
                }
                Ok(order) => defmt::info!("valve: {=[u8]:a}", order.payload),
                Err(Error::Ended { .. }) => return Err("the valve is no more to be observed"),
                // The connection was lost and is being made again.
                Err(error) => defmt::warn!("{}", defmt::Display2Format(&error)),
            }
        }
    }
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
