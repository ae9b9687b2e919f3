//! A broker that serves every version and every way to authenticate, and devices that use each.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::Key;
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice};
use sedge_broker::config::Config;
use sedge_crypto::{PublicKey, RustCrypto, subject_public_key_info};
use sedge_dtls::{CertificateType, CipherSuite, Psk, Versions};
use sedge_tests::broker::TestBroker;
use sedge_x509::Validity;
use sedge_x509::authority::{AlternativeName, Issuer, PrivateKey, SerialNumber, Template, write_new};
use tempfile::TempDir;

use crate::party::Party;
use crate::scene::Scene;

/// The name in the broker's certificate.
pub(crate) const BROKER: &str = "broker.example";
/// The name in the certificate of the device that has one.
pub(crate) const CERTIFIED: &str = "certified";

/// How a device authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Psk,
    RawPublicKey,
    Certificate,
}

/// One of the ways to a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) versions: Versions,
    pub(crate) suite: CipherSuite,
    pub(crate) by: By,
}

const fn way(versions: Versions, suite: CipherSuite, by: By) -> Way {
    Way { versions, suite, by }
}

/// Both versions, every kind of key exchange, every way to authenticate, every AEAD.
pub(crate) const WAYS: [Way; 7] = [
    way(Versions::ONLY_1_2, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, By::Psk),
    way(Versions::ONLY_1_2, CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, By::Psk),
    way(Versions::ONLY_1_2, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, By::Certificate),
    way(Versions::ONLY_1_2, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM, By::RawPublicKey),
    way(Versions::ONLY_1_3, CipherSuite::TLS_AES_128_CCM_8_SHA256, By::Psk),
    way(Versions::ONLY_1_3, CipherSuite::TLS_AES_128_GCM_SHA256, By::RawPublicKey),
    way(Versions::ONLY_1_3, CipherSuite::TLS_AES_128_CCM_8_SHA256, By::Certificate),
];

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}

/// From an hour ago for a year.
pub(crate) fn this_year() -> Validity {
    Validity { not_before: unix_now() - 3_600, not_after: unix_now() + 31_536_000 }
}

pub(crate) fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

pub(crate) fn new_key() -> PrivateKey {
    PrivateKey::generate(&RustCrypto, &mut rng()).expect("a key")
}

pub(crate) fn public(key: &PrivateKey) -> PublicKey {
    key.public_key(&RustCrypto).expect("a key")
}

/// Somebody who issues certificates, and the certificate that says so.
pub(crate) struct Ca {
    pub(crate) issuer: Issuer<RustCrypto>,
    pub(crate) certificate: Vec<u8>,
}

impl Ca {
    /// A root with this name.
    pub(crate) fn root(name: &str) -> Self {
        let template = Template::ca(name, Some(1), this_year());
        let (issuer, certificate) = Issuer::self_signed(
            RustCrypto,
            &new_key(),
            &template,
            &SerialNumber::random(&mut rng()),
            &mut rng(),
        )
        .expect("signed");
        Self { issuer, certificate }
    }

    /// Certifies what the template says, whatever that is.
    pub(crate) fn issue(&self, template: &Template, key: &PublicKey) -> Vec<u8> {
        self.issue_as(&SerialNumber::random(&mut rng()), template, key)
    }

    pub(crate) fn issue_as(&self, serial: &SerialNumber, template: &Template, key: &PublicKey) -> Vec<u8> {
        self.issuer.issue(template, serial, key, &mut rng()).expect("signed")
    }

    /// Another CA below this one.
    pub(crate) fn below(&self, template: &Template) -> Self {
        let key = new_key();
        let certificate = self.issue(template, &public(&key));
        let parsed = sedge_x509::Certificate::parse(&certificate).expect("well-formed");
        Self { issuer: Issuer::new(RustCrypto, &key, &parsed).expect("its key"), certificate }
    }
}

