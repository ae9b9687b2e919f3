//! The CA of a folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sedge_crypto::RustCrypto;
use sedge_x509::authority::{
    Authority, AuthorityError, NewAuthority, PrivateKey, PrivateKeyError, Template, write_new, write_over,
};
use sedge_x509::{CertificateRevocationList, Error, Revocation, TrustAnchors, Validity, Verifier};

use crate::support::*;

fn create(folder: &Path, passphrase: Option<&[u8]>) -> Result<Authority, AuthorityError> {
    let new = NewAuthority { name: "Test CA", validity: YEAR, passphrase };
    Authority::create(folder, &new, RustCrypto, &mut TestRng(1))
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn from_a_new_folder_to_a_revoked_device() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("deep/ca");
    let mut rng = TestRng(2);
    let key = PrivateKey::generate(&RustCrypto, &mut rng).unwrap().public_key(&RustCrypto).unwrap();
    {
        let mut ca = create(&folder, None).unwrap();
        let issuer = ca.unlock(RustCrypto, None).unwrap();
        ca.issue(&issuer, &client(), &key, &mut rng).unwrap();
    }
    assert_eq!(names(&folder), ["ca.key.pem", "ca.pem", "index.toml", "lock"]);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("ca.key.pem")), 0o600);

    let mut ca = Authority::open(&folder).unwrap();
    assert!(!Authority::needs_passphrase(&folder).unwrap());
    let issuer = ca.unlock(RustCrypto, None).unwrap();
    let der = ca.issue(&issuer, &Template::client("boiler-8", YEAR), &key, &mut rng).unwrap();
    let again = ca.issue(&issuer, &Template::client("boiler-8", YEAR), &key, &mut rng).unwrap();
    let issued: Vec<_> = ca.issued().iter().map(|issued| (&issued.name[..], &issued.uses[..])).collect();
    let uses = ["client".to_owned()];
    assert_eq!(issued, [("boiler-7", &uses[..]), ("boiler-8", &uses), ("boiler-8", &uses)]);

    // By number one, by name all that are left.
    let serial = ca.issued()[1].serial.to_string();
    assert_eq!(ca.revoke(&serial, NOW).unwrap().len(), 1);
    assert!(matches!(ca.revoke(&serial, NOW), Err(AuthorityError::AlreadyRevoked(_))));
    assert!(matches!(ca.revoke("boiler-9", NOW), Err(AuthorityError::NotIssued(_))));
    let anchors = TrustAnchors::read(ca.certificate_path()).unwrap();
    let mut verifier = Verifier::new(RustCrypto, anchors).with_crls(vec![], Revocation::IfListed);
    ca.write_crl(&issuer, NOW - 1, NOW + 9, &mut rng).unwrap();
    let lists = CertificateRevocationList::read(ca.crl_path()).unwrap();
    assert_eq!(lists.iter().map(CertificateRevocationList::next_update).collect::<Vec<_>>(), [Some(NOW + 9)]);
    verifier.set_crls(lists);
    assert_eq!(verdict(&verifier, &[&der], &CLIENT), Err(Error::Revoked));
    assert_eq!(verdict(&verifier, &[&again], &CLIENT), Ok(()));

    assert_eq!(ca.revoke("boiler-8", NOW).unwrap().len(), 1);
    assert!(matches!(ca.revoke("boiler-8", NOW), Err(AuthorityError::AlreadyRevoked(_))));
    ca.write_crl(&issuer, NOW - 1, NOW + 9, &mut rng).unwrap();
    verifier.set_crls(CertificateRevocationList::read(ca.crl_path()).unwrap());
    assert_eq!(verdict(&verifier, &[&again], &CLIENT), Err(Error::Revoked));

    let before = ca.issued().to_vec();
    drop(ca);
    assert_eq!(Authority::open(&folder).unwrap().issued(), before);
    assert!(std::fs::read_to_string(folder.join("index.toml")).unwrap().contains("crl_number = 2"));
}

#[test]
fn a_passphrase_keeps_the_key() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = create(temporary.path(), Some(b"secret words")).unwrap();
    assert_eq!(mode(temporary.path()), 0o700);
    assert!(Authority::needs_passphrase(temporary.path()).unwrap());
    assert!(ca.unlock(RustCrypto, Some(b"secret words")).is_ok());
    for (passphrase, error) in [
        (None, PrivateKeyError::PassphraseNeeded),
        (Some(&b"other words"[..]), PrivateKeyError::WrongPassphrase),
    ] {
        let refused = ca.unlock(RustCrypto, passphrase).err();
        assert!(
            matches!(refused, Some(AuthorityError::PrivateKey(_, found)) if found == error),
            "{refused:?}"
        );
    }
    // Another key is noticed, not used.
    let mut rng = TestRng(9);
    let other = PrivateKey::generate(&RustCrypto, &mut rng).unwrap();
    std::fs::write(ca.key_path(), other.to_pem(&RustCrypto, None, &mut rng).unwrap()).unwrap();
    assert!(matches!(ca.unlock(RustCrypto, None), Err(AuthorityError::OtherKey(_))));
}

