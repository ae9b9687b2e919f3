//! Radios, and the channel between them.

use std::rc::Rc;

use sedge_crypto::Secret;
use sedge_time::Duration;

use super::ScenarioError;
use super::access;
use super::noise;
use super::reader::Reader;
use crate::adaptation::{Adaptation, Forwarding};
use crate::energy::Profile;
use crate::kernel::{Purpose, Streams};
use crate::link::{Bursts, Probability};
use crate::mac::{LinkSecurity, Mac, SecurityLevel, TURNAROUND};
use crate::network::{self, Ideal, Ieee802154, Medium, NodeConfig, NodeId, Role, TraceOptions};
use crate::phy::{Interferer, Loss, Phy, Propagation, ReceptionModel};
use crate::routing::{Objective, Routing, RplConfig};

/// The key of every simulated network, for whoever looks at captures.
const LINK_KEY: [u8; 16] = *b"sedge-sim-linkey";

/// What the nodes send with, and what is between them.
#[derive(Clone, Debug)]
pub struct Radio {
    profile: Rc<Profile>,
    power_dbm: f64,
    /// Clocks are off by up to so many millionths.
    clock_ppm: f64,
    role: Role,
    medium: Medium,
}

/// The sections that say what is between the nodes.
pub(super) struct Sections<'t> {
    /// Where the files are that the scenario names.
    pub(super) folder: &'t std::path::Path,
    pub(super) radio: Reader<'t>,
    pub(super) channel: Reader<'t>,
    pub(super) interferers: Vec<Reader<'t>>,
    pub(super) ble: Reader<'t>,
    pub(super) cellular: Reader<'t>,
}

/// The radios by their names in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ideal,
    Nrf52840,
    Nrf54l15,
    Ble,
    LteM,
    NbIot,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RoleKind {
    Router,
    Leaf,
    Sleepy,
}

#[derive(Clone, Copy)]
enum Way {
    Shortest,
    Star,
    Rpl(Objective),
}

impl Radio {
    pub(super) fn read(sections: &Sections<'_>) -> Result<Self, ScenarioError> {
        let radio = &sections.radio;
        let kinds = [
            ("ideal", Kind::Ideal),
            ("nrf52840", Kind::Nrf52840),
            ("nrf54l15", Kind::Nrf54l15),
            ("nrf52840-ble", Kind::Ble),
            ("nrf9160-ltem", Kind::LteM),
            ("nrf9160-nbiot", Kind::NbIot),
        ];
        let kind = radio.choice("profile", Kind::Ideal, &kinds)?;
        sections.check(kind)?;
        let (profile, medium) = match kind {
            Kind::Ideal => (Profile::nrf52840(), Medium::Ideal(ideal(&sections.channel)?)),
            Kind::Nrf52840 => (Profile::nrf52840(), Medium::Ieee802154(Box::new(frames(sections)?))),
            Kind::Nrf54l15 => (Profile::nrf54l15(), Medium::Ieee802154(Box::new(frames(sections)?))),
            Kind::Ble => (Profile::nrf52840_ble(), Medium::Ble(access::ble(sections)?)),
            Kind::LteM => (Profile::nrf9160_lte_m(), Medium::Cellular(access::cellular(sections, false)?)),
            Kind::NbIot => (Profile::nrf9160_nb_iot(), Medium::Cellular(access::cellular(sections, true)?)),
        };
        let this = Self {
            profile: Rc::new(profile),
            power_dbm: radio.within("power", 0.0, -40.0..=23.0)?,
            clock_ppm: radio.within("clock-ppm", 0.0, 0.0..=1_000.0)?,
            role: role(radio, kind)?,
            medium,
        };
        sections.finish()?;
        Ok(this)
    }

    /// The network of nodes at these places.
    pub(super) fn network(&self, positions: Vec<[f64; 3]>) -> network::Config {
        let nodes = positions.into_iter().enumerate().map(|(number, position)| NodeConfig {
            position,
            role: if number == 0 { Role::BorderRouter } else { self.role },
            profile: self.profile.clone(),
            power_dbm: self.power_dbm,
            ..NodeConfig::default()
        });
        let trace = TraceOptions { frames: true, ..TraceOptions::default() };
        network::Config {
            nodes: nodes.collect(),
            medium: self.medium.clone(),
            trace,
            ..network::Config::default()
        }
    }

