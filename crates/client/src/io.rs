//! What the asynchronous client asks of its surroundings.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use sedge_time::Instant;

/// A socket that is connected to one server. It need not say where a datagram comes from: whatever no session
/// explains is dropped.
///
/// On an nRF chip, over the UDP socket of `embassy-net`:
///
/// ```ignore
/// struct Radio<'s> {
///     socket: embassy_net::udp::UdpSocket<'s>,
///     broker: embassy_net::IpEndpoint,
/// }
///
/// impl Datagram for Radio<'_> {
///     type Error = embassy_net::udp::SendError;
///
///     async fn send(&mut self, datagram: &[u8]) -> Result<(), Self::Error> {
///         self.socket.send_to(datagram, self.broker).await
///     }
///
///     async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
///         loop {
///             // What others send is not even looked at.
///             match self.socket.recv_from(buffer).await {
///                 Ok((len, from)) if from.endpoint == self.broker => return Ok(len),
///                 _ => {}
///             }
///         }
///     }
/// }
/// ```
#[expect(async_fn_in_trait, reason = "whether the futures can move between threads is up to the implementor")]
pub trait Datagram {
    /// What the network says when it refuses.
    type Error;

    /// Sends one datagram.
    ///
    /// # Errors
    /// The network refused. A datagram that is lost on the way is no error.
    async fn send(&mut self, datagram: &[u8]) -> Result<(), Self::Error>;

    /// Waits for one datagram and returns its length. Dropping the future must not lose one; what does not fit
    /// the buffer is cut off or dropped.
    ///
    /// # Errors
    /// The network refused.
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error>;
}

/// A clock that never goes back, and can be waited on. It has to go on in sleep.
///
/// On an nRF chip, over `embassy-time`, whose driver is the counter of the low-frequency crystal:
///
/// ```ignore
/// struct Rtc;
///
/// impl Clock for Rtc {
///     fn now(&self) -> Instant {
///         Instant::from_micros(embassy_time::Instant::now().as_micros())
///     }
///
///     async fn sleep_until(&mut self, deadline: Instant) {
///         embassy_time::Timer::at(embassy_time::Instant::from_micros(deadline.as_micros())).await;
///     }
/// }
/// ```
#[expect(async_fn_in_trait, reason = "whether the futures can move between threads is up to the implementor")]
pub trait Clock {
    /// The time.
    fn now(&self) -> Instant;

    /// Waits until `deadline`.
    async fn sleep_until(&mut self, deadline: Instant);
}

/// One of two outcomes.
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Waits for whichever comes first, and drops the other.
pub(crate) async fn either<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(outcome));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}
