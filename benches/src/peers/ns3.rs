//! ns-3's model of IEEE 802.15.4, with a program around it that does to its network what ours does.

use std::path::Path;
use std::process::Command;

use super::c_program::CProgram;
use crate::Settings;
use crate::simulator::{Took, told};

/// How far from the border router devices are at most, in metres.
pub(crate) const RADIUS: f64 = 20.0;
/// What they send with, in dBm.
pub(crate) const POWER: f64 = 8.0;
/// How path loss grows.
pub(crate) const EXPONENT: f64 = 3.0;
/// UDP payload of a publication of 24 bytes over DTLS 1.2 with a Connection ID, and of its answer.
const DATAGRAMS: [u32; 2] = [83, 36];

const HEADER: &str = "/usr/include/ns3/lr-wpan-module.h";

fn program() -> CProgram {
    let modules =
        ["lr-wpan", "sixlowpan", "internet", "spectrum", "mobility", "propagation", "network", "core"];
    let libraries = modules.map(|module| format!("-lns3-{module}"));
    CProgram {
        name: "ns3_cell",
        source: include_str!("../../peers/ns3_cell.cc"),
        flags: ["-x", "c++", "-std=c++17"].map(str::to_owned).to_vec(),
        libraries: libraries.into_iter().chain(["-lstdc++".into(), "-lm".into()]).collect(),
    }
}

/// Runs a cell of so many devices.
pub(crate) fn measure(settings: &Settings, nodes: u32, seconds: u32, period: u32) -> Result<Took, String> {
    if !Path::new(HEADER).exists() {
        return Err("ns-3 is not installed; benches/setup does it".into());
    }
    let program = program().build(settings)?;
    let numbers = [nodes, seconds, period].map(|number| number.to_string());
    let figures = [RADIUS, EXPONENT, POWER].map(|figure| figure.to_string());
    told(Command::new(program).args(numbers).args(figures).args(DATAGRAMS.map(|bytes| bytes.to_string())))
}

/// Its name and version.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("pkg-config").args(["--modversion", "ns3-lr-wpan"]).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| format!("ns-3 {}, in benches/peers/ns3_cell.cc", version.trim()))
}
