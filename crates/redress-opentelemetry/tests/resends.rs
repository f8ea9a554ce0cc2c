//! The retry metrics of gRFC A96.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::*;
use http::{Request, Response};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use redress::{BackoffLayer, TransportError};
use redress_opentelemetry::Telemetry;
use redress_sandbox::strict_mock::Answer;
use tokio::time::sleep;
use tower::{Layer, ServiceExt};

const TARGET: &str = "dns:///orders.internal";

/// A histogram: its unit, its sum, its count, its bounds and its attributes.
type Found = (String, f64, u64, Vec<f64>, BTreeMap<String, String>);

/// Telemetry with the metrics in memory.
struct Metrics {
    telemetry: Telemetry,
    meters: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

impl Metrics {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let meters = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
        Self { telemetry: Telemetry::new().meter_provider(&meters), meters, exporter }
    }

    /// Returns the histograms of gRPC by their names.
    fn grpc(&self) -> BTreeMap<String, Found> {
        self.meters.force_flush().expect("the exporter works");
        let all = self.exporter.get_finished_metrics().expect("the exporter works");
        let metrics = all.iter().flat_map(|all| all.scope_metrics()).flat_map(|scope| scope.metrics());
        let grpc = metrics.filter(|metric| metric.name().starts_with("grpc."));
        let found = grpc.map(|metric| {
            let (sum, count, bounds, attributes) = match metric.data() {
                AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
                    let point = histogram.data_points().next().expect("a point");
                    let sum = f64::from(u32::try_from(point.sum()).expect("a small number"));
                    (sum, point.count(), point.bounds().collect(), point.attributes().map(text).collect())
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    let point = histogram.data_points().next().expect("a point");
                    (point.sum(), point.count(), point.bounds().collect(), point.attributes().map(text).collect())
                }
                other => panic!("not a histogram: {other:?}"),
            };
            (metric.name().to_owned(), (metric.unit().to_owned(), sum, count, bounds, attributes))
        });
        found.collect()
    }
}

fn list() -> Request<String> {
    get("http://orders.internal:50051/acme.Orders/List")
}

/// Sends one call, and returns the histograms of gRPC that it recorded.
async fn recorded(answers: impl IntoIterator<Item = Answer<Response<String>>>) -> BTreeMap<String, Found> {
    let metrics = Metrics::new();
    let telemetry = metrics.telemetry.clone().grpc_target(TARGET);
    let (mock, _handle) = mock(answers);
    telemetry.around(stack()).layer(mock).oneshot(list()).await.expect("a response");
    metrics.grpc()
}

fn text(attribute: &opentelemetry::KeyValue) -> (String, String) {
    (attribute.key.to_string(), attribute.value.to_string())
}

/// Returns the sum of a histogram; 0 if nothing was recorded.
fn sum(found: &BTreeMap<String, Found>, name: &str) -> f64 {
    found.get(&format!("grpc.client.call.{name}")).map_or(0.0, |found| found.1)
}

fn slow(status: u16) -> Answer<Response<String>> {
    answer(status).after(Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_retry_records_nothing() {
    assert!(recorded([answer(200)]).await.is_empty());
    assert!(recorded([answer(404)]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn they_are_off_without_a_target() {
    let metrics = Metrics::new();
    let (mock, _handle) = mock([answer(503), answer(200)]);
    metrics.telemetry.around(stack()).layer(mock).oneshot(list()).await.expect("a response");
    assert!(metrics.grpc().is_empty());
}

#[tokio::test(start_paused = true)]
async fn retries_and_the_time_between_attempts_are_recorded_once_for_a_call() {
    let found = recorded([slow(503), slow(503), slow(200)]).await;
    assert_eq!((sum(&found, "retries"), sum(&found, "transparent_retries"), sum(&found, "hedges")), (2.0, 0.0, 0.0));
    let (unit, delay, count, bounds, attributes) = &found["grpc.client.call.retry_delay"];
    // Waits of 50 ms and 100 ms; the attempts of a second each do not count.
    assert!((delay - 0.15).abs() < 0.01, "{delay}");
    assert_eq!((unit.as_str(), *count, bounds.len()), ("s", 1, 41));
    let expected = [("grpc.method", "acme.Orders/List"), ("grpc.target", TARGET)];
    assert_eq!(*attributes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let (unit, _, count, bounds, _) = &found["grpc.client.call.retries"];
    assert_eq!((unit.as_str(), *count, bounds.as_slice()), ("{retry}", 1, [1.0, 2.0, 3.0, 4.0, 5.0].as_slice()));
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_an_attempt_that_was_not_sent_is_transparent() {
    let refused = Answer::error(TransportError::connect("connection refused"));
    let found = recorded([refused, answer(503), answer(200)]).await;
    assert_eq!((sum(&found, "transparent_retries"), sum(&found, "retries")), (1.0, 1.0));
    assert_eq!(found["grpc.client.call.transparent_retries"].0, "{transparent_retry}");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_no_retry_and_ends_no_wait() {
    let metrics = Metrics::new();
    let telemetry = metrics.telemetry.clone().grpc_target(TARGET);
    let answers = (0..60).map(|_| answer(200).after(Duration::from_millis(10)));
    let (mock, _handle) = mock(answers.chain([answer(200).after(Duration::from_secs(60)), answer(200)]));
    let service = telemetry.around(stack().backoff(BackoffLayer::hedge)).layer(mock);
    for _ in 0..61 {
        service.clone().oneshot(list()).await.expect("a response");
    }
    let found = metrics.grpc();
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["grpc.client.call.hedges"]);
    assert_eq!((sum(&found, "hedges"), found["grpc.client.call.hedges"].0.as_str()), (1.0, "{hedge}"));
}

#[tokio::test(start_paused = true)]
async fn the_wait_of_a_call_that_is_dropped_counts() {
    let metrics = Metrics::new();
    let telemetry = metrics.telemetry.clone().grpc_target(TARGET);
    let (mock, _handle) = mock([answer(503)]);
    let call = telemetry.around(stack()).layer(mock).oneshot(list());
    tokio::select! {
        _ = call => panic!("it waits for 50 ms"),
        () = sleep(Duration::from_millis(20)) => {}
    }
    let found = metrics.grpc();
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["grpc.client.call.retry_delay"]);
    assert!((sum(&found, "retry_delay") - 0.02).abs() < 0.005);
}
