//! Time and charge by state.

use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::Profile;
use crate::network::RadioState;

/// Adds up how long a radio was in each state.
///
/// The processor's time comes on top of the radio's states: the two run side by side.
#[derive(Clone, Debug)]
pub struct Meter {
    profile: Rc<Profile>,
    transmit_ma: f64,
    state: RadioState,
    since: Instant,
    spent: [Duration; STATES],
    cpu: Duration,
    extra_uc: f64,
}

const STATES: usize = 6;

/// What a node has used: time in each state, and the charge drawn in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Energy {
    /// Switched off.
    pub off: Duration,
    /// Asleep (with the radio off).
    pub sleep: Duration,
    /// Asleep between paging occasions, these included.
    pub idle: Duration,
    /// Turning the radio on or around.
    pub turnaround: Duration,
    /// Receiving or listening.
    pub receive: Duration,
    /// Sending.
    pub transmit: Duration,
    /// The processor at work.
    pub cpu: Duration,
    /// Charge drawn asleep, in microcoulombs.
    pub sleep_uc: f64,
    /// Charge drawn between and during paging occasions.
    pub idle_uc: f64,
    /// Charge drawn while the radio turned.
    pub turnaround_uc: f64,
    /// Charge drawn while receiving.
    pub receive_uc: f64,
    /// Charge drawn while sending.
    pub transmit_uc: f64,
    /// Charge drawn by the processor.
    pub cpu_uc: f64,
    /// Charge of events that are known only as a whole, as start-up of an oscillator or a modem's registration.
    pub extra_uc: f64,
    /// Supply voltage.
    pub volts: f64,
}

/// What feeds a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Battery {
    /// Nominal capacity.
    pub capacity_mah: f64,
    /// Share of it that can be used before the voltage is too low.
    pub usable: f64,
    /// Share of it that is lost by itself each year.
    pub self_discharge: f64,
}

impl Battery {
    /// A CR2032 coin cell: 225 mAh, of which 85 % can be used, and 1 % lost a year (typical data sheets).
    pub const CR2032: Self = Self { capacity_mah: 225.0, usable: 0.85, self_discharge: 0.01 };
}

impl Meter {
    /// A meter of a node of this kind that sends with this power.
    pub fn new(profile: Rc<Profile>, power_dbm: f64) -> Self {
        Self {
            transmit_ma: profile.transmit_ma(power_dbm),
            profile,
            state: RadioState::Sleep,
            since: Instant::EPOCH,
            spent: [Duration::ZERO; STATES],
            cpu: Duration::ZERO,
            extra_uc: 0.0,
        }
    }

    /// Notes a change of state; `false` if it was none.
    pub fn switch(&mut self, now: Instant, state: RadioState) -> bool {
        if state == self.state {
            return false;
        }
        let spent = &mut self.spent[self.state as usize];
        *spent = *spent + now.saturating_since(self.since);
        self.since = now;
        self.state = state;
        true
    }

    /// The state the radio is in.
    pub fn state(&self) -> RadioState {
        self.state
    }

    /// Adds time of the processor.
    pub fn charge_cpu(&mut self, time: Duration) {
        self.cpu = self.cpu + time;
    }

    /// Adds charge of an event that is known only as a whole.
    pub fn charge_uc(&mut self, microcoulombs: f64) {
        self.extra_uc += microcoulombs;
    }

    /// The profile that says what the states draw.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What was used until `now`.
    pub fn energy(&self, now: Instant) -> Energy {
        let mut meter = self.clone();
        let state = meter.state;
        // Any other state closes the present one.
        meter.switch(now, if state == RadioState::Off { RadioState::Sleep } else { RadioState::Off });
        let [off, sleep, idle, turnaround, receive, transmit] = meter.spent;
        let profile = &self.profile;
        // Milliamperes over seconds are millicoulombs.
        let charge = |milliamperes: f64, time: Duration| milliamperes * time.as_micros() as f64 / 1_000.0;
        Energy {
            off,
            sleep,
            idle,
            turnaround,
            receive,
            transmit,
            cpu: self.cpu,
            sleep_uc: charge(profile.sleep_ua.value / 1_000.0, sleep),
            idle_uc: charge(profile.idle_ua.as_ref().map_or(0.0, |figure| figure.value) / 1_000.0, idle),
            turnaround_uc: charge(profile.turnaround_ma.value, turnaround),
            receive_uc: charge(profile.receive_ma.value, receive),
            transmit_uc: charge(self.transmit_ma, transmit),
            cpu_uc: charge(profile.cpu_ma.value, self.cpu),
            extra_uc: self.extra_uc,
            volts: profile.volts.value,
        }
    }
}

impl Energy {
    /// Everything drawn, in microcoulombs.
    pub fn charge_uc(&self) -> f64 {
        self.sleep_uc
            + self.idle_uc
            + self.turnaround_uc
            + self.receive_uc
            + self.transmit_uc
            + self.cpu_uc
            + self.extra_uc
    }

    /// Everything used, in joules.
    pub fn joules(&self) -> f64 {
        self.charge_uc() * self.volts * 1e-6
    }

    /// The mean current while the node was on, in microamperes; 0 before any time has passed.
    pub fn mean_ua(&self) -> f64 {
        let on = self.sleep + self.idle + self.turnaround + self.receive + self.transmit;
        if on == Duration::ZERO { 0.0 } else { self.charge_uc() / (on.as_micros() as f64 * 1e-6) }
    }

    /// How many years a battery would last at this mean current.
    pub fn battery_years(&self, battery: Battery) -> f64 {
        const HOURS_A_YEAR: f64 = 8_766.0;
        let used_a_year =
            self.mean_ua() / 1_000.0 * HOURS_A_YEAR + battery.capacity_mah * battery.self_discharge;
        battery.capacity_mah * battery.usable / used_a_year
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charge_is_current_over_time() {
        let mut meter = Meter::new(Rc::new(Profile::nrf52840()), 0.0);
        let at = |millis| Instant::EPOCH + Duration::from_millis(millis);
        assert!(meter.switch(at(100), RadioState::Receive));
        assert!(!meter.switch(at(150), RadioState::Receive));
        assert!(meter.switch(at(200), RadioState::Transmit));
        meter.charge_cpu(Duration::from_millis(10));
        let energy = meter.energy(at(300));
        assert_eq!([energy.sleep, energy.receive, energy.transmit], [Duration::from_millis(100); 3]);
        assert!((energy.receive_uc - 653.0).abs() < 1e-6, "100 ms of 6.53 mA: {}", energy.receive_uc);
        assert!((energy.transmit_uc - 640.0).abs() < 1e-6, "100 ms of 6.40 mA: {}", energy.transmit_uc);
        assert!((energy.cpu_uc - 33.0).abs() < 1e-6, "10 ms of 3.3 mA: {}", energy.cpu_uc);
        assert!((energy.joules() - energy.charge_uc() * 3e-6).abs() < 1e-12);
    }

    #[test]
    fn a_coin_cell_lasts_as_long_as_its_charge() {
        let mut meter = Meter::new(Rc::new(Profile::nrf52840()), 0.0);
        meter.switch(Instant::EPOCH, RadioState::Receive);
        let energy = meter.energy(Instant::EPOCH + Duration::from_secs(3_600));
        let days = energy.battery_years(Battery::CR2032) * 365.25;
        // 191 mAh at 6.53 mA are 29.3 hours.
        assert!((days - 29.3 / 24.0).abs() < 0.01, "{days}");
    }
}
