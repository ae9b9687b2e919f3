//! Executes what administrators ask, on a broker's state, whether or not the broker is running.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use sedge_crypto::{Crypto as _, KeyError, RustCrypto, Signature};
use sedge_pubsub::TopicId;

use super::{
    AdminReply, AdminRequest, After, DeviceInfo, NewDevice, Page, Reason, Refusal, SessionInfo, Status,
};
use crate::audit::Actor;
use crate::authority::News;
use crate::directory::Taken;
use crate::state::State;
use crate::store::{Change, Device, DeviceCredential, StoreError};
use crate::{Key, Principal};

/// A page of a list ends when its entries take about this much, in bytes, so that it fits a CoAP body.
const PAGE_BYTES: usize = 32 << 10;

/// Executes requests.
pub(crate) struct Service {
    state: Arc<State>,
    live: Option<Arc<dyn Live>>,
    /// Who is changing a device's rights.
    turn: tokio::sync::Mutex<()>,
}

/// What a running broker adds to its state.
#[async_trait]
pub(crate) trait Live: Send + Sync {
    /// Ends every session of a device that was removed.
    fn device_removed(&self, principal: Principal);
    /// Passes on what has changed: has sessions go on with their present rights, and observers hear of lists.
    fn tell(&self, news: News);
    /// Reads the rules again from the configuration file, and has all sessions go on under them; or says why not.
    fn reload(&self, by: &Actor) -> Result<(), String>;
    /// Tells the observers of a topic what has changed there.
    fn topic_changed(&self, topic: TopicId);
    /// Fills in what only a running broker knows.
    async fn describe(&self, status: &mut Status);
    /// Sessions in the order of their ids, from the one after `after`, in the number that fits a page.
    async fn sessions(&self, after: &After) -> Page<SessionInfo>;
}

impl Service {
    pub(crate) fn new(state: Arc<State>, live: Option<Arc<dyn Live>>) -> Self {
        Self { state, live, turn: tokio::sync::Mutex::default() }
    }

    /// Executes one request, on behalf of whoever it is recorded by. Nothing that a request says makes this fail otherwise than by a refusal.
    pub(crate) async fn execute(&self, request: AdminRequest, by: &Actor) -> AdminReply {
        let outcome = match request {
            AdminRequest::DeviceAdd(new) => self.device_add(new, by).await,
            AdminRequest::DeviceList(after) => Ok(AdminReply::Devices(self.device_list(&after))),
            AdminRequest::DeviceShow(name) => match self.state.directory.by_name(&name) {
                Some(device) => Ok(AdminReply::Device(DeviceInfo::of(&device))),
                None => Err(no_device(&name)),
            },
            AdminRequest::DeviceRemove(name) => self.device_remove(&name, by).await,
            AdminRequest::TopicCreate(settings) => self.topic_create(&settings, by).await,
            AdminRequest::TopicList(after) => Ok(AdminReply::Topics(self.topic_list(&after))),
            AdminRequest::TopicShow(name) => self.topic_show(&name),
            AdminRequest::TopicDelete(name) => self.topic_delete(&name, by).await,
            AdminRequest::Status => Ok(AdminReply::Status(Box::new(self.status().await))),
            AdminRequest::DeviceSet(rights) => self.device_set(rights, by).await,
            AdminRequest::AccessExplain(questions, rules) => self.access_explain(&questions, rules),
            AdminRequest::AccessShow => Ok(self.access_show()),
            AdminRequest::AccessReload => self.access_reload(by),
            AdminRequest::TokenIssue(new) => self.token_issue(new, by).await,
            AdminRequest::TokenList(after) => Ok(AdminReply::Tokens(self.token_list(&after))),
            AdminRequest::TokenRevoke(choice) => self.token_revoke(choice, by).await,
            AdminRequest::TokenOpen(token) => Ok(self.token_open(&token)),
            AdminRequest::KeysRotate => self.keys_rotate(by).await,
            AdminRequest::TopicProtect(name, protection) => self.topic_protect(&name, &protection, by).await,
            AdminRequest::AuditFiles => self.audit_files(),
            AdminRequest::AuditTail(count) => self.audit_tail(count),
            AdminRequest::AuditRead(place) => self.audit_read(place),
            AdminRequest::SessionList(after) => match &self.live {
                Some(live) => Ok(AdminReply::Sessions(live.sessions(&after).await)),
                None => {
                    Err(Refusal::new(Reason::NotRunning, "no broker is running, so there are no sessions"))
                }
            },
        };
        outcome.unwrap_or_else(AdminReply::Refused)
    }

