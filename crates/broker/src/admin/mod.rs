//! Administration: one set of requests, one place that executes them, three ways to reach it.
//!
//! - While no broker runs on a folder, the store is opened directly ([`connect_local`]).
//! - While one runs, through its Unix socket `DIR/admin.sock` (again [`connect_local`], which finds out by itself).
//! - From elsewhere, as `POST /sedge/admin` over coaps with an administrator's credential: the body is
//!   [`AdminRequest::to_cbor`], the answer's payload is read with [`AdminReply::from_cbor`].

mod access;
mod audit;
mod local;
mod message;
mod reply;
mod request;
mod service;
mod socket;
mod tokens;
mod topics;

#[cfg(test)]
mod tests;

pub use audit::AuditPlace;
pub use local::{AdminError, LocalAdmin, connect_local};
pub use message::{ADMIN_PATH, VERSION};
pub use reply::{
    AccessAnswer, AccessRule, AdminReply, Counter, DeviceInfo, Page, Reason, Refusal, SessionInfo, Status,
    TopicInfo, ValueInfo,
};
pub use request::{AccessQuestion, AdminRequest, After, DeviceRights, NewDevice, Protection, TopicSettings};
pub use service::check_device_name;
pub(crate) use service::{Live, PageBuilder, Service, unix_seconds};
pub(crate) use socket::{listen, serve};
pub use tokens::{NewToken, TokenChoice, TokenInfo, TokenIssued, TokenOpened};
