//! `sedge ca`: from an empty folder to a revoked device, with OpenSSL as a witness.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

mod support;

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::pty::openpty;
use serde_json::Value as Json;
use support::{Desk, names};

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Whether there is an `openssl`; where everything must run there has to be one.
fn has_openssl(test: &str) -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        let why = format!("{test} needs the command `openssl`: `apt-get install openssl` has it");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        let _ = writeln!(std::io::stderr().lock(), "\nnot run: {why}");
    }
    found
}

/// Runs `openssl` with these words, and gives whether it succeeds and what it prints.
fn openssl(desk: &Desk, words: &str) -> (bool, String) {
    let mut command = Command::new("openssl");
    let output = command.args(words.split(' ')).current_dir(desk.folder.path()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn every_command_has_help_with_an_example() {
    let desk = Desk::new();
    for command in ["init", "issue", "revoke", "crl", "list", "show"] {
        let help = desk.ok(&["ca", command, "--help"]);
        assert!(help.contains(&format!("    sedge ca {command}")), "{command}: {help}");
    }
    assert!(desk.ok(&["ca", "--help"]).contains("    sedge ca init"));
}

#[test]
fn from_an_empty_folder_to_a_revoked_device() {
    let desk = Desk::new();
    let text = desk.ok(&["ca", "init", "ca", "--no-passphrase", "--name", "Plant 7"]);
    assert!(text.contains("Plant 7") && text.contains("ca/ca.pem"), "{text}");
    assert_eq!(mode(&desk.path("ca")), 0o700);
    assert_eq!(mode(&desk.path("ca/ca.key.pem")), 0o600);

    let text = desk.ok(&["ca", "issue", "ca", "boiler-7", "--client"]);
    assert!(text.contains("boiler-7.pem") && text.contains("boiler-7.key.pem"), "{text}");
    assert_eq!(mode(&desk.path("boiler-7.key.pem")), 0o600);
    let issued =
        json(&desk.ok(&["ca", "issue", "ca", "broker.example", "--server", "--ip", "192.0.2.1", "--json"]));
    assert_eq!(issued["uses"], Json::from(vec!["server"]));
    assert_eq!(issued["certificate"], "./broker.example.pem");
    desk.fails(1, &["ca", "issue", "ca", "boiler-7", "--client"], "boiler-7.pem exists");

    let shown = json(&desk.ok(&["ca", "show", "boiler-7.pem", "--json"]));
    let shown = &shown[0];
    assert_eq!((&shown["subject"], &shown["issuer"]), (&Json::from("boiler-7"), &Json::from("Plant 7")));
    assert_eq!(shown["uses"], Json::from(vec!["client"]));
    assert_eq!(shown["state"], "valid");
    assert!(shown["bytes"].as_u64().unwrap() < 400, "{shown}");
    let text = desk.ok(&["ca", "show", "broker.example.pem"]);
    for part in [
        "subject  broker.example",
        "name     broker.example (DNS)\nname     192.0.2.1 (IP)",
        "for      servers",
        " bytes",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = desk.ok(&["ca", "show", "ca/ca.pem"]);
    assert!(text.contains("a CA, with none below") && text.contains("signed by itself"), "{text}");

    let list = json(&desk.ok(&["ca", "list", "ca", "--json"]));
    assert_eq!(list[0]["name"], "boiler-7");
    assert_eq!(list[0]["revoked"], Json::Null);
    let serial = list[1]["serial"].as_str().unwrap().to_owned();
    let text = desk.ok(&["ca", "revoke", "ca", "boiler-7"]);
    assert!(text.contains("sedge ca crl ca"), "{text}");
    let revoked = json(&desk.ok(&["ca", "revoke", "ca", &serial, "--json"]));
    assert_eq!(revoked["revoked"][0]["name"], "broker.example");
    desk.fails(1, &["ca", "revoke", "ca", &serial], "revoked already");
    desk.fails(1, &["ca", "revoke", "ca", "boiler-8"], "sedge ca list ca");
    let list = json(&desk.ok(&["ca", "crl", "ca", "--json"]));
    assert_eq!((&list["revoked"], &list["crl"]), (&Json::from(2), &Json::from("ca/crl.pem")));
    let text = desk.ok(&["ca", "list", "ca"]);
    assert_eq!(text.matches("revoked 2").count(), 2, "{text}");
}

#[test]
fn two_cas_have_two_names() {
    let desk = Desk::new();
    let name = |dir| json(&desk.ok(&["ca", "init", dir, "--no-passphrase", "--json"]))["name"].to_string();
    // One pair of CAs in 65,536 has one name.
    let names = [name("a"), name("b"), name("c")];
    assert!(names.iter().all(|name| name.starts_with("\"Sedge CA ")), "{names:?}");
    assert!(names.iter().any(|name| *name != names[0]), "{names:?}");
}

#[test]
fn openssl_agrees() {
    if !has_openssl("openssl_agrees") {
        return;
    }
    let desk = Desk::new();
    write_private(&desk.path("pass"), "correct horse\n");
    let open = ["--passphrase-file", "pass"];
    desk.ok(&["ca", "init", "ca", "--passphrase-file", "pass"]);
    for (name, side) in [("good", "--client"), ("bad", "--client"), ("broker.example", "--server")] {
        desk.ok(&[&["ca", "issue", "ca", name, side][..], &open].concat());
    }
    let (fine, text) = openssl(&desk, "pkey -in ca/ca.key.pem -passin file:pass -noout -check");
    assert!(fine && text.contains("Key is valid"), "{text}");
    assert!(openssl(&desk, "pkey -in good.key.pem -noout -check").0);
    let verify = "verify -x509_strict -CAfile ca/ca.pem";
    let (fine, text) = openssl(&desk, &format!("{verify} -purpose sslclient good.pem bad.pem"));
    assert!(fine, "{text}");
    let server = format!("{verify} -purpose sslserver -verify_hostname broker.example broker.example.pem");
    let (fine, text) = openssl(&desk, &server);
    assert!(fine, "{text}");
    desk.ok(&["ca", "revoke", "ca", "bad"]);
    desk.ok(&[&["ca", "crl", "ca"][..], &open].concat());
    let check = |name: &str| openssl(&desk, &format!("{verify} -crl_check -CRLfile ca/crl.pem {name}"));
    assert!(check("good.pem").0);
    let (fine, text) = check("bad.pem");
    assert!(!fine && text.contains("certificate revoked"), "{text}");

    // Keys that OpenSSL has made, for devices that keep theirs.
    assert!(openssl(&desk, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out own.key").0);
    assert!(openssl(&desk, "pkey -in own.key -pubout -out own.pub").0);
    assert!(openssl(&desk, "req -new -key own.key -subj /CN=ignored -out own.csr").0);
    desk.ok(&[&["ca", "issue", "ca", "a", "--client", "--public-key", "own.pub"][..], &open].concat());
    desk.ok(&[&["ca", "issue", "ca", "b", "--client", "--csr", "own.csr", "--out", "."][..], &open].concat());
    assert!(!desk.path("a.key.pem").exists() && !desk.path("b.key.pem").exists());
    for name in ["a.pem", "b.pem"] {
        let (_, key) = openssl(&desk, &format!("x509 -in {name} -noout -pubkey"));
        assert_eq!(key, std::fs::read_to_string(desk.path("own.pub")).unwrap(), "{name}");
        assert_eq!(json(&desk.ok(&["ca", "show", name, "--json"]))[0]["subject"], name[..1]);
    }
    // Others are refused, by name and before anything is issued.
    assert!(openssl(&desk, "genrsa -out rsa.key 2048").0);
    assert!(openssl(&desk, "rsa -in rsa.key -pubout -out rsa.pub").0);
    assert!(openssl(&desk, "req -x509 -new -key rsa.key -subj /CN=rsa -out rsa.pem").0);
    desk.fails(
        1,
        &["ca", "issue", "ca", "c", "--client", "--public-key", "rsa.pub"],
        "rsa.pub: there is no P-256",
    );
    desk.fails(
        1,
        &["ca", "issue", "ca", "c", "--client", "--csr", "own.pub"],
        "own.pub: there is no request",
    );
    desk.fails(1, &["ca", "show", "rsa.pem"], "rsa.pem: the certificate does not use P-256");
    assert_eq!(json(&desk.ok(&["ca", "list", "ca", "--json"])).as_array().unwrap().len(), 5);
}

#[test]
fn mistakes_are_told_in_one_line() {
    let desk = Desk::new();
    desk.fails(2, &["ca", "init", "ca"], "--passphrase-file");
    desk.fails(2, &["ca", "init", "ca", "--no-passphrase", "--ask-passphrase"], "cannot be used with");
    desk.fails(2, &["ca", "init", "ca", "--no-passphrase", "--days", "0"], "1..=36500");
    desk.fails(2, &["ca", "init", "ca", "--no-passphrase", "--name", ""], "1 to 64 characters");
    desk.fails(1, &["ca", "init", "ca", "--passphrase-file", "none"], "none: ");
    std::fs::write(desk.path("open"), "words\n").unwrap();
    std::fs::set_permissions(desk.path("open"), std::fs::Permissions::from_mode(0o644)).unwrap();
    desk.fails(1, &["ca", "init", "ca", "--passphrase-file", "open"], "chmod 600 open");
    write_private(&desk.path("empty"), "\nwords\n");
    desk.fails(1, &["ca", "init", "ca", "--passphrase-file", "empty"], "first line is empty");
    assert!(!desk.path("ca").exists(), "nothing is left of what failed");
    for command in
        [&["issue", "ca", "x", "--client"][..], &["revoke", "ca", "x"], &["crl", "ca"], &["list", "ca"]]
    {
        desk.fails(1, &[&["ca"], command].concat(), "sedge ca init ca");
    }

    desk.ok(&["ca", "init", "ca", "--no-passphrase", "--days", "30"]);
    desk.fails(1, &["ca", "init", "ca", "--no-passphrase"], "ca is not empty");
    desk.fails(2, &["ca", "issue", "ca", "x"], "--server");
    desk.fails(2, &["ca", "issue", "ca", "x", "--server", "--dns", "two words"], "labels");
    desk.fails(2, &["ca", "issue", "ca", "x", "--server", "--ip", "host"], "--ip");
    desk.fails(
        2,
        &["ca", "issue", "ca", "x", "--client", "--csr", "a", "--public-key", "b"],
        "cannot be used with",
    );
    desk.fails(2, &["ca", "issue", "ca", &"x".repeat(65), "--client", "--days", "9"], "1 to 64 characters");
    desk.fails(1, &["ca", "issue", "ca", "x", "--client"], "fewer --days");
    desk.fails(
        1,
        &["ca", "issue", "ca", "x", "--client", "--days", "9", "--out", "nowhere"],
        "nowhere/x.key.pem",
    );
    assert!(!desk.path("x.key.pem").exists(), "a key without a certificate is of no use");
    desk.fails(1, &["ca", "show", "none.pem"], "none.pem: ");
    desk.fails(1, &["ca", "show", "ca/index.toml"], "there is no certificate");
    std::fs::write(desk.path("ca/index.toml"), "crl_number = 0\n[[issued]]\nserial = \"zz\"\n").unwrap();
    desk.fails(1, &["ca", "list", "ca"], "index.toml");
}

#[test]
fn an_encrypted_key_wants_its_passphrase() {
    let desk = Desk::new();
    write_private(&desk.path("right"), "correct horse");
    write_private(&desk.path("wrong"), "battery staple\n");
    desk.ok(&["ca", "init", "ca", "--passphrase-file", "right"]);
    let issue = ["ca", "issue", "ca", "x", "--client"];
    desk.fails(2, &issue, "--passphrase-file");
    desk.fails(1, &[&issue[..], &["--passphrase-file", "wrong"]].concat(), "does not open ca/ca.key.pem");
    assert_eq!(json(&desk.ok(&["ca", "list", "ca", "--json"])), Json::Array(vec![]));
    assert!(!desk.path("x.key.pem").exists());
    // What needs no key asks for nothing.
    desk.fails(1, &["ca", "revoke", "ca", "x"], "nothing was issued");
    desk.ok(&[&issue[..], &["--passphrase-file", "right"]].concat());
    let key = std::fs::read_to_string(desk.path("ca/ca.key.pem")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
}

#[test]
fn odd_names_make_plain_files() {
    let desk = Desk::new();
    desk.ok(&["ca", "init", "ca", "--no-passphrase"]);
    for (name, file) in [
        ("../up", "_.._up.pem"),
        ("coaps://x y", "coaps___x_y.pem"),
        ("00-24-BE-FF-FE-80-4F-F1", "00-24-BE-FF-FE-80-4F-F1.pem"),
        ("Zähler 7", "Zähler_7.pem"),
    ] {
        desk.ok(&["ca", "issue", "ca", name, "--client"]);
        assert!(names(desk.folder.path()).contains(&file.to_owned()), "{:?}", names(desk.folder.path()));
        assert_eq!(json(&desk.ok(&["ca", "show", file, "--json"]))[0]["subject"], name);
    }
    // A server's name is its DNS name, too, if it can be one.
    for (name, kind) in [("broker.example", "DNS"), ("192.0.2.1", "IP"), ("2001:db8::1", "IP")] {
        desk.ok(&["ca", "issue", "ca", name, "--server", "--client", "--out", "."]);
        let file = format!("{}.pem", name.replace(':', "_"));
        let shown = json(&desk.ok(&["ca", "show", &file, "--json"]));
        assert_eq!(
            (&shown[0]["names"][0]["kind"], &shown[0]["names"][0]["name"]),
            (&kind.into(), &name.into())
        );
        assert_eq!(shown[0]["uses"], Json::from(vec!["server", "client"]));
    }
    // So is a client's that has other names; with none, there is only the common name, which is shorter.
    desk.ok(&["ca", "issue", "ca", "boiler-7", "--client", "--dns", "b.local", "--dns", "boiler-7"]);
    let shown = json(&desk.ok(&["ca", "show", "boiler-7.pem", "--json"]));
    let names: Vec<_> = shown[0]["names"].as_array().unwrap().iter().map(|name| &name["name"]).collect();
    assert_eq!(names, ["boiler-7", "b.local"]);
}

/// Types these lines into a terminal in which the command runs; gives how it ends and what the terminal shows.
fn typed(desk: &Desk, args: &[&str], keys: &[&str]) -> (Option<i32>, String) {
    let pty = openpty(None, None).unwrap();
    let terminal = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_sedge"));
    command.args(args).current_dir(desk.folder.path());
    command.stdin(terminal(&pty.slave)).stdout(terminal(&pty.slave)).stderr(terminal(&pty.slave));
    let mut child = command.spawn().unwrap();
    drop((command, pty.slave));
    let mut master = std::fs::File::from(pty.master);
    let mut seen = Vec::new();
    for keys in keys {
        // A prompt ends with a colon and a space.
        let from = seen.len();
        while !seen[from..].ends_with(b": ") {
            let mut byte = [0];
            master.read_exact(&mut byte).unwrap();
            seen.extend(byte);
        }
        // What is typed before the terminal is silent is thrown away: a person comes later.
        std::thread::sleep(std::time::Duration::from_millis(300));
        master.write_all(keys.as_bytes()).unwrap();
    }
    // The terminal ends, with an error, when nobody has it open.
    let _ended = master.read_to_end(&mut seen);
    (child.wait().unwrap().code(), String::from_utf8_lossy(&seen).into_owned())
}

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let desk = Desk::new();
    let secret = "correct horse\n";
    let (status, shown) = typed(&desk, &["ca", "init", "ca"], &[secret, "battery\n"]);
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("not the same") && !desk.path("ca").exists(), "{shown}");
    // Ctrl-C in the middle.
    let (status, shown) = typed(&desk, &["ca", "init", "ca"], &["corr\x03"]);
    assert_eq!((status, desk.path("ca").exists()), (Some(130), false), "{shown}");
    let (status, shown) = typed(&desk, &["ca", "init", "ca", "--ask-passphrase"], &["\n"]);
    assert_eq!(status, Some(1), "{shown}");

    let (status, shown) = typed(&desk, &["ca", "init", "ca"], &[secret, secret]);
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("horse"), "{shown}");
    let (status, shown) = typed(&desk, &["ca", "issue", "ca", "x", "--client"], &[secret]);
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("horse") && desk.path("x.pem").exists(), "{shown}");

    // Nothing is an answer, too.
    let (status, shown) = typed(&desk, &["ca", "init", "bare"], &["\n"]);
    assert_eq!(status, Some(0), "{shown}");
    desk.ok(&["ca", "crl", "bare"]);
}
