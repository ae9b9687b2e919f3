//! What waits, so that shards need not.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Weak, mpsc};
use std::task::{Context, Poll, Wake};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::clock;
use crate::shard::Shared;
use crate::state::State;
use crate::store::{Change, Urgency};

/// The thread on which everything waits that shards cannot wait for.
pub(super) struct Control {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Control {
    pub(super) fn start(state: Arc<State>) -> io::Result<(Self, tokio::runtime::Handle)> {
        let (stop, stopped) = oneshot::channel();
        let (started, outcome) = mpsc::channel();
        let thread = thread::Builder::new().name("sedge-control".into()).spawn(move || {
            // Lives as long as the tasks that use it.
            let _state = state;
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    drop(started.send(Ok(runtime.handle().clone())));
                    let _told = runtime.block_on(stopped);
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let handle = outcome.recv().unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))?;
        Ok((Self { stop, thread }, handle))
    }

    pub(super) fn stop(self) {
        // If it has ended already, all the better.
        let _ended = self.stop.send(());
        let _ended = self.thread.join();
    }
}

/// Removes topics whose `expiration-date` has come.
pub(super) async fn expire_topics(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let Some(shared) = shared.upgrade() else { return };
        loop {
            let mut topics = shared.state.topics();
            let Some(change) = topics.expire(clock::unix()) else { break };
            shared.state.store.submit(Change::Topic(change.persist), Urgency::Grouped, None);
            drop(topics);
            shared.topic_changed(change.topic, None);
        }
    }
}

/// Waits for something that only threads of this crate work on, wherever it is called from.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => thread::park(),
        }
    }
}
