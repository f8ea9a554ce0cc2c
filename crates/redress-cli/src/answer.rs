//! What a program is told about a response.

use redress_classify::{Class, FieldError, Recovery, Verdict, When};
use redress_envelope::Dialect;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::time;

/// What a response means; `None` where nothing was said.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    id: Option<&'a RawValue>,
    is_error: bool,
    class: Option<Class>,
    recovery: Option<Recovery>,
    retry: bool,
    code: Option<&'a str>,
    message: Option<&'a str>,
    request_id: Option<&'a str>,
    reason: Option<&'a str>,
    retry_after_ms: Option<u64>,
    retry_at: Option<String>,
    fields: &'a [FieldError<'static>],
    dialect: &'a str,
}

/// What a line gets that is no usable record.
#[derive(Serialize)]
pub(crate) struct Problem<'a> {
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) error: String,
}

impl<'a> Answer<'a> {
    /// States what a verdict says; `None` is a success. `begun` is an instant before it was reached.
    pub(crate) fn new(
        id: Option<&'a RawValue>,
        dialect: &'a Dialect,
        verdict: Option<&'a Verdict>,
        begun: Instant,
    ) -> Self {
        let error = verdict.and_then(Verdict::api_error);
        let retry_after_ms = verdict.and_then(|verdict| verdict.hint_delay(begun)).map(time::millis);
        let retry_at = match verdict.and_then(Verdict::hint).map(|hint| hint.when()) {
            Some(When::At(instant)) => Some(time::rfc3339(instant)),
            _ => None,
        };
        Self {
            id,
            is_error: verdict.is_some(),
            class: verdict.map(Verdict::class),
            recovery: verdict.map(Verdict::recovery),
            retry: verdict.is_some_and(|verdict| verdict.recovery() == Recovery::Retry),
            code: error.and_then(|error| error.code()),
            message: error.and_then(|error| error.message()),
            request_id: error.and_then(|error| error.request_id()),
            reason: error.and_then(|error| error.reason()),
            retry_after_ms,
            retry_at,
            fields: error.map(|error| error.fields()).unwrap_or_default(),
            dialect: dialect.name(),
        }
    }
}