#[test]
fn a_folder_is_taken_once() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("ca");
    assert!(matches!(Authority::open(&folder), Err(AuthorityError::NoAuthority(_))));
    assert!(matches!(Authority::needs_passphrase(&folder), Err(AuthorityError::NoAuthority(_))));
    drop(create(&folder, None).unwrap());
    assert!(matches!(create(&folder, None), Err(AuthorityError::NotEmpty(_))));
    for name in ["", "line\nbreak", &"x".repeat(65)] {
        let new = NewAuthority { name, validity: YEAR, passphrase: None };
        let folder = temporary.path().join("other");
        let refused = Authority::create(&folder, &new, RustCrypto, &mut TestRng(1));
        assert!(matches!(refused, Err(AuthorityError::BadName(_))), "{name:?}");
        assert!(!folder.exists());
    }
    // A broken index is told, and not written over.
    std::fs::write(folder.join("index.toml"), "crl_number = \"x\"\n").unwrap();
    assert!(matches!(Authority::open(&folder), Err(AuthorityError::Index(..))));
}

#[test]
fn what_makes_no_sense_is_not_issued() {
    let temporary = tempfile::tempdir().unwrap();
    let mut ca = create(temporary.path(), None).unwrap();
    let mut rng = TestRng(3);
    let issuer = ca.unlock(RustCrypto, None).unwrap();
    let key = issuer.public_key();
    let mut refused = |template: &Template| ca.issue(&issuer, template, &key, &mut rng).unwrap_err();
    let long = Validity { not_after: YEAR.not_after + 1, ..YEAR };
    assert!(matches!(refused(&Template::client("x", long)), AuthorityError::OutlivesIssuer(_)));
    assert!(matches!(refused(&Template::client("", YEAR)), AuthorityError::BadName(_)));
    assert!(matches!(refused(&Template { common_name: None, ..client() }), AuthorityError::BadName(_)));
    let odd = sedge_x509::authority::AlternativeName::Dns("two words".into());
    let odd = Template::server("x", vec![odd], YEAR);
    assert!(matches!(refused(&odd), AuthorityError::Unfit(Error::Malformed)));
    assert_eq!(ca.issued(), []);
}

/// Every state that a crash can leave: a new file half written beside the old one, which is there until the other is
/// complete.
#[test]
fn a_crash_while_writing_leaves_what_was_there() {
    let temporary = tempfile::tempdir().unwrap();
    let mut ca = create(temporary.path(), None).unwrap();
    let mut rng = TestRng(4);
    let issuer = ca.unlock(RustCrypto, None).unwrap();
    ca.issue(&issuer, &client(), &issuer.public_key(), &mut rng).unwrap();
    let before = ca.issued().to_vec();
    drop(ca);
    let whole = std::fs::read(temporary.path().join("index.toml")).unwrap();
    for len in [0, 1, whole.len() / 2, whole.len()] {
        std::fs::write(temporary.path().join("index.toml.new"), &whole[..len]).unwrap();
        let mut ca = Authority::open(temporary.path()).unwrap();
        assert_eq!(ca.issued()[0], before[0]);
        ca.issue(&issuer, &client(), &issuer.public_key(), &mut rng).unwrap();
        assert!(!temporary.path().join("index.toml.new").exists());
    }
    assert_eq!(Authority::open(temporary.path()).unwrap().issued().len(), 5);
}

/// Many processes at once lose nothing of each other's.
#[test]
fn one_at_a_time() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = create(temporary.path(), None).unwrap();
    let issuer = ca.unlock(RustCrypto, None).unwrap();
    drop(ca);
    std::thread::scope(|scope| {
        for seed in 0..8 {
            let (issuer, folder) = (&issuer, temporary.path());
            scope.spawn(move || {
                for round in 0..4 {
                    let mut ca = Authority::open(folder).unwrap();
                    let template = Template::client(format!("{seed}-{round}"), YEAR);
                    let mut rng = TestRng(1000 + 10 * seed + round);
                    ca.issue(issuer, &template, &issuer.public_key(), &mut rng).unwrap();
                }
            });
        }
    });
    assert_eq!(Authority::open(temporary.path()).unwrap().issued().len(), 32);
}

#[test]
fn a_secret_is_never_written_over_anything() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("key.pem");
    write_new(&path, b"one").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(write_new(&path, b"two").unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).unwrap(), b"one");
    write_over(&path, b"three").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"three");
    assert_eq!(names(temporary.path()), ["key.pem"]);
}
