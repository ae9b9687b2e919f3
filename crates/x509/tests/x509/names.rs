//! Which names are taken for which.

use std::net::IpAddr;

use sedge_x509::authority::{AlternativeName, Template};
use sedge_x509::{Certificate, Error, Expected, GeneralName, PeerName};

use crate::support::*;

fn dns(name: &str) -> AlternativeName {
    AlternativeName::Dns(name.into())
}

fn expect(name: &str) -> Expected<'_> {
    Expected::server(PeerName::of_host(name))
}

#[test]
fn names_of_hosts() {
    let mut root = Ca::root(1);
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let names = vec![
        dns("a.example"),
        dns("B.Example"),
        AlternativeName::Ip([192, 0, 2, 1].into()),
        AlternativeName::Ip(address),
    ];
    let der = root.issue(&Template::server("c.example", names, YEAR));
    for name in ["a.example", "A.EXAMPLE", "b.example", "a.example.", "192.0.2.1", "2001:db8::1"] {
        root.both(&der, &expect(name), Ok(()));
    }
    // The common name does not count where there are names, and nothing counts that is only similar.
    for name in [
        "c.example",
        "example",
        "x.a.example",
        "a.example..",
        "a.exampl",
        "",
        ".",
        "192.0.2.2",
        "::192.0.2.1",
    ] {
        root.both(&der, &expect(name), Err(Error::WrongName));
    }
    // An address as text is no address, and a name is not its common name's.
    let der = root.issue(&Template::server("192.0.2.1", vec![dns("192.0.2.1.example")], YEAR));
    root.both(&der, &expect("192.0.2.1"), Err(Error::WrongName));
}

#[test]
fn common_names_count_alone() {
    let mut root = Ca::root(2);
    let der = root.issue(&Template::server("Boiler-7", vec![], YEAR));
    root.both(&der, &expect("boiler-7"), Ok(()));
    root.both(&der, &expect("boiler-8"), Err(Error::WrongName));
    let der = root.issue(&Template::server("192.0.2.1", vec![], YEAR));
    root.both(&der, &expect("192.0.2.1"), Err(Error::WrongName));
    // A list of names of another kind is a list of names.
    let uri = AlternativeName::Uri("coaps://boiler-7".into());
    let der = root.issue(&Template::server("boiler-7", vec![uri], YEAR));
    root.both(&der, &expect("boiler-7"), Err(Error::WrongName));
    root.both(&der, &Expected::server(PeerName::Uri("coaps://boiler-7")), Ok(()));
    root.both(&der, &Expected::server(PeerName::Uri("coaps://Boiler-7")), Err(Error::WrongName));
}

#[test]
fn wildcards_are_for_hosts() {
    let mut root = Ca::root(3);
    let der = root.issue(&Template::server("x", vec![dns("*.example.org")], YEAR));
    assert_eq!(root.host(&[&der], &expect("a.example.org")), Ok(()));
    assert_eq!(root.device(&der, &expect("a.example.org")), Err(Error::WrongName));
    for name in ["example.org", "a.b.example.org", "*.example.org", "aexample.org"] {
        assert_eq!(root.host(&[&der], &expect(name)), Err(Error::WrongName), "{name}");
    }
    for pattern in ["a*.example.org", "a.*.org", "*"] {
        let der = root.issue(&Template::server("x", vec![dns(pattern)], YEAR));
        root.both(&der, &expect("ab.example.org"), Err(Error::WrongName));
    }
    // Nor does a common name have one.
    let der = root.issue(&Template::server("*.example.org", vec![], YEAR));
    root.both(&der, &expect("a.example.org"), Err(Error::WrongName));
}

#[test]
fn the_name_of_a_peer() {
    let mut root = Ca::root(4);
    let mut name = |common_name: Option<&str>, alternative_names| {
        let common_name = common_name.map(str::to_owned);
        let der = root.issue(&Template { common_name, alternative_names, ..client() });
        let certificate = Certificate::parse(&der).unwrap();
        (certificate.peer_name().map(str::to_owned), certificate.eui64())
    };
    let uri = || AlternativeName::Uri("urn:dev:mac:0024befffe804ff1".into());
    let ip = || AlternativeName::Ip([192, 0, 2, 1].into());
    assert_eq!(name(Some("boiler-7"), vec![]).0.as_deref(), Some("boiler-7"));
    assert_eq!(name(Some("boiler-7"), vec![ip()]).0.as_deref(), Some("boiler-7"));
    assert_eq!(name(Some("boiler-7"), vec![uri()]).0.as_deref(), Some("urn:dev:mac:0024befffe804ff1"));
    assert_eq!(name(None, vec![ip(), uri(), dns("a"), dns("b")]).0.as_deref(), Some("a"));
    assert_eq!(name(None, vec![ip()]).0, None);
    assert_eq!(name(Some("Zähler 7"), vec![]).0.as_deref(), Some("Zähler 7"));

    let eui = Some([0x00, 0x24, 0xbe, 0xff, 0xfe, 0x80, 0x4f, 0xf1]);
    assert_eq!(name(Some("00-24-BE-FF-FE-80-4F-F1"), vec![]).1, eui);
    assert_eq!(name(None, vec![dns("00-24-be-ff-fe-80-4f-f1")]).1, eui);
    for other in
        ["00-24-BE-FF-FE-80-4F", "00-24-BE-FF-FE-80-4F-F1-00", "0024BEFFFE804FF1", "+0-24-BE-FF-FE-80-4F-F1"]
    {
        assert_eq!(name(Some(other), vec![]).1, None, "{other}");
    }
}

#[test]
fn an_empty_subject_has_its_names_elsewhere() {
    let mut root = Ca::root(5);
    let der = root.issue(&Template { common_name: None, ..server() });
    root.both(&der, &SERVER, Ok(()));
    let certificate = Certificate::parse(&der).unwrap();
    assert!(certificate.subject().is_empty());
    assert_eq!(certificate.subject().common_name(), None);
    let names: Vec<_> = certificate.subject_alt_name().unwrap().iter().collect();
    assert_eq!(names, [GeneralName::Dns("broker.example")]);
}
