//! Hearing an authorisation server elsewhere: a session with it, on which the keys of tokens and the list of those that
//! are revoked are observed, and asked for now and then, in case that a notification was lost or that nobody is there
//! any more.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sedge_ace::{IntrospectionRequest, IntrospectionResponse, TokenHash, TrlResponse};
use sedge_client::tokio::{Client, config, connect_to};
use sedge_client::{Code, ContentFormat, Error, Request, SubscriptionId, Target};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zeroize::Zeroizing;

use super::{Remote, Said, count, lock};
use crate::security::Provider;
use crate::shard::Shared;

/// Between two attempts to connect, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a connection, and an answer, may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a list may take that comes in hundreds of blocks.
const LIST_PATIENCE: Duration = Duration::from_secs(120);
/// Room for a list of revoked tokens: of two thousand at first, of two million at most.
const ROOM: usize = 1 << 16;
const MOST_ROOM: usize = 1 << 26;

impl Said {
    const ALL: [Self; 2] = [Self::Keys, Self::Revoked];

    const fn path(self) -> &'static str {
        match self {
            Self::Keys => "sedge/token-keys",
            Self::Revoked => "trl",
        }
    }
}

/// A session with the authorisation server.
struct Following<'a> {
    shared: &'a Weak<Shared>,
    remote: &'a Remote,
    client: Client,
    buffer: Zeroizing<Vec<u8>>,
    /// Up to which update the list of revoked tokens is known, if there have been any.
    cursor: Option<u64>,
}

/// What there is to do next.
enum Came {
    Value(Result<(SubscriptionId, Zeroizing<Vec<u8>>), Error<io::Error>>),
    Question(Zeroizing<Vec<u8>>),
    Time,
}

/// Follows the authorisation server that the configuration names, if any, as long as the broker lives.
pub(crate) async fn follow(shared: Weak<Shared>) {
    let Some(remote) = shared.upgrade().and_then(|shared| shared.state.remote.clone()) else { return };
    let Some(mut questions) = lock(&remote.asked).take() else { return };
    let mut wait = FIRST_WAIT;
    while shared.strong_count() > 0 {
        let was_heard = remote.times_connected();
        let why = match connect(&remote).await {
            Ok(client) => {
                let buffer = Zeroizing::new(vec![0; ROOM]);
                let mut following =
                    Following { shared: &shared, remote: &remote, client, buffer, cursor: None };
                let why = following.run(&mut questions).await;
                let _said = timeout(FIRST_WAIT, following.client.close()).await;
                why
            }
            Err(why) => why,
        };
        remote.is_away(why);
        wait = if remote.times_connected() > was_heard { FIRST_WAIT } else { LONGEST_WAIT.min(wait * 2) };
        sleep(wait).await;
    }
}

async fn connect(remote: &Remote) -> Result<Client, String> {
    let security = remote.credential.security().map_err(|error| error.to_string())?;
    match timeout(PATIENCE, connect_to(&remote.address, security, config())).await {
        Ok(connected) => connected.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no session within {} s", PATIENCE.as_secs())),
    }
}

