//! An authorisation server in the test's hands: a broker takes up its keys at the start, so that the test can make any
//! token, and so can a peer that is given the keys.

use sedge_access::Verb;
use sedge_ace::TokenKeys;
use sedge_authority::{Authority, Change, Changes, Client, Clients, Context, Settings};
use sedge_cose::cbor::{Decoder, Encoder, Error, Label};
use sedge_cose::{Encrypt0, Envelope, Header, Mac0, Sign1};
use sedge_crypto::{Crypto as _, Entropy, Hash as _, Mac as _, RustCrypto, Secret};

/// Keys, and the records in which a broker keeps them.
#[derive(Debug)]
pub struct Issuer {
    authority: Authority,
    records: Vec<Change>,
    signing: Secret<32>,
}

/// How a token is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// COSE_Encrypt0.
    Encrypted,
    /// COSE_Mac0.
    Authenticated,
    /// COSE_Sign1.
    Signed,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Encrypted, Self::Authenticated, Self::Signed];
}

/// Claims of a token, each with its encoded value.
#[derive(Clone, Debug)]
pub struct ClaimSet(pub Vec<(i64, Vec<u8>)>);

struct Nobody;

impl Clients for Nobody {
    fn client(&self, _: &str) -> Option<Client> {
        None
    }

    fn allows(&self, _: &str, _: Verb, _: &str) -> bool {
        false
    }
}

/// What `write` writes.
///
/// # Panics
/// If that is longer than 64 KiB.
pub fn encoded(write: impl for<'e, 'b> FnOnce(&'e mut Encoder<'b>) -> &'e mut Encoder<'b>) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let mut encoder = Encoder::new(&mut buffer);
    let _all = write(&mut encoder);
    encoder.finish().expect("it has room").to_vec()
}

impl ClaimSet {
    /// Claims of a good token: for `subject`, to `audience`, until `expires`, with this scope and `cnf`.
    pub fn new(subject: &str, audience: &str, expires: u64, scope: &[u8], cnf: Vec<u8>) -> Self {
        Self(vec![
            (2, encoded(|encoder| encoder.text(subject))),
            (3, encoded(|encoder| encoder.text(audience))),
            (4, encoded(|encoder| encoder.unsigned(expires))),
            (7, encoded(|encoder| encoder.bytes(subject.as_bytes()))),
            (8, cnf),
            (9, encoded(|encoder| encoder.bytes(scope))),
        ])
    }

    /// With another value for this claim, or one more.
    #[must_use]
    pub fn with(mut self, label: i64, value: Vec<u8>) -> Self {
        self.0.retain(|(other, _)| *other != label);
        self.0.push((label, value));
        self.0.sort_by_key(|(label, _)| *label);
        self
    }

    /// Without this claim.
    #[must_use]
    pub fn without(mut self, label: i64) -> Self {
        self.0.retain(|(other, _)| *other != label);
        self
    }

    /// The map.
    pub fn encode(&self) -> Vec<u8> {
        encoded(|encoder| {
            encoder.map(self.0.len());
            for (label, value) in &self.0 {
                encoder.int(*label).raw(value);
            }
            encoder
        })
    }
}

/// A `cnf` that names a symmetric key, and carries it if it is given.
pub fn symmetric_cnf(kid: &[u8], key: Option<&[u8]>) -> Vec<u8> {
    encoded(|encoder| {
        encoder.map(1).int(1).map(2 + usize::from(key.is_some())).int(1).int(4).int(2).bytes(kid);
        if let Some(key) = key {
            encoder.int(-1).bytes(key);
        }
        encoder
    })
}

impl Issuer {
    /// An authorisation server with keys for these resource servers.
    ///
    /// # Panics
    /// If its records are not what they are known to be.
    pub fn new(audiences: &[&str]) -> Self {
        let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        let mut authority = Authority::new(Settings { audiences, ..Settings::default() });
        let mut changes = Changes::default();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        authority.begin(&mut Context {
            now: now.as_secs(),
            crypto: &RustCrypto,
            rng: &mut Entropy::new(),
            clients: &Nobody,
            store: &mut changes,
        });
        let records = changes.into_vec();
        let mut issuer = Self { authority, records, signing: Secret::zero() };
        let public = issuer.keys("").verification;
        let own = |key: &Secret<32>| {
            RustCrypto.signing_key(key).is_ok_and(|key| RustCrypto.public_key(&key) == public)
        };
        issuer.signing = issuer.records.iter().filter_map(signing_key).find(own).expect("the private key");
        issuer
    }

