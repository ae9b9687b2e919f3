//! Ctrl-C, and the polite request to end that service managers send.

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Waits until the user or the system asks the process to end.
pub(crate) async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Calls `reload` whenever the system asks the process to read its configuration again.
pub(crate) async fn on_hangup(mut reload: impl FnMut()) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return std::future::pending().await };
    while hangup.recv().await.is_some() {
        reload();
    }
    std::future::pending().await
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
