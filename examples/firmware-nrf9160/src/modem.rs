//! The modem: its memory, its interrupt, and the tasks that keep it attached.

use core::mem::MaybeUninit;
use core::net::IpAddr;

use embassy_executor::Spawner;
use embassy_net::{ConfigV4, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_net_nrf91::context::{AuthProt, Config, Control, Status};
use embassy_net_nrf91::{NetDriver, State};
use embassy_nrf::interrupt;

/// What the operator of your SIM card calls its network.
const APN: &[u8] = b"iot.1nce.net";
/// The first context that modems have.
const CONTEXT: u8 = 0;

#[interrupt]
fn IPC() {
    embassy_net_nrf91::on_ipc_irq();
}

#[embassy_executor::task]
async fn drive(runner: embassy_net_nrf91::Runner<'static>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn carry(mut runner: Runner<'static, NetDriver<'static>>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn attach(control: Control<'static>, stack: Stack<'static>) {
    let config = Config { apn: APN, auth_prot: AuthProt::None, auth: None, pin: None };
    let outcome = match control.configure(&config).await {
        Ok(()) => control.run(|status| stack.set_config_v4(settings(status))).await,
        refused => refused,
    };
    if let Err(why) = outcome {
        defmt::error!("the modem does not attach: {}", defmt::Debug2Format(&why));
    }
}

/// Starts the modem and returns a network stack, which has an address once the modem is attached. To be called once.
pub async fn start(spawner: Spawner, seed: u64) -> Option<Stack<'static>> {
    unsafe extern "C" {
        static mut __start_ipc: MaybeUninit<u8>;
        static mut __end_ipc: MaybeUninit<u8>;
    }
    let state = cortex_m::singleton!(: State = State::new())?;
    // SAFETY: memory.x has given this memory to nobody else, and the singleton above has let only one come here.
    let shared = unsafe {
        let (start, end) = (&raw mut __start_ipc, &raw mut __end_ipc);
        core::slice::from_raw_parts_mut(start, end.offset_from_unsigned(start))
    };
    let (driver, control, runner) = embassy_net_nrf91::new(state, shared).await;
    spawner.spawn(drive(runner).ok()?);
    let resources = cortex_m::singleton!(: StackResources<1> = StackResources::new())?;
    let (stack, runner) = embassy_net::new(driver, embassy_net::Config::default(), resources, seed);
    spawner.spawn(carry(runner).ok()?);
    let control = Control::new(control, CONTEXT).await;
    spawner.spawn(attach(control, stack).ok()?);
    Some(stack)
}

/// The address that the operator has given; none if it is none of IPv4.
fn settings(status: &Status) -> ConfigV4 {
    let v4 = |address| if let Some(IpAddr::V4(address)) = address { Some(address) } else { None };
    match v4(status.ip) {
        Some(own) => ConfigV4::Static(StaticConfigV4 {
            address: Ipv4Cidr::new(own, 32),
            gateway: v4(status.gateway),
            dns_servers: Default::default(),
        }),
        None => ConfigV4::None,
    }
}
