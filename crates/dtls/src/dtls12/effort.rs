//! A limit to the work that strangers can cause.

use crate::discard::Discard;

/// How many more costly steps (key agreement, verification of a signature or a certificate) a handshake will do
/// before the next turn of its timer.
///
/// A handshake needs at most three, and again as many for every forged message that came before the genuine one.
/// Beyond that, whoever sends forged messages must not decide how this side spends its time.
#[derive(Debug)]
pub(crate) struct Effort {
    left: u8,
}

impl Effort {
    const LIMIT: u8 = 6;

    pub(crate) const fn new() -> Self {
        Self { left: Self::LIMIT }
    }

    /// The timer had its turn.
    pub(crate) const fn renew(&mut self) {
        self.left = Self::LIMIT;
    }

    /// Does one step, if one is left.
    pub(crate) fn spend(&mut self) -> Result<(), Discard> {
        self.left = self.left.checked_sub(1).ok_or(Discard::TooManyAttempts)?;
        Ok(())
    }
}
