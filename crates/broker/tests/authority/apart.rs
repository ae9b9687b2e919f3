//! A broker whose tokens come from an authorisation server elsewhere.

use sedge_ace::CreationHints;

use super::*;

/// An authorisation server without topics.
fn authority() -> Host {
    Host::start(|config| config.topics.enabled = false)
}

/// A broker that takes the tokens of `authority`.
fn carrier(authority: &Host, change: impl FnOnce(&mut Config)) -> Host {
    let credential = authority.resource_server("plant-a");
    let host = Host::start(|config| {
        config.authority.enabled = false;
        config.authority.credential = credential;
        config.authority.poll = SECOND;
        change(config);
    });
    host.until("it is connected", |host| host.counter("authority.connected_now") == 1);
    host
}

/// From a device's own credential at the authorisation server, to a token, to a session by it at the broker, where nobody
/// is enrolled; and to its end.
#[test]
fn tokens_of_one_process_open_another_until_they_are_revoked() {
    let authority = authority();
    let carrier = carrier(&authority, |_| {});
    let mut thermometer = authority.device("thermometer", scope(&[("site/t", PUBLISH)]));
    let mut display = authority.device("display", scope(&[("site/#", READ)]));
    // No audience is named: there is one resource server.
    let (writes, reads) = (fetch(&mut thermometer), fetch(&mut display));
    let mut writer = carrier.connect(&writes).expect("a token of the authority");
    assert_eq!(writer.put("d/site/t", b"20").code, Code::CREATED);
    assert_eq!(writer.put("d/site/u", b"20").code, Code::FORBIDDEN);
    let mut reader = carrier.connect(&reads).expect("a token of the authority");
    let (observation, first) = reader.observe("d/site/t");
    assert_eq!(first.payload, b"20");
    assert_eq!(writer.put("d/site/t", b"21").code, Code::CHANGED);
    assert_eq!(reader.reply(observation, PATIENCE).unwrap().payload, b"21");

    let start = std::time::Instant::now();
    let choice = TokenChoice::Subject("display".into());
    assert_eq!(authority.ask(AdminRequest::TokenRevoke(choice)), AdminReply::TokensRevoked(1));
    let last = reader.reply(observation, PATIENCE).expect("a last notification");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!((last.code, last.observe), (Code::UNAUTHORIZED, None));
    let hints = CreationHints::decode(&last.payload);
    // Unless it has ended by itself, now that it has heard why.
    if let Some(refused) = reader.get_or_end("d/site/t") {
        let answer = (refused.code, refused.content_format);
        assert_eq!(answer, (Code::UNAUTHORIZED, Some(ContentFormat::ACE_CBOR)));
        let asked = CreationHints::decode(&refused.payload).unwrap();
        assert_eq!(asked.authorization_server, Some(&*format!("coaps://{}/token", authority.address())));
        assert_eq!(asked.audience, Some("plant-a"), "{hints:?}");
    }
    assert!(carrier.refuses(&reads));
    assert_eq!(carrier.counter("authority.revoked"), 1);
    // The other one goes on, and a device that is removed there loses what it has here.
    assert_eq!(writer.put("d/site/t", b"22").code, Code::CHANGED);
    assert_eq!(authority.ask(AdminRequest::DeviceRemove("thermometer".into())), AdminReply::Done);
    carrier.until("its token ends", |host| host.counter("authority.revoked") == 2);
    assert_eq!(writer.put("d/site/t", b"23").code, Code::UNAUTHORIZED);
}

/// Of all three kinds of protection; and one that was made for another resource server opens nothing.
#[test]
fn every_kind_of_token_is_taken_by_the_broker_that_it_is_for() {
    let authority = authority();
    let carrier = carrier(&authority, |_| {});
    let _credential = authority.resource_server("plant-b");
    for format in ["encrypt0", "mac0", "sign1"] {
        for (audience, is_taken) in [("plant-a", true), ("plant-b", false)] {
            let new = NewToken {
                subject: "visitor".into(),
                scope: Some(scope(&[("a", PUBLISH)])),
                audience: Some(audience.into()),
                format: Some(format.into()),
                ..NewToken::default()
            };
            let held = authority.issue_new(new);
            let session = carrier.connect(&held);
            assert_eq!(session.is_some(), is_taken, "{format} for {audience}");
            assert!(session.is_none_or(|mut session| session.put("d/a", b"1").code.is_success()));
        }
    }
    assert_eq!(carrier.counter("tokens.refused.unknown_key"), 3);
}

