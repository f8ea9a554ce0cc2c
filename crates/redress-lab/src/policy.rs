//! What is compared: how a client deals with failures.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use redress::ClassifyLayer;
use redress::{BoxError, Dialect, RefreshLayer};
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _};

use crate::transport::{LabBody, ORIGIN, Transport};

/// A policy over a transport: what callers call.
pub type BoxClient = BoxCloneSyncService<Request<Full<Bytes>>, Response<LabBody>, BoxError>;

/// A way to deal with failures.
///
/// # Examples
/// ```
/// use redress_lab::{BoxClient, Policy, PolicyContext};
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
///     fn client(&self, context: &PolicyContext) -> BoxClient {
///         context.transport()
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
    fn client(&self, context: &PolicyContext) -> BoxClient;
}

/// Where a policy is used: what is below it, and what it is told.
#[derive(Clone)]
pub struct PolicyContext {
    pub(crate) below: Inner,
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
pub(crate) enum Inner {
    /// The network.
    Network(Transport),
    /// Another service, which retries as well.
    Service(BoxClient),
}

impl PolicyContext {
    /// Returns what is below without anything around it; a policy that has its own attempt timeout and credentials
    /// begins here.
    #[must_use]
    pub fn raw_transport(&self) -> BoxClient {
        match &self.below {
            Inner::Network(transport) => BoxClient::new(transport.clone()),
            Inner::Service(client) => client.clone(),
        }
    }

    /// Returns the network, if that is what is below: its tokens, to put them on requests.
    #[must_use]
    pub const fn network(&self) -> Option<&Transport> {
        match &self.below {
            Inner::Network(transport) => Some(transport),
            Inner::Service(_) => None,
        }
    }

    /// Returns what is below with the scenario's attempt timeout around it, and with redress's Refresh layer where the
    /// server asks for tokens: what a policy that only retries is put over.
    #[must_use]
    pub fn transport(&self) -> BoxClient {
        match &self.below {
            Inner::Network(transport) => self.with_timeout_and_credentials(transport),
            Inner::Service(client) => client.clone(),
        }
    }
}

impl PolicyContext {
    fn with_timeout_and_credentials(&self, transport: &Transport) -> BoxClient {
        let timed = match self.attempt_timeout {
            None => BoxClient::new(transport.clone()),
            Some(timeout) => BoxClient::new(Timeout::new(transport.clone(), timeout)),
        };
        let Some(credentials) = transport.credentials() else { return timed };
        let origin = ORIGIN.parse().expect("a legal origin");
        let refresh = RefreshLayer::new(credentials, origin);
        let service = refresh.layer(ClassifyLayer::new(self.dialect.clone()).layer(timed));
        let boxed = service.map_response(|response| response.map(|body| body.map_err(BoxError::from).boxed_unsync()));
        BoxClient::new(boxed.map_err(BoxError::from))
    }
}

impl fmt::Debug for PolicyContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyContext")
            .field("deadline", &self.deadline)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
