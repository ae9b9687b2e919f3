//! An authorisation server and brokers that take its tokens: in one process, and in two with a session between them.

#[path = "authority/apart.rs"]
mod apart;
#[path = "authority/challenge.rs"]
mod challenge;
#[allow(dead_code, reason = "other tests use more of it")]
mod device;
#[path = "authority/endings.rs"]
mod endings;
#[path = "authority/observed.rs"]
mod observed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use device::{Device, Reply};
use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_ace::{TokenRequest, TokenResponse};
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice, NewToken, Status, TokenChoice, TokenIssued};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_broker::{Broker, Key};
use sedge_client::Credential;
use sedge_coap::{Code, ContentFormat, OptionNumber};
use sedge_cose::cbor::Decoder;
use sedge_cose::{Confirmation, CoseKey, Material};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// What is promised within a second is, on a machine that has nothing else to do.
const SOON: Duration = Duration::from_secs(8);
const SHORT: Duration = Duration::from_millis(1500);

const PUBLISH: Permissions = Permissions::PUBLISH;
const READ: Permissions = Permissions::READ;

fn scope(entries: &[(&str, Permissions)]) -> Grants {
    let pattern = |text: &str| TopicPattern::new(text).unwrap();
    entries
        .iter()
        .fold(Grants::none(), |grants, (topic, permissions)| grants.with(pattern(topic), *permissions))
}

/// A broker, or an authorisation server alone.
struct Host {
    broker: Option<Broker>,
    dir: DataDir,
    config: Config,
    folder: tempfile::TempDir,
}

/// What a client has of a token.
struct Held {
    token: Vec<u8>,
    key: Vec<u8>,
    id: String,
}

impl Host {
    fn start(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path().join("d"));
        let mut config = Config { shards: 2, ..Config::default() };
        config.listen.coaps = vec!["[::1]:0".parse().unwrap()];
        change(&mut config);
        let mut host = Self { broker: None, dir, config, folder };
        host.go_on();
        host
    }

    fn go_on(&mut self) {
        let broker = Broker::start(&self.dir, self.config.clone()).unwrap();
        // The same port when it is started again.
        self.config.listen.coaps = broker.addresses().to_vec();
        self.broker = Some(broker);
    }

    fn stop(&mut self) {
        self.broker.take().unwrap().stop().unwrap();
    }

    fn broker(&self) -> &Broker {
        self.broker.as_ref().unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.broker().addresses()[0]
    }

    fn ask(&self, request: AdminRequest) -> AdminReply {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.broker().administer(request))
    }

    fn status(&self) -> Status {
        let AdminReply::Status(status) = self.ask(AdminRequest::Status) else { panic!() };
        *status
    }

    fn counter(&self, name: &str) -> u64 {
        let status = self.status();
        let found = status.counters.iter().find(|counter| counter.name == name);
        found.unwrap_or_else(|| panic!("no counter {name}")).value
    }

    fn enrol(&self, new: NewDevice) -> Key {
        let AdminReply::Enrolled(_, Some(key)) = self.ask(AdminRequest::DeviceAdd(new)) else { panic!() };
        key
    }

    fn device(&self, name: &str, grants: Grants) -> Device {
        let key = self.enrol(NewDevice { name: name.into(), grants, ..NewDevice::default() });
        Device::connect(self.address(), name, &key)
    }

    /// The credential file of a resource server that is enrolled here.
    fn resource_server(&self, name: &str) -> PathBuf {
        let new = NewDevice { name: name.into(), resource_server: true, ..NewDevice::default() };
        let key = self.enrol(new).expose().to_vec();
        let path = self.folder.path().join(format!("{name}.toml"));
        Credential::psk(format!("coaps://{}", self.address()), name, name, key).write_new(&path).unwrap();
        path
    }

    fn issue(&self, subject: &str, entries: &[(&str, Permissions)], lifetime: u64) -> Held {
        let scope = Some(scope(entries));
        let new =
            NewToken { subject: subject.into(), scope, lifetime: Some(lifetime), ..NewToken::default() };
        self.issue_new(new)
    }

    fn issue_new(&self, new: NewToken) -> Held {
        let AdminReply::TokenIssued(issued) = self.ask(AdminRequest::TokenIssue(new)) else { panic!() };
        let TokenIssued { info, token, key } = *issued;
        Held { token, key: key.unwrap().expose().to_vec(), id: info.id }
    }

    fn revoke(&self, id: &str) {
        let reply = self.ask(AdminRequest::TokenRevoke(TokenChoice::Id(id.into())));
        assert_eq!(reply, AdminReply::TokensRevoked(1));
    }

    fn connect(&self, held: &Held) -> Option<Device> {
        Device::try_connect_as(self.address(), &held.token, &held.key, PATIENCE)
    }

    fn refuses(&self, held: &Held) -> bool {
        Device::try_connect_as(self.address(), &held.token, &held.key, SHORT).is_none()
    }

    /// How it stands with its authorisation server.
    fn news(&self) -> (Vec<String>, Vec<String>) {
        let Status { warnings, counters, .. } = self.status();
        let of_authority = counters.iter().filter(|counter| counter.name.starts_with("authority."));
        (warnings, of_authority.map(|counter| format!("{}={}", counter.name, counter.value)).collect())
    }

    /// Waits until something is so.
    fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let start = std::time::Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < 3 * PATIENCE, "{what}: {:?}", self.news());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Gets a token with a client's own credential.
fn fetch(device: &mut Device) -> Held {
    let body = TokenRequest::default().encode(&mut [0; 64]).unwrap().to_vec();
    let reply = device.request(Code::POST, "token", |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, ContentFormat::ACE_CBOR.0.into()).payload(&body);
    });
    held(&reply)
}

fn held(reply: &Reply) -> Held {
    assert_eq!(reply.code, Code::CREATED, "{:?}", reply.payload);
    let response = TokenResponse::decode(&reply.payload).unwrap();
    let confirmation = response.cnf.map(|cnf| Confirmation::read(&mut Decoder::new(cnf)).unwrap());
    let Some(Confirmation::Key(CoseKey { material: Material::Symmetric { k: Some(key) }, .. })) =
        confirmation
    else {
        panic!("{confirmation:?}")
    };
    Held { token: response.access_token.to_vec(), key: key.to_vec(), id: String::new() }
}