    async fn device_add(&self, new: NewDevice, by: &Actor) -> Result<AdminReply, Refusal> {
        check_device_name(&new.name).map_err(|what| Refusal::new(Reason::Invalid, what))?;
        let device = Device {
            credential: credential(&new)?,
            name: new.name,
            grants: new.grants,
            created: unix_seconds(),
            roles: new.roles,
            segment: new.segment,
            resource_server: new.resource_server,
        };
        self.check_rights(&device)?;
        let _turn = self.turn().await;
        // The directory says whether the name is free. A device whose key was made here can connect only once the store
        // has it, because nobody has been told the key before.
        let _ = self.state.directory.insert(device.clone()).map_err(|taken| taken_by(&device, taken))?;
        if let Err(error) = self.state.store.commit(Change::Device(device.clone())).await {
            drop(self.state.directory.remove(&device.name));
            return Err(store_failed(&error));
        }
        self.state.audit.enrolled(by, &device);
        tracing::info!(device = device.name, auth = device.credential.login().auth().as_str(), "enrolled");
        Ok(AdminReply::Enrolled(DeviceInfo::of(&device), device.credential.key().cloned()))
    }

    fn device_list(&self, after: &After) -> Page<DeviceInfo> {
        let mut page = PageBuilder::new();
        self.state.directory.page(&after.0, |device| page.push(&device.name, DeviceInfo::of(device)));
        page.finish()
    }

    async fn device_remove(&self, name: &str, by: &Actor) -> Result<AdminReply, Refusal> {
        let _turn = self.turn().await;
        // First from the store: a device that is still there after a restart was not removed.
        if self.state.directory.by_name(name).is_none() {
            return Err(no_device(name));
        }
        self.state.store.commit(Change::RemoveDevice(name.to_owned())).await.map_err(|e| store_failed(&e))?;
        let (principal, _) = self.state.directory.remove(name).ok_or_else(|| no_device(name))?;
        if let Some(live) = &self.live {
            live.device_removed(principal);
        }
        self.state.audit.revoked(by, name, "the device was removed");
        // All of it is done, even what cannot be kept at once: nobody can remove the device again.
        let revoked = self.revoke_tokens_of(name, by).await;
        let reviewed =
            self.state.with_groups(|groups, lent| groups.review(lent), &|news| self.tell(news)).await;
        revoked?;
        let _centre = reviewed.map_err(|error| store_failed(&error))?;
        tracing::info!(device = name, "removed");
        Ok(AdminReply::Done)
    }

    async fn status(&self) -> Status {
        let mut status = Status {
            devices: self.state.directory.len() as u64,
            topics: self.state.topics().len() as u64,
            store_failure: self.state.store.health().err().map(|error| error.to_string()),
            public_key: self.state.public_key,
            has_no_topics: !self.state.serves_topics,
            ..Status::default()
        };
        if let Some(live) = &self.live {
            status.running = true;
            live.describe(&mut status).await;
        }
        status
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Waits until nobody else changes a device.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(super) fn live(&self) -> Option<&dyn Live> {
        self.live.as_deref()
    }
}

/// Collects entries until a page is full.
pub(crate) struct PageBuilder<T> {
    entries: Vec<T>,
    bytes: usize,
    last: String,
    more: bool,
}

impl<T: minicbor::Encode<()>> PageBuilder<T> {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), bytes: 0, last: String::new(), more: false }
    }

    /// Adds the entry called `name`, and says whether to go on.
    pub(crate) fn push(&mut self, name: &str, entry: T) -> bool {
        if self.bytes >= PAGE_BYTES {
            self.more = true;
            return false;
        }
        self.bytes += minicbor::to_vec(&entry).map_or(0, |bytes| bytes.len());
        name.clone_into(&mut self.last);
        self.entries.push(entry);
        true
    }

    pub(crate) fn finish(self) -> Page<T> {
        Page { entries: self.entries, next: self.more.then_some(After(self.last)) }
    }
}

