//! `explain`: the life of one message, found by running everything once more.

use serde_json::json;

use super::saved::Saved;
use super::{ExplainArgs, Failure, line, run as running};
use crate::network::NodeId;
use crate::record::MessageId;
use crate::report::{Run, plot::number};

pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let saved = Saved::open(&args.within)?;
    let id = MessageId::from_number(args.message)
        .ok_or_else(|| Failure::new("messages are numbered from 1, as in messages.csv"))?;
    let builder = saved.scenario.builder(saved.seed).watch(id);
    let mut simulation = builder.build().map_err(Failure::new)?;
    running::go(&mut simulation, &saved.scenario, args.json);
    let hash = Run::new(&saved.scenario, saved.seed, &simulation).hash();
    if hash != saved.hash {
        eprintln!("warning: this is another run than the saved one: its hash is {hash}");
    }
    let record = simulation.record();
    let Some(message) = record.message(id) else {
        let count = record.messages().len();
        return Err(Failure::new(format!("there is no message {id}: this run had {count}")));
    };
    let millis = |at: sedge_time::Instant| at.saturating_since(message.created).as_micros() as f64 / 1e3;
    if args.json {
        let events: Vec<_> = record
            .story()
            .iter()
            .map(|(at, node, words)| json!({ "at_us": at.as_micros(), "node": node.0, "event": words }))
            .collect();
        return line(format!(
            "{:#}",
            json!({ "message": args.message, "kind": message.kind.as_str(), "events": events })
        ));
    }
    let who = |node: NodeId| if node.0 == 0 { "border router".into() } else { format!("device {}", node.0) };
    line(format!(
        "message {id}: a {} of {}, {} bytes, {} s after the beginning",
        message.kind,
        who(message.node),
        message.bytes,
        number(message.created.as_micros() as f64 / 1e6)
    ))?;
    for (at, node, words) in record.story() {
        line(format!("{:>12.3} ms  {:<14} {words}", millis(*at), who(*node)))?;
    }
    line(format!(
        "{} after {} packets, {} frames ({} retries), {} ms on the air",
        if message.arrived.is_some() { "arrived" } else { "never arrived" },
        message.packets,
        message.frames,
        message.retries,
        number(message.airtime_us as f64 / 1e3)
    ))
}
