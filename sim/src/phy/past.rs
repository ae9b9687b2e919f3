//! What is on the air, and what was, as far back as it decides what a receiver hears now.

use sedge_time::{Duration, Instant};

use super::{BYTE, HEADER_BYTES, Transmission, Wanted};
use crate::network::Cut;

/// Everything on the air with what it overlapped, in the order in which it began.
#[derive(Debug, Default)]
pub(super) struct Past {
    emissions: Vec<Emission>,
    /// Counts beginnings and ends, those of one instant too.
    order: Order,
    /// What has ended before is not here.
    since: Order,
    /// The numbers and rows of what is on the air.
    on_air: Vec<(Order, usize)>,
    /// When it is time to [`forget`](Self::forget).
    full: usize,
}

/// A place among all beginnings and ends.
pub(super) type Order = u64;

/// Something that is or was on the air. Its number is the place of its beginning.
#[derive(Debug)]
pub(super) struct Emission {
    pub(super) number: Order,
    /// [`Order::MAX`] until it has ended.
    ended: Order,
    pub(super) at: Instant,
    pub(super) sent: Transmission,
    pub(super) cut: Cut,
}

/// How much is kept, beside what is on the air.
const KEPT: usize = 64;

impl Past {
    pub(super) fn begin(&mut self, at: Instant, sent: Transmission, cut: Cut) -> Order {
        self.order += 1;
        let number = self.order;
        self.on_air.push((number, sent.row));
        self.emissions.push(Emission { number, ended: Order::MAX, at, sent, cut });
        number
    }

    pub(super) fn end(&mut self, number: Order) -> Option<Transmission> {
        self.order += 1;
        let ended = self.order;
        let place = self.place(number)?;
        self.on_air.retain(|present| present.0 != number);
        let emission = &mut self.emissions[place];
        emission.ended = ended;
        let sent = emission.sent.clone();
        if self.on_air.is_empty() {
            self.forget();
        }
        Some(sent)
    }

    fn place(&self, number: Order) -> Option<usize> {
        self.emissions.binary_search_by_key(&number, |emission| emission.number).ok()
    }

    pub(super) fn emission(&self, number: Order) -> Option<&Emission> {
        self.place(number).map(|place| &self.emissions[place])
    }

    /// The newest place.
    pub(super) const fn now(&self) -> Order {
        self.order
    }

    /// Whoever is not known since then has locked on nothing then.
    pub(super) const fn since(&self) -> Order {
        self.since
    }

    /// Rows of everything on the air.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.on_air.iter().map(|present| present.1)
    }

    /// Rows of everything that was on the air when this one began.
    pub(super) fn rows_before(&self, emission: &Emission) -> impl Iterator<Item = usize> {
        let began = emission.number;
        let earlier = self.emissions.iter().take_while(move |other| other.number < began);
        earlier.filter(move |other| other.ended > began).map(|other| other.sent.row)
    }

    /// Everything since then that hangs together, up to now, for somebody who can lock on what `noticed` says.
    pub(super) fn chain(&self, since: Order, noticed: impl Fn(&Emission) -> bool) -> &[Emission] {
        let first = self.emissions.partition_point(|emission| emission.number <= since);
        let later = &self.emissions[first..];
        let (mut begin, mut began) = (later.len(), self.order);
        for (place, emission) in later.iter().enumerate().rev() {
            if emission.ended > began && noticed(emission) {
                (begin, began) = (place, emission.number);
            }
        }
        &later[begin..]
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.on_air.is_empty()
    }

    /// Whether so much has ended that it is to be forgotten, once what it decided is known.
    pub(super) const fn is_full(&self) -> bool {
        self.emissions.len() > self.full
    }

    /// Forgets what has ended.
    pub(super) fn forget(&mut self) {
        self.emissions.retain(Emission::is_on_air);
        self.full = 4 * self.emissions.len() + KEPT;
        self.since = self.order;
    }
}

impl Emission {
    pub(super) const fn is_on_air(&self) -> bool {
        self.ended == Order::MAX
    }

    /// Whether it is a frame, on which a receiver can lock.
    pub(super) fn is_frame(&self) -> bool {
        self.sent.wanted != Wanted::Nobody
    }

    pub(super) fn ended_before(&self, other: &Self) -> bool {
        self.ended < other.number
    }

    /// When its preamble and length are over.
    pub(super) fn first_bit(&self) -> Instant {
        self.at + BYTE.saturating_mul(HEADER_BYTES)
    }

    /// Until when a stronger one can take a receiver from it.
    pub(super) fn yields_until(&self) -> Instant {
        self.first_bit() - Duration::from_micros(32)
    }
}
