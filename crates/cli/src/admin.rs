//! The way to a broker's administration: its folder on this machine, or coaps from elsewhere.

use std::net::IpAddr;
use std::path::PathBuf;

use sedge_broker::admin::{ADMIN_PATH, AdminReply, AdminRequest, After, LocalAdmin, Page, connect_local};
use sedge_broker::store::DataDir;
use sedge_client::tokio::Address;
use sedge_client::{Code, ContentFormat, Credential, Request, Target};

use crate::connection::{self, CliClient};
use crate::failure::Failure;
use crate::identity::Offer;

/// Which broker.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The folder of a broker on this machine, running or not
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// An administrator's credential file, for a broker anywhere
    #[arg(long = "as", value_name = "FILE")]
    credential: Option<PathBuf>,
}

/// A way to a broker's administration.
pub(crate) struct Admin {
    way: Way,
    /// The broker's URI as its administrator knows it.
    broker: Option<String>,
}

enum Way {
    Local(LocalAdmin),
    Remote(Box<CliClient>),
}

/// Room for a page of any list.
const REPLY_MAX: usize = 1 << 20;

impl Which {
    /// The one in this folder, or the one that this credential is for.
    pub(crate) const fn of(data: Option<PathBuf>, credential: Option<PathBuf>) -> Self {
        Self { data, credential }
    }

    /// The folder, if the broker is on this machine.
    pub(crate) fn folder(&self) -> Option<&std::path::Path> {
        self.data.as_deref()
    }

    pub(crate) async fn connect(&self) -> Result<Admin, Failure> {
        match (&self.data, &self.credential) {
            (Some(dir), _) => {
                let dir = DataDir::new(dir);
                let mut local = connect_local(&dir).await?;
                let known = Credential::read(dir.admin_credential()).ok().map(|admin| admin.broker);
                let broker = match local.is_running() {
                    true => reached(&local.call(AdminRequest::Status).await?, known),
                    false => known,
                };
                Ok(Admin { way: Way::Local(local), broker })
            }
            (None, Some(file)) => {
                let credential = Credential::read(file)?;
                let client = connection::connect(&credential, None, &Offer::default(), false).await?;
                Ok(Admin { way: Way::Remote(Box::new(client)), broker: Some(credential.broker) })
            }
            (None, None) => Err(Failure::usage("which broker? give --data DIR or --as FILE")),
        }
    }
}

impl Admin {
    /// The broker's URI as its administrator knows it.
    pub(crate) fn broker(&self) -> Option<&str> {
        self.broker.as_deref()
    }

    /// A whole list, page by page; `page` takes the page that is wanted out of a reply.
    pub(crate) async fn all<T>(
        &mut self,
        request: fn(After) -> AdminRequest,
        page: fn(AdminReply) -> Option<Page<T>>,
    ) -> Result<Vec<T>, Failure> {
        let mut entries = Vec::new();
        let mut after = After::default();
        loop {
            let page = page(self.call(request(after)).await?).ok_or_else(unexpected)?;
            entries.extend(page.entries);
            match page.next {
                Some(next) => after = next,
                None => return Ok(entries),
            }
        }
    }

    /// Asks, and gives the answer unless it is a refusal.
    pub(crate) async fn call(&mut self, request: AdminRequest) -> Result<AdminReply, Failure> {
        let client = match &mut self.way {
            Way::Local(local) => return Ok(local.call(request).await?),
            Way::Remote(client) => client,
        };
        let path = ADMIN_PATH.join("/");
        let body = zeroize::Zeroizing::new(request.to_cbor());
        let request = Request {
            payload: &body,
            content_format: Some(ContentFormat::CBOR),
            ..Request::new(Code::POST, Target::Path(&path))
        };
        let mut buffer = zeroize::Zeroizing::new(vec![0; REPLY_MAX]);
        let response = match client.request(&request, &mut buffer).await {
            Ok(response) if response.code.is_success() => response,
            other => {
                client.close().await;
                other.map_err(|error| connection::explain(&error))?
            }
        };
        if response.code == Code::FORBIDDEN || response.code == Code::NOT_FOUND {
            return Err(Failure::new("the broker says no: this takes an administrator's credential"));
        }
        if !response.code.is_success() {
            return Err(connection::refused(response.code, response.content_format, response.payload));
        }
        match AdminReply::from_cbor(response.payload)? {
            AdminReply::Refused(refusal) => Err(Failure::new(refusal)),
            reply => Ok(reply),
        }
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        if let Way::Remote(mut client) = self.way {
            client.close().await;
        }
    }
}

/// Where a running broker is reached: where its administrator knows it, unless it serves on other ports now.
fn reached(status: &AdminReply, known: Option<String>) -> Option<String> {
    let AdminReply::Status(status) = status else { return known };
    let serves: Vec<Address> = status.listening.iter().filter_map(|uri| Address::parse(uri).ok()).collect();
    let port = known.as_deref().and_then(|uri| Address::parse(uri).ok()).map(|address| address.port);
    let first = serves.first().filter(|_| serves.iter().all(|address| Some(address.port) != port));
    let Some(first) = first else { return known };
    let is_any = first.host.parse().is_ok_and(|host: IpAddr| host.is_unspecified());
    let host = if is_any { "localhost".to_owned() } else { first.host.clone() };
    Some(Address { host, ..first.clone() }.to_string())
}

/// An answer of a kind that does not belong to the question.
pub(crate) fn unexpected() -> Failure {
    Failure::new(
        "the broker answered something else than was asked: use the same release of sedge on both sides",
    )
}
