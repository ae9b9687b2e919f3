//! Handshakes of one kind, by all who can: per second of CPU time, and what of that is the engines' own.

use crate::Settings;
use crate::contender::Contender;
use crate::cpu::{Samples, median};
use crate::peers::Peer;
use crate::pki::Pki;
use crate::report::{Better, Goal, Report, Row};
use crate::scenario::Scenario;

const PART: &str = "handshakes";

/// What is measured, in which words, how often, and what Sedge has to reach beside the best of the others.
pub(crate) struct Comparison {
    pub(crate) what: &'static str,
    pub(crate) scenario: Scenario,
    pub(crate) count: u32,
    pub(crate) repetitions: usize,
    pub(crate) goal: f64,
}

impl Comparison {
    /// Measures Sedge's servers, of which the goal is the first one's, beside every peer.
    pub(crate) fn run(
        &self,
        settings: &Settings,
        report: &mut Report,
        pki: &Pki,
        sedge: Vec<Contender>,
    ) -> Result<(), String> {
        let own = sedge.len();
        let mut contenders = sedge;
        for &peer in Peer::of(self.scenario) {
            match Contender::peer(settings, self.scenario, pki, peer) {
                Ok(contender) => contenders.push(contender),
                Err(why) => self.missing(report, peer.name(), why),
            }
        }
        for contender in &mut contenders {
            contender.prepare(self.count)?;
        }
        // The first round warms up.
        self.rounds(
            settings.repetitions(self.repetitions) + 1,
            own,
            &mut contenders,
            report,
            |round, contender| {
                let seconds = contender.repeat(self.count)?;
                if round > 0 {
                    contender.rates.push(f64::from(self.count) / seconds);
                }
                Ok(())
            },
        )?;
        self.rounds(
            settings.repetitions(self.repetitions.div_ceil(2)),
            own,
            &mut contenders,
            report,
            |_, contender| contender.metered(self.count),
        )?;
        let mut peers = contenders.split_off(own);
        peers.sort_by(|one, other| other.rates.median().total_cmp(&one.rates.median()));
        self.per_core(report, &contenders, &peers);
        self.own_time(report, &contenders, &mut peers);
        if let Some(first) = contenders.first_mut()
            && let Err(why) = self.floor(settings, report, first, &peers)
        {
            self.missing(report, "the bare datagrams", why);
        }
        Ok(())
    }

    fn missing(&self, report: &mut Report, name: &str, why: String) {
        report.rows.push(Row::missing(PART, format!("{}: {name}", self.what), why));
    }

    /// Lets all take turns. Without a peer that fails it goes on; without Sedge there is nothing to compare.
    fn rounds(
        &self,
        count: usize,
        own: usize,
        contenders: &mut Vec<Contender>,
        report: &mut Report,
        mut turn: impl FnMut(usize, &mut Contender) -> Result<(), String>,
    ) -> Result<(), String> {
        for round in 0..count {
            let mut index = 0;
            while let Some(contender) = contenders.get_mut(index) {
                match turn(round, contender) {
                    Ok(()) => index += 1,
                    Err(why) if index < own => return Err(why),
                    Err(why) => {
                        let name = contenders.remove(index).name;
                        self.missing(report, name, why);
                    }
                }
            }
        }
        Ok(())
    }

    /// Handshakes per second of CPU time, the kernel's for its datagrams included.
    fn per_core(&self, report: &mut Report, sedge: &[Contender], peers: &[Contender]) {
        for (rank, peer) in peers.iter().enumerate() {
            for (index, own) in sedge.iter().enumerate() {
                let what = self.named(own, sedge);
                let row =
                    Row::compare(PART, what, "/s", Better::Higher, &own.rates, (peer.name, &peer.rates));
                // What has to be reached is measured beside the best of them.
                report.rows.push(match rank == 0 && index == 0 {
                    true => row.goal(Goal::Ratio(self.goal)).note(self.bytes(own, peer)),
                    false => row,
                });
            }
        }
        for own in sedge.iter().filter(|_| peers.is_empty()) {
            let rate = median(&own.rates.0);
            report.rows.push(Row::figure(PART, self.named(own, sedge), "/s", Better::Higher, rate));
        }
    }

    /// What a handshake takes of CPU time outside of the calls that wait, receive and send.
    fn own_time(&self, report: &mut Report, sedge: &[Contender], peers: &mut [Contender]) {
        peers.sort_by(|one, other| one.own_micros.median().total_cmp(&other.own_micros.median()));
        for (rank, peer) in peers.iter().filter(|peer| !peer.own_micros.0.is_empty()).enumerate() {
            for (index, own) in sedge.iter().enumerate() {
                let what = format!(
                    "{}: CPU time of a handshake outside of the kernel's UDP",
                    self.named(own, sedge)
                );
                let (ours, theirs) = (&own.own_micros, (peer.name, &peer.own_micros));
                let row = Row::compare(PART, what, "us", Better::Lower, ours, theirs);
                report.rows.push(match rank == 0 && index == 0 {
                    true => {
                        row.goal(Goal::Ratio(self.goal)).note(format!("{}; {}", own.calls(), peer.calls()))
                    }
                    false => row,
                });
            }
        }
    }

    /// What the kernel takes for as many datagrams of as many bytes, which no engine can do without.
    fn floor(
        &self,
        settings: &Settings,
        report: &mut Report,
        sedge: &Contender,
        peers: &[Contender],
    ) -> Result<(), String> {
        let mut bare = Contender::bare(sedge.pattern().ok_or("nothing was counted")?)?;
        let mut rates = Samples::default();
        for repetition in 0..=settings.repetitions(self.repetitions) {
            let seconds = bare.repeat(self.count)?;
            if repetition > 0 {
                rates.push(f64::from(self.count) / seconds);
            }
        }
        let what = format!("{}: the same datagrams without DTLS, the least that the kernel takes", self.what);
        let row = Row::compare(PART, what, "/s", Better::Higher, &sedge.rates, ("echo", &rates));
        let best = peers.iter().max_by(|one, other| one.rates.median().total_cmp(&other.rates.median()));
        report.rows.push(match best {
            Some(best) => row.note(format!(
                "an engine that took no time at all would be {:.2} times {}",
                rates.median() / best.rates.median(),
                best.name
            )),
            None => row,
        });
        Ok(())
    }

    /// Which server of ours, where there are several.
    fn named(&self, own: &Contender, sedge: &[Contender]) -> String {
        if sedge.len() > 1 { format!("{} ({})", self.what, own.name) } else { self.what.into() }
    }

    /// What a handshake took of the network, which the two need not agree on.
    fn bytes(&self, sedge: &Contender, peer: &Contender) -> String {
        let each = |contender: &Contender| {
            let count = u64::from(self.count);
            contender.bytes.map_or("unknown".into(), |bytes| {
                format!("{} + {} B", bytes.sent / count, bytes.received / count)
            })
        };
        format!(
            "a handshake took {} of UDP payload (to and from the server), {}'s {}",
            each(sedge),
            peer.name,
            each(peer)
        )
    }
}
