//! What the client says through `log`: how the connection fares, and nothing that nobody else should read.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

#[allow(dead_code, unused_imports, reason = "other tests use the rest")]
mod world;

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use sedge_client::{Config, ContentFormat, Disconnect, Error, SAVED_LEN, SavedSession, Storage};
use world::{IDENTITY, KEY, World, client_with, run};

/// Everything that was said, at every level.
struct Capture(Mutex<Vec<String>>);

static CAPTURE: Capture = Capture(Mutex::new(Vec::new()));

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        assert!(record.target().starts_with("sedge_client"), "{}", record.target());
        self.0.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}

/// The lines since the last time.
fn said() -> Vec<String> {
    std::mem::take(&mut CAPTURE.0.lock().unwrap())
}

/// Memory that keeps what is in it, or does not.
struct Slots {
    records: [SavedSession; 2],
    fails: bool,
}

impl Storage for Slots {
    type Error = &'static str;

    fn slots(&self) -> usize {
        self.records.len()
    }

    fn read(&mut self, slot: usize, record: &mut SavedSession) -> Result<(), Self::Error> {
        *record = self.records[slot];
        Ok(())
    }

    fn write(&mut self, slot: usize, record: &SavedSession) -> Result<(), Self::Error> {
        if self.fails {
            return Err("worn out");
        }
        self.records[slot] = *record;
        Ok(())
    }
}

/// One test, because there is one logger in a process.
#[test]
fn it_says_how_the_connection_fares_and_no_secret() {
    log::set_logger(&CAPTURE).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let mut everything = Vec::new();
    let mut hear = |expected: &[&str]| {
        let lines = said();
        assert_eq!(lines.len(), expected.len(), "{lines:?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line} instead of {expected}");
        }
        everything.extend(lines);
    };
    let world = World::new();
    let config = Config { reserve: 64, ..Config::default() };
    let mut slots = Slots { records: [[0xff; SAVED_LEN]; 2], fails: false };

    // A wrong key: the server says nothing to it, and the client waits.
    let mut stranger = client_with(&world, *b"another, as long", Config::default());
    assert_eq!(run(stranger.connect()), Err(Error::Disconnected(Disconnect::NotAccepted)));
    let refused = "WARN no connection: the server does not accept this identity and key; next attempt in ";
    hear(&["DEBUG handshake begins", refused]);

    let mut client = client_with(&world, KEY, config.clone());
    run(client.connect()).unwrap();
    hear(&["DEBUG handshake begins", "INFO connected"]);
    slots.fails = true;
    client.save(&mut slots).unwrap_err();
    slots.fails = false;
    client.save(&mut slots).unwrap();
    hear(&["WARN session not saved: the storage fails", "INFO session saved, 64 records reserved"]);
    run(client.publish("site/7/temp", ContentFormat::TEXT, b"a payload of 21.5")).unwrap();
    let _subscription = run(client.subscribe("site/7/temp")).unwrap();
    let mut buffer = [0; 64];
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"a payload of 21.5");
    hear(&[]);
    client.suspend(&mut slots).unwrap();
    hear(&["INFO session saved, 0 records reserved"]);
    drop(client);

    // Another life.
    let mut client = client_with(&world, KEY, config);
    assert_eq!(client.restore(&mut slots), Ok(true));
    hear(&["INFO session restored"]);
    client.save(&mut slots).unwrap();
    run(client.publish("site/7/temp", ContentFormat::TEXT, b"a payload of 22")).unwrap();
    run(client.close());
    hear(&["INFO session saved, 64 records reserved", "INFO closed"]);

    let secrets: [&[u8]; 4] = [&KEY, b"another, as long", IDENTITY, b"a payload"];
    let mut forms: Vec<String> = Vec::new();
    for secret in secrets {
        forms.push(String::from_utf8(secret.to_vec()).unwrap());
        forms.push(format!("{secret:?}").trim_matches(['[', ']']).to_owned());
        forms.push(secret.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    // The keys of the session, any eight bytes of them in a row.
    for record in &slots.records {
        for run in record.windows(8).filter(|run| run.iter().any(|byte| *byte != run[0])) {
            forms.push(format!("{run:?}").trim_matches(['[', ']']).to_owned());
            forms.push(run.iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    for line in &everything {
        for form in &forms {
            assert!(!line.contains(form.as_str()), "{line}: {form}");
        }
    }
    assert!(everything.len() > 8);
}
