//! The broker that images of whole clients talk to: it takes what is published, and has a value for who subscribes.

use sedge_coap::block::Block;
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Token, Type, Writer};

/// One subscriber's broker.
#[derive(Debug, Default)]
pub(super) struct Broker {
    /// The token of whoever subscribed.
    observer: Option<Token>,
}

impl Broker {
    /// What is to be said to a CoAP message; `None` if these bytes are none. Whoever has subscribed is notified of what is
    /// published in one message.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        let message = Message::parse(bytes).ok()?;
        if !message.code().is_request() {
            return Some(Vec::new());
        }
        let mut said = vec![answer(&message)?];
        if message.observe() == Some(0) {
            self.observer = Some(message.token());
        }
        if let (Code::PUT, None, Some(observer)) = (message.code(), message.block1(), self.observer) {
            said.push(notification(observer)?);
        }
        Some(said)
    }
}

fn answer(request: &Message<'_>) -> Option<Vec<u8>> {
    let mut buffer = [0; 128];
    let code = match (request.code(), request.block1()) {
        (Code::GET, _) => Code::CONTENT,
        (_, Some(block)) if block.more() => Code::CONTINUE,
        _ => Code::CHANGED,
    };
    let mut writer = Writer::new(&mut buffer, Type::Ack, code, request.message_id(), request.token());
    if request.observe() == Some(0) {
        writer.option_uint(OptionNumber::OBSERVE, 1);
    }
    if let Some(block) =
        request.block1().and_then(|block| Block::new(block.num(), block.more(), block.size()))
    {
        writer.block(OptionNumber::BLOCK1, block);
    }
    if code == Code::CONTENT {
        writer.payload(b"open");
    }
    let len = writer.finish().ok()?;
    Some(buffer[..len].to_vec())
}

/// A confirmable one, with what a broker puts into it.
fn notification(observer: Token) -> Option<Vec<u8>> {
    let mut buffer = [0; 128];
    let mut writer = Writer::new(&mut buffer, Type::Con, Code::CONTENT, 0x1234, observer);
    writer.option_uint(OptionNumber::OBSERVE, 2).content_format(ContentFormat::TEXT).payload(b"shut");
    let len = writer.finish().ok()?;
    Some(buffer[..len].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_subscribes_gets_values_and_who_publishes_in_blocks_is_told_to_go_on() {
        let mut broker = Broker::default();
        let mut message = |code, number, value| {
            let mut buffer = [0; 32];
            let mut writer = Writer::new(&mut buffer, Type::Con, code, 7, Token::new(b"t").unwrap());
            writer.option_uint(number, value);
            let len = writer.finish().unwrap();
            broker.receive(&buffer[..len]).unwrap()
        };
        assert_eq!(message(Code::GET, OptionNumber::OBSERVE, 0), [b"\x61\x45\x00\x07t\x61\x01\xffopen"]);
        assert_eq!(message(Code::PUT, OptionNumber::BLOCK1, 0x0a), [b"\x61\x5f\x00\x07t\xd1\x0e\x0a"]);
        assert_eq!(message(Code::PUT, OptionNumber::BLOCK1, 0x12), [b"\x61\x44\x00\x07t\xd1\x0e\x12"]);
        let whole = message(Code::PUT, OptionNumber::CONTENT_FORMAT, 0);
        assert_eq!(whole, [&b"\x61\x44\x00\x07t"[..], b"\x41\x45\x12\x34t\x61\x02\x60\xffshut"]);
        assert_eq!(broker.receive(b"\x60\x00\x12\x34"), Some(Vec::new()));
        assert_eq!(broker.receive(b"21.5"), None);
    }
}
