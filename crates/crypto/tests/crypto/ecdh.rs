//! ECDH in P-256: Wycheproof's vectors, and shares that are none.

use sedge_crypto::{Crypto, KeyError, NamedGroup};

use crate::hex;
use crate::random::{KnownKeys, Seeded};

for_every_provider!(
    both_sides_agree,
    wycheproof_ecdh,
    other_forms_are_refused,
    points_off_the_curve_are_refused
);

const GROUP: NamedGroup = NamedGroup::Secp256r1;

fn both_sides_agree(crypto: &impl Crypto) {
    let [one, two] = [1, 2].map(|seed| crypto.ephemeral_key(GROUP, &mut Seeded(seed)).unwrap());
    let [to_two, to_one] = [&one, &two].map(|key| crypto.key_share(key));
    assert_ne!(to_one, to_two);
    assert_eq!((to_one.group(), to_one.as_bytes().len()), (GROUP, 65));
    let secret = crypto.agree(&one, to_one.as_bytes()).unwrap();
    assert_eq!(crypto.agree(&two, to_two.as_bytes()).unwrap(), secret);
    assert_eq!(crypto.agree(&one, to_one.as_bytes()).unwrap(), secret, "a key serves more than once");
    assert_ne!(crypto.agree(&two, to_one.as_bytes()).unwrap(), secret);
}

fn wycheproof_ecdh(crypto: &impl KnownKeys) {
    let set = wycheproof::ecdh::TestSet::load(wycheproof::ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        // The private keys are big-endian numbers of any length.
        let digits: Vec<u8> = test.private_key.iter().copied().skip_while(|&byte| byte == 0).collect();
        let mut scalar = [0; 32];
        scalar[32 - digits.len()..].copy_from_slice(&digits);
        let key = crypto.known_key(GROUP, scalar).unwrap();
        let secret = crypto.agree(&key, &test.public_key);
        // DTLS rules compressed points out, which Wycheproof leaves open.
        if test.result.must_fail() || test.public_key.len() == 33 {
            assert_eq!(secret, Err(KeyError::PublicKey), "{}: {}", test.tc_id, test.comment);
            refused += 1;
        } else {
            assert_eq!(secret.unwrap().expose()[..], test.shared_secret[..], "{}", test.tc_id);
            agreed += 1;
        }
    }
    assert!(agreed > 300 && refused > 20, "{agreed} agreed, {refused} refused");
}

fn other_forms_are_refused(crypto: &impl Crypto) {
    let [key, peer] = [1, 2].map(|seed| crypto.ephemeral_key(GROUP, &mut Seeded(seed)).unwrap());
    let share = crypto.key_share(&peer);
    let share = share.as_bytes();
    let parity = share[64] & 1;
    let mut forms = vec![
        [&[2 + parity], &share[1..33]].concat(), // compressed
        [&[6 + parity], &share[1..]].concat(),   // hybrid
        [&[5], &share[1..]].concat(),
        [share, &[0]].concat(),
        [&[0], share].concat(),
        vec![0], // infinity
    ];
    forms.extend((0..65).map(|len| share[..len].to_vec()));
    let info = sedge_crypto::subject_public_key_info(&sedge_crypto::PublicKey::from_bytes(share).unwrap());
    forms.push(info.to_vec());
    for form in forms {
        assert_eq!(crypto.agree(&key, &form), Err(KeyError::PublicKey), "{form:02x?}");
    }
    assert!(crypto.agree(&key, share).is_ok());
}

fn points_off_the_curve_are_refused(crypto: &impl Crypto) {
    let [key, peer] = [1, 2].map(|seed| crypto.ephemeral_key(GROUP, &mut Seeded(seed)).unwrap());
    let share = crypto.key_share(&peer).as_bytes().to_vec();
    for at in 1..65 {
        let mut off = share.clone();
        off[at] ^= 1;
        assert_eq!(crypto.agree(&key, &off), Err(KeyError::PublicKey), "byte {at}");
    }
    // There is a point with x = 5. With p added the coordinate still fits 32 bytes, but is not canonical.
    let on = hex("04 0000000000000000000000000000000000000000000000000000000000000005
            459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
    assert!(crypto.agree(&key, &on).is_ok());
    let beyond = hex("04 ffffffff00000001000000000000000000000001000000000000000000000004
            459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
    assert_eq!(crypto.agree(&key, &beyond), Err(KeyError::PublicKey));
}
