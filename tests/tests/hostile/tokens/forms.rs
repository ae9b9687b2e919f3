//! One token in several forms: none of them brings back what was revoked (RFC 9770 section 3 and 9.4).

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::admin::{AdminReply, AdminRequest, NewToken, TokenChoice};
use sedge_coap::Code;
use sedge_crypto::{Crypto as _, RustCrypto, Secret};

use super::Hall;

const FORMATS: [&str; 3] = ["encrypt0", "mac0", "sign1"];

impl Hall {
    /// A token that the broker itself has issued, bound to a public key, and its name.
    fn bound(&self, format: &str, number: u8) -> (Vec<u8>, String) {
        let key = RustCrypto.signing_key(&Secret::new([number; 32])).expect("in range");
        let pattern = TopicPattern::new("t/own").expect("a pattern");
        let issued = self.issue(NewToken {
            subject: format!("visitor-{number}"),
            scope: Some(Grants::none().with(pattern, Permissions::READ)),
            lifetime: Some(600),
            format: Some(format.to_owned()),
            public_key: Some(RustCrypto.public_key(&key)),
            ..NewToken::default()
        });
        (issued.token, issued.info.id)
    }

    fn revoke(&self, id: &str) {
        let reply = self.scene.broker.administer(AdminRequest::TokenRevoke(TokenChoice::Id(id.to_owned())));
        assert_eq!(reply, AdminReply::TokensRevoked(1));
    }
}

/// The same token with the other signature that its signature gives everybody: `n - s` for `s`.
fn twin(token: &[u8]) -> Vec<u8> {
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let (head, s) = token.split_at(token.len() - 32);
    let mut borrow = 0;
    let mut negated = vec![0; 32];
    for at in (0..32).rev() {
        let digit = i16::from(order[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(digit < 0);
        negated[at] = digit.rem_euclid(256) as u8;
    }
    [head, &negated].concat()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("digits")).collect()
}

/// Forms of a token that anybody can give it who has seen it, and whether they are tokens at all.
fn forms(format: &str, token: &[u8]) -> Vec<(&'static str, Vec<u8>, bool)> {
    let bare = token.strip_prefix(&[0xd8, 61]).expect("tokens have their tag");
    let added = {
        // The empty unprotected header stands behind the protected one, a string of less than 256 bytes.
        let at = 2 + match bare[2] {
            0x58 => 2 + usize::from(bare[3]),
            short => 1 + usize::from(short & 0x1f),
        };
        assert_eq!(bare[at], 0xa0);
        [&[0xd8, 61], &bare[..at], &[0xa1, 0x18, 99, 0], &bare[at + 1..]].concat()
    };
    let mut all = vec![
        ("as it was", token.to_vec(), true),
        ("without its first tag", bare.to_vec(), true),
        ("with a parameter more", added, false),
    ];
    if format == "sign1" {
        all.push(("its twin", twin(token), true));
        all.push(("its twin without its first tag", twin(bare), true));
    }
    all
}

#[test]
fn what_was_revoked_does_not_come_back_in_another_form() {
    let mut hall = Hall::new();
    for (number, format) in (1..).zip(FORMATS) {
        let (token, id) = hall.bound(format, number);
        hall.revoke(&id);
        for (what, form, is_token) in forms(format, &token) {
            let reason = if is_token { "revoked" } else { "malformed" };
            hall.refused(&format!("{format} {what}"), &form, Code::UNAUTHORIZED, reason);
        }
    }
    hall.nothing_happened();
}

#[test]
fn what_was_shown_in_another_form_is_revoked_all_the_same() {
    let mut hall = Hall::new();
    for (number, format) in (1..).zip(FORMATS) {
        let (token, _) = hall.bound(format, number);
        let count = forms(format, &token).len();
        for chosen in 0..count {
            let (token, id) = hall.bound(format, 10 * number + chosen as u8);
            let (what, form, is_token) = forms(format, &token).swap_remove(chosen);
            if !is_token {
                continue;
            }
            assert_eq!(hall.show(&form).code(), Code::CREATED, "{format} {what}");
            // All forms are one token.
            for (what, form, is_token) in forms(format, &token) {
                let expected = if is_token { Code::CREATED } else { Code::UNAUTHORIZED };
                assert_eq!(hall.show(&form).code(), expected, "{format} {what}");
            }
            assert_eq!(hall.counted()["held"], 2, "{format} {what}");
            hall.revoke(&id);
            assert_eq!(hall.counted()["held"], 1, "{format} {what}");
        }
    }
    hall.nothing_happened();
}
