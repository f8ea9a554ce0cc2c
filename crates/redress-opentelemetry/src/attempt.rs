//! The span and the duration of one attempt.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

use http::{Request, Response, StatusCode, Version};
use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use redress_classify::{ResendCount, SendState};
use tokio::time::Instant;

use crate::call_state::{CallHandle, CallState};
use crate::conventions::{
    self, ERROR_TYPE, METHOD, METHOD_ORIGINAL, OTHER, PROTOCOL_VERSION, RESEND_COUNT, STATUS_CODE, URL_FULL,
};
use crate::error_type::{self, CANCELLED, TIMEOUT};
use crate::telemetry::Telemetry;
use crate::url_full::url_full;

/// An attempt in flight. It ends once: with its response, with its error, or when it is dropped.
pub(crate) struct Attempt {
    telemetry: Arc<Telemetry>,
    call: Option<Arc<CallState>>,
    context: Context,
    /// The attributes that the metric shares with the span.
    attributes: Vec<KeyValue>,
    started: Instant,
    has_ended: bool,
}

impl Attempt {
    /// Begins the span of an attempt, and writes its trace context into the request.
    pub(crate) fn begin<B>(telemetry: Arc<Telemetry>, request: &mut Request<B>) -> Self {
        let call = request.extensions().get::<CallHandle>().map(|handle| Arc::clone(&handle.0));
        let parent = match &call {
            Some(call) => call.begin_attempt(SendState::is_hedge(request)),
            None => request.extensions().get::<Context>().cloned().unwrap_or_else(Context::current),
        };
        let method = conventions::method(request.method(), &telemetry.known_methods);
        let name = conventions::span_name(method.clone());
        let original = (method == OTHER).then(|| KeyValue::new(METHOD_ORIGINAL, request.method().as_str().to_owned()));
        let mut attributes = Vec::with_capacity(6);
        attributes.push(KeyValue::new(METHOD, method));
        attributes.extend(conventions::server(request.uri()));
        let url = url_full(request.uri(), telemetry.dialect.as_ref(), &telemetry.query_keys);
        let resend =
            ResendCount::from_request(request).map(|count| KeyValue::new(RESEND_COUNT, i64::from(count.get())));
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(
            attributes.iter().cloned().chain([KeyValue::new(URL_FULL, url)]).chain(resend).chain(original),
        );
        let context = parent.with_span(telemetry.tracer().build_with_context(builder, &parent));
        if let Some(call) = &call {
            call.attempt_begun(context.span().span_context());
        }
        telemetry.inject(&context, request.headers_mut());
        Self { telemetry, call, context, attributes, started: Instant::now(), has_ended: false }
    }

    /// Returns the context of the attempt's span.
    pub(crate) fn context(&self) -> Context {
        self.context.clone()
    }

    pub(crate) fn on_response<R>(&mut self, response: &Response<R>) {
        let status = response.status();
        self.end(Some((status, response.version())), error_type::of_status(status));
    }

    pub(crate) fn on_error(&mut self, error: &(dyn StdError + 'static)) {
        self.end(None, Some(Cow::Borrowed(error_type::of_attempt(error))));
    }

    fn end(&mut self, head: Option<(StatusCode, Version)>, error_type: Option<Cow<'static, str>>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let span = self.context.span();
        let common = self.attributes.len();
        if let Some((status, version)) = head {
            self.attributes.push(KeyValue::new(STATUS_CODE, i64::from(status.as_u16())));
            let version = conventions::protocol_version(version);
            self.attributes.extend(version.map(|version| KeyValue::new(PROTOCOL_VERSION, version)));
        }
        if let Some(call) = &self.call {
            call.attempt_ended(error_type.as_deref());
        }
        if let Some(error_type) = error_type {
            self.attributes.push(KeyValue::new(ERROR_TYPE, error_type));
            span.set_status(Status::error(""));
        }
        span.set_attributes(self.attributes[common..].iter().cloned());
        span.end();
        self.telemetry.duration().record(self.started.elapsed().as_secs_f64(), &self.attributes);
    }
}

impl Drop for Attempt {
    /// An attempt is cut by the layers above while its call goes on, or is dropped with its call.
    fn drop(&mut self) {
        let is_cut = self.call.as_ref().is_some_and(|call| !call.is_dropped());
        self.end(None, Some(Cow::Borrowed(if is_cut { TIMEOUT } else { CANCELLED })));
    }
}
