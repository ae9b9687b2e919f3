//! Datagrams over [smoltcp](https://docs.rs/smoltcp), for a driver of your own and without a second task.

use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;

use ::smoltcp::iface::{Interface, SocketHandle, SocketSet, SocketStorage};
use ::smoltcp::phy::Device;
use ::smoltcp::socket::udp;
use ::smoltcp::time::Instant;
use ::smoltcp::wire::IpEndpoint;
use sedge_client::{Clock, Datagram};

/// A device of smoltcp's that can be waited for.
#[expect(async_fn_in_trait, reason = "whether the futures can move between threads is up to the implementor")]
pub trait Wire: Device {
    /// Waits until there may be something to [receive](Device::receive). Dropping the future must not lose a frame.
    async fn ready(&mut self);

    /// Brings out the frame that the stack has put into the device, and says whether there was one: for hardware that has to
    /// wait first, until the air is free, say. If the future is dropped, the frame is to be sent the next time.
    async fn flush(&mut self) -> bool {
        false
    }
}

/// All memory of a socket: so many datagrams, of so many bytes together, each way.
#[derive(Debug)]
pub struct Memory<'m, const DATAGRAMS: usize = 2, const BYTES: usize = 1280> {
    sockets: [SocketStorage<'m>; 1],
    received: ([udp::PacketMetadata; DATAGRAMS], [u8; BYTES]),
    sent: ([udp::PacketMetadata; DATAGRAMS], [u8; BYTES]),
}

impl<const DATAGRAMS: usize, const BYTES: usize> Memory<'_, DATAGRAMS, BYTES> {
    /// Nothing has arrived yet.
    pub const EMPTY: Self = Self {
        sockets: [SocketStorage::EMPTY],
        received: ([udp::PacketMetadata::EMPTY; DATAGRAMS], [0; BYTES]),
        sent: ([udp::PacketMetadata::EMPTY; DATAGRAMS], [0; BYTES]),
    };
}

/// A socket that knows nobody but the server, and the whole network stack below it. The stack works while somebody sends, or
/// waits for a datagram, which a client does all the time that it is connected.
pub struct Socket<'m, W, C> {
    wire: W,
    clock: C,
    interface: Interface,
    sockets: SocketSet<'m>,
    socket: SocketHandle,
    server: IpEndpoint,
    strangers: u32,
}

impl<'m, W: Wire, C: Clock> Socket<'m, W, C> {
    /// Over an interface that has its addresses and routes. The datagrams leave from `port`; any will do, because only what
    /// the server answers comes in.
    ///
    /// # Errors
    /// `port` is zero.
    pub fn new<const DATAGRAMS: usize, const BYTES: usize>(
        wire: W,
        interface: Interface,
        memory: &'m mut Memory<'m, DATAGRAMS, BYTES>,
        clock: C,
        port: u16,
        server: impl Into<IpEndpoint>,
    ) -> Result<Self, udp::BindError> {
        let Memory { sockets, received, sent } = memory;
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(&mut received.0[..], &mut received.1[..]),
            udp::PacketBuffer::new(&mut sent.0[..], &mut sent.1[..]),
        );
        socket.bind(port)?;
        let mut sockets = SocketSet::new(&mut sockets[..]);
        let socket = sockets.add(socket);
        Ok(Self { wire, clock, interface, sockets, socket, server: server.into(), strangers: 0 })
    }

    /// How many datagrams came from others than the server, or were too long, and were dropped.
    pub const fn strangers(&self) -> u32 {
        self.strangers
    }

    /// The device below.
    pub const fn wire_mut(&mut self) -> &mut W {
        &mut self.wire
    }

    /// The interface, whose addresses and routes may be changed at any time.
    pub const fn interface_mut(&mut self) -> &mut Interface {
        &mut self.interface
    }

    fn socket(&mut self) -> &mut udp::Socket<'m> {
        self.sockets.get_mut(self.socket)
    }

    /// Does all that needs no frame to come first.
    async fn work(&mut self) {
        loop {
            let now = instant(&self.clock);
            let _changed = self.interface.poll(now, &mut self.wire, &mut self.sockets);
            if !self.wire.flush().await {
                return;
            }
        }
    }

    /// Takes out the next datagram of the server's.
    fn take(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let (server, mut strangers) = (self.server, 0_u32);
        let mut taken = None;
        while let Ok((datagram, from)) = self.socket().recv() {
            match buffer.get_mut(..datagram.len()).filter(|_| from.endpoint == server) {
                Some(place) => {
                    place.copy_from_slice(datagram);
                    taken = Some(datagram.len());
                    break;
                }
                None => strangers += 1,
            }
        }
        self.strangers = self.strangers.wrapping_add(strangers);
        taken
    }
}

impl<W: Wire, C: Clock> Datagram for Socket<'_, W, C> {
    type Error = udp::SendError;

    /// A datagram for which there is no room at present, because the server's hardware address is being asked for, say, is
    /// lost.
    async fn send(&mut self, datagram: &[u8]) -> Result<(), udp::SendError> {
        let server = self.server;
        let mut sent = self.socket().send_slice(datagram, server);
        if sent == Err(udp::SendError::BufferFull) {
            self.work().await;
            sent = self.socket().send_slice(datagram, server);
        }
        let never_fits = datagram.len() > self.socket().payload_send_capacity();
        self.work().await;
        if never_fits { sent } else { sent.or_else(lost) }
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, udp::SendError> {
        loop {
            self.work().await;
            if let Some(len) = self.take(buffer) {
                return Ok(len);
            }
            // Until a frame comes, or smoltcp has something to do: to ask for a neighbour again, say.
            let next = self.interface.poll_at(instant(&self.clock), &self.sockets);
            let timer = async {
                match next {
                    Some(next) => self.clock.sleep_until(of_the_client(next)).await,
                    None => pending().await,
                }
            };
            first(self.wire.ready(), timer).await;
        }
    }
}

fn lost(error: udp::SendError) -> Result<(), udp::SendError> {
    if error == udp::SendError::BufferFull { Ok(()) } else { Err(error) }
}

fn instant(clock: &impl Clock) -> Instant {
    Instant::from_micros(i64::try_from(clock.now().as_micros()).unwrap_or(i64::MAX))
}

fn of_the_client(instant: Instant) -> sedge_time::Instant {
    sedge_time::Instant::from_micros(u64::try_from(instant.total_micros()).unwrap_or(0))
}

/// Waits for whichever comes first.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await;
}
