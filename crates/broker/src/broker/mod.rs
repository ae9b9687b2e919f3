//! A broker in this process: started, asked, stopped.

mod control;
mod error;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use sedge_access::{Grants, Permissions, Subject, TopicPattern};
use sedge_crypto::PublicKey;

use crate::admin::{self, AdminReply, AdminRequest, Reason, Refusal, Service};
use crate::audit::{Actor, Audit};
use crate::config::{Config, MAX_SHARDS};
use crate::first_start::{FirstStart, first_start};
use crate::groups;
use crate::live::Running;
use crate::net::{self, Listener};
use crate::remote::{Remote, follow};
use crate::security::Security;
use crate::shard::{Mailbox, Order, Shard, Shared};
use crate::state::State;
use crate::store::{DataDir, Lock, RedbOptions, RedbStore, Store, StoreError};
use control::{Control, do_chores, keep_tokens, review_groups, rotate_tickets, wait, watch_revocation};

pub use error::StartError;

/// A broker that runs on threads of its own until it is stopped or dropped.
///
/// ```no_run
/// use sedge_broker::{Broker, config::Config, store::DataDir};
///
/// let mut config = Config::default();
/// config.listen.coaps = vec!["[::1]:0".parse()?];
/// let broker = Broker::start(&DataDir::new("/var/lib/sedge"), config)?;
/// println!("serving {:?}", broker.addresses());
/// broker.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Broker {
    shared: Arc<Shared>,
    service: Arc<Service>,
    secure: Vec<SocketAddr>,
    insecure: Vec<SocketAddr>,
    first_start: Option<FirstStart>,
    shards: Vec<JoinHandle<()>>,
    control: Option<Control>,
    /// Dropped last: when somebody else gets the lock, nothing of this broker is left.
    _lock: Lock,
}

impl Broker {
    /// Starts a broker on `dir` and returns when it serves. Port 0 stands for any free port.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub fn start(dir: &DataDir, config: Config) -> Result<Self, StartError> {
        config.check().map_err(StartError::Config)?;
        let lock = take(dir)?;
        let open = RedbStore::open(&dir.store(), RedbOptions::from(&config.store));
        let store = open.map_err(|error| StartError::Store(dir.store(), error))?;
        Self::launch(dir, lock, config, Arc::new(store))
    }

    /// The same with a store of the caller's, for what the folder's own would keep.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub fn start_with_store(
        dir: &DataDir,
        config: Config,
        store: Arc<dyn Store>,
    ) -> Result<Self, StartError> {
        config.check().map_err(StartError::Config)?;
        Self::launch(dir, take(dir)?, config, store)
    }

    fn launch(dir: &DataDir, lock: Lock, config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let insecure = Arc::new(Subject::anyone(&insecure_grants(&config)?));
        let shards = match config.shards {
            0 => thread::available_parallelism().map_or(1, usize::from).min(MAX_SHARDS),
            count => count,
        };
        let security =
            Security::open(dir, &config).map_err(|error| StartError::Security(error.to_string()))?;
        // Before anything is opened, so that what is missing is said in one line.
        let _opened = groups::open(&config.groups).map_err(StartError::Security)?;
        let remote = Remote::open(&config.authority).map_err(StartError::Security)?.map(Arc::new);
        let sockets = Sockets::open(&config, shards)?;
        let public_key = Some(security.identity.public_key);
        let audit = Audit::open(dir, &config.audit).map_err(|error| StartError::Dir(dir.audit(), error))?;
        let state = wait(State::load(store, &config, public_key, audit, remote))
            .map_err(|error| StartError::Store(dir.store(), error))?;
        wait(state.configure_authority(&config)).map_err(|error| StartError::Store(dir.store(), error))?;
        let state = Arc::new(state);
        let first_start = wait(first_start(dir, &state, sockets.secure.first().copied()))
            .map_err(|error| StartError::in_first_start(dir, error))?;
        let admin_socket =
            admin::listen(&dir.admin_socket()).map_err(|error| StartError::Dir(dir.admin_socket(), error))?;
        let (control, handle) = Control::start(state.clone()).map_err(StartError::Thread)?;

        let shared = Arc::new(Shared {
            state: state.clone(),
            security,
            mailboxes: (0..shards).map(|_| Mailbox::new(config.limits.handover)).collect(),
            observers: (0..shards).map(|_| AtomicUsize::new(0)).collect(),
            clock: state.clock,
            insecure,
            control: handle,
            config,
        });
        shared.set_rules(&shared.config).map_err(|error| StartError::Security(error.to_string()))?;
        let running = Running { shared: shared.clone(), listening: sockets.uris() };
        let service = Arc::new(Service::new(state, Some(Arc::new(running))));
        let mut broker = Self {
            shared,
            service,
            secure: sockets.secure,
            insecure: sockets.insecure,
            first_start,
            shards: Vec::new(),
            control: Some(control),
            _lock: lock,
        };
        for (number, listeners) in sockets.by_shard.into_iter().enumerate() {
            broker.start_shard(number, listeners).map_err(StartError::Thread)?;
        }
        drop(broker.shared.control.spawn(admin::serve(admin_socket, broker.service.clone())));
        drop(broker.shared.control.spawn(do_chores(Arc::downgrade(&broker.shared))));
        drop(broker.shared.control.spawn(rotate_tickets(Arc::downgrade(&broker.shared))));
        drop(broker.shared.control.spawn(keep_tokens(Arc::downgrade(&broker.shared))));
        drop(broker.shared.control.spawn(review_groups(Arc::downgrade(&broker.shared))));
        drop(broker.shared.control.spawn(follow(Arc::downgrade(&broker.shared))));
        drop(broker.shared.control.spawn(watch_revocation(Arc::downgrade(&broker.shared))));
        broker.shared.state.audit.administered(&Actor::process(), "the broker starts", "");
        tracing::info!(shards, listening = ?broker.secure, insecure = ?broker.insecure, "serving");
        Ok(broker)
    }

    /// Where CoAP over DTLS is served, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.secure
    }

    /// Where CoAP without security is served, in the order of the configuration.
    pub fn insecure_addresses(&self) -> &[SocketAddr] {
        &self.insecure
    }

    /// The broker's own key, by which devices without certificates know it.
    pub fn public_key(&self) -> &PublicKey {
        &self.shared.security.identity.public_key
    }

    /// What to tell the operator, if this start was the folder's first.
    pub const fn first_start(&self) -> Option<&FirstStart> {
        self.first_start.as_ref()
    }

    /// Executes an administrator's request. Any executor will do.
    pub async fn administer(&self, request: AdminRequest) -> AdminReply {
        let service = self.service.clone();
        // There, because it may need a timer.
        let execution =
            self.shared.control.spawn(async move { service.execute(request, &Actor::process()).await });
        execution.await.unwrap_or_else(|_| {
            AdminReply::Refused(Refusal::new(Reason::NotRunning, "the broker is ending: start it again"))
        })
    }

    /// Reads roles, segments and bridges again from the configuration file; observations that they no longer permit end.
    ///
    /// # Errors
    /// What is wrong with the file, as one line; then the rules of before go on to hold.
    pub fn reload(&self) -> Result<(), String> {
        self.shared.reload(&Actor::process())
    }

    /// Ends all sessions, commits what is pending, and returns when nothing runs any more.
    ///
    /// # Errors
    /// The last commit failed.
    pub fn stop(mut self) -> Result<(), StoreError> {
        self.shut_down()
    }

    fn start_shard(&mut self, number: usize, listeners: Vec<Listener>) -> io::Result<()> {
        let (shared, service) = (self.shared.clone(), self.service.clone());
        let (started, outcome) = mpsc::channel();
        let thread = thread::Builder::new().name(format!("sedge-shard-{number}")).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            runtime.block_on(async move {
                match Shard::new(number, listeners, shared, service) {
                    Ok(shard) => {
                        drop(started.send(Ok(())));
                        shard.run().await;
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
        })?;
        self.shards.push(thread);
        outcome.recv().unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))
    }

    fn shut_down(&mut self) -> Result<(), StoreError> {
        for mailbox in &self.shared.mailboxes {
            mailbox.order(Order::Stop);
        }
        for shard in self.shards.drain(..) {
            if shard.join().is_err() {
                tracing::error!("a shard had ended in a panic");
            }
        }
        match self.control.take() {
            Some(control) => control.stop(),
            None => return Ok(()),
        }
        let audit = &self.shared.state.audit;
        audit.administered(&Actor::process(), "the broker ends", "");
        audit.flush();
        wait(self.shared.state.store.flush())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _outcome = self.shut_down();
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("addresses", &self.secure).finish_non_exhaustive()
    }
}

