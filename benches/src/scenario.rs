//! What kinds of handshake are measured, as servers and load generators are told.

/// How the two sides know each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Auth {
    /// A pre-shared key.
    Psk,
    /// The server shows a certificate, the client nothing.
    #[value(name = "cert")]
    ServerCertificate,
    /// Both show certificates.
    Mutual,
}

/// A kind of handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) auth: Auth,
    /// Whether sessions are resumed, by tickets.
    pub(crate) resume: bool,
    pub(crate) dtls_1_3: bool,
}

impl Scenario {
    /// TLS_PSK_WITH_AES_128_CCM_8.
    pub(crate) const PSK: Self = Self { auth: Auth::Psk, resume: false, dtls_1_3: false };

    /// As command lines have it.
    pub(crate) fn auth(self) -> &'static str {
        match self.auth {
            Auth::Psk => "psk",
            Auth::ServerCertificate => "cert",
            Auth::Mutual => "mutual",
        }
    }

    /// As command lines have it.
    pub(crate) fn version(self) -> &'static str {
        if self.dtls_1_3 { "13" } else { "12" }
    }

    /// As command lines of servers have it.
    pub(crate) fn resumption(self) -> &'static str {
        if self.resume { "resume" } else { "full" }
    }
}
