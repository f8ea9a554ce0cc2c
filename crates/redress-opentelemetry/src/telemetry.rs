//! The settings of both layers, and the instruments that they share.

use std::fmt;
use std::sync::{Arc, Mutex};

use http::Method;
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::metrics::{Histogram, Meter, MeterProvider};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use redress_classify::Dialect;

use crate::around::Around;
use crate::attempts::AttemptLayer;
use crate::calls::CallLayer;
use crate::conventions::{BOUNDARIES, DURATION, METHODS};
use crate::injector::HeaderInjector;
use crate::resends::{ResendMetrics, Resends};

/// The settings of the spans and metrics, from which the layers are made.
///
/// [`around`](Self::around) puts a stack of `redress` between both layers:
///
/// ```text
///   caller
///     |
///   CallLayer       an INTERNAL span around a call with a wait or a second attempt
///     |
///   RedressLayer    Backoff, Pace, Refresh, Classify, attempt timeout
///     |
///   AttemptLayer    a CLIENT span, a `traceparent` and a duration for each attempt
///     v
///   transport
/// ```
///
/// Clones share the instruments.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use redress::{RedressLayer, dialects};
/// use redress_opentelemetry::Telemetry;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let transport = service_fn(|_: Request<String>| async { Ok::<_, std::io::Error>(Response::new(String::new())) });
/// let layer = RedressLayer::new(dialects::github());
/// let service = Telemetry::new().around(layer).layer(transport);
/// let request = Request::get("https://api.github.com/rate_limit").body(String::new())?;
/// assert_eq!(service.oneshot(request).await?.status(), 200);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Telemetry {
    tracer: Arc<BoxedTracer>,
    duration: Histogram<f64>,
    resends: ResendMetrics,
    grpc_target: Option<Arc<str>>,
    propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) query_keys: Arc<[String]>,
    pub(crate) known_methods: Arc<[Method]>,
}

impl Telemetry {
    /// Creates settings with the global tracer provider, meter provider and propagator of the `opentelemetry` crate.
    ///
    /// Install the providers first: the global ones are looked up here, once. The propagator is looked up for each attempt;
    /// until one is installed, no header is written.
    #[must_use]
    pub fn new() -> Self {
        let meter = global::meter_with_scope(scope());
        Self {
            tracer: Arc::new(global::tracer_with_scope(scope())),
            duration: histogram(&meter),
            resends: ResendMetrics::new(&meter),
            grpc_target: None,
            propagator: None,
            dialect: None,
            query_keys: Arc::default(),
            known_methods: METHODS.into(),
        }
    }

    /// Sets the provider of the spans, in place of the global one.
    ///
    /// # Examples
    /// ```
    /// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// use redress_opentelemetry::Telemetry;
    ///
    /// let spans = InMemorySpanExporter::default();
    /// let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// let telemetry = Telemetry::new().tracer_provider(&provider);
    /// # drop(telemetry);
    /// assert!(spans.get_finished_spans()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tracer_provider<P>(mut self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Span + Send + Sync + 'static,
    {
        self.tracer = Arc::new(BoxedTracer::new(Box::new(provider.tracer_with_scope(scope()))));
        self
    }

