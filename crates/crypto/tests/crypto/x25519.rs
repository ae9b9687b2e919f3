//! X25519: the RFC's vectors, Wycheproof's, and shares that make the secret zero.

use sedge_crypto::{Crypto, KeyError, NamedGroup};

use crate::random::{Scripted, Seeded};
use crate::{hex, hex32};

for_every_provider!(
    both_sides_agree,
    rfc_7748,
    wycheproof_x25519,
    secrets_of_zero_are_refused,
    other_lengths_are_refused
);

const GROUP: NamedGroup = NamedGroup::X25519;

fn both_sides_agree(crypto: &impl Crypto) {
    let [one, two] = [1, 2].map(|seed| crypto.ephemeral_key(GROUP, &mut Seeded(seed)).unwrap());
    let [to_two, to_one] = [&one, &two].map(|key| crypto.key_share(key));
    assert_ne!(to_one, to_two);
    assert_eq!((to_one.group(), to_one.as_bytes().len()), (GROUP, 32));
    let secret = crypto.agree(&one, to_one.as_bytes()).unwrap();
    assert_eq!(crypto.agree(&two, to_two.as_bytes()).unwrap(), secret);
    assert_ne!(crypto.agree(&two, to_one.as_bytes()).unwrap(), secret);
}

/// RFC 7748 section 6.1.
fn rfc_7748(crypto: &impl Crypto) {
    let [alice, bob] = [
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    ]
    .map(|private| crypto.ephemeral_key(GROUP, &mut Scripted(hex32(private))).unwrap());
    let [from_alice, from_bob] = [&alice, &bob].map(|key| crypto.key_share(key).as_bytes().to_vec());
    assert_eq!(from_alice, hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    assert_eq!(from_bob, hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    let secret = hex32("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(crypto.agree(&alice, &from_bob).unwrap().expose(), &secret);
    assert_eq!(crypto.agree(&bob, &from_alice).unwrap().expose(), &secret);
}

fn wycheproof_x25519(crypto: &impl Crypto) {
    let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let key =
            crypto.ephemeral_key(GROUP, &mut Scripted(test.private_key[..].try_into().unwrap())).unwrap();
        let secret = crypto.agree(&key, &test.public_key);
        if test.shared_secret.iter().all(|&byte| byte == 0) {
            assert_eq!(secret, Err(KeyError::PublicKey), "{}: {}", test.tc_id, test.comment);
            refused += 1;
        } else {
            assert_eq!(secret.unwrap().expose()[..], test.shared_secret[..], "{}", test.tc_id);
            agreed += 1;
        }
    }
    assert!(agreed > 400 && refused > 20, "{agreed} agreed, {refused} refused");
}

/// RFC 7748 section 6.1: points of small order.
fn secrets_of_zero_are_refused(crypto: &impl Crypto) {
    let key = crypto.ephemeral_key(GROUP, &mut Seeded(1)).unwrap();
    let mut one = [0; 32];
    one[0] = 1;
    for share in [
        [0; 32],
        one,
        hex32("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex32("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        hex32("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex32("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ] {
        assert_eq!(crypto.agree(&key, &share), Err(KeyError::PublicKey), "{share:02x?}");
    }
}

fn other_lengths_are_refused(crypto: &impl Crypto) {
    let key = crypto.ephemeral_key(GROUP, &mut Seeded(1)).unwrap();
    for len in (0..100).filter(|&len| len != 32) {
        assert_eq!(crypto.agree(&key, &vec![9; len]), Err(KeyError::PublicKey), "{len}");
    }
}
