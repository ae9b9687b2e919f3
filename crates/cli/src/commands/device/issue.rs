//! A certificate for a new device, from a CA in a folder.

use std::path::{Path, PathBuf};

use sedge_crypto::RustCrypto;
use sedge_x509::authority::{Authority, PrivateKey, Template};

use crate::commands::ca::{Unlock, explain, now, rng, validity};
use crate::failure::Failure;

/// What a certificate is issued by, and for how long.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// cert: issue its certificate with a new key, as the CA in this folder (`sedge ca init` sets one up)
    #[arg(long, value_name = "DIR")]
    ca: Option<PathBuf>,
    /// cert: for how many days the certificate is valid
    #[arg(long, value_name = "NUMBER", default_value_t = 730, requires = "ca", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    #[command(flatten)]
    unlock: Unlock,
}

impl Args {
    /// The folder of the CA.
    pub(super) fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// A new key, and a certificate of it in DER.
    pub(super) fn issue(&self, dir: &Path, name: &str) -> Result<(PrivateKey, Vec<u8>), Failure> {
        let passphrase = self.unlock.take(dir)?;
        let mut ca = Authority::open(dir).map_err(explain)?;
        let passphrase = passphrase.as_ref().map(|text| text.as_slice());
        let issuer = ca.unlock(RustCrypto, passphrase).map_err(explain)?;
        let key = PrivateKey::generate(&RustCrypto, &mut rng())?;
        let template = Template::client(name, validity(now(), self.days));
        let certificate = ca.issue(&issuer, &template, &key.public_key(&RustCrypto)?, &mut rng());
        Ok((key, certificate.map_err(explain)?))
    }
}
