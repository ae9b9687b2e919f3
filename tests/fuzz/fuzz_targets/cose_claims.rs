//! Any bytes as the claims of a token: what is read is written again, and means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_cose::{Claims, Expected};

fuzz_target!(|input: (i64, u32, &[u8])| {
    let (now, leeway, bytes) = input;
    let Ok(claims) = Claims::parse(bytes) else { return };
    let mut buffer = vec![0; bytes.len() + 100];
    let again = Claims::parse(claims.encode(&mut buffer).expect("hardly longer")).expect("as written");
    // A date loses the part of a second that it may have had.
    let seconds = |claims: &Claims<'_>| {
        [claims.expires, claims.not_before, claims.issued_at].map(|date| date.map(|date| date.seconds()))
    };
    assert_eq!(seconds(&again), seconds(&claims));
    assert_eq!(
        (again.issuer, again.subject, again.audience),
        (claims.issuer, claims.subject, claims.audience)
    );
    assert_eq!((again.id, again.scope, again.expires_in), (claims.id, claims.scope, claims.expires_in));
    if let Some(audience) = claims.audience.and_then(|names| names.names().next()) {
        let valid = claims.check(&Expected { audience, issuer: None, now, leeway });
        let ends = claims.expires.is_none_or(|end| end.seconds().saturating_add(leeway.into()) > now);
        assert!(valid.is_err() || ends);
    }
    let _ = format!("{claims:?}");
});