    /// Sets the provider of the metrics, in place of the global one.
    ///
    /// # Examples
    /// ```
    /// use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
    /// use redress_opentelemetry::Telemetry;
    ///
    /// let metrics = InMemoryMetricExporter::default();
    /// let provider = SdkMeterProvider::builder().with_periodic_exporter(metrics.clone()).build();
    /// let telemetry = Telemetry::new().meter_provider(&provider);
    /// # drop(telemetry);
    /// assert!(metrics.get_finished_metrics()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn meter_provider<P: MeterProvider>(mut self, provider: &P) -> Self {
        let meter = provider.meter_with_scope(scope());
        (self.duration, self.resends) = (histogram(&meter), ResendMetrics::new(&meter));
        self
    }

    /// Sets the propagator that writes the trace context into each attempt, in place of the global one.
    ///
    /// # Examples
    /// ```
    /// use opentelemetry_sdk::propagation::TraceContextPropagator;
    /// use redress_opentelemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::new().propagator(TraceContextPropagator::new());
    /// # drop(telemetry);
    /// ```
    #[must_use]
    pub fn propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.propagator = Some(Arc::new(propagator));
        self
    }

    /// Sets the dialect that says which parts of a path are secret, such as the token in Telegram's `/bot{secret}`. They are
    /// masked in `url.full`; without a dialect the path is recorded as it is.
    ///
    /// # Examples
    /// ```
    /// use redress::dialects;
    /// use redress_opentelemetry::Telemetry;
    ///
    /// let telegram = dialects::by_name("telegram").expect("it is shipped");
    /// let telemetry = Telemetry::new().dialect(telegram);
    /// # drop(telemetry);
    /// ```
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Sets the query parameters whose values `url.full` may show. They are case-sensitive, and none by default: the other
    /// values are replaced by `REDACTED`, since APIs take keys and tokens under many names.
    ///
    /// # Examples
    /// ```
    /// use redress_opentelemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::new().query_keys(["page", "per_page"]);
    /// # drop(telemetry);
    /// ```
    #[must_use]
    pub fn query_keys<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.query_keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the methods that `http.request.method` names, in place of the methods in RFC 9110 and PATCH. Any other is recorded as
    /// `_OTHER`, so that a caller's text cannot add series to the metric.
    ///
    /// # Examples
    /// ```
    /// use http::Method;
    /// use redress_opentelemetry::Telemetry;
    ///
    /// let purge = Method::from_bytes(b"PURGE")?;
    /// let telemetry = Telemetry::new().known_methods([Method::GET, Method::POST, purge]);
    /// # drop(telemetry);
    /// # Ok::<(), http::method::InvalidMethod>(())
    /// ```
    #[must_use]
    pub fn known_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.known_methods = methods.into_iter().collect();
        self
    }

    /// Records the retry metrics of gRFC A96 for each call, with this text as `grpc.target`: the URI of which the channel is
    /// made (gRFC A66), such as `dns:///orders.internal`. They are off by default, as in gRPC's own libraries.
    ///
    /// | histogram | unit | value |
    /// |---|---|---|
    /// | `grpc.client.call.retries` | `{retry}` | resends of a call, without the following two |
    /// | `grpc.client.call.transparent_retries` | `{transparent_retry}` | resends after an attempt that was not processed: no connection, or a refused stream |
    /// | `grpc.client.call.hedges` | `{hedge}` | second attempts beside one that is slow |
    /// | `grpc.client.call.retry_delay` | s | the time between attempts, from the end of one to the beginning of the next |
    ///
    /// A call without retries records none. `grpc.method` is the path without its first slash, so use it for a channel whose
    /// methods come from generated stubs.
    ///
    /// # Examples
    /// ```
    /// use redress_opentelemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::new().grpc_target("dns:///orders.internal");
    /// # drop(telemetry);
    /// ```
    #[must_use]
    pub fn grpc_target(mut self, target: impl Into<String>) -> Self {
        self.grpc_target = Some(target.into().into());
        self
    }

    /// Puts a layer between [`CallLayer`] and [`AttemptLayer`]: one that retries, such as `RedressLayer`, or a whole stack.
    ///
    /// The layer's error must be that of redress, from which the end of a call is read.
    #[must_use]
    pub fn around<L>(&self, layer: L) -> Around<L> {
        Around::new(self.calls(), layer, self.attempts())
    }

    /// Returns the layer around the transport. With `redress::Client` it goes there, and [`calls`](Self::calls) above the stack.
    ///
    /// Alone it makes the spans of attempts, as children of the caller's span.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress::{Client, RedressLayer, dialects};
    /// use redress_opentelemetry::Telemetry;
    /// use tower::{Layer, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // In a program the transport is `redress::transport::Reqwest`.
    /// let transport = service_fn(|_: Request<reqwest::Body>| async {
    ///     Ok::<_, std::io::Error>(Response::new("[]".to_owned()))
    /// });
    /// let telemetry = Telemetry::new();
    /// let transport = telemetry.attempts().layer(transport);
    /// let client = Client::with_transport(RedressLayer::new(dialects::github()), transport).call_layer(telemetry.calls());
    /// assert_eq!(client.get("https://api.github.com/gists").send().await?.status(), 200);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn attempts(&self) -> AttemptLayer {
        AttemptLayer::new(self.clone())
    }

    /// Returns the layer above the stack. It knows the attempts that pass an [`AttemptLayer`] below.
    #[must_use]
    pub fn calls(&self) -> CallLayer {
        CallLayer::new(self.clone())
    }

    pub(crate) fn tracer(&self) -> &BoxedTracer {
        &self.tracer
    }

    pub(crate) fn duration(&self) -> &Histogram<f64> {
        &self.duration
    }

    /// Returns what counts the resends of a call, if they are recorded.
    pub(crate) fn count_resends(&self) -> Option<Mutex<Resends>> {
        self.grpc_target.is_some().then(Mutex::default)
    }

    /// Records the resends of a call to this path that has ended.
    pub(crate) fn record_resends(&self, resends: &Resends, path: &str) {
        if let Some(target) = &self.grpc_target {
            self.resends.record(resends, target, path);
        }
    }

    /// Writes a trace context into the headers of a request.
    pub(crate) fn inject(&self, context: &Context, headers: &mut http::HeaderMap) {
        let mut injector = HeaderInjector(headers);
        match &self.propagator {
            Some(propagator) => propagator.inject_context(context, &mut injector),
            None => global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut injector)),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("grpc_target", &self.grpc_target)
            .field("query_keys", &self.query_keys)
            .field("known_methods", &self.known_methods)
            .finish_non_exhaustive()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION")).build()
}

fn histogram(meter: &Meter) -> Histogram<f64> {
    meter
        .f64_histogram(DURATION)
        .with_unit("s")
        .with_description("Duration of HTTP client requests.")
        .with_boundaries(BOUNDARIES.to_vec())
        .build()
}
