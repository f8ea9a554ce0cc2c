//! The JSON object that `explain --json` and `--jsonl` write for a response.
//!
//! The names and the order of the members are an interface that programs rely on: a new member is added at the end, and only
//! where it applies, so that the object of an ordinary response stays the same. `redress explain --help` documents each member.
//!
//! ```text
//! {"id":1,"is_error":true,"class":"rate_limited","recovery":"retry","retry":true,"code":"rate_limited","message":"Slow down",
//!  "request_id":null,"reason":null,"retry_after_ms":30000,"retry_at":null,"fields":[],"dialect":"generic"}
//! ```

use std::borrow::Cow;

use redress_classify::{Class, FieldError, Recovery, RetryHint, SuccessHint, Verdict, When};
use redress_envelope::Dialect;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cooldown::{Cooldown, ScopeSource};
use crate::exchange::{Exchange, Judgement, NoRetry};
use crate::time;

/// The meaning of a response; a part is `None` if the server did not state it.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    /// The `id` of the record, unchanged, or the index of an entry.
    id: Option<&'a RawValue>,
    /// `true` if the response is an error by its dialect, whatever its status.
    is_error: bool,
    /// The kind of the error.
    class: Option<Class>,
    /// The recovery, as an instruction.
    recovery: Option<Recovery>,
    /// `true` if the recovery is to send the same request again.
    retry: bool,
    /// The code of the vendor, verbatim.
    code: Option<&'a str>,
    /// The sentence for people.
    message: Option<&'a str>,
    /// The name of the call, for a support ticket.
    request_id: Option<&'a str>,
    /// A finer word below the code.
    reason: Option<&'a str>,
    /// The wait from the response on, rounded up to milliseconds.
    retry_after_ms: Option<u64>,
    /// The end of the wait, if the server named an instant.
    retry_at: Option<String>,
    /// The fields at fault; empty if the server named none.
    fields: &'a [FieldError<'static>],
    /// The name of the dialect that read the response.
    dialect: &'a str,
    /// Only where a retry could help, and the library would not make it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<NoRetry>,
    /// Only after a success, and where a part of the later calls to the host waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown: Option<&'a Cooldown>,
    /// Only for an event of a stream: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    /// Only where there is something to note.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [Cow<'static, str>],
}

/// The answer to a record that cannot be used.
#[derive(Serialize)]
pub(crate) struct Problem<'a> {
    /// The `id` of the record, if it could be read.
    pub(crate) id: Option<&'a RawValue>,
    /// The line and the problem; no header value, request line or URL is quoted.
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
        let success = judgement.success_hint.as_ref();
        let delay = verdict.and_then(|verdict| verdict.hint_delay(judgement.begun));
        let retry_after_ms = delay.or_else(|| success.map(|hint| hint.delay(judgement.begun))).map(time::millis);
        let hint = verdict.and_then(Verdict::hint).or_else(|| success.map(SuccessHint::hint));
        let retry_at = match hint.map(RetryHint::when) {
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
            stop: judgement.no_retry,
            cooldown: judgement.cooldown.as_ref().filter(|held| held.by != ScopeSource::Host || verdict.is_none()),
            event: exchange.event.as_deref(),
            notes: &exchange.notes,
        }
    }
}
