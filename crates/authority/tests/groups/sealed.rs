//! What the store sees.

use sedge_authority::groups::{GroupSettings, Groups, OperatorKey, Settings, Unreadable};
use sedge_coap::Code;
use sedge_group::keying::Keys;

use crate::{CRYPTO, Centre, OPERATOR_KEY, PUBLISHER, SUBSCRIBER, TOPIC, told};

fn restored(records: &std::collections::BTreeMap<String, Vec<u8>>, key: &[u8]) -> Result<Groups, Unreadable> {
    let key = OperatorKey::new(&CRYPTO, key).unwrap();
    let mut groups = Groups::new(&CRYPTO, key, Settings::default());
    records.iter().try_for_each(|(record, sealed)| groups.restore(&CRYPTO, record, sealed)).map(|()| groups)
}

#[test]
fn everything_outlives_a_restart_and_nothing_is_given_out_twice() {
    let mut centre = Centre::new(GroupSettings::default());
    let (_, gid, sender) = centre.joined("boiler", PUBLISHER);
    centre.joined("display", SUBSCRIBER);
    let before = centre.ask("boiler", Code::GET, &[TOPIC, "nodes", "boiler"], b"");
    centre.groups = restored(&centre.records, OPERATOR_KEY).unwrap();
    let after = centre.ask("boiler", Code::GET, &[TOPIC, "nodes", "boiler"], b"");
    assert_eq!(before, after);
    let old = format!("?gid={:02x}{:02x}", gid[0], gid[1]);
    assert_eq!(told(&centre.ask("boiler", Code::GET, &[TOPIC, &old], b"")).1, gid);
    assert_ne!(centre.joined("boiler", PUBLISHER).2, sender);
}

#[test]
fn the_store_holds_neither_keys_nor_names() {
    let mut centre = Centre::new(GroupSettings::default());
    let answer = centre.join("boiler", PUBLISHER);
    let keys = Keys::decode(&answer.payload).unwrap();
    let mut buffer = [0; 96];
    let mut encoder = sedge_cose::cbor::Encoder::new(&mut buffer);
    keys.key.encode(&mut encoder);
    let encoded = encoder.finish().unwrap();
    // The last 16 bytes of a COSE_Key are the key.
    let key = &encoded[encoded.len() - 16..];
    let holds = |record: &Vec<u8>, what: &[u8]| record.windows(what.len()).any(|part| part == what);
    assert!(holds(&answer.payload, key), "it is where it should be");
    for record in centre.records.values() {
        assert!(!holds(record, key) && !holds(record, b"boiler") && record.len() > 100);
    }
    let first = centre.records.clone();
    centre.joined("boiler", PUBLISHER);
    assert_ne!(first, centre.records, "each sealing is new");
}

#[test]
fn another_key_or_a_changed_record_opens_nothing() {
    let mut centre = Centre::new(GroupSettings::default());
    centre.joined("boiler", PUBLISHER);
    let other = [b'x'; 64];
    assert_eq!(restored(&centre.records, &other).map(|_| ()), Err(Unreadable));
    let (name, record) = centre.records.first_key_value().unwrap();
    for at in [0, 31, 32, 100, record.len() - 1] {
        let mut altered = record.clone();
        altered[at] ^= 1;
        assert!(restored(&[(name.clone(), altered)].into(), OPERATOR_KEY).is_err());
    }
    // A record under the name of another group.
    assert!(restored(&[("group/61".to_owned(), record.clone())].into(), OPERATOR_KEY).is_err());
    assert!(OperatorKey::new(&CRYPTO, b"  short  \n").is_err());
    assert_eq!(format!("{:?}", OperatorKey::new(&CRYPTO, OPERATOR_KEY).unwrap()), "[secret]");
}
