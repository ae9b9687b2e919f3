//! What goes on while an operation waits: one turn after the other, each of which does what can be done, sends what there is to
//! send, and waits for a datagram or for time to pass.

use core::future::{pending, ready};

use sedge_coap::Code;
use sedge_coap::block::BlockSize;
use sedge_endpoint::memory::Buffer;
use sedge_time::{Duration, Instant};

use super::Client;
use crate::core::SubscriptionId;
use crate::error::Error;
use crate::io::{Clock, Datagram, Either, either};
use crate::memory::Memory;
use crate::request::{Request, Target};
use crate::transfer::{FirstBlock, Transfer};

/// How long to leave a network alone that has just refused.
const PAUSE: Duration = Duration::from_millis(100);
/// How many datagrams are taken in before something else is done.
const BACKLOG: usize = 16;

impl<M: Memory, D: Datagram, C: Clock> Client<M, D, C> {
    /// Takes turns until a transfer is over.
    pub(super) async fn complete(&mut self, transfer: &mut Transfer<'_>) -> Result<(), Error<D::Error>> {
        while !transfer.is_over() {
            self.turn(Some(transfer)).await?;
        }
        Ok(())
    }

    /// One turn: does what can be done now, then waits for the next datagram or deadline and deals with it. A
    /// network that refuses is left alone for a moment: what must arrive is sent again in its time.
    pub(super) async fn turn(
        &mut self,
        mut operation: Option<&mut Transfer<'_>>,
    ) -> Result<(), Error<D::Error>> {
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
    pub(super) async fn advance(&mut self, mut operation: Option<&mut Transfer<'_>>) -> Result<(), D::Error> {
        self.flush().await?;
        while self.core.advance(self.clock.now(), operation.as_deref_mut()) {
            self.flush().await?;
        }
        Ok(())
    }

    /// Waits for the next datagram or deadline, and deals with it.
    pub(super) async fn wait(&mut self, mut operation: Option<&mut Transfer<'_>>) -> Result<(), D::Error> {
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
    pub(super) async fn flush(&mut self) -> Result<(), D::Error> {
        while let Some(datagram) = self.core.outbox().front() {
            let sent = self.socket.send(datagram).await;
            // One that the network refuses counts as lost.
            self.core.outbox().pop();
            sent?;
        }
        Ok(())
    }

    /// Fetches the blocks that follow the first one, which stands at the front of the queue.
    pub(super) async fn fetch_rest(
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
        let (key, content_format, payload) = (entry.key, entry.content_format(), entry.payload);
        let first = FirstBlock { size, key, content_format, payload };
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
}
