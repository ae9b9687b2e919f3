//! Connecting to a server, and what to tell the user when that fails.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rand_core::UnwrapErr;
use sedge_ace::CreationHints;
use sedge_client::tokio::{Address, Socket, TokioClock, config};
use sedge_client::{
    Authentication, Client, Code, Config, ContentFormat, Credential, Disconnect, Error, Growing, Hosted,
    Security,
};
use sedge_dtls::{AlertDescription, Profile};

use crate::codec::value;
use crate::commands::token::{self, Fetched, Wanted};
use crate::failure::Failure;
use crate::identity::Offer;
use crate::trace::handshake::group_name;
use crate::trace::{TapCrypto, TapSocket, Tape};

/// A client whose wire can be looked at.
pub(crate) type CliClient<P = Hosted<TapCrypto>> =
    Client<Growing<P, UnwrapErr<getrandom::SysRng>>, TapSocket, TokioClock>;

/// Who to be.
#[derive(Debug, clap::Args)]
pub(crate) struct As {
    /// The credential file that `sedge device add` wrote, or a token's
    #[arg(long = "as", visible_alias = "token", value_name = "FILE")]
    pub(crate) credential: PathBuf,
    /// Get a token first, with the credential and from the server that it names, and connect by that
    #[arg(long)]
    pub(crate) by_token: bool,
    #[command(flatten)]
    pub(crate) offer: Offer,
}

/// How long a connection may take, retransmissions included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl As {
    pub(crate) fn read(&self) -> Result<Credential, Failure> {
        Ok(Credential::read(&self.credential)?)
    }

    /// The credential, and with --by-token the token that it is exchanged for, for the broker at this address.
    pub(crate) async fn obtain(&self, broker: Option<&Address>, verbose: bool) -> Result<Obtained, Failure> {
        let own = self.read()?;
        if !self.by_token {
            return Ok(Obtained { credential: own.clone(), own, authority: None });
        }
        let wanted = Wanted { broker, ..Wanted::default() };
        let Fetched { credential, authority, .. } = token::fetch(self, &own, &wanted, verbose).await?;
        Ok(Obtained { credential, own, authority: Some(authority) })
    }
}

/// Who to be towards a broker, and who that is.
pub(crate) struct Obtained {
    /// What the broker is shown: the client's own credential, or a token.
    pub(crate) credential: Credential,
    /// The client's own.
    pub(crate) own: Credential,
    /// The session with the authorisation server by the client's own credential, if a token was got there.
    pub(crate) authority: Option<CliClient>,
}

/// Connects as a credential says, to the server it names or to another one.
pub(crate) async fn connect(
    credential: &Credential,
    broker: Option<&Address>,
    offer: &Offer,
    verbose: bool,
) -> Result<CliClient, Failure> {
    let address = match broker {
        Some(address) => address.clone(),
        None => Address::parse(&credential.broker)
            .map_err(|error| Failure::new(format!("in the credential of {}: {error}", credential.name)))?,
    };
    if !address.secure {
        return Err(Failure::usage(format!("{address}: a credential is only good for coaps://")));
    }
    connect_to(&address, credential.security()?, offer, Tape::new(true, verbose)).await
}

/// Connects to the first of a server's addresses that does not refuse at once.
pub(crate) async fn connect_to(
    address: &Address,
    security: Security<'_>,
    offer: &Offer,
    tape: Tape,
) -> Result<CliClient, Failure> {
    let mut refusal = None;
    for candidate in address.resolve().await? {
        let socket = match Socket::connect(candidate).await {
            Ok(socket) => socket,
            Err(error) => {
                refusal = Some(Error::Network(error));
                continue;
            }
        };
        let mut client = client(socket, security.clone(), offer, tape.clone())?;
        match tokio::time::timeout(CONNECT_TIMEOUT, client.connect()).await {
            Ok(Ok(())) => {
                note_agreement(&client, &tape);
                return Ok(client);
            }
            Ok(Err(error @ Error::Network(_))) => refusal = Some(error),
            Ok(Err(error)) => return Err(cannot_connect(address, &security, &error)),
            Err(_) => {
                let answered = client.is_answered();
                let reason = if answered { Disconnect::NotAccepted } else { Disconnect::Unreachable };
                return Err(cannot_connect(address, &security, &Error::Disconnected(reason)));
            }
        }
    }
    let error = refusal.unwrap_or(Error::Disconnected(Disconnect::Unreachable));
    Err(cannot_connect(address, &security, &error))
}

/// A client over a socket, not connected yet.
pub(crate) fn client<P: Profile<Crypto = TapCrypto>>(
    socket: Socket,
    security: Security<'_>,
    offer: &Offer,
    tape: Tape,
) -> Result<CliClient<P>, Failure> {
    let socket = TapSocket { socket, tape: tape.clone() };
    let rng = UnwrapErr(getrandom::SysRng);
    // Whoever waits at a terminal wants to hear at once that nobody listens.
    let mut config = Config { fail_on_network_error: true, ..config() };
    offer.apply(&mut config);
    let mut client = Client::new(config, security, socket, TokioClock::new(), TapCrypto { tape }, rng)
        .map_err(|error| explain(&error))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    client.set_unix_time(now.as_secs());
    if let Some(mut log) = offer.key_log()? {
        client
            .dangerous_log_keys(move |label, client_random, secret| log.write(label, client_random, secret));
    }
    Ok(client)
}

