//! The command-line programs of OpenSSL and GnuTLS.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use super::end::{End, Negotiated};
use super::feature::{Auth, Feature, Group, Then};
use super::keys::{IDENTITY, Keys, PSK, SERVER_NAME};
use super::library::{Library, Role};
use crate::peer::free_port;

/// The suites' names in OpenSSL, and what of them GnuTLS wants in its priorities.
const SUITES: [(&str, &str, &str); 5] = [
    ("TLS_PSK_WITH_AES_128_CCM_8", "PSK-AES128-CCM8", "+PSK:-CIPHER-ALL:+AES-128-CCM-8"),
    ("TLS_PSK_WITH_AES_128_CCM", "PSK-AES128-CCM", "+PSK:-CIPHER-ALL:+AES-128-CCM"),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
        "ECDHE-ECDSA-AES128-CCM8",
        "+ECDHE-ECDSA:-CIPHER-ALL:+AES-128-CCM-8",
    ),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM", "+ECDHE-ECDSA:-CIPHER-ALL:+AES-128-CCM"),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "+ECDHE-ECDSA:-CIPHER-ALL:+AES-128-GCM",
    ),
];

fn openssl_suite(feature: &Feature) -> &'static str {
    SUITES.iter().find(|(name, ..)| *name == feature.suite).expect("a suite that OpenSSL has").1
}

fn priority(feature: &Feature) -> String {
    let (.., suite) =
        SUITES.iter().find(|(name, ..)| *name == feature.suite).expect("a suite that GnuTLS has");
    let group = match feature.group {
        Group::None => "",
        Group::P256 => ":-GROUP-ALL:+GROUP-SECP256R1",
        // The list is also that of the curves that certificates may have: P-256 has to be in it.
        Group::X25519 | Group::Retry => ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1",
    };
    let kind = match feature.auth {
        Auth::RawKeys => ":-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK",
        _ => "",
    };
    let tickets = if feature.then == Then::Ticket { "" } else { ":%NO_TICKETS" };
    format!("NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:{suite}{group}{kind}{tickets}")
}

pub(super) fn server(library: Library, feature: &Feature, keys: &Keys) -> Result<(End, SocketAddr), String> {
    let address = free_port();
    let (command, ready) = match library {
        Library::OpenSsl => (openssl_server(address, feature, keys), "ACCEPT"),
        _ => (gnutls_server(address, feature, keys), "listening on IPv4"),
    };
    let mut end = End::start(Some(library), Role::Server, command);
    let listens = end.process.find(ready, Duration::from_secs(90)).is_some();
    if listens { Ok((end, address)) } else { Err(format!("no server: {}", end.process.printed())) }
}

pub(super) fn client(library: Library, server: SocketAddr, feature: &Feature, keys: &Keys) -> End {
    let command = match library {
        Library::OpenSsl => openssl_client(server, feature, keys),
        _ => gnutls_client(server, feature, keys),
    };
    End::start(Some(library), Role::Client, command)
}

fn openssl(program: &str, feature: &Feature) -> Command {
    let mut command = Command::new("openssl");
    command.args([program, "-dtls1_2", "-cipher", openssl_suite(feature)]);
    match feature.group {
        Group::None => {}
        Group::P256 => _ = command.args(["-groups", "P-256"]),
        Group::X25519 | Group::Retry => _ = command.args(["-groups", "X25519:P-256"]),
    }
    if feature.auth == Auth::Psk {
        command.args(["-psk", PSK, "-psk_identity", IDENTITY]);
    }
    if feature.then == Then::SessionId {
        command.arg("-no_ticket");
    }
    command
}

fn openssl_server(address: SocketAddr, feature: &Feature, keys: &Keys) -> Command {
    let mut command = openssl("s_server", feature);
    command.args(["-accept", &address.to_string()]);
    if !feature.resumes() {
        // With cookies; but then it hears one client only.
        command.arg("-listen");
    }
    match feature.auth {
        Auth::Certificates | Auth::ServerCertificate => {
            command.arg("-cert").arg(keys.file("server.pem")).arg("-key").arg(keys.file("server.key"));
        }
        _ => _ = command.arg("-nocert"),
    }
    if feature.auth == Auth::Certificates {
        command.arg("-CAfile").arg(keys.file("ca.pem")).args(["-Verify", "1", "-verify_return_error"]);
    }
    command
}

