//! Any sequence of blocks into a small memory: what completes is what was sent in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_coap::block::{Assembler, Block, Progress, slice};
use sedge_fuzz::Steps;

const ROOM: usize = 200;

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let mut memory = [0; ROOM];
    let mut assembler = Assembler::new();
    while steps.more() {
        let key = u64::from(steps.byte() & 1);
        let value = u32::from(steps.number());
        let total = (steps.byte() & 1 == 1).then(|| u32::from(steps.number()));
        let payload = steps.bytes();
        let Some(block) = Block::from_value(value) else { continue };
        let before = (assembler.len(), memory);
        match assembler.receive(&mut memory, key, block, total, payload) {
            Ok(Progress::Complete(length)) => {
                assert!(length <= ROOM);
                assert!(!block.more());
                assert_eq!(memory[block.offset()..length], *payload);
            }
            Ok(Progress::Continue(next)) => assert!(next.offset() <= ROOM + next.size().bytes()),
            Err(error) => {
                assert!(error.code().is_error());
                assert_eq!((assembler.len(), memory), before, "a block that is not taken changes nothing");
            }
        }
        if let Ok(slice) = slice(payload.len(), Some(block), block.size()) {
            assert!(slice.range.end <= payload.len() && slice.range.len() <= block.size().bytes());
        }
    }
});