    /// Whether the devices sleep between polls.
    pub(super) const fn sleeps(&self) -> bool {
        matches!(self.role, Role::Sleepy { .. })
    }

    /// Gives each device a clock of its own, of which it says by how many millionths it is fast.
    pub(super) fn set_clocks(&self, seed: u64, network: &mut network::Config) -> Vec<(NodeId, f64)> {
        if self.clock_ppm == 0.0 {
            return Vec::new();
        }
        let streams = Streams::new(seed);
        let ppm = |node: u16| self.clock_ppm * (2.0 * streams.unit(Purpose::NODE, node.into(), 1) - 1.0);
        let clocks: Vec<_> = (1..network.nodes.len() as u16).map(|node| (NodeId(node), ppm(node))).collect();
        for (node, ppm) in &clocks {
            network.nodes[node.index()].clock_ppm = *ppm;
        }
        clocks
    }

    /// The text of the scenario with what was read from files of this section's.
    pub(super) fn portable(&self, text: &str) -> String {
        match &self.medium {
            Medium::Ieee802154(medium) => noise::portable(&medium.phy.noise, text),
            _ => text.into(),
        }
    }

    /// Whether there are frames on the air.
    pub(super) fn has_frames(&self) -> bool {
        matches!(self.medium, Medium::Ieee802154(_))
    }
}

impl Sections<'_> {
    /// Refuses what means nothing with this kind of radio.
    fn check(&self, kind: Kind) -> Result<(), ScenarioError> {
        let frames = matches!(kind, Kind::Nrf52840 | Kind::Nrf54l15);
        let help =
            "choose a radio that has it, for example `[radio] profile = \"nrf52840\"`, or leave it out";
        if let Some(interferer) = self.interferers.first().filter(|_| !frames) {
            return Err(interferer.error("interferers are for radios of IEEE 802.15.4", help));
        }
        if !self.ble.is_empty() && kind != Kind::Ble {
            return Err(self.ble.error("[ble] is for `profile = \"nrf52840-ble\"`", ""));
        }
        if !self.cellular.is_empty() && !matches!(kind, Kind::LteM | Kind::NbIot) {
            return Err(self.cellular.error("[cellular] is for `nrf9160-ltem` and `nrf9160-nbiot`", ""));
        }
        if frames {
            if self.channel.has("delay") {
                let help = "a radio's delay follows from its frames";
                return Err(self.channel.error("channel.delay is for ideal networks", help));
            }
            return Ok(());
        }
        for key in [
            "role",
            "poll",
            "routing",
            "retries",
            "backoffs",
            "acknowledge",
            "link-security",
            "fragments",
            "switching",
        ] {
            if self.radio.has(key) {
                return Err(self.radio.error(format!("radio.{key} is for radios of IEEE 802.15.4"), help));
            }
        }
        for key in [
            "model",
            "exponent",
            "reference",
            "coefficient",
            "storey",
            "range",
            "shadowing",
            "asymmetry",
            "number",
            "rssi50",
            "bursts",
            "noise",
        ] {
            if self.channel.has(key) {
                return Err(self
                    .channel
                    .error(format!("channel.{key} is for radios of IEEE 802.15.4"), help));
            }
        }
        if kind != Kind::Ideal && self.channel.has("delay") {
            return Err(self.channel.error("channel.delay is for ideal networks", ""));
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), ScenarioError> {
        let all = [&self.radio, &self.channel, &self.ble, &self.cellular];
        all.into_iter().chain(&self.interferers).try_for_each(Reader::finish)
    }
}

fn role(radio: &Reader<'_>, kind: Kind) -> Result<Role, ScenarioError> {
    let roles = [("router", RoleKind::Router), ("leaf", RoleKind::Leaf), ("sleepy", RoleKind::Sleepy)];
    let role = radio.choice("role", RoleKind::Router, &roles)?;
    if role != RoleKind::Sleepy && radio.has("poll") {
        return Err(radio.error("radio.poll is for sleepy nodes", "say `role = \"sleepy\"`, or leave it out"));
    }
    Ok(match role {
        _ if matches!(kind, Kind::Ble | Kind::LteM | Kind::NbIot) => Role::Leaf,
        RoleKind::Router => Role::Router,
        RoleKind::Leaf => Role::Leaf,
        RoleKind::Sleepy => Role::Sleepy { poll: radio.or("poll", Duration::from_secs(1))? },
    })
}