/// The sockets of all shards.
struct Sockets {
    by_shard: Vec<Vec<Listener>>,
    secure: Vec<SocketAddr>,
    insecure: Vec<SocketAddr>,
}

impl Sockets {
    fn open(config: &Config, shards: usize) -> Result<Self, StartError> {
        let mut sockets = Self {
            by_shard: (0..shards).map(|_| Vec::new()).collect(),
            secure: Vec::new(),
            insecure: Vec::new(),
        };
        let secure = config.listen.coaps.iter().map(|address| (*address, false));
        let insecure = config.listen.insecure_coap.iter().map(|address| (*address, true));
        for (address, plain) in secure.chain(insecure) {
            let listeners =
                net::open(address, plain, shards).map_err(|error| StartError::Listen(address, error))?;
            let bound = listeners.first().map_or(address, |listener| listener.address);
            if plain {
                sockets.insecure.push(bound)
            } else {
                sockets.secure.push(bound)
            }
            for (shard, listener) in sockets.by_shard.iter_mut().zip(listeners) {
                shard.push(listener);
            }
        }
        Ok(sockets)
    }

    fn uris(&self) -> Vec<String> {
        let secure = self.secure.iter().map(|address| format!("coaps://{address}"));
        secure.chain(self.insecure.iter().map(|address| format!("coap://{address}"))).collect()
    }
}

fn insecure_grants(config: &Config) -> Result<Grants, StartError> {
    let publish = config.insecure.publish.iter().map(|pattern| (pattern, Permissions::PUBLISH));
    let subscribe = config.insecure.subscribe.iter().map(|pattern| (pattern, Permissions::READ));
    publish.chain(subscribe).try_fold(
        Grants::none(),
        |grants, (pattern, permissions)| match TopicPattern::new(pattern) {
            Ok(parsed) => Ok(grants.with(parsed, permissions)),
            Err(error) => Err(StartError::Pattern(pattern.clone(), error)),
        },
    )
}

/// Creates the folder and takes its lock; an administrator who works on the store directly is done in a moment.
fn take(dir: &DataDir) -> Result<Lock, StartError> {
    let in_dir = |error| StartError::Dir(dir.path().to_owned(), error);
    dir.create().map_err(in_dir)?;
    for _ in 0..100 {
        if let Some(lock) = dir.try_lock().map_err(in_dir)? {
            return Ok(lock);
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
    Err(StartError::Busy(dir.path().to_owned()))
}
