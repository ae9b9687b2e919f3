//! The peer over webrtc-dtls 0.12.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UdpSocket;
use webrtc_dtls::cipher_suite::CipherSuiteId;
use webrtc_dtls::config::{Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_util::conn::{Conn, Listener};

use crate::{Role, Task, print_data, unhex};

pub fn run(task: Task) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let outcome = runtime.block_on(talk(task));
    // Its reader of the standard input cannot be interrupted: do not wait for it.
    runtime.shutdown_background();
    outcome
}

fn config(task: &Task) -> Config {
    let key = task.key.clone();
    let suite = if task.short_tag {
        CipherSuiteId::Tls_Psk_With_Aes_128_Ccm_8
    } else {
        CipherSuiteId::Tls_Psk_With_Aes_128_Ccm
    };
    let server_identity = (task.role == Role::Server).then(|| task.identity.clone());
    Config {
        psk: Some(Arc::new(move |identity: &[u8]| match &server_identity {
            Some(expected) if expected != identity => Err(webrtc_dtls::Error::ErrIdentityNoPsk),
            _ => Ok(key.clone()),
        })),
        // A client sends this as its identity; a server would send it as a hint.
        psk_identity_hint: (task.role == Role::Client).then(|| task.identity.clone()),
        cipher_suites: vec![suite],
        extended_master_secret: ExtendedMasterSecretType::Require,
        ..Config::default()
    }
}

async fn connect(task: &Task) -> Result<Arc<dyn Conn + Send + Sync>, String> {
    match task.role {
        Role::Client => {
            let local = if task.address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
            let socket = UdpSocket::bind(local).await.map_err(|error| error.to_string())?;
            socket.connect(task.address).await.map_err(|error| error.to_string())?;
            let connection = DTLSConn::new(Arc::new(socket), config(task), true, None);
            Ok(Arc::new(connection.await.map_err(|error| error.to_string())?))
        }
        Role::Server => {
            let listener = webrtc_dtls::listener::listen(task.address, config(task))
                .await
                .map_err(|error| error.to_string())?;
            println!("listening {}", listener.addr().await.map_err(|error| error.to_string())?);
            let (connection, _) = listener.accept().await.map_err(|error| error.to_string())?;
            // The listener's end would end its connections.
            std::mem::forget(listener);
            Ok(connection)
        }
    }
}

async fn talk(task: Task) -> Result<(), String> {
    let connection = connect(&task).await?;
    println!("connected");
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let mut buffer = vec![0; 65_535];
    loop {
        tokio::select! {
            received = connection.recv(&mut buffer) => match received {
                Ok(length) => print_data(&buffer[..length]),
                Err(_) => {
                    println!("closed");
                    return Ok(());
                }
            },
            line = commands.next_line() => {
                let data = line.ok().flatten().and_then(|line| unhex(line.trim())).filter(|data| !data.is_empty());
                let Some(data) = data else {
                    return connection.close().await.map_err(|error| error.to_string());
                };
                connection.send(&data).await.map_err(|error| error.to_string())?;
            }
        }
    }
}
