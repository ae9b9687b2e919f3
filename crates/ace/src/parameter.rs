//! The numbers that stand for names in messages.
//!
//! They are those of [RFC 9200](https://www.rfc-editor.org/rfc/rfc9200#section-8.10) and
//! [RFC 9201](https://www.rfc-editor.org/rfc/rfc9201#section-5).

/// `access_token`; `AS` in hints.
pub(crate) const ACCESS_TOKEN: i64 = 1;
/// `AS`, in hints.
pub(crate) const AS: i64 = 1;
/// `expires_in`.
pub(crate) const EXPIRES_IN: i64 = 2;
/// `kid`, in hints.
pub(crate) const KID: i64 = 2;
/// `req_cnf`.
pub(crate) const REQ_CNF: i64 = 4;
/// `audience`.
pub(crate) const AUDIENCE: i64 = 5;
/// `cnf`.
pub(crate) const CNF: i64 = 8;
/// `scope`.
pub(crate) const SCOPE: i64 = 9;
/// `active`, of introspection.
pub(crate) const ACTIVE: i64 = 10;
/// `token`, of introspection.
pub(crate) const TOKEN: i64 = 11;
/// `client_id`.
pub(crate) const CLIENT_ID: i64 = 24;
/// `error`.
pub(crate) const ERROR: i64 = 30;
/// `error_description`.
pub(crate) const ERROR_DESCRIPTION: i64 = 31;
/// `grant_type`.
pub(crate) const GRANT_TYPE: i64 = 33;
/// `token_type_hint`, of introspection.
pub(crate) const TOKEN_TYPE_HINT: i64 = 33;
/// `token_type`.
pub(crate) const TOKEN_TYPE: i64 = 34;
/// `ace_profile`.
pub(crate) const ACE_PROFILE: i64 = 38;
/// `cnonce`.
pub(crate) const CNONCE: i64 = 39;
/// `rs_cnf`.
pub(crate) const RS_CNF: i64 = 41;

/// The grant type by which a client gets tokens in its own name.
pub(crate) const CLIENT_CREDENTIALS: u64 = 2;
/// The type of tokens that are bound to a key.
pub(crate) const POP: u64 = 2;
