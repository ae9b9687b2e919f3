//! The broker of the demo and the folder it lives in, both gone at the end however it comes.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::Broker;
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice, Status};
use sedge_broker::config::{Config, ReturnRoutability};
use sedge_broker::store::DataDir;
use sedge_client::Credential;

use crate::admin::unexpected;
use crate::failure::Failure;

/// The name of the one who reads.
pub(super) const DISPLAY: &str = "display";

/// The topic of a device.
pub(super) fn topic(device: &str) -> String {
    format!("demo/{device}/climate")
}

pub(super) struct Stage {
    // In this order: the broker ends before its folder goes.
    broker: Broker,
    address: SocketAddr,
    credentials: Vec<Credential>,
    folder: TemporaryFolder,
}

impl Stage {
    /// Starts the broker and enrols everybody.
    pub(super) async fn set(devices: &[&str]) -> Result<Self, Failure> {
        let folder = TemporaryFolder::create()?;
        let broker = start(&folder.path)?;
        let address =
            *broker.addresses().first().ok_or_else(|| Failure::new("the broker listens nowhere"))?;
        let mut stage = Self { broker, address, credentials: Vec::new(), folder };
        for device in devices {
            stage.enrol(device, &topic(device), Permissions::PUBLISH).await?;
        }
        stage.enrol(DISPLAY, "demo/#", Permissions::READ).await?;
        Ok(stage)
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder.path
    }

    pub(super) fn credential(&self, name: &str) -> Result<&Credential, Failure> {
        let mut all = self.credentials.iter();
        all.find(|credential| credential.name == name)
            .ok_or_else(|| Failure::new(format!("{name} is not enrolled")))
    }

    /// How the broker sees it.
    pub(super) async fn status(&self) -> Result<Status, Failure> {
        match self.broker.administer(AdminRequest::Status).await {
            AdminReply::Status(status) => Ok(*status),
            AdminReply::Refused(refusal) => Err(Failure::new(refusal)),
            _ => Err(unexpected()),
        }
    }

    /// Ends the broker and removes its folder.
    pub(super) fn strike(self) -> Result<(), Failure> {
        self.broker.stop()?;
        self.folder.remove()
    }

    async fn enrol(&mut self, name: &str, pattern: &str, permissions: Permissions) -> Result<(), Failure> {
        let grants = Grants::none().with(TopicPattern::new(pattern)?, permissions);
        let device = NewDevice { name: name.into(), grants, ..NewDevice::default() };
        match self.broker.administer(AdminRequest::DeviceAdd(device)).await {
            AdminReply::Enrolled(device, Some(key)) => {
                let (broker, key) = (format!("coaps://{}", self.address), key.expose().to_vec());
                self.credentials.push(Credential::psk(broker, device.name, name, key));
                Ok(())
            }
            AdminReply::Refused(refusal) => Err(Failure::new(refusal)),
            _ => Err(unexpected()),
        }
    }
}

/// On a free port of the loopback interface, IPv6 if the machine has it.
fn start(folder: &Path) -> Result<Broker, Failure> {
    let dir = DataDir::new(folder.join("broker"));
    let config = |address: SocketAddr| {
        let mut config = Config { shards: 1, ..Config::default() };
        // No NAT forgets a device that has spoken a second ago, so by default its old address would be asked first.
        config.dtls.return_routability = ReturnRoutability::Basic;
        config.listen.coaps = vec![address];
        config
    };
    Broker::start(&dir, config((Ipv6Addr::LOCALHOST, 0).into()))
        .or_else(|_| Broker::start(&dir, config((Ipv4Addr::LOCALHOST, 0).into())))
        .map_err(Failure::new)
}

/// Removed when dropped.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn create() -> Result<Self, Failure> {
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(Failure::new)?;
        let path = std::env::temp_dir().join(format!("sedge-demo-{}", crate::codec::hex::encode(&random)));
        // The broker makes its own folder inside, which nobody else can look into.
        std::fs::create_dir(&path)
            .map_err(|error| Failure::new(format!("cannot create {}: {error}", path.display())))?;
        Ok(Self { path })
    }

    fn remove(mut self) -> Result<(), Failure> {
        let path = std::mem::take(&mut self.path);
        std::fs::remove_dir_all(&path)
            .map_err(|error| Failure::new(format!("cannot remove {}: {error}", path.display())))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Nobody is left who could be told.
            let _removed = std::fs::remove_dir_all(&self.path);
        }
    }
}
