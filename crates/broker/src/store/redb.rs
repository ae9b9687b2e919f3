//! The embedded store: one redb file, and one thread that alone touches it.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::Encode;
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sedge_authority::Change as Record;
use sedge_pubsub::{Stored, TopicRecord, Value};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::dir::private;
use super::pending::{Batch, Pending, Work};
use super::{Change, Done, Snapshot, Store, StoreError, Urgency};
use crate::config;

/// Every table maps a name or id to a record.
type Table = TableDefinition<'static, &'static str, &'static [u8]>;
const META: Table = TableDefinition::new("meta");
const DEVICES: Table = TableDefinition::new("devices");
const TOPICS: Table = TableDefinition::new("topics");
const VALUES: Table = TableDefinition::new("values");
const SECRETS: Table = TableDefinition::new("secrets");
const RECORDS: Table = TableDefinition::new("authority");

/// The layout of the tables. A store of a later one is refused.
const LAYOUT: &[u8] = &[1];
/// How long the disk is left alone after a commit failed.
const RETRY: Duration = Duration::from_secs(1);

/// A [`Store`] in one file.
///
/// Dropping it commits what is pending and closes the file.
#[derive(Debug)]
pub struct RedbStore {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How the file is used.
#[derive(Clone, Copy, Debug)]
pub struct RedbOptions {
    /// Values that arrive within this time share one commit.
    pub commit_interval: Duration,
    /// Memory for cached pages, in bytes.
    pub cache_bytes: usize,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self::from(&config::Store::default())
    }
}

impl From<&config::Store> for RedbOptions {
    fn from(config: &config::Store) -> Self {
        Self { commit_interval: config.commit_interval, cache_bytes: config.cache_bytes }
    }
}

#[derive(Default)]
struct Shared {
    pending: Pending,
    failure: Mutex<Option<StoreError>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("failure", &self.failure).finish_non_exhaustive()
    }
}

/// Opens the database; called again after a failure, because redb gives up a database whose file failed.
pub(super) type Opener = Box<dyn FnMut() -> Result<Database, StoreError> + Send>;

impl RedbStore {
    /// Opens the file at `path`, or creates it with mode 0600.
    ///
    /// # Errors
    /// The file cannot be opened, is in use, or is no store.
    pub fn open(path: &Path, options: RedbOptions) -> Result<Self, StoreError> {
        let path = path.to_owned();
        if !path.exists() {
            drop(private(OpenOptions::new().create(true).truncate(false)).open(&path)?);
            // So that a power cut cannot take the file away again.
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        }
        let opener = move || {
            let file = private(OpenOptions::new().create(true).truncate(false)).open(&path)?;
            let backend = FileBackend::new(file)?;
            Ok(Database::builder().set_cache_size(options.cache_bytes).create_with_backend(backend)?)
        };
        Self::with_opener(Box::new(opener), options.commit_interval)
    }

    pub(super) fn with_opener(mut opener: Opener, interval: Duration) -> Result<Self, StoreError> {
        let database = opener()?;
        prepare(&database)?;
        let shared = Arc::new(Shared::default());
        let writer =
            Writer { shared: shared.clone(), database: Some(database), opener, interval, announced: false };
        let thread = std::thread::Builder::new().name("sedge-store".into()).spawn(move || writer.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.shared.pending.close();
        // The last owner may be a change that the thread itself has just done.
        if let Some(thread) =
            self.thread.take().filter(|own| own.thread().id() != std::thread::current().id())
        {
            // The thread ends by itself; if it panicked there is nothing left to save.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn load(&self) -> Result<Snapshot, StoreError> {
        let (answer, snapshot) = oneshot::channel();
        self.shared.pending.load(answer);
        snapshot.await.unwrap_or(Err(StoreError::Closed))
    }

    fn submit(&self, change: Change, urgency: Urgency, done: Option<Done>) {
        self.shared.pending.submit(change, urgency, done);
    }

    fn health(&self) -> Result<(), StoreError> {
        let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone().map_or(Ok(()), Err)
    }
}

/// The thread that alone touches the file.
struct Writer {
    shared: Arc<Shared>,
    database: Option<Database>,
    opener: Opener,
    interval: Duration,
    /// Whether the present failure has been logged.
    announced: bool,
}

impl Writer {
    fn run(mut self) {
        // After a failure values wait longer, so that a full disk is not written to twenty times a second.
        while let Work::Commit(mut batch) =
            self.shared.pending.next(if self.announced { RETRY } else { self.interval })
        {
            let outcome = self.commit(&batch);
            self.report(&outcome, !batch.topics.is_empty());
            for done in batch.waiting.drain(..).chain(batch.others.drain(..).filter_map(|(_, done)| done)) {
                done(outcome.clone());
            }
            if outcome.is_err() {
                self.shared.pending.put_back(std::mem::take(&mut batch.topics));
            }
            for answer in batch.loads {
                // Whoever asked may have stopped waiting.
                let _ = answer.send(self.load());
            }
        }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let changes = batch.others.iter().any(|(change, _)| !matches!(change, Change::Nothing));
        if !changes && batch.topics.is_empty() {
            return Ok(());
        }
        let outcome = self.database().and_then(|database| write(database, batch));
        if outcome.is_err() {
            self.database = None;
        }
        outcome
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.database().and_then(read)
    }

    fn database(&mut self) -> Result<&Database, StoreError> {
        if self.database.is_none() {
            self.database = Some((self.opener)()?);
        }
        self.database.as_ref().ok_or(StoreError::Closed)
    }

    /// Logs the first failure and the recovery, not every attempt between. Only a failure of what is `tried_again` lasts: one of
    /// anything else is told to whoever wants it, and nothing would come to end it.
    fn report(&mut self, outcome: &Result<(), StoreError>, tried_again: bool) {
        match outcome {
            Err(error) if !self.announced => tracing::error!(%error, "values are not being stored"),
            Ok(()) if self.announced => tracing::info!("values are being stored again"),
            _ => {}
        }
        self.announced = outcome.is_err() && tried_again;
        *self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner) =
            outcome.clone().err().filter(|_| tried_again);
    }
}

/// Creates the tables, or refuses a layout this version does not know.
fn prepare(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let layout = meta.get("layout")?.map(|found| found.value().to_vec());
        match layout.as_deref() {
            Some(LAYOUT) => return Ok(()),
            Some(_) => return Err(StoreError::Unreadable("it was written by a later version".into())),
            None => drop(meta.insert("layout", LAYOUT)?),
        }
        for table in [DEVICES, TOPICS, VALUES, SECRETS] {
            drop(transaction.open_table(table)?);
        }
    }
    Ok(transaction.commit()?)
}

