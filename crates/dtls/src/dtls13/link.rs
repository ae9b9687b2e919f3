//! The half of a handshake that does not know what the messages mean: the outgoing flight, its timer, and the ACKs of
//! what comes in (RFC 9147 sections 5.8 and 7).

use sedge_crypto::Crypto;
use sedge_time::{Duration, Instant};

use super::ack::{self, ACK_HEADER, RecordNumber};
use super::epoch::Sealer;
use super::flight::{Flight, Outlet};
use crate::alert::{Alert, AlertDescription};
use crate::discard::Discard;
use crate::handshake::flight::write_plaintext;
use crate::handshake::inbox::Early;
use crate::handshake::timer::{Expiry, Timer};
use crate::handshake::{Failure, Progress, Transport};
use crate::profile::Buffer;
use crate::record::ContentType;
use crate::replay::ReplayWindow;
use crate::wire::Writer;

/// Sends flights that fit into `B`.
#[derive(Debug)]
pub(crate) struct Link<B> {
    pub(crate) flight: Flight<B>,
    pub(crate) timer: Timer,
    pub(crate) received: Received,
    mtu: u16,
    /// How long a flight may be incomplete before what there is of it is acknowledged: a quarter of the first wait
    /// (RFC 9147 section 7.1).
    pause: Duration,
    /// The next record's sequence number in epoch 0.
    pub(crate) sequence: u64,
    /// When the flight was sent, as far as ACKs are concerned.
    sent: Instant,
    /// What to say before it is over.
    alert: Option<Alert>,
    failure: Option<Failure>,
}

impl<B: Buffer> Link<B> {
    pub(crate) fn new(transport: &Transport, sequence: u64) -> Self {
        Self {
            flight: Flight::new(),
            timer: Timer::new(transport.retransmission),
            received: Received::default(),
            mtu: transport.mtu.max(Transport::MIN_MTU),
            pause: transport.retransmission.initial.fraction(1, 4),
            sequence,
            sent: Instant::EPOCH,
            alert: None,
            failure: None,
        }
    }

    pub(crate) const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Ends the handshake, after saying `alert`.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn fail(&mut self, failure: Failure) -> Progress {
        self.alert = match failure {
            Failure::Aborted(description) => Some(Alert::fatal(description)),
            Failure::TimedOut | Failure::Refused(_) => None,
        };
        self.failure = Some(failure);
        self.timer.stop();
        self.received.clear();
        self.flight.clear();
        Progress::Failed(failure)
    }

    pub(crate) fn abort(&mut self, description: AlertDescription) -> Progress {
        self.fail(Failure::Aborted(description))
    }

    /// A new flight goes out, which is an answer to all that came in.
    pub(crate) fn start(&mut self, now: Instant) {
        self.received.clear();
        self.sent = now;
        self.timer.start(now);
    }

    /// A new flight goes out, without new patience.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.received.clear();
        self.sent = now;
        self.timer.resume(now);
    }

    /// Whether all of the flight has arrived.
    pub(crate) fn has_arrived(&self, sealer: &Sealer) -> bool {
        self.flight.has_arrived(sealer.cid.len(), sealer.aead.tag_len())
    }

    /// When something is to be done without a record coming in.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.timer.deadline(), self.received.due].into_iter().flatten().min()
    }

    /// The timer's turn.
    pub(crate) fn expire(&mut self, now: Instant) -> Expiry {
        self.received.expire(now);
        let expiry = self.timer.expire(now);
        if expiry == Expiry::SendAgain {
            self.sent = now;
            self.flight.rewind();
        }
        expiry
    }

    /// The peer repeated the end of its flight: unless it is known to have some of ours, that was lost
    /// (RFC 9147 section 5.8.1).
    pub(crate) fn repeat(&mut self, now: Instant) {
        if !self.flight.has_arrived_in_part() && self.timer.repeat(now) {
            self.sent = now;
            self.flight.rewind();
        }
    }

    /// An authentic ACK: what it names is not sent again, and what it leaves out is, once for each ACK that says
    /// something new. Right after sending, what comes behind the last thing named may still be on its way.
    pub(crate) fn acknowledged(&mut self, now: Instant, body: &[u8]) -> Result<(), Discard> {
        let numbers = ack::parse(body).ok_or(Discard::MalformedContent)?;
        if self.flight.acknowledge(numbers) {
            match now.saturating_since(self.sent) >= self.pause {
                true => self.flight.rewind(),
                false => self.flight.fill_gaps(),
            }
        }
        Ok(())
    }

    /// A record with handshake messages was taken in that did not end the peer's flight: if nothing else comes, it is to
    /// be acknowledged after a pause.
    pub(crate) fn note(&mut self, now: Instant, number: RecordNumber) {
        self.received.note(number, now + self.pause);
    }

    /// The same, if all of the record is here to stay. What came ahead of its turn and is here waits for the pause too,
    /// for datagrams overtake each other; what could not be kept is asked for at once (RFC 9147 section 7.1).
    pub(crate) fn note_arrival(&mut self, now: Instant, number: RecordNumber, arrival: &Arrival) {
        if !arrival.unused {
            self.note(now, number);
        } else if arrival.loose {
            let _ = self.received.loose.accept(number.sequence);
        }
        if arrival.lost {
            let _ = self.received.disrupted();
        }
    }

    /// As much of `buf` as may be one datagram.
    pub(crate) fn datagram<'b>(&self, buf: &'b mut [u8]) -> &'b mut [u8] {
        let len = buf.len().min(usize::from(self.mtu));
        buf.get_mut(..len).unwrap_or_default()
    }

    /// Writes the next datagram.
    pub(crate) fn poll_transmit<C: Crypto>(
        &mut self,
        crypto: &C,
        mut sealer: Option<&mut Sealer>,
        buf: &mut [u8],
    ) -> Option<usize> {
        if let Some(alert) = self.alert.take() {
            let alert = alert.to_bytes();
            return match &mut sealer {
                Some(sealer) => {
                    buf.get_mut(sealer.headroom(false)..)?.get_mut(..alert.len())?.copy_from_slice(&alert);
                    sealer.seal(crypto, ContentType::ALERT, buf, alert.len(), false)
                }
                None => write_plaintext(&mut self.sequence, ContentType::ALERT, &alert, buf),
            };
        }
        if let Some(sealer) = &mut sealer
            && self.received.is_due()
        {
            let room = buf.len().min(usize::from(self.mtu)).saturating_sub(sealer.overhead());
            let (numbers, _) = self.received.next_numbers(room.min(self.flight.record_limit()));
            let mut out = Writer::new(buf.get_mut(sealer.headroom(false)..)?);
            ack::write(&mut out, numbers);
            let len = out.finish()?;
            return sealer.seal(crypto, ContentType::ACK, buf, len, false);
        }
        let buf = self.datagram(buf);
        let mut outlet = Outlet { crypto, sequence: &mut self.sequence, sealer };
        self.flight.write_datagram(&mut outlet, buf)
    }
}

