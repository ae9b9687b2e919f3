//! One server and its clients, for looking at the server with other tools.

use std::path::PathBuf;

use crate::Settings;
use crate::contender::Contender;
use crate::peers::Peer;
use crate::pki::Pki;
use crate::process::{ServerProcess, Surroundings};
use crate::scenario::{Auth, Scenario};

/// Which handshakes, and how they are looked at.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Profile {
    /// `endpoint`, `broker`, or a peer's name.
    #[arg(default_value = "endpoint")]
    server: String,
    /// How the two sides know each other.
    #[arg(long, default_value = "psk")]
    auth: Auth,
    /// Resumes sessions instead of beginning them.
    #[arg(long)]
    resume: bool,
    /// Speaks DTLS 1.3.
    #[arg(long)]
    dtls_1_3: bool,
    /// Handshakes.
    #[arg(long, default_value_t = 1000)]
    count: u32,
    /// Runs the server under this command, for instance "perf record -g -o perf.data".
    #[arg(long, value_name = "COMMAND")]
    under: Option<String>,
    /// The program that has the servers, if not this one: to see what a change brought.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Profile {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), String> {
        let words = self.under.as_deref().unwrap_or_default().split_whitespace();
        let under = words.map(str::to_owned).collect();
        Surroundings { under, program: self.program.clone(), meter: None }.use_for_all();
        let Self { auth, resume, dtls_1_3, count, .. } = *self;
        let scenario = Scenario { auth, resume, dtls_1_3 };
        let pki = Pki::new(settings)?;
        let mut contender = match self.server.as_str() {
            "broker" => Contender::new(settings, scenario, &pki, "broker", ServerProcess::broker()?)?,
            "endpoint" => {
                let server = ServerProcess::endpoint(&pki, scenario)?;
                Contender::new(settings, scenario, &pki, "endpoint", server)?
            }
            name => {
                let peers = Peer::of(scenario).iter();
                let peer = peers.copied().find(|peer| peer.name().eq_ignore_ascii_case(name));
                let peer = peer.ok_or_else(|| format!("no peer {name:?} does that"))?;
                Contender::peer(settings, scenario, &pki, peer)?
            }
        };
        contender.prepare(count)?;
        let seconds = contender.repeat(count)?;
        println!("{count} handshakes took {:.2} us each of the server", seconds * 1e6 / f64::from(count));
        Ok(())
    }
}
