//! Sessions that outlive a loss of power, at whatever moment it comes.

use std::cell::RefCell;
use std::rc::Rc;

use sedge_client::{
    Client, ClientResources, Config, Error, Full, Psk, SAVED_LEN, SaveError, SavedSession, Security, Storage,
    Versions,
};
use sedge_crypto::RustCrypto;
use sedge_dtls::Discard;

use crate::TEXT;
use crate::world::{IDENTITY, KEY, Shared, Socket, TestRng, VirtualClock, World, run, socket};

type Device = Client<ClientResources<Full<RustCrypto>, TestRng, 3, 4, 1024, 32>, Socket, VirtualClock>;

/// What a loss of power leaves of the write that it comes into.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The slot is as it was.
    Before,
    /// The slot is erased.
    Erased,
    /// Half of it is written.
    Torn,
    /// All of it is written, but nobody was told.
    After,
}

/// Two slots, and a supply that fails once.
#[derive(Clone)]
struct Flash(Rc<RefCell<Pages>>);

struct Pages {
    slots: Vec<SavedSession>,
    writes: usize,
    cut: Option<(usize, Cut)>,
}

impl Flash {
    fn new(cut: Option<(usize, Cut)>) -> Self {
        Self(Rc::new(RefCell::new(Pages { slots: vec![[0xff; SAVED_LEN]; 2], writes: 0, cut })))
    }
}

impl Storage for Flash {
    type Error = &'static str;

    fn slots(&self) -> usize {
        self.0.borrow().slots.len()
    }

    fn read(&mut self, slot: usize, record: &mut SavedSession) -> Result<(), Self::Error> {
        *record = self.0.borrow().slots[slot];
        Ok(())
    }

    fn write(&mut self, slot: usize, record: &SavedSession) -> Result<(), Self::Error> {
        let pages = &mut *self.0.borrow_mut();
        let cut = pages.cut.filter(|(at, _)| *at == pages.writes).map(|(_, cut)| cut);
        pages.writes += 1;
        let place = &mut pages.slots[slot];
        match cut {
            Some(Cut::Before) => {}
            Some(Cut::Erased) => *place = [0xff; SAVED_LEN],
            Some(Cut::Torn) => place[..SAVED_LEN / 2].copy_from_slice(&record[..SAVED_LEN / 2]),
            Some(Cut::After) | None => *place = *record,
        }
        if cut.is_some() { Err("the power failed") } else { Ok(()) }
    }
}

fn device(world: &Shared, versions: Versions) -> Device {
    let mut config = Config { reserve: Config::LEAST_RESERVE, ..Config::default() };
    config.endpoint.versions = versions;
    let security = Security::Psk { identity: IDENTITY, key: Psk::new(&KEY).unwrap() };
    let clock = VirtualClock { world: world.clone() };
    let rng = TestRng(world.borrow_mut().dice.below(u64::MAX));
    Client::new(config, security, socket(world, 1), clock, RustCrypto, rng).unwrap()
}

/// Publishes values until all of them are there, through as many losses of power as come. Says how many there were.
fn publish_all(world: &Shared, flash: &mut Flash, versions: Versions, values: u8) -> usize {
    let (mut failures, mut value) = (0, 0);
    'power: loop {
        let mut client = device(world, versions);
        client.restore(flash).unwrap();
        while value < values {
            match run(client.publish("a", TEXT, &[value])) {
                Ok(()) => value += 1,
                Err(Error::Unsaved) => {
                    if let Err(error) = client.save(flash) {
                        assert_eq!(error, SaveError::Storage("the power failed"));
                        failures += 1;
                        continue 'power;
                    }
                }
                Err(other) => panic!("{other}"),
            }
        }
        return failures;
    }
}

#[test]
fn no_number_comes_twice_whenever_the_power_fails() {
    for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
        for cut in [Cut::Before, Cut::Erased, Cut::Torn, Cut::After] {
            for at in 0..6 {
                let case = format!("{versions:?}: {cut:?} write {at}");
                let world = World::new();
                let mut flash = Flash::new(Some((at, cut)));
                assert_eq!(publish_all(&world, &mut flash, versions, 100), 1, "{case}");
                let world = world.borrow();
                let counters = world.broker.counters();
                assert_eq!(counters.discarded(Discard::Replayed), 0, "{case}: a record number came twice");
                assert_eq!(counters.duplicates, 0, "{case}: a token came twice");
                assert_eq!(world.broker.published.len(), 100, "{case}");
                // A session that was never saved cannot be taken up.
                let handshakes = if at == 0 && cut != Cut::After { 2 } else { 1 };
                assert_eq!(world.broker.handshakes(), handshakes, "{case}");
            }
        }
    }
}

#[test]
fn a_device_that_sleeps_deeply_wakes_up_without_a_handshake() {
    for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
        let world = World::new();
        let mut flash = Flash::new(None);
        for night in 0..20 {
            let mut client = device(&world, versions);
            assert_eq!(client.restore(&mut flash).unwrap(), night > 0);
            while let Err(error) = run(client.publish("a", TEXT, &[night])) {
                assert_eq!(error, Error::Unsaved);
                client.save(&mut flash).unwrap();
            }
            client.suspend(&mut flash).unwrap();
            // Whoever goes on all the same has to save again.
            assert_eq!(run(client.publish("a", TEXT, b"?")), Err(Error::Unsaved));
        }
        let world = world.borrow();
        assert_eq!((world.broker.handshakes(), world.broker.published.len()), (1, 20));
        assert_eq!(world.broker.counters().discarded(Discard::Replayed), 0);
        // One when it wakes, one when it goes to sleep.
        assert_eq!(flash.0.borrow().writes, 40);
    }
}

