//! Devices of every kind at one broker, over real sockets: who gets in, who does not, and who has to go.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rand_core::UnwrapErr;
use sedge_access::{Grants, Permissions};
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice, Status};
use sedge_broker::config::{ClientCertificates, Config, Version as Dtls};
use sedge_broker::store::DataDir;
use sedge_broker::{Auth, Broker};
use sedge_client::tokio::{Client, Socket, client, config};
use sedge_client::{
    Authentication, BrokerKey, CipherSuite, ContentFormat, Credential, Disconnect, Error, Login, NotBelieved,
    Version, Versions,
};
use sedge_crypto::RustCrypto;
use sedge_x509::authority::{
    AlternativeName, Authority, Issuer, NewAuthority, PrivateKey, Template, write_new, write_over,
};
use sedge_x509::{Certificate, Validity};
use tempfile::TempDir;

const BOTH: [Versions; 2] = [Versions::ONLY_1_2, Versions::ONLY_1_3];
const SECOND: Duration = Duration::from_secs(1);

fn rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn year() -> Validity {
    Validity { not_before: now() - 3600, not_after: now() + 365 * 86_400 }
}

/// A CA in a folder.
struct Ca {
    authority: Authority,
    issuer: Issuer<RustCrypto>,
}

impl Ca {
    fn new(folder: &Path) -> Self {
        let validity = Validity { not_after: year().not_after * 2, ..year() };
        let new = NewAuthority { name: "Test CA", validity, passphrase: None };
        let authority = Authority::create(folder, &new, RustCrypto, &mut rng()).unwrap();
        let issuer = authority.unlock(RustCrypto, None).unwrap();
        let mut ca = Self { authority, issuer };
        ca.write_list();
        ca
    }

    fn issue(&mut self, template: &Template, key: &PrivateKey) -> Vec<u8> {
        let key = key.public_key(&RustCrypto).unwrap();
        self.authority.issue(&self.issuer, template, &key, &mut rng()).unwrap()
    }

    fn write_list(&mut self) -> PathBuf {
        let _der = self.authority.write_crl(&self.issuer, now() - 60, now() + 86_400, &mut rng()).unwrap();
        self.authority.crl_path()
    }

    fn broker_key(&self, server_name: &str) -> BrokerKey {
        let certificate = Certificate::parse(self.authority.certificate()).unwrap();
        BrokerKey::Issuer { key: *certificate.public_key(), server_name: server_name.into() }
    }
}

struct Setup {
    broker: Broker,
    ca: Ca,
    folder: TempDir,
}

impl Setup {
    /// A broker that believes a CA, and reads its lists as soon as they change.
    fn new(change: impl FnOnce(&mut Config, &Path, &mut Ca)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ca = Ca::new(&folder.path().join("ca"));
        let mut config = Config::default();
        config.listen.coaps = vec!["[::1]:0".parse().unwrap()];
        config.shards = 2;
        config.dtls.trust_anchors = vec![ca.authority.certificate_path()];
        config.dtls.revocation_lists = vec![ca.authority.crl_path()];
        config.dtls.revocation_check = Duration::from_millis(50);
        change(&mut config, folder.path(), &mut ca);
        let broker = Broker::start(&DataDir::new(folder.path().join("d")), config).unwrap();
        Self { broker, ca, folder }
    }

    fn default() -> Self {
        Self::new(|_, _, _| {})
    }

    async fn admin(&self, request: AdminRequest) -> AdminReply {
        self.broker.administer(request).await
    }

    async fn status(&self) -> Status {
        let AdminReply::Status(status) = self.admin(AdminRequest::Status).await else { panic!() };
        *status
    }

    async fn counter(&self, name: &str) -> u64 {
        let status = self.status().await;
        status.counters.iter().find(|counter| counter.name == name).unwrap().value
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        let start = std::time::Instant::now();
        while !is_so(self).await {
            assert!(start.elapsed() < 30 * SECOND, "{what}: {:?}", self.status().await);
            tokio::time::sleep(SECOND / 50).await;
        }
    }

