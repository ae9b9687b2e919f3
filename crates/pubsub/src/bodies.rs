//! Request bodies that come in blocks (Block1,
//! [RFC 7959 section 2.5](https://www.rfc-editor.org/rfc/rfc7959#section-2.5)), from many sessions at once.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sedge_coap::Message;
use sedge_coap::block::{Assembler, Block, BlockError, Progress};
use sedge_time::{Duration, Instant};

/// The request bodies being assembled by one shard. Memory is taken as blocks arrive, never because of what a peer says
/// is still to come.
#[derive(Debug)]
pub struct Bodies {
    /// By session.
    open: BTreeMap<u64, Vec<Body>>,
    count: usize,
    limits: BodyLimits,
}

/// How much of this peers may ask for.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The longest body, in bytes.
    pub bytes: usize,
    /// How many may be open at once.
    pub bodies: usize,
    /// How many of these may be one session's.
    pub per_session: usize,
    /// How long one may be silent.
    pub timeout: Duration,
}

#[derive(Debug)]
struct Body {
    key: u64,
    assembler: Assembler,
    memory: Vec<u8>,
    last: Instant,
}

/// What came of a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// More is to come.
    Continue,
    /// This is all of it.
    Complete(Vec<u8>),
}

/// Why a block was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It does not fit what came before, or the limits.
    Block(BlockError),
    /// Too many bodies are being assembled.
    TooMany,
}

impl Bodies {
    /// None yet.
    pub fn new(limits: BodyLimits) -> Self {
        Self { open: BTreeMap::new(), count: 0, limits }
    }

    /// How many bodies are being assembled.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes the block that `message` carries.
    ///
    /// # Errors
    /// [`BodyError`], which ends the body.
    pub fn receive(
        &mut self,
        now: Instant,
        session: u64,
        message: &Message<'_>,
        block: Block,
    ) -> Result<Received, BodyError> {
        let too_large = Err(BodyError::Block(BlockError::TooLarge));
        if message.size1().is_some_and(|total| total as usize > self.limits.bytes) {
            return too_large;
        }
        let key = message.request_key();
        if block.offset() == 0 {
            self.make_room(now, session, key)?;
        }
        let Some(bodies) = self.open.get_mut(&session) else {
            return Err(BodyError::Block(BlockError::Incomplete));
        };
        let Some(at) = bodies.iter().position(|body| body.key == key) else {
            return Err(BodyError::Block(BlockError::Incomplete));
        };
        let Some(body) = bodies.get_mut(at) else {
            return Err(BodyError::Block(BlockError::Incomplete));
        };
        body.last = now;
        let end = block.offset() + message.payload().len();
        let outcome = if end > self.limits.bytes {
            Err(BlockError::TooLarge)
        } else {
            if block.offset() <= body.memory.len() && end > body.memory.len() {
                body.memory.resize(end, 0);
            }
            body.assembler.receive(&mut body.memory, key, block, None, message.payload())
        };
        if let Ok(Progress::Continue(_)) = outcome {
            return Ok(Received::Continue);
        }
        let body = bodies.swap_remove(at);
        if bodies.is_empty() {
            drop(self.open.remove(&session));
        }
        self.count -= 1;
        match outcome {
            Ok(Progress::Complete(len)) => {
                let mut memory = body.memory;
                memory.truncate(len);
                Ok(Received::Complete(memory))
            }
            Err(error) => Err(BodyError::Block(error)),
            Ok(Progress::Continue(_)) => Ok(Received::Continue),
        }
    }

    /// Makes an entry for a new body, in place of the oldest of its session if that has too many.
    fn make_room(&mut self, now: Instant, session: u64, key: u64) -> Result<(), BodyError> {
        let known = self.open.get(&session).map_or(0, Vec::len);
        if known < self.limits.per_session && self.count >= self.limits.bodies {
            self.expire(now);
            if self.count >= self.limits.bodies {
                return Err(BodyError::TooMany);
            }
        }
        let bodies = self.open.entry(session).or_default();
        let fresh = Body { key, assembler: Assembler::new(), memory: Vec::new(), last: now };
        let replaced = bodies.iter().position(|body| body.key == key).or_else(|| {
            let oldest = || bodies.iter().enumerate().min_by_key(|(_, body)| body.last).map(|(at, _)| at);
            if bodies.len() >= self.limits.per_session { oldest() } else { None }
        });
        match replaced {
            Some(at) => {
                if let Some(place) = bodies.get_mut(at) {
                    *place = fresh;
                }
            }
            None => {
                bodies.push(fresh);
                self.count += 1;
            }
        }
        Ok(())
    }

