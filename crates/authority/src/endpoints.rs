//! The endpoints: `/token`, `/introspect`, `/trl`, and the one that gives resource servers their keys.

use alloc::vec;
use alloc::vec::Vec;

use sedge_access::Grants;
use sedge_ace::{
    ErrorCode, ErrorResponse, IntrospectionRequest, IntrospectionResponse, Patch, Profile, Scope, TokenHash,
    TokenKeys, TokenRequest, TokenRequestError, TokenResponse, TrlError, TrlQuery, encode_diff, encode_full,
};
use sedge_coap::{Code, ContentFormat};
use sedge_cose::cbor::NoRoom;
use sedge_crypto::{Crypto, CryptoRng, PublicKey};

use crate::authority::{Authority, IssueError};
use crate::issue::{Bound, Order};
use crate::revocation::{DiffEntry, OutOfBound, Share};
use crate::scope::{everything, granted};
use crate::{Answer, Client, Context, Request, cnf};

impl Authority {
    /// `/token`: gives a client the token that it asks for, as far as it may have it
    /// ([RFC 9200 section 5.8](https://www.rfc-editor.org/rfc/rfc9200#section-5.8)). `server_key` is the public key of
    /// the resource servers, if clients are to know it.
    pub fn token<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        request: &Request<'_>,
        server_key: Option<&PublicKey>,
        cx: &mut Context<'_, C, R>,
    ) -> Answer {
        if let Some(answer) = expect_post(request) {
            return answer;
        }
        self.give(request, server_key, cx).unwrap_or_else(refuse)
    }

    fn give<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        request: &Request<'_>,
        server_key: Option<&PublicKey>,
        cx: &mut Context<'_, C, R>,
    ) -> Result<Answer, ErrorCode> {
        let client = cx.clients.client(request.requester).ok_or(ErrorCode::INVALID_CLIENT)?;
        let wanted = TokenRequest::decode(request.payload).map_err(|error| match error {
            TokenRequestError::Cbor(_) => ErrorCode::INVALID_REQUEST,
            TokenRequestError::GrantType => ErrorCode::UNSUPPORTED_GRANT_TYPE,
        })?;
        // Who the client is, its session says.
        if wanted.client_id.is_some_and(|id| id != request.requester) {
            return Err(ErrorCode::INVALID_CLIENT);
        }
        let audience = self.audience(wanted.audience, cx.clients).ok_or(ErrorCode::INVALID_REQUEST)?;
        let all = everything(&client.grants);
        let (scope, differs) = match wanted.scope {
            None => (all, true),
            Some(Scope::Text(_)) => return Err(ErrorCode::INVALID_SCOPE),
            Some(Scope::Bytes(bytes)) => {
                let scope = Grants::from_scope(bytes).map_err(|_| ErrorCode::INVALID_SCOPE)?;
                let given = granted(&client.grants, &scope);
                let differs = given != scope;
                (given, differs)
            }
        };
        let bound = match wanted.req_cnf {
            None => Bound::New,
            Some(cnf) => self.bound(request.requester, &client, cnf)?,
        };
        let with_public_key = matches!(bound, Bound::Public(_));
        let order = Order {
            subject: request.requester,
            audience: &audience,
            scope: &scope,
            lifetime: self.settings.lifetime,
            not_before: None,
            format: self.settings.format,
            bound,
            cnonce: wanted.cnonce,
        };
        let new = self.make(&order, cx).map_err(|error| match error {
            IssueError::Scope => ErrorCode::INVALID_SCOPE,
            IssueError::Key => ErrorCode::UNSUPPORTED_POP_KEY,
            _ => ErrorCode::INVALID_GRANT,
        })?;
        let confirmation = new.cnf();
        let server = server_key.filter(|_| with_public_key).map(|key| cnf::encode(&cnf::public(key)));
        let given = new.issued.scope.as_slice();
        let body = TokenResponse {
            expires_in: Some(new.issued.expires.saturating_sub(cx.now)),
            scope: differs.then_some(Scope::Bytes(given)),
            cnf: confirmation.as_ref().map(|cnf| cnf.as_slice()),
            rs_cnf: server.as_deref(),
            ace_profile: wanted.asks_for_profile.then_some(Profile::COAP_DTLS),
            ..TokenResponse::new(&new.token)
        };
        let body = written(|out| body.encode(out));
        let max_age = u32::try_from(self.settings.lifetime).ok();
        Ok(Answer { max_age, ..Answer::with(Code::CREATED, ContentFormat::ACE_CBOR, body) })
    }

    /// The key that the client wants its token bound to.
    fn bound(&self, name: &str, client: &Client, wanted: &[u8]) -> Result<Bound, ErrorCode> {
        match cnf::wanted(wanted).ok_or(ErrorCode::UNSUPPORTED_POP_KEY)? {
            // Its session has proved that it holds the key that it is registered with, and no other.
            cnf::Wanted::PublicKey(key) if client.public_key == Some(key) => Ok(Bound::Public(key)),
            cnf::Wanted::PublicKey(_) => Err(ErrorCode::UNSUPPORTED_POP_KEY),
            cnf::Wanted::Kid(kid) => {
                let has_it = |token: &&crate::Issued| {
                    token.subject == name && token.kid.as_deref() == Some(kid) && !token.revoked
                };
                let token = self.tokens.iter().find(has_it).ok_or(ErrorCode::UNSUPPORTED_POP_KEY)?;
                Ok(Bound::Same { kid: kid.to_vec(), key: token.pop_key.clone() })
            }
        }
    }

    /// `/introspect`: says whether a token is good, and what it permits
    /// ([RFC 9200 section 5.9](https://www.rfc-editor.org/rfc/rfc9200#section-5.9)). Who asks is the resource server
    /// that the token is for, or an administrator; to anybody else no token is good.
    pub fn introspect<C: Crypto, R: ?Sized>(&self, request: &Request<'_>, cx: &Context<'_, C, R>) -> Answer {
        if let Some(answer) = expect_post(request) {
            return answer;
        }
        let Some(client) = cx.clients.client(request.requester) else {
            return refuse(ErrorCode::INVALID_CLIENT);
        };
        let Ok(asked) = IntrospectionRequest::decode(request.payload) else {
            return refuse(ErrorCode::INVALID_REQUEST);
        };
        let token = self.tokens.by_hash(&TokenHash::of(cx.crypto, asked.token)).filter(|token| {
            let may_ask = client.grants.is_administrator() || token.audience == request.requester;
            may_ask && !token.revoked && token.expires > cx.now
        });
        let claims = token.map(crate::issue::described);
        let answer = claims
            .as_ref()
            .and_then(|claims| IntrospectionResponse::active(claims).ok())
            .unwrap_or(IntrospectionResponse::INACTIVE);
        let body = written(|out| answer.encode(out));
        Answer { max_age: Some(0), ..Answer::with(Code::CREATED, ContentFormat::ACE_CBOR, body) }
    }

    /// `/trl`: the tokens of the requester's that are revoked, or what has changed of that
    /// ([RFC 9770](https://www.rfc-editor.org/rfc/rfc9770)). The host lets it be observed.
    pub fn revocations<C, R: ?Sized>(&self, request: &Request<'_>, cx: &Context<'_, C, R>) -> Answer {
        if request.code != Code::GET {
            return Answer::new(Code::METHOD_NOT_ALLOWED);
        }
        let Some(client) = cx.clients.client(request.requester) else {
            return Answer::new(Code::FORBIDDEN);
        };
        let share = match client.grants.is_administrator() {
            true => Share::All,
            false => Share::Of(request.requester),
        };
        let list = &self.revocations;
        let body = match TrlQuery::parse(request.query.iter().copied()) {
            Ok(TrlQuery::Full) => {
                let cursor = list.cursor(share);
                written(|out| encode_full(list.full(share), cursor, out))
            }
            Ok(TrlQuery::Diff { count, cursor }) => match list.diff(share, count, cursor) {
                Ok(diff) => written(|out| {
                    let patches = diff.entries.iter().map(|entry| patch(entry));
                    encode_diff(patches, diff.cursor, diff.more, out)
                }),
                Err(OutOfBound) => return trl_error(TrlError::OutOfBound, None),
            },
            Err(error @ TrlError::InvalidValue) => {
                let about_cursor = request.query.iter().any(|argument| argument.starts_with(b"cursor="));
                return trl_error(error, about_cursor.then(|| list.cursor(share)));
            }
            Err(error) => return trl_error(error, None),
        };
        Answer { max_age: Some(0), ..Answer::with(Code::CONTENT, ContentFormat::ACE_TRL_CBOR, body) }
    }

    /// The keys by which a resource server knows tokens that are for it, as a COSE_KeySet ([`TokenKeys::encode_set`]). The
    /// host lets it be observed. It is this authorisation server's own way: ACE leaves to others how keys get there.
    pub fn token_keys<C: Crypto, R: ?Sized>(&self, request: &Request<'_>, cx: &Context<'_, C, R>) -> Answer {
        if request.code != Code::GET {
            return Answer::new(Code::METHOD_NOT_ALLOWED);
        }
        if !cx.clients.client(request.requester).is_some_and(|client| client.is_resource_server) {
            return Answer::new(Code::FORBIDDEN);
        }
        let keys: Vec<TokenKeys> = self.audience_keys(cx.crypto, request.requester).collect();
        let body = written(|out| TokenKeys::encode_set(&keys, out));
        Answer { max_age: Some(0), ..Answer::with(Code::CONTENT, ContentFormat::COSE_KEY_SET, body) }
    }
}

