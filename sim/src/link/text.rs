//! Impairments as people write them.

use std::fmt;
use std::str::FromStr;

use sedge_time::Duration;

use super::{Bursts, Delay, Impairments, Probability};

/// Which part of a text does not describe an impairment, and what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidImpairments {
    part: String,
    expected: &'static str,
}

impl fmt::Display for InvalidImpairments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not an impairment: expected {}", self.part, self.expected)
    }
}

impl std::error::Error for InvalidImpairments {}

impl FromStr for Impairments {
    type Err = InvalidImpairments;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut impairments = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let invalid = |expected| InvalidImpairments { part: part.to_owned(), expected };
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| invalid("loss=, bursts=, duplicate=, delay=, rate=, queue= or mtu="))?;
            let value = value.trim();
            match name.trim() {
                "loss" => impairments.loss = share(value).ok_or_else(|| invalid("a share such as 20%"))?,
                "duplicate" => {
                    impairments.duplicate = share(value).ok_or_else(|| invalid("a share such as 5%"))?;
                }
                "bursts" => {
                    impairments.bursts =
                        Some(bursts(value).ok_or_else(|| invalid("three shares: begin/end/loss"))?);
                }
                "delay" => {
                    impairments.delay =
                        delay(value).ok_or_else(|| invalid("50ms, 20ms..90ms or 50ms~10ms"))?;
                }
                "rate" => {
                    let rate = rate(value).and_then(|bits| bits.try_into().ok());
                    impairments.bits_per_second =
                        Some(rate.ok_or_else(|| invalid("a rate such as 250kbit"))?);
                }
                "queue" => {
                    impairments.longest_wait = span(value).ok_or_else(|| invalid("a time such as 200ms"))?;
                }
                "mtu" => {
                    impairments.mtu =
                        Some(value.parse().map_err(|_| invalid("a number of bytes such as 1280"))?);
                }
                _ => return Err(invalid("loss=, bursts=, duplicate=, delay=, rate=, queue= or mtu=")),
            }
        }
        Ok(impairments)
    }
}

impl fmt::Display for Impairments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss={}", Share(self.loss))?;
        if let Some(Bursts { begin, end, loss }) = self.bursts {
            write!(f, ", bursts={}/{}/{}", Share(begin), Share(end), Share(loss))?;
        }
        write!(f, ", duplicate={}", Share(self.duplicate))?;
        match self.delay {
            Delay::Fixed(delay) => write!(f, ", delay={}", Span(delay))?,
            Delay::Even { from, to } => write!(f, ", delay={}..{}", Span(from), Span(to))?,
            Delay::Bell { mean, spread } => write!(f, ", delay={}~{}", Span(mean), Span(spread))?,
        }
        if let Some(rate) = self.bits_per_second {
            write!(f, ", rate={rate}bit, queue={}", Span(self.longest_wait))?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, ", mtu={mtu}")?;
        }
        Ok(())
    }
}

struct Share(Probability);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0.get() * 100.0)
    }
}

struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_micros() {
            micros if micros % 1_000 == 0 => write!(f, "{}ms", micros / 1_000),
            micros => write!(f, "{micros}us"),
        }
    }
}

fn share(text: &str) -> Option<Probability> {
    let percent: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    Probability::new(percent / 100.0)
}

fn bursts(text: &str) -> Option<Bursts> {
    let mut shares = text.split('/').map(share);
    let bursts = Bursts { begin: shares.next()??, end: shares.next()??, loss: shares.next()?? };
    shares.next().is_none().then_some(bursts)
}

fn delay(text: &str) -> Option<Delay> {
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (span(from)?, span(to)?);
        (from <= to).then_some(Delay::Even { from, to })
    } else if let Some((mean, spread)) = text.split_once('~') {
        Some(Delay::Bell { mean: span(mean)?, spread: span(spread)? })
    } else {
        span(text).map(Delay::Fixed)
    }
}

fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let units = [("us", 1), ("ms", 1_000), ("s", 1_000_000)];
    let (number, factor) =
        units.iter().find_map(|&(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    number.parse::<u64>().ok()?.checked_mul(factor).map(Duration::from_micros)
}

fn rate(text: &str) -> Option<u64> {
    let units = [("kbit", 1_000), ("mbit", 1_000_000), ("bit", 1)];
    let (number, factor) =
        units.iter().find_map(|&(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}
