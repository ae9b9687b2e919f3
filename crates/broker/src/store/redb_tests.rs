//! The store under ordinary use, under failing disks and after crashes.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redb::backends::InMemoryBackend;
use ::redb::{Database, StorageBackend};
use sedge_access::Grants;
use sedge_pubsub::{
    Configuration, Identity, Publication, Settings, TopicId, TopicName, TopicOptions, Topics, UnixTime,
};
use sedge_time::Instant;
use tokio::sync::oneshot;

use super::redb::Opener;
use super::*;
use crate::Key;

const QUICK: RedbOptions = RedbOptions { commit_interval: Duration::from_millis(5), cache_bytes: 1 << 20 };

fn device(name: &str) -> Device {
    Device {
        name: name.into(),
        credential: DeviceCredential::Psk { identity: name.into(), key: Key::random().unwrap() },
        grants: Grants::none(),
        created: 1,
        roles: Vec::new(),
        segment: None,
        resource_server: false,
    }
}

/// A topic called `name` with `number` as its value.
struct Fixture {
    topics: Topics,
    id: TopicId,
}

impl Fixture {
    /// The topic, in a store that has heard of it.
    async fn new(store: &dyn Store) -> Self {
        let mut topics = Topics::new(Settings::default());
        let identity = Identity::named(TopicName::new("site/1").unwrap());
        let created =
            topics.create(identity, Configuration::default(), TopicOptions::default(), UnixTime(1)).unwrap();
        store.commit(Change::Topic(created.persist)).await.unwrap();
        Self { topics, id: created.topic }
    }

    fn publish(&mut self, number: u64) -> Change {
        let payload = number.to_be_bytes();
        let publication = Publication { payload: &payload, ..Publication::default() };
        let now = Instant::from_micros(number * 1_000_000);
        Change::Topic(self.topics.publish(self.id, publication, now, UnixTime(1)).unwrap().change.persist)
    }

    async fn publish_and_wait(&mut self, store: &dyn Store, number: u64) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        let done: Done = Box::new(move |result| drop(done.send(result)));
        store.submit(self.publish(number), Urgency::Grouped, Some(done));
        outcome.await.unwrap()
    }
}

/// The number that the store holds as the value of its only topic.
async fn number_in(store: &RedbStore) -> Option<u64> {
    let snapshot = store.load().await.unwrap();
    let (_, value) = snapshot.topics.into_iter().next()?;
    Some(u64::from_be_bytes((*value?.payload).try_into().unwrap()))
}

#[tokio::test]
async fn everything_reads_back_after_closing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = RedbStore::open(&path, QUICK).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let enrolled = device("t1");
    store.commit(Change::Device(enrolled.clone())).await.unwrap();
    store.commit(Change::Device(device("t2"))).await.unwrap();
    store.commit(Change::RemoveDevice("t2".into())).await.unwrap();
    store.commit(Change::Secret("cookie".into(), vec![7; 32])).await.unwrap();
    let mut fixture = Fixture::new(&store).await;
    // Not waited for: closing commits it.
    store.submit(fixture.publish(1), Urgency::Grouped, None);
    store.submit(fixture.publish(2), Urgency::Grouped, None);
    drop(store);

    let store = RedbStore::open(&path, QUICK).unwrap();
    let snapshot = store.load().await.unwrap();
    assert_eq!(snapshot.devices, [enrolled]);
    assert_eq!(snapshot.topics[0].0.identity.name.as_str(), "site/1");
    assert_eq!(number_in(&store).await, Some(2));
    assert_eq!(snapshot.secrets.len(), 1);
    assert_eq!(*snapshot.secrets[0].1, [7; 32]);
}

/// The table of devices as version 0.1.0 left it, when there were only pre-shared keys.
#[tokio::test]
async fn a_store_of_the_first_version_reads_and_takes_new_devices() {
    const DEVICES: ::redb::TableDefinition<'_, &str, &[u8]> = ::redb::TableDefinition::new("devices");
    let old = "a500627431014269640250070707070707070707070707070707070382f481826b736974652f2b2f74656d7004041a6b49d200";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(RedbStore::open(&path, QUICK).unwrap());
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let record = crate::key::hex_decode(old).unwrap();
        drop(transaction.open_table(DEVICES).unwrap().insert("t1", record.as_slice()).unwrap());
        transaction.commit().unwrap();
    }
    let store = RedbStore::open(&path, QUICK).unwrap();
    let new = Device { credential: DeviceCredential::Certificate("t2".into()), ..device("t2") };
    store.commit(Change::Device(new.clone())).await.unwrap();
    drop(store);
    let snapshot = RedbStore::open(&path, QUICK).unwrap().load().await.unwrap();
    let [first, second] = &snapshot.devices[..] else { panic!("{snapshot:?}") };
    assert_eq!((first.name.as_str(), first.created), ("t1", 1_800_000_000));
    let key = Key::from_bytes(&[7; 16]).unwrap();
    assert_eq!(first.credential, DeviceCredential::Psk { identity: b"id".to_vec(), key });
    assert_eq!(*second, new);
}

#[tokio::test]
async fn a_value_does_not_outlive_its_topic() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&dir.path().join("store"), QUICK).unwrap();
    let mut fixture = Fixture::new(&store).await;
    fixture.publish_and_wait(&store, 1).await.unwrap();
    store.submit(fixture.publish(2), Urgency::Grouped, None);
    let removed = fixture.topics.remove(fixture.id).unwrap();
    store.submit(Change::Topic(removed.persist), Urgency::Grouped, None);
    // The next topic of that name is created in the same commit.
    let mut fixture = Fixture::new(&store).await;
    assert_eq!(store.load().await.unwrap().topics.len(), 1);
    assert_eq!(number_in(&store).await, None);

    fixture.publish_and_wait(&store, 3).await.unwrap();
    assert_eq!(number_in(&store).await, Some(3));
    let cleared = fixture.topics.clear(fixture.id).unwrap();
    store.submit(Change::Topic(cleared.persist), Urgency::AtOnce, None);
    assert_eq!(number_in(&store).await, None);
}

