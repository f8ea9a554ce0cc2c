//! What is compared: how a client deals with failures.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use redress::{BoxError, Dialect};
use tower::util::BoxCloneSyncService;

use crate::transport::{Transport, credentialed};

/// The body of a response in the lab.
pub type LabBody = UnsyncBoxBody<Bytes, BoxError>;

/// A policy over a transport: what callers call.
pub type Client = BoxCloneSyncService<Request<Full<Bytes>>, Response<LabBody>, BoxError>;

/// A way to deal with failures.
///
/// # Examples
/// ```
/// use redress_lab::{Client, Policy, Site};
/// use tower::ServiceExt;
///
/// struct Never;
///
/// impl Policy for Never {
///     fn name(&self) -> &str {
///         "never"
///     }
///
///     fn about(&self) -> String {
///         "no retries".to_owned()
///     }
///
///     fn retries(&self) -> bool {
///         false
///     }
///
///     fn client(&self, site: &Site) -> Client {
///         site.plain()
///     }
/// }
/// ```
pub trait Policy: Send + Sync {
    /// Returns its name in tables and charts.
    fn name(&self) -> &str;

    /// Returns its settings in one line, with the crate and version whose code it is.
    fn about(&self) -> String;

    /// Whether it retries at all. One that says so and does not fails the run.
    fn retries(&self) -> bool {
        true
    }

    /// Puts itself over what is below. It is called within the runtime of the run.
    fn client(&self, site: &Site) -> Client;
}

/// Where a policy is used: what is below it, and what it is told.
#[derive(Clone)]
pub struct Site {
    pub(crate) below: Below,
    /// The dialect of the server.
    pub dialect: Dialect,
    /// How long a caller waits in all.
    pub deadline: Duration,
    /// How long an attempt may take.
    pub attempt_timeout: Option<Duration>,
    /// The seed of the policy's random numbers.
    pub seed: u64,
}

#[derive(Clone)]
pub(crate) enum Below {
    /// The network.
    Network(Transport),
    /// Another service, which retries as well.
    Service(Client),
}

impl Site {
    /// Returns what is below without anything around it; a policy that has its own attempt timeout and credentials
    /// begins here.
    #[must_use]
    pub fn bare(&self) -> Client {
        match &self.below {
            Below::Network(transport) => Client::new(transport.clone()),
            Below::Service(client) => client.clone(),
        }
    }

    /// Returns the network, if that is what is below: its tokens, to put them on requests.
    #[must_use]
    pub const fn network(&self) -> Option<&Transport> {
        match &self.below {
            Below::Network(transport) => Some(transport),
            Below::Service(_) => None,
        }
    }

    /// Returns what is below with the scenario's attempt timeout around it, and with redress's Refresh layer where the
    /// server asks for tokens: what a policy that only retries is put over.
    #[must_use]
    pub fn plain(&self) -> Client {
        match &self.below {
            Below::Network(transport) => credentialed(transport, self),
            Below::Service(client) => client.clone(),
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("deadline", &self.deadline)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
