//! The asynchronous client: it lends time, datagrams and one request at a time to the [`Core`].

use core::future::{pending, ready};

use sedge_coap::block::BlockSize;
use sedge_coap::{Code, ContentFormat, OptionNumber};
use sedge_crypto::Secret;
use sedge_dtls::Resumption;
use sedge_endpoint::Agreed;
use sedge_endpoint::memory::Buffer;
use sedge_time::{Duration, Instant};

use crate::config::Config;
use crate::core::{Core, Kind, Missed, Notification, Standing, SubscribeError, SubscriptionId};
use crate::counters::Counters;
use crate::disconnect::Disconnect;
use crate::error::{Error, Failure};
use crate::io::{Clock, Datagram, Either, either};
use crate::memory::{CryptoOf, Memory, RngOf};
use crate::request::{Request, Response, Target};
use crate::saved::{SaveError, Storage};
use crate::security::Security;
use crate::transfer::{FirstBlock, Transfer};

/// A client of one server: all its memory, its socket and its clock.
///
/// Its operations take turns, and while one waits, everything else goes on: connecting again, registering
/// again, acknowledging, collecting values. Between operations nothing goes on, so a subscriber waits in
/// [`next`](Self::next) whenever it has nothing else to do. Every operation may be dropped at any point, as
/// `select!` does; a request that was dropped is given up.
pub struct Client<M: Memory, D, C> {
    core: Core<M>,
    datagram: M::Datagram,
    socket: D,
    clock: C,
}

/// How long to leave a network alone that has just refused.
const PAUSE: Duration = Duration::from_millis(100);
/// How many datagrams are taken in before something else is done.
const BACKLOG: usize = 16;

