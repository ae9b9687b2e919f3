//! One fault at a time, and what a device and a host say to it.

use sedge_crypto::RustCrypto;
use sedge_x509::authority::{AlternativeName, RawExtension, RevocationList, SerialNumber, Template};
use sedge_x509::{
    BasicConstraints, Certificate, CertificateRevocationList, Error, ExtendedKeyUsage, KeyUsage, Limits,
    Revocation, Validity,
};

use crate::counting::Counting;
use crate::support::*;

#[test]
fn good_certificates_are_believed() {
    let mut root = Ca::root(1);
    let (server, client) = (root.issue(&server()), root.issue(&client()));
    root.both(&server, &SERVER, Ok(()));
    root.both(&client, &CLIENT, Ok(()));
    root.both(&client, &BOILER, Ok(()));
    // The root may be sent along, and so may certificates that lead nowhere.
    let other = Ca::root(2);
    let own = root.der.clone();
    assert_eq!(root.host(&[&server, &own], &SERVER), Ok(()));
    assert_eq!(root.host(&[&server, &other.der], &SERVER), Ok(()));
    assert_eq!(root.host(&[&server, b"junk"], &SERVER), Ok(()));
    // A CA between: for hosts only.
    let mut between = root.below(&Template::ca("Below", Some(0), YEAR));
    let leaf = between.issue(&crate::support::client());
    assert_eq!(root.host(&[&leaf, &between.der], &CLIENT), Ok(()));
    assert_eq!(root.host(&[&leaf], &CLIENT), Err(Error::UnknownIssuer));
    assert_eq!(root.device(&leaf, &CLIENT), Err(Error::UnknownIssuer));
    assert_eq!(between.device(&leaf, &CLIENT), Ok(()));
}

#[test]
fn times() {
    let mut root = Ca::root(3);
    for (not_before, not_after, verdict) in [
        (NOW, NOW, Ok(())),
        (0, NOW - 1, Err(Error::Expired)),
        (NOW + 1, NOW + 2, Err(Error::NotYetValid)),
        (NOW, Validity::WITHOUT_END, Ok(())),
    ] {
        let template = Template::client("boiler-7", Validity { not_before, not_after });
        let der = root.issue(&template);
        root.both(&der, &CLIENT, verdict);
        // A device without a clock cannot tell.
        assert!(root.pinned().verify(&RustCrypto, &der, &CLIENT, None).is_ok());
    }
    // Nor does a CA between outlive its certificate.
    let past = Validity { not_before: 0, not_after: NOW - 1 };
    let mut between = root.below(&Template::ca("Below", Some(0), past));
    let leaf = between.issue(&client());
    assert_eq!(root.host(&[&leaf, &between.der], &CLIENT), Err(Error::Expired));
}

#[test]
fn usages() {
    let mut root = Ca::root(4);
    let any = ExtendedKeyUsage::ANY;
    for (key_usage, extended, as_server, as_client) in [
        (None, None, true, true),
        (Some(KeyUsage::DIGITAL_SIGNATURE), Some(any), true, true),
        (Some(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT), None, true, true),
        (Some(KeyUsage::KEY_AGREEMENT), None, false, false),
        (None, Some(ExtendedKeyUsage::SERVER_AUTH), true, false),
        (None, Some(ExtendedKeyUsage::CLIENT_AUTH), false, true),
        (None, Some(ExtendedKeyUsage::SERVER_AUTH | ExtendedKeyUsage::CLIENT_AUTH), true, true),
        (None, Some(ExtendedKeyUsage::OTHER), false, false),
        (Some(KeyUsage::KEY_AGREEMENT), Some(any), false, false),
    ] {
        let der = root.issue(&Template { key_usage, extended_key_usage: extended, ..server() });
        let verdict = |fits| if fits { Ok(()) } else { Err(Error::WrongUsage) };
        root.both(&der, &SERVER, verdict(as_server));
        root.both(&der, &CLIENT, verdict(as_client));
    }
}

