//! The metrics of gRPC retries (gRFC A96): one value of each for a call that was sent again.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use tokio::time::Instant;

use crate::conventions::{
    GRPC_DELAY_BOUNDARIES, GRPC_HEDGES, GRPC_METHOD, GRPC_RETRIES, GRPC_RETRY_BOUNDARIES, GRPC_RETRY_DELAY,
    GRPC_TARGET, GRPC_TRANSPARENT_BOUNDARIES, GRPC_TRANSPARENT_RETRIES,
};

/// The four histograms.
#[derive(Clone)]
pub(crate) struct ResendMetrics {
    retries: Histogram<u64>,
    transparent: Histogram<u64>,
    hedges: Histogram<u64>,
    delay: Histogram<f64>,
}

/// The attempts of one call, and the time between them.
#[derive(Debug, Default)]
pub(crate) struct Resends {
    retries: u64,
    transparent: u64,
    hedges: u64,
    delay: Duration,
    has_begun: bool,
    in_flight: u32,
    /// The end of the last attempt, if none is in flight.
    idle_since: Option<Instant>,
    /// Whether the last attempt that ended did not reach the server's application.
    is_unprocessed: bool,
}

impl Resends {
    /// Counts an attempt that begins.
    pub(crate) fn begin(&mut self, now: Instant, is_hedge: bool) {
        match (self.has_begun, is_hedge, self.is_unprocessed) {
            (false, _, _) => {}
            (true, true, _) => self.hedges += 1,
            (true, false, true) => self.transparent += 1,
            (true, false, false) => self.retries += 1,
        }
        self.has_begun = true;
        self.in_flight += 1;
        self.stop_waiting(now);
    }

    /// Counts the end of an attempt. `is_unprocessed` says that the server has surely not processed it.
    pub(crate) fn end(&mut self, now: Instant, is_unprocessed: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.is_unprocessed = is_unprocessed;
        if self.in_flight == 0 {
            self.idle_since = Some(now);
        }
    }

    /// Ends the time in which no attempt was in flight.
    pub(crate) fn stop_waiting(&mut self, now: Instant) {
        let idle = self.idle_since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.delay += idle;
    }
}

impl ResendMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        let counts = |name, unit, description, boundaries: &[f64]| {
            let histogram = meter.u64_histogram(name).with_unit(unit).with_description(description);
            histogram.with_boundaries(boundaries.to_vec()).build()
        };
        Self {
            retries: counts(GRPC_RETRIES, "{retry}", "Retries of a call that had any.", &GRPC_RETRY_BOUNDARIES),
            transparent: counts(
                GRPC_TRANSPARENT_RETRIES,
                "{transparent_retry}",
                "Transparent retries of a call that had any.",
                &GRPC_TRANSPARENT_BOUNDARIES,
            ),
            hedges: counts(GRPC_HEDGES, "{hedge}", "Hedges of a call that had any.", &GRPC_RETRY_BOUNDARIES),
            delay: meter
                .f64_histogram(GRPC_RETRY_DELAY)
                .with_unit("s")
                .with_description("Time of a call between its attempts, while none was in flight.")
                .with_boundaries(GRPC_DELAY_BOUNDARIES.to_vec())
                .build(),
        }
    }

    /// Records a call that has ended. Nothing is recorded of what it did not have.
    pub(crate) fn record(&self, resends: &Resends, target: &str, path: &str) {
        let method = path.trim_start_matches('/').to_owned();
        let attributes = [KeyValue::new(GRPC_METHOD, method), KeyValue::new(GRPC_TARGET, target.to_owned())];
        let counts = [
            (&self.retries, resends.retries),
            (&self.transparent, resends.transparent),
            (&self.hedges, resends.hedges),
        ];
        for (histogram, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            histogram.record(count, &attributes);
        }
        if !resends.delay.is_zero() {
            self.delay.record(resends.delay.as_secs_f64(), &attributes);
        }
    }
}
