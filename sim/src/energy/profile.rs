//! What a part draws and hears, read from a file in which each number says where it is from.

use std::fmt;

use serde::Deserialize;

/// A number and its source.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The number, in the unit that its name ends with.
    pub value: f64,
    /// Where it is from.
    pub source: String,
}

/// A radio part: its currents, its sensitivity, and what waking it costs.
///
/// The files of the built-in ones lie in `sim/profiles`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is called.
    pub name: String,
    /// Supply voltage.
    pub volts: Figure,
    /// Asleep, with its clock running and its memory kept.
    pub sleep_ua: Figure,
    /// The processor at work.
    pub cpu_ma: Figure,
    /// The processor's clock, to make times of instruction counts.
    pub cpu_mhz: Figure,
    /// While the radio starts or turns.
    pub turnaround_ma: Figure,
    /// Receiving.
    pub receive_ma: Figure,
    /// Sending, by power, weakest first.
    pub transmit: Vec<TransmitFigure>,
    /// Weakest signal of which 99 % of 20-byte frames are received.
    pub sensitivity_dbm: Figure,
    /// Time the processor works to wake up for one poll or one frame of its own, and to sleep again.
    pub wake_cpu_us: Figure,
    /// Charge of the oscillator's and the radio's start before the first bit.
    pub wake_uc: Figure,
    /// A modem between two paging occasions, these included.
    pub idle_ua: Option<Figure>,
    /// Energy of one periodic update of a modem that sleeps (tracking area update).
    pub update_mj: Option<Figure>,
    /// How long such an update takes.
    pub update_s: Option<Figure>,
}

/// What sending with one power draws.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransmitFigure {
    /// With this power.
    pub dbm: f64,
    /// This current.
    pub ma: f64,
    /// Where it is from.
    pub source: String,
}

/// Why a profile cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError(String);

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProfileError {}

impl ProfileError {
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }
}

impl std::str::FromStr for Profile {
    type Err = ProfileError;

    /// Reads a profile in TOML.
    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text).map_err(|error| ProfileError(error.to_string()))?;
        if profile.transmit.is_empty() {
            return Err(ProfileError(format!("{}: `transmit` lists no power", profile.name)));
        }
        if !profile.transmit.is_sorted_by(|one, next| one.dbm < next.dbm) {
            return Err(ProfileError(format!(
                "{}: `transmit` does not go from weak to strong",
                profile.name
            )));
        }
        Ok(profile)
    }
}

impl Profile {
    /// Nordic's nRF52840 at 2.4 GHz, IEEE 802.15.4.
    pub fn nrf52840() -> Self {
        built_in(include_str!("../../profiles/nrf52840.toml"))
    }

    /// Nordic's nRF54L15 at 2.4 GHz, IEEE 802.15.4.
    pub fn nrf54l15() -> Self {
        built_in(include_str!("../../profiles/nrf54l15.toml"))
    }

    /// Nordic's nRF52840 with Bluetooth Low Energy at 1 Mbit/s.
    pub fn nrf52840_ble() -> Self {
        built_in(include_str!("../../profiles/nrf52840-ble.toml"))
    }

    /// Nordic's nRF9160 with LTE-M.
    pub fn nrf9160_lte_m() -> Self {
        built_in(include_str!("../../profiles/nrf9160-lte-m.toml"))
    }

    /// Nordic's nRF9160 with NB-IoT.
    pub fn nrf9160_nb_iot() -> Self {
        built_in(include_str!("../../profiles/nrf9160-nb-iot.toml"))
    }

    /// The current of sending with this power: between two that are listed it changes evenly.
    pub fn transmit_ma(&self, power_dbm: f64) -> f64 {
        let above = self.transmit.iter().position(|figure| figure.dbm >= power_dbm);
        match above {
            Some(0) => self.transmit[0].ma,
            None => self.transmit[self.transmit.len() - 1].ma,
            Some(above) => {
                let [low, high] = [&self.transmit[above - 1], &self.transmit[above]];
                low.ma + (high.ma - low.ma) * (power_dbm - low.dbm) / (high.dbm - low.dbm)
            }
        }
    }
}

fn built_in(text: &str) -> Profile {
    text.parse().expect("a built-in profile that its test has read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_between_two_are_interpolated() {
        let profile = Profile::nrf52840();
        assert_eq!(profile.transmit_ma(0.0), 6.40);
        assert_eq!(profile.transmit_ma(20.0), 16.40);
        assert_eq!(profile.transmit_ma(-90.0), 3.83);
        assert!((profile.transmit_ma(4.0) - 11.40).abs() < 1e-9);
    }

    #[test]
    fn every_built_in_profile_can_be_read() {
        let names = [
            Profile::nrf52840(),
            Profile::nrf54l15(),
            Profile::nrf52840_ble(),
            Profile::nrf9160_lte_m(),
            Profile::nrf9160_nb_iot(),
        ]
        .map(|profile| profile.name);
        assert_eq!(names, ["nRF52840", "nRF54L15", "nRF52840 BLE 1M", "nRF9160 LTE-M", "nRF9160 NB-IoT"]);
    }

    #[test]
    fn every_number_says_where_it_is_from() {
        let files = [
            include_str!("../../profiles/nrf52840.toml"),
            include_str!("../../profiles/nrf54l15.toml"),
            include_str!("../../profiles/nrf52840-ble.toml"),
            include_str!("../../profiles/nrf9160-lte-m.toml"),
            include_str!("../../profiles/nrf9160-nb-iot.toml"),
            include_str!("../../profiles/cortex-m4.toml"),
        ];
        for file in files {
            let table: toml::Table = file.parse().unwrap();
            let sections = table.values().flat_map(|value| match value {
                toml::Value::Array(list) => list.iter().collect(),
                other => vec![other],
            });
            for figure in sections.filter(|value| value.is_table()) {
                let source = figure.get("source").and_then(toml::Value::as_str).unwrap_or_default();
                assert!(source.len() > 10, "{figure}");
            }
            let bare = table.iter().find(|(_, value)| value.is_float() || value.is_integer());
            assert_eq!(bare, None);
        }
    }

    #[test]
    fn a_mistake_in_a_profile_is_named() {
        let text = include_str!("../../profiles/nrf52840.toml").replace("receive_ma", "recieve_ma");
        let error = text.parse::<Profile>().unwrap_err().to_string();
        assert!(error.contains("recieve_ma"), "{error}");
    }
}
