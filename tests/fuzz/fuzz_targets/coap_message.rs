//! Any datagram: reads as a message or is refused; what reads can be asked everything, and written again says
//! the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_coap::{Message, Writer};

fuzz_target!(|datagram: &[u8]| {
    let message = match Message::parse(datagram) {
        Ok(message) => message,
        Err(error) => {
            let _ = (error.malformed().as_str(), error.message_id(), error.reaction());
            return;
        }
    };
    ask_everything(&message);

    let mut buffer = vec![0; datagram.len() + 16];
    let mut writer =
        Writer::new(&mut buffer, message.kind(), message.code(), message.message_id(), message.token());
    for (number, value) in message.options() {
        writer.option(number, value);
    }
    if !message.payload().is_empty() {
        writer.payload(message.payload());
    }
    let length = writer.finish().expect("what was read can be written");
    let again = Message::parse(&buffer[..length]).expect("what was written can be read");
    assert!(length <= datagram.len(), "the writer's form is the shortest");
    assert!(message.options().eq(again.options()));
    assert_eq!(message.payload(), again.payload());
    assert_eq!(message.request_key(), again.request_key());
    assert_eq!(message.fingerprint(), again.fingerprint());
});

fn ask_everything(message: &Message<'_>) {
    for values in [
        message.if_match(),
        message.uri_path(),
        message.uri_query(),
        message.location_path(),
        message.location_query(),
        message.etags(),
        message.request_tags(),
    ] {
        assert!(values.count() <= message.options().count());
    }
    let texts = [message.uri_host(), message.proxy_uri(), message.proxy_scheme()];
    let numbers = [message.observe(), message.size1(), message.size2(), Some(message.max_age())];
    let _ = (texts, numbers, message.uri_port(), message.hop_limit(), message.no_response());
    let _ = (message.content_format(), message.accept(), message.echo(), message.if_none_match());
    for block in [message.block1(), message.block2()].into_iter().flatten() {
        assert!(block.offset() == block.num() as usize * block.size().bytes());
    }
    let _ = message.wants(message.code());
    let _ = message.check(|number| !number.is_critical());
}