    /// What a broker has in its store that has the same keys.
    pub fn records(&self) -> Vec<Change> {
        self.records.clone()
    }

    /// The present keys for this resource server.
    ///
    /// # Panics
    /// Never: it has keys for everybody.
    pub fn keys(&self, audience: &str) -> TokenKeys {
        self.authority.audience_keys(&RustCrypto, audience).next().expect("keys")
    }

    /// The private key of signatures.
    pub const fn signing_key(&self) -> &Secret<32> {
        &self.signing
    }

    /// A token as the authorisation server makes it, around any claims.
    ///
    /// # Panics
    /// If it is too long.
    pub fn token(&self, form: Form, keys: &TokenKeys, claims: &[u8]) -> Vec<u8> {
        let nonce = *RustCrypto.sha256_of(claims).first_chunk::<13>().expect("32 bytes");
        let iv = (form == Form::Encrypted).then_some(&nonce[..]);
        let protected = Header { kid: Some(&keys.id), iv, ..Header::default() };
        self.with_header(form, keys, protected, Header::default(), claims)
    }

    /// A token with these header parameters.
    ///
    /// # Panics
    /// If it is too long, or the header cannot be.
    pub fn with_header(
        &self,
        form: Form,
        keys: &TokenKeys,
        protected: Header<'_>,
        unprotected: Header<'_>,
        claims: &[u8],
    ) -> Vec<u8> {
        let envelope = Envelope { tagged: true, protected, unprotected, ..Envelope::default() };
        let mut out = vec![0; claims.len() + 256];
        let made = match form {
            Form::Encrypted => {
                let nonce = protected.iv.or(unprotected.iv).expect("a nonce");
                let key = keys.encryption_key().expect("a key");
                Encrypt0::seal(&RustCrypto, &key, nonce, &envelope, claims, &mut out)
            }
            Form::Authenticated => {
                Mac0::create(&RustCrypto, &keys.mac_key().expect("a key"), &envelope, claims, &mut out)
            }
            Form::Signed => {
                let key = RustCrypto.signing_key(&self.signing).expect("in range");
                Sign1::sign(&RustCrypto, &key, &mut Entropy::new(), &envelope, claims, &mut out)
            }
        };
        [&[0xd8, 61], &*made.expect("it can be made")].concat()
    }

    /// A token in COSE_Mac0 by HMAC 256/256 around any bytes as its header, put together by hand.
    pub fn by_hand(keys: &TokenKeys, protected: &[u8], unprotected: &[u8], claims: &[u8]) -> Vec<u8> {
        let authenticated =
            encoded(|encoder| encoder.array(4).text("MAC0").bytes(protected).bytes(&[]).bytes(claims));
        let mut mac = RustCrypto.hmac_sha256(keys.mac.expose());
        mac.update(&authenticated);
        let tag = mac.finish();
        encoded(|encoder| {
            encoder.tag(61).tag(17).array(4).bytes(protected).raw(unprotected).bytes(claims).bytes(&tag)
        })
    }
}

/// SHA-256 in one call.
trait Sha256 {
    fn sha256_of(&self, bytes: &[u8]) -> [u8; 32];
}

impl Sha256 for RustCrypto {
    fn sha256_of(&self, bytes: &[u8]) -> [u8; 32] {
        let mut hash = self.sha256();
        hash.update(bytes);
        hash.finish()
    }
}

/// The private key in a record of keys: a map, in which it has the label 2.
fn signing_key(record: &Change) -> Option<Secret<32>> {
    let Change::Put(name, record) = record else { return None };
    let mut key = None;
    let read = Decoder::new(record).map(|label, value| {
        if label == Label::Int(2) {
            key = Some(value.bytes()?);
        }
        Ok::<_, Error>(())
    });
    let key = read.ok().filter(|()| name.starts_with("key/")).and(key)?;
    key.try_into().ok().map(Secret::new)
}