#[test]
fn issuers() {
    let mut root = Ca::root(5);
    let mut stranger = Ca::root(6);
    let leaf = stranger.issue(&client());
    // The same name and another key: a host sees that the signature does not fit.
    assert_eq!(root.host(&[&leaf], &CLIENT), Err(Error::BadSignature));
    assert_eq!(root.device(&leaf, &CLIENT), Err(Error::UnknownIssuer));
    let mut named = Ca::self_signed(7, &Template::ca("Another CA", None, YEAR));
    let leaf = named.issue(&client());
    root.both(&leaf, &CLIENT, Err(Error::UnknownIssuer));
    assert_eq!(root.host(&[&leaf, &named.der], &CLIENT), Err(Error::UnknownIssuer));

    // A CA is nobody's peer.
    let ca = Template { key_usage: None, ..Template::ca("boiler-7", None, YEAR) };
    let der = root.issue(&ca);
    root.both(&der, &CLIENT, Err(Error::IsCa));

    // A peer is nobody's CA, whether it says so or says nothing.
    let not_ca = Some(BasicConstraints::default());
    for basic_constraints in [None, not_ca] {
        let mut peer = root.below(&Template { basic_constraints, ..client() });
        let leaf = peer.issue(&client());
        assert_eq!(root.host(&[&leaf, &peer.der], &CLIENT), Err(Error::IssuerNotCa));
    }
    // Nor is a CA one whose key may not sign certificates.
    let key_usage = Some(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::CRL_SIGN);
    let mut mute = root.below(&Template { key_usage, ..Template::ca("Mute", None, YEAR) });
    let leaf = mute.issue(&client());
    assert_eq!(root.host(&[&leaf, &mute.der], &CLIENT), Err(Error::IssuerNotCa));
    // What a CA is for limits what it vouches for.
    let extended_key_usage = Some(ExtendedKeyUsage::SERVER_AUTH);
    let mut servers = root.below(&Template { extended_key_usage, ..Template::ca("Servers", None, YEAR) });
    let (as_client, as_server) = (servers.issue(&client()), servers.issue(&server()));
    assert_eq!(root.host(&[&as_client, &servers.der], &CLIENT), Err(Error::WrongUsage));
    assert_eq!(root.host(&[&as_server, &servers.der], &SERVER), Ok(()));
    // A trust anchor has to be a CA.
    let mut anchors = root.anchors();
    assert_eq!(anchors.add(&root.issue(&client())), Err(Error::IssuerNotCa));
    assert_eq!(anchors.len(), 1);
}

#[test]
fn path_lengths() {
    // The root allows one CA below itself.
    let mut root = Ca::root(8);
    let mut one = root.below(&Template::ca("One", None, YEAR));
    let mut two = one.below(&Template::ca("Two", None, YEAR));
    let (leaf_one, leaf_two) = (one.issue(&client()), two.issue(&client()));
    assert_eq!(root.host(&[&leaf_one, &one.der], &CLIENT), Ok(()));
    assert_eq!(root.host(&[&leaf_two, &two.der, &one.der], &CLIENT), Err(Error::PathTooLong));
    // The one between allows none.
    let mut root = Ca::self_signed(9, &Template::ca("Wide", None, YEAR));
    let mut one = root.below(&Template::ca("One", Some(0), YEAR));
    let mut two = one.below(&Template::ca("Two", None, YEAR));
    let leaf = two.issue(&client());
    assert_eq!(root.host(&[&leaf, &two.der, &one.der], &CLIENT), Err(Error::PathTooLong));
    // In whatever order they come.
    let mut one = root.below(&Template::ca("One", Some(1), YEAR));
    let mut two = one.below(&Template::ca("Two", None, YEAR));
    let leaf = two.issue(&client());
    assert_eq!(root.host(&[&leaf, &two.der, &one.der], &CLIENT), Ok(()));
    assert_eq!(root.host(&[&leaf, &one.der, &two.der], &CLIENT), Ok(()));
}

