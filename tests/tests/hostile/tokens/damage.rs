//! Tokens that were damaged on the way: cut, changed, lengthened, or never tokens at all.

use sedge_coap::Code;
use sedge_tests::issuer::Form;

use super::{Hall, another};

/// All that a damaged token can be called.
const REASONS: [&str; 3] = ["refused.malformed", "refused.unknown_key", "refused.forged"];

impl Hall {
    /// Shows many tokens, none of which is authentic.
    fn refuses_all(&mut self, what: &str, tokens: impl Iterator<Item = Vec<u8>>) {
        let sum = |hall: &Self| REASONS.map(|reason| hall.counted()[reason]).iter().sum::<u64>();
        let (before, total) = (sum(self), self.counted().values().sum::<u64>());
        let mut count = 0;
        for token in tokens {
            let answer = self.show(&token);
            assert_eq!(answer.code(), Code::UNAUTHORIZED, "{what}: {token:02x?}");
            let rest = answer.0[4 + answer.message().token().as_bytes().len()..].to_vec();
            assert_eq!(&rest, self.plain_refusal.get_or_insert_with(|| rest.clone()), "{what}: {token:02x?}");
            count += 1;
        }
        assert_eq!(sum(self), before + count, "{what}");
        assert_eq!(self.counted().values().sum::<u64>(), total + count, "{what}: nothing else was counted");
        self.nothing_happened();
    }
}

#[test]
fn cut_at_every_byte() {
    let mut hall = Hall::new();
    for form in Form::ALL {
        let token = hall.issuer.token(form, &hall.keys(), &another().encode());
        hall.refuses_all("cut", (0..token.len()).map(|len| token[..len].to_vec()));
        // Without its first bytes, too. A token may come without the tag of CBOR Web Tokens.
        hall.refuses_all("beheaded", (1..token.len()).filter(|at| *at != 2).map(|at| token[at..].to_vec()));
    }
}

#[test]
fn with_any_bit_changed() {
    let mut hall = Hall::new();
    for form in Form::ALL {
        let token = hall.issuer.token(form, &hall.keys(), &another().encode());
        // A signature takes the longest to check.
        let step = if form == Form::Signed { 3 } else { 1 };
        let changed = (0..token.len() * 8).step_by(step).map(|bit| {
            let mut changed = token.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed
        });
        hall.refuses_all("changed", changed);
    }
}

#[test]
fn with_more_behind_it_or_two_joined() {
    let mut hall = Hall::new();
    for form in Form::ALL {
        let token = hall.issuer.token(form, &hall.keys(), &another().encode());
        let other = another().with(2, b"\x67anybody".to_vec()).encode();
        let other = hall.issuer.token(form, &hall.keys(), &other);
        assert_eq!(token.len(), other.len());
        let joined = (1..other.len()).map(|at| [&other[..at], &token[at..]].concat());
        // They begin in the same way.
        let joined = joined.filter(|joined| *joined != token && *joined != other);
        let longer = [&b"\0"[..], b"\xf6", &token].map(|more| [&token[..], more].concat());
        hall.refuses_all("joined", joined.chain(longer));
    }
}

#[test]
fn that_never_was_one() {
    let mut hall = Hall::new();
    let mut random = sedge_sim::Random::new(4);
    let noise = (0..400_usize).map(|len| {
        let mut bytes: Vec<u8> = (0..len).map(|_| random.bits() as u8).collect();
        // Half of them begin as tokens do.
        let start = [0xd8, 61, 0xd0 + (len % 3) as u8, 0x83 + u8::from(len % 3 > 0)];
        let known = if len % 2 == 0 { start.len().min(len) } else { 0 };
        bytes[..known].copy_from_slice(&start[..known]);
        bytes
    });
    hall.refuses_all("noise", noise.collect::<Vec<_>>().into_iter());
    // Heads that promise more than can be; tags, arrays and maps within each other.
    let deep = |byte: u8| vec![byte; 1_000];
    let huge = [0x9b, 0xbb, 0x5b, 0x7b, 0xdb].map(|head| [&[head][..], &[0xff; 8]].concat());
    let nested = [0x81, 0xa1, 0xc1, 0xd8, 0x9f, 0xbf].map(deep);
    hall.refuses_all("deep", huge.into_iter().chain(nested));
}

/// Longer than any token: refused before anybody looks at it, and the same over blocks.
#[test]
fn longer_than_there_is_room() {
    use sedge_coap::OptionNumber;
    use sedge_tests::device::path;

    let mut hall = Hall::new();
    let claims = another().with(2, sedge_tests::issuer::encoded(|encoder| encoder.text(&"x".repeat(900))));
    let long = hall.token(&claims);
    let before = hall.counted();
    assert_eq!(hall.show(&long).code(), Code::CREATED, "long, and good");
    let again = hall.counted();
    assert_eq!(again["held"], before["held"] + 1);
    let mut last = Code::CONTINUE;
    for number in 0..100_u32 {
        let block = (number << 4 | 8 | 6).to_be_bytes();
        let mut options = path("authz-info");
        options.push((OptionNumber::CONTENT_FORMAT, super::CWT));
        options.push((OptionNumber::BLOCK1, &block[1..]));
        last = hall.victim.request(Code::POST, &options, &[0xd8; 1_024]).code();
        if last != Code::CONTINUE {
            break;
        }
    }
    assert_eq!(last, Code::REQUEST_ENTITY_TOO_LARGE);
    assert_eq!(hall.counted(), again, "nothing that was no token is counted as one");
    hall.scene.still_works(&mut hall.victim);
}
