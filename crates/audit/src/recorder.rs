//! A log that is written on a thread of its own.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Event, Kind, Log};

/// Takes events from any thread without ever waiting, and writes them to a [`Log`]. What finds the queue full is counted,
/// and the count is recorded as soon as there is room.
///
/// Dropping it writes what is in the queue.
#[derive(Debug)]
pub struct Recorder {
    queue: Mutex<Option<SyncSender<Work>>>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counters {
    recorded: AtomicU64,
    /// Those that found the queue full, ever, and since it was recorded last.
    lost: AtomicU64,
    unsaid: AtomicU64,
    /// Those that could not be written.
    failed: AtomicU64,
}

enum Work {
    Record(u64, Box<Event>),
    /// Say when everything before is on the disk.
    Flush(SyncSender<()>),
}

/// So many are written before the disk is waited for.
const BATCH: usize = 256;

impl Recorder {
    /// Starts the thread, with room for so many events in the queue. `complain` hears when the log cannot be written,
    /// once until it can.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn start(log: Log, room: usize, complain: impl Fn(&io::Error) + Send + 'static) -> io::Result<Self> {
        let (queue, work) = sync_channel(room);
        let counters = Arc::new(Counters::default());
        let writer = Writer { log, counters: counters.clone(), complain: Box::new(complain), failing: false };
        let thread =
            std::thread::Builder::new().name("sedge-audit".into()).spawn(move || writer.run(&work))?;
        Ok(Self { queue: Mutex::new(Some(queue)), counters, thread: Some(thread) })
    }

    /// Hands an event over.
    pub fn record(&self, event: Event) {
        let work = Work::Record(now(), Box::new(event));
        let sent = match &*self.queue() {
            Some(queue) => queue.try_send(work),
            None => return,
        };
        if let Err(TrySendError::Full(_)) = sent {
            let _before = self.counters.lost.fetch_add(1, Ordering::Relaxed);
            let _before = self.counters.unsaid.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything handed over before is on the disk.
    pub fn flush(&self) {
        let (done, outcome) = sync_channel(1);
        let queue = self.queue().clone();
        if queue.is_some_and(|queue| queue.send(Work::Flush(done)).is_ok()) {
            let _ended = outcome.recv();
        }
    }

    /// How many events were written; lost because the queue was full; and lost because they could not be written.
    pub fn counters(&self) -> [u64; 3] {
        let Counters { recorded, lost, failed, .. } = &*self.counters;
        [recorded, lost, failed].map(|counter| counter.load(Ordering::Relaxed))
    }

    // The queue is whole whatever happened to whoever held it.
    fn queue(&self) -> std::sync::MutexGuard<'_, Option<SyncSender<Work>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.queue().take());
        if let Some(thread) = self.thread.take() {
            // If it panicked there is nothing left to write.
            let _ended = thread.join();
        }
    }
}

struct Writer {
    log: Log,
    counters: Arc<Counters>,
    complain: Box<dyn Fn(&io::Error) + Send>,
    failing: bool,
}

impl Writer {
    fn run(mut self, work: &Receiver<Work>) {
        while let Ok(first) = work.recv() {
            let mut flushed = Vec::new();
            for work in std::iter::once(first).chain(work.try_iter().take(BATCH)) {
                match work {
                    Work::Record(time, event) => self.write(time, &event),
                    Work::Flush(done) => flushed.push(done),
                }
            }
            let unsaid = self.counters.unsaid.swap(0, Ordering::Relaxed);
            if unsaid > 0 {
                let event = Event::new(Kind::Log)
                    .with("what", "more happened at once than could be written")
                    .with("lost", unsaid);
                self.write(now(), &event);
            }
            if let Err(error) = self.log.sync() {
                self.complain(&error);
            }
            // Whoever asked may have gone.
            for done in flushed {
                let _heard = done.send(());
            }
        }
    }

    fn write(&mut self, time: u64, event: &Event) {
        match self.log.append(time, event) {
            Ok(()) => {
                self.failing = false;
                let _before = self.counters.recorded.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let _before = self.counters.failed.fetch_add(1, Ordering::Relaxed);
                let _before = self.counters.unsaid.fetch_add(1, Ordering::Relaxed);
                self.complain(&error);
            }
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            (self.complain)(error);
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
