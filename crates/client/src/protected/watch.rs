//! New keys, as the key distribution centre tells of them
//! ([RFC 9594 section 6.1](https://www.rfc-editor.org/rfc/rfc9594#section-6.1)).
//!
//! A member observes `/ace-group/GROUPNAME`, over the session that it has dialled itself. That is a short cut: a centre
//! that cannot be observed, a notification that is lost and a member that slept do no harm, because members also ask from
//! time to time, and whenever a message names a key that they do not know.

use sedge_coap::ContentFormat;
use sedge_group::Storage;
use sedge_group::keying::Keys;
use zeroize::{Zeroize as _, Zeroizing};

use super::Protected;
use super::centre::{ANSWER, Outcome};
use crate::client::Client;
use crate::core::{Kind, Notification, SubscriptionId};
use crate::error::Error;
use crate::io::{Clock, Datagram, Either, either};
use crate::memory::Memory;
use crate::request::Target;

impl<M, D, C, S, const PUBLISHERS: usize, const GENERATIONS: usize, const NAME: usize>
    Protected<'_, M, D, C, S, PUBLISHERS, GENERATIONS, NAME>
where
    M: Memory,
    D: Datagram,
    C: Clock,
    S: Storage,
{
    /// Has the centre tell of new keys; the one that there is comes at once. Says whether it does.
    pub(super) async fn watch(&mut self, at: usize) -> bool {
        if self.watches(at) {
            return true;
        }
        let Some(group) = self.groups.get_mut(at) else { return false };
        let client = match &mut self.centre {
            Some(centre) => &mut **centre,
            None => &mut *self.client,
        };
        group.tried_to_watch = true;
        group.watch = client.observe(Target::Keys(group.topic())).await.ok();
        group.watch.is_some()
    }

    /// Whether the centre tells of new keys, as far as known. A group may have been with another client before.
    pub(super) fn watches(&self, at: usize) -> bool {
        let client = self.centre.as_deref().unwrap_or(self.client);
        self.groups
            .get(at)
            .is_some_and(|group| group.watch.is_some_and(|watch| client.is_for_keys(watch, group.topic())))
    }

    /// Takes new keys over that have come already; with `listen` also those that wait in the socket.
    pub(super) async fn hear_of_keys(&mut self, listen: bool) -> Outcome<(), D> {
        let watched = (0..self.groups.len()).any(|at| self.watches(at));
        if listen && watched {
            self.keeper().catch_up().await;
        }
        let mut told = Zeroizing::new([0; ANSWER]);
        for at in 0..self.groups.len() {
            let Some(watch) = self.groups.get(at).and_then(|group| group.watch) else { continue };
            if !self.watches(at) {
                self.group_mut(at)?.watch = None;
                continue;
            }
            match self.keeper().take_newest(watch, &mut *told) {
                None => {}
                Some((Kind::Value, len)) => self.told(at, told.get(..len).unwrap_or_default())?,
                // A key fits one block; another centre may say more, which is to be asked for.
                Some((Kind::FirstBlock(_), _)) => self.group_mut(at)?.checked = None,
                Some((Kind::End(_), _)) => {
                    self.keeper().forget(watch);
                    self.unwatched(at)?;
                }
            }
        }
        Ok(())
    }

    /// Waits for what comes next, into the scratch, and takes new keys over meanwhile.
    pub(super) async fn arrival(&mut self) -> Outcome<(SubscriptionId, Option<ContentFormat>, usize), D> {
        loop {
            self.hear_of_keys(false).await?;
            let arrived = match &mut self.centre {
                None => self.client.next(self.scratch).await,
                Some(centre) => match either(self.client.next(self.scratch), centre.work()).await {
                    Either::First(arrived) => arrived,
                    Either::Second(()) => continue,
                },
            };
            let arrived = arrived.map(|Notification { subscription, content_format, payload }| {
                (subscription, content_format, payload.len())
            });
            let about = match &arrived {
                Ok((subscription, ..)) | Err(Error::Ended { subscription, .. }) => {
                    self.is_watch(*subscription)
                }
                Err(_) => None,
            };
            let Some(at) = about else { return Ok(arrived?) };
            let Ok((_, _, len)) = arrived else {
                self.unwatched(at)?;
                continue;
            };
            let mut told = Zeroizing::new([0; ANSWER]);
            let came = self.scratch.get_mut(..len).unwrap_or_default();
            if let Some(place) = told.get_mut(..len) {
                place.copy_from_slice(came);
            }
            came.zeroize();
            self.told(at, told.get(..len).unwrap_or_default())?;
        }
    }

    /// The group whose keys this subscription tells of, if it is with the client of the values.
    fn is_watch(&self, subscription: SubscriptionId) -> Option<usize> {
        let watches = self.centre.is_none();
        self.groups.iter().position(|group| watches && group.watch == Some(subscription))
    }

    /// The centre has told of a key. What makes no sense is passed over: the key is asked for when it is missed.
    fn told(&mut self, at: usize, payload: &[u8]) -> Outcome<(), D> {
        match Keys::decode(payload) {
            Ok(keys) => self.renew(at, keys),
            Err(_) => Ok(()),
        }
    }

    /// The centre tells of no more keys: the client is no member any more, or the group is gone. Whether it may join
    /// anew shows when it tries to.
    fn unwatched(&mut self, at: usize) -> Outcome<(), D> {
        let group = self.group_mut(at)?;
        (group.watch, group.roles, group.tried_to_watch) = (None, None, false);
        Ok(())
    }

    /// The client of the centre.
    pub(super) fn keeper(&mut self) -> &mut Client<M, D, C> {
        match &mut self.centre {
            Some(centre) => centre,
            None => self.client,
        }
    }
}
