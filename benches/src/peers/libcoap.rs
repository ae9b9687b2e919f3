//! libcoap's own example server, with OpenSSL underneath, as Debian ships it.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::process::Command;
use std::time::Duration;

use sedge_coap::{Code, Message, Type, empty_message};

use crate::fleet::KEY;
use crate::load::CoapRequest;
use crate::process::ServerProcess;

const PROGRAM: &str = "coap-server-openssl";

/// What it echoes when it is started with `-e`.
pub(crate) const ECHO: CoapRequest =
    CoapRequest { method: Code::PUT, path: &["example_data"], carries: true, returns: true };

/// A resource of it that can be observed.
pub(crate) const OBSERVABLE: &[&str] = &["time"];

/// Starts it and waits until it answers.
pub(crate) fn start() -> Result<ServerProcess, String> {
    // DTLS is on the port after the plain one; two free ones in a row are likely above a free one.
    let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let plain = probe.local_addr().map_err(|error| error.to_string())?.port() & !1;
    drop(probe);
    let key = str::from_utf8(&KEY).map_err(|error| error.to_string())?;
    let port = plain.to_string();
    let mut command = Command::new(PROGRAM);
    command.args(["-A", "127.0.0.1", "-p", &port, "-k", key, "-h", "", "-e", "-N", "-v", "0"]);
    let ping = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    ping.set_read_timeout(Some(Duration::from_millis(100))).map_err(|error| error.to_string())?;
    // A CoAP ping: an empty confirmable message, answered by a reset.
    let ready = || {
        let mut answer = [0; 64];
        let asked = ping.send_to(&empty_message(Type::Con, 1), (Ipv4Addr::LOCALHOST, plain));
        asked
            .and_then(|_| ping.recv(&mut answer))
            .is_ok_and(|len| Message::parse(&answer[..len]).is_ok_and(|message| message.kind() == Type::Rst))
    };
    ServerProcess::foreign(&mut command, SocketAddrV4::new(Ipv4Addr::LOCALHOST, plain + 1), ready)
        .map_err(|error| format!("{error}; benches/setup installs what is missing"))
}

/// Its own name and version.
pub(crate) fn version() -> Option<String> {
    // There is no option for that, but a complaint about an unknown one begins with it.
    let output = Command::new(PROGRAM).arg("-?").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains(" -- a small CoAP"))?;
    let tls = text.lines().find_map(|line| line.strip_prefix("TLS Library: "));
    Some(format!("{} ({})", line.split(" -- ").next()?.trim(), tls.unwrap_or("unknown TLS library")))
}
