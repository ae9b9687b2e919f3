//! A server and its clients, which make handshakes with it when it is their turn.

use crate::Settings;
use crate::bare::{Pattern, Walk};
use crate::cpu::Samples;
use crate::fleet::Fleet;
use crate::generator::{Bytes, Generator};
use crate::meter::Counts;
use crate::peers::Peer;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;
use crate::serve::IDENTITY;

/// One server, kept over all repetitions: handshakes from addresses it has not seen, then goodbye to all.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) server: ServerProcess,
    clients: Clients,
    resume: bool,
    /// Handshakes per second of the server's CPU time.
    pub(crate) rates: Samples,
    /// Microseconds of it for a handshake, those in the calls that wait, receive and send left out.
    pub(crate) own_micros: Samples,
    /// How many handshakes were metered last, and those calls.
    counted: Option<(u32, Counts)>,
    /// What the last repetition took of the network.
    pub(crate) bytes: Option<Bytes>,
}

/// Whose clients they are.
enum Clients {
    Ours(Fleet),
    Theirs(Generator),
    /// Without DTLS.
    Bare(Walk),
}

impl Contender {
    /// With the clients that the scenario asks for.
    pub(crate) fn new(
        settings: &Settings,
        scenario: Scenario,
        pki: &Pki,
        name: &'static str,
        server: ServerProcess,
    ) -> Result<Self, String> {
        let clients = if scenario == Scenario::PSK {
            Clients::Ours(Fleet::new(server.address, IDENTITY).map_err(|error| error.to_string())?)
        } else {
            Clients::Theirs(Generator::start(settings, server.address, scenario, pki)?)
        };
        Ok(Self::with_clients(name, server, clients, scenario.resume))
    }

    fn with_clients(name: &'static str, server: ServerProcess, clients: Clients, resume: bool) -> Self {
        let (rates, own_micros) = (Samples::default(), Samples::default());
        Self { name, server, clients, resume, rates, own_micros, counted: None, bytes: None }
    }

    /// A server that answers as many datagrams, without DTLS.
    pub(crate) fn bare(pattern: Pattern) -> Result<Self, String> {
        let server = ServerProcess::ours(&["bare"])?;
        let walk = Walk::new(&server, pattern)?;
        Ok(Self::with_clients("bare", server, Clients::Bare(walk), false))
    }

    /// One of the others.
    pub(crate) fn peer(
        settings: &Settings,
        scenario: Scenario,
        pki: &Pki,
        peer: Peer,
    ) -> Result<Self, String> {
        let server = peer.serve(settings, scenario, pki)?;
        Self::new(settings, scenario, pki, peer.name(), server)
    }

    /// Makes the sessions that the repetitions resume, if they do.
    pub(crate) fn prepare(&mut self, count: u32) -> Result<(), String> {
        let Self { clients: Clients::Theirs(generator), resume: true, .. } = self else { return Ok(()) };
        generator.full(count).map_err(|why| format!("{}: {why}", self.name))?;
        generator.close()
    }

    /// Handshakes; what they took of the server's CPU time, in seconds.
    pub(crate) fn repeat(&mut self, count: u32) -> Result<f64, String> {
        let seconds = self.handshakes(count)?;
        self.close()?;
        Ok(seconds)
    }

    fn handshakes(&mut self, count: u32) -> Result<f64, String> {
        let Self { server, clients, resume, .. } = self;
        let (seconds, outcome) = server.cpu_seconds(|| match clients {
            Clients::Ours(fleet) => {
                let (sent, received) = fleet.handshake_bytes;
                fleet.connect(count)?;
                let (sent_in_all, received_in_all) = fleet.handshake_bytes;
                Ok(Bytes { sent: sent_in_all - sent, received: received_in_all - received })
            }
            Clients::Theirs(generator) if *resume => generator.again(count),
            Clients::Theirs(generator) => generator.full(count),
            Clients::Bare(walk) => walk.run(count).map(|()| Bytes { sent: 0, received: 0 }),
        })?;
        self.bytes = Some(outcome.map_err(|why: String| format!("{}: {why}", self.name))?);
        Ok(seconds)
    }

    fn close(&mut self) -> Result<(), String> {
        match &mut self.clients {
            Clients::Ours(fleet) => fleet.close().map_err(|error| error.to_string()),
            Clients::Theirs(generator) => generator.close(),
            Clients::Bare(_) => Ok(()),
        }
    }

    /// Handshakes of which only what passes in the server's own code counts.
    pub(crate) fn metered(&mut self, count: u32) -> Result<(), String> {
        self.server.start_meter()?;
        let seconds = self.handshakes(count);
        let counts = self.server.stop_meter()?;
        self.close()?;
        let (seconds, Some(counts)) = (seconds?, counts) else { return Ok(()) };
        let own = seconds * 1e6 - counts.nanoseconds as f64 / 1e3;
        self.own_micros.push(own / f64::from(count));
        self.counted = Some((count, counts));
        Ok(())
    }

    /// What its handshakes looked like from the network.
    pub(crate) fn pattern(&self) -> Option<Pattern> {
        let ((count, counts), bytes) = (self.counted?, self.bytes?);
        let each = |datagrams: u64| (datagrams as f64 / f64::from(count)).round() as u32;
        let count = u64::from(count);
        Some(Pattern::new(
            (each(counts.received), each(counts.sent)),
            (bytes.sent / count, bytes.received / count),
        ))
    }

    /// How it used those calls, in words.
    pub(crate) fn calls(&self) -> String {
        let Some((count, Counts { calls, received, sent, nanoseconds })) = self.counted else {
            return format!("{}: not counted", self.name);
        };
        let each = |figure: u64| figure as f64 / f64::from(count);
        format!(
            "{}: {:.2} us in {:.3} system calls, {:.1} + {:.1} datagrams",
            self.name,
            each(nanoseconds) / 1e3,
            each(calls),
            each(received),
            each(sent)
        )
    }
}