#[test]
fn a_record_that_the_flash_has_lost_counts_as_used() {
    let world = World::new();
    let mut flash = Flash::new(None);
    publish_all(&world, &mut flash, Versions::ONLY_1_2, 60);
    for slot in 0..2 {
        // Whichever was the newest: the other one knows less.
        let mut spoilt = Flash::new(None);
        spoilt.0.borrow_mut().slots.clone_from(&flash.0.borrow().slots);
        spoilt.0.borrow_mut().slots[slot][40] ^= 1;
        publish_all(&world, &mut spoilt, Versions::ONLY_1_2, 2);
        flash = spoilt;
    }
    assert_eq!(world.borrow().broker.counters().discarded(Discard::Replayed), 0);
    assert_eq!(world.borrow().broker.handshakes(), 1);
}

/// Wakes again and again, of a flash that loses slots and of a supply that fails during writes, also while what was lost
/// is noted.
#[test]
fn no_number_comes_twice_whatever_the_flash_loses() {
    for (seed, versions) in (0..40).flat_map(|seed| [(seed, Versions::ONLY_1_2), (seed, Versions::ONLY_1_3)])
    {
        let mut dice = TestRng(seed);
        let world = World::new();
        let mut flash = Flash::new(None);
        let mut value = 0u8;
        for night in 0..30 {
            if dice.below(2) == 0 {
                let lost = if dice.below(2) == 0 { 0xff } else { 0x11 };
                flash.0.borrow_mut().slots[dice.below(2) as usize] = [lost; SAVED_LEN];
            }
            let cuts = [Cut::Before, Cut::Erased, Cut::Torn, Cut::After];
            let next = flash.0.borrow().writes + dice.below(4) as usize;
            flash.0.borrow_mut().cut = Some((next, cuts[dice.below(4) as usize]));
            let mut client = device(&world, versions);
            let mut powered = client.restore(&mut flash).is_ok();
            for _ in 0..dice.below(40) {
                while powered && let Err(error) = run(client.publish("a", TEXT, &[value])) {
                    assert_eq!(error, Error::Unsaved);
                    powered = client.save(&mut flash).is_ok();
                }
                value = value.wrapping_add(u8::from(powered));
            }
            let counters = world.borrow().broker.counters().clone();
            let case = format!("{versions:?}, seed {seed}, night {night}");
            assert_eq!(counters.discarded(Discard::Replayed), 0, "{case}: a record number came twice");
            assert_eq!(counters.duplicates, 0, "{case}: a token came twice");
        }
    }
}

#[test]
fn without_a_storage_that_works_it_goes_on_with_another_session() {
    let world = World::new();
    let mut flash = Flash::new(Some((1, Cut::Torn)));
    let mut client = device(&world, Versions::ONLY_1_2);
    for value in 0..40 {
        while let Err(error) = run(client.publish("a", TEXT, &[value])) {
            assert_eq!(error, Error::Unsaved);
            if client.save(&mut flash).is_err() {
                client.stop_saving();
                // What is sent from now on is not noted, so the session must not be taken up again.
                assert_eq!(client.suspend(&mut flash), Err(SaveError::NoSession));
            }
        }
    }
    assert_eq!((world.borrow().broker.handshakes(), flash.0.borrow().writes), (2, 2));
    assert_eq!(world.borrow().broker.counters().discarded(Discard::Replayed), 0);
}

/// Firmware that finds fewer slots than the one before may not see the newest record.
#[test]
fn a_session_of_another_number_of_slots_is_not_taken_up() {
    for (before, after) in [(3, 2), (4, 2), (2, 3)] {
        for saved in 1..=before {
            let world = World::new();
            let mut flash = Flash::new(None);
            flash.0.borrow_mut().slots.resize(before, [0xff; SAVED_LEN]);
            let mut client = device(&world, Versions::ONLY_1_2);
            while flash.0.borrow().writes < saved {
                if run(client.publish("a", TEXT, b"1")).is_err() {
                    client.save(&mut flash).unwrap();
                }
            }
            while run(client.publish("a", TEXT, b"2")).is_ok() {}
            flash.0.borrow_mut().slots.resize(after, [0xff; SAVED_LEN]);
            publish_all(&world, &mut flash, Versions::ONLY_1_2, 1);
            let case = format!("{before}, then {after}, {saved} saved");
            assert_eq!(world.borrow().broker.counters().discarded(Discard::Replayed), 0, "{case}");
            assert_eq!(world.borrow().broker.handshakes(), 2, "{case}");
        }
    }
}

/// The session lies in the flash: what is sent on it without being noted would be sent again under the same numbers.
#[test]
fn who_stops_saving_goes_on_with_another_session() {
    for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
        let world = World::new();
        let mut flash = Flash::new(None);
        let mut client = device(&world, versions);
        while run(client.publish("a", TEXT, b"0")).is_err() {
            client.save(&mut flash).unwrap();
        }
        // Some of the numbers that were reserved are left.
        client.stop_saving();
        for value in 1..60 {
            run(client.publish("a", TEXT, &[value])).unwrap();
        }
        publish_all(&world, &mut flash, versions, 60);
        assert_eq!(world.borrow().broker.counters().discarded(Discard::Replayed), 0, "{versions:?}");
        assert_eq!(world.borrow().broker.counters().duplicates, 0, "{versions:?}");
    }
}

#[test]
fn a_server_that_lost_the_session_is_dialled_anew() {
    let world = World::new();
    let mut flash = Flash::new(None);
    publish_all(&world, &mut flash, Versions::ONLY_1_2, 1);
    let now = world.borrow().now;
    world.borrow_mut().broker.restart(now);
    publish_all(&world, &mut flash, Versions::ONLY_1_2, 1);
    assert_eq!(world.borrow().broker.handshakes(), 1, "counted since the restart");
}
