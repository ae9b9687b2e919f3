//! Radios, and the channel between them.

use std::rc::Rc;

use sedge_crypto::Secret;
use sedge_time::Duration;

use super::ScenarioError;
use super::reader::Reader;
use crate::energy::Profile;
use crate::link::{Bursts, Probability};
use crate::mac::{LinkSecurity, Mac, SecurityLevel};
use crate::network::{self, Ideal, Ieee802154, Medium, NodeConfig, Role, TraceOptions};
use crate::phy::{Interferer, Loss, Phy, Propagation, ReceptionModel};
use crate::routing::Routing;

/// The key of every simulated network, for whoever looks at captures.
const LINK_KEY: [u8; 16] = *b"sedge-sim-linkey";

/// What the nodes send with, and how far it carries.
#[derive(Clone, Debug)]
pub struct Radio {
    kind: Kind,
    profile: Rc<Profile>,
    power_dbm: f64,
    role: Role,
    ideal: Ideal,
    phy: Phy,
    mac: Mac,
    routing: Routing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ideal,
    Ieee802154,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RoleKind {
    Router,
    Leaf,
    Sleepy,
}

impl Radio {
    pub(super) fn read(
        radio: &Reader<'_>,
        channel: Option<&Reader<'_>>,
        interferers: &[Reader<'_>],
    ) -> Result<Self, ScenarioError> {
        let kinds = [("ideal", Kind::Ideal), ("nrf52840", Kind::Ieee802154)];
        let kind = radio.choice("profile", Kind::Ideal, &kinds)?;
        let roles = [("router", RoleKind::Router), ("leaf", RoleKind::Leaf), ("sleepy", RoleKind::Sleepy)];
        let role = radio.choice("role", RoleKind::Router, &roles)?;
        if role != RoleKind::Sleepy && radio.has("poll") {
            return Err(
                radio.error("radio.poll is for sleepy nodes", "say `role = \"sleepy\"`, or leave it out")
            );
        }
        let role = match role {
            RoleKind::Router => Role::Router,
            RoleKind::Leaf => Role::Leaf,
            RoleKind::Sleepy => Role::Sleepy { poll: radio.or("poll", Duration::from_secs(1))? },
        };
        let mut this = Self {
            kind,
            profile: Rc::new(Profile::nrf52840()),
            power_dbm: radio.within("power", 0.0, -40.0..=20.0)?,
            role,
            ideal: Ideal::default(),
            phy: Phy::default(),
            mac: Mac::default(),
            routing: Routing::ShortestPaths,
        };
        match kind {
            Kind::Ideal => this.read_ideal(radio, channel, interferers)?,
            Kind::Ieee802154 => this.read_channel(radio, channel, interferers)?,
        }
        radio.finish()?;
        channel.map_or(Ok(()), Reader::finish)?;
        interferers.iter().try_for_each(Reader::finish)?;
        Ok(this)
    }

    fn read_ideal(
        &mut self,
        radio: &Reader<'_>,
        channel: Option<&Reader<'_>>,
        interferers: &[Reader<'_>],
    ) -> Result<(), ScenarioError> {
        if let Some(interferer) = interferers.first() {
            let help = "choose a radio, for example `profile = \"nrf52840\"`, or leave the interferers out";
            return Err(interferer.error("an ideal network has no interferers", help));
        }
        for key in ["routing", "retries", "backoffs", "acknowledge", "link-security"] {
            if radio.has(key) {
                let help = "choose a radio, for example `profile = \"nrf52840\"`";
                return Err(radio.error(format!("radio.{key} means nothing in an ideal network"), help));
            }
        }
        let Some(channel) = channel else { return Ok(()) };
        for key in ["model", "exponent", "reference", "shadowing", "asymmetry", "number", "range"] {
            if channel.has(key) {
                let help = "an ideal network has `delay` and `loss` alone; or choose a radio: `[radio] profile = \"nrf52840\"`";
                return Err(channel.error(format!("channel.{key} is for radios"), help));
            }
        }
        self.ideal.delay = channel.or("delay", self.ideal.delay)?;
        self.ideal.loss = share(channel, "loss", 0.0)?;
        Ok(())
    }

    fn read_channel(
        &mut self,
        radio: &Reader<'_>,
        channel: Option<&Reader<'_>>,
        interferers: &[Reader<'_>],
    ) -> Result<(), ScenarioError> {
        self.read_mac(radio)?;
        for interferer in interferers {
            self.phy.interferers.push(Interferer {
                position: interferer.need::<[f64; 3]>("position", "[10.0, 20.0]")?.value,
                power_dbm: interferer.within("power", 5.0, -60.0..=40.0)?,
                on: interferer.need::<Duration>("on", "\"2ms\"")?.value,
                off: interferer.need::<Duration>("off", "\"8ms\"")?.value,
            });
        }
        let Some(channel) = channel else { return Ok(()) };
        if channel.has("delay") {
            return Err(channel
                .error("channel.delay is for ideal networks", "a radio's delay follows from its frames"));
        }
        self.phy.channel = channel.within::<i64>("number", self.phy.channel.into(), 11..=26)? as u8;
        self.phy.propagation = propagation(channel)?;
        let loss = share(channel, "loss", 0.0)?;
        self.phy.loss.data = loss;
        self.phy.loss.acknowledgement = loss;
        if let Some(logistic) = channel.find::<f64>("rssi50")? {
            let scale_db = channel.within("rssi-scale", 2.0, 0.01..=20.0)?;
            self.phy.reception = ReceptionModel::Logistic { rssi50_dbm: logistic.value, scale_db };
        }
        if let Some(bursts) = channel.table("bursts")? {
            self.phy.bursts = Some(Bursts {
                begin: share(&bursts, "begin", 0.01)?,
                end: share(&bursts, "end", 0.1)?,
                loss: share(&bursts, "loss", 0.8)?,
            });
            bursts.finish()?;
        }
        Ok(())
    }

    fn read_mac(&mut self, radio: &Reader<'_>) -> Result<(), ScenarioError> {
        let ways = [("shortest-paths", true), ("star", false)];
        let many_hops = radio.choice("routing", true, &ways)?;
        self.routing = if many_hops { Routing::ShortestPaths } else { Routing::Star };
        self.mac.max_retries = radio.within::<i64>("retries", self.mac.max_retries.into(), 0..=7)? as u8;
        self.mac.max_backoffs = radio.within::<i64>("backoffs", self.mac.max_backoffs.into(), 0..=5)? as u8;
        self.mac.acknowledge = radio.or("acknowledge", true)?;
        if radio.or("link-security", false)? {
            let key = Secret::new(LINK_KEY);
            self.mac.security = Some(LinkSecurity { key, index: 1, level: SecurityLevel::EncMic32 });
        }
        Ok(())
    }

    /// The network of nodes at these places.
    pub(super) fn network(&self, positions: Vec<[f64; 3]>) -> network::Config {
        let nodes = positions.into_iter().enumerate().map(|(number, position)| NodeConfig {
            position,
            role: if number == 0 { Role::BorderRouter } else { self.role },
            profile: self.profile.clone(),
            power_dbm: self.power_dbm,
        });
        let medium = match self.kind {
            Kind::Ideal => Medium::Ideal(self.ideal),
            Kind::Ieee802154 => Medium::Ieee802154(Box::new(Ieee802154 {
                phy: self.phy.clone(),
                mac: self.mac.clone(),
                routing: self.routing.clone(),
                ..Ieee802154::default()
            })),
        };
        let trace = TraceOptions { frames: true, ..TraceOptions::default() };
        network::Config { nodes: nodes.collect(), medium, trace, ..network::Config::default() }
    }

    /// Whether there are frames on the air.
    pub(super) fn has_frames(&self) -> bool {
        self.kind == Kind::Ieee802154
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    LogDistance,
    Indoor,
    Disc,
}

fn propagation(channel: &Reader<'_>) -> Result<Propagation, ScenarioError> {
    let default = Propagation::default();
    let words = [("log-distance", Model::LogDistance), ("itu-indoor", Model::Indoor), ("disc", Model::Disc)];
    let model = channel.choice("model", Model::LogDistance, &words)?;
    let own: [(&'static str, Model); 5] = [
        ("exponent", Model::LogDistance),
        ("reference", Model::LogDistance),
        ("coefficient", Model::Indoor),
        ("storey", Model::Indoor),
        ("range", Model::Disc),
    ];
    for (key, owner) in own {
        if channel.has(key) && owner != model {
            let name = words.iter().find(|(_, model)| *model == owner).map_or("", |(word, _)| word);
            return Err(channel.error(format!("channel.{key} is of the model \"{name}\" alone"), ""));
        }
    }
    let loss = match model {
        Model::LogDistance => Loss::LogDistance {
            reference_db: channel.within("reference", 40.0, 0.0..=200.0)?,
            exponent: channel.within("exponent", 3.5, 1.0..=8.0)?,
        },
        Model::Indoor => Loss::Indoor {
            megahertz: 2_440.0,
            coefficient: channel.within("coefficient", 30.0, 10.0..=60.0)?,
            storey_m: channel.within("storey", 3.0, 1.0..=20.0)?,
        },
        Model::Disc => Loss::Disc { range_m: channel.within("range", 30.0, 0.01..=1e6)? },
    };
    let shadowing = if model == Model::Disc { 0.0 } else { default.shadowing_db };
    Ok(Propagation {
        loss,
        shadowing_db: channel.within("shadowing", shadowing, 0.0..=30.0)?,
        asymmetry_db: channel.within("asymmetry", default.asymmetry_db, 0.0..=30.0)?,
    })
}

fn share(reader: &Reader<'_>, key: &'static str, default: f64) -> Result<Probability, ScenarioError> {
    Ok(Probability::new(reader.within(key, default, 0.0..=1.0)?).unwrap_or(Probability::NEVER))
}
