//! A device: the real client, and the program that uses it.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use sedge_client::{Client, ClientResources, Clock as _, ContentFormat, Error, Request, SubscriptionId};
use sedge_endpoint::memory::Hosted;
use sedge_time::{Duration, Instant};

use super::io::{SharedPort, Socket, VirtualClock};
use super::metered::Metered;
use super::protection::{PROTECTED, Protection, tag};
use super::random::SimulatedRng;
use crate::Random;
use crate::network::NodeId;
use crate::record::{Kind, MessageId, Outcome};

/// The memory of a simulated device: the client's, as in firmware.
pub type DeviceMemory = ClientResources<Hosted<Metered>, SimulatedRng, 4, 6, 1232, 48, 1024, 1, true>;

/// What a device does. It runs from power-on until the device dies, and again from the start when that comes back.
///
/// Any function from a [`Device`] to a future is one. A type of one's own has settings that devices share:
///
/// ```
/// use std::pin::Pin;
///
/// use sedge_sim::{Device, Program, Simulation};
/// use sedge_sim::network::NodeId;
/// use sedge_time::Duration;
///
/// /// A valve: it publishes its state whenever it has changed, at random.
/// struct Valve {
///     mean: Duration,
/// }
///
/// impl Program for Valve {
///     fn start(&self, mut device: Device) -> Pin<Box<dyn Future<Output = ()>>> {
///         let mean = self.mean.as_micros() as f64;
///         Box::pin(async move {
///             let topic = format!("node/{}/valve", device.node().0);
///             loop {
///                 let pause = -mean * (1.0 - device.random().unit()).ln();
///                 device.sleep(Duration::from_micros(pause as u64)).await;
///                 device.publish(&topic, 8).await;
///             }
///         })
///     }
/// }
///
/// let idle = |_: Device| async {};
/// let valve = Valve { mean: Duration::from_secs(30) };
/// let mut simulation = Simulation::builder(7).devices(2).program(idle).program_of(NodeId(2), valve).build()?;
/// simulation.run_for(Duration::from_secs(600));
/// let record = simulation.record();
/// assert!(record.messages().len() > 5 && record.messages().iter().all(|message| message.node == NodeId(2)));
/// # Ok::<(), sedge_sim::Invalid>(())
/// ```
pub trait Program {
    /// Starts the program.
    fn start(&self, device: Device) -> Pin<Box<dyn Future<Output = ()>>>;
}

impl<F: Fn(Device) -> R, R: Future<Output = ()> + 'static> Program for F {
    fn start(&self, device: Device) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(self(device))
    }
}

/// A device as its program sees it. Waiting is done here, so that the client goes on with what it has to do in the
/// meantime.
pub struct Device {
    client: Client<DeviceMemory, Socket, VirtualClock>,
    port: SharedPort,
    random: Random,
    confirmable: bool,
    /// How long an answer to a message that is not confirmable is waited for.
    patience: Duration,
    /// What came lately for subscriptions: after a new registration the newest value comes once more.
    known: VecDeque<MessageId>,
    /// What each subscription is to.
    topics: Vec<(SubscriptionId, String)>,
    /// If values are protected.
    protection: Option<Protection>,
}

/// What became of something that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message, as the report has it.
    pub message: MessageId,
    /// How it went.
    pub outcome: Outcome,
}

impl Device {
    pub(crate) fn new(
        client: Client<DeviceMemory, Socket, VirtualClock>,
        port: SharedPort,
        random: Random,
        confirmable: bool,
        protection: Option<Protection>,
    ) -> Self {
        let (patience, known, topics) = (Duration::from_secs(10), VecDeque::new(), Vec::new());
        Self { client, port, random, confirmable, patience, known, topics, protection }
    }

    /// Which device this is.
    pub fn node(&self) -> NodeId {
        self.port.borrow().node
    }

    /// The time, by the device's own clock.
    pub fn now(&self) -> Instant {
        self.port.borrow().shown()
    }

    /// Chance, of this device alone.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// The client, for everything that this face does not have.
    pub const fn client(&mut self) -> &mut Client<DeviceMemory, Socket, VirtualClock> {
        &mut self.client
    }

    /// Publishes so many bytes (at least 8, which name the message in the report) to a topic.
    pub async fn publish(&mut self, topic: &str, bytes: usize) -> Sent {
        let message = self.begin(Kind::Publication, bytes);
        let mut payload = body(message, bytes);
        let mut format = ContentFormat::OCTET_STREAM;
        if let Some(protection) = &mut self.protection {
            let port = self.port.borrow();
            payload = protection.seal(&port.crypto, topic, &payload);
            format = PROTECTED;
            port.record.borrow_mut().protect(tag(&payload), message);
        }
        let request = Request::publish(topic, format, &payload);
        self.request(message, &request, &mut []).await
    }