/// Says what the handshake has come to, if the wire is shown.
fn note_agreement(client: &CliClient, tape: &Tape) {
    let Some(agreed) = client.agreed() else { return };
    let group = tape.group().map_or_else(String::new, |group| format!(", {}", group_name(group)));
    let how = match agreed.authentication {
        Authentication::Anonymous => "the server has shown nothing",
        Authentication::PreSharedKey => "the server knows the pre-shared key",
        Authentication::RawPublicKey => "the server has shown its raw public key",
        Authentication::Certificate => "the server has shown its certificate",
    };
    let resumed = if agreed.resumed { ", in a session that was resumed" } else { "" };
    tape.note(format_args!("  {}, {}{group}: {how}{resumed}", agreed.version, agreed.suite.as_str()));
}

fn cannot_connect(address: &Address, security: &Security<'_>, error: &Error<io::Error>) -> Failure {
    let identity = match security {
        Security::Psk { identity, .. } => Some(str::from_utf8(identity)),
        Security::PublicKey { .. } | Security::DangerousNone => None,
    };
    Failure::new(match error {
        Error::Network(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            format!("nothing listens at {address}: check the address, and that the broker is running")
        }
        Error::Network(error) => format!("cannot reach {address}: {error}"),
        Error::Disconnected(Disconnect::Unreachable) => format!(
            "{address} does not answer: check the address, and that UDP port {} is open on the way",
            address.port
        ),
        Error::Disconnected(reason) if identity.is_some() && is_about_a_key(*reason) => match identity {
            Some(Ok(identity)) => format!(
                "{address} does not accept the identity `{identity}` with this key: \
                 `sedge device list` shows who is enrolled"
            ),
            _ => format!(
                "{address} does not accept this token: it is over, revoked, or for another broker \
                 (`sedge token show FILE --data DIR` tells)"
            ),
        },
        Error::Disconnected(Disconnect::NotAccepted) => format!(
            "{address} does not accept this client: `sedge device list` shows who is enrolled, and \
             `sedge probe {address}` what the server takes"
        ),
        Error::Disconnected(Disconnect::HandshakeRefused(alert)) => format!(
            "{address} refuses the handshake ({alert}): `sedge probe {address}` shows what it takes, and \
             `sedge device list` who is enrolled"
        ),
        Error::Disconnected(Disconnect::NotBelieved(why)) => format!(
            "{address} is not believed: {why}; if it is the right server, its key or certificate has changed"
        ),
        other => format!("{address}: {other}"),
    })
}

/// Whether that is how servers tell of an identity or a key that is wrong; with DTLS 1.2 they stay silent.
fn is_about_a_key(reason: Disconnect) -> bool {
    let alerts = [AlertDescription::DECRYPT_ERROR, AlertDescription::UNKNOWN_PSK_IDENTITY];
    match reason {
        Disconnect::NotAccepted => true,
        Disconnect::HandshakeRefused(alert) => alerts.contains(&alert),
        _ => false,
    }
}

/// An error of an operation, for the user.
pub(crate) fn explain(error: &Error<io::Error>) -> Failure {
    Failure::new(match error {
        Error::Network(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "nothing listens there: check the address, and that the server is running".into()
        }
        Error::Timeout => "the server did not answer: check that it is still running".into(),
        Error::NotObserved => "the topic has as many subscribers as it may: try later".into(),
        Error::KeepsChanging => {
            "the value changed again and again while it was fetched: try again".to_owned()
        }
        other => other.to_string(),
    })
}

/// Where to get a token, if that is what the server says.
fn hint(format: Option<ContentFormat>, payload: &[u8]) -> Option<String> {
    let hints = CreationHints::decode(payload).ok().filter(|_| format == Some(ContentFormat::ACE_CBOR))?;
    let at = hints.authorization_server.map_or_else(String::new, |uri| format!(" from {uri}"));
    let audience = hints.audience.map_or_else(String::new, |name| format!(" for `{name}`"));
    Some(format!("it takes a token{at}{audience} (`sedge token request --help`)"))
}

/// An answer that is an error, for the user.
pub(crate) fn refused(code: Code, format: Option<ContentFormat>, payload: &[u8]) -> Failure {
    let name = if code.name().is_empty() { code.to_string() } else { format!("{code} {}", code.name()) };
    if let Some(hint) = hint(format, payload) {
        Failure::new(format!("the server answered {name}: {hint}"))
    } else if payload.is_empty() {
        Failure::new(format!("the server answered {name}"))
    } else {
        Failure::new(format!("the server answered {name}: {}", value::display(format, payload)))
    }
}
