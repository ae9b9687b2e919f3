//! The folder that a broker lives in, and the lock that says who works on it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A broker's folder: mode 0700, every file in it 0600.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

/// The right to work on a folder's store, until dropped. The system takes it from a process that dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lasts as long as its file is open")] File);

impl DataDir {
    /// The folder at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Creates the folder if it is missing. An existing one must not be open to others.
    ///
    /// # Errors
    /// It cannot be created, or others may write to it.
    pub fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let mode = self.0.metadata()?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{0} can be written to by others: run `chmod 700 {0}`", self.0.display()),
            ));
        }
        Ok(())
    }

    /// Whether a broker was ever started here.
    pub fn is_set_up(&self) -> bool {
        self.lock().exists()
    }

    /// Takes the folder's lock, or returns `None` if another process has it.
    ///
    /// # Errors
    /// The lock file cannot be created.
    pub fn try_lock(&self) -> io::Result<Option<Lock>> {
        let file = private(OpenOptions::new().create(true).truncate(false)).open(self.lock())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The store's file.
    pub fn store(&self) -> PathBuf {
        self.0.join("sedge.redb")
    }

    /// The socket on which a running broker serves administrators of this machine.
    pub fn admin_socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }

    /// The folder of the audit log.
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit")
    }

    /// The broker's private key, unless its configuration names another.
    pub fn server_key(&self) -> PathBuf {
        self.0.join("server.key.pem")
    }

    /// The broker's public key, for whoever administers the folder while no broker runs.
    pub(crate) fn server_public_key(&self) -> PathBuf {
        self.0.join("server.pub")
    }

    /// The credential file of the administrator whom the first start created.
    pub fn admin_credential(&self) -> PathBuf {
        self.0.join("admin.toml")
    }
}

/// Opens for reading and writing, and makes new files mode 0600.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.read(true).write(true).mode(0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path().join("broker"));
        dir.create().unwrap();
        assert_eq!(dir.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let lock = dir.try_lock().unwrap().unwrap();
        assert!(dir.try_lock().unwrap().is_none());
        drop(lock);
        assert!(dir.try_lock().unwrap().is_some());
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = DataDir::new(temporary.path()).create().unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }
}