    /// Enrols a device that authenticates so.
    async fn enrol(&mut self, name: &str, auth: Auth) -> Credential {
        let grants = Grants::none().with("site/#".parse().unwrap(), Permissions::PUBLISH | Permissions::READ);
        let mut new = NewDevice { name: name.into(), grants, ..NewDevice::default() };
        let key = PrivateKey::generate(&RustCrypto, &mut rng()).unwrap();
        let mut certificates = Vec::new();
        match auth {
            Auth::Psk => {}
            Auth::Rpk => new.public_key = Some(key.public_key(&RustCrypto).unwrap()),
            Auth::Cert => {
                certificates = self.ca.issue(&Template::client(name, year()), &key);
                new.certificate_name = Some(name.into());
            }
        }
        let AdminReply::Enrolled(_, psk) = self.admin(AdminRequest::DeviceAdd(new)).await else { panic!() };
        let broker = format!("coaps://{}", self.broker.addresses()[0]);
        match psk {
            Some(psk) => Credential::psk(broker, name, name, psk.expose().to_vec()),
            None => {
                let private_key = Some(key.scalar().clone());
                let server = BrokerKey::Key(*self.broker.public_key());
                let login = Login::PublicKey { private_key, certificates, server };
                Credential { broker, name: name.into(), login }
            }
        }
    }

    /// A handshake, once.
    async fn connect(&self, credential: &Credential, versions: Versions) -> Result<Client, Error<io::Error>> {
        let socket = Socket::connect(self.broker.addresses()[0]).await.unwrap();
        let mut settings = config();
        settings.endpoint.versions = versions;
        let mut client = client(socket, credential.security().unwrap(), settings)?;
        match tokio::time::timeout(5 * SECOND, client.connect()).await {
            Ok(outcome) => outcome.map(|()| client),
            Err(_) => Err(Error::Timeout),
        }
    }

