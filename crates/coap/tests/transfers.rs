//! Both sides of a block-wise transfer against each other, over a path that repeats and a peer that changes
//! its mind about sizes.

use core::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use sedge_coap::block::{Assembler, Block, BlockError, BlockSize, Progress, Slicer, Step, Window, slice};
use sedge_coap::link_format::{Resource, links, write_resources};
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Token, Type, Writer};

fn size() -> impl Strategy<Value = BlockSize> {
    (0_u8..7).prop_map(|szx| BlockSize::from_szx(szx).unwrap())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..100), vec(any::<u8>(), 1000..5000)]
}

/// One response of a server that sends `body` under `etag`, as the datagram it is.
fn respond(body: &[u8], etag: &[u8], asked: Option<Block>, limit: BlockSize) -> Vec<u8> {
    let part = slice(body.len(), asked, limit).unwrap();
    let mut buffer = vec![0; 1200];
    let mut writer = Writer::new(&mut buffer, Type::Ack, Code::CONTENT, 1, Token::EMPTY);
    writer.option(OptionNumber::ETAG, etag).content_format(ContentFormat::OCTET_STREAM);
    if let Some(block) = part.block {
        writer.block(OptionNumber::BLOCK2, block).option_uint(OptionNumber::SIZE2, body.len() as u32);
    }
    writer.payload(&body[part.range]);
    let len = writer.finish().unwrap();
    buffer.truncate(len);
    buffer
}

fn take(assembler: &mut Assembler, memory: &mut [u8], datagram: &[u8]) -> Result<Progress, BlockError> {
    let message = Message::parse(datagram).unwrap();
    match message.block2() {
        Some(block) => {
            assembler.receive(memory, message.response_key(), block, message.size2(), message.payload())
        }
        None => {
            memory[..message.payload().len()].copy_from_slice(message.payload());
            Ok(Progress::Complete(message.payload().len()))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_body_arrives(body in body(), wanted in size(), liked in vec(size(), 1..5), repeat in any::<u64>()) {
        let mut slicer = Slicer::new(body.len(), wanted).unwrap();
        let mut assembler = Assembler::new();
        let mut memory = vec![0; body.len()];
        for turn in 0.. {
            let part = slicer.current();
            let Some(block) = part.block else {
                prop_assert_eq!(part.range, 0..body.len());
                break;
            };
            let mut receive = || {
                let payload = &body[part.range.clone()];
                assembler.receive(&mut memory, 7, block, Some(body.len() as u32), payload)
            };
            let first = receive();
            // A block whose acknowledgement was lost comes again.
            if repeat >> (turn % 64) & 1 == 1 {
                prop_assert_eq!(receive(), first);
            }
            match first.unwrap() {
                Progress::Continue(_) => {
                    let liked = liked[turn % liked.len()].min(block.size());
                    let reply = Block::new(block.num(), true, liked);
                    prop_assert_eq!(slicer.receive(Code::CONTINUE, reply), Step::Send);
                }
                Progress::Complete(len) => {
                    prop_assert_eq!(&memory[..len], &body);
                    prop_assert_eq!(slicer.receive(Code::CHANGED, Some(block)), Step::Done);
                    break;
                }
            }
        }
    }

    #[test]
    fn a_response_body_arrives(body in body(), sizes in vec(size(), 1..5), asked in proptest::option::of(size())) {
        let mut assembler = Assembler::new();
        let mut memory = vec![0; body.len()];
        let mut ask = asked.map(|size| Block::new(0, false, size).unwrap());
        for turn in 0.. {
            // The server may take smaller blocks at any time, but not larger ones than are asked for.
            let response = respond(&body, b"v1", ask, sizes[turn % sizes.len()]);
            match take(&mut assembler, &mut memory, &response).unwrap() {
                Progress::Continue(next) => ask = Some(next),
                Progress::Complete(len) => {
                    prop_assert_eq!(&memory[..len], &body);
                    break;
                }
            }
        }
    }

    #[test]
    fn a_representation_that_changes_is_noticed(body in vec(any::<u8>(), 40..200), change in 1_usize..3) {
        let mut assembler = Assembler::new();
        let mut memory = [0; 200];
        let mut ask = None;
        for turn in 0..=change {
            let etag = if turn == change { b"v2" } else { b"v1" };
            let response = respond(&body, etag, ask, BlockSize::MIN);
            match take(&mut assembler, &mut memory, &response) {
                Ok(Progress::Continue(next)) => ask = Some(next),
                Ok(Progress::Complete(_)) => prop_assert!(false, "a mixture was taken for a body"),
                Err(error) => prop_assert_eq!((turn, error), (change, BlockError::Incomplete)),
            }
        }
    }

    #[test]
    fn attributes_round_trip(value in ".{0,20}") {
        let table = [("title", value.as_str())];
        let resource = Resource { target: "/a", attributes: &table };
        let mut text = String::new();
        write_resources(&mut text, [&resource], []).unwrap();
        let link = links(&text).next().unwrap().unwrap();
        let read = link.attribute("title").map(|value| value.to_string());
        prop_assert_eq!(read.unwrap_or_default(), value);
    }
}

/// A server without memory for the list answers each block by rendering it anew.
#[test]
fn discovery_is_block_wise_without_memory() {
    let resources: Vec<_> = (0..40).map(|number| format!("/d/sensor/{number}")).collect();
    let table: Vec<_> = resources
        .iter()
        .map(|target| Resource { target, attributes: &[("rt", "core.ps.data"), ("obs", "")] })
        .collect();
    let mut whole = String::new();
    write_resources(&mut whole, &table, []).unwrap();

    let mut assembler = Assembler::new();
    let mut memory = [0; 4096];
    let mut asked = Block::new(0, false, BlockSize::at_most(64)).unwrap();
    let len = loop {
        let mut place = [0; 64];
        let mut window = Window::new(&mut place, asked.offset());
        write_resources(&mut window, &table, []).unwrap();
        let block = slice(window.total(), Some(asked), asked.size()).unwrap().block.unwrap();
        match assembler.receive(&mut memory, 0, block, None, window.kept()).unwrap() {
            Progress::Continue(next) => asked = next,
            Progress::Complete(len) => break len,
        }
    };
    assert_eq!(core::str::from_utf8(&memory[..len]), Ok(whole.as_str()));
    let mut again = String::new();
    for link in links(&whole) {
        writeln!(again, "{}", link.unwrap().target()).unwrap();
    }
    assert!(again.lines().eq(&resources));
}
