//! A root, what it signs, and random numbers that are the same in every run.

use sedge_crypto::{Crypto, HostCrypto, PublicKey, RustCrypto, TryCryptoRng, TryRng};
use sedge_x509::authority::{Issuer, PrivateKey, SerialNumber, Template};
use sedge_x509::{
    Certificate, Error, Expected, PeerName, PinnedIssuer, TrustAnchors, Usage, Validity, Verifier,
};

/// The time of all tests, and a year around it.
pub(crate) const NOW: u64 = 1_795_330_800;
pub(crate) const YEAR: Validity = Validity { not_before: NOW - 1000, not_after: NOW + 31_536_000 };

pub(crate) const SERVER: Expected<'static> = Expected::server(PeerName::Dns("broker.example"));
pub(crate) const CLIENT: Expected<'static> = Expected::client();
pub(crate) const BOILER: Expected<'static> =
    Expected { usage: Usage::Client, name: Some(PeerName::Dns("boiler-7")) };

/// A CA with its certificate.
pub(crate) struct Ca {
    pub(crate) issuer: Issuer<RustCrypto>,
    pub(crate) der: Vec<u8>,
    pub(crate) rng: TestRng,
}

impl Ca {
    /// A root that allows one CA below itself.
    pub(crate) fn root(seed: u64) -> Self {
        Self::self_signed(seed, &Template::ca("Test CA", Some(1), YEAR))
    }

    pub(crate) fn self_signed(seed: u64, template: &Template) -> Self {
        let mut rng = TestRng(seed);
        let key = PrivateKey::generate(&RustCrypto, &mut rng).unwrap();
        let serial = SerialNumber::random(&mut rng);
        let (issuer, der) = Issuer::self_signed(RustCrypto, &key, template, &serial, &mut rng).unwrap();
        Self { issuer, der, rng }
    }

    /// A CA below this one.
    pub(crate) fn below(&mut self, template: &Template) -> Self {
        let key = PrivateKey::generate(&RustCrypto, &mut self.rng).unwrap();
        let der = self.issue_to(template, &key.public_key(&RustCrypto).unwrap());
        let issuer = Issuer::new(RustCrypto, &key, &Certificate::parse(&der).unwrap()).unwrap();
        let seed = self.rng.0;
        Self { issuer, der, rng: TestRng(seed ^ 1) }
    }

    /// A certificate for a key that nobody keeps.
    pub(crate) fn issue(&mut self, template: &Template) -> Vec<u8> {
        let key = PrivateKey::generate(&RustCrypto, &mut self.rng).unwrap();
        self.issue_to(template, &key.public_key(&RustCrypto).unwrap())
    }

    pub(crate) fn issue_to(&mut self, template: &Template, key: &PublicKey) -> Vec<u8> {
        let serial = SerialNumber::random(&mut self.rng);
        self.issuer.issue(template, &serial, key, &mut self.rng).unwrap()
    }

    pub(crate) fn pinned(&self) -> PinnedIssuer {
        PinnedIssuer::new(self.issuer.public_key())
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        let mut anchors = TrustAnchors::default();
        anchors.add(&self.der).unwrap();
        anchors
    }

    pub(crate) fn verifier(&self) -> Verifier<RustCrypto> {
        Verifier::new(RustCrypto, self.anchors())
    }

    /// What a device says to the certificate, whichever provider it has.
    pub(crate) fn device(&self, der: &[u8], expected: &Expected<'_>) -> Result<(), Error> {
        let verdict = self.pinned().verify(&RustCrypto, der, expected, Some(NOW)).map(|_| ());
        let other = self.pinned().verify(&HostCrypto, der, expected, Some(NOW)).map(|_| ());
        assert_eq!(verdict, other, "providers disagree");
        verdict
    }

    /// What a host says to the chain, whichever provider it has.
    pub(crate) fn host(&self, chain: &[&[u8]], expected: &Expected<'_>) -> Result<(), Error> {
        let verdict = verdict(&self.verifier(), chain, expected);
        let other = self::verdict(&Verifier::new(HostCrypto, self.anchors()), chain, expected);
        assert_eq!(verdict, other, "providers disagree");
        verdict
    }

    /// Whether a device or a host believes the chain: the quick answer, for many chains.
    pub(crate) fn believed(&self, chain: &[&[u8]], expected: &Expected<'_>) -> bool {
        let verifier = Verifier::new(HostCrypto, self.anchors());
        self.pinned().verify(&HostCrypto, chain[0], expected, Some(NOW)).is_ok()
            || verdict(&verifier, chain, expected).is_ok()
    }

    /// What both say to a certificate without a chain.
    #[track_caller]
    pub(crate) fn both(&self, der: &[u8], expected: &Expected<'_>, verdict: Result<(), Error>) {
        assert_eq!(self.device(der, expected), verdict, "device");
        assert_eq!(self.host(&[der], expected), verdict, "host");
    }
}

pub(crate) fn verdict<C: Crypto + Send + Sync>(
    verifier: &Verifier<C>,
    chain: &[&[u8]],
    expected: &Expected<'_>,
) -> Result<(), Error> {
    verifier.verify(chain.iter().copied(), expected, NOW).map(|_| ())
}

pub(crate) fn server() -> Template {
    let name = sedge_x509::authority::AlternativeName::Dns("broker.example".into());
    Template::server("broker.example", vec![name], YEAR)
}

pub(crate) fn client() -> Template {
    Template::client("boiler-7", YEAR)
}

/// Deterministic and different for every seed: SplitMix64.
pub(crate) struct TestRng(pub(crate) u64);

impl TryRng for TestRng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in to.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}
