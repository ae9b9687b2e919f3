//! Saving the session, and taking it up again.

use sedge_dtls::{Authentication, Session};
use sedge_endpoint::{Agreed, Version};

use super::{Channel, Line};
use crate::memory::Memory;
use crate::saved::{Numbers, SaveError, Storage};

impl<M: Memory> Line<M> {
    /// Whether there is a session that could be saved.
    pub(crate) const fn has_session(&self) -> bool {
        matches!(self.channel, Channel::Session(_))
    }

    /// Whether nothing may be sealed before the session is saved.
    pub(crate) fn must_save(&self) -> bool {
        match &self.channel {
            Channel::Session(session) if self.config.reserve > 0 => {
                session.next_record_number() >= self.reserved_until
            }
            _ => false,
        }
    }

    /// Saves the session with so many record numbers reserved for what is sent next.
    pub(crate) fn save<S: Storage>(
        &mut self,
        reserve: u32,
        storage: &mut S,
    ) -> Result<(), SaveError<S::Error>> {
        let (Channel::Session(session), Some(agreed)) = (&self.channel, self.agreed) else {
            return Err(SaveError::NoSession);
        };
        if self.config.reserve == 0 {
            // What is sent next would not be noted.
            return Err(SaveError::NoSession);
        }
        let numbers = Numbers {
            agreed: [agreed.authentication as u8, agreed.resumed.into()],
            reserved: reserve,
            step: self.config.reserve,
            token: self.next_token,
            message_id: self.message_ids.peek(),
        };
        self.cursor.save(&self.crypto, storage, numbers, session.export().expose())?;
        self.reserved_until = session.next_record_number() + u64::from(reserve);
        Ok(())
    }

    /// Takes up the session that was saved last, behind all numbers that may have been used. Says whether there is one.
    pub(crate) fn restore<S: Storage>(&mut self, storage: &mut S) -> Result<bool, S::Error> {
        let Some(found) = self.cursor.restore(&self.crypto, storage)? else { return Ok(false) };
        let Numbers { agreed: [authentication, resumed], reserved, step, token, message_id } = found.numbers;
        let Ok(session) = Session::import(found.session(), reserved.into()) else { return Ok(false) };
        let authentication = match authentication {
            0 => Authentication::Anonymous,
            1 => Authentication::PreSharedKey,
            2 => Authentication::RawPublicKey,
            _ => Authentication::Certificate,
        };
        let version = if session.is_dtls_1_3() { Version::Dtls13 } else { Version::Dtls12 };
        self.agreed = Some(Agreed { version, suite: session.suite(), authentication, resumed: resumed != 0 });
        // A token or a Message ID takes at least one record.
        self.next_token = token.wrapping_add(reserved);
        self.message_ids = sedge_coap::MessageIds::new(message_id.wrapping_add(reserved as u16));
        // No record reserves more than what its forerunner has as a step.
        self.config.reserve = self.config.reserve.min(step);
        // Nothing is reserved yet: it is saved before anything is sealed.
        self.reserved_until = 0;
        self.channel = Channel::Session(session);
        Ok(true)
    }
}
