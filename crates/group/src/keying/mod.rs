//! What members and the key distribution centre say to each other
//! ([RFC 9594](https://www.rfc-editor.org/rfc/rfc9594),
//! [draft-ietf-ace-coap-pubsub-profile, section 4](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile#section-4)).
//!
//! Everything is a CBOR map in Content-Format 261, below the path `/ace-group/GROUPNAME`. The name of a group is that of
//! its topic, as one segment of the path.

mod challenge;
mod credential;
mod join;
mod keys;
mod members;
mod names;

pub use challenge::{Challenge, NONCE_LEN, Nonce, possession};
pub use credential::MemberCredential;
pub use join::{Join, Roles};
pub use keys::{GroupPolicy, Keys};
pub use members::{Members, MembersIter, ask_for, read_number};
pub use names::{encode_names, read_gids};

/// The first segment of the path of everything at the key distribution centre.
pub const ACE_GROUP: &str = "ace-group";
/// `application/ace-groupcomm+cbor`.
pub const ACE_GROUPCOMM: u16 = 261;
/// `application/cose; cose-type="cose-encrypt0"`, the Content-Format of protected values.
pub const COSE_ENCRYPT0: u16 = 16;

/// Key type Group_PubSub_Keying_Material: the value that the draft suggests.
const GROUP_PUBSUB_KEYING_MATERIAL: i64 = 2;
/// Profile coap_group_pubsub_app: the value that the draft suggests.
const COAP_GROUP_PUBSUB_APP: i64 = 2;
/// The format of members' credentials: CWT Claims Sets, header parameter `kccs`.
const KCCS: i64 = 14;
/// ECDSA with SHA-256.
const ES256: i64 = -7;

/// Keys of the maps ([RFC 9594 section 8](https://www.rfc-editor.org/rfc/rfc9594#section-8)).
mod key {
    pub(super) const GID: i64 = 0;
    pub(super) const GNAME: i64 = 1;
    pub(super) const GURI: i64 = 2;
    pub(super) const SCOPE: i64 = 3;
    pub(super) const GET_CREDS: i64 = 4;
    pub(super) const CLIENT_CRED: i64 = 5;
    pub(super) const CNONCE: i64 = 6;
    pub(super) const GKTY: i64 = 7;
    pub(super) const KEY: i64 = 8;
    pub(super) const NUM: i64 = 9;
    pub(super) const PROFILE: i64 = 10;
    pub(super) const EXI: i64 = 12;
    pub(super) const CREDS: i64 = 13;
    pub(super) const PEER_IDENTIFIERS: i64 = 15;
    pub(super) const GROUP_POLICIES: i64 = 16;
    pub(super) const CLIENT_CRED_VERIFY: i64 = 24;
    pub(super) const KDCCHALLENGE: i64 = 30;
}
