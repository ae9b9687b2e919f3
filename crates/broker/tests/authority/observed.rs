//! The list of revoked tokens, observed (RFC 9770).

use sedge_ace::{TokenHash, TrlResponse};
use sedge_crypto::RustCrypto;
use sedge_endpoint::{ExchangeId, Request};

use super::*;

/// Observes with a query.
fn observe(device: &mut Device, path: &str, query: &[&str]) -> (ExchangeId, Reply) {
    let request = Request { observe: true, ..Request::confirmable(Code::GET) };
    let exchange = device.send(request, |writer| {
        writer.option_uint(OptionNumber::OBSERVE, 0).path(path.split('/'));
        for argument in query {
            writer.option(OptionNumber::URI_QUERY, argument.as_bytes());
        }
    });
    (exchange, device.reply(exchange, PATIENCE).expect("a reply"))
}

fn hash(held: &Held) -> TokenHash {
    TokenHash::of(&RustCrypto, &held.token)
}

fn listed(reply: &Reply) -> Vec<TokenHash> {
    assert_eq!((reply.code, reply.content_format), (Code::CONTENT, Some(ContentFormat(262))));
    let mut hashes = Vec::new();
    assert!(TrlResponse::decode(&reply.payload).unwrap().each_revoked(|hash| hashes.push(hash)));
    hashes
}

fn changes(reply: &Reply) -> Vec<(TokenHash, bool)> {
    let mut changes = Vec::new();
    let response = TrlResponse::decode(&reply.payload).unwrap();
    assert!(response.each_change(|hash, added| changes.push((hash, added))));
    changes
}

#[test]
fn whoever_a_revocation_concerns_is_notified_and_nobody_else() {
    let host = Host::start(|_| {});
    let mut client = host.device("client", scope(&[("a", READ)]));
    let mut other = host.device("other", scope(&[("a", READ)]));
    let held = fetch(&mut client);
    let (whole, first) = observe(&mut client, "trl", &[]);
    assert_eq!((listed(&first), first.observe.is_some()), (vec![], true));
    let (diff, first_diff) = observe(&mut client, "trl", &["diff=3"]);
    assert_eq!(changes(&first_diff), []);
    let (theirs, _) = observe(&mut other, "trl", &[]);

    let start = std::time::Instant::now();
    let choice = TokenChoice::Subject("client".into());
    assert_eq!(host.ask(AdminRequest::TokenRevoke(choice)), AdminReply::TokensRevoked(1));
    let told = client.reply(whole, PATIENCE).expect("a notification");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(listed(&told), [hash(&held)]);
    assert!(told.observe > first.observe, "{:?}", told.observe);
    let told = client.reply(diff, PATIENCE).expect("a notification");
    assert_eq!(changes(&told), [(hash(&held), true)]);
    assert_eq!(other.reply(theirs, SECOND / 2), None, "none of its tokens");

    // Once more for the same token changes nothing, and so nobody is told.
    let held = fetch(&mut client);
    assert_eq!(client.reply(whole, SECOND / 4), None);
    // Who has said that it is enough is told no more (RFC 7641 section 3.6).
    let request = Request { observe: false, ..Request::confirmable(Code::GET) };
    client.forget(diff);
    let _last = client.send(request, |writer| {
        writer.option_uint(OptionNumber::OBSERVE, 1).path(["trl"]);
    });
    let choice = TokenChoice::Subject("client".into());
    assert_eq!(host.ask(AdminRequest::TokenRevoke(choice)), AdminReply::TokensRevoked(1));
    let mut both = listed(&client.reply(whole, PATIENCE).expect("a notification"));
    both.sort();
    assert!(both.len() == 2 && both.contains(&hash(&held)));
}

#[test]
fn a_token_that_ends_leaves_the_list_and_observers_hear_of_it() {
    let host = Host::start(|_| {});
    let mut admin = host.device("admin-2", Grants::administrator());
    let held = host.issue("visitor", &[("a", READ)], 3);
    host.revoke(&held.id);
    let (list, first) = observe(&mut admin, "trl", &[]);
    assert_eq!(listed(&first), [hash(&held)], "administrators see all of it");
    let told = admin.reply(list, PATIENCE).expect("it is over");
    assert_eq!(listed(&told), []);
    // Where the first answer ended, the next query goes on.
    let cursor = TrlResponse::decode(&first.payload).unwrap().cursor.unwrap();
    let after = admin.request(Code::GET, "trl", |writer| {
        writer.option(OptionNumber::URI_QUERY, format!("cursor={cursor}").as_bytes());
        writer.option(OptionNumber::URI_QUERY, b"diff=0");
    });
    assert_eq!(changes(&after), [(hash(&held), false)]);
}

/// RFC 9770 section 6.1: what is wrong with a query is answered, and nothing is observed.
#[test]
fn wrong_queries_are_refused_and_observe_nothing() {
    let host = Host::start(|_| {});
    let mut client = host.device("client", scope(&[("a", READ)]));
    for (query, code) in [
        (&["diff=x"][..], Code::BAD_REQUEST),
        (&["cursor=1"], Code::BAD_REQUEST),
        (&["diff=1", "cursor=-1"], Code::BAD_REQUEST),
    ] {
        let (_, reply) = observe(&mut client, "trl", query);
        assert_eq!((reply.code, reply.observe), (code, None), "{query:?}");
        assert_eq!(reply.content_format, Some(ContentFormat::PROBLEM_DETAILS), "{query:?}");
    }
    assert_eq!(client.put("trl", b"").code, Code::METHOD_NOT_ALLOWED);
    // Keys of tokens are for resource servers.
    let (_, reply) = observe(&mut client, "sedge/token-keys", &[]);
    assert_eq!((reply.code, reply.observe), (Code::FORBIDDEN, None));
    let one = host.status().observations;
    assert_eq!(one, 0);
}

/// An answer that takes more than one block, and an observer that has lost its notifications.
#[test]
fn a_long_list_comes_in_blocks_and_a_device_that_was_removed_hears_no_more() {
    let host = Host::start(|_| {});
    let mut admin = host.device("admin-2", Grants::administrator());
    let (list, _) = observe(&mut admin, "trl", &[]);
    for _ in 0..40 {
        let held = host.issue("visitor", &[("a", READ)], 600);
        drop(held);
    }
    let choice = TokenChoice::Subject("visitor".into());
    assert_eq!(host.ask(AdminRequest::TokenRevoke(choice)), AdminReply::TokensRevoked(40));
    let told = admin.reply(list, PATIENCE).expect("a notification");
    let block = told.block2.expect("a first block");
    assert!(block.more() && block.num() == 0);
    let mut body = told.payload.clone();
    while TrlResponse::decode(&body).is_err() {
        let next =
            sedge_coap::block::Block::new((body.len() / block.size().bytes()) as u32, false, block.size());
        let reply = admin.request(Code::GET, "trl", |writer| {
            writer.block(OptionNumber::BLOCK2, next.unwrap());
        });
        assert_eq!(reply.code, Code::CONTENT);
        body.extend(reply.payload);
    }
    let mut count = 0;
    assert!(TrlResponse::decode(&body).unwrap().each_revoked(|_| count += 1));
    assert_eq!(count, 40);
    assert_eq!(host.status().observations, 1);
    assert_eq!(host.ask(AdminRequest::DeviceRemove("admin-2".into())), AdminReply::Done);
    host.until("its observation ends", |host| host.status().observations == 0);
}
