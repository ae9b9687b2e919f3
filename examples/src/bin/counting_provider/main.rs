//! What DTLS asks of a provider of cryptography: `counting_provider` prints the calls of each side.
//!
//! It is also the pattern for a provider of your own: see `counting.rs`.

mod counting;
mod party;

use std::collections::BTreeSet;

use counting::{Calls, Counting};
use party::{WithPsk, WithRawKey};
use rand_core::UnwrapErr;
use sedge_crypto::{RustCrypto, Secret};
use sedge_dtls::{
    CipherSuite, ClientConfig, ClientHandshake, ConnectionId, ContentType, Context, CookieKeys, Credentials,
    Full, Hello, Psk, Records, ServerConfig, ServerHandshake, hello,
};
use sedge_time::Instant;

type Provider = Counting<RustCrypto>;
type Profile = Full<Provider>;

/// What was done, and the calls that it took.
type Rows = Vec<(String, Calls)>;

fn main() {
    let mut rows = Rows::new();

    let psk = || WithPsk(Psk::new(b"sixteen secrets!").expect("not too long"));
    for (name, suite) in [
        ("PSK", CipherSuite::TLS_PSK_WITH_AES_128_CCM_8),
        ("ECDHE_PSK", CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256),
        ("1.3, ECDHE_PSK", CipherSuite::TLS_AES_128_CCM_8_SHA256),
    ] {
        connect(name, suite, &mut psk(), &mut psk(), &mut rows);
    }

    let scalars = [Secret::new([1; 32]), Secret::new([2; 32])];
    let [mut client, mut server] = WithRawKey::pair(&Provider::default(), scalars).expect("in range");
    for (name, suite) in [
        ("raw public keys", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8),
        ("1.3, raw public keys", CipherSuite::TLS_AES_128_CCM_8_SHA256),
    ] {
        connect(name, suite, &mut client, &mut server, &mut rows);
    }

    print(&rows);
}

/// Runs a handshake in memory and sends a record.
fn connect(
    name: &str,
    suite: CipherSuite,
    as_client: &mut impl Credentials<Provider>,
    as_server: &mut impl Credentials<Provider>,
    rows: &mut Rows,
) {
    let (of_client, of_server) = (Provider::default(), Provider::default());
    let (mut client_rng, mut server_rng) = (UnwrapErr(getrandom::SysRng), UnwrapErr(getrandom::SysRng));
    let client_cx = &mut Context::new(&of_client, &mut client_rng, Instant::EPOCH);
    let server_cx = &mut Context::new(&of_server, &mut server_rng, Instant::EPOCH);
    let cookies = CookieKeys::new(server_cx.crypto, server_cx.rng);
    of_server.take();
    let address = b"192.0.2.7:40000";
    let (mut up, mut down) = ([0; 2048], [0; 2048]);

    let config = ClientConfig { suites: &[suite], ..ClientConfig::default() };
    let mut client = ClientHandshake::<Profile>::connect(client_cx, as_client, &config).expect("usable");
    let len = client.poll_transmit(&of_client, &mut up).expect("a hello");
    let config = ServerConfig::default();
    let reply = hello(&of_server, &cookies, &config, address, &up[..len], &mut down);
    let Hello::Reply(len) = reply else { panic!("no cookie") };
    client.receive(client_cx, as_client, &mut down[..len]).expect("a cookie");

    let len = client.poll_transmit(&of_client, &mut up).expect("a second hello");
    let verdict = hello(&of_server, &cookies, &config, address, &up[..len], &mut down);
    let Hello::Accept(hello) = verdict else { panic!("a bad cookie") };
    let cid = ConnectionId::new(b"slot0042").expect("not too long");
    let mut server =
        ServerHandshake::<Profile>::accept(server_cx, as_server, &config, &hello, cid).expect("acceptable");
    for _flight in 0..2 {
        while let Some(len) = server.poll_transmit(&of_server, &mut down) {
            for record in Records::new(&mut down[..len], 0) {
                client.receive(client_cx, as_client, record).expect("the server's flight");
            }
        }
        while let Some(len) = client.poll_transmit(&of_client, &mut up) {
            for record in Records::new(&mut up[..len], cid.len()) {
                server.receive(server_cx, as_server, record).expect("the client's flight");
            }
        }
    }
    let mut at_client = client.take_session().expect("established").session;
    let mut at_server = server.take_session().expect("established").session;
    rows.push((format!("{name}: client"), of_client.take()));
    rows.push((format!("{name}: server"), of_server.take()));

    let start = at_client.headroom();
    up[start..start + 4].copy_from_slice(b"21.5");
    let len = at_client.seal(&of_client, ContentType::APPLICATION_DATA, &mut up, 4).expect("short enough");
    at_server.open(&of_server, &mut up[..len]).expect("genuine");
    rows.push((format!("{name}: a record sent"), of_client.take()));
    rows.push((format!("{name}: a record received"), of_server.take()));
}

fn print(rows: &Rows) {
    let operations: BTreeSet<_> = rows.iter().flat_map(|(_, calls)| calls.keys()).collect();
    print!("{:34}", "");
    operations.iter().for_each(|operation| print!("{operation:>15}"));
    println!();
    for (name, calls) in rows {
        print!("{name:34}");
        for operation in &operations {
            print!("{:>15}", calls.get(*operation).map_or("-".to_owned(), u32::to_string));
        }
        println!();
    }
}