/// A broker, its CA, and devices that it knows.
pub(crate) struct Site {
    pub(crate) scene: Scene,
    pub(crate) ca: Ca,
    broker_key: PublicKey,
    raw: PrivateKey,
    certified: PrivateKey,
    folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_, _, _| {})
    }

    /// With a broker whose configuration the test has changed; it may put files into the folder.
    pub(crate) fn with(change: impl FnOnce(&mut Config, &Ca, &std::path::Path)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (ca, broker_key) = (Ca::root("Example CA"), new_key());
        let names = vec![AlternativeName::Dns(BROKER.to_owned())];
        let own = ca.issue(&Template::server("broker", names, this_year()), &public(&broker_key));
        let files = Files { key: broker_key.clone(), chain: vec![own], anchor: ca.certificate.clone() };
        let broker = TestBroker::with(|config| {
            config.timing.handshake_retransmit = Duration::from_millis(100);
            files.write(folder.path(), config);
            change(config, &ca, folder.path());
        });
        let scene = Scene::with(broker);
        let (raw, certified) = (new_key(), new_key());
        let site = Self { scene, ca, broker_key: public(&broker_key), raw, certified, folder };
        site.enrol(NewDevice { public_key: Some(public(&site.raw)), ..device("raw") });
        site.enrol(NewDevice { certificate_name: Some(CERTIFIED.to_owned()), ..device(CERTIFIED) });
        site
    }

    /// Where files of the test may go.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn enrol(&self, new: NewDevice) {
        let reply = self.scene.broker.administer(AdminRequest::DeviceAdd(new));
        assert!(matches!(reply, AdminReply::Enrolled(..)), "{reply:?}");
    }

    /// A device that may do what the victim may, by this way.
    pub(crate) fn party(&self, way: Way) -> Party {
        let mut party = self.party_by(way.by);
        party.versions = way.versions;
        party.suites = vec![way.suite];
        party
    }

    /// A device that speaks every version and offers every suite.
    pub(crate) fn party_by(&self, by: By) -> Party {
        let mut party = Party::new(self.broker_key, self.ca.issuer.public_key());
        match by {
            By::Psk => {
                let identity = &self.scene.identity;
                party.psk = Some((identity.name.clone(), Psk::new(&identity.key).expect("a key")));
            }
            By::RawPublicKey => {
                let info = subject_public_key_info(&public(&self.raw)).to_vec();
                party.shows(CertificateType::RawPublicKey, vec![info], &self.raw);
                party.believes = vec![CertificateType::RawPublicKey];
            }
            By::Certificate => {
                let own = self.ca.issue(&Template::client(CERTIFIED, this_year()), &public(&self.certified));
                party.shows(CertificateType::X509, vec![own], &self.certified);
                party.believes = vec![CertificateType::X509];
            }
        }
        party
    }

    /// A device with this chain, of which the first certificate is for this key.
    pub(crate) fn party_with(&self, chain: Vec<Vec<u8>>, key: &PrivateKey) -> Party {
        let mut party = self.party_by(By::Certificate);
        party.shows(CertificateType::X509, chain, key);
        party
    }
}

/// A device with this name and the victim's rights.
pub(crate) fn device(name: &str) -> NewDevice {
    let topics = || TopicPattern::new("t/#").expect("a pattern");
    let grants = Grants::none().with(topics(), Permissions::PUBLISH).with(topics(), Permissions::READ);
    NewDevice { name: name.to_owned(), grants, ..NewDevice::default() }
}

/// What a broker reads at its start.
pub(crate) struct Files {
    pub(crate) key: PrivateKey,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) anchor: Vec<u8>,
}

impl Files {
    pub(crate) fn write(&self, folder: &std::path::Path, config: &mut Config) {
        let file = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            write_new(&path, text.as_bytes()).expect("written");
            path
        };
        let pem = self.key.to_pem(&RustCrypto, None, &mut rng()).expect("a key");
        let chain: String = self.chain.iter().map(|der| sedge_x509::to_pem(der)).collect();
        config.dtls.private_key = file("broker.key.pem", &pem);
        config.dtls.certificate = file("broker.pem", &chain);
        config.dtls.trust_anchors = vec![file("ca.pem", &sedge_x509::to_pem(&self.anchor))];
    }
}

/// A key that nobody has enrolled.
pub(crate) fn unknown_psk() -> Psk {
    Psk::new(Key::random().expect("randomness").expose()).expect("16 bytes")
}
