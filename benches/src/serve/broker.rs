//! The broker itself, on one core, with one device enrolled.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_broker::{Broker, Key};

use crate::fleet::KEY;

/// The identity of the one device, as which every client connects.
pub(crate) const IDENTITY: &str = "bench";

pub(super) fn serve(dir: &Path, confirmable: bool) -> io::Result<()> {
    let mut config = Config { shards: 1, ..Config::default() };
    config.listen.coaps = vec![(Ipv4Addr::LOCALHOST, 0).into()];
    // Everything is as it comes, but for the rate at which one topic may be published to, and for notifications
    // where the kernel's own sending is the measure: nobody acknowledges that either.
    if !confirmable {
        config.topics.unconfirmed = u8::MAX;
    }
    config.topics.publishes_per_second = 0;
    let broker = Broker::start(&DataDir::new(dir), config).map_err(io::Error::other)?;

    let everything = TopicPattern::new("#").map_err(|error| io::Error::other(error.to_string()))?;
    let device = NewDevice {
        name: IDENTITY.into(),
        key: Key::from_bytes(&KEY).ok(),
        grants: Grants::none().with(everything, Permissions::PUBLISH | Permissions::READ),
        ..NewDevice::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    match runtime.block_on(broker.administer(AdminRequest::DeviceAdd(device))) {
        AdminReply::Enrolled(..) => {}
        reply => return Err(io::Error::other(format!("enrolling: {reply:?}"))),
    }
    match broker.addresses() {
        &[SocketAddr::V4(address)] => super::announce_address(address),
        other => return Err(io::Error::other(format!("listening on {other:?}"))),
    }
    loop {
        std::thread::park();
    }
}