#[test]
fn an_authority_alone_has_no_topics_and_takes_no_tokens() {
    let authority = authority();
    let _credential = authority.resource_server("plant-a");
    let mut client = authority.device("client", scope(&[("#", PUBLISH | READ)]));
    for path in ["d/a", "ps", "authz-info"] {
        assert_eq!(client.get(path).code, Code::NOT_FOUND, "{path}");
        assert_eq!(client.put(path, b"1").code, Code::NOT_FOUND, "{path}");
    }
    assert_eq!(client.get(".well-known/core").payload, b"");
    let held = fetch(&mut client);
    assert!(authority.refuses(&held), "it is for the broker");
    // Two resource servers: one has to be named.
    let _credential = authority.resource_server("plant-b");
    let body = TokenRequest::default().encode(&mut [0; 64]).unwrap().to_vec();
    let reply = client.request(Code::POST, "token", |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, ContentFormat::ACE_CBOR.0.into()).payload(&body);
    });
    assert_eq!(reply.code, Code::BAD_REQUEST);
    // A broker that takes its tokens from elsewhere issues none, and has no /token.
    let carrier = carrier_of(&authority, "plant-c");
    let issue = NewToken { subject: "x".into(), scope: Some(scope(&[("a", READ)])), ..NewToken::default() };
    let AdminReply::Refused(refusal) = carrier.ask(AdminRequest::TokenIssue(issue)) else { panic!() };
    assert!(refusal.message.contains(&authority.address().to_string()), "{refusal}");
}

fn carrier_of(authority: &Host, name: &str) -> Host {
    let credential = authority.resource_server(name);
    Host::start(|config| {
        config.authority.enabled = false;
        config.authority.credential = credential;
    })
}

/// Sessions, new sessions and revocations go on over the rotation of keys, without anybody being told in time.
#[test]
fn keys_are_replaced_without_an_outage_on_either_side() {
    let authority = authority();
    let carrier = carrier(&authority, |_| {});
    let old = authority.issue("visitor", &[("a", PUBLISH)], 600);
    let mut session = carrier.connect(&old).unwrap();
    assert_eq!(session.put("d/a", b"1").code, Code::CREATED);
    for rotation in 0..2 {
        assert_eq!(authority.ask(AdminRequest::KeysRotate), AdminReply::Done);
        // At once: the keys of these tokens were told before there were any.
        let new = authority.issue("visitor", &[("a", PUBLISH)], 600);
        let mut by_new = carrier.connect(&new).expect("under the new keys");
        assert_eq!(by_new.put("d/a", b"2").code, Code::CHANGED);
        let mut by_old = carrier.connect(&old).expect("under the old keys");
        assert_eq!(by_old.put("d/a", b"3").code, Code::CHANGED);
        assert_eq!(session.put("d/a", b"4").code, Code::CHANGED);
        carrier.until("it has the next keys", |host| host.counter("authority.keys") > 2 + rotation);
    }
    authority.revoke(&old.id);
    carrier.until("it has heard", |host| host.counter("authority.revoked") == 1);
    assert!(carrier.refuses(&old));
}

/// A list that takes hundreds of blocks and more room than there is at first, and changes that only asking finds.
#[test]
fn a_long_list_is_heard_whole_and_then_by_its_changes() {
    let authority = authority();
    let carrier = carrier(&authority, |_| {});
    // Many at a time share a write to the disk.
    let issue = || (0..50).map(|_| authority.issue("many", &[("a", PUBLISH)], 600)).collect::<Vec<_>>();
    let tokens: Vec<Held> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40).map(|_| scope.spawn(issue)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let visitor = authority.issue("visitor", &[("a", PUBLISH)], 600);
    let choice = TokenChoice::Subject("many".into());
    assert_eq!(authority.ask(AdminRequest::TokenRevoke(choice)), AdminReply::TokensRevoked(2000));
    carrier.until("it has the whole list", |host| {
        host.counter("authority.lists") > 1 && {
            [&tokens[0], &tokens[1999]].into_iter().all(|held| host.refuses(held))
        }
    });
    // A notification may still come after what was asked for.
    carrier.until("nothing new, nothing fetched", |host| {
        let lists = host.counter("authority.lists");
        let keys = host.counter("authority.keys");
        host.until("it has asked again", |host| host.counter("authority.keys") > keys + 3);
        host.counter("authority.lists") == lists
    });
    assert!(carrier.connect(&visitor).is_some());
    let revoked = carrier.counter("authority.revoked");
    authority.revoke(&visitor.id);
    carrier.until("it has heard", |host| host.counter("authority.revoked") == revoked + 1);
    assert_eq!(carrier.counter("authority.lost"), 0);
}