impl Following<'_> {
    /// Goes on until the session is of no use any more; says why.
    async fn run(&mut self, questions: &mut mpsc::Receiver<Zeroizing<Vec<u8>>>) -> String {
        let mut observed = [None; Said::ALL.len()];
        for (said, observation) in Said::ALL.into_iter().zip(&mut observed) {
            *observation = match self.observe(said).await {
                Ok(observation) => observation,
                Err(why) => return why,
            };
        }
        // What has come first is heard before anything is said to be well.
        if let Err(why) = self.poll().await {
            return why;
        }
        self.remote.is_connected();
        let mut next_poll = Instant::now() + self.remote.poll;
        loop {
            let came = tokio::select! {
                came = self.client.next(&mut self.buffer) => {
                    Came::Value(came.map(|came| (came.subscription, Zeroizing::new(came.payload.to_vec()))))
                }
                Some(token) = questions.recv() => Came::Question(token),
                () = sleep_until(next_poll) => Came::Time,
            };
            let outcome = match came {
                Came::Value(Ok((observation, body))) => {
                    let mut known = Said::ALL.into_iter().zip(observed);
                    match known.find(|(_, known)| *known == Some(observation)) {
                        Some((said, _)) => self.hear(said, &body).await,
                        None => Ok(()),
                    }
                }
                Came::Value(Err(Error::Ended { code, .. })) => Err(format!("it answers {code} now")),
                Came::Value(Err(Error::BufferTooSmall { .. })) if self.make_room() => self.poll().await,
                Came::Value(Err(error)) => Err(error.to_string()),
                Came::Question(token) => self.ask_about(&token).await,
                Came::Time => {
                    next_poll = Instant::now() + self.remote.poll;
                    self.poll().await
                }
            };
            if let Err(why) = outcome {
                return why;
            }
        }
    }

    /// Has the server notify of changes; `None` if it does not, so that only asking helps.
    async fn observe(&mut self, said: Said) -> Result<Option<SubscriptionId>, String> {
        match timeout(PATIENCE, self.client.observe(Target::Path(said.path()))).await {
            Ok(Ok(observation)) => Ok(Some(observation)),
            Ok(Err(Error::NotObserved)) => Ok(None),
            Ok(Err(Error::Refused(Code::FORBIDDEN))) => Err(format!(
                "`{}` is no resource server there: `sedge authority add-rs` enrols one",
                self.remote.audience()
            )),
            Ok(Err(Error::Refused(Code::NOT_FOUND))) => {
                Err(format!("it has no /{}: it is no authorisation server of this kind", said.path()))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(silent(PATIENCE)),
        }
    }

    /// Asks for everything that may have changed.
    async fn poll(&mut self) -> Result<(), String> {
        let keys = self.answer(Said::Keys.path()).await?;
        self.hear(Said::Keys, &keys).await?;
        // A long list is not asked for again and again: there may be nothing new (RFC 9770 section 8).
        if let Some(cursor) = self.cursor {
            let changes = self.answer(&format!("{}?diff=1&cursor={cursor}", Said::Revoked.path())).await?;
            let mut is_news = false;
            let understood = TrlResponse::decode(&changes).ok().filter(|response| {
                response.cursor == Some(cursor)
                    && !response.more
                    && response.each_change(|_, _| is_news = true)
            });
            if understood.is_some() && !is_news {
                return Ok(());
            }
        }
        let list = self.answer(Said::Revoked.path()).await?;
        self.hear(Said::Revoked, &list).await
    }

    /// What is there now.
    async fn answer(&mut self, path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        loop {
            let request = Request::get(path);
            let patience = if path == Said::Revoked.path() { LIST_PATIENCE } else { PATIENCE };
            let asked = timeout(patience, self.client.request(&request, &mut self.buffer)).await;
            let answer = asked.map_err(|_| silent(patience))?;
            match answer.map(|answer| (answer.code, Zeroizing::new(answer.payload.to_vec()))) {
                Ok((code, body)) if code.is_success() => return Ok(body),
                Ok((code, _)) => return Err(format!("it answers {code} to a request for /{path}")),
                Err(Error::BufferTooSmall { .. }) if self.make_room() => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Makes twice as much room for answers, if there may be more.
    fn make_room(&mut self) -> bool {
        let room = 2 * self.buffer.len();
        if room <= MOST_ROOM {
            self.buffer = Zeroizing::new(vec![0; room]);
        }
        room <= MOST_ROOM
    }

    async fn hear(&mut self, said: Said, body: &[u8]) -> Result<(), String> {
        let Some(shared) = self.shared.upgrade() else { return Err("the broker ends".into()) };
        if said == Said::Revoked {
            self.cursor = TrlResponse::decode(body).ok().and_then(|list| list.cursor);
        }
        let heard = shared.state.hear_remote(self.remote, said, body, &|news| shared.tell(news)).await;
        if let Err(error) = heard {
            // It counts all the same, until the broker is started again.
            tracing::error!(%error, "what the authorisation server says is not kept");
        }
        Ok(())
    }

    /// Asks whether a token is good that was shown, and ends what it permits if it is not.
    async fn ask_about(&mut self, token: &[u8]) -> Result<(), String> {
        let mut body = vec![0; token.len() + 32];
        let asked = IntrospectionRequest { token };
        let Ok(body) = asked.encode(&mut body) else { return Ok(()) };
        let request = Request {
            payload: body,
            content_format: Some(ContentFormat::ACE_CBOR),
            ..Request::new(Code::POST, Target::Path("introspect"))
        };
        let answer = timeout(PATIENCE, self.client.request(&request, &mut self.buffer)).await;
        let response = answer.map_err(|_| silent(PATIENCE))?.map_err(|error| error.to_string())?;
        count(&self.remote.counters.introspected);
        let is_good = response.code.is_success()
            && IntrospectionResponse::decode_active(response.payload).is_ok_and(|active| active);
        let Some(shared): Option<Arc<Shared>> = self.shared.upgrade() else { return Ok(()) };
        if !is_good {
            let hash = TokenHash::of(&Provider::default(), token);
            shared.state.end_tokens(self.remote, vec![hash], &|news| shared.tell(news));
        }
        Ok(())
    }
}

fn silent(patience: Duration) -> String {
    format!("no answer within {} s", patience.as_secs())
}
