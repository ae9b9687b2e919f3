//! Who may connect, in memory: looked up in a handshake by what the device shows there, by number on every request, by
//! name by administrators. Shared by all shards.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sedge_access::Subject;

use crate::login::Login;
use crate::store::Device;

/// The number, from 1, under which sessions know who their peer is. Never given twice while the process lives, so that a
/// session of a removed device cannot become a session of the next.
pub(crate) type Principal = u32;

/// Every enrolled device.
#[derive(Debug, Default)]
pub(crate) struct Directory(RwLock<Entries>);

#[derive(Clone, Debug)]
struct Entry {
    device: Arc<Device>,
    /// The same as the rules see it.
    subject: Arc<Subject>,
}

#[derive(Debug, Default)]
struct Entries {
    /// By number less one; numbers are given in sequence, and a removed device leaves its place empty.
    devices: Vec<Option<Entry>>,
    by_login: HashMap<Login, Principal>,
    by_name: BTreeMap<Box<str>, Principal>,
}

/// What a new device collides with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Another device has the name.
    Name,
    /// Another device shows the same in its handshakes.
    Login,
    /// Four thousand million devices have been enrolled since the start.
    Numbers,
}

impl Directory {
    /// Adds a device.
    ///
    /// # Errors
    /// Its name, or what it shows in handshakes, belongs to another one.
    pub(crate) fn insert(&self, device: Device) -> Result<Principal, Taken> {
        let mut entries = self.write();
        if entries.by_name.contains_key(device.name.as_str()) {
            return Err(Taken::Name);
        }
        let login = device.credential.login();
        if entries.by_login.contains_key(&login) {
            return Err(Taken::Login);
        }
        let principal = Principal::try_from(entries.devices.len() + 1).map_err(|_| Taken::Numbers)?;
        let _ = entries.by_name.insert(device.name.as_str().into(), principal);
        let _ = entries.by_login.insert(login, principal);
        entries.devices.push(Some(Entry::new(device)));
        Ok(principal)
    }

    /// Puts a device in the place of the one of the same name, which shows the same in handshakes.
    pub(crate) fn replace(&self, device: Device) -> Option<Principal> {
        let mut entries = self.write();
        let principal = *entries.by_name.get(device.name.as_str())?;
        let entry = entries.devices.get_mut(place(principal))?.as_mut()?;
        if entry.device.credential.login() != device.credential.login() {
            return None;
        }
        *entry = Entry::new(device);
        Some(principal)
    }

    /// Takes a device out, so that no session of it can begin or go on.
    pub(crate) fn remove(&self, name: &str) -> Option<(Principal, Arc<Device>)> {
        let mut entries = self.write();
        let principal = entries.by_name.remove(name)?;
        let device = entries.devices.get_mut(place(principal)).and_then(Option::take)?.device;
        let _ = entries.by_login.remove(&device.credential.login());
        Some((principal, device))
    }

    /// The device that shows this.
    pub(crate) fn by_login(&self, login: &Login) -> Option<(Principal, Arc<Device>)> {
        let entries = self.read();
        let principal = *entries.by_login.get(login)?;
        Some((principal, entries.get(principal)?.clone()))
    }

    /// The device that administrators call `name`.
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Device>> {
        let entries = self.read();
        entries.get(*entries.by_name.get(name)?).cloned()
    }

    /// The device behind a session, unless it was removed.
    pub(crate) fn by_principal(&self, principal: Principal) -> Option<Arc<Device>> {
        self.read().get(principal).cloned()
    }

    /// The same as the rules see it.
    pub(crate) fn subject(&self, principal: Principal) -> Option<Arc<Subject>> {
        Some(self.read().entry(principal)?.subject.clone())
    }

    /// Devices in the order of their names, from the one after `after`, as long as `take` wants more.
    pub(crate) fn page(&self, after: &str, mut take: impl FnMut(&Device) -> bool) {
        let entries = self.read();
        let range = (Bound::Excluded(after), Bound::Unbounded);
        for principal in entries.by_name.range::<str, _>(range).map(|(_, principal)| *principal) {
            if let Some(device) = entries.get(principal)
                && !take(device)
            {
                return;
            }
        }
    }

    /// How many devices there are.
    pub(crate) fn len(&self) -> usize {
        self.read().by_name.len()
    }

    // Every change is complete before the next can fail, so a panic elsewhere leaves the maps in step.
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn get(&self, principal: Principal) -> Option<&Arc<Device>> {
        Some(&self.entry(principal)?.device)
    }

    fn entry(&self, principal: Principal) -> Option<&Entry> {
        self.devices.get(place(principal))?.as_ref()
    }
}

impl Entry {
    fn new(device: Device) -> Self {
        Self { subject: Arc::new(device.subject()), device: Arc::new(device) }
    }
}

/// Where the device of this number stands; nowhere for zero.
fn place(principal: Principal) -> usize {
    (principal as usize).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use sedge_access::Grants;
    use sedge_crypto::PublicKey;

    use super::*;
    use crate::Key;
    use crate::store::DeviceCredential;

    fn device(name: &str, credential: DeviceCredential) -> Device {
        let grants = Grants::none();
        Device {
            name: name.into(),
            credential,
            grants,
            created: 0,
            roles: Vec::new(),
            segment: None,
            resource_server: false,
        }
    }

    fn psk(identity: &str) -> DeviceCredential {
        DeviceCredential::Psk { identity: identity.into(), key: Key::random().unwrap() }
    }

    #[test]
    fn names_and_logins_are_unique_and_numbers_are_not_reused() {
        let key = DeviceCredential::PublicKey(PublicKey::new([4; 65]).unwrap());
        for credential in [psk("x"), key, DeviceCredential::Certificate("x".into())] {
            let directory = Directory::default();
            // The same text in another place is something else.
            let _ = directory.insert(device("y", psk("y"))).unwrap();
            let _ = directory.insert(device("z", DeviceCredential::Certificate("y".into()))).unwrap();

            let login = credential.login();
            let first = directory.insert(device("a", credential.clone())).unwrap();
            assert_eq!(directory.insert(device("a", psk("z"))), Err(Taken::Name));
            assert_eq!(directory.insert(device("b", credential.clone())), Err(Taken::Login));
            assert_eq!(directory.by_login(&login).unwrap().1.name, "a");
            assert!(directory.remove("a").is_some() && directory.remove("a").is_none());
            assert!(directory.by_principal(first).is_none() && directory.by_login(&login).is_none());
            assert_ne!(directory.insert(device("a", credential)).unwrap(), first);
        }
    }

    #[test]
    fn pages_follow_the_names() {
        let directory = Directory::default();
        for name in ["c", "a", "d", "b"] {
            let _ = directory.insert(device(name, psk(name))).unwrap();
        }
        let mut seen = Vec::new();
        directory.page("a", |device| {
            seen.push(device.name.clone());
            seen.len() < 2
        });
        assert_eq!(seen, ["b", "c"]);
    }
}
