//! The client.

use sedge_crypto::RustCrypto;
use sedge_dtls::{ClientConfig, ClientHandshake, Context, Credentials, Established, Full, Progress, Records};

use super::command::Task;
use super::party::Party;
use super::talk::{Next, Talk};
use super::wire::{KeyFile, Wire, now, system_random};

type Handshake = ClientHandshake<Full<RustCrypto>>;

/// Connects, again and again if the user wants it, until somebody has had enough.
pub(super) fn run(task: &Task) -> Result<(), String> {
    let mut wire = Wire::open(task)?;
    let mut party = Party::new(task)?;
    let mut key_log = task.key_log.as_deref().map(KeyFile::create).transpose()?;
    loop {
        let established = connect(task, &mut wire, &mut party, key_log.as_mut())?;
        let mut talk = Talk::new(established, task.address, false);
        if talk_until(&mut talk, &mut wire)? == Next::End {
            return Ok(());
        }
        talk.tickets().iter().for_each(|ticket| Credentials::<RustCrypto>::remember(&mut party, ticket));
        wire.rebind(task.address)?;
    }
}

fn connect(
    task: &Task,
    wire: &mut Wire,
    party: &mut Party,
    key_log: Option<&mut KeyFile>,
) -> Result<Established, String> {
    let config = ClientConfig {
        versions: task.versions,
        suites: &task.suites,
        groups: &task.groups,
        own_cid: task.cid,
        transport: task.transport(),
    };
    let mut rng = system_random();
    let mut cx = Context::new(&RustCrypto, &mut rng, now());
    cx.dangerous_key_log = key_log.map(|log| log as _);
    let mut handshake =
        Box::new(Handshake::connect(&mut cx, party, &config).map_err(|error| error.to_string())?);
    let own_cid_len = handshake.own_cid().len();
    let mut buffer = vec![0; 4_096];
    loop {
        while let Some(length) = handshake.poll_transmit(&RustCrypto, &mut buffer) {
            wire.send(&buffer[..length], task.address);
        }
        if let Some(established) = handshake.take_session() {
            return Ok(established);
        }
        let deadline = handshake.deadline().ok_or("the handshake waits for nothing")?;
        let received = wire.receive(deadline.saturating_since(now()).into());
        cx.now = now();
        let mut failure = None;
        if let Some((mut datagram, _)) = received.filter(|(_, from)| *from == task.address) {
            for record in Records::new(&mut datagram, own_cid_len) {
                match handshake.receive(&mut cx, party, record) {
                    Ok(Progress::Failed(why)) => failure = Some(why),
                    Ok(Progress::Continue | Progress::Complete) => {}
                    Err(discard) => eprintln!("discarded: {discard}"),
                }
            }
        }
        if deadline <= cx.now {
            failure = failure.or(handshake.expire(&mut cx, party).err());
        }
        if let Some(failure) = failure {
            while let Some(length) = handshake.poll_transmit(&RustCrypto, &mut buffer) {
                wire.send(&buffer[..length], task.address);
            }
            return Err(format!("handshake: {failure}"));
        }
    }
}

fn talk_until(talk: &mut Talk, wire: &mut Wire) -> Result<Next, String> {
    loop {
        while let Some(command) = wire.command() {
            let next = talk.obey(wire, &command)?;
            if next != Next::Talk {
                return Ok(next);
            }
        }
        if let Some((datagram, from)) = wire.receive(talk.patience()) {
            talk.take(wire, &datagram, from);
        }
        if talk.is_over() {
            return Ok(Next::End);
        }
        talk.flush(wire);
    }
}
