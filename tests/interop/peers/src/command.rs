//! The command line that all peers share.

use std::net::SocketAddr;

/// Which of the two ends of a connection to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Dials out.
    Client,
    /// Waits for clients.
    Server,
}

/// How the two ends authenticate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// By a pre-shared key.
    Psk,
    /// By certificates.
    Certificate,
}

/// What the command line said.
pub struct Task {
    /// Which end to be.
    pub role: Role,
    /// Where to connect to, or to listen on.
    pub address: SocketAddr,
    /// DTLS 1.3 rather than 1.2.
    pub dtls_1_3: bool,
    /// How to authenticate.
    pub auth: Auth,
    /// The only suite to speak, by its name in the registry.
    pub suite: Option<String>,
    /// The only group to speak: `p256` or `x25519`.
    pub group: Option<String>,
    /// The PSK identity that the client sends and the server expects.
    pub identity: Vec<u8>,
    /// The pre-shared key.
    pub psk: Vec<u8>,
    /// The file with the own certificate chain, in PEM.
    pub certificate: Option<String>,
    /// The file with its private key, in PEM.
    pub key: Option<String>,
    /// The file with the certificate of the authority to believe, in PEM.
    pub authority: Option<String>,
    /// The server's name.
    pub name: String,
    /// Whether to send back what arrives.
    pub echo: bool,
}

/// Reads the command line after the library's name.
pub fn parse(arguments: &[String]) -> Result<Task, String> {
    let [role, address, options @ ..] = arguments else { return Err("which role, and where?".into()) };
    let mut task = Task {
        role: match role.as_str() {
            "client" => Role::Client,
            "server" => Role::Server,
            _ => return Err(format!("not a role: {role}")),
        },
        address: address.parse().map_err(|_| format!("not an address with a port: {address}"))?,
        dtls_1_3: false,
        auth: Auth::Psk,
        suite: None,
        group: None,
        identity: Vec::new(),
        psk: Vec::new(),
        certificate: None,
        key: None,
        authority: None,
        name: String::new(),
        echo: false,
    };
    let mut words = options.iter();
    while let Some(flag) = words.next() {
        if flag == "--echo" {
            task.echo = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match (flag.as_str(), value.as_str()) {
            ("--version", "1.2") | ("--group", "any") | ("--resume", "never") => {}
            ("--version", "1.3") => task.dtls_1_3 = true,
            ("--auth", "psk") => task.auth = Auth::Psk,
            ("--auth", "cert") => task.auth = Auth::Certificate,
            ("--suite", suite) => task.suite = Some(suite.into()),
            ("--group", group) => task.group = Some(group.into()),
            ("--identity", identity) => task.identity = identity.into(),
            ("--psk", digits) => task.psk = unhex(digits).ok_or("not hexadecimal")?,
            ("--cert", file) => task.certificate = Some(file.into()),
            ("--key", file) => task.key = Some(file.into()),
            ("--ca", file) => task.authority = Some(file.into()),
            ("--name", name) => task.name = name.into(),
            _ => return Err(format!("neither library has {flag} {value}")),
        }
    }
    Ok(task)
}

/// The bytes that hexadecimal digits stand for.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Every DER block in a PEM file.
pub fn pem(path: &str) -> Result<Vec<Vec<u8>>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut blocks = Vec::new();
    let mut digits = None;
    for line in text.lines() {
        if line.starts_with("-----BEGIN") {
            digits = Some(String::new());
        } else if line.starts_with("-----END") {
            blocks.extend(digits.take().map(|digits: String| base64(&digits)));
        } else if let Some(digits) = &mut digits {
            digits.push_str(line.trim());
        }
    }
    if blocks.is_empty() { Err(format!("{path} has no PEM")) } else { Ok(blocks) }
}

fn base64(text: &str) -> Vec<u8> {
    let (mut bits, mut have, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have) as u8);
        }
    }
    bytes
}

/// Prints `data HEX`.
pub fn print_data(bytes: &[u8]) {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("data {digits}");
}

/// Prints `connected ...`.
pub fn print_connected(task: &Task) {
    let version = if task.dtls_1_3 { "1.3" } else { "1.2" };
    let suite = task.suite.as_deref().unwrap_or("-");
    println!("connected version={version} suite={suite} group=- cid=none resumed=no");
}