#[test]
fn extensions_that_are_not_known() {
    let mut root = Ca::root(10);
    let mut with = |critical| {
        let raw = RawExtension { id: vec![0x2a, 3, 4], critical, value: vec![5, 0] };
        root.issue(&Template { further_extensions: vec![raw], ..client() })
    };
    let (critical, other) = (with(true), with(false));
    root.both(&critical, &CLIENT, Err(Error::UnknownCriticalExtension));
    root.both(&other, &CLIENT, Ok(()));
    // Twice the same is malformed.
    let twice = RawExtension { id: vec![0x55, 0x1d, 15], critical: true, value: vec![3, 2, 7, 0x80] };
    let der = root.issue(&Template { further_extensions: vec![twice], ..client() });
    root.both(&der, &CLIENT, Err(Error::Malformed));
}

/// nameConstraints: only names in example.org.
fn only_example_org() -> RawExtension {
    let value = [&[0x30, 17, 0xa0, 15, 0x30, 13, 0x82, 11][..], b"example.org"].concat();
    RawExtension { id: vec![0x55, 0x1d, 30], critical: true, value }
}

#[test]
fn name_constraints() {
    let mut root = Ca::root(11);
    let template =
        Template { further_extensions: vec![only_example_org()], ..Template::ca("Org", None, YEAR) };
    let mut org = root.below(&Template { further_extensions: vec![], ..template.clone() });
    // The same key, with and without the constraint.
    let constrained = root.issue_to(&template, &org.issuer.public_key());
    let leaf = org.issue(&server());
    assert_eq!(root.host(&[&leaf, &org.der], &SERVER), Ok(()));
    assert_eq!(root.host(&[&leaf, &constrained], &SERVER), Err(Error::NameNotPermitted));
    // A common name is not constrained, and therefore does not count below such a CA.
    let nameless = Template { alternative_names: vec![], ..server() };
    let leaf = org.issue(&nameless);
    assert_eq!(root.host(&[&leaf, &org.der], &SERVER), Ok(()));
    assert_eq!(root.host(&[&leaf, &constrained], &SERVER), Err(Error::WrongName));
    // A device does not understand the extension.
    let der = root.issue(&Template { further_extensions: vec![only_example_org()], ..server() });
    assert_eq!(root.device(&der, &SERVER), Err(Error::UnknownCriticalExtension));
}

#[test]
fn too_much() {
    let mut root = Ca::root(12);
    let leaf = root.issue(&client());
    let chain = |len: usize| -> Vec<&[u8]> { std::iter::repeat_n(&leaf[..], len).collect() };
    assert_eq!(root.host(&[], &CLIENT), Err(Error::NoCertificate));
    assert_eq!(root.host(&chain(4), &CLIENT), Ok(()));
    assert_eq!(root.host(&chain(5), &CLIENT), Err(Error::TooMany));
    assert_eq!(root.host(&chain(100_000), &CLIENT), Err(Error::TooMany));
    let large = vec![0x30; 4097];
    assert_eq!(root.host(&[&large], &CLIENT), Err(Error::TooLarge));
    assert_eq!(root.host(&[&leaf, &large], &CLIENT), Err(Error::TooLarge));
    let limits = Limits { certificates: 1, bytes: leaf.len() };
    assert_eq!(verdict(&root.verifier().with_limits(limits), &[&leaf], &CLIENT), Ok(()));
    assert_eq!(verdict(&root.verifier().with_limits(limits), &chain(2), &CLIENT), Err(Error::TooMany));
    let limits = Limits { bytes: leaf.len() - 1, ..limits };
    assert_eq!(verdict(&root.verifier().with_limits(limits), &[&leaf], &CLIENT), Err(Error::TooLarge));
}

/// CAs that all have the same name, so that every one of them may have issued every other, are not worth more time
/// than a few signatures.
#[test]
fn a_maze_of_issuers_ends() {
    let root = Ca::root(13);
    let template = Template::ca("Test CA", None, YEAR);
    let mut false_root = Ca::self_signed(14, &template);
    let maze: Vec<Vec<u8>> = (0..3).map(|_| false_root.below(&template).der).collect();
    let leaf = false_root.issue(&client());
    let chain = [&leaf[..], &maze[0], &maze[1], &maze[2]];
    let counted = Counting::default();
    let verifier = sedge_x509::Verifier::new(counted.clone(), root.anchors());
    let verdict = verifier.verify(chain, &CLIENT, NOW).map(|_| ());
    assert_eq!(verdict, Err(Error::BadSignature));
    assert!(counted.verified() <= 16, "{} signatures checked", counted.verified());
}