fn write(database: &Database, batch: &Batch) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    {
        let mut devices = transaction.open_table(DEVICES)?;
        let mut secrets = transaction.open_table(SECRETS)?;
        let mut meta = transaction.open_table(META)?;
        let mut records = transaction.open_table(RECORDS)?;
        for (change, _) in &batch.others {
            match change {
                Change::Device(device) => {
                    drop(devices.insert(device.name.as_str(), encode(device)?.as_slice())?);
                }
                Change::RemoveDevice(name) => drop(devices.remove(name.as_str())?),
                Change::Policy(rules) => drop(meta.insert("policy", rules.as_slice())?),
                Change::Secret(name, secret) => drop(secrets.insert(name.as_str(), secret.as_slice())?),
                Change::Records(changes) => {
                    for change in changes {
                        match change {
                            Record::Put(key, record) => {
                                drop(records.insert(key.as_str(), record.as_slice())?)
                            }
                            Record::Remove(key) => drop(records.remove(key.as_str())?),
                        }
                    }
                }
                // The queue keeps topics apart from the rest.
                Change::Topic(_) | Change::Nothing => {}
            }
        }
        let mut topics = transaction.open_table(TOPICS)?;
        let mut values = transaction.open_table(VALUES)?;
        for (name, fate) in &batch.topics {
            match &fate.record {
                Stored::Keep => {}
                Stored::Put(record) => drop(topics.insert(name.as_str(), record.to_bytes().as_slice())?),
                Stored::Remove => drop(topics.remove(name.as_str())?),
            }
            match &fate.value {
                Stored::Keep => {}
                Stored::Put(value) => drop(values.insert(name.as_str(), value.to_bytes().as_slice())?),
                Stored::Remove => drop(values.remove(name.as_str())?),
            }
        }
    }
    Ok(transaction.commit()?)
}

fn read(database: &Database) -> Result<Snapshot, StoreError> {
    let transaction = database.begin_read()?;
    let mut snapshot = Snapshot::default();
    let policy = transaction.open_table(META)?.get("policy")?.map(|rules| rules.value().to_vec());
    snapshot.policy = policy;
    for row in transaction.open_table(DEVICES)?.iter()? {
        snapshot.devices.push(minicbor::decode(row?.1.value())?);
    }
    let values = transaction.open_table(VALUES)?;
    for row in transaction.open_table(TOPICS)?.iter()? {
        let (name, record) = row?;
        let value = values.get(name.value())?.map(|value| Value::from_bytes(value.value())).transpose()?;
        snapshot.topics.push((TopicRecord::from_bytes(record.value())?, value));
    }
    for row in transaction.open_table(SECRETS)?.iter()? {
        let (name, secret) = row?;
        snapshot.secrets.push((name.value().to_owned(), Zeroizing::new(secret.value().to_vec())));
    }
    // A store that an earlier version made has none of these.
    match transaction.open_table(RECORDS) {
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        table => {
            for row in table?.iter()? {
                let (key, record) = row?;
                snapshot.records.push((key.value().to_owned(), Zeroizing::new(record.value().to_vec())));
            }
        }
    }
    Ok(snapshot)
}

fn encode<T: Encode<()>>(record: &T) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    // Into memory this cannot fail, unless a record's own encoder refuses.
    minicbor::to_vec(record).map(Zeroizing::new).map_err(|error| StoreError::Io(error.to_string().into()))
}

impl From<minicbor::decode::Error> for StoreError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Unreadable(error.to_string().into())
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Corrupted(what) => Self::Unreadable(what.into()),
            redb::Error::UpgradeRequired(_) => Self::Unreadable("it is of an older format".into()),
            other => Self::Io(other.to_string().into()),
        }
    }
}

/// redb has an error type per operation; all of them are told apart by the one above.
macro_rules! through_redb_error {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
through_redb_error!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);
