//! The broker that images of whole clients talk to: it takes what is published, and has a value for who subscribes.

use sedge_coap::block::Block;
use sedge_coap::{Code, Message, OptionNumber, Type, Writer};

/// The answer to a CoAP message; `None` if these bytes are none, or if nothing is to be said.
pub(super) fn answer(bytes: &[u8]) -> Option<Vec<u8>> {
    let request = Message::parse(bytes).ok().filter(|message| message.code().is_request())?;
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

#[cfg(test)]
mod tests {
    use sedge_coap::Token;

    use super::*;

    #[test]
    fn who_subscribes_gets_a_value_and_who_publishes_in_blocks_is_told_to_go_on() {
        let message = |code, number, value| {
            let mut buffer = [0; 32];
            let mut writer = Writer::new(&mut buffer, Type::Con, code, 7, Token::new(b"t").unwrap());
            writer.option_uint(number, value);
            let len = writer.finish().unwrap();
            answer(&buffer[..len]).unwrap()
        };
        assert_eq!(message(Code::GET, OptionNumber::OBSERVE, 0), b"\x61\x45\x00\x07t\x61\x01\xffopen");
        assert_eq!(message(Code::PUT, OptionNumber::BLOCK1, 0x0a), b"\x61\x5f\x00\x07t\xd1\x0e\x0a");
        assert_eq!(message(Code::PUT, OptionNumber::BLOCK1, 0x12), b"\x61\x44\x00\x07t\xd1\x0e\x12");
        assert_eq!(answer(b"21.5"), None);
    }
}
