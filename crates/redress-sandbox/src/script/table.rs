//! The TOML form of a fault.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;

use crate::code::Code;
use crate::fault::{Fault, Kind, status_code};
use crate::retry_after::RetryAfter;
use crate::route::Route;

/// One `[[fault]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    route: Route,
    #[serde(default = "once")]
    times: NonZeroU32,
    #[serde(default)]
    kind: Kind,
    status: Option<Status>,
    code: Option<Code>,
    message: Option<String>,
    body: Option<String>,
    content_type: Option<ContentType>,
    retry_after: Option<RetryAfter>,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    delay_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "u16")]
struct Status(StatusCode);

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct ContentType(HeaderValue);

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
struct Headers(HeaderMap);

impl Table {
    pub(super) fn into_fault(self) -> Result<(Route, Fault), &'static str> {
        self.check()?;
        let fault = Fault {
            kind: self.kind,
            times: self.times,
            status: self.status.map(|Status(status)| status),
            code: self.code,
            message: self.message,
            body: self.body.map(Into::into),
            content_type: self.content_type.map(|ContentType(value)| value),
            retry_after: self.retry_after,
            headers: self.headers.0,
            delay: Duration::from_millis(self.delay_ms),
        };
        Ok((self.route, fault))
    }

    /// Rejects combinations of keys that have no effect.
    fn check(&self) -> Result<(), &'static str> {
        let worded = self.code.is_some() || self.message.is_some();
        let head = self.status.is_some() || self.content_type.is_some() || self.retry_after.is_some();
        let answer = worded || head || self.body.is_some() || !self.headers.0.is_empty();
        match self.kind {
            Kind::Drop | Kind::DropBefore if answer => {
                Err("a dropped connection has no answer, expected only `route`, `times`, `kind` and `delay_ms`")
            }
            Kind::ProxyHtml if worded => Err("a gateway's page has no envelope, expected neither `code` nor `message`"),
            Kind::SlowBody if self.delay_ms == 0 => {
                Err("a slow body needs the time per byte, expected `delay_ms` of at least 1")
            }
            _ if worded && self.body.is_some() => {
                Err("a raw body has no envelope, expected either `body`, or `code` and `message`")
            }
            _ => Ok(()),
        }
    }
}

impl TryFrom<u16> for Status {
    type Error = String;

    fn try_from(status: u16) -> Result<Self, String> {
        status_code(status)
            .map(Self)
            .ok_or_else(|| format!("invalid status {status}, expected a number from 200 to 599"))
    }
}

impl TryFrom<String> for ContentType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        HeaderValue::from_str(&text)
            .map(Self)
            .map_err(|_| format!("invalid content type `{}`, expected the text of a header", text.escape_debug()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Headers {
    type Error = String;

    fn try_from(table: BTreeMap<String, String>) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in table {
            let parsed = (name.parse::<HeaderName>(), HeaderValue::from_str(&value));
            let (Ok(parsed_name), Ok(parsed_value)) = parsed else {
                return Err(format!("invalid header `{}`, expected a header name and its text", name.escape_debug()));
            };
            headers.append(parsed_name, parsed_value);
        }
        Ok(Self(headers))
    }
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}