/// A CA's certificate and its list are checked once, a peer's own certificate once as well.
#[test]
fn what_is_known_to_be_good_is_not_checked_again() {
    let mut root = Ca::root(22);
    let mut below = root.below(&Template::ca("Below", None, YEAR));
    let list = RevocationList { number: 1, this_update: NOW, next_update: NOW + 9, revoked: vec![] };
    let der = root.issuer.revocation_list(&list, &mut root.rng).unwrap();
    let lists = CertificateRevocationList::parse(&der).unwrap();
    let counted = Counting::default();
    let verifier = sedge_x509::Verifier::new(counted.clone(), root.anchors());
    let verifier = verifier.with_crls(lists, Revocation::IfListed);
    let leaves: Vec<Vec<u8>> = (0..40).map(|_| below.issue(&client())).collect();
    for (number, leaf) in leaves.iter().enumerate() {
        assert_eq!(verdict(&verifier, &[leaf, &below.der], &CLIENT), Ok(()));
        assert_eq!(counted.verified(), 3 + number, "the list, the CA, and every peer");
    }
    // The first is forgotten by now, the last is not.
    assert_eq!(verdict(&verifier, &[&leaves[39], &below.der], &CLIENT), Ok(()));
    assert_eq!(counted.verified(), 42);
    assert_eq!(verdict(&verifier, &[&leaves[0], &below.der], &CLIENT), Ok(()));
    assert_eq!(counted.verified(), 43);
    // What is not good is not remembered, and what is good for one key is not for another.
    let mut broken = leaves[39].clone();
    *broken.last_mut().unwrap() ^= 1;
    for checks in [44, 45] {
        assert_eq!(verdict(&verifier, &[&broken, &below.der], &CLIENT), Err(Error::BadSignature));
        assert_eq!(counted.verified(), checks);
    }
}

/// Nobody makes a host check signatures with a certificate that would not do anyway.
#[test]
fn what_would_not_do_anyway_costs_no_signature() {
    let mut root = Ca::root(23);
    let counted = Counting::default();
    let verifier = sedge_x509::Verifier::new(counted.clone(), root.anchors());
    let expired = Template::client("x", Validity { not_before: 0, not_after: 1 });
    let ca = Template { key_usage: None, ..Template::ca("x", None, YEAR) };
    for (template, error) in [(expired, Error::Expired), (ca, Error::IsCa), (server(), Error::WrongUsage)] {
        let der = root.issue(&template);
        assert_eq!(verdict(&verifier, &[&der], &CLIENT), Err(error));
        assert_eq!(counted.verified(), 0, "{error}");
    }
}

