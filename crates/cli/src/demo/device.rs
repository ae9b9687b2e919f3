//! A device of the demo: it publishes a reading from time to time.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use sedge_client::ContentFormat;
use sedge_client::tokio::Socket;
use sedge_dtls::PskOnly;

use super::Rhythm;
use super::report::Tally;
use super::stage::{Stage, topic};
use crate::codec::senml::{self, Reading};
use crate::connection::{self, CliClient};
use crate::failure::Failure;
use crate::identity::Offer;
use crate::trace::{TapCrypto, Tape, Traffic};

pub(super) struct Device {
    name: &'static str,
    topic: String,
    server: SocketAddr,
    client: Client,
    tape: Tape,
    handshake: Traffic,
    middle: (f64, f64),
    published: u32,
    tally: Tally,
}

/// A client as small as the smallest device's.
pub(super) type Client = CliClient<PskOnly<TapCrypto>>;

/// Connects over loopback UDP, with DTLS as the smallest devices speak it.
pub(super) async fn connect(stage: &Stage, name: &str) -> Result<(Client, Tape), Failure> {
    let security = stage.credential(name)?.security()?;
    let tape = Tape::new(true, false);
    let socket = Socket::connect(stage.address()).await?;
    let mut client = connection::client(socket, security, &Offer::default(), tape.clone())?;
    client.connect().await.map_err(|error| connection::explain(&error))?;
    Ok((client, tape))
}

impl Device {
    pub(super) async fn connect(
        stage: &Stage,
        name: &'static str,
        middle: (f64, f64),
        tally: Tally,
    ) -> Result<Self, Failure> {
        let (client, tape) = connect(stage, name).await?;
        let (server, handshake) = (stage.address(), tape.traffic());
        Ok(Self { name, topic: topic(name), server, client, tape, handshake, middle, published: 0, tally })
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Publishes the readings that are left, and moves to another port midway if it is to.
    pub(super) async fn live(mut self, rhythm: Rhythm, moves: bool) -> Result<Self, Failure> {
        while self.published < rhythm.readings {
            tokio::time::sleep_until(rhythm.start + rhythm.period * self.published).await;
            if moves && self.published == rhythm.readings / 2 {
                self.move_to_another_port().await?;
            }
            self.publish().await?;
        }
        Ok(self)
    }

    /// Publishes one reading and waits until the broker has it.
    pub(super) async fn publish(&mut self) -> Result<(), Failure> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let (temperature, humidity) = self.measure();
        let readings = [
            Reading { name: "temperature", unit: "Cel", value: temperature },
            Reading { name: "humidity", unit: "%RH", value: humidity },
        ];
        let base_name = format!("urn:dev:demo:{}:", self.name);
        let payload = senml::encode(&base_name, now.as_millis() as f64 / 1000.0, &readings);
        self.tally.published(&self.topic, &payload);
        self.published += 1;
        let published = self.client.publish(&self.topic, ContentFormat::SENML_CBOR, &payload).await;
        published.map_err(|error| connection::explain(&error))
    }

    /// What a NAT does when it forgets: the same session, from another source port.
    async fn move_to_another_port(&mut self) -> Result<(), Failure> {
        let before = self.client.socket_mut().socket.local_addr()?;
        let socket = Socket::connect(self.server).await?;
        let after = socket.local_addr()?;
        self.client.socket_mut().socket = socket;
        self.tally.moved(self.name, before.port(), after.port())
    }

    /// Values that go up and down slowly, in tenths.
    fn measure(&self) -> (f64, f64) {
        let phase = f64::from(self.published) / 4.0;
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        (tenths(self.middle.0 + 1.5 * phase.sin()), (self.middle.1 + 4.0 * (phase / 1.7).cos()).round())
    }

    pub(super) fn handshakes(&self) -> u64 {
        self.client.counters().handshakes_completed.into()
    }

    pub(super) fn retransmissions(&self) -> u64 {
        self.client.counters().retransmissions.into()
    }

    /// What the handshake took on the wire.
    pub(super) const fn handshake(&self) -> Traffic {
        self.handshake
    }

    /// What everything after it took.
    pub(super) fn traffic(&self) -> Traffic {
        self.tape.traffic().since(self.handshake)
    }

    pub(super) async fn close(mut self) {
        self.client.close().await;
    }
}
