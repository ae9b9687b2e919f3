//! Who the broker is in handshakes, and whom it believes there. Shared by all shards.

mod gate;
mod identity;
mod trust;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use sedge_crypto::Entropy;
use sedge_dtls::{CertificateType, CipherSuite, ClientCertificate, TicketKeys};

use crate::Auth;
use crate::config::{ClientCertificates, Config};
use crate::store::DataDir;

pub(crate) use gate::Gate;
pub(crate) use identity::{Identity, public_key};
pub(crate) use trust::Trust;

/// The provider of cryptography of a broker.
pub(crate) type Provider = sedge_crypto::HostCrypto;
/// What of DTLS a broker speaks.
pub(crate) type Dtls = sedge_endpoint::memory::Hosted<Provider>;

/// Who the broker is in handshakes, and whom it believes there.
pub(crate) struct Security {
    pub(crate) identity: Identity,
    pub(crate) trust: Trust,
    /// How clients may authenticate.
    psk: bool,
    believes: &'static [CertificateType],
    anonymous: bool,
    suites: Vec<CipherSuite>,
    tickets: RwLock<TicketKeys>,
    /// How long a ticket is good; zero if there are none.
    pub(crate) ticket_lifetime: Duration,
    key_log: Option<Mutex<File>>,
    /// From when on, in seconds since 1970, and how often something is logged that strangers can cause.
    next_complaint: AtomicU64,
    complaint_interval: u64,
    pub(crate) counters: Counters,
}

/// What came of what clients showed.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) unknown_identities: AtomicU64,
    pub(crate) unknown_keys: AtomicU64,
    pub(crate) unknown_names: AtomicU64,
    pub(crate) certificates_refused: AtomicU64,
    pub(crate) certificates_revoked: AtomicU64,
    /// Refused because the list that would tell has expired.
    pub(crate) revocation_list_expired: AtomicU64,
    /// How often a list was to be read again and could not be.
    pub(crate) revocation_list_unreadable: AtomicU64,
}

impl Security {
    /// Reads what the configuration names, and makes the broker's key if this is its first start.
    pub(crate) fn open(dir: &DataDir, config: &Config) -> Result<Self, SecurityError> {
        let says = |auth| config.listen.auth.contains(&auth);
        let dtls = &config.dtls;
        let identity = Identity::open(dir, dtls)?;
        let trust = Trust::open(dtls)?;
        let with_certificates = says(Auth::Cert) && !trust.is_empty();
        let believes: &[CertificateType] = match (says(Auth::Rpk), with_certificates) {
            (true, true) => &[CertificateType::RawPublicKey, CertificateType::X509],
            (true, false) => &[CertificateType::RawPublicKey],
            (false, true) => &[CertificateType::X509],
            (false, false) => &[],
        };
        let anonymous = dtls.client_certificates == ClientCertificates::Optional;
        let key_log = match config.log.dangerous_key_log.as_os_str().is_empty() {
            true => None,
            false => Some(Mutex::new(open_key_log(&config.log.dangerous_key_log)?)),
        };
        let suites = dtls.accepted_suites().iter().copied();
        let with_public_keys = !believes.is_empty() || anonymous;
        let suites = suites.filter(|suite| match key_exchange(*suite) {
            KeyExchange::PreSharedKey => says(Auth::Psk),
            KeyExchange::PublicKey => with_public_keys,
            KeyExchange::Either => true,
        });
        Ok(Self {
            identity,
            trust,
            psk: says(Auth::Psk),
            believes,
            anonymous,
            suites: suites.collect(),
            tickets: RwLock::new(TicketKeys::new(&mut Entropy::new())),
            ticket_lifetime: dtls.tickets,
            key_log,
            next_complaint: AtomicU64::new(0),
            complaint_interval: config.log.repeat.as_secs(),
            counters: Counters::default(),
        })
    }

    /// The cipher suites for which there is a way to authenticate, the preferred first.
    pub(crate) fn suites(&self) -> &[CipherSuite] {
        &self.suites
    }

