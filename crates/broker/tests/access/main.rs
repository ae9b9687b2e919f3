//! Who may do what, on a real broker with live sessions: roles, segments and bridges, and rights that change while devices
//! observe.

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../device/mod.rs"]
mod device;
mod tokens;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use device::Device;
use sedge_access::{Grants, Permissions};
use sedge_broker::admin::{
    AccessQuestion, AdminError, AdminReply, AdminRequest, DeviceRights, NewDevice, Reason, Refusal,
    connect_local,
};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_broker::{Broker, Key};
use sedge_coap::Code;
use sedge_endpoint::ExchangeId;

const SECOND: Duration = Duration::from_secs(1);

const RULES: &str = "\
[role.reader]
subscribe = [\"a/#\", \"b/#\", \"room/#\", \"shared/#\"]
[role.sensor]
publish = [\"a/+/temp\", \"b/+/temp\"]
[segment.plant-a]
topics = [\"a\"]
[segment.plant-b]
topics = [\"b\"]
[segment.room]
topics = [\"room\"]
[[bridge]]
from = \"room\"
to = \"plant-a\"
verbs = [\"subscribe\"]
[[bridge]]
from = \"room\"
to = \"plant-b\"
both = true
topics = [\"b/+/temp\", \"room/alarm\"]
";

struct Setup {
    broker: Option<Broker>,
    dir: DataDir,
    file: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Setup {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let (dir, file) = (DataDir::new(temporary.path().join("d")), temporary.path().join("sedge.toml"));
        let mut setup = Self { broker: None, dir, file, _temporary: temporary };
        setup.write(RULES);
        setup.start();
        setup
    }

    fn start(&mut self) {
        let config = Config::read(&self.file).unwrap();
        self.broker = Some(Broker::start(&self.dir, config).unwrap());
    }

    fn stop(&mut self) {
        self.broker.take().unwrap().stop().unwrap();
    }

    /// Writes the configuration file with these rules.
    fn write(&self, rules: &str) {
        let text = format!(
            "shards = 2\n[listen]\ncoaps = [\"[::1]:0\"]\n\
             [timing]\nhandshake_retransmit = \"20 ms\"\n{rules}"
        );
        std::fs::write(&self.file, text).unwrap();
    }

    fn ask(&self, request: AdminRequest) -> Result<AdminReply, Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut admin = connect_local(&self.dir).await.unwrap();
            assert_eq!(admin.is_running(), self.broker.is_some());
            match admin.call(request).await {
                Ok(reply) => Ok(reply),
                Err(AdminError::Refused(refusal)) => Err(refusal),
                Err(error) => panic!("{error}"),
            }
        })
    }

    fn enrol(&self, name: &str, grants: Grants, roles: &[&str], segment: Option<&str>) -> Key {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let segment = segment.map(str::to_owned);
        let new = NewDevice { name: name.into(), grants, roles, segment, ..NewDevice::default() };
        let Ok(AdminReply::Enrolled(_, Some(key))) = self.ask(AdminRequest::DeviceAdd(new)) else { panic!() };
        key
    }

    fn connect(&self, name: &str, key: &Key) -> Device {
        Device::connect(self.broker.as_ref().unwrap().addresses()[0], name, key)
    }

    fn device(&self, name: &str, roles: &[&str], segment: Option<&str>) -> Device {
        let key = self.enrol(name, Grants::none(), roles, segment);
        self.connect(name, &key)
    }

    /// Somebody who may do everything anywhere.
    fn publisher(&self) -> Device {
        let key = self.enrol("publisher", Grants::administrator(), &[], None);
        self.connect("publisher", &key)
    }

    fn set(&self, rights: DeviceRights) {
        assert!(matches!(self.ask(AdminRequest::DeviceSet(rights)), Ok(AdminReply::Device(_))));
    }

    fn reload(&self, rules: &str) {
        self.write(rules);
        assert!(matches!(self.ask(AdminRequest::AccessReload), Ok(AdminReply::AccessRules(_))));
    }

    fn counter(&self, name: &str) -> u64 {
        let Ok(AdminReply::Status(status)) = self.ask(AdminRequest::Status) else { panic!() };
        status.counters.iter().find(|counter| counter.name == name).unwrap().value
    }

    fn observations(&self) -> u64 {
        let Ok(AdminReply::Status(status)) = self.ask(AdminRequest::Status) else { panic!() };
        status.observations
    }

    fn explain(&self, device: &str, verb: &str, topic: &str) -> (bool, Option<String>) {
        let question = AccessQuestion { device: device.into(), verb: verb.into(), topic: topic.into() };
        let Ok(AdminReply::Access(mut answers)) = self.ask(AdminRequest::AccessExplain(vec![question], None))
        else {
            panic!()
        };
        let answer = answers.remove(0);
        assert_eq!(answers, []);
        (answer.allowed, answer.cause)
    }
}

fn rights(name: &str) -> DeviceRights {
    DeviceRights { name: name.into(), ..DeviceRights::default() }
}

/// The observation's end, which has to come within a second.
#[track_caller]
fn ends(device: &mut Device, observation: ExchangeId, code: Code) {
    let since = Instant::now();
    // A machine that has other things to do takes longer.
    let last = device.reply(observation, 8 * SECOND).expect("the end within a second");
    assert_eq!((last.code, last.observe), (code, None), "after {:?}", since.elapsed());
}

#[track_caller]
fn goes_on(device: &mut Device, observation: ExchangeId, value: &[u8]) {
    let next = device.reply(observation, 5 * SECOND).expect("the next value");
    assert_eq!((next.code, next.payload.as_slice()), (Code::CONTENT, value));
}

/// One row for each case: role, segment, what is done, and what comes of it; over live sessions, and as explained.
#[test]
fn who_may_do_what() {
    let setup = Setup::new();
    let mut publisher = setup.publisher();
    for topic in ["a/1/temp", "b/1/temp", "b/1/door", "room/alarm", "room/light", "shared/1"] {
        assert_eq!(publisher.put(&format!("d/{topic}"), b"0").code, Code::CREATED, "{topic}");
    }
    let (yes, no) = (Code::CONTENT, Code::FORBIDDEN);
    let mut devices = Vec::new();
    for (number, (role, segment, verb, topic, expected)) in [
        ("reader", Some("plant-a"), "read", "a/1/temp", yes),
        ("reader", Some("plant-a"), "read", "b/1/temp", no),
        ("reader", Some("plant-a"), "read", "room/alarm", no),
        ("reader", Some("plant-a"), "read", "shared/1", yes),
        ("reader", None, "read", "a/1/temp", no),
        ("reader", None, "read", "shared/1", yes),
        ("reader", Some("room"), "read", "a/1/temp", yes),
        ("reader", Some("room"), "read", "b/1/temp", yes),
        ("reader", Some("room"), "read", "b/1/door", no),
        ("reader", Some("plant-b"), "read", "room/alarm", yes),
        ("reader", Some("plant-b"), "read", "room/light", no),
        ("reader", Some("plant-a"), "publish", "a/1/temp", no),
        ("sensor", Some("plant-a"), "publish", "a/1/temp", Code::CHANGED),
        ("sensor", Some("plant-a"), "publish", "b/1/temp", no),
        ("sensor", Some("plant-a"), "publish", "shared/1", no),
        ("sensor", Some("room"), "publish", "a/1/temp", no),
        ("sensor", Some("room"), "publish", "b/1/temp", Code::CHANGED),
        ("sensor", Some("plant-b"), "read", "b/1/temp", no),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("d{number}");
        let mut device = setup.device(&name, &[role], segment);
        let path = format!("d/{topic}");
        let code = match verb {
            "read" => device.observe(&path).1.code,
            _ => device.put(&path, b"1").code,
        };
        assert_eq!(code, expected, "row {number}");
        assert_eq!(setup.explain(&name, verb, topic).0, expected != no, "row {number}");
        devices.push(device);
    }
    assert_eq!(setup.observations(), 6);
    assert_eq!(setup.counter("access.refused.other_segment"), 7);
    // Whoever may not read a topic does not find it either.
    let found = String::from_utf8(devices[0].get("ps").payload).unwrap();
    assert_eq!(found.split(',').count(), 2, "{found}");
}

/// Own grants, roles and segments taken from a device end its observations at once; others go on.
#[test]
fn a_device_that_is_changed_loses_what_it_may_no_longer_have() {
    let setup = Setup::new();
    let mut publisher = setup.publisher();
    for topic in ["d/a/1/temp", "d/shared/1", "d/own"] {
        let _created = publisher.put(topic, b"0");
    }
    let own = Grants::none().with("own".parse().unwrap(), Permissions::READ);
    let key = setup.enrol("reader", own, &["reader"], Some("plant-a"));
    let mut reader = setup.connect("reader", &key);
    let mut observe = |path: &str| {
        let (observation, first) = reader.observe(path);
        assert_eq!(first.code, Code::CONTENT, "{path}");
        observation
    };
    let (temp, shared, own) = (observe("d/a/1/temp"), observe("d/shared/1"), observe("d/own"));

    setup.set(DeviceRights { segment: Some(String::new()), ..rights("reader") });
    ends(&mut reader, temp, Code::FORBIDDEN);
    setup.set(DeviceRights { roles: Some(Vec::new()), ..rights("reader") });
    ends(&mut reader, shared, Code::FORBIDDEN);
    let _changed = publisher.put("d/own", b"1");
    goes_on(&mut reader, own, b"1");
    // What is published right after an administrator has been answered is not sent any more.
    setup.set(DeviceRights { grants: Some(Grants::none()), ..rights("reader") });
    let _changed = publisher.put("d/own", b"2");
    ends(&mut reader, own, Code::FORBIDDEN);
    assert_eq!(reader.get("d/own").code, Code::FORBIDDEN);
    assert_eq!((setup.observations(), setup.counter("access.observations_ended")), (0, 3));

    // The session itself lasts, and gets what it is given.
    setup.set(DeviceRights { roles: Some(vec!["reader".into()]), ..rights("reader") });
    assert_eq!(reader.get("d/shared/1").code, Code::CONTENT);
    assert_eq!(setup.counter("endpoint.handshakes_completed"), 2);
}

/// Rules that are read again hold for sessions under way.
#[test]
fn a_reload_ends_what_the_rules_no_longer_permit() {
    let mut setup = Setup::new();
    let mut publisher = setup.publisher();
    for topic in ["d/a/1/temp", "d/b/1/temp", "d/shared/1", "d/room/alarm"] {
        let _created = publisher.put(topic, b"0");
    }
    let key = setup.enrol("reader", Grants::none(), &["reader"], Some("room"));
    let mut reader = setup.connect("reader", &key);
    let mut observe = |path: &str| {
        let (observation, first) = reader.observe(path);
        assert_eq!(first.code, Code::CONTENT, "{path}");
        observation
    };
    let (a, b) = (observe("d/a/1/temp"), observe("d/b/1/temp"));
    let (shared, room) = (observe("d/shared/1"), observe("d/room/alarm"));

    // A bridge goes.
    setup.reload(&RULES.replace("verbs = [\"subscribe\"]", "verbs = [\"publish\"]"));
    ends(&mut reader, a, Code::FORBIDDEN);
    // A topic moves into a segment.
    setup.reload(&RULES.replace("topics = [\"b\"]", "topics = [\"b\", \"shared\"]"));
    ends(&mut reader, shared, Code::FORBIDDEN);
    // A role grants less.
    setup.reload(&RULES.replace("\"b/#\", ", ""));
    ends(&mut reader, b, Code::FORBIDDEN);
    // A mistake changes nothing.
    setup.write("[role.reader]\nsubscribe = [\"a/#/b\"]\n");
    let refusal = setup.ask(AdminRequest::AccessReload).unwrap_err();
    assert_eq!(refusal.reason, Reason::Invalid);
    assert!(refusal.message.contains("line 7") && refusal.message.contains("`a/#/b`"), "{refusal}");
    let _changed = publisher.put("d/room/alarm", b"1");
    goes_on(&mut reader, room, b"1");
    // A role goes altogether.
    setup.reload("");
    ends(&mut reader, room, Code::FORBIDDEN);

    // What held last holds for those who work on the store alone, and a new start reads the file.
    setup.reload(RULES);
    setup.stop();
    assert_eq!(setup.explain("reader", "read", "a/1/temp"), (true, None));
    assert_eq!(setup.explain("reader", "publish", "a/1/temp"), (false, Some("lacks-verb".into())));
    assert_eq!(setup.explain("reader", "read", "b/1/door"), (false, Some("other-segment".into())));
    assert_eq!(setup.explain("nobody", "read", "x"), (false, Some("no-device".into())));
    assert_eq!(setup.ask(AdminRequest::AccessReload).unwrap_err().reason, Reason::NotRunning);
    setup.set(DeviceRights { segment: Some("plant-a".into()), ..rights("reader") });
    setup.start();
    let mut reader = setup.connect("reader", &key);
    assert_eq!(reader.get("d/a/1/temp").code, Code::CONTENT);
    assert_eq!(reader.get("d/room/alarm").code, Code::FORBIDDEN);
}

#[test]
fn roles_and_segments_that_do_not_exist_are_refused_and_say_what_to_do() {
    let setup = Setup::new();
    let new = |roles: &[&str], segment: Option<&str>| {
        AdminRequest::DeviceAdd(NewDevice {
            name: "t1".into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            segment: segment.map(str::to_owned),
            ..NewDevice::default()
        })
    };
    for request in [new(&["raeder"], None), new(&["reader"], Some("raeder"))] {
        let refusal = setup.ask(request).unwrap_err();
        assert_eq!(refusal.reason, Reason::NotFound);
        assert!(refusal.message.contains("raeder]") && refusal.message.contains("reload"), "{refusal}");
    }
    let administrator = setup.ask(AdminRequest::DeviceSet(rights("admin"))).unwrap_err();
    assert!(administrator.message.contains("administrator"), "{administrator}");
    assert_eq!(setup.ask(AdminRequest::DeviceSet(rights("t1"))).unwrap_err().reason, Reason::NotFound);
}

/// Who did what is in the record, in an order that cannot be changed; and no key.
#[test]
fn what_happens_is_recorded_and_no_secret() {
    let mut setup = Setup::new();
    let own = Grants::none().with("own/#".parse().unwrap(), Permissions::READ);
    let key = setup.enrol("reader", own, &["reader"], Some("plant-a"));
    let mut reader = setup.connect("reader", &key);
    for _ in 0..50 {
        assert_eq!(reader.put("d/own/1", b"x").code, Code::FORBIDDEN);
    }
    assert_eq!(reader.get("d/b/1").code, Code::FORBIDDEN);
    let address = setup.broker.as_ref().unwrap().addresses()[0];
    assert!(Device::try_connect(address, "nobody", &key, SECOND).is_none());
    assert!(Device::try_connect(address, "reader", &Key::random().unwrap(), SECOND).is_none());
    // A wrong key looks like a device that goes away: that it never came to a session is recorded when it is given up.
    let given_up = |record: &sedge_audit::Record| {
        record.details.get("reason").is_some_and(|reason| reason == "handshake-failed")
    };
    let mut log = sedge_audit::Reader::new(&setup.dir.audit());
    let since = Instant::now();
    while !log.next_batch().unwrap().iter().any(given_up) {
        assert!(since.elapsed() < 20 * SECOND);
        std::thread::sleep(SECOND / 20);
    }
    setup.set(DeviceRights { roles: Some(Vec::new()), ..rights("reader") });
    setup.reload(RULES);
    let removed = setup.ask(AdminRequest::DeviceRemove("reader".into()));
    assert_eq!(removed, Ok(AdminReply::Done));
    setup.stop();
    // The same on the store alone.
    let later = setup.enrol("later", Grants::administrator(), &[], None);

    let folder = setup.dir.audit();
    let verified = sedge_audit::verify(&folder).unwrap();
    let mut log = sedge_audit::Reader::new(&folder);
    let records = log.next_batch().unwrap();
    assert_eq!(records.len() as u64, verified.records);
    let user = format!("user {}", nix::unistd::getuid());
    let count = |kind: &str, subject: &str, detail: (&str, &str)| {
        let matching = records.iter().filter(|record| {
            record.kind == kind
                && record.subject.as_deref() == Some(subject)
                && record.details.get(detail.0).is_some_and(|value| value == detail.1)
        });
        matching.count()
    };
    assert_eq!(count("enrolment", "admin", ("auth", "psk")), 1);
    assert_eq!(count("enrolment", "reader", ("auth", "psk")), 1);
    assert_eq!(count("grant", "reader", ("roles", "reader")), 1);
    assert_eq!(count("grant", "reader", ("roles", "")), 1);
    assert_eq!(count("grant", "reader", ("subscribe", "own/#")), 2);
    assert_eq!(count("revocation", "reader", ("what", "the device was removed")), 1);
    assert_eq!(count("grant", "later", ("administrator", "yes")), 1);
    assert_eq!(count("sign-in-failure", "nobody", ("reason", "unknown-identity")), 1);
    assert_eq!(count("administration", "", ("what", "the broker ends")), 1);
    assert_eq!(count("administration", "", ("what", "roles, segments and bridges were read again")), 1);
    // One refusal for each reason, and how often it came again.
    assert_eq!(count("refusal", "reader", ("topic", "own/1")), 2);
    assert_eq!(count("refusal", "reader", ("again", "49 times")), 1);
    assert_eq!(count("refusal", "reader", ("reason", "other-segment")), 1);
    let acts =
        records.iter().filter(|record| record.kind == "grant" && record.subject.as_deref() != Some("admin"));
    assert!(acts.into_iter().all(|record| record.by.as_deref() == Some(&*user)));

    let admin = sedge_client::Credential::read(setup.dir.admin_credential()).unwrap();
    let sedge_client::Login::Psk { key: admin, .. } = admin.login else { panic!() };
    for file in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [key.expose(), later.expose(), &admin] {
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            for text in [secret, hex.as_bytes()] {
                assert!(!bytes.windows(text.len()).any(|window| window == text));
            }
        }
    }
}

/// Whoever has no rights and goes on asking is refused each time, and harms nobody.
#[test]
fn hammering_without_rights_costs_others_nothing() {
    let setup = Setup::new();
    let mut publisher = setup.publisher();
    let _created = publisher.put("d/a/1/temp", b"0");
    let mut reader = setup.device("reader", &["reader"], Some("plant-a"));
    let (observation, _) = reader.observe("d/a/1/temp");
    let mut stranger = setup.device("stranger", &["reader"], Some("plant-b"));
    for number in 0..200u32 {
        let code = match number % 4 {
            0 => stranger.observe("d/a/1/temp").1.code,
            1 => stranger.put("d/a/1/temp", b"mine").code,
            2 => stranger.request(Code::DELETE, "d/a/1/temp", |_| {}).code,
            _ => stranger.get(&format!("d/a/{number}")).code,
        };
        assert_eq!(code, Code::FORBIDDEN);
    }
    assert_eq!(setup.observations(), 1);
    let refused = setup.counter("access.refused.other_segment") + setup.counter("access.refused.lacks_verb");
    assert_eq!(refused, 200);
    let _changed = publisher.put("d/a/1/temp", b"1");
    goes_on(&mut reader, observation, b"1");
}