fn patch(entry: &DiffEntry) -> Patch<'_> {
    (&entry.removed, &entry.added)
}

/// Refuses what is no POST of `application/ace+cbor`.
fn expect_post(request: &Request<'_>) -> Option<Answer> {
    if request.code != Code::POST {
        return Some(Answer::new(Code::METHOD_NOT_ALLOWED));
    }
    let accepted = [None, Some(ContentFormat::ACE_CBOR)].contains(&request.content_format);
    (!accepted).then(|| Answer::new(Code::UNSUPPORTED_CONTENT_FORMAT))
}

/// The answer with a reason ([RFC 9200 section 5.8.3](https://www.rfc-editor.org/rfc/rfc9200#section-5.8.3)).
fn refuse(error: ErrorCode) -> Answer {
    let code = match error {
        ErrorCode::INVALID_CLIENT => Code::UNAUTHORIZED,
        _ => Code::BAD_REQUEST,
    };
    let body = ErrorResponse { error, description: None };
    Answer::with(code, ContentFormat::ACE_CBOR, written(|out| body.encode(out)))
}

/// 4.00 with problem details ([RFC 9770 section 6.1](https://www.rfc-editor.org/rfc/rfc9770#section-6.1)).
fn trl_error(error: TrlError, cursor: Option<Option<u64>>) -> Answer {
    const TITLE: i64 = -1;
    /// `ace-trl-error` among the custom problem detail keys.
    const ACE_TRL_ERROR: i64 = 1;
    let body = cnf::encoded(|encoder| {
        encoder.map(2).int(TITLE).text(error.as_str());
        encoder.int(ACE_TRL_ERROR).map(1 + usize::from(cursor.is_some()));
        encoder.int(0).unsigned(error as u64);
        match cursor {
            Some(Some(cursor)) => drop(encoder.int(1).unsigned(cursor)),
            Some(None) => drop(encoder.int(1).null()),
            None => {}
        }
    });
    Answer::with(Code::BAD_REQUEST, ContentFormat::PROBLEM_DETAILS, body)
}

/// What `write` writes, however long it is.
fn written<'w>(write: impl for<'o> Fn(&'o mut [u8]) -> Result<&'o mut [u8], NoRoom> + 'w) -> Vec<u8> {
    let needed = match write(&mut []) {
        Ok(nothing) => nothing.len(),
        Err(NoRoom { needed }) => needed,
    };
    let mut bytes = vec![0; needed];
    let _room_enough = write(&mut bytes).is_ok();
    bytes
}
