//! Spans and metrics as an OTLP receiver gets them, in process: the exporter's requests are decoded instead of sent.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use common::{answer, get, mock, stack};
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message;
use redress_opentelemetry::Telemetry;
use tower::{Layer, ServiceExt};

/// A receiver of OTLP over HTTP, which keeps what it gets.
#[derive(Clone, Debug, Default)]
struct Receiver(Arc<Mutex<Vec<Request<Bytes>>>>);

#[async_trait]
impl HttpClient for Receiver {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.0.lock().expect("no panic").push(request);
        Ok(Response::new(Bytes::new()))
    }
}

impl Receiver {
    /// Returns the decoded bodies of the requests to a path.
    fn received<T: Message + Default>(&self, path: &str) -> Vec<T> {
        let requests = self.0.lock().expect("no panic");
        let of_path = requests.iter().filter(|request| request.uri().path() == path);
        of_path.map(|request| T::decode(request.body().clone()).expect("it is OTLP")).collect()
    }
}

fn text(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let value = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.clone(), value(pair))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gets_the_spans_and_the_durations_of_a_call_with_a_retry() {
    let receiver = Receiver::default();
    let url = |path| format!("http://collector.example{path}");
    let spans = SpanExporter::builder().with_http().with_http_client(receiver.clone()).with_endpoint(url("/v1/traces"));
    let metrics =
        MetricExporter::builder().with_http().with_http_client(receiver.clone()).with_endpoint(url("/v1/metrics"));
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.build().expect("an exporter")).build();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(metrics.build().expect("an exporter")).build();
    let telemetry = Telemetry::new().tracer_provider(&tracers).meter_provider(&meters);

    let (mock, _handle) = mock([answer(503), answer(200)]);
    let service = telemetry.around(stack()).layer(mock);
    service.oneshot(get("https://api.example/v1?key=s3cret")).await.expect("a response");
    meters.force_flush().expect("it is exported");

    let requests: Vec<ExportTraceServiceRequest> = receiver.received("/v1/traces");
    let spans: Vec<Span> =
        requests.into_iter().flat_map(|r| r.resource_spans).flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect();
    let [first, second, call] = spans.as_slice() else { panic!("three spans: {spans:?}") };
    assert_eq!(first.kind, SpanKind::Client as i32);
    assert_eq!(first.status.as_ref().map(|status| status.code), Some(StatusCode::Error as i32));
    let attributes = text(&second.attributes);
    assert_eq!(attributes["http.request.resend_count"], "1");
    assert_eq!(attributes["url.full"], "https://api.example/v1?key=REDACTED");
    assert_eq!((call.name.as_str(), call.kind), ("redress.call", SpanKind::Internal as i32));
    assert_eq!((&second.parent_span_id, &call.links[0].span_id), (&call.span_id, &first.span_id));

    let requests: Vec<ExportMetricsServiceRequest> = receiver.received("/v1/metrics");
    let metrics = requests.into_iter().flat_map(|r| r.resource_metrics).flat_map(|r| r.scope_metrics);
    let metrics: Vec<_> = metrics.flat_map(|scope| scope.metrics).collect();
    assert_eq!((metrics[0].name.as_str(), metrics[0].unit.as_str()), ("http.client.request.duration", "s"));
    let Some(Data::Histogram(histogram)) = &metrics[0].data else { panic!("a histogram: {metrics:?}") };
    assert_eq!(histogram.data_points.len(), 2, "one of the 503, one of the 200");
    for point in &histogram.data_points {
        assert_eq!((point.count, point.explicit_bounds.len(), point.bucket_counts.len()), (1, 14, 15));
    }
}