    async fn connected(&self, credential: &Credential, versions: Versions) -> Client {
        let name = &credential.name;
        self.connect(credential, versions).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    async fn refused(&self, credential: &Credential) {
        for versions in BOTH {
            let outcome = self.connect(credential, versions).await;
            assert!(outcome.is_err(), "{}, {versions:?}", credential.name);
        }
    }
}

/// Whether a client can still publish over the session that it has, without connecting again.
async fn is_alive(client: &mut Client) -> bool {
    let handshakes = client.counters().handshakes_completed;
    let publish = client.publish("site/1", ContentFormat::TEXT, b"alive");
    let published = tokio::time::timeout(3 * SECOND, publish).await;
    matches!(published, Ok(Ok(()))) && client.counters().handshakes_completed == handshakes
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn devices_of_every_kind_and_version_share_a_port() {
    block_on(async {
        let mut setup = Setup::default();
        let mut clients = Vec::new();
        for auth in Auth::ALL {
            let credential = setup.enrol(auth.as_str(), auth).await;
            for versions in BOTH {
                let mut client = setup.connected(&credential, versions).await;
                client.publish("site/1", ContentFormat::TEXT, b"21.5").await.unwrap();
                let agreed = client.agreed().unwrap();
                let version = if versions.dtls_1_3 { Version::Dtls13 } else { Version::Dtls12 };
                assert_eq!(agreed.version, version, "{auth:?}");
                let shown = match auth {
                    Auth::Psk => Authentication::PreSharedKey,
                    Auth::Rpk | Auth::Cert => Authentication::RawPublicKey,
                };
                assert_eq!(agreed.authentication, shown, "{auth:?}");
                clients.push(client);
            }
            // Whoever can do both gets the newer.
            let client = setup.connected(&credential, Versions::ALL).await;
            assert_eq!(client.agreed().unwrap().version, Version::Dtls13, "{auth:?}");
            clients.push(client);
        }
        let status = setup.status().await;
        assert_eq!((status.sessions, status.devices), (9, 4));
        assert_eq!(status.auth, ["psk", "rpk", "cert"]);
        assert_eq!(status.public_key.as_ref(), Some(setup.broker.public_key()));
        for client in &mut clients {
            assert!(is_alive(client).await);
        }
    });
}

#[test]
fn a_device_that_is_removed_has_to_go_at_once_and_does_not_come_back() {
    block_on(async {
        let mut setup = Setup::default();
        for auth in Auth::ALL {
            let credential = setup.enrol(auth.as_str(), auth).await;
            let mut others = setup.enrol(&format!("other-{}", auth.as_str()), auth).await;
            others.name = "others".into();
            let mut other = setup.connected(&others, Versions::ONLY_1_2).await;
            for versions in BOTH {
                let mut client = setup.connected(&credential, versions).await;
                assert!(is_alive(&mut client).await);
                let removed = setup.admin(AdminRequest::DeviceRemove(credential.name.clone())).await;
                assert_eq!(removed, AdminReply::Done, "{auth:?}");
                // The client tries to connect again by itself, with what it knows of the session, and cannot.
                assert!(!is_alive(&mut client).await, "{auth:?} {versions:?}");
                setup.refused(&credential).await;
                // The same once more for the other version.
                let key = match &credential.login {
                    Login::Psk { .. } => None,
                    Login::PublicKey { private_key, .. } => private_key.clone().map(PrivateKey::new),
                };
                let mut new = NewDevice { name: credential.name.clone(), ..NewDevice::default() };
                new.grants = Grants::none().with("site/#".parse().unwrap(), Permissions::PUBLISH);
                match (auth, &credential.login) {
                    (Auth::Psk, Login::Psk { key, .. }) => {
                        new.key = Some(sedge_broker::Key::from_bytes(key).unwrap());
                    }
                    (Auth::Rpk, _) => new.public_key = key.map(|key| key.public_key(&RustCrypto).unwrap()),
                    _ => new.certificate_name = Some(credential.name.clone()),
                }
                let again = setup.admin(AdminRequest::DeviceAdd(new)).await;
                assert!(matches!(again, AdminReply::Enrolled(..)), "{again:?}");
            }
            assert!(is_alive(&mut other).await, "{auth:?}");
        }
        assert_eq!(setup.counter("endpoint.handshakes_completed").await, 9);
    });
}

#[test]
fn a_certificate_that_is_revoked_ends_its_sessions_and_opens_no_other() {
    block_on(async {
        let mut setup = Setup::default();
        let good = setup.enrol("good", Auth::Cert).await;
        let bad = setup.enrol("bad", Auth::Cert).await;
        let mut survivor = setup.connected(&good, Versions::ONLY_1_3).await;
        let mut clients = Vec::new();
        for versions in BOTH {
            clients.push(setup.connected(&bad, versions).await);
        }
        let revoked = setup.ca.authority.revoke("bad", now()).unwrap();
        assert_eq!(revoked.len(), 1);
        let list = setup.ca.write_list();
        setup.until("its sessions end", async |setup| setup.status().await.sessions == 1).await;
        for client in &mut clients {
            assert!(!is_alive(client).await);
        }
        setup.refused(&bad).await;
        assert!(setup.counter("auth.certificates_revoked").await >= 2);
        assert!(is_alive(&mut survivor).await);
        drop(setup.connected(&good, Versions::ONLY_1_2).await);

        // It ends within the day, and somebody should know.
        let warnings = setup.status().await.warnings;
        assert!(matches!(&warnings[..], [one] if one.contains("ends in 2")), "{warnings:?}");

        // A list that is damaged changes nothing but a counter.
        write_over(&list, b"no list").unwrap();
        setup
            .until("it is looked at", async |setup| {
                setup.counter("auth.revocation_list_unreadable").await > 0
            })
            .await;
        setup.refused(&bad).await;
        drop(setup.connected(&good, Versions::ONLY_1_3).await);

        // One that has expired refuses everybody whose issuer has signed it.
        let _der =
            setup.ca.authority.write_crl(&setup.ca.issuer, now() - 120, now() - 60, &mut rng()).unwrap();
        // Before anybody is refused for it.
        setup
            .until("an operator is told", async |setup| {
                let warnings = setup.status().await.warnings;
                matches!(&warnings[..], [one] if one.contains("ended 0 h "))
            })
            .await;
        setup.refused(&good).await;
        assert!(setup.counter("auth.revocation_list_expired").await >= 1);
        assert!(is_alive(&mut survivor).await);
    });
}

#[test]
fn whom_nobody_has_enrolled_is_refused() {
    block_on(async {
        let mut setup = Setup::default();
        for auth in Auth::ALL {
            let mut credential = setup.enrol(auth.as_str(), auth).await;
            match &mut credential.login {
                Login::Psk { key, .. } => key[0] ^= 1,
                Login::PublicKey { private_key, certificates, .. } => {
                    let key = PrivateKey::generate(&RustCrypto, &mut rng()).unwrap();
                    if auth == Auth::Cert {
                        *certificates = setup.ca.issue(&Template::client("unknown", year()), &key);
                    }
                    *private_key = Some(key.scalar().clone());
                }
            }
            setup.refused(&credential).await;
        }
        assert!(setup.counter("auth.unknown_keys").await >= 2);
        assert!(setup.counter("auth.unknown_names").await >= 2);

        // The name alone does not do: another CA may have issued it.
        let mut credential = setup.enrol("meter", Auth::Cert).await;
        let mut other = Ca::new(&setup.folder.path().join("other"));
        let Login::PublicKey { private_key, certificates, .. } = &mut credential.login else { panic!() };
        let key = PrivateKey::new(private_key.clone().unwrap());
        *certificates = other.issue(&Template::client("meter", year()), &key);
        setup.refused(&credential).await;
        // Nor does the certificate without its key.
        let mut credential = setup.enrol("stolen", Auth::Cert).await;
        let Login::PublicKey { private_key, .. } = &mut credential.login else { panic!() };
        *private_key = Some(PrivateKey::generate(&RustCrypto, &mut rng()).unwrap().scalar().clone());
        setup.refused(&credential).await;
        assert!(setup.counter("auth.certificates_refused").await >= 2);
        assert_eq!(setup.status().await.sessions, 0);
    });
}

#[test]
fn a_device_believes_only_its_own_broker() {
    block_on(async {
        let mut setup = Setup::new(|config, folder, ca| {
            let key = PrivateKey::generate(&RustCrypto, &mut rng()).unwrap();
            let names = vec![AlternativeName::Dns("broker.example".into())];
            let certificate = ca.issue(&Template::server("broker.example", names, year()), &key);
            let pem = key.to_pem(&RustCrypto, None, &mut rng()).unwrap();
            (config.dtls.private_key, config.dtls.certificate) =
                (folder.join("broker.key.pem"), folder.join("broker.pem"));
            write_new(&config.dtls.private_key, pem.as_bytes()).unwrap();
            write_over(&config.dtls.certificate, sedge_x509::to_pem(&certificate).as_bytes()).unwrap();
        });
        let mut credential = setup.enrol("boiler", Auth::Cert).await;
        let another = PrivateKey::generate(&RustCrypto, &mut rng()).unwrap().public_key(&RustCrypto).unwrap();
        let trusted = setup.ca.broker_key("broker.example");
        let pinned = BrokerKey::Key(*setup.broker.public_key());
        for (server, refusal) in [
            (pinned, None),
            (trusted, None),
            (BrokerKey::Key(another), Some(NotBelieved::WrongKey)),
            (
                setup.ca.broker_key("other.example"),
                Some(NotBelieved::Certificate(sedge_x509::Error::WrongName)),
            ),
            (
                BrokerKey::Issuer { key: another, server_name: "broker.example".into() },
                Some(NotBelieved::Certificate(sedge_x509::Error::UnknownIssuer)),
            ),
        ] {
            let Login::PublicKey { server: expected, .. } = &mut credential.login else { panic!() };
            expected.clone_from(&server);
            for versions in BOTH {
                let outcome = setup.connect(&credential, versions).await;
                match (outcome, refusal) {
                    (Ok(_), None) => {}
                    (Err(Error::Disconnected(Disconnect::NotBelieved(why))), Some(expected)) => {
                        assert_eq!(why, expected, "{server:?} {versions:?}");
                    }
                    (outcome, _) => panic!("{server:?} {versions:?}: {:?}", outcome.err()),
                }
            }
        }
    });
}

#[test]
fn what_is_not_served_is_refused() {
    block_on(async {
        let mut setup = Setup::new(|config, _, _| {
            config.listen.auth = vec![Auth::Rpk];
            config.listen.versions = vec![Dtls::Dtls13];
            config.dtls.suites = vec![CipherSuite::TLS_AES_128_CCM_SHA256];
            config.dtls.trust_anchors.clear();
            config.dtls.revocation_lists.clear();
        });
        assert_eq!(setup.status().await.auth, ["rpk"]);
        let rpk = setup.enrol("rpk", Auth::Rpk).await;
        let agreed = setup.connected(&rpk, Versions::ALL).await.agreed().unwrap();
        assert_eq!((agreed.version, agreed.suite), (Version::Dtls13, CipherSuite::TLS_AES_128_CCM_SHA256));
        assert!(setup.connect(&rpk, Versions::ONLY_1_2).await.is_err());
        for auth in [Auth::Psk, Auth::Cert] {
            let credential = setup.enrol(auth.as_str(), auth).await;
            setup.refused(&credential).await;
        }
    });
}

#[test]
fn strangers_have_no_rights_but_those_of_anyone() {
    block_on(async {
        let mut setup = Setup::new(|config, _, _| {
            config.dtls.client_certificates = ClientCertificates::Optional;
            config.insecure.publish = vec!["site/public".into()];
        });
        let mut stranger = setup.enrol("stranger", Auth::Rpk).await;
        let Login::PublicKey { private_key, .. } = &mut stranger.login else { panic!() };
        *private_key = None;
        for versions in BOTH {
            let mut client = setup.connected(&stranger, versions).await;
            client.publish("site/public", ContentFormat::TEXT, b"1").await.unwrap();
            assert!(client.publish("site/private", ContentFormat::TEXT, b"1").await.is_err());
        }
        let strict = Setup::default();
        let Login::PublicKey { server, .. } = &mut stranger.login else { panic!() };
        *server = BrokerKey::Key(*strict.broker.public_key());
        strict.refused(&stranger).await;
    });
}

#[test]
fn secrets_are_written_only_if_asked_for_and_for_nobody_else_to_read() {
    block_on(async {
        let mut setup = Setup::new(|config, folder, _| config.log.dangerous_key_log = folder.join("keys"));
        let credential = setup.enrol("t1", Auth::Psk).await;
        for versions in BOTH {
            drop(setup.connected(&credential, versions).await);
        }
        let path = setup.folder.path().join("keys");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(path).unwrap();
        let labels: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        let of_1_3 = [
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        ];
        assert_eq!(labels, [&["CLIENT_RANDOM"], &of_1_3[..]].concat(), "{text}");
        let fields: Vec<usize> = text.lines().next().unwrap().split(' ').map(str::len).collect();
        assert_eq!(fields[1..], [64, 96], "{text}");
    });
}

#[test]
fn a_broker_that_cannot_be_what_it_is_told_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut ca = Ca::new(&folder.path().join("ca"));
    let key = PrivateKey::generate(&RustCrypto, &mut rng()).unwrap();
    let certificate = ca.issue(&Template::client("n", year()), &key);
    let path = folder.path().join("certificate.pem");
    write_over(&path, sedge_x509::to_pem(&certificate).as_bytes()).unwrap();
    let missing = folder.path().join("missing.pem");
    let start = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        config.listen.coaps = vec!["[::1]:0".parse().unwrap()];
        change(&mut config);
        Broker::start(&DataDir::new(folder.path().join("d")), config).unwrap_err().to_string()
    };
    for (message, hints) in [
        (
            start(&|config| config.dtls.trust_anchors = vec![missing.clone()]),
            ["dtls.trust_anchors", "missing.pem"],
        ),
        (
            start(&|config| config.dtls.trust_anchors = vec![path.clone()]),
            ["dtls.trust_anchors", "not that of a CA"],
        ),
        (start(&|config| config.dtls.private_key = missing.clone()), ["dtls.private_key", "missing.pem"]),
        (start(&|config| config.dtls.private_key = path.clone()), ["dtls.private_key", ""]),
        (start(&|config| config.dtls.certificate = path.clone()), ["dtls.certificate", "another key"]),
        (start(&|config| config.listen.auth.clear()), ["listen.auth", "\"psk\""]),
    ] {
        assert!(hints.iter().all(|hint| message.contains(hint)), "{hints:?}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}