    /// Fetches what was published to a topic, up to `room` bytes of it, block by block.
    pub async fn fetch(&mut self, topic: &str, room: usize) -> Sent {
        let message = self.begin(Kind::Download, room);
        let mut buffer = vec![0; room];
        let request = Request::get("");
        let request = Request { target: sedge_client::Target::Topic(topic), ..request };
        let sent = self.request(message, &request, &mut buffer).await;
        if sent.outcome == Outcome::Done {
            let port = self.port.borrow();
            port.record.borrow_mut().arrived(port.now, port.node, message);
        }
        sent
    }

    /// Subscribes to a topic; `None` if that was refused. What arrives is seen to while the program waits.
    pub async fn subscribe(&mut self, topic: &str) -> Option<SubscriptionId> {
        {
            let port = self.port.borrow();
            port.record.borrow_mut().subscribed(port.node, topic);
        }
        loop {
            match self.client.subscribe(topic).await {
                Ok(subscription) => {
                    self.topics.push((subscription, topic.into()));
                    return Some(subscription);
                }
                Err(Error::Disconnected(_)) => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits, and takes in what arrives for subscriptions meanwhile.
    pub async fn sleep_until(&mut self, deadline: Instant) {
        let mut clock = VirtualClock(self.port.clone());
        let mut buffer = [0; 1232];
        while clock.now() < deadline {
            let arrived = until(pin!(self.client.next(&mut buffer)), pin!(clock.sleep_until(deadline))).await;
            match arrived {
                Some(Ok(notification)) => self.take_in(notification.subscription, notification.payload),
                Some(Err(Error::Closed)) => clock.sleep_until(deadline).await,
                // The client dials again by itself; a subscription that has ended, or a value that is too long: the next
                // one comes.
                Some(Err(_)) => {}
                None => {}
            }
        }
    }

    /// As [`sleep_until`](Self::sleep_until), for so long.
    pub async fn sleep(&mut self, duration: Duration) {
        let until = self.now() + duration;
        self.sleep_until(until).await;
    }

    fn begin(&mut self, kind: Kind, bytes: usize) -> MessageId {
        let port = self.port.borrow();
        port.record.borrow_mut().begin(port.now, kind, port.node, bytes)
    }

    async fn request(&mut self, message: MessageId, request: &Request<'_>, buffer: &mut [u8]) -> Sent {
        let request = Request { confirmable: self.confirmable, ..*request };
        self.port.borrow_mut().cause = Some(message);
        let mut clock = VirtualClock(self.port.clone());
        let patience = if self.confirmable { Duration::from_secs(3600) } else { self.patience };
        let deadline = clock.now() + patience;
        let answer =
            until(pin!(self.client.request(&request, buffer)), pin!(clock.sleep_until(deadline))).await;
        let outcome = match answer {
            Some(Ok(response)) if response.code.is_success() => Outcome::Done,
            Some(Ok(_)) => Outcome::Refused,
            Some(Err(_)) | None => Outcome::Failed,
        };
        let mut port = self.port.borrow_mut();
        port.cause = None;
        let now = port.now;
        port.record.borrow_mut().concluded(now, message, outcome);
        Sent { message, outcome }
    }

    /// A value came for a subscription.
    fn take_in(&mut self, subscription: SubscriptionId, payload: &[u8]) {
        let message = match &mut self.protection {
            None => name_of(payload),
            // What does not open has not arrived.
            Some(protection) => {
                self.topics.iter().find(|(known, _)| *known == subscription).and_then(|(_, topic)| {
                    name_of(&protection.open(&self.port.borrow().crypto, topic, payload)?)
                })
            }
        };
        let Some(message) = message.filter(|message| !self.known.contains(message)) else { return };
        self.known.push_back(message);
        if self.known.len() > 64 {
            let _oldest = self.known.pop_front();
        }
        let port = self.port.borrow();
        port.record.borrow_mut().arrived(port.now, port.node, message);
    }
}

/// The body of a message: its name, and bytes to fill it up.
pub(crate) fn body(message: MessageId, bytes: usize) -> Vec<u8> {
    let mut body = vec![0x5a; bytes.max(8)];
    body[..8].copy_from_slice(&u64::from(message.number()).to_be_bytes());
    body
}

/// The message that a body names.
pub(crate) fn name_of(body: &[u8]) -> Option<MessageId> {
    let (name, _) = body.split_first_chunk()?;
    MessageId::from_number(u32::try_from(u64::from_be_bytes(*name)).ok()?)
}

/// What `first` comes to, unless `end` comes first. Both stay where they are: they are large.
async fn until<T>(
    mut first: Pin<&mut impl Future<Output = T>>,
    mut end: Pin<&mut impl Future<Output = ()>>,
) -> Option<T> {
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => end.as_mut().poll(cx).map(|()| None),
    })
    .await
}
