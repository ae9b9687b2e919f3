//! Ctrl-C, and the polite request to end that service managers send.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// Waits until the user or the system asks the process to end; what they ask from this call on is heard.
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Requests of the system to read the configuration again.
pub(crate) struct Hangups(Option<Signal>);

impl Hangups {
    /// Those that come from now on.
    pub(crate) fn new() -> Self {
        Self(signal(SignalKind::hangup()).ok())
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        if let Some(hangups) = &mut self.0
            && hangups.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// What a command comes to, unless it is interrupted before.
pub(crate) async fn or_interrupted<T>(
    command: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        outcome = command => outcome,
        () = interrupted() => Err(Failure::interrupted()),
    }
}