/// What the fragments in one record of the peer's flight came to.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// Whether one came ahead of its turn and could not be kept: those before it may be lost.
    lost: bool,
    /// Whether one is not here to stay, so that the record is not to be acknowledged (RFC 9147 section 7).
    unused: bool,
    /// Whether all that are not are at least here.
    loose: bool,
}

impl Arrival {
    pub(crate) fn note(&mut self, outcome: Result<Progress, Discard>) {
        self.unused |= !matches!(outcome, Ok(_) | Err(Discard::HandshakeRepeated));
        self.loose &= !self.lost && matches!(outcome, Ok(_) | Err(Discard::HandshakeEarly));
    }

    /// What a fragment that came ahead of its turn came to.
    pub(crate) fn early(&mut self, early: Early) -> Result<Progress, Discard> {
        match early {
            Early::Settled => return Ok(Progress::Continue),
            Early::Loose => self.loose = true,
            Early::Dropped => self.lost = true,
        }
        Err(Discard::HandshakeEarly)
    }
}

/// The records of the peer's flight that were taken in: of the last 64 in either epoch.
#[derive(Debug, Default)]
pub(crate) struct Received {
    clear: ReplayWindow,
    sealed: ReplayWindow,
    /// Those whose messages wait for their turn and may have to give way: not to be acknowledged before it comes.
    loose: ReplayWindow,
    /// When to acknowledge the others.
    due: Option<Instant>,
    overdue: bool,
    /// How many the ACK has named already, which takes more than one datagram.
    named: u8,
}

impl Received {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn note(&mut self, number: RecordNumber, due: Instant) {
        let window = if number.epoch == 0 { &mut self.clear } else { &mut self.sealed };
        let _ = window.accept(number.sequence);
        let due = self.due.map_or(due, |earlier| earlier.min(due));
        self.due = Some(due);
    }

    /// The flight is complete: what waited for its turn has had it.
    pub(crate) fn complete(&mut self) {
        let windows = [ReplayWindow::default(), core::mem::take(&mut self.loose)];
        for number in (Numbers { windows, at: 0, skip: 0, left: u8::MAX }) {
            let _ = self.sealed.accept(number.sequence);
        }
    }

    /// Something shows that records were lost: acknowledges what there is. Returns whether there is anything.
    pub(crate) fn disrupted(&mut self) -> bool {
        self.overdue |= self.clear.seen != 0 || self.sealed.seen != 0;
        self.overdue
    }

    fn expire(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.overdue = true;
        }
    }

    const fn is_due(&self) -> bool {
        self.overdue
    }

    /// As many of them as an ACK names that has room for so many bytes, in increasing order; and whether these are the
    /// last.
    pub(crate) fn next_numbers(&mut self, room: usize) -> (Numbers, bool) {
        let fits =
            u8::try_from(room.saturating_sub(ACK_HEADER) / RecordNumber::LEN).unwrap_or(u8::MAX).max(1);
        let count = (self.clear.seen.count_ones() + self.sealed.seen.count_ones()) as u8;
        let numbers = Numbers { windows: [self.clear, self.sealed], at: 0, skip: self.named, left: fits };
        self.named = self.named.saturating_add(fits);
        let last = self.named >= count;
        if last {
            (self.due, self.overdue, self.named) = (None, false, 0);
        }
        (numbers, last)
    }
}

/// Record numbers of epochs 0 and 2, in increasing order.
pub(crate) struct Numbers {
    windows: [ReplayWindow; 2],
    /// How many places of the windows, the oldest first, were looked at.
    at: u8,
    /// How many numbers are passed over, and how many may follow.
    skip: u8,
    left: u8,
}

impl Iterator for Numbers {
    type Item = RecordNumber;

    fn next(&mut self) -> Option<RecordNumber> {
        while self.left > 0 {
            let (window, place) = (self.at / ReplayWindow::SIZE as u8, self.at % ReplayWindow::SIZE as u8);
            let ReplayWindow { highest, seen } = *self.windows.get(usize::from(window))?;
            self.at += 1;
            let age = ReplayWindow::SIZE - 1 - u64::from(place);
            if seen & (1 << age) == 0 {
                continue;
            }
            if self.skip == 0 {
                self.left -= 1;
                let epoch = if window == 0 { 0 } else { 2 };
                return Some(RecordNumber { epoch, sequence: highest.saturating_sub(age) });
            }
            self.skip -= 1;
        }
        None
    }
}
