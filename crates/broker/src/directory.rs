//! Who may connect, in memory: looked up by PSK identity in a handshake, by number on every request, by name by
//! administrators. Shared by all shards.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::store::Device;

/// The number, from 1, under which sessions know who their peer is. Never given twice while the process lives, so that a
/// session of a removed device cannot become a session of the next.
pub(crate) type Principal = u32;

/// Every enrolled device.
#[derive(Debug, Default)]
pub(crate) struct Directory(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// By number less one; numbers are given in sequence, and a removed device leaves its place empty.
    devices: Vec<Option<Arc<Device>>>,
    by_identity: HashMap<Box<[u8]>, Principal>,
    by_name: BTreeMap<Box<str>, Principal>,
}

/// What a new device collides with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Another device has the name.
    Name,
    /// Another device presents the identity.
    Identity,
    /// Four thousand million devices have been enrolled since the start.
    Numbers,
}

impl Directory {
    /// Adds a device.
    ///
    /// # Errors
    /// Its name or identity belongs to another one.
    pub(crate) fn insert(&self, device: Device) -> Result<Principal, Taken> {
        let mut entries = self.write();
        if entries.by_name.contains_key(device.name.as_str()) {
            return Err(Taken::Name);
        }
        if entries.by_identity.contains_key(device.identity.as_slice()) {
            return Err(Taken::Identity);
        }
        let principal = Principal::try_from(entries.devices.len() + 1).map_err(|_| Taken::Numbers)?;
        let _ = entries.by_name.insert(device.name.as_str().into(), principal);
        let _ = entries.by_identity.insert(device.identity.as_slice().into(), principal);
        entries.devices.push(Some(Arc::new(device)));
        Ok(principal)
    }

    /// Takes a device out, so that no session of it can begin or go on.
    pub(crate) fn remove(&self, name: &str) -> Option<(Principal, Arc<Device>)> {
        let mut entries = self.write();
        let principal = entries.by_name.remove(name)?;
        let device = entries.devices.get_mut(place(principal)).and_then(Option::take)?;
        let _ = entries.by_identity.remove(device.identity.as_slice());
        Some((principal, device))
    }

    /// The device that presents `identity`.
    pub(crate) fn by_identity(&self, identity: &[u8]) -> Option<(Principal, Arc<Device>)> {
        let entries = self.read();
        let principal = *entries.by_identity.get(identity)?;
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
        self.devices.get(place(principal))?.as_ref()
    }
}

/// Where the device of this number stands; nowhere for zero.
fn place(principal: Principal) -> usize {
    (principal as usize).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use sedge_access::Grants;

    use super::*;
    use crate::Key;

    fn device(name: &str, identity: &str) -> Device {
        Device {
            name: name.into(),
            identity: identity.into(),
            key: Key::random().unwrap(),
            grants: Grants::none(),
            created: 0,
        }
    }

    #[test]
    fn names_and_identities_are_unique_and_numbers_are_not_reused() {
        let directory = Directory::default();
        let first = directory.insert(device("a", "x")).unwrap();
        assert_eq!(directory.insert(device("a", "y")), Err(Taken::Name));
        assert_eq!(directory.insert(device("b", "x")), Err(Taken::Identity));
        assert_eq!(directory.by_identity(b"x").unwrap().1.name, "a");
        assert!(directory.remove("a").is_some() && directory.remove("a").is_none());
        assert!(directory.by_principal(first).is_none() && directory.by_identity(b"x").is_none());
        assert_ne!(directory.insert(device("a", "x")).unwrap(), first);
    }

    #[test]
    fn pages_follow_the_names() {
        let directory = Directory::default();
        for name in ["c", "a", "d", "b"] {
            let _ = directory.insert(device(name, name)).unwrap();
        }
        let mut seen = Vec::new();
        directory.page("a", |device| {
            seen.push(device.name.clone());
            seen.len() < 2
        });
        assert_eq!(seen, ["b", "c"]);
    }
}
