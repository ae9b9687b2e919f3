//! What devices and broker speak.

use sedge_coap::block::BlockSize;
use sedge_dtls::{CipherSuite, Versions};
use sedge_time::Duration;

use super::ScenarioError;
use super::reader::Reader;
use crate::host::SecurityMode;
use crate::simulation::Protocol;

/// The keys that mean nothing without DTLS.
pub(super) const OF_DTLS: [&str; 5] = ["dtls", "suite", "connection-id", "datagram", "handshake-timeout"];

impl Protocol {
    pub(super) fn read(reader: &Reader<'_>) -> Result<Self, ScenarioError> {
        let default = Self::default();
        let modes = [
            ("psk", SecurityMode::Psk),
            ("rpk", SecurityMode::RawPublicKey),
            ("raw-public-key", SecurityMode::RawPublicKey),
            ("certificate", SecurityMode::Certificate),
            ("none", SecurityMode::None),
        ];
        let security = reader.choice("security", default.security, &modes)?;
        let plain = security == SecurityMode::None;
        let versions = [("1.2", Versions::ONLY_1_2), ("1.3", Versions::ONLY_1_3), ("both", Versions::ALL)];
        for key in OF_DTLS {
            if plain && reader.has(key) {
                return Err(reader.error(
                    format!("protocol.{key} means nothing with `security = \"none\"`"),
                    "leave it out, or choose \"psk\", \"rpk\" or \"certificate\"",
                ));
            }
        }
        let confirm = [("con", true), ("non", false)];
        let block = match reader.find::<i64>("block")? {
            None => default.block,
            Some(placed) => match placed.value {
                16 | 32 | 64 | 128 | 256 | 512 | 1024 => BlockSize::at_most(placed.value as usize),
                other => {
                    let help = "a block has 16, 32, 64, 128, 256, 512 or 1024 bytes (RFC 7959 section 2.2)";
                    return Err(reader.wrong(&placed, format!("there are no blocks of {other} bytes"), help));
                }
            },
        };
        let time = |key, default: Duration| match reader.find::<Duration>(key)? {
            Some(placed) if placed.value.as_micros() == 0 => {
                Err(reader.wrong(&placed, "this is no time to wait", "for example \"2s\""))
            }
            placed => Ok(placed.map_or(default, |placed| placed.value)),
        };
        let protocol = Self {
            security,
            versions: reader.choice("dtls", default.versions, &versions)?,
            suites: suites(reader, security)?,
            connection_id: reader.or("connection-id", default.connection_id)?,
            confirmable: reader.choice("messages", default.confirmable, &confirm)?,
            confirmable_notifications: reader.choice("notifications", default.confirmable, &confirm)?,
            block,
            datagram: reader.within::<i64>("datagram", default.datagram.into(), 256..=1232)? as u16,
            ack_timeout: time("ack-timeout", default.ack_timeout)?,
            max_retransmit: reader.within::<i64>("max-retransmit", default.max_retransmit.into(), 0..=20)?
                as u8,
            handshake_timeout: time("handshake-timeout", default.handshake_timeout)?,
            protected: reader.or("protected", default.protected)?,
            computing: reader.or("computing", default.computing)?,
        };
        reader.finish()?;
        Ok(protocol)
    }
}

/// The one suite that is asked for, or all.
fn suites(reader: &Reader<'_>, security: SecurityMode) -> Result<&'static [CipherSuite], ScenarioError> {
    let all = CipherSuite::ALL;
    let words: Vec<(&str, usize)> = (0..).zip(all).map(|(at, suite)| (suite.as_str(), at)).collect();
    let Some(placed) = reader.find::<String>("suite")? else { return Ok(all) };
    let at = reader.choice("suite", 0, &words)?;
    let unfit = match security {
        SecurityMode::Psk => "ECDSA",
        _ => "PSK",
    };
    if placed.value.contains(unfit) {
        let help = "suites with PSK go with `security = \"psk\"`, those with ECDSA with \"rpk\" or \"certificate\"; TLS_AES_ suites with any";
        return Err(reader.wrong(&placed, "this suite cannot be used with this `security`", help));
    }
    let versions = reader.find::<String>("dtls")?;
    let is_13 = placed.value.starts_with("TLS_AES_");
    if versions.is_some_and(|versions| versions.value == if is_13 { "1.2" } else { "1.3" }) {
        let version = if is_13 { "1.3" } else { "1.2" };
        return Err(reader.wrong(
            &placed,
            format!("this is a suite of DTLS {version}"),
            "change `dtls`, or the suite",
        ));
    }
    Ok(&all[at..=at])
}
