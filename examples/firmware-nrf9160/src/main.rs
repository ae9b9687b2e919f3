//! A device on an nRF9160: it connects to its broker over LTE-M or NB-IoT, publishes how long it has run every minute, in
//! the open and for the members of a group, and listens for what its valve is to do.
#![no_std]
#![no_main]

mod clock;
mod credential;
mod flash;
mod modem;
mod network;

use core::panic::PanicInfo;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_nrf::cryptocell_rng::CcRng;
use embassy_nrf::mode::Blocking;
use embassy_nrf::nvmc::Nvmc;
use embassy_time::{Duration, Instant, Timer};
use sedge_client::protected::Group;
use sedge_client::{Client, ClientResources, Config, ContentFormat, Error, PskOnly};
use sedge_crypto::{Rfc7925, RustCrypto};

use crate::clock::Rtc;
use crate::credential::Credential;
use crate::flash::Flash;
use crate::network::{Memory as NetworkMemory, Network};

/// The cryptography of a constrained device, in portable Rust.
type Provider = Rfc7925<RustCrypto>;
/// All of the client's memory: no heap, one subscription. The random number generator of the chip's CryptoCell is in it.
type Memory = ClientResources<PskOnly<Provider>, CcRng<'static, Blocking>, 1, 2>;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let why = match run(spawner).await {
        Ok(()) => "told to stop",
        Err(why) => why,
    };
    defmt::error!("{=str}", why);
}

async fn run(spawner: Spawner) -> Result<(), &'static str> {
    let parts = embassy_nrf::init(Default::default());
    let mut flash = Flash(Nvmc::new(parts.NVMC));
    let mut text = [0; 256];
    let text = flash.credential(&mut text).ok_or("the page of the credential is empty; see README.md")?;
    let credential = Credential::parse(text).ok_or("the credential makes no sense; see README.md")?;
    let security = credential.security().ok_or("the key is too long")?;

    let mut rng = CcRng::new_blocking(parts.CC_RNG);
    let stack = modem::start(spawner, rng.blocking_next_u64()).await.ok_or("started twice")?;
    stack.wait_config_up().await;
    defmt::info!("attached");
    let memory = cortex_m::singleton!(: NetworkMemory = NetworkMemory::EMPTY).ok_or("started twice")?;
    let network = Network::new(stack, credential.broker.into(), memory).ok_or("the port is taken")?;

    let mut client: Client<Memory, _, _> =
        Client::new(Config::default(), security, network, Rtc, Rfc7925(RustCrypto), rng)
            .map_err(|_| "the credential does not fit its memory")?;
    // Each attempt comes later after the last one than that came after the one before.
    while let Err(error) = client.connect().await {
        defmt::warn!("{}", defmt::Debug2Format(&error));
    }
    defmt::info!("connected");

    let _valve = client.subscribe("site/7/valve").await.map_err(|_| "the valve cannot be observed")?;
    let group = Group::<_, 1, 2, 32>::new("site/7/secret", flash);
    let group = group.and_then(|group| group.named(credential.identity)).ok_or("a name is too long")?;
    let (mut groups, mut scratch) = ([group], [0; 128]);
    let mut buffer = [0; 64];
    loop {
        let mut digits = [0; 10];
        let reading = decimal(Instant::now().as_secs() as u32, &mut digits);
        if let Err(error) = client.publish("site/7/uptime", ContentFormat::TEXT, reading).await {
            defmt::warn!("not published: {}", defmt::Debug2Format(&error));
        }
        let mut protected = client.protected(&mut groups, &mut scratch);
        if let Err(error) = protected.publish("site/7/secret", ContentFormat::TEXT, reading).await {
            defmt::warn!("not published: {}", defmt::Debug2Format(&error));
        }

        // Until the next reading is due, what the valve is to do.
        let mut next = Timer::after(Duration::from_secs(60));
        while let Either::Second(order) = select(&mut next, client.next(&mut buffer)).await {
            match order {
                Ok(order) if order.payload == b"stop" => {
                    client.close().await;
                    defmt::info!("{=u32} datagrams of strangers were dropped", client.socket_mut().dropped());
                    return Ok(());
                }
                Ok(order) => defmt::info!("valve: {=[u8]:a}", order.payload),
                Err(Error::Ended { .. }) => return Err("the valve is no more to be observed"),
                // The connection was lost and is being made again.
                Err(error) => defmt::warn!("{}", defmt::Debug2Format(&error)),
            }
        }
    }
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // Whatever it was, the device is there again in a moment.
    cortex_m::peripheral::SCB::sys_reset()
}