fn openssl_client(server: SocketAddr, feature: &Feature, keys: &Keys) -> Command {
    let mut command = openssl("s_client", feature);
    command.args(["-no_ign_eof", "-connect", &server.to_string()]);
    if feature.auth == Auth::Certificates {
        command.arg("-cert").arg(keys.file("client.pem")).arg("-key").arg(keys.file("client.key"));
    }
    if feature.auth != Auth::Psk {
        command.arg("-CAfile").arg(keys.file("ca.pem"));
        command.args(["-verify_return_error", "-verify_hostname", SERVER_NAME]);
    }
    if feature.resumes() {
        // The session of the first connection waits where the second finds it.
        let file = keys.file(&format!("{}.session", server.port()));
        command.arg(if file.exists() { "-sess_in" } else { "-sess_out" }).arg(file);
    }
    command
}

fn gnutls_server(address: SocketAddr, feature: &Feature, keys: &Keys) -> Command {
    let mut command = Command::new("gnutls-serv");
    command.args(["--udp", "--echo", "--port", &address.port().to_string()]);
    command.args(["--priority", &priority(feature)]);
    match feature.auth {
        Auth::Psk | Auth::PskEphemeral => {
            let file = keys.file(&format!("{}.psk", address.port()));
            std::fs::write(&file, format!("{IDENTITY}:{PSK}\n")).expect("a file for the key");
            command.arg("--pskpasswd").arg(file);
        }
        Auth::RawKeys => {
            command.arg("--rawpkfile").arg(keys.file("server.pub"));
            command.arg("--rawpkkeyfile").arg(keys.file("server.key")).arg("--require-client-cert");
        }
        Auth::Certificates | Auth::ServerCertificate => {
            command.arg("--x509certfile").arg(keys.file("server.pem"));
            command.arg("--x509keyfile").arg(keys.file("server.key"));
        }
    }
    match feature.auth {
        Auth::Certificates => {
            command.arg("--x509cafile").arg(keys.file("ca.pem"));
            command.args(["--require-client-cert", "--verify-client-cert"]);
        }
        Auth::ServerCertificate => _ = command.arg("--disable-client-cert"),
        _ => {}
    }
    command
}

fn gnutls_client(server: SocketAddr, feature: &Feature, keys: &Keys) -> Command {
    let mut command = Command::new("gnutls-cli");
    command.args(["--udp", "--port", &server.port().to_string(), "--priority", &priority(feature)]);
    match feature.auth {
        Auth::Psk | Auth::PskEphemeral => _ = command.args(["--pskusername", IDENTITY, "--pskkey", PSK]),
        Auth::RawKeys => {
            command.arg("--rawpkfile").arg(keys.file("client.pub"));
            // It has no option that names the key to believe.
            command.arg("--rawpkkeyfile").arg(keys.file("client.key")).arg("--insecure");
        }
        Auth::Certificates | Auth::ServerCertificate => {
            command.arg("--x509cafile").arg(keys.file("ca.pem")).arg("--verify-hostname").arg(SERVER_NAME);
        }
    }
    if feature.auth == Auth::Certificates {
        command.arg("--x509certfile").arg(keys.file("client.pem"));
        command.arg("--x509keyfile").arg(keys.file("client.key"));
    }
    if feature.resumes() {
        command.arg("--resume");
    }
    command.arg(server.ip().to_string());
    command
}

/// What they say about a handshake, in words of their own.
pub(super) fn connected(end: &mut End, resumes: bool, within: Duration) -> Option<Negotiated> {
    let mut negotiated = Negotiated { version: Some("1.2".to_owned()), ..Negotiated::default() };
    match (end.who, end.role) {
        (Some(Library::OpenSsl), role) => {
            let words = if role == Role::Server { "CIPHER is " } else { "Cipher is " };
            let name = end.process.find(words, within)?;
            let suite = SUITES.iter().find(|(_, openssl, _)| *openssl == name)?;
            negotiated.suite = Some(suite.0.to_owned());
            if resumes {
                let reused = match role {
                    Role::Server => end.process.find("Reused session-id", within).is_some(),
                    Role::Client => end.process.printed().contains("Reused, "),
                };
                negotiated.resumed = Some(if reused { "yes" } else { "no" }.to_owned());
            }
        }
        // Its server keeps it to itself.
        (_, Role::Server) => {}
        (_, Role::Client) => {
            let description = end.process.find("- Description:", within)?;
            let group = ["SECP256R1", "X25519"].iter().zip(["p256", "x25519"]);
            negotiated.group = group
                .filter(|(theirs, _)| description.contains(**theirs))
                .map(|(_, ours)| ours.to_owned())
                .next();
            if resumes {
                let resumed = end.process.find("This is a resumed session", within).is_some();
                negotiated.resumed = Some(if resumed { "yes" } else { "no" }.to_owned());
            }
        }
    }
    Some(negotiated)
}
