//! Values that only the members of a group can read: one is protected and opened again, as a device that publishes one
//! topic and reads another does.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use sedge_client::ContentFormat;
use sedge_client::protected::{Record, SequenceStorage};
use sedge_crypto::{Rfc7925, RustCrypto};
use sedge_group::{Cipher, Gid, GroupKey, Publisher, SenderId, Subscriber, Value};

/// Where sequence numbers are noted; of a real device this would be flash.
struct Pages([Record; 2]);

impl SequenceStorage for Pages {
    type Error = ();

    fn slots(&self) -> usize {
        2
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), ()> {
        *record = *self.0.get(slot).ok_or(())?;
        Ok(())
    }

    fn write(&mut self, slot: usize, record: &Record) -> Result<(), ()> {
        *self.0.get_mut(slot).ok_or(())? = *record;
        Ok(())
    }
}

/// One key, one publisher whose numbers are remembered, and what it publishes.
struct Group {
    publisher: Publisher<Pages>,
    subscriber: Subscriber<1, 1>,
    message: [u8; 192],
}

struct Static(UnsafeCell<MaybeUninit<Group>>);

// SAFETY: there is one thread, and `protect` borrows the memory once.
unsafe impl Sync for Static {}

static GROUP: Static = Static(UnsafeCell::new(MaybeUninit::uninit()));

/// Protects a reading, and sees whether it can be opened.
#[inline(never)]
pub fn protect(reading: &[u8]) -> Option<(&'static [u8], ContentFormat)> {
    let crypto = Rfc7925(RustCrypto);
    let group = join(&crypto)?;
    let value = Value { payload: reading, content_format: None };
    let message = &*group.publisher.seal(&crypto, &value, &mut group.message).ok()?;
    let mut opened = [0; 192];
    let opened = group.subscriber.open_unsigned(&crypto, message, &mut opened).ok()?;
    (opened.payload == reading).then_some((message, ContentFormat(16)))
}

/// Makes the group, as a device does when it is told the key: long before there is a value, so that the stack of the one
/// does not lie under that of the other.
#[inline(never)]
fn join(crypto: &Rfc7925<RustCrypto>) -> Option<&'static mut Group> {
    // SAFETY: this is the only borrow, for an image does this once.
    let memory = unsafe { &mut *GROUP.0.get() };
    let publisher = Publisher::new(Pages([[0; 32]; 2]));
    let group = memory.write(Group { publisher, subscriber: Subscriber::new(), message: [0; 192] });
    let gid = Gid::new(b"valve")?;
    let key = GroupKey::new(Cipher::AesCcm16_64_128, b"sixteen secrets!", b"thirteen byte", gid, 1)?;
    group.publisher.begin(crypto, key.clone(), SenderId::from_number(1)).ok()?;
    group.subscriber.install(key);
    Some(group)
}

/// Protects a later reading with the key that is there.
#[cfg(feature = "count")]
#[inline(never)]
pub fn protect_again<'b>(reading: &'b [u8], buffer: &'b mut [u8]) -> Option<(&'b [u8], ContentFormat)> {
    // SAFETY: `protect` has written it, and is over; there is no other borrow.
    let group = unsafe { (*GROUP.0.get()).assume_init_mut() };
    let value = Value { payload: reading, content_format: None };
    let message = &*group.publisher.seal(&Rfc7925(RustCrypto), &value, buffer).ok()?;
    Some((message, ContentFormat(16)))
}
