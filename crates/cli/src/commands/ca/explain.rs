//! What to do about a CA that cannot do what it is asked to.

use std::path::Path;

use sedge_x509::authority::{AuthorityError, PrivateKeyError};

use crate::failure::Failure;
use crate::output;

pub(crate) fn explain(error: AuthorityError) -> Failure {
    match &error {
        AuthorityError::NotEmpty(_) => Failure::new(format!("{error}: choose another folder")),
        AuthorityError::NoAuthority(dir) => {
            Failure::new(format!("{error}: `sedge ca init {}` sets one up", dir.display()))
        }
        AuthorityError::PrivateKey(path, PrivateKeyError::WrongPassphrase) => {
            Failure::new(format!("the passphrase does not open {}", path.display()))
        }
        AuthorityError::OutlivesIssuer(end) => {
            Failure::new(format!("{error}, which ends on {}: choose fewer --days", output::date(*end)))
        }
        AuthorityError::BadName(_) => Failure::usage(error),
        _ => Failure::new(error),
    }
}

/// The same, for what can be looked up in a folder.
pub(super) fn in_folder(dir: &Path) -> impl Fn(AuthorityError) -> Failure {
    move |error| match &error {
        AuthorityError::NotIssued(_) => {
            Failure::new(format!("{error}: `sedge ca list {}` shows what was issued", dir.display()))
        }
        _ => explain(error),
    }
}
