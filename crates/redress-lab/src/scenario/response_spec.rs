//! Error responses, as the scenario defines them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{InvalidScenario, duration, invalid};

/// An error response of the server: status, hint, headers, body.
///
/// Every field is optional; the status defaults to that of the table around it (503 for a fault, 429
/// for a limit, 402 for a quota, 401 for a token).
///
/// # Examples
///
/// A 429 with a vendor's header, for half of the requests:
///
/// ```
/// use redress_lab::server::{RequestOutcome, Server};
/// use redress_lab::{Scenario, Stream, stream};
/// use std::time::Duration;
///
/// let scenario: Scenario = r#"
///     name = "throttled"
///     length = "60s"
///     clients = { rate = 1.0 }
///     server = { kind = "fifo", rate = 10.0 }
///     [[fault]]
///     kind = "answer"
///     from = "0s"
///     for = "60s"
///     answer = { status = 429, retry_after = "1500ms", headers = { x-ratelimit-remaining = "0" } }
/// "#
/// .parse()?;
/// let mut server = Server::new(&scenario, stream(1, Stream::Server));
/// let departure = server.admit(Duration::ZERO, None);
/// let RequestOutcome::Refused(response) = departure.outcome else { panic!("not refused") };
/// assert_eq!(response.status(), 429);
/// assert_eq!(response.headers()["retry-after"], "2", "rounded up to whole seconds");
/// assert_eq!(response.headers()["x-ratelimit-remaining"], "0");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseSpec {
    /// The status, from 200 to 999.
    pub status: Option<u16>,
    /// The value of `Retry-After`, in whole seconds, rounded up.
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Additional headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
}

impl ResponseSpec {
    /// Builds the response. `status` and `retry_after` are the defaults for values that the scenario
    /// leaves out.
    pub(crate) fn response(&self, status: u16, retry_after: Option<Duration>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::copy_from_slice(self.body.as_bytes()));
        let status = self.status.unwrap_or(status);
        *response.status_mut() = StatusCode::from_u16(status).expect("the status was checked");
        for (name, value) in &self.headers {
            let (name, value) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
            response.headers_mut().insert(name.expect("it was checked"), value.expect("it was checked"));
        }
        if let Some(wait) = self.retry_after.or(retry_after) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }

    pub(crate) fn check(&self) -> Result<(), InvalidScenario> {
        if self.status.is_some_and(|status| !(200..=999).contains(&status)) {
            return Err(invalid("`status` must be from 200 to 999"));
        }
        for (name, value) in &self.headers {
            let is_legal = name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok();
            if !is_legal {
                return Err(invalid(&format!("`{name}: {value}` is not a valid header")));
            }
        }
        Ok(())
    }
}

/// Rounds up to the whole seconds of `Retry-After`, so that a caller that keeps the hint is not early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
