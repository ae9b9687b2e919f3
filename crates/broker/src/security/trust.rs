//! Which certificates are believed, and what becomes of those that are revoked.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use sedge_x509::{
    Certificate, CertificateRevocationList, Error, Expected, Revocation, TrustAnchors, Verifier,
};

use super::{Provider, SecurityError};
use crate::Principal;
use crate::config::Dtls;

/// Which certificates are believed.
pub(crate) struct Trust {
    anchors: TrustAnchors,
    revocation: Revocation,
    lists: Vec<PathBuf>,
    verifier: RwLock<Arc<Verifier<Provider>>>,
    /// Until when each list counts.
    ends: Mutex<Vec<(PathBuf, u64)>>,
    /// What the files with the lists looked like when they were read.
    seen: Mutex<Vec<Option<Look>>>,
    /// The chains that devices have shown, one certificate behind the other, to be looked at again when lists change.
    shown: Mutex<HashMap<Principal, Vec<Vec<u8>>>>,
}

/// By what a file is known to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl Trust {
    pub(super) fn open(config: &Dtls) -> Result<Self, SecurityError> {
        let mut anchors = TrustAnchors::default();
        for path in &config.trust_anchors {
            let wrong = |error: &dyn std::fmt::Display| SecurityError::new("dtls.trust_anchors", path, error);
            let file = std::fs::read(path).map_err(|error| wrong(&error))?;
            anchors.add(&file).map_err(|error| wrong(&error))?;
        }
        let revocation = match config.revocation_required {
            true => Revocation::Required,
            false => Revocation::IfListed,
        };
        let seen = config.revocation_lists.iter().map(|path| look(path)).collect();
        let (lists, ends) = read_lists(&config.revocation_lists)?;
        let verifier = Verifier::new(Provider::default(), anchors.clone()).with_crls(lists, revocation);
        let trust = Self {
            anchors,
            revocation,
            lists: config.revocation_lists.clone(),
            verifier: RwLock::new(Arc::new(verifier)),
            ends: Mutex::new(ends),
            seen: Mutex::new(seen),
            shown: Mutex::default(),
        };
        trust.complain();
        Ok(trust)
    }

    /// What there is to say about lists that have ended, or will within a day: with one that has, nobody's certificate is
    /// believed that it could name.
    pub(crate) fn warnings(&self, now: u64) -> Vec<String> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let warning = |(path, end): &(PathBuf, u64)| {
            let path = path.display();
            let (hours, minutes) = (now.abs_diff(*end) / 3_600, now.abs_diff(*end) / 60 % 60);
            match *end < now {
                true => Some(format!(
                    "the list of revoked certificates `{path}` ended {hours} h {minutes} min ago: its CA's devices are \
                     refused until there is a new one, which `sedge ca crl` signs"
                )),
                false if *end - now < DAY => Some(format!(
                    "the list of revoked certificates `{path}` ends in {hours} h {minutes} min: sign a new one in time, as \
                     `sedge ca crl` does"
                )),
                false => None,
            }
        };
        ends.iter().filter_map(warning).collect()
    }

    fn complain(&self) {
        for warning in self.warnings(crate::admin::unix_seconds()) {
            tracing::warn!("{warning}");
        }
    }

    /// Whether nobody's certificate is believed.
    pub(crate) fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Judges the chain of a client, its own certificate first.
    pub(crate) fn judge<'a>(
        &self,
        chain: impl IntoIterator<Item = &'a [u8]>,
        now: u64,
    ) -> Result<Certificate<'a>, Error> {
        self.verifier().verify(chain, &Expected::client(), now)
    }

    /// Notes what a device has shown.
    pub(crate) fn note<'a>(&self, principal: Principal, chain: impl IntoIterator<Item = &'a [u8]>) {
        if !self.lists.is_empty() {
            let chain = chain.into_iter().map(<[u8]>::to_vec).collect();
            let _older = self.shown().insert(principal, chain);
        }
    }

    /// Forgets what a device has shown that was removed.
    pub(crate) fn forget(&self, principal: Principal) {
        let _shown = self.shown().remove(&principal);
    }

    /// Reads the lists again if their files have changed; `true` if they are others now.
    ///
    /// # Errors
    /// A file that cannot be used. The lists read before go on to count, and the file is not tried again until it
    /// changes once more.
    pub(crate) fn refresh(&self) -> Result<bool, SecurityError> {
        let looks: Vec<Option<Look>> = self.lists.iter().map(|path| look(path)).collect();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == looks {
                return Ok(false);
            }
            *seen = looks;
        }
        let (lists, ends) = read_lists(&self.lists)?;
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
        let verifier =
            Verifier::new(Provider::default(), self.anchors.clone()).with_crls(lists, self.revocation);
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
        self.complain();
        Ok(true)
    }

    /// The devices whose certificate has been revoked since they have shown it.
    pub(crate) fn revoked(&self, now: u64) -> Vec<Principal> {
        let verifier = self.verifier();
        let is_revoked = |chain: &Vec<Vec<u8>>| {
            let chain = chain.iter().map(Vec::as_slice);
            verifier.verify(chain, &Expected::client(), now).err() == Some(Error::Revoked)
        };
        let mut shown = self.shown();
        let revoked = shown.iter().filter(|(_, chain)| is_revoked(chain));
        let revoked: Vec<Principal> = revoked.map(|(principal, _)| *principal).collect();
        for principal in &revoked {
            let _shown = shown.remove(principal);
        }
        revoked
    }

    fn verifier(&self) -> Arc<Verifier<Provider>> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, HashMap<Principal, Vec<Vec<u8>>>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long before its end a list is worth a word, in seconds.
const DAY: u64 = 24 * 3_600;

/// Lists, and until when each one counts.
type Lists = (Vec<CertificateRevocationList>, Vec<(PathBuf, u64)>);

fn read_lists(paths: &[PathBuf]) -> Result<Lists, SecurityError> {
    let (mut lists, mut ends) = (Vec::new(), Vec::new());
    for path in paths {
        let wrong = |error: &dyn std::fmt::Display| SecurityError::new("dtls.revocation_lists", path, error);
        let file = std::fs::read(path).map_err(|error| wrong(&error))?;
        let read = CertificateRevocationList::parse(&file).map_err(|error| wrong(&error))?;
        ends.extend(read.iter().filter_map(|list| Some((path.clone(), list.next_update()?))));
        lists.extend(read);
    }
    Ok((lists, ends))
}

fn look(path: &Path) -> Option<Look> {
    let metadata = path.metadata().ok()?;
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    Some(Look { modified: metadata.modified().ok(), bytes: metadata.len(), inode })
}