    /// Drops bodies of which nothing has come for too long.
    pub fn expire(&mut self, now: Instant) {
        let timeout = self.limits.timeout;
        self.open.retain(|_, bodies| {
            bodies.retain(|body| now.saturating_since(body.last) < timeout);
            !bodies.is_empty()
        });
        self.count = self.open.values().map(Vec::len).sum();
    }

    /// Drops the bodies of a session that is no more.
    pub fn close(&mut self, session: u64) {
        self.count -= self.open.remove(&session).map_or(0, |bodies| bodies.len());
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use sedge_coap::block::BlockSize;
    use sedge_coap::{Code, OptionNumber, Token, Type, Writer};

    use super::*;

    const LIMITS: BodyLimits =
        BodyLimits { bytes: 40, bodies: 3, per_session: 2, timeout: Duration::from_secs(10) };

    struct Sender {
        bodies: Bodies,
        now: Instant,
    }

    impl Sender {
        fn new() -> Self {
            Self { bodies: Bodies::new(LIMITS), now: Instant::EPOCH }
        }

        fn send(
            &mut self,
            session: u64,
            path: &str,
            num: u32,
            more: bool,
            len: usize,
        ) -> Result<Received, BodyError> {
            let mut buf = [0; 200];
            let block = Block::new(num, more, BlockSize::MIN).unwrap();
            let mut writer = Writer::new(&mut buf, Type::Con, Code::PUT, num as u16, Token::default());
            writer.path([path]).block(OptionNumber::BLOCK1, block).payload(&vec![num as u8; len]);
            let len = writer.finish().unwrap();
            let message = Message::parse(&buf[..len]).unwrap();
            self.bodies.receive(self.now, session, &message, block)
        }
    }

    #[test]
    fn two_bodies_of_one_session_do_not_mix() {
        let mut sender = Sender::new();
        for path in ["a", "b"] {
            assert_eq!(sender.send(1, path, 0, true, 16), Ok(Received::Continue));
        }
        for path in ["b", "a"] {
            assert_eq!(
                sender.send(1, path, 1, false, 3),
                Ok(Received::Complete([&[0; 16][..], &[1; 3]].concat()))
            );
        }
        assert_eq!(sender.bodies.len(), 0);
        assert_eq!(sender.send(1, "a", 1, false, 3), Err(BodyError::Block(BlockError::Incomplete)));
    }

    #[test]
    fn limits_hold() {
        let mut sender = Sender::new();
        for num in 0..2 {
            assert!(sender.send(1, "a", num, true, 16).is_ok());
        }
        assert_eq!(sender.send(1, "a", 2, true, 16), Err(BodyError::Block(BlockError::TooLarge)));
        assert_eq!(sender.bodies.len(), 0, "what is too large is not kept");

        // A third body of a session takes the place of its oldest; a fourth in all is refused.
        for (session, path) in [(1, "a"), (1, "b"), (1, "c"), (2, "a")] {
            assert!(sender.send(session, path, 0, true, 16).is_ok());
            sender.now += Duration::from_secs(1);
        }
        assert_eq!(sender.bodies.len(), 3);
        assert_eq!(sender.send(1, "a", 1, true, 16), Err(BodyError::Block(BlockError::Incomplete)));
        assert_eq!(sender.send(3, "a", 0, true, 16), Err(BodyError::TooMany));
        // Time makes room.
        sender.now += Duration::from_secs(8);
        assert!(sender.send(3, "a", 0, true, 16).is_ok());
        sender.bodies.close(2);
        sender.bodies.close(3);
        sender.bodies.expire(sender.now + LIMITS.timeout);
        assert_eq!(sender.bodies.len(), 0);
    }
}