impl<M: Memory, D: Datagram, C: Clock> Client<M, D, C> {
    /// A client that is not connected yet: its first operation will see to that, or
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`Error::Security`].
    pub fn new(
        config: Config,
        security: Security<'_>,
        socket: D,
        clock: C,
        crypto: CryptoOf<M>,
        rng: RngOf<M>,
    ) -> Result<Self, Error<D::Error>> {
        let datagram = M::datagram();
        let core = Core::new(clock.now(), config, security, crypto, rng).map_err(Error::Security)?;
        Ok(Self { core, datagram, socket, clock })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// [`Error::Disconnected`] after the first attempt that fails, [`Error::Network`]. Calling it again waits
    /// for the next attempt, which comes after a while.
    pub async fn connect(&mut self) -> Result<(), Error<D::Error>> {
        let _earlier = self.core.take_failure();
        loop {
            let outcome = match self.advance(None).await {
                Ok(()) if self.core.is_connected() => return Ok(()),
                Ok(()) if self.core.is_closed() => return Err(Error::Closed),
                Ok(()) => self.wait(None).await,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.core.network_failed(self.clock.now());
                return Err(Error::Network(error));
            }
            if let Some(reason) = self.core.take_failure() {
                return Err(Error::Disconnected(reason));
            }
        }
    }

    /// Publishes a value to a topic and waits until the broker has it.
    ///
    /// If the connection is lost meanwhile, it is made again and the value sent again: it may then arrive
    /// twice.
    ///
    /// # Errors
    /// [`Error::Refused`] with the broker's code, and whatever [`request`](Self::request) says.
    pub async fn publish(
        &mut self,
        topic: &str,
        format: ContentFormat,
        payload: &[u8],
    ) -> Result<(), Error<D::Error>> {
        let response = self.request(&Request::publish(topic, format, payload), &mut []).await?;
        if response.code.is_success() { Ok(()) } else { Err(Error::Refused(response.code)) }
    }

    /// Sends a value to a topic once, and neither waits for an answer nor wants one: it arrives or does not.
    ///
    /// # Errors
    /// There is no connection, or the value does not fit one datagram.
    pub async fn publish_once(
        &mut self,
        topic: &str,
        format: ContentFormat,
        payload: &[u8],
    ) -> Result<(), Error<D::Error>> {
        // RFC 7967: no answer of class 2, 4 or 5.
        const NONE: &[u8] = &[0b1_1010];
        let options = &[(OptionNumber::NO_RESPONSE, NONE)];
        let request = Request { confirmable: false, options, ..Request::publish(topic, format, payload) };
        let mut transfer = Transfer::new(request, BlockSize::MAX, &mut []);
        loop {
            if self.core.must_save() {
                return Err(Error::Unsaved);
            }
            self.advance(Some(&mut transfer)).await.map_err(Error::Network)?;
            if transfer.is_over() || transfer.is_sent() {
                break;
            }
            self.wait(Some(&mut transfer)).await.map_err(Error::Network)?;
        }
        match transfer.into_response() {
            Ok(_) | Err(Failure::Timeout) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Sends a request and waits for its answer, whose body is put into `buffer`. Both may be long: they
    /// travel in blocks.
    ///
    /// # Errors
    /// Why there was no answer. An answer that is an error is no error here.
    pub async fn request<'b>(
        &mut self,
        request: &Request<'_>,
        buffer: &'b mut [u8],
    ) -> Result<Response<'b>, Error<D::Error>> {
        let mut transfer = Transfer::new(*request, self.core.config().block_size, &mut *buffer);
        self.complete(&mut transfer).await?;
        let Response { code, content_format, max_age, payload } = transfer.into_response()?;
        let len = payload.len();
        let payload = buffer.get(..len).unwrap_or_default();
        Ok(Response { code, content_format, max_age, payload })
    }

    /// Waits until the server shows that it is there, and says how long that took.
    ///
    /// # Errors
    /// It did not.
    pub async fn ping(&mut self) -> Result<Duration, Error<D::Error>> {
        let start = self.clock.now();
        let mut transfer = Transfer::ping();
        self.complete(&mut transfer).await?;
        let _pong = transfer.into_response()?;
        Ok(self.clock.now().saturating_since(start))
    }

    /// Subscribes to a topic, and waits until the server has agreed. The values come out of
    /// [`next`](Self::next), the one that is there already first.
    ///
    /// A topic that nobody has published to yet is no error: the server is asked again from time to time.
    /// After a lost connection all subscriptions are made again by themselves.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::NotObserved`], [`Error::NoRoom`], [`Error::NameTooLong`]; and
    /// [`Error::Disconnected`] if there is no connection for as long as
    /// [`patience`](Config::patience) lasts.
    pub async fn subscribe(&mut self, topic: &str) -> Result<SubscriptionId, Error<D::Error>> {
        self.observe(Target::Topic(topic)).await
    }

    /// As [`subscribe`](Self::subscribe), for any resource; one that does not exist is an error unless it is a
    /// topic.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn observe(&mut self, target: Target<'_>) -> Result<SubscriptionId, Error<D::Error>> {
        let started = self.clock.now();
        let subscription = self.core.subscribe(started, target).map_err(|error| match error {
            SubscribeError::NoRoom => Error::NoRoom,
            SubscribeError::NameTooLong => Error::NameTooLong,
        })?;
        loop {
            let error = match self.core.standing(subscription) {
                Standing::Established => return Ok(subscription),
                Standing::Refused(code) if code.is_success() => Error::NotObserved,
                Standing::Refused(code) => Error::Refused(code),
                Standing::Unknown => Error::Closed,
                Standing::Pending => match self.core.failure() {
                    Some(reason)
                        if self.clock.now().saturating_since(started) > self.core.config().patience =>
                    {
                        Error::Disconnected(reason)
                    }
                    _ => {
                        self.turn(None).await?;
                        continue;
                    }
                },
            };
            self.core.forget(subscription);
            return Err(error);
        }
    }

    /// Ends a subscription. Says whether there was one.
    pub async fn unsubscribe(&mut self, subscription: SubscriptionId) -> bool {
        let known = self.core.unsubscribe(self.clock.now(), subscription);
        let _sent = self.flush().await;
        known
    }

    /// Waits for the next value of any subscription and puts it into `buffer`, all blocks of it.
    ///
    /// # Errors
    /// [`Error::Ended`] when a subscription is over; [`Error::Disconnected`] when the connection, or an
    /// attempt to make it again, has failed; [`Error::BufferTooSmall`]. In all cases the next call goes on.
    pub async fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Notification<'b>, Error<D::Error>> {
        loop {
            let Some((name, entry)) = self.core.front() else {
                if self.core.is_closed() {
                    return Err(Error::Closed);
                }
                if let Some(reason) = self.core.take_failure() {
                    return Err(Error::Disconnected(reason));
                }
                self.turn(None).await?;
                continue;
            };
            let (subscription, content_format, key) = (entry.subscription, entry.content_format, entry.key);
            let copied = match (entry.kind, buffer.get_mut(..entry.payload.len())) {
                (Kind::Value, Some(place)) => {
                    place.copy_from_slice(entry.payload);
                    Ok(place.len())
                }
                (Kind::Value, None) => {
                    Err(Error::BufferTooSmall { needed: u32::try_from(entry.payload.len()).ok() })
                }
                (Kind::End(code), _) => {
                    self.core.forget(subscription);
                    Err(Error::Ended { subscription, code })
                }
                (Kind::FirstBlock(_), _) if self.core.is_known(subscription, key) => {
                    self.core.remove_front(name);
                    continue;
                }
                (Kind::FirstBlock(size), _) => self.fetch_rest(subscription, size, buffer).await,
            };
            self.core.remove_front(name);
            let payload = buffer.get(..copied?).unwrap_or_default();
            return Ok(Notification { subscription, content_format, payload });
        }
    }

    /// The topic of a subscription, or the path.
    pub fn topic(&self, subscription: SubscriptionId) -> Option<&str> {
        match self.core.target(subscription)? {
            Target::Topic(name) | Target::Path(name) => Some(name),
            Target::Keys(_) => None,
        }
    }

    /// Whether a subscription is for the keys of this topic.
    pub(crate) fn is_for_keys(&self, subscription: SubscriptionId, topic: &str) -> bool {
        self.core.target(subscription) == Some(Target::Keys(topic))
    }

    /// See [`Core::take_newest`].
    pub(crate) fn take_newest(
        &mut self,
        subscription: SubscriptionId,
        buffer: &mut [u8],
    ) -> Option<(Kind, usize)> {
        self.core.take_newest(subscription, buffer)
    }

    /// Frees the place of a subscription that is over.
    pub(crate) fn forget(&mut self, subscription: SubscriptionId) {
        self.core.forget(subscription);
    }

    /// Goes on with what is to be done until something has arrived or was due.
    pub(crate) async fn work(&mut self) {
        let _later = self.turn(None).await;
    }

    /// Takes in what has arrived already, as far as it is not too much.
    pub(crate) async fn catch_up(&mut self) {
        for _ in 0..BACKLOG {
            let arrived = either(self.socket.receive(self.datagram.as_mut()), ready(())).await;
            let Either::First(Ok(len)) = arrived else { return };
            let datagram = self.datagram.as_mut().get_mut(..len).unwrap_or_default();
            self.core.receive(self.clock.now(), datagram, None);
            let _sent = self.flush().await;
        }
    }

    /// Says goodbye. The client stays closed.
    pub async fn close(&mut self) {
        self.core.close();
        let _sent = self.flush().await;
    }

    /// Whether there is a connection at present.
    pub const fn is_connected(&self) -> bool {
        self.core.is_connected()
    }

    /// What the handshake of the connection came to: version, suite, how the server authenticated.
    pub fn agreed(&self) -> Option<Agreed> {
        self.core.agreed()
    }

    /// Tells the secrets of every session that begins from now on, as lines `<label> <client random> <secret>` of the
    /// NSS key log format ([RFC 9850](https://www.rfc-editor.org/rfc/rfc9850)) have them, for looking at captures of
    /// one's own traffic. Whoever learns them can read and forge everything.
    #[cfg(feature = "std")]
    pub fn dangerous_log_keys(&mut self, log: impl FnMut(&str, &[u8; 32], &[u8]) + Send + 'static) {
        self.core.outbox().dangerous_log_keys(log);
    }

    /// The last session as bytes; see [`Core::export_resumption`].
    pub fn export_resumption(&self) -> Option<Secret<{ Resumption::EXPORTED_LEN }>> {
        self.core.export_resumption(self.clock.now())
    }

    /// Has the next handshake take up a session that was exported; see [`Core::import_resumption`].
    pub fn import_resumption(&mut self, bytes: &[u8]) -> bool {
        self.core.import_resumption(self.clock.now(), bytes)
    }

    /// Saves the session, so that it outlives a loss of power: what to do about [`Error::Unsaved`].
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        self.core.save(storage)
    }

    /// Saves the session as it is, to go to sleep; see [`Core::suspend`].
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn suspend<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        self.core.suspend(storage)
    }

    /// Takes up the session that was saved last, instead of a handshake; to be called first. See [`Core::restore`].
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn restore<S: Storage>(&mut self, storage: &mut S) -> Result<bool, S::Error> {
        self.core.restore(storage)
    }

    /// Goes on without saving sessions; see [`Core::stop_saving`].
    pub fn stop_saving(&mut self) {
        self.core.stop_saving(self.clock.now());
    }

    /// Tells the time in seconds since 1970. Without it nothing is known of certificates that have expired.
    pub fn set_unix_time(&mut self, seconds: u64) {
        self.core.set_unix_time(self.clock.now(), seconds);
    }

    /// Whether anything has come from the server since it was last dialled.
    pub const fn is_answered(&self) -> bool {
        self.core.is_answered()
    }

    /// Why there is none, as far as known.
    pub const fn failure(&self) -> Option<Disconnect> {
        self.core.failure()
    }

    /// Everything counted since the client was made.
    pub const fn counters(&self) -> &Counters {
        self.core.counters()
    }

    /// What was lost or turned away since then.
    pub fn missed(&self) -> Missed {
        self.core.missed()
    }

    /// The socket, which may be exchanged for another one at any time: a session with a Connection ID goes on.
    pub const fn socket_mut(&mut self) -> &mut D {
        &mut self.socket
    }

    /// The providers of cryptography and of randomness.
    pub(crate) const fn providers(&mut self) -> (&CryptoOf<M>, &mut RngOf<M>) {
        self.core.providers()
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// How long to wait before asking again for what does not exist yet.
    pub(crate) const fn topic_poll(&self) -> Duration {
        self.core.config().topic_poll
    }

    /// Does nothing until `deadline` but what keeps the connection: values that come meanwhile are kept.
    pub(crate) async fn idle_until(&mut self, deadline: Instant) {
        while self.clock.now() < deadline && !self.core.is_closed() {
            let turn = self.core.deadline(None).map_or(deadline, |own| own.min(deadline));
            let _sent = self.advance(None).await;
            let arrived =
                either(self.socket.receive(self.datagram.as_mut()), self.clock.sleep_until(turn)).await;
            let now = self.clock.now();
            if let Either::First(Ok(len)) = arrived {
                let datagram = self.datagram.as_mut().get_mut(..len).unwrap_or_default();
                self.core.receive(now, datagram, None);
            }
            self.core.expire(now, None);
            let _sent = self.flush().await;
        }
    }

    /// Fetches the blocks that follow the first one, which stands at the front of the queue.
    async fn fetch_rest(
        &mut self,
        subscription: SubscriptionId,
        size: BlockSize,
        buffer: &mut [u8],
    ) -> Result<usize, Error<D::Error>> {
        let Some((_, entry)) = self.core.front() else { return Ok(0) };
        // The subscription may end while its value is fetched, so this goes by a copy of its name.
        let mut copy = M::Name::default();
        let target = self.core.target(subscription).unwrap_or(Target::Path(""));
        let (named, name) = target.parts();
        let _fits = copy.store(name.as_bytes());
        let name = core::str::from_utf8(copy.bytes()).unwrap_or_default();
        let target = named.target(name);
        let first =
            FirstBlock { size, key: entry.key, content_format: entry.content_format, payload: entry.payload };
        let request = Request::new(Code::GET, target);
        let mut transfer = Transfer::rest(request, &first, buffer);
        self.complete(&mut transfer).await?;
        let key = transfer.key();
        let response = transfer.into_response()?;
        if !response.code.is_success() {
            return Err(Error::Refused(response.code));
        }
        self.core.handed_on(subscription, key);
        Ok(response.payload.len())
    }

    /// Takes turns until a transfer is over.
    async fn complete(&mut self, transfer: &mut Transfer<'_>) -> Result<(), Error<D::Error>> {
        while !transfer.is_over() {
            self.turn(Some(transfer)).await?;
        }
        Ok(())
    }

    /// One turn: does what can be done now, then waits for the next datagram or deadline and deals with it. A
    /// network that refuses is left alone for a moment: what must arrive is sent again in its time.
    async fn turn(&mut self, mut operation: Option<&mut Transfer<'_>>) -> Result<(), Error<D::Error>> {
        if self.core.must_save() {
            return Err(Error::Unsaved);
        }
        let mut outcome = self.advance(operation.as_deref_mut()).await;
        if outcome.is_ok() && !operation.as_ref().is_some_and(|operation| operation.is_over()) {
            outcome = self.wait(operation.as_deref_mut()).await;
        }
        let Err(error) = outcome else { return Ok(()) };
        let now = self.clock.now();
        self.core.network_failed(now);
        if self.core.config().fail_on_network_error && operation.is_some() {
            return Err(Error::Network(error));
        }
        self.clock.sleep_until(now + PAUSE).await;
        Ok(())
    }

    /// Sends everything that can be sent now.
    async fn advance(&mut self, mut operation: Option<&mut Transfer<'_>>) -> Result<(), D::Error> {
        self.flush().await?;
        while self.core.advance(self.clock.now(), operation.as_deref_mut()) {
            self.flush().await?;
        }
        Ok(())
    }

    /// Waits for the next datagram or deadline, and deals with it.
    async fn wait(&mut self, mut operation: Option<&mut Transfer<'_>>) -> Result<(), D::Error> {
        let deadline = self.core.deadline(operation.as_deref());
        let timer = async {
            match deadline {
                Some(deadline) => self.clock.sleep_until(deadline).await,
                None => pending().await,
            }
        };
        let arrived = either(self.socket.receive(self.datagram.as_mut()), timer).await;
        let now = self.clock.now();
        if let Either::First(len) = arrived {
            let datagram = self.datagram.as_mut().get_mut(..len?).unwrap_or_default();
            self.core.receive(now, datagram, operation.as_deref_mut());
        }
        self.core.expire(now, operation);
        self.flush().await
    }

    /// Sends what waits to be sent.
    async fn flush(&mut self) -> Result<(), D::Error> {
        while let Some(datagram) = self.core.outbox().front() {
            let sent = self.socket.send(datagram).await;
            // One that the network refuses counts as lost.
            self.core.outbox().pop();
            sent?;
        }
        Ok(())
    }
}
