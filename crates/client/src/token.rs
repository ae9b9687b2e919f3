//! Access tokens: got from an authorisation server with a client's own credential, shown to a resource server, and
//! got anew before they end ([RFC 9200](https://www.rfc-editor.org/rfc/rfc9200),
//! [RFC 9202](https://www.rfc-editor.org/rfc/rfc9202)).

use core::fmt;

use sedge_ace::{ErrorCode, ErrorResponse, TokenRequest, TokenResponse};
use sedge_coap::{Code, ContentFormat};
use sedge_time::{Duration, Instant};

use crate::client::Client;
use crate::error::Error;
use crate::io::{Clock, Datagram};
use crate::memory::Memory;
use crate::request::{Request, Target};

/// Room for a request for a token.
const REQUEST_MAX: usize = 384;

/// Why there is no token, or why it was not taken.
#[derive(Debug)]
#[non_exhaustive]
pub enum TokenError<E> {
    /// There was no answer.
    Client(Error<E>),
    /// The authorisation server gives none, for this reason.
    Refused(ErrorCode),
    /// The server answered with this code and no reason.
    Code(Code),
    /// What was asked is too long, or the answer is no token.
    Malformed,
}

impl<E> From<Error<E>> for TokenError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Client(error)
    }
}

impl<E: fmt::Display> fmt::Display for TokenError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Refused(reason) => write!(f, "no token: {reason}"),
            Self::Code(code) => write!(f, "no token: the server answered {code}"),
            Self::Malformed => f.write_str("the answer is no token"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for TokenError<E> {}

impl<M: Memory, D: Datagram, C: Clock> Client<M, D, C> {
    /// Gets a token from the authorisation server that this client is connected to, which knows the client by its own
    /// credential. The answer, in `buffer`, holds a key: erase it when it is no longer needed.
    ///
    /// The token and its key make a [`Security::Psk`](crate::Security::Psk) for the resource server, with the token as
    /// identity. For a server that was [shown](Self::show_token) the token before, the identity is
    /// [`PskIdentity::Kid`](sedge_ace::PskIdentity::Kid).
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn fetch_token<'b>(
        &mut self,
        wanted: &TokenRequest<'_>,
        buffer: &'b mut [u8],
    ) -> Result<TokenResponse<'b>, TokenError<D::Error>> {
        let mut body = [0; REQUEST_MAX];
        let payload = wanted.encode(&mut body).map_err(|_| TokenError::Malformed)?;
        let request = Request {
            payload,
            content_format: Some(ContentFormat::ACE_CBOR),
            ..Request::new(Code::POST, Target::Path("token"))
        };
        let response = self.request(&request, buffer).await?;
        if response.code == Code::CREATED {
            return TokenResponse::decode(response.payload).map_err(|_| TokenError::Malformed);
        }
        Err(match ErrorResponse::decode(response.payload) {
            Ok(refused) => TokenError::Refused(refused.error),
            Err(_) => TokenError::Code(response.code),
        })
    }

    /// Shows a token to the resource server that this client is connected to. On a session by the key of an earlier
    /// token the new one counts from then on, without a new handshake.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn show_token(&mut self, token: &[u8]) -> Result<(), TokenError<D::Error>> {
        let request = Request {
            payload: token,
            content_format: Some(ContentFormat::CWT),
            ..Request::new(Code::POST, Target::Path("authz-info"))
        };
        let mut nothing = [0; 64];
        let response = self.request(&request, &mut nothing).await?;
        if response.code == Code::CREATED { Ok(()) } else { Err(TokenError::Code(response.code)) }
    }
}

/// When to get a new token: when three quarters of the time of the one there is are over, so that a failure or two can be
/// slept on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    due: Instant,
    end: Instant,
}

impl Renewal {
    /// For a token that was got now and is good for so many seconds.
    pub fn new(now: Instant, expires_in: u64) -> Self {
        let whole = Duration::from_secs(expires_in);
        Self { due: now + Duration::from_micros(whole.as_micros() / 4 * 3), end: now + whole }
    }

    /// When to get a new one.
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// Whether it is time to.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// Whether the token is of no use any more.
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_its_end() {
        let at = |seconds| Instant::EPOCH + Duration::from_secs(seconds);
        let renewal = Renewal::new(at(100), 40);
        assert!(!renewal.is_due(at(129)) && renewal.is_due(at(130)) && renewal.due() == at(130));
        assert!(!renewal.is_over(at(139)) && renewal.is_over(at(140)));
    }
}
