//! The peer over webrtc-dtls 0.12.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::net::UdpSocket;
use webrtc_dtls::cipher_suite::CipherSuiteId;
use webrtc_dtls::config::{ClientAuthType, Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::crypto::Certificate;
use webrtc_util::conn::{Conn, Listener};

use crate::command::{Auth, Role, Task, pem, print_connected, print_data, unhex};

type Connection = Arc<dyn Conn + Send + Sync>;

pub fn run(task: Task) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let outcome = runtime.block_on(async {
        let mut commands = BufReader::new(tokio::io::stdin()).lines();
        match task.role {
            Role::Client => {
                let connection = connect(&task).await?;
                talk(&task, &connection, &mut commands).await.map(|_| ())
            }
            Role::Server => serve(&task, &mut commands).await,
        }
    });
    // Its reader of the standard input cannot be interrupted: do not wait for it.
    runtime.shutdown_background();
    outcome
}

fn suites(task: &Task) -> Result<Vec<CipherSuiteId>, String> {
    use CipherSuiteId as Id;
    Ok(match task.suite.as_deref() {
        Some("TLS_PSK_WITH_AES_128_CCM_8") => vec![Id::Tls_Psk_With_Aes_128_Ccm_8],
        Some("TLS_PSK_WITH_AES_128_CCM") => vec![Id::Tls_Psk_With_Aes_128_Ccm],
        Some("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8") => vec![Id::Tls_Ecdhe_Ecdsa_With_Aes_128_Ccm_8],
        Some("TLS_ECDHE_ECDSA_WITH_AES_128_CCM") => vec![Id::Tls_Ecdhe_Ecdsa_With_Aes_128_Ccm],
        Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256") => vec![Id::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256],
        Some(other) => return Err(format!("webrtc-dtls has no {other}")),
        None if task.auth == Auth::Psk => vec![Id::Tls_Psk_With_Aes_128_Ccm_8, Id::Tls_Psk_With_Aes_128_Ccm],
        None => vec![
            Id::Tls_Ecdhe_Ecdsa_With_Aes_128_Ccm_8,
            Id::Tls_Ecdhe_Ecdsa_With_Aes_128_Ccm,
            Id::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
        ],
    })
}

fn config(task: &Task) -> Result<Config, String> {
    if task.dtls_1_3 {
        return Err("webrtc-dtls has DTLS 1.2 only".into());
    }
    let client = task.role == Role::Client;
    let mut config = Config {
        cipher_suites: suites(task)?,
        extended_master_secret: ExtendedMasterSecretType::Require,
        flight_interval: Duration::from_millis(300),
        server_name: task.name.clone(),
        ..Config::default()
    };
    if task.auth == Auth::Psk {
        let key = task.psk.clone();
        let expected = (!client).then(|| task.identity.clone());
        config.psk = Some(Arc::new(move |identity: &[u8]| match &expected {
            Some(expected) if expected != identity => Err(webrtc_dtls::Error::ErrIdentityNoPsk),
            _ => Ok(key.clone()),
        }));
        // A client sends this as its identity; a server would send it as a hint.
        config.psk_identity_hint = client.then(|| task.identity.clone());
        return Ok(config);
    }
    if let (Some(certificate), Some(key)) = (&task.certificate, &task.key) {
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        // It wants both in one text, and the key under a name of its own.
        let text = read(key)?.replace("PRIVATE KEY", "PRIVATE_KEY") + &read(certificate)?;
        config.certificates = vec![Certificate::from_pem(&text).map_err(|error| error.to_string())?];
    }
    match &task.authority {
        Some(authority) => {
            let roots = if client { &mut config.roots_cas } else { &mut config.client_cas };
            for certificate in pem(authority)? {
                roots.add(certificate.into()).map_err(|error| error.to_string())?;
            }
            if !client {
                config.client_auth = ClientAuthType::RequireAndVerifyClientCert;
            }
        }
        None => config.insecure_skip_verify = true,
    }
    Ok(config)
}

async fn connect(task: &Task) -> Result<Connection, String> {
    let local = if task.address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(local).await.map_err(|error| error.to_string())?;
    socket.connect(task.address).await.map_err(|error| error.to_string())?;
    let connection = DTLSConn::new(Arc::new(socket), config(task)?, true, None);
    Ok(Arc::new(connection.await.map_err(|error| error.to_string())?))
}

async fn serve(task: &Task, commands: &mut Lines<BufReader<Stdin>>) -> Result<(), String> {
    let listener = webrtc_dtls::listener::listen(task.address, config(task)?)
        .await
        .map_err(|error| error.to_string())?;
    println!("listening {}", listener.addr().await.map_err(|error| error.to_string())?);
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                if talk(task, &connection, commands).await? == End::Commanded {
                    return Ok(());
                }
            }
            Err(error) => println!("failed {}", error.to_string().replace('\n', " ")),
        }
    }
}

/// Why a connection is over.
#[derive(PartialEq, Eq)]
enum End {
    /// The peer said goodbye.
    Closed,
    /// The user has had enough.
    Commanded,
}

async fn talk(
    task: &Task,
    connection: &Connection,
    commands: &mut Lines<BufReader<Stdin>>,
) -> Result<End, String> {
    print_connected(task);
    let mut buffer = vec![0; 65_535];
    loop {
        tokio::select! {
            received = connection.recv(&mut buffer) => {
                let Ok(length) = received else {
                    println!("closed");
                    return Ok(End::Closed);
                };
                print_data(&buffer[..length]);
                if task.echo {
                    connection.send(&buffer[..length]).await.map_err(|error| error.to_string())?;
                }
            }
            line = commands.next_line() => {
                let data = line.ok().flatten().and_then(|line| unhex(line.trim())).filter(|data| !data.is_empty());
                let Some(data) = data else {
                    connection.close().await.map_err(|error| error.to_string())?;
                    return Ok(End::Commanded);
                };
                connection.send(&data).await.map_err(|error| error.to_string())?;
            }
        }
    }
}
