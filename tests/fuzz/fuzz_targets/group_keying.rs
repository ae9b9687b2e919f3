//! Any bytes as what members and the key distribution centre say to each other: what is read is written the same way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_group::keying::{Challenge, Join, Keys, MemberCredential, Members, read_gids, read_number};

fuzz_target!(|input: &[u8]| {
    if let Ok(join) = Join::decode(input) {
        let mut buffer = vec![0; input.len() + 64];
        let written = join.encode(&mut buffer).expect("no longer than it was");
        assert_eq!(Join::decode(written), Ok(join));
    }
    if let Ok(keys) = Keys::decode(input) {
        let mut buffer = vec![0; input.len() + 64];
        let written = keys.encode(None::<std::vec::IntoIter<_>>, &mut buffer).expect("no longer than it was");
        let again = Keys::decode(written).expect("it was one");
        assert_eq!((again.key, again.sender, again.policy), (keys.key, keys.sender, keys.policy));
        assert!(keys.members.iter().count() <= keys.members.len());
    }
    if let Ok((_, members)) = Members::decode(input) {
        assert!(members.iter().count() <= members.len());
    }
    if let Ok(credential) = MemberCredential::decode(input) {
        let mut buffer = vec![0; input.len() + 160];
        let written = credential.encode(&mut buffer).expect("no longer than it was");
        assert_eq!(MemberCredential::decode(written), Ok(credential));
    }
    let _challenge = Challenge::decode(input);
    let _number = read_number(input);
    let _read = read_gids(input, |_| {});
});
