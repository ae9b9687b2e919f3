//! A client on a device's memory over each of the adapters, against a real broker: over loopback, or over a wire of IP packets
//! with a router at its other end.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

mod router;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use sedge_board::{edge, embassy, smoltcp as smol};
use sedge_client::tokio::TokioClock;
use sedge_client::{Client, ClientResources, Clock, Config, ContentFormat, Datagram, Psk, PskOnly, Security};
use sedge_crypto::RustCrypto;
use sedge_tests::broker::TestBroker;

use router::{DEVICE, Packets, Router, SERVER};

const KEY: [u8; 16] = *b"sixteen bytes...";

type Memory = ClientResources<PskOnly<RustCrypto>, rand_core::UnwrapErr<getrandom::SysRng>, 2, 3, 576>;

fn broker() -> TestBroker {
    let broker = TestBroker::start();
    let _identity = broker.enrol_with_key("boiler-7", &KEY, &["site/7/#"], &["site/7/#"]);
    broker
}

/// Publishes a value in one datagram and one in many, and is told both.
async fn publish_and_be_told<D, C>(socket: D, clock: C, strangers: impl Fn(&D) -> u32) -> u32
where
    D: Datagram<Error: std::fmt::Debug>,
    C: Clock,
{
    let security = Security::Psk { identity: b"boiler-7", key: Psk::new(&KEY).unwrap() };
    let rng = rand_core::UnwrapErr(getrandom::SysRng);
    let mut client: Client<Memory, D, C> =
        Client::new(Config::default(), security, socket, clock, RustCrypto, rng).unwrap();
    client.connect().await.unwrap();
    client.publish("site/7/temp", ContentFormat::TEXT, b"21.5").await.unwrap();
    client.subscribe("site/7/temp").await.unwrap();
    let mut buffer = [0; 4000];
    assert_eq!(client.next(&mut buffer).await.unwrap().payload, b"21.5");
    let long: Vec<u8> = (0..3000).map(|i| (i % 251) as u8).collect();
    client.publish("site/7/temp", ContentFormat::OCTET_STREAM, &long).await.unwrap();
    assert_eq!(client.next(&mut buffer).await.unwrap().payload, long);
    client.close().await;
    strangers(client.socket_mut())
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn edge_nal() {
    let broker = broker();
    let server = broker.secure();
    let strangers = run(async {
        use edge_nal::UdpBind as _;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = edge_nal_std::Stack::new().bind(any).await.unwrap();
        let own = socket.get_ref().local_addr().unwrap();
        let stranger = UdpSocket::bind(any).unwrap();
        stranger.send_to(b"let me in", own).unwrap();
        publish_and_be_told(edge::Socket::new(socket, server), TokioClock::new(), edge::Socket::strangers)
            .await
    });
    assert_eq!(strangers, 1);
}

#[test]
fn embassy_net() {
    use embassy_net::driver::HardwareAddress;
    use embassy_net::{Ipv6Cidr, StackResources, StaticConfigV6};
    use embassy_net_driver_channel::State;

    let broker = broker();
    let mut state = State::<1500, 4, 4>::new();
    let (mut wire, device) = embassy_net_driver_channel::new(&mut state, HardwareAddress::Ip);
    let mut resources = StackResources::<1>::new();
    let config = embassy_net::Config::ipv6_static(StaticConfigV6 {
        address: Ipv6Cidr::new(DEVICE, 64),
        gateway: Some(*SERVER.ip()),
        dns_servers: Default::default(),
    });
    let (stack, mut runner) = embassy_net::new(device, config, &mut resources, 7);
    let mut memory = embassy::Memory::<2, 1280>::EMPTY;
    let strangers = run(async {
        wire.set_link_state(embassy_net::driver::LinkState::Up);
        let (_, mut to_device, mut from_device) = wire.split();
        let router = Router::towards(broker.secure()).await;
        let outward = async {
            loop {
                let len = {
                    let packet = from_device.tx_buf().await;
                    router.forward(packet).await;
                    packet.len()
                };
                assert!(len > 0);
                from_device.tx_done();
            }
        };
        let inward = async {
            loop {
                let packet = router.next().await;
                to_device.rx_buf().await[..packet.len()].copy_from_slice(&packet);
                to_device.rx_done(packet.len());
            }
        };
        let client = async {
            stack.wait_config_up().await;
            let socket = embassy::Socket::new(stack, SERVER, &mut memory).unwrap();
            publish_and_be_told(socket, embassy::Clock, embassy::Socket::strangers).await
        };
        tokio::select! {
            strangers = client => strangers,
            _ = runner.run() => 0,
            () = outward => 0,
            () = inward => 0,
        }
    });
    assert_eq!(strangers, router::STRANGERS);
}

#[test]
fn smoltcp() {
    use ::smoltcp::iface::{Config, Interface};
    use ::smoltcp::time::Instant;
    use ::smoltcp::wire::{HardwareAddress, IpCidr};

    let broker = broker();
    let strangers = run(async {
        let router = Router::towards(broker.secure()).await;
        let mut packets = Packets::new(router);
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut packets, Instant::ZERO);
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(DEVICE.into(), 64)).unwrap());
        interface.routes_mut().add_default_ipv6_route(*SERVER.ip()).unwrap();
        let mut memory = smol::Memory::<2, 1280>::EMPTY;
        let clock = TokioClock::new();
        let socket = smol::Socket::new(packets, interface, &mut memory, clock, 49_152, SERVER).unwrap();
        publish_and_be_told(socket, clock, smol::Socket::strangers).await
    });
    assert_eq!(strangers, router::STRANGERS);
}
