//! Bluetooth Low Energy and cellular networks.

use sedge_time::Duration;

use super::ScenarioError;
use super::radio::{Sections, share};
use super::reader::Reader;
use crate::access::{Ble, Cellular};

pub(super) fn ble(sections: &Sections<'_>) -> Result<Ble, ScenarioError> {
    let (ble, default) = (&sections.ble, Ble::default());
    let interval = match ble.find::<Duration>("interval")? {
        None => default.interval,
        // Core specification, volume 6 part B section 4.5.1.
        Some(placed) if (7_500..=4_000_000).contains(&placed.value.as_micros()) => placed.value,
        Some(placed) => {
            return Err(ble.wrong(
                &placed,
                "there is no such connection interval",
                "from \"7.5ms\" to \"4s\"",
            ));
        }
    };
    Ok(Ble {
        interval,
        latency: ble.within::<i64>("latency", default.latency.into(), 0..=499)? as u32,
        octets: ble.within::<i64>("octets", default.octets as i64, 27..=251)? as usize,
        packets: ble.within::<i64>("packets", default.packets.into(), 1..=100)? as u32,
        loss: share(&sections.channel, "loss", 0.0)?,
        ..default
    })
}

pub(super) fn cellular(sections: &Sections<'_>, nb_iot: bool) -> Result<Cellular, ScenarioError> {
    let cellular = &sections.cellular;
    let default = if nb_iot { Cellular::nb_iot() } else { Cellular::lte_m() };
    Ok(Cellular {
        connect: span(cellular, "connect-least", "connect-most", default.connect)?,
        latency: span(cellular, "latency-least", "latency-most", default.latency)?,
        up_bits: cellular.within::<i64>("up-bits", default.up_bits as i64, 100..=1_000_000_000)? as u64,
        down_bits: cellular.within::<i64>("down-bits", default.down_bits as i64, 100..=1_000_000_000)? as u64,
        inactivity: cellular.or("inactivity", default.inactivity)?,
        active_time: cellular.or("active-time", default.active_time)?,
        paging_cycle: cellular.or("paging-cycle", default.paging_cycle)?,
        update: cellular.or("update", default.update)?,
        kept: cellular.within::<i64>("kept", default.kept as i64, 0..=10_000)? as usize,
        loss: share(&sections.channel, "loss", 0.0)?,
    })
}

/// A least and a most time.
fn span(
    reader: &Reader<'_>,
    least: &'static str,
    most: &'static str,
    default: (Duration, Duration),
) -> Result<(Duration, Duration), ScenarioError> {
    let (low, high) = (reader.or(least, default.0)?, reader.find::<Duration>(most)?);
    match high {
        Some(placed) if placed.value < low => Err(reader.wrong(
            &placed,
            format!("this is less than `{least}`"),
            "the most is not less than the least",
        )),
        high => Ok((low, high.map_or(default.1.max(low), |placed| placed.value))),
    }
}
