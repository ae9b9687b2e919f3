//! What is written can be read, and nothing else.

use std::vec;

use super::*;
use sedge_crypto::{Crypto as _, RustCrypto};

fn sample() -> Credential {
    let key = (0..16).collect::<Vec<u8>>();
    Credential::psk("coaps://[::1]:5684", "boiler 7 ß", "boiler 7 ß".as_bytes(), key)
}

fn public(scalar: u8) -> PublicKey {
    let key = RustCrypto.signing_key(&Secret::new([scalar; 32])).unwrap();
    RustCrypto.public_key(&key)
}

/// One of each kind: raw or certificates, key or issuer known; and one that shows nothing.
fn with_public_keys() -> impl Iterator<Item = Credential> {
    let issuer = BrokerKey::Issuer { key: public(9), server_name: "broker.example".into() };
    let servers = [BrokerKey::Key(public(8)), issuer];
    let own =
        [(Some(7), &[][..]), (Some(7), &[0x30, 2, 5, 0][..]), (Some(7), &[0x30, 0, 0x30, 0]), (None, &[])];
    own.into_iter().flat_map(move |(key, certificates)| {
        servers.clone().map(|server| {
            let private_key = key.map(|byte| Secret::new([byte; 32]));
            let login = Login::PublicKey { private_key, certificates: certificates.into(), server };
            Credential { login, ..sample() }
        })
    })
}

#[test]
fn what_is_written_reads_back() {
    for identity in [&b"boiler 7"[..], b"\"", b"\\", b"\xff\x00", b"", "ü".as_bytes()] {
        let login = Login::Psk { identity: identity.into(), key: vec![3; 16].into() };
        let credential = Credential { login, ..sample() };
        assert_eq!(Credential::parse(&credential.to_toml()).unwrap(), credential);
    }
    assert_eq!(with_public_keys().count(), 8);
    for credential in with_public_keys() {
        let text = credential.to_toml();
        assert_eq!(Credential::parse(&text).unwrap(), credential, "{}", *text);
        assert!(credential.security().is_ok());
    }
}

#[test]
fn the_file_of_a_pre_shared_key_looks_as_it_always_did() {
    let credential = Credential::psk("coaps://b", "n", "id", b"sixteen secrets!".to_vec());
    let text = "# Whoever holds this file is the device: keep it secret.\n\
        broker = \"coaps://b\"\nname = \"n\"\nidentity = \"id\"\nkey = \"7369787465656e207365637265747321\"\n";
    assert_eq!(*credential.to_toml(), text);
}

#[test]
fn a_file_is_private_and_never_overwritten() {
    let folder = std::env::temp_dir().join(std::format!("sedge-credential-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("a.toml");
    sample().write_new(&path).unwrap();
    assert_eq!(sample().write_new(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(Credential::read(&path).unwrap(), sample());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let message = Credential::read(&path).unwrap_err().to_string();
        assert!(message.contains("chmod 600"), "{message}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let message = Credential::read(&path).unwrap_err().to_string();
    assert!(message.contains("sedge device add"), "{message}");
}

#[test]
fn a_refusal_says_which_line() {
    let key = "key = \"000102030405060708090a0b0c0d0e0f\"";
    for (text, hint) in [
        ("broker = \"b\"\nname = n", "line 2"),
        ("broker = \"b\"\ncolour = \"red\"", "line 2"),
        ("key = \"0\"", "line 1"),
        ("key = \"zz\"", "line 1"),
        ("name = \"a\"\n\n# note\nname = \"b\"", "line 4"),
        ("name = \"a\" \"b\"", "line 1"),
        ("broker = \"b\"\nname = \"n\"", "key"),
        ("broker = \"b\"\nname = \"n\"\nkey = \"00\"", "1 bytes"),
        (key, "name"),
        ("", "name"),
        ("private_key = \"00\"", "32 bytes"),
        ("server_key = \"0400\"", "P-256"),
        ("certificates = \"\"", "no certificate"),
        ("certificates = \"300500\"", "no certificate"),
    ] {
        let message = Credential::parse(text).unwrap_err().to_string();
        assert!(message.contains(hint) && !message.contains('\n'), "{text:?}: {message}");
    }
    let text = std::format!("broker = \"b\" # here\nname = \"n\"\n{key}\n");
    let Login::Psk { identity, .. } = Credential::parse(&text).unwrap().login else { panic!() };
    assert_eq!(identity, b"n");
}

#[test]
fn what_contradicts_itself_or_is_not_enough_is_refused() {
    let head = "broker = \"coaps://[2001:db8::1]:1\"\nname = \"n\"\n";
    let info = |key| {
        let mut digits = String::new();
        for byte in sedge_crypto::subject_public_key_info(&public(key)) {
            digits.push_str(&std::format!("{byte:02x}"));
        }
        digits
    };
    let psk = "key = \"000102030405060708090a0b0c0d0e0f\"\n";
    let private = std::format!("private_key = \"{}\"\n", "07".repeat(32));
    let server = std::format!("server_key = \"{}\"\n", info(8));
    let issuer = std::format!("issuer_key = \"{}\"\n", info(9));
    let (name, chain) = ("server_name = \"b\"\n", "certificates = \"3000\"\n");
    for (fields, hint) in [
        (&[psk, &private, &server][..], "both"),
        (&["identity = \"x\"\n", &private, &server], "both"),
        (&[&server, &issuer], "both"),
        (&[&server, name], "both"),
        (&[psk, name], "both"),
        (&[psk, chain], "both"),
        (&[&private], "server_key"),
        (&[&server, chain], "private_key"),
    ] {
        let text = [head, &fields.concat()].concat();
        let message = Credential::parse(&text).unwrap_err().to_string();
        assert!(message.contains(hint), "{text}: {message}");
    }
    let Login::PublicKey { server, .. } = Credential::parse(&[head, &issuer].concat()).unwrap().login else {
        panic!()
    };
    assert_eq!(server, BrokerKey::Issuer { key: public(9), server_name: "2001:db8::1".into() });
}

#[test]
fn no_key_is_printed() {
    let text = std::format!("{:?}", sample());
    assert!(text.contains("[secret]") && !text.contains("00010203") && !text.contains("[0, 1"), "{text}");
    for credential in with_public_keys() {
        let text = std::format!("{credential:?}");
        assert!(!text.contains("070707") && !text.contains("7, 7, 7"), "{text}");
    }
}
