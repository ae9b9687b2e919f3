//! A device on an nRF9160: it connects to its broker over LTE-M or NB-IoT, publishes how long it has run every minute, in
//! the open and for the members of a group, and listens for what its valve is to do. Told to sleep, it switches everything
//! off, memory included, until its button is pressed; then it goes on with the session that it had.
#![no_std]
#![no_main]

mod modem;

use core::cell::RefCell;
use core::net::SocketAddrV4;
use core::panic::PanicInfo;
use core::pin::pin;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_futures::poll_once;
use embassy_futures::select::{Either, select};
use embassy_nrf::cryptocell_rng::CcRng;
use embassy_nrf::gpio::{Input, Pull};
use embassy_nrf::mode::Blocking;
use embassy_nrf::nvmc::{FLASH_SIZE, Nvmc, PAGE_SIZE};
use embassy_nrf::power::set_system_off;
use embassy_time::{Duration, Instant, Timer};
use sedge_board::credential::Credential;
use sedge_board::embassy::{Clock, Memory as NetworkMemory, Socket};
use sedge_board::flash::{self, Pages};
use sedge_client::protected::{Group, ProtectError};
use sedge_client::{Client, ClientResources, Config, ContentFormat, Error, PskOnly};
use sedge_crypto::{Rfc7925, RustCrypto};

/// The cryptography of a constrained device, in portable Rust.
type Provider = Rfc7925<RustCrypto>;
/// All of the client's memory: no heap, one subscription. The random number generator of the chip's CryptoCell is in it.
type Memory = ClientResources<PskOnly<Provider>, CcRng<'static, Blocking>, 1, 2>;
type Device = Client<Memory, Socket<'static>, Clock>;
type Sessions<'f, 'd> = Pages<'f, Nvmc<'d>>;

/// The last pages of the flash, which memory.x keeps free of code: the credential, the session, and the numbers of what is
/// encrypted for the group.
const SEQUENCES: u32 = FLASH_SIZE as u32 - 4 * PAGE_SIZE as u32;
const SESSIONS: u32 = SEQUENCES - 4 * PAGE_SIZE as u32;
const CREDENTIAL: u32 = SESSIONS - PAGE_SIZE as u32;

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
    let flash = RefCell::new(Nvmc::new(parts.NVMC));
    let mut line = [0; 256];
    let line = flash::text(&flash, CREDENTIAL, &mut line);
    let line = line.ok_or("the page of the credential is empty; see README.md")?;
    let credential: Credential<'_, SocketAddrV4> =
        Credential::parse(line).ok_or("the credential makes no sense; see README.md")?;
    let mut sessions = Pages::new(&flash, SESSIONS..SEQUENCES).ok_or("the flash has other pages")?;
    let sequences = Pages::new(&flash, SEQUENCES..FLASH_SIZE as u32).ok_or("the flash has other pages")?;
    let security = credential.security().ok_or("the key is too long")?;

    let mut rng = CcRng::new_blocking(parts.CC_RNG);
    let stack = modem::start(spawner, rng.blocking_next_u64()).await.ok_or("started twice")?;
    stack.wait_config_up().await;
    defmt::info!("attached");
    let memory = cortex_m::singleton!(: NetworkMemory = <NetworkMemory>::EMPTY).ok_or("started twice")?;
    let network = Socket::new(stack, credential.broker, memory).map_err(|_| "the port is taken")?;

    // Numbers of records are reserved so many at a time, and the session is saved as often.
    let config = Config { reserve: 256, ..Config::default() };
    let mut client: Device = Client::new(config, security, network, Clock, Rfc7925(RustCrypto), rng)
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
    let mut button = Input::new(parts.P0_06, Pull::Up);
    let (mut groups, mut scratch) = ([group], [0; 128]);
    let mut buffer = [0; 64];
    loop {
        let mut digits = [0; 10];
        let reading = decimal(Instant::now().as_secs() as u32, &mut digits);
        while let Err(error) = client.publish("site/7/uptime", ContentFormat::TEXT, reading).await {
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
        let mut next = Timer::after(Duration::from_secs(60));
        while let Either::Second(order) = select(&mut next, client.next(&mut buffer)).await {
            match order {
                Ok(order) if order.payload == b"stop" => {
                    client.close().await;
                    defmt::info!(
                        "{=u32} datagrams of strangers were dropped",
                        client.socket_mut().strangers()
                    );
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
fn save(client: &mut Device, sessions: &mut Sessions<'_, '_>) -> Result<(), &'static str> {
    client.save(sessions).map_err(|_| "the session cannot be saved")
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
