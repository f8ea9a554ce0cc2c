//! The metrics of all layers, described for exporters.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Describes the metrics of redress, with their units, to the installed recorder.
///
/// Call it once, after the recorder is installed; without one it does nothing. `docs/observability.md` lists the labels, and
/// what to look at first.
///
/// # Examples
/// ```
/// use metrics_util::debugging::DebuggingRecorder;
///
/// DebuggingRecorder::new().install()?;
/// redress::describe_metrics();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn describe_metrics() {
    describe_counter!("redress_attempts_total", Unit::Count, "attempts that came to an end, by dialect and class");
    describe_counter!("redress_alerts_total", Unit::Count, "responses that say that credits or a plan are used up");
    describe_counter!("redress_calls_total", Unit::Count, "calls that ended, by dialect and why no attempt followed");
    describe_counter!("redress_hedges_total", Unit::Count, "hedges that ended, by dialect and outcome");
    describe_histogram!("redress_retry_wait_seconds", Unit::Seconds, "waits between attempts, as decided");
    describe_gauge!("redress_retry_budget_tokens", Unit::Count, "tokens left for retries at the last decision");
    describe_histogram!(
        "redress_cooldown_seconds",
        Unit::Seconds,
        "lengths of cool-downs, each time one is started or extended"
    );
    describe_histogram!(
        "redress_pace_wait_seconds",
        Unit::Seconds,
        "waits of calls at gates and for limits, as planned"
    );
    describe_counter!("redress_gate_shuts_total", Unit::Count, "outages that shut a gate, and gates shut by hand");
    describe_counter!("redress_probes_total", Unit::Count, "probes of outages that ended, by outcome");
    describe_histogram!("redress_outage_seconds", Unit::Seconds, "how long gates were shut");
    describe_counter!(
        "redress_pace_rejections_total",
        Unit::Count,
        "calls that failed at once since their wait would have been too long"
    );
    describe_counter!("redress_refreshes_total", Unit::Count, "calls to issuers, by kind and outcome");
    describe_histogram!("redress_refresh_seconds", Unit::Seconds, "how long calls to issuers took");
    describe_counter!("redress_store_calls_total", Unit::Count, "calls to shared stores, by record, call and outcome");
    describe_histogram!("redress_store_seconds", Unit::Seconds, "how long calls to shared stores took");
    describe_counter!("redress_adoptions_total", Unit::Count, "sets and cool-downs that other processes had found");
    describe_counter!("redress_shared_permits_total", Unit::Count, "permits of shared limits that were granted");
    describe_counter!(
        "redress_unshared_total",
        Unit::Count,
        "times at which a limit or cool-downs were no longer shared"
    );
}
