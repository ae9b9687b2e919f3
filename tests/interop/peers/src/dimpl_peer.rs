//! The peer over dimpl 0.9: a sans-I/O engine driven by one thread and one socket.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, Output, PskResolver};

use crate::{Role, Task, print_data, unhex};

struct OneKey {
    identity: Vec<u8>,
    key: Vec<u8>,
    any_identity: bool,
}

impl PskResolver for OneKey {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        // A client resolves the server's hint, whatever it is; a server resolves the client's identity.
        (self.any_identity || identity == self.identity).then(|| self.key.clone())
    }
}

pub fn run(task: &Task) -> Result<(), String> {
    if !task.short_tag {
        return Err("dimpl has TLS_PSK_WITH_AES_128_CCM_8 only".into());
    }
    let client = task.role == Role::Client;
    let resolver =
        Arc::new(OneKey { identity: task.identity.clone(), key: task.key.clone(), any_identity: client });
    let builder =
        Config::builder().dtls12_cipher_suites(&[dimpl::crypto::Dtls12CipherSuite::PSK_AES128_CCM_8]);
    let builder = match task.role {
        Role::Client => builder.with_psk_client(task.identity.clone(), resolver),
        Role::Server => builder.with_psk_server(None, resolver),
    };
    let config = Arc::new(builder.build().map_err(|error| error.to_string())?);
    let mut engine = Dtls::new_12_psk(config, Instant::now());
    engine.set_active(client);

    let local = match task.role {
        Role::Client if task.address.is_ipv6() => "[::]:0".parse().expect("a constant address"),
        Role::Client => "0.0.0.0:0".parse().expect("a constant address"),
        Role::Server => task.address,
    };
    let socket = UdpSocket::bind(local).map_err(|error| error.to_string())?;
    let mut remote = client.then_some(task.address);
    if !client {
        println!("listening {}", socket.local_addr().map_err(|error| error.to_string())?);
    }
    drive(&mut engine, &socket, &mut remote)
}

fn drive(engine: &mut Dtls, socket: &UdpSocket, remote: &mut Option<SocketAddr>) -> Result<(), String> {
    let commands = read_commands();
    let mut waiting: VecDeque<Vec<u8>> = VecDeque::new();
    let mut connected = false;
    let mut closing = false;
    let mut datagram = vec![0; 65_535];
    let mut buffer = vec![0; 4_096];
    loop {
        let mut wake = Instant::now() + Duration::from_millis(10);
        loop {
            match engine.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    if let Some(remote) = remote {
                        let _ = socket.send_to(packet, *remote);
                    }
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Connected => {
                    connected = true;
                    println!("connected");
                }
                Output::ApplicationData(data) => print_data(data),
                Output::CloseNotify => {
                    println!("closed");
                    return Ok(());
                }
                Output::Timeout(at) => {
                    wake = wake.min(at);
                    break;
                }
                _ => {}
            }
        }
        if closing {
            return Ok(());
        }
        loop {
            match commands.try_recv() {
                Ok(Command::Data(data)) => waiting.push_back(data),
                Ok(Command::Close) | Err(TryRecvError::Disconnected) => {
                    engine.close().map_err(|error| error.to_string())?;
                    closing = true;
                    break;
                }
                Err(TryRecvError::Empty) => break,
            }
        }
        while connected && let Some(data) = waiting.pop_front() {
            engine.send_application_data(&data).map_err(|error| error.to_string())?;
        }
        let pause = wake.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(pause)).map_err(|error| error.to_string())?;
        match socket.recv_from(&mut datagram) {
            Ok((length, from)) => {
                if remote.is_none_or(|remote| remote == from) {
                    *remote = Some(from);
                    engine.handle_packet(&datagram[..length]).map_err(|error| error.to_string())?;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.to_string()),
        }
        engine.handle_timeout(Instant::now()).map_err(|error| error.to_string())?;
    }
}

enum Command {
    Data(Vec<u8>),
    Close,
}

fn read_commands() -> Receiver<Command> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let command = match unhex(line.trim()) {
                Some(data) if !data.is_empty() => Command::Data(data),
                _ => Command::Close,
            };
            if sender.send(command).is_err() {
                return;
            }
        }
    });
    receiver
}
