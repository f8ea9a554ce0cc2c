//! A service config: what the owner of a gRPC service publishes for its clients.

use std::sync::Arc;
use std::time::Duration;

use super::policy::RetryPolicy;
use super::throttling::RetryThrottling;
use crate::layer::BackoffLayer;

/// The settings of a gRPC service for its clients: policies and timeouts of its methods, and retry throttling.
///
/// `redress::grpc::service_config` reads it from JSON. [`BackoffLayer::service_config`](crate::BackoffLayer::service_config)
/// takes it. Clones share the tokens of the throttling.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_backoff::{MethodConfig, RetryPolicy, ServiceConfig};
/// use redress_classify::GrpcCode;
///
/// let policy = RetryPolicy::new([Duration::from_millis(100)], [GrpcCode::Unavailable]);
/// let config = ServiceConfig::new()
///     .service("acme.Orders", MethodConfig::new().retry_policy(policy))
///     .method("acme.Orders", "Create", MethodConfig::new().timeout(Duration::from_secs(2)));
/// assert!(config.for_path("/acme.Orders/Get").is_some_and(|method| method.policy().is_some()));
/// assert!(config.for_path("/acme.Orders/Create").is_some_and(|method| method.policy().is_none()));
/// assert!(config.for_path("/acme.Users/Get").is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServiceConfig {
    methods: Vec<(Name, MethodConfig)>,
    throttling: Option<RetryThrottling>,
}

/// The settings of some methods of a gRPC service.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_backoff::MethodConfig;
///
/// let config = MethodConfig::new().timeout(Duration::from_secs(2));
/// assert_eq!((config.deadline(), config.policy()), (Some(Duration::from_secs(2)), None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodConfig {
    policy: Option<RetryPolicy>,
    timeout: Option<Duration>,
}

/// The methods that a config is for. An empty service stands for all of them, an empty method for those of its service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    service: String,
    method: String,
}

impl BackoffLayer {
    /// Takes the settings that a gRPC service publishes for its clients (gRFC A6).
    ///
    /// A method with a retry policy is retried by it: its codes, attempts and waits take the place of the layer's. Hints, the
    /// deadline, the budget and [`retry_if`](Self::retry_if) apply as ever. The other methods are retried by the dialect.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use http::{Request, Response};
    /// use redress_backoff::{BackoffLayer, MethodConfig, RetryPolicy, ServiceConfig};
    /// use redress_classify::{Clock, EndReason, GrpcCode, Verdict, dialects};
    ///
    /// let policy = RetryPolicy::new([Duration::from_millis(100)], [GrpcCode::Unavailable]);
    /// let config = ServiceConfig::new().service("acme.Orders", MethodConfig::new().retry_policy(policy));
    /// let layer = BackoffLayer::new(dialects::grpc()).service_config(config);
    ///
    /// let response = Response::builder().header("grpc-status", "14").body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::grpc(), &Clock::system()).expect("an error");
    /// let (head, ()) = response.into_parts();
    /// let call = |path: &str| Request::post(path).body(());
    /// assert_eq!(layer.would_retry(&call("/acme.Orders/Create")?, &head, &verdict), Ok(()));
    /// let other = layer.would_retry(&call("/acme.Users/Create")?, &head, &verdict);
    /// assert_eq!(other, Err(EndReason::NotIdempotent));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn service_config(mut self, config: ServiceConfig) -> Self {
        self.settings.service_config = Some(Arc::new(config));
        self
    }
}

impl ServiceConfig {
    /// Creates a config without settings.
    #[must_use]
    pub const fn new() -> Self {
        Self { methods: Vec::new(), throttling: None }
    }

    /// Sets the config of a method. `service` is its name with the package, such as `acme.Orders`.
    ///
    /// Of two configs for the same method the later counts.
    #[must_use]
    pub fn method(mut self, service: impl Into<String>, method: impl Into<String>, config: MethodConfig) -> Self {
        self.set(Name { service: service.into(), method: method.into() }, config);
        self
    }

    /// Sets the config of all methods of a service that have none of their own.
    #[must_use]
    pub fn service(self, service: impl Into<String>, config: MethodConfig) -> Self {
        self.method(service, "", config)
    }

    /// Sets the config of all methods of all services that have none.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::{MethodConfig, ServiceConfig};
    ///
    /// let config = ServiceConfig::new().default_method(MethodConfig::new());
    /// assert_eq!(config.for_path("/any.Service/Method"), Some(&MethodConfig::new()));
    /// ```
    #[must_use]
    pub fn default_method(self, config: MethodConfig) -> Self {
        self.method("", "", config)
    }

    /// Sets the retry throttling. gRPC keeps it per server name: use one config for each.
    #[must_use]
    pub fn throttling(mut self, throttling: RetryThrottling) -> Self {
        self.throttling = Some(throttling);
        self
    }

    /// Returns the config of the method with this path, `/package.Service/Method`: that of the method, else of its service,
    /// else of all.
    #[must_use]
    pub fn for_path(&self, path: &str) -> Option<&MethodConfig> {
        let (service, method) = path.strip_prefix('/').unwrap_or(path).split_once('/').unwrap_or_default();
        let find = |service: &str, method: &str| {
            let mut methods = self.methods.iter();
            methods.find(|(name, _)| name.service == service && name.method == method).map(|(_, config)| config)
        };
        find(service, method).or_else(|| find(service, "")).or_else(|| find("", ""))
    }

    /// Returns the retry throttling; `None` without it.
    #[must_use]
    pub const fn retry_throttling(&self) -> Option<&RetryThrottling> {
        self.throttling.as_ref()
    }

    fn set(&mut self, name: Name, config: MethodConfig) {
        self.methods.retain(|(known, _)| *known != name);
        self.methods.push((name, config));
    }
}

impl MethodConfig {
    /// Creates a config without settings: calls are retried by the dialect.
    #[must_use]
    pub const fn new() -> Self {
        Self { policy: None, timeout: None }
    }

    /// Sets the retry policy.
    #[must_use]
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets the longest time of a call with its retries. The earlier of it and the caller's own deadline counts.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Returns the retry policy.
    #[must_use]
    pub const fn policy(&self) -> Option<&RetryPolicy> {
        self.policy.as_ref()
    }

    /// Returns the longest time of a call.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_name_counts() {
        let seconds = |seconds| MethodConfig::new().timeout(Duration::from_secs(seconds));
        let config = ServiceConfig::new()
            .default_method(seconds(1))
            .service("a.B", seconds(2))
            .method("a.B", "C", seconds(9))
            .method("a.B", "C", seconds(3));
        for (path, expected) in [
            ("/a.B/C", 3),
            ("/a.B/D", 2),
            ("/a.b/C", 1),
            ("/x.Y/C", 1),
            ("/", 1),
            ("", 1),
            ("/a.B", 1),
            ("/a.B/C/D", 2),
        ] {
            assert_eq!(config.for_path(path), Some(&seconds(expected)), "{path}");
        }
        assert_eq!(ServiceConfig::new().for_path("/a.B/C"), None);
    }
}
