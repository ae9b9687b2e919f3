//! The one who reads: it subscribes to every device's topic and shows what comes.

use std::time::Duration;

use sedge_client::Error;
use tokio::time::Instant;

use super::device::{Client, connect};
use super::report::Tally;
use super::stage::{DISPLAY, Stage, topic};
use crate::connection;
use crate::failure::Failure;
use crate::trace::{Tape, Traffic};

pub(super) struct Display {
    client: Client,
    tape: Tape,
    subscribed: Traffic,
    tally: Tally,
}

impl Display {
    pub(super) async fn connect(stage: &Stage, devices: &[&str], tally: Tally) -> Result<Self, Failure> {
        let (mut client, tape) = connect(stage, DISPLAY).await?;
        for device in devices {
            let subscribed = client.subscribe(&topic(device)).await;
            subscribed.map_err(|error| connection::explain(&error))?;
        }
        // The values that were there already came with the answers to the subscriptions.
        let subscribed = tape.traffic();
        Ok(Self { client, tape, subscribed, tally })
    }

    /// Shows readings until all have come, or `patience` has passed since the last one was published.
    pub(super) async fn show(&mut self, patience: Duration) -> Result<(), Failure> {
        let mut buffer = [0; 1024];
        let mut give_up_at = None;
        while !self.tally.is_complete() {
            if self.tally.is_over() {
                let give_up_at = *give_up_at.get_or_insert_with(|| Instant::now() + patience);
                if Instant::now() > give_up_at {
                    break;
                }
            }
            // Whether it is over is looked at now and then: nothing is lost when waiting stops.
            let next = tokio::time::timeout(Duration::from_millis(20), self.client.next(&mut buffer)).await;
            match next {
                Ok(Ok(value)) => {
                    let topic = self.client.topic(value.subscription).unwrap_or_default();
                    self.tally.delivered(topic, value.payload)?;
                }
                Ok(Err(Error::Disconnected(_))) | Err(_) => {}
                Ok(Err(error)) => return Err(connection::explain(&error)),
            }
        }
        Ok(())
    }

    pub(super) fn handshakes(&self) -> u64 {
        self.client.counters().handshakes_completed.into()
    }

    pub(super) fn retransmissions(&self) -> u64 {
        self.client.counters().retransmissions.into()
    }

    /// What the notifications took on the wire.
    pub(super) fn traffic(&self) -> Traffic {
        self.tape.traffic().since(self.subscribed)
    }

    pub(super) async fn close(mut self) {
        self.client.close().await;
    }
}