impl DeviceInfo {
    pub(super) fn of(device: &Device) -> Self {
        Self {
            name: device.name.clone(),
            login: device.credential.login(),
            grants: device.grants.clone(),
            created: device.created,
            roles: device.roles.clone(),
            segment: device.segment.clone(),
            resource_server: device.resource_server,
        }
    }
}

/// How a new device is to prove who it is.
fn credential(new: &NewDevice) -> Result<DeviceCredential, Refusal> {
    let invalid = |what: &str| Err(Refusal::new(Reason::Invalid, what));
    let has_psk = new.identity.is_some() || new.key.is_some();
    match (&new.public_key, &new.certificate_name) {
        (Some(key), None) if !has_psk => match RustCrypto.verify(key, &[0; 32], &Signature::new([1; 64])) {
            // A point that is not on the curve can verify nothing; any other key has not made this signature.
            Err(error @ KeyError::PublicKey) => invalid(&error.to_string()),
            _ => Ok(DeviceCredential::PublicKey(*key)),
        },
        (None, Some(name)) if !has_psk => match name.len() {
            1..=128 => Ok(DeviceCredential::Certificate(name.clone())),
            _ => invalid("the name in a certificate has 1 to 128 bytes"),
        },
        (None, None) => {
            let identity = new.identity.clone().unwrap_or_else(|| new.name.clone().into_bytes());
            if !(1..=128).contains(&identity.len()) {
                return invalid("an identity has 1 to 128 bytes");
            }
            let key = match &new.key {
                Some(key) => key.clone(),
                None => Key::random()
                    .map_err(|error| Refusal::new(Reason::Store, format!("no randomness: {error}")))?,
            };
            Ok(DeviceCredential::Psk { identity, key })
        }
        _ => invalid("a device authenticates in one way: by a pre-shared key, a public key or a certificate"),
    }
}

/// Whether a device may be called so.
///
/// # Errors
/// What is wrong with the name.
pub fn check_device_name(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:@".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(['.', '-']) {
        return Ok(());
    }
    Err(
        "a device's name is 1 to 64 letters, digits or `.`, `_`, `-`, `:`, `@`, and does not begin with `.` or `-`",
    )
}

pub(super) fn no_device(name: &str) -> Refusal {
    Refusal::new(Reason::NotFound, format!("there is no device `{name}`; `sedge device list` shows all"))
}

fn taken_by(device: &Device, taken: Taken) -> Refusal {
    match taken {
        Taken::Name => {
            let message =
                format!("there is a device `{0}` already; `sedge device remove {0}` removes it", device.name);
            Refusal::new(Reason::Exists, message)
        }
        Taken::Login => {
            let what = match device.credential {
                DeviceCredential::Psk { .. } => "another device presents this identity",
                DeviceCredential::PublicKey(_) => "another device has this public key",
                DeviceCredential::Certificate(_) => "another device has a certificate with this name",
            };
            Refusal::new(Reason::Exists, what)
        }
        Taken::Numbers => {
            Refusal::new(Reason::Limit, "too many devices were enrolled since the start: restart")
        }
    }
}

pub(super) fn store_failed(error: &StoreError) -> Refusal {
    Refusal::new(Reason::Store, format!("not kept: {error}"))
}

pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