/// While nobody is there, what is known goes on to count, over a restart too; and then everything is caught up with.
#[test]
fn tokens_are_good_while_the_authority_is_away() {
    let mut authority = authority();
    let mut carrier = carrier(&authority, |_| {});
    assert_eq!(carrier.status().warnings, Vec::<String>::new());
    let (one, other) =
        (authority.issue("one", &[("a", PUBLISH)], 600), authority.issue("other", &[("a", PUBLISH)], 600));
    let short = authority.issue("short", &[("a", PUBLISH)], 6);
    let mut session = carrier.connect(&one).unwrap();
    assert_eq!(session.put("d/a", b"1").code, Code::CREATED);
    authority.revoke(&other.id);
    carrier.until("it has heard", |host| host.counter("authority.lists") > 2);

    authority.stop();
    carrier.until("it notices", |host| host.counter("authority.connected_now") == 0);
    let warnings = carrier.status().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("away"), "{warnings:?}");
    assert_eq!(carrier.counter("authority.lost"), 1);
    assert_eq!(session.put("d/a", b"2").code, Code::CHANGED);
    carrier.stop();
    carrier.go_on();
    assert!(carrier.connect(&one).is_some(), "the keys are known from before");
    assert!(carrier.refuses(&other), "so is what was revoked");
    std::thread::sleep(6 * SECOND);
    assert!(carrier.refuses(&short), "a token ends by itself");

    authority.go_on();
    authority.revoke(&one.id);
    let mut session = carrier.connect(&one);
    carrier.until("it catches up", |host| host.counter("authority.connected_now") == 1);
    carrier.until("it has heard", |host| host.counter("authority.revoked") > 0 || session.is_none());
    if let Some(session) = &mut session {
        assert!(is_over(session));
    }
    assert!(carrier.refuses(&one));
    assert_eq!(carrier.status().warnings, Vec::<String>::new());
}

/// Whether a session whose token was revoked permits nothing. With no observation to end, it may have ended by itself: then
/// nobody answers.
fn is_over(session: &mut Device) -> bool {
    session.get_or_end("d/a").is_none_or(|reply| reply.code == Code::UNAUTHORIZED)
}

/// What was revoked before the broker heard of it for the first time, and a token that the list does not show: the
/// authorisation server is asked, where that is configured.
#[test]
fn introspection_ends_what_the_authority_does_not_know() {
    let mut authority = authority();
    let carrier = carrier(&authority, |config| config.authority.introspection = true);
    let held = authority.issue("visitor", &[("a", PUBLISH)], 600);
    let mut session = carrier.connect(&held).unwrap();
    assert_eq!(session.put("d/a", b"1").code, Code::CREATED);
    carrier.until("it was asked about", |host| host.counter("authority.introspected") == 1);
    assert_eq!(session.put("d/a", b"2").code, Code::CHANGED);
    assert_eq!(carrier.counter("authority.revoked"), 0);

    // An operator brings back a copy of the authority's folder from before the token was issued: it knows nothing of it.
    authority.stop();
    let store = authority.dir.store();
    let copy = authority.folder.path().join("copy");
    assert!(std::fs::copy(&store, &copy).is_ok());
    authority.go_on();
    carrier.until("it is back", |host| host.counter("authority.connected") == 2);
    let later = authority.issue("visitor", &[("a", PUBLISH)], 600);
    authority.stop();
    let _bytes = std::fs::copy(&copy, &store).unwrap();
    authority.go_on();
    carrier.until("it is back", |host| host.counter("authority.connected") == 3);
    // Its keys are known, so the broker asks about it; the answer may come before the handshake is through.
    let session = carrier.connect(&later);
    carrier.until("it was asked about", |host| host.counter("authority.revoked") == 1);
    if let Some(mut session) = session {
        assert!(is_over(&mut session));
    }
    assert!(carrier.refuses(&later));
    assert!(carrier.connect(&held).is_some());
}

#[test]
fn what_is_wrong_is_said() {
    let authority = authority();
    let credential = authority.resource_server("plant-a");
    let refused = |change: &dyn Fn(&mut Config)| {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.listen.coaps = vec!["[::1]:0".parse().unwrap()];
        config.authority.enabled = false;
        config.authority.credential = credential.clone();
        change(&mut config);
        Broker::start(&DataDir::new(folder.path()), config).unwrap_err().to_string()
    };
    let message = refused(&|config| config.authority.enabled = true);
    assert!(message.contains("authority.enabled = false"), "{message}");
    let message = refused(&|config| {
        config.authority.credential = PathBuf::new();
        config.authority.remote = "coaps://as.example".into();
    });
    assert!(message.contains("sedge authority add-rs"), "{message}");
    let message = refused(&|config| config.authority.credential = "nowhere.toml".into());
    assert!(message.contains("nowhere.toml") && message.contains("add-rs"), "{message}");
    let message = refused(&|config| config.authority.remote = "coap://as.example".into());
    assert!(message.contains("coaps://"), "{message}");
    // A device that is no resource server, and nobody at all.
    let key = authority.enrol(NewDevice { name: "device".into(), ..NewDevice::default() });
    let path = authority.folder.path().join("device.toml");
    let uri = format!("coaps://{}", authority.address());
    Credential::psk(&uri, "device", "device", key.expose().to_vec()).write_new(&path).unwrap();
    for (remote, hint) in [(uri.as_str(), "add-rs"), ("coaps://[::1]:9", "::1")] {
        let host = Host::start(|config| {
            config.authority.enabled = false;
            config.authority.credential.clone_from(&path);
            config.authority.remote = remote.into();
        });
        host.until("it has tried", |host| host.counter("authority.failed") > 0);
        let warnings = host.status().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(hint), "{warnings:?}");
    }
}