fn ideal(channel: &Reader<'_>) -> Result<Ideal, ScenarioError> {
    let default = Ideal::default();
    Ok(Ideal { delay: channel.or("delay", default.delay)?, loss: share(channel, "loss", 0.0)? })
}

fn frames(sections: &Sections<'_>) -> Result<Ieee802154, ScenarioError> {
    let radio = &sections.radio;
    let ways = [
        ("shortest-paths", Way::Shortest),
        ("star", Way::Star),
        ("rpl-of0", Way::Rpl(Objective::Of0)),
        ("rpl-mrhof", Way::Rpl(Objective::Mrhof)),
    ];
    let routing = match radio.choice("routing", Way::Shortest, &ways)? {
        Way::Shortest => Routing::ShortestPaths,
        Way::Star => Routing::Star,
        Way::Rpl(objective) => Routing::Rpl(RplConfig { objective, ..RplConfig::default() }),
    };
    let fragments = [
        ("reassemble", Forwarding::Reassemble),
        ("forward", Forwarding::Fragments),
        ("recover", Forwarding::Recover),
    ];
    let forwarding = radio.choice("fragments", Forwarding::Reassemble, &fragments)?;
    let adaptation = Adaptation { forwarding, ..Adaptation::default() };
    Ok(Ieee802154 { phy: phy(sections)?, mac: mac(radio)?, adaptation, routing, ..Ieee802154::default() })
}

fn mac(radio: &Reader<'_>) -> Result<Mac, ScenarioError> {
    let mut mac = Mac::default();
    mac.max_retries = radio.within::<i64>("retries", mac.max_retries.into(), 0..=7)? as u8;
    mac.max_backoffs = radio.within::<i64>("backoffs", mac.max_backoffs.into(), 0..=5)? as u8;
    mac.acknowledge = radio.or("acknowledge", true)?;
    if let Some(switching) = radio.find::<Duration>("switching")? {
        // The answer to what was sent comes after 192 us.
        if switching.value > TURNAROUND {
            return Err(radio.wrong(
                &switching,
                "this radio would miss every acknowledgement",
                "up to 192us",
            ));
        }
        mac.ready = switching.value;
    }
    if radio.or("link-security", false)? {
        let key = Secret::new(LINK_KEY);
        mac.security = Some(LinkSecurity { key, index: 1, level: SecurityLevel::EncMic32 });
    }
    Ok(mac)
}

fn phy(sections: &Sections<'_>) -> Result<Phy, ScenarioError> {
    let mut phy = Phy::default();
    for interferer in &sections.interferers {
        phy.interferers.push(Interferer {
            position: interferer.need::<[f64; 3]>("position", "[10.0, 20.0]")?.value,
            power_dbm: interferer.within("power", 5.0, -60.0..=40.0)?,
            on: interferer.need::<Duration>("on", "\"2ms\"")?.value,
            off: interferer.need::<Duration>("off", "\"8ms\"")?.value,
        });
    }
    let channel = &sections.channel;
    phy.channel = channel.within::<i64>("number", phy.channel.into(), 11..=26)? as u8;
    phy.propagation = propagation(channel)?;
    let loss = share(channel, "loss", 0.0)?;
    phy.loss.data = loss;
    phy.loss.acknowledgement = loss;
    if let Some(logistic) = channel.find::<f64>("rssi50")? {
        let scale_db = channel.within("rssi-scale", 2.0, 0.01..=20.0)?;
        phy.reception = ReceptionModel::Logistic { rssi50_dbm: logistic.value, scale_db };
    }
    if let Some(bursts) = channel.table("bursts")? {
        phy.bursts = Some(Bursts {
            begin: share(&bursts, "begin", 0.01)?,
            end: share(&bursts, "end", 0.1)?,
            loss: share(&bursts, "loss", 0.8)?,
        });
        bursts.finish()?;
    }
    if let Some(noise) = channel.table("noise")? {
        phy.noise = noise::read(&noise, sections.folder)?;
    }
    Ok(phy)
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

pub(super) fn share(
    reader: &Reader<'_>,
    key: &'static str,
    default: f64,
) -> Result<Probability, ScenarioError> {
    Ok(Probability::new(reader.within(key, default, 0.0..=1.0)?).unwrap_or(Probability::NEVER))
}
