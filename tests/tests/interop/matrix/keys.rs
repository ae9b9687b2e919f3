//! Keys and certificates for both ends, made anew for each run by OpenSSL.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The identity and the key that both ends share.
pub(crate) const IDENTITY: &str = "device-7";
pub(crate) const PSK: &str = "00112233445566778899aabbccddeeff";
/// The server's name.
pub(crate) const SERVER_NAME: &str = "server.example";

/// A folder with an authority's certificate, and a key (`NAME.key`), its public half (`NAME.pub`) and a certificate
/// (`NAME.pem`) for the server and the client.
#[derive(Debug)]
pub(crate) struct Keys {
    folder: TempDir,
    /// Whether to keep what Sedge's side sees.
    keeps_records: bool,
}

impl Keys {
    pub(crate) fn new(keeps_records: bool) -> Self {
        let keys = Self { folder: tempfile::tempdir().expect("a folder"), keeps_records };
        for name in ["ca", "server", "client"] {
            let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
            keys.openssl(&[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                &key,
            ]);
            keys.openssl(&["pkey", "-in", &key, "-pubout", "-out", &public]);
        }
        let usages = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
        let root =
            ["req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=root", "-days", "30", "-out", "ca.pem"];
        keys.openssl(&[&root[..], &["-addext", usages[0], "-addext", usages[1]]].concat());
        for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
            let extensions = format!(
                "subjectAltName=DNS:{name}.example\nkeyUsage=critical,digitalSignature\n\
                 extendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n"
            );
            std::fs::write(keys.file(&format!("{name}.ext")), extensions).expect("written");
            let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
            let (subject, extensions) = (format!("/CN={name}.example"), format!("{name}.ext"));
            let certificate = format!("{name}.pem");
            keys.openssl(&["req", "-new", "-key", &key, "-subj", &subject, "-out", &request]);
            let by = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
            let what = ["-in", &request, "-extfile", &extensions, "-out", &certificate];
            keys.openssl(&[&by[..], &what[..]].concat());
        }
        keys
    }

    /// A file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where Sedge's side writes down what it sees, and the secrets, if it does.
    pub(crate) fn records(&self) -> Option<(PathBuf, PathBuf)> {
        self.keeps_records.then(|| (self.file("capture.pcap"), self.file("secrets")))
    }

    fn openssl(&self, words: &[&str]) {
        let output = Command::new("openssl")
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