#[test]
fn revocation() {
    let mut root = Ca::root(15);
    let (good, bad) = (root.issue(&client()), root.issue(&client()));
    let serial = SerialNumber::new(Certificate::parse(&bad).unwrap().serial());
    let mut list = RevocationList {
        number: 1,
        this_update: NOW - 10,
        next_update: NOW + 10,
        revoked: vec![(serial, NOW - 20)],
    };
    let sign = |ca: &mut Ca, list: &RevocationList| {
        let der = ca.issuer.revocation_list(list, &mut ca.rng).unwrap();
        CertificateRevocationList::parse(&der).unwrap()
    };
    use Revocation::{IfListed, Required};
    for policy in [IfListed, Required] {
        let lists = sign(&mut root, &list);
        let verifier = root.verifier().with_crls(lists, policy);
        assert_eq!(verdict(&verifier, &[&good], &CLIENT), Ok(()));
        assert_eq!(verdict(&verifier, &[&bad], &CLIENT), Err(Error::Revoked));
    }
    // Without a list the policy decides.
    assert_eq!(verdict(&root.verifier().with_crls(vec![], IfListed), &[&bad], &CLIENT), Ok(()));
    let required = root.verifier().with_crls(vec![], Required);
    assert_eq!(verdict(&required, &[&good], &CLIENT), Err(Error::RevocationUnknown));
    // Another CA's list says nothing.
    let mut stranger = Ca::self_signed(16, &Template::ca("Another CA", None, YEAR));
    let lists = sign(&mut stranger, &list);
    let required = root.verifier().with_crls(lists, Required);
    assert_eq!(verdict(&required, &[&good], &CLIENT), Err(Error::RevocationUnknown));
    // A list that somebody else has signed in the CA's name is not believed, whatever the policy.
    let mut false_root = Ca::root(17);
    for policy in [IfListed, Required] {
        let lists = sign(&mut false_root, &list);
        let verifier = root.verifier().with_crls(lists, policy);
        assert_eq!(verdict(&verifier, &[&good], &CLIENT), Err(Error::BadCrl));
    }
    // Nor is one that has expired.
    list.next_update = NOW;
    for policy in [IfListed, Required] {
        let lists = sign(&mut root, &list);
        let verifier = root.verifier().with_crls(lists, policy);
        assert_eq!(verdict(&verifier, &[&good], &CLIENT), Err(Error::CrlExpired));
    }
    assert!(matches!(CertificateRevocationList::parse(b"junk"), Err(Error::BadCrl)));
    assert!(matches!(CertificateRevocationList::parse(&root.der), Err(Error::BadCrl)));
}

#[test]
fn a_revoked_issuer_revokes_what_it_issued() {
    let mut root = Ca::root(18);
    let mut below = root.below(&Template::ca("Below", None, YEAR));
    let leaf = below.issue(&client());
    let serial = SerialNumber::new(Certificate::parse(&below.der).unwrap().serial());
    let revoked = vec![(serial, NOW)];
    let list = RevocationList { number: 1, this_update: NOW, next_update: NOW + 1, revoked };
    let der = root.issuer.revocation_list(&list, &mut root.rng).unwrap();
    let lists = CertificateRevocationList::parse(&der).unwrap();
    let verifier = root.verifier().with_crls(lists, Revocation::IfListed);
    assert_eq!(verdict(&verifier, &[&leaf, &below.der], &CLIENT), Err(Error::Revoked));
}

#[test]
fn the_pinned_key_itself() {
    // A peer's key instead of a CA's, in whatever certificate.
    let mut root = Ca::root(19);
    let lone = Ca::self_signed(20, &server());
    assert_eq!(lone.device(&lone.der, &SERVER), Ok(()));
    let issued = root.issue_to(&server(), &lone.issuer.public_key());
    assert_eq!(lone.device(&issued, &SERVER), Ok(()));
    // Its certificate still has to fit.
    assert_eq!(lone.device(&issued, &CLIENT), Err(Error::WrongUsage));
    let expired = Template { validity: Validity { not_before: 0, not_after: 1 }, ..server() };
    let expired = root.issue_to(&expired, &lone.issuer.public_key());
    assert_eq!(lone.device(&expired, &SERVER), Err(Error::Expired));
    // `openssl req -x509` calls everybody a CA.
    let names = vec![AlternativeName::Dns("broker.example".into())];
    let ca = Template { alternative_names: names, key_usage: None, ..Template::ca("x", None, YEAR) };
    let lone = Ca::self_signed(21, &ca);
    assert_eq!(lone.device(&lone.der, &SERVER), Ok(()));
}

#[test]
fn every_fault_has_an_alert() {
    for (error, alert) in [
        (Error::Malformed, 42),
        (Error::BadSignature, 42),
        (Error::WrongName, 42),
        (Error::TooMany, 42),
        (Error::TooLarge, 42),
        (Error::UnsupportedAlgorithm, 43),
        (Error::WrongUsage, 43),
        (Error::Revoked, 44),
        (Error::Expired, 45),
        (Error::NotYetValid, 45),
        (Error::CrlExpired, 46),
        (Error::RevocationUnknown, 46),
        (Error::UnknownIssuer, 48),
        (Error::PathTooLong, 48),
        (Error::IssuerNotCa, 48),
    ] {
        assert_eq!(error.alert(), alert, "{error}");
    }
}
