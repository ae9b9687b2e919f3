//! The asynchronous client: it lends time, datagrams and one request at a time to the [`Core`].

mod state;
mod turns;

use sedge_coap::block::BlockSize;
use sedge_coap::{ContentFormat, OptionNumber};
use sedge_time::Duration;

use crate::config::Config;
use crate::core::{Core, Kind, Notification, Standing, SubscribeError, SubscriptionId};
use crate::error::{Error, Failure};
use crate::io::{Clock, Datagram};
use crate::memory::{CryptoOf, Memory, RngOf};
use crate::request::{Request, Response, Target};
use crate::security::Security;
use crate::transfer::Transfer;

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
            let (subscription, content_format, key) = (entry.subscription, entry.content_format(), entry.key);
            let copied = match (entry.kind(), buffer.get_mut(..entry.payload.len())) {
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

    /// Says goodbye. The client stays closed.
    pub async fn close(&mut self) {
        self.core.close();
        let _sent = self.flush().await;
    }
}
