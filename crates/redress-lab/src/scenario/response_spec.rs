//! What the server says when it refuses, in the scenario's own words.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{InvalidScenario, duration, invalid};

/// A response that the server gives: status, hint, headers, body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseSpec {
    /// The status; what it is unless told depends on what refuses.
    pub status: Option<u16>,
    /// A `Retry-After` of so many seconds, rounded up.
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
}

impl ResponseSpec {
    /// Makes the response; `status` and `retry_after` stand in for what the scenario leaves out.
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
            return Err(invalid("`status` is a number from 200 to 999"));
        }
        for (name, value) in &self.headers {
            let is_legal = name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok();
            if !is_legal {
                return Err(invalid(&format!("`{name}: {value}` is no header")));
            }
        }
        Ok(())
    }
}

/// Returns the seconds that a server writes, so that whoever waits for them does not come too early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
