//! What a device of a scenario does.

use std::rc::Rc;

use sedge_time::Instant;

use super::traffic::{Flow, Pattern};
use crate::host::Device;

/// Follows the flows of one device, one after the other in the order in which they are due. What falls due while
/// something else is under way comes late, and only once.
///
/// An `async fn` would keep its arguments twice: once as they came, and once as it uses them.
#[expect(clippy::manual_async_fn, reason = "a device is large, and there are thousands")]
pub(super) fn follow(mut device: Device, flows: Rc<[Flow]>) -> impl Future<Output = ()> {
    async move {
        let number = device.node().0.to_string();
        for flow in flows.iter().filter(|flow| matches!(flow.pattern, Pattern::Command { .. })) {
            let _refused = device.subscribe(&flow.topic).await;
        }
        let now = device.now();
        let mut due: Vec<(Option<Instant>, u32)> = Vec::with_capacity(flows.len());
        for flow in flows.iter() {
            let mut next = (flow.first(device.random()), 0);
            // Who comes back goes on with what is to come.
            while let (Some(at), count) = next
                && at < now
            {
                next = match flow.pattern {
                    // A download is made up for.
                    Pattern::Download { .. } => break,
                    _ => (flow.next(at, count + 1, device.random()), count + 1),
                };
            }
            due.push(next);
        }
        loop {
            let first = due.iter().enumerate().filter_map(|(index, (at, _))| at.map(|at| (at, index))).min();
            let Some((at, index)) = first else { break };
            device.sleep_until(at).await;
            let flow = &flows[index];
            let topic = flow.topic.replace('*', &number);
            let _sent = match flow.pattern {
                Pattern::Download { .. } => device.fetch(&topic, flow.bytes).await,
                _ => device.publish(&topic, flow.bytes).await,
            };
            let (mut next, mut count) = (Some(at), due[index].1);
            while let Some(last) = next.filter(|next| *next <= at.max(device.now())) {
                count += 1;
                next = flow.next(last, count, device.random());
            }
            due[index] = (next, count);
        }
        loop {
            let later = device.now() + sedge_time::Duration::from_secs(3_600);
            device.sleep_until(later).await;
        }
    }
}
