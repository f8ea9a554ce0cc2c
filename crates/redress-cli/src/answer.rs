//! What a program is told about a response.

use std::borrow::Cow;

use redress_classify::{Class, EndReason, FieldError, Recovery, Verdict, When};
use redress_envelope::Dialect;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::exchange::{Exchange, Judgement};
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
    /// Only where a retry could help, and the library would not make it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<&'static str>,
    /// Only where there is something to note.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [Cow<'static, str>],
}

/// What a line gets that is no usable record.
#[derive(Serialize)]
pub(crate) struct Problem<'a> {
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) error: String,
}

impl<'a> Answer<'a> {
    /// States what a response means.
    pub(crate) fn new(
        id: Option<&'a RawValue>,
        dialect: &'a Dialect,
        exchange: &'a Exchange<'_>,
        judgement: &'a Judgement,
    ) -> Self {
        let verdict = judgement.verdict.as_ref();
        let error = verdict.and_then(Verdict::api_error);
        let retry_after_ms = verdict.and_then(|verdict| verdict.hint_delay(judgement.begun)).map(time::millis);
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
            stop: judgement.stop.map(word_of),
            notes: &exchange.notes,
        }
    }
}

/// Names why the library would not retry; no other reason is known without sending anything.
const fn word_of(stop: EndReason) -> &'static str {
    match stop {
        EndReason::HintTooLong => "hint_too_long",
        _ => "not_idempotent",
    }
}
