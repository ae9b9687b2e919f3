//! The peer over dimpl 0.9: a sans-I/O engine driven by one thread and one socket.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite, NamedGroup};
use dimpl::{Config, Dtls, DtlsCertificate, Output, PskResolver};

use crate::command::{Auth, Role, Task, pem, print_connected, print_data, unhex};

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

/// What every connection of this peer is made from.
struct Factory {
    config: Arc<Config>,
    certificate: Option<DtlsCertificate>,
    dtls_1_3: bool,
    client: bool,
}

impl Factory {
    fn new(task: &Task) -> Result<Self, String> {
        let client = task.role == Role::Client;
        let suite = match (task.auth, task.dtls_1_3) {
            (Auth::Psk, false) => "TLS_PSK_WITH_AES_128_CCM_8",
            (Auth::Psk, true) => return Err("dimpl has pre-shared keys in DTLS 1.2 only".into()),
            (Auth::Certificate, false) => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            (Auth::Certificate, true) => "TLS_AES_128_GCM_SHA256",
        };
        if task.suite.as_deref().is_some_and(|asked| asked != suite) {
            return Err(format!("of what the task allows dimpl has {suite} only"));
        }
        let mut builder = Config::builder()
            .flight_start_rto(Duration::from_millis(300))
            .flight_retries(10)
            .handshake_timeout(Duration::from_secs(60))
            .require_client_certificate(task.authority.is_some());
        match task.group.as_deref() {
            Some("p256") => builder = builder.kx_groups(&[NamedGroup::Secp256r1]),
            Some("both") => builder = builder.kx_groups(&[NamedGroup::Secp256r1, NamedGroup::X25519]),
            // A client's list is also that of the curves that certificates of DTLS 1.2 may have: P-256 has to be in it.
            Some("x25519") if client && !task.dtls_1_3 => {
                builder = builder.kx_groups(&[NamedGroup::X25519, NamedGroup::Secp256r1]);
            }
            Some("x25519") => builder = builder.kx_groups(&[NamedGroup::X25519]),
            _ => {}
        }
        builder = match (task.auth, task.dtls_1_3) {
            (Auth::Psk, _) => {
                let resolver = Arc::new(OneKey {
                    identity: task.identity.clone(),
                    key: task.psk.clone(),
                    any_identity: client,
                });
                builder = builder.dtls12_cipher_suites(&[Dtls12CipherSuite::PSK_AES128_CCM_8]);
                if client {
                    builder.with_psk_client(task.identity.clone(), resolver)
                } else {
                    builder.with_psk_server(None, resolver)
                }
            }
            (Auth::Certificate, false) => {
                builder.dtls12_cipher_suites(&[Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256])
            }
            (Auth::Certificate, true) => {
                builder.dtls13_cipher_suites(&[Dtls13CipherSuite::AES_128_GCM_SHA256])
            }
        };
        let config = Arc::new(builder.build().map_err(|error| error.to_string())?);
        let certificate = match (task.auth, &task.certificate, &task.key) {
            (Auth::Psk, ..) => None,
            (Auth::Certificate, Some(certificate), Some(key)) => Some(DtlsCertificate {
                certificate: pem(certificate)?.remove(0),
                private_key: pem(key)?.remove(0),
            }),
            (Auth::Certificate, ..) => return Err("dimpl needs a certificate on both sides".into()),
        };
        Ok(Self { config, certificate, dtls_1_3: task.dtls_1_3, client })
    }

    fn connection(&self) -> Dtls {
        let (config, now) = (self.config.clone(), Instant::now());
        let mut engine = match &self.certificate {
            None => Dtls::new_12_psk(config, now),
            Some(certificate) if self.dtls_1_3 => Dtls::new_13(config, certificate.clone(), now),
            Some(certificate) => Dtls::new_12(config, certificate.clone(), now),
        };
        engine.set_active(self.client);
        engine
    }
}

pub fn run(task: &Task) -> Result<(), String> {
    let factory = Factory::new(task)?;
    let client = task.role == Role::Client;
    let local = match task.role {
        Role::Client if task.address.is_ipv6() => "[::]:0".parse().expect("a constant address"),
        Role::Client => "0.0.0.0:0".parse().expect("a constant address"),
        Role::Server => task.address,
    };
    let socket = UdpSocket::bind(local).map_err(|error| error.to_string())?;
    if !client {
        println!("listening {}", socket.local_addr().map_err(|error| error.to_string())?);
    }
    let commands = read_commands();
    let mut first = None;
    loop {
        let mut remote = client.then_some(task.address);
        let outcome = drive(task, factory.connection(), &socket, &mut remote, &commands, &mut first);
        match outcome {
            Ok(End::Commanded) => return Ok(()),
            Ok(_) if client => return Ok(()),
            Err(why) if client => return Err(why),
            Ok(_) => {}
            Err(why) => println!("failed {}", why.replace('\n', " ")),
        }
    }
}

/// Why a connection is over.
enum End {
    /// The peer said goodbye.
    Closed,
    /// A datagram that now waits in `first` starts another client's handshake.
    AnotherClient,
    /// The user has had enough.
    Commanded,
}

/// Whether a datagram starts a handshake: epoch 0, handshake, ClientHello.
fn is_client_hello(datagram: &[u8]) -> bool {
    datagram.len() > 13 && datagram[0] == 22 && datagram[3..5] == [0, 0] && datagram[13] == 1
}

fn drive(
    task: &Task,
    mut engine: Dtls,
    socket: &UdpSocket,
    remote: &mut Option<SocketAddr>,
    commands: &Receiver<Command>,
    first: &mut Option<(Vec<u8>, SocketAddr)>,
) -> Result<End, String> {
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
                    print_connected(task);
                }
                Output::ApplicationData(data) => {
                    print_data(data);
                    if task.echo {
                        waiting.push_back(data.to_vec());
                    }
                }
                Output::CloseNotify => {
                    println!("closed");
                    return Ok(End::Closed);
                }
                Output::Timeout(at) => {
                    wake = wake.min(at);
                    break;
                }
                _ => {}
            }
        }
        if closing {
            return Ok(End::Commanded);
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
        let received = match first.take() {
            Some(received) => Some(received),
            None => {
                let pause = wake.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
                socket.set_read_timeout(Some(pause)).map_err(|error| error.to_string())?;
                match socket.recv_from(&mut datagram) {
                    Ok((length, from)) => Some((datagram[..length].to_vec(), from)),
                    Err(error) => match error.kind() {
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused => None,
                        _ => return Err(error.to_string()),
                    },
                }
            }
        };
        if let Some((bytes, from)) = received {
            if remote.is_none_or(|remote| remote == from) {
                *remote = Some(from);
                engine.handle_packet(&bytes).map_err(|error| error.to_string())?;
            } else if task.role == Role::Server && is_client_hello(&bytes) {
                *first = Some((bytes, from));
                return Ok(End::AnotherClient);
            }
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