#[tokio::test]
async fn values_share_a_commit_and_wait_no_longer_than_the_interval() {
    let dir = tempfile::tempdir().unwrap();
    let options = RedbOptions { commit_interval: Duration::from_millis(200), ..QUICK };
    let store = RedbStore::open(&dir.path().join("store"), options).unwrap();
    let mut fixture = Fixture::new(&store).await;
    let outcomes: Vec<_> = (0..100)
        .map(|number| {
            let (done, outcome) = oneshot::channel();
            let done: Done = Box::new(move |result| drop(done.send((result, std::time::Instant::now()))));
            store.submit(fixture.publish(number), Urgency::Grouped, Some(done));
            outcome
        })
        .collect();
    let mut times = Vec::new();
    for outcome in outcomes {
        let (result, at) = outcome.await.unwrap();
        result.unwrap();
        times.push(at);
    }
    let spread = *times.last().unwrap() - times[0];
    assert!(spread < Duration::from_millis(100), "one commit answers all: {spread:?}");
    assert_eq!(number_in(&store).await, Some(99));
}

#[tokio::test]
async fn two_processes_cannot_open_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let _first = RedbStore::open(&path, QUICK).unwrap();
    assert_eq!(RedbStore::open(&path, QUICK).unwrap_err(), StoreError::InUse);
}

/// A copy of the file taken at any moment is what a power cut leaves behind, as far as the file system keeps the
/// order of writes; it must hold at least what was acknowledged before, and nothing that was never published.
#[tokio::test]
async fn a_crash_at_any_moment_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (path, image) = (dir.path().join("store"), dir.path().join("image"));
    let store = RedbStore::open(&path, QUICK).unwrap();
    let mut fixture = Fixture::new(&store).await;
    for number in (1..=80).step_by(2) {
        fixture.publish_and_wait(&store, number).await.unwrap();
        // The next value is on its way while the copy is made.
        store.submit(fixture.publish(number + 1), Urgency::AtOnce, None);
        let _bytes = std::fs::copy(&path, &image).unwrap();
        let found = number_in(&RedbStore::open(&image, QUICK).unwrap()).await.unwrap();
        assert!(found == number || found == number + 1, "acknowledged {number}, found {found}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (path, image) = (dir.path().join("store"), dir.path().join("image"));
    let store = RedbStore::open(&path, QUICK).unwrap();
    Fixture::new(&store).await.publish_and_wait(&store, 1).await.unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    for length in [1, 63, 64, 319, 320, 4096, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&image, &whole[..length]).unwrap();
        // Either it is refused, or the part that was cut held nothing.
        if let Ok(store) = RedbStore::open(&image, QUICK)
            && store.load().await.is_ok()
        {
            assert_eq!(number_in(&store).await, Some(1), "cut at {length}");
        }
    }
    std::fs::write(&image, "this is a text file of some length, and no store at all\n".repeat(100)).unwrap();
    assert!(RedbStore::open(&image, QUICK).is_err());
}

/// A disk that can be switched to full.
#[derive(Clone, Debug, Default)]
struct Disk {
    bytes: Arc<InMemoryBackend>,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn room(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move || Ok(Database::builder().create_with_backend(disk.clone())?))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.bytes.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        self.bytes.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.bytes.write(offset, data)
    }
}

#[tokio::test]
async fn a_full_disk_reaches_the_caller_and_heals() {
    let disk = Disk::default();
    let store = RedbStore::with_opener(disk.opener(), Duration::from_millis(5)).unwrap();
    let mut fixture = Fixture::new(&store).await;
    fixture.publish_and_wait(&store, 1).await.unwrap();

    disk.full.store(true, Ordering::SeqCst);
    assert_eq!(fixture.publish_and_wait(&store, 2).await, Err(StoreError::Full));
    assert_eq!(store.health(), Err(StoreError::Full));
    // The database is reopened for each attempt, which fails as well.
    assert!(store.commit(Change::Device(device("t1"))).await.is_err());

    disk.full.store(false, Ordering::SeqCst);
    store.commit(Change::Device(device("t2"))).await.unwrap();
    assert_eq!(store.health(), Ok(()));
    let snapshot = store.load().await.unwrap();
    // The refused enrolment is gone; the refused value, which the broker's memory has, was kept.
    assert_eq!(snapshot.devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["t2"]);
    assert_eq!(number_in(&store).await, Some(2));
}

/// What is told to its caller and not tried again must not keep the store closed: nothing would come to open it.
#[tokio::test]
async fn a_refused_enrolment_does_not_stop_values() {
    let disk = Disk::default();
    let store = RedbStore::with_opener(disk.opener(), Duration::from_millis(5)).unwrap();
    let mut fixture = Fixture::new(&store).await;
    disk.full.store(true, Ordering::SeqCst);
    assert_eq!(store.commit(Change::Device(device("t1"))).await, Err(StoreError::Full));
    disk.full.store(false, Ordering::SeqCst);
    assert_eq!(store.health(), Ok(()));
    fixture.publish_and_wait(&store, 1).await.unwrap();
    assert_eq!(number_in(&store).await, Some(1));
}
