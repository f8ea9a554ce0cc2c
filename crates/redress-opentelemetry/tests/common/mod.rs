//! A stack over a scripted transport, with its spans and metrics in memory.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, HistogramDataPoint, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, Span, SpanData, SpanProcessor};
use redress::{BackoffLayer, Jitter, RedressLayer, dialects};
use redress_opentelemetry::Telemetry;
use redress_sandbox::strict_mock::{Answer, Handle, StrictMock};

pub type Mock = StrictMock<Request<String>, Response<String>>;

/// Telemetry in memory.
pub struct Recorder {
    pub telemetry: Telemetry,
    pub tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    started: Arc<AtomicUsize>,
}

/// Counts the spans that are started.
#[derive(Debug)]
struct Started(Arc<AtomicUsize>);

impl SpanProcessor for Started {
    fn on_start(&self, _: &mut Span, _: &Context) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// One series of the histogram: its attributes, the bounds of its buckets, its count and its sum.
#[derive(Debug, PartialEq)]
pub struct Series {
    pub attributes: BTreeMap<String, String>,
    pub bounds: Vec<f64>,
    pub count: u64,
    pub sum: f64,
}

impl Recorder {
    pub fn new() -> Self {
        let (spans, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
        let started = Arc::new(AtomicUsize::new(0));
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(Started(Arc::clone(&started)))
            .with_simple_exporter(spans.clone())
            .build();
        let meters = SdkMeterProvider::builder().with_periodic_exporter(metrics.clone()).build();
        let telemetry = Telemetry::new()
            .tracer_provider(&tracers)
            .meter_provider(&meters)
            .propagator(TraceContextPropagator::new());
        Self { telemetry, tracers, meters, spans, metrics, started }
    }

    /// Returns the spans that have ended, in the order of their ends.
    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().expect("the exporter works")
    }

    /// Returns the spans of the attempts.
    pub fn attempts(&self) -> Vec<SpanData> {
        self.spans().into_iter().filter(|span| span.span_kind == SpanKind::Client).collect()
    }

    /// Returns the span around the call, if there is one.
    pub fn call(&self) -> Option<SpanData> {
        let mut calls: Vec<_> = self
            .spans()
            .into_iter()
            .filter(|span| span.span_kind == SpanKind::Internal && span.name == "redress.call")
            .collect();
        assert!(calls.len() <= 1, "one call has one span");
        calls.pop()
    }

    /// Returns the number of spans that were started and have not ended.
    pub fn open_spans(&self) -> usize {
        self.started.load(Ordering::SeqCst) - self.spans().len()
    }

    /// Returns the name, the unit and the series of the metric.
    pub fn durations(&self) -> (String, String, Vec<Series>) {
        self.meters.force_flush().expect("the exporter works");
        let all = self.metrics.get_finished_metrics().expect("the exporter works");
        let metrics: Vec<_> =
            all.last().into_iter().flat_map(|all| all.scope_metrics()).flat_map(|scope| scope.metrics()).collect();
        let [metric] = metrics.as_slice() else { panic!("one metric, not {}", metrics.len()) };
        let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else { panic!("a histogram") };
        let series = histogram.data_points().map(Series::new).collect();
        (metric.name().to_owned(), metric.unit().to_owned(), series)
    }
}

impl Series {
    fn new(point: &HistogramDataPoint<f64>) -> Self {
        let attributes = point.attributes().map(pair).collect();
        Self { attributes, bounds: point.bounds().collect(), count: point.count(), sum: point.sum() }
    }
}

fn pair(attribute: &KeyValue) -> (String, String) {
    (attribute.key.to_string(), attribute.value.to_string())
}

pub fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    span.attributes.iter().map(pair).collect()
}

pub fn attribute(span: &SpanData, key: &str) -> Option<String> {
    attributes(span).remove(key)
}

/// A stack without jitter: waits of 50 ms and 100 ms after transient failures.
pub fn stack() -> RedressLayer {
    RedressLayer::new(dialects::generic()).backoff(|backoff: BackoffLayer| backoff.jitter(Jitter::None))
}

pub fn answer(status: u16) -> Answer<Response<String>> {
    Answer::ok(Response::builder().status(status).body("body".to_owned()).expect("a status"))
}

pub fn get(uri: &str) -> Request<String> {
    Request::get(uri).body(String::new()).expect("a URI")
}

pub fn mock(answers: impl IntoIterator<Item = Answer<Response<String>>>) -> (Mock, Handle<Request<String>>) {
    let mock = StrictMock::scripted(answers.into_iter().collect::<Vec<_>>()).allow_abandoned();
    let handle = mock.handle();
    (mock, handle)
}