    /// The ways to authenticate that are open to devices.
    pub(crate) fn auth(&self) -> impl Iterator<Item = Auth> {
        Auth::ALL.into_iter().filter(|auth| match auth {
            Auth::Psk => self.psk,
            Auth::Rpk => self.believes.contains(&CertificateType::RawPublicKey),
            Auth::Cert => self.believes.contains(&CertificateType::X509),
        })
    }

    /// What clients without a pre-shared key are asked for.
    pub(crate) const fn client_certificate(&self) -> ClientCertificate {
        match (self.believes, self.anonymous) {
            ([], _) => ClientCertificate::NotAsked,
            (_, true) => ClientCertificate::Optional,
            (_, false) => ClientCertificate::Required,
        }
    }

    /// Whether clients are let in that show nothing.
    pub(crate) const fn admits_anonymous(&self) -> bool {
        self.anonymous
    }

    /// Whether clients without a pre-shared key can get in at all.
    const fn takes_public_keys(&self) -> bool {
        self.anonymous || !self.believes.is_empty()
    }

    /// Whether to log something that strangers can cause: seldom enough that they cannot fill a disk.
    fn may_complain(&self, now: u64) -> bool {
        let next = now.saturating_add(self.complaint_interval);
        self.next_complaint
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| (now >= due).then_some(next))
            .is_ok()
    }

    /// Makes tickets good no more that were made before the last time.
    pub(crate) fn rotate_tickets(&self) {
        self.tickets.write().unwrap_or_else(PoisonError::into_inner).rotate(&mut Entropy::new());
    }

    /// Makes all tickets good no more.
    pub(crate) fn forget_tickets(&self) {
        *self.tickets.write().unwrap_or_else(PoisonError::into_inner) = TicketKeys::new(&mut Entropy::new());
    }

    /// Appends a secret to the key log, if there is one, in the
    /// [format of NSS](https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile-05.html).
    pub(crate) fn dangerous_log_keys(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let Some(file) = &self.key_log else { return };
        let hex = crate::key::hex_encode;
        let line = zeroize::Zeroizing::new(format!("{label} {} {}\n", hex(client_random), hex(secret)));
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::error!(%error, "the key log");
        }
    }
}

impl Counters {
    /// Every counter by its name.
    pub(crate) fn entries(&self) -> [(&'static str, u64); 7] {
        [
            ("auth.unknown_identities", &self.unknown_identities),
            ("auth.unknown_keys", &self.unknown_keys),
            ("auth.unknown_names", &self.unknown_names),
            ("auth.certificates_refused", &self.certificates_refused),
            ("auth.certificates_revoked", &self.certificates_revoked),
            ("auth.revocation_list_expired", &self.revocation_list_expired),
            ("auth.revocation_list_unreadable", &self.revocation_list_unreadable),
        ]
        .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    let _before = counter.fetch_add(1, Ordering::Relaxed);
}

/// How the two sides of a suite authenticate.
enum KeyExchange {
    PreSharedKey,
    PublicKey,
    /// DTLS 1.3 leaves it to extensions.
    Either,
}

fn key_exchange(suite: CipherSuite) -> KeyExchange {
    match suite.as_str() {
        name if name.contains("_PSK_") => KeyExchange::PreSharedKey,
        name if name.contains("_ECDSA_") => KeyExchange::PublicKey,
        _ => KeyExchange::Either,
    }
}

fn open_key_log(path: &Path) -> Result<File, SecurityError> {
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(options.append(true).create(true), 0o600);
    let file =
        options.open(path).map_err(|error| SecurityError::new("log.dangerous_key_log", path, error))?;
    tracing::warn!(
        file = %path.display(),
        "THE SECRETS OF ALL SESSIONS ARE BEING WRITTEN TO A FILE: whoever reads it reads all traffic"
    );
    Ok(file)
}

/// Why a broker cannot be what its configuration says, as one line.
#[derive(Debug)]
pub(crate) struct SecurityError {
    /// The key of the configuration.
    key: &'static str,
    path: PathBuf,
    what: String,
}

impl SecurityError {
    fn new(key: &'static str, path: &Path, what: impl fmt::Display) -> Self {
        Self { key, path: path.to_owned(), what: what.to_string() }
    }
}

impl fmt::Display for SecurityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.key, self.path.display(), self.what)
    }
}
