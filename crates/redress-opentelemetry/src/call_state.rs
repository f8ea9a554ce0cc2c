//! The state of one call, which the layer above the stack shares with the layer below it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use http::{Method, StatusCode, Uri};
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use redress_classify::{Attempt, Clock, Record};
use tokio::time::Instant;

use crate::conventions::{self, ATTEMPTS, CALL, END_REASON, ERROR_TYPE, METHOD, RETRY_WAIT, STATUS_CODE};
use crate::error_type::{self, CANCELLED};
use crate::resends::Resends;
use crate::telemetry::Telemetry;

/// The state of a call, among the extensions of its requests: Backoff copies it to each attempt.
#[derive(Clone)]
pub(crate) struct CallHandle(pub(crate) Arc<CallState>);

pub(crate) struct CallState {
    telemetry: Arc<Telemetry>,
    /// The context of the caller.
    parent: Context,
    started: SystemTime,
    method: Method,
    uri: Uri,
    /// The number of attempts that were begun.
    sent: AtomicU32,
    /// Whether the last attempt has failed, and no other one was begun since.
    is_between: AtomicBool,
    is_dropped: AtomicBool,
    /// The resends, if they are recorded.
    resends: Option<Mutex<Resends>>,
    /// The first attempt, unless it is a child of the span.
    first: OnceLock<SpanContext>,
    /// The context of the INTERNAL span, once there is one.
    span: OnceLock<Context>,
}

/// The end of a call.
pub(crate) struct CallEnd<'r> {
    pub(crate) status: Option<StatusCode>,
    pub(crate) error_type: Option<Cow<'static, str>>,
    pub(crate) record: Option<&'r Record>,
}

impl CallState {
    pub(crate) fn new(telemetry: Arc<Telemetry>, parent: Context, method: Method, uri: Uri) -> Self {
        Self {
            resends: telemetry.count_resends(),
            telemetry,
            parent,
            // The clock of the SDK, by which spans end.
            started: Clock::system().now(),
            method,
            uri,
            sent: AtomicU32::new(0),
            is_between: AtomicBool::new(false),
            is_dropped: AtomicBool::new(false),
            first: OnceLock::new(),
            span: OnceLock::new(),
        }
    }

    /// Returns the context in which the call goes on: that of its span, or else the caller's.
    pub(crate) fn context(&self) -> Context {
        self.span.get().unwrap_or(&self.parent).clone()
    }

    /// Returns `true` until the first attempt is begun.
    pub(crate) fn is_unsent(&self) -> bool {
        self.sent.load(Ordering::Relaxed) == 0
    }

    /// Returns `true` if the future of the call was dropped before its end.
    pub(crate) fn is_dropped(&self) -> bool {
        self.is_dropped.load(Ordering::Relaxed)
    }

    /// Counts an attempt, and returns the context that is the parent of its span.
    pub(crate) fn begin_attempt(&self, is_hedge: bool) -> Context {
        self.with_resends(|resends, now| resends.begin(now, is_hedge));
        self.is_between.store(false, Ordering::Relaxed);
        if self.sent.fetch_add(1, Ordering::Relaxed) > 0 {
            self.open();
        }
        self.context()
    }

    /// Notes the span of an attempt that was begun. Only the first is kept.
    pub(crate) fn attempt_begun(&self, span: &SpanContext) {
        if self.span.get().is_none() {
            let _ = self.first.set(span.clone());
        }
    }

    /// Notes that an attempt has ended. After one that failed a wait may follow, unless the call is being dropped.
    pub(crate) fn attempt_ended(&self, error_type: Option<&str>) {
        self.with_resends(|resends, now| resends.end(now, error_type.is_some_and(error_type::is_unprocessed)));
        if error_type.is_some() {
            self.is_between.store(!self.is_dropped(), Ordering::Relaxed);
        }
    }

    fn with_resends(&self, change: impl FnOnce(&mut Resends, Instant)) {
        if let Some(resends) = &self.resends {
            change(&mut resends.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        }
    }

    /// Starts the INTERNAL span with the start time of the call, unless it is started. The call waits, or is sent again.
    pub(crate) fn open(&self) {
        self.span.get_or_init(|| {
            let method = conventions::method(&self.method, &self.telemetry.known_methods);
            let attributes = std::iter::once(KeyValue::new(METHOD, method)).chain(conventions::server(&self.uri));
            let first = self.first.get().map(|first| Link::new(first.clone(), Vec::new(), 0));
            let builder = SpanBuilder::from_name(CALL)
                .with_kind(SpanKind::Internal)
                .with_start_time(self.started)
                .with_attributes(attributes)
                .with_links(first.into_iter().collect());
            let span = self.telemetry.tracer().build_with_context(builder, &self.parent);
            self.parent.with_span(span)
        });
    }

    /// Ends the span, if the call had a wait or more than one attempt.
    pub(crate) fn finish(&self, end: &CallEnd<'_>) {
        self.with_resends(|resends, now| {
            resends.stop_waiting(now);
            self.telemetry.record_resends(resends, self.uri.path());
        });
        let attempts = end.record.map(Record::attempts).unwrap_or_default();
        if attempts.len() > 1 || attempts.iter().any(|attempt| attempt.wait.is_some()) {
            self.open();
        }
        let Some(context) = self.span.get() else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new(ATTEMPTS, i64::from(self.sent.load(Ordering::Relaxed))));
        if let Some(record) = end.record {
            span.set_attribute(KeyValue::new(END_REASON, record.end_reason().as_str()));
            span.set_attribute(KeyValue::new(RETRY_WAIT, planned_wait(attempts)));
        }
        if let Some(status) = end.status {
            span.set_attribute(KeyValue::new(STATUS_CODE, i64::from(status.as_u16())));
        }
        if let Some(error_type) = &end.error_type {
            span.set_attribute(KeyValue::new(ERROR_TYPE, error_type.clone()));
            span.set_status(Status::error(""));
        }
        span.end();
    }

    /// Notes that the future of the call is being dropped, before the attempt in flight is.
    pub(crate) fn mark_dropped(&self) {
        self.is_dropped.store(true, Ordering::Relaxed);
    }

    /// Ends the span of a call that was dropped. One that was dropped between two attempts has had a wait.
    pub(crate) fn finish_dropped(&self) {
        if self.is_between.load(Ordering::Relaxed) {
            self.open();
        }
        self.finish(&CallEnd { status: None, error_type: Some(CANCELLED.into()), record: None });
    }
}

/// Returns the planned waits between the attempts of a call, in seconds.
fn planned_wait(attempts: &[Attempt]) -> f64 {
    attempts.iter().filter_map(|attempt| attempt.wait).map(|wait| wait.as_secs_f64()).sum()
}
