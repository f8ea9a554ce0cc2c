//! Reads a service config from JSON (grpc/grpc, `doc/service_config.md`; gRFC A6).

use std::fmt;

use serde_json::Value;

use super::{RetryThrottling, ServiceConfig, method};

/// The mistakes of a service config.
///
/// `Display` has one line for each, which names its place, the value that was expected and the one that was found.
///
/// # Examples
/// ```
/// use redress::grpc;
///
/// let error = grpc::service_config(r#"{"retryThrottling": {"maxTokens": 0, "tokenRatio": 0.1}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "retryThrottling.maxTokens: expected a whole number from 1 to 1000, found 0");
/// ```
#[derive(Debug)]
pub struct ServiceConfigError {
    mistakes: Vec<String>,
}

/// The mistakes that were found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<String>);

/// Reads a service config.
///
/// Of a method's config it takes `retryPolicy` and `timeout`, and `retryThrottling` of the whole. Other members, such as
/// `loadBalancingConfig` or `waitForReady`, are for the client below and are left alone. The bounds are those of gRFC A6: at
/// least 2 `maxAttempts`, of which 5 count; backoffs and `backoffMultiplier` above 0; one code or more; `maxTokens` up to
/// 1000, `tokenRatio` in thousandths.
///
/// # Errors
/// Every mistake of the text: JSON that cannot be read, a missing member, a value out of its bounds, two configs of one
/// method, and a `hedgingPolicy`, which is not supported. gRPC clients reject such a config as a whole (gRFC A21).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress::grpc::{self, GrpcCode};
///
/// let config = grpc::service_config(r#"{"methodConfig": [{"name": [{}], "timeout": "1.5s"}]}"#)?;
/// let method = config.for_path("/acme.Orders/Get").expect("an empty name stands for all methods");
/// assert_eq!(method.deadline(), Some(Duration::from_millis(1_500)));
///
/// let error = grpc::service_config(r#"{"methodConfig": [{"name": [{"method": "Get"}], "timeout": "2"}]}"#).unwrap_err();
/// let mistakes: Vec<_> = error.mistakes().collect();
/// assert_eq!(mistakes, [
///     "methodConfig[0].name[0].service: expected a name beside `method`, found none",
///     "methodConfig[0].timeout: expected a duration such as \"1.5s\", found \"2\"",
/// ]);
/// # Ok::<(), redress::grpc::ServiceConfigError>(())
/// ```
pub fn service_config(json: &str) -> Result<ServiceConfig, ServiceConfigError> {
    let mut mistakes = Mistakes::default();
    let root: Value =
        serde_json::from_str(json).map_err(|error| ServiceConfigError { mistakes: vec![error.to_string()] })?;
    let mut config = ServiceConfig::new();
    match root.get("methodConfig") {
        None | Some(Value::Null) => {}
        Some(Value::Array(methods)) => config = method::read(config, methods, &mut mistakes),
        Some(other) => mistakes.expected("methodConfig", "an array", other),
    }
    if let Some(throttling) = root.get("retryThrottling").filter(|throttling| !throttling.is_null()) {
        config = match throttled(throttling, &mut mistakes) {
            Some(throttling) => config.throttling(throttling),
            None => config,
        };
    }
    if !root.is_object() {
        mistakes.expected("service config", "an object", &root);
    }
    if mistakes.0.is_empty() { Ok(config) } else { Err(ServiceConfigError { mistakes: mistakes.0 }) }
}

fn throttled(value: &Value, mistakes: &mut Mistakes) -> Option<RetryThrottling> {
    let Some(members) = value.as_object() else {
        mistakes.expected("retryThrottling", "an object", value);
        return None;
    };
    let absent = Value::Null;
    let [max, ratio] = ["maxTokens", "tokenRatio"].map(|name| members.get(name).unwrap_or(&absent));
    let tokens = max.as_u64().and_then(|max| u32::try_from(max).ok());
    let tokens = tokens.filter(|max| (1..=RetryThrottling::MAX_TOKENS).contains(max));
    if tokens.is_none() {
        mistakes.expected("retryThrottling.maxTokens", "a whole number from 1 to 1000", max);
    }
    // Three decimal places count (gRFC A6, "Validation of retryThrottling"); more tokens than fit in the bucket are as good
    // as all of them.
    let most = f64::from(RetryThrottling::MAX_TOKENS);
    let thousandths =
        ratio.as_f64().filter(|ratio| *ratio >= 0.001).map(|ratio| (ratio.min(most) * 1_000.0 + 1e-6) as u32);
    if thousandths.is_none() {
        mistakes.expected("retryThrottling.tokenRatio", "a number of at least 0.001", ratio);
    }
    Some(RetryThrottling::new(tokens?, thousandths?))
}

impl ServiceConfigError {
    /// Returns each mistake, in the order of the text.
    pub fn mistakes(&self) -> impl Iterator<Item = &str> {
        self.mistakes.iter().map(String::as_str)
    }
}

impl fmt::Display for ServiceConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistakes.join("\n"))
    }
}

impl std::error::Error for ServiceConfigError {}

impl Mistakes {
    /// Adds a mistake. `null` stands for a member that is absent.
    pub(super) fn expected(&mut self, place: &str, expected: &str, found: &Value) {
        let found = if found.is_null() { "none".to_owned() } else { found.to_string() };
        self.0.push(format!("{place}: expected {expected}, found {found}"));
    }

    pub(super) fn add(&mut self, place: &str, problem: &str) {
        self.0.push(format!("{place}: {problem}"));
    }
}
