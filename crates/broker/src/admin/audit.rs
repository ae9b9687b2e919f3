//! What administrators read of the audit log: its files as they are, so that they can check them themselves.

use minicbor::{Decode, Encode};

use super::service::Service;
use super::{AdminReply, Reason, Refusal};

/// Most bytes of a piece.
const PIECE_BYTES: usize = 32 << 10;

/// A place in the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AuditPlace {
    /// The file, by the number of its first record.
    #[n(0)]
    pub file: u64,
    /// How many bytes into it.
    #[n(1)]
    pub offset: u64,
}

impl Service {
    /// The files, each with its end.
    pub(super) fn audit_files(&self) -> Result<AdminReply, Refusal> {
        let parts = sedge_audit::parts(&self.audit_folder()?).map_err(|error| unreadable(&error))?;
        let place = |part: &sedge_audit::Part| AuditPlace { file: part.first, offset: part.len };
        Ok(AdminReply::AuditFiles(parts.iter().map(place).collect()))
    }

    /// Where the last so many records begin.
    pub(super) fn audit_tail(&self, count: u64) -> Result<AdminReply, Refusal> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let found = sedge_audit::tail(&self.audit_folder()?, count).map_err(|error| unreadable(&error))?;
        let found = found.map(|(file, offset)| AuditPlace { file, offset });
        Ok(AdminReply::AuditFiles(found.into_iter().collect()))
    }

    /// What stands there, as much as fits.
    pub(super) fn audit_read(&self, place: AuditPlace) -> Result<AdminReply, Refusal> {
        let AuditPlace { file, offset } = place;
        let piece = sedge_audit::read_part(&self.audit_folder()?, file, offset, PIECE_BYTES);
        Ok(AdminReply::AuditPiece(piece.map_err(|error| unreadable(&error))?))
    }

    fn audit_folder(&self) -> Result<std::path::PathBuf, Refusal> {
        let none =
            || Refusal::new(Reason::NotFound, "this broker keeps no audit log (audit.enabled = false)");
        self.state().audit.folder().map(Into::into).ok_or_else(none)
    }
}

fn unreadable(error: &std::io::Error) -> Refusal {
    Refusal::new(Reason::Store, format!("the audit log cannot be read: {error}"))
}
