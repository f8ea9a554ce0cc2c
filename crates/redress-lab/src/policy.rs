//! The interface of a retry policy, and the services that it wraps.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use redress::ClassifyLayer;
use redress::{BoxError, Dialect, RefreshLayer};
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::store::LabStore;
use crate::transport::{LabBody, ORIGIN, OwnTimeout, Transport};

/// A cloneable boxed service: a policy together with everything below it.
pub type BoxClient = BoxCloneSyncService<Request<Full<Bytes>>, Response<LabBody>, BoxError>;

/// A retry policy: a factory of clients that deal with failures in one particular way.
///
/// A policy is built once per run, per process and per layer of services. [`client`](Self::client) wraps the service
/// below in its own retry code, as an application would, so that the lab runs the code that is
/// published and not a model of it.
///
/// # Examples
///
/// A policy that sends a failed request once more:
///
/// ```
/// use redress_lab::{BoxClient, Policy, PolicyContext, Run, Scenario, run};
/// use tower::{ServiceExt, service_fn};
///
/// struct Twice;
///
/// impl Policy for Twice {
///     fn name(&self) -> &str {
///         "twice"
///     }
///
///     fn about(&self) -> String {
///         "example 1.0: one immediate retry of a 503".to_owned()
///     }
///
///     fn client(&self, context: &PolicyContext) -> BoxClient {
///         let transport = context.transport();
///         BoxClient::new(service_fn(move |request: http::Request<_>| {
///             let transport = transport.clone();
///             async move {
///                 let response = transport.clone().oneshot(request.clone()).await?;
///                 if response.status() != 503 { Ok(response) } else { transport.oneshot(request).await }
///             }
///         }))
///     }
/// }
///
/// let scenario: Scenario = r#"
///     name = "errors"
///     length = "20s"
///     clients = { rate = 10.0, deadline = "5s" }
///     server = { kind = "fifo", rate = 100.0 }
///     fault = [{ kind = "answer", from = "0s", for = "20s" }]
/// "#
/// .parse()?;
/// let outcome = run(Run { scenario: &scenario, policy: &Twice, seed: 1 }, |_share| {});
/// assert_eq!(outcome.attempts, 2 * outcome.calls);
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a policy of the lab",
    label = "`Policy` is not implemented for this type",
    note = "use one of `redress_lab::policies`, or implement `name`, `about` and `client`"
)]
pub trait Policy: Send + Sync {
    /// Returns the name of the policy in tables and charts. Names are unique within a comparison.
    fn name(&self) -> &str;

    /// Returns the settings in one line. The line begins with the crate and the version of the code.
    fn about(&self) -> String;

    /// Returns `true` if the policy retries at all.
    ///
    /// `redress lab run` fails if a policy that claims to retry never did while others did: such a run
    /// compares nothing.
    fn retries(&self) -> bool {
        true
    }

    /// Builds the client: the policy's code around a service of the context.
    ///
    /// The lab calls this inside the runtime of the run, so timers and `tokio::spawn` work. Random
    /// numbers must come from [`PolicyContext::seed`]; otherwise two runs with the same seed differ.
    fn client(&self, context: &PolicyContext) -> BoxClient;
}

impl<P: Policy + ?Sized> Policy for &P {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn about(&self) -> String {
        (**self).about()
    }

    fn retries(&self) -> bool {
        (**self).retries()
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        (**self).client(context)
    }
}

/// The environment of a policy in one run: the service to wrap, and the settings of the caller.
#[derive(Clone)]
pub struct PolicyContext {
    pub(crate) inner: Inner,
    /// The dialect of the server's errors.
    pub dialect: Dialect,
    /// The time that a caller waits for a call in total, all attempts and waits included. If the deadlines of calls
    /// differ, it is the longest, and each request has its own [`redress::Deadline`] among its extensions.
    pub deadline: Duration,
    pub(crate) some_without_deadline: bool,
    /// The time limit of one attempt; `None` for no limit.
    pub attempt_timeout: Option<Duration>,
    /// The seed of the policy's random numbers. Each process and each layer of services has its own.
    pub seed: u64,
    /// The store of the processes of one layer of services, which only a policy that shares uses.
    pub(crate) store: LabStore,
}

#[derive(Clone)]
pub(crate) enum Inner {
    /// The modelled network.
    Network(Transport),
    /// Another service that retries as well; the scenario has several layers.
    Service(BoxClient),
}

impl PolicyContext {
    /// Returns `true` if some calls have no deadline, so that a policy must not give them one:
    /// [`deadline`](Self::deadline) is the length of the run then.
    #[must_use]
    pub const fn has_calls_without_deadline(&self) -> bool {
        self.some_without_deadline
    }

    /// Returns the service below, with nothing around it.
    ///
    /// For policies that bring their own attempt timeout and their own credentials, as the full redress
    /// stack does. All others use [`transport`](Self::transport).
    ///
    /// # Examples
    ///
    /// A policy that configures its own attempt timeout around everything:
    ///
    /// ```
    /// use redress_lab::{BoxClient, Policy, PolicyContext};
    /// use tower::timeout::Timeout;
    ///
    /// struct Impatient;
    ///
    /// impl Policy for Impatient {
    ///     fn name(&self) -> &str {
    ///         "impatient"
    ///     }
    ///
    ///     fn about(&self) -> String {
    ///         "no retries, a tenth of the attempt timeout".to_owned()
    ///     }
    ///
    ///     fn retries(&self) -> bool {
    ///         false
    ///     }
    ///
    ///     fn client(&self, context: &PolicyContext) -> BoxClient {
    ///         match context.attempt_timeout {
    ///             Some(timeout) => BoxClient::new(Timeout::new(context.raw_transport(), timeout / 10)),
    ///             None => context.raw_transport(),
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn raw_transport(&self) -> BoxClient {
        match &self.inner {
            Inner::Network(transport) => BoxClient::new(transport.clone()),
            Inner::Service(client) => client.clone(),
        }
    }

    /// Returns the modelled network if it is directly below, which hands out its tokens
    /// ([`Transport::credentials`]). Returns `None` if another layer of services is below.
    #[must_use]
    pub const fn network(&self) -> Option<&Transport> {
        match &self.inner {
            Inner::Network(transport) => Some(transport),
            Inner::Service(_) => None,
        }
    }

    /// Returns the service below with the scenario's attempt timeout, and with redress's Refresh layer
    /// if the server requires tokens.
    ///
    /// For policies that only retry. All of them get the same timeout and the same credentials, so that
    /// the comparison is about retries and nothing else.
    #[must_use]
    pub fn transport(&self) -> BoxClient {
        match &self.inner {
            Inner::Network(transport) => self.with_timeout_and_credentials(transport),
            Inner::Service(client) => client.clone(),
        }
    }
}

impl PolicyContext {
    fn with_timeout_and_credentials(&self, transport: &Transport) -> BoxClient {
        let timed = match self.attempt_timeout {
            usual if transport.has_own_timeouts() => own_timeouts(transport.clone(), usual),
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

/// Cuts each attempt after the timeout of its request, or after the usual one.
fn own_timeouts(transport: Transport, usual: Option<Duration>) -> BoxClient {
    BoxClient::new(service_fn(move |request: Request<Full<Bytes>>| {
        let timeout = request.extensions().get().map(|OwnTimeout(own)| *own).or(usual);
        let transport = transport.clone();
        async move {
            match timeout {
                None => transport.oneshot(request).await,
                Some(timeout) => Timeout::new(transport, timeout).oneshot(request).await,
            }
        }
    }))
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
