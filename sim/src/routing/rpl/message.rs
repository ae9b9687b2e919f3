//! The bodies of RPL's messages, from the ICMPv6 type on ([RFC 6550 section 6](https://www.rfc-editor.org/rfc/rfc6550#section-6)).

use super::{Objective, RplConfig};
use crate::mac::SplitOff;
use crate::network::{NodeId, node_of, short_address};

/// The ICMPv6 type of RPL.
pub(super) const RPL: u8 = 155;
const DIS: u8 = 0;
const DIO: u8 = 1;
const DAO: u8 = 2;
const DAO_ACK: u8 = 3;
/// The flag of a DAO that asks for an acknowledgement (K).
const ACKNOWLEDGE: u8 = 0x80;
/// Options: DODAG Configuration, RPL Target, Transit Information.
const CONFIGURATION: u8 = 4;
const TARGET: u8 = 5;
const TRANSIT: u8 = 6;

/// How many targets one message holds, so that it fits one frame.
pub(super) const TARGETS: usize = 3;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// DIS.
    Solicitation,
    /// DIO.
    Information { rank: u16, forgotten: u8 },
    /// DAO: who lies below.
    Advertisement { sequence: u8, acknowledge: bool, targets: Vec<Target> },
    /// DAO-ACK.
    Acknowledgement { sequence: u8 },
}

/// One who lies below, or does no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) node: NodeId,
    /// Path Sequence.
    pub(super) sequence: u8,
    /// Path Lifetime: zero says that no way leads there any more (No-Path).
    pub(super) lifetime: u8,
}

pub(super) fn solicitation() -> Vec<u8> {
    vec![RPL, DIS, 0, 0, 0, 0]
}

pub(super) fn information(rank: u16, forgotten: u8, root: [u8; 16], config: &RplConfig) -> Vec<u8> {
    let mut out = vec![RPL, DIO, 0, 0];
    let [high, low] = rank.to_be_bytes();
    // Instance, version, rank; grounded, storing mode without multicast; DTSN, flags.
    out.extend_from_slice(&[0, 0xf0, high, low, 0x80 | 2 << 3, forgotten, 0, 0]);
    out.extend_from_slice(&root);
    let shortest = config.shortest.as_millis().max(1).ilog2() as u8;
    let objective = u8::from(config.objective == Objective::Mrhof);
    out.extend_from_slice(&[CONFIGURATION, 14, 0, config.doublings, shortest, config.redundancy]);
    let step = super::STEP.to_be_bytes();
    let unit = (config.unit_secs() as u16).to_be_bytes();
    // MaxRankIncrease (none), MinHopRankIncrease, objective, lifetimes.
    let lifetime = config.lifetime();
    out.extend_from_slice(&[0, 0, step[0], step[1], 0, objective, 0, lifetime, unit[0], unit[1]]);
    out
}

pub(super) fn advertisement(sequence: u8, acknowledge: bool, root: [u8; 16], targets: &[Target]) -> Vec<u8> {
    let flags = if acknowledge { ACKNOWLEDGE } else { 0 };
    let mut out = vec![RPL, DAO, 0, 0, 0, flags, 0, sequence];
    for target in targets {
        out.extend_from_slice(&[TARGET, 18, 0, 128]);
        // The root's address with another end.
        out.extend_from_slice(&root[..14]);
        out.extend_from_slice(&short_address(target.node).to_be_bytes());
        out.extend_from_slice(&[TRANSIT, 4, 0, 0, target.sequence, target.lifetime]);
    }
    out
}

pub(super) fn acknowledgement(sequence: u8) -> Vec<u8> {
    vec![RPL, DAO_ACK, 0, 0, 0, 0, sequence, 0]
}

impl Message {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let [kind, code, _, _] = *rest.split_off_chunk()?;
        if kind != RPL {
            return None;
        }
        match code {
            DIS => Some(Self::Solicitation),
            DIO => {
                let [_, _, high, low, _, forgotten, _, _] = *rest.split_off_chunk::<8>()?;
                let _root: &[u8; 16] = rest.split_off_chunk()?;
                Some(Self::Information { rank: u16::from_be_bytes([high, low]), forgotten })
            }
            DAO => {
                let [_, flags, _, sequence] = *rest.split_off_chunk()?;
                let mut targets: Vec<Target> = Vec::new();
                while let Some((&[option, length], after)) = rest.split_first_chunk::<2>() {
                    let (value, after) = after.split_at_checked(length.into())?;
                    if option == TARGET {
                        let end = value.last_chunk::<2>().filter(|_| value.len() == 18)?;
                        let node = node_of(u16::from_be_bytes(*end))?;
                        targets.push(Target { node, sequence: 0, lifetime: 0xff });
                    }
                    if let (TRANSIT, [_, _, sequence, lifetime], Some(last)) =
                        (option, value, targets.last_mut())
                    {
                        last.sequence = *sequence;
                        last.lifetime = *lifetime;
                    }
                    rest = after;
                }
                Some(Self::Advertisement { sequence, acknowledge: flags & ACKNOWLEDGE != 0, targets })
            }
            DAO_ACK => {
                let [_, _, sequence, _] = *rest.split_off_chunk()?;
                Some(Self::Acknowledgement { sequence })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_they_were_written() {
        let root = [9; 16];
        assert_eq!(Message::read(&solicitation()), Some(Message::Solicitation));
        let dio = information(384, 9, root, &RplConfig::default());
        assert_eq!(Message::read(&dio), Some(Message::Information { rank: 384, forgotten: 9 }));
        let target = |node, sequence, lifetime| Target { node: NodeId(node), sequence, lifetime };
        let targets = vec![target(3, 7, 90), target(300, 255, 0)];
        let dao = advertisement(1, true, root, &targets);
        let read = Message::Advertisement { sequence: 1, acknowledge: true, targets };
        assert_eq!(Message::read(&dao), Some(read));
        assert_eq!(Message::read(&dao[..12]), None);
        assert_eq!(Message::read(&acknowledgement(7)), Some(Message::Acknowledgement { sequence: 7 }));
    }
}
