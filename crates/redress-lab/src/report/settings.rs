//! The settings of a scenario as text.
//!
//! A reader of a report sees the scenario without its TOML file:
//!
//! ```text
//! Run     1m 30s, dialect “ranex”
//! Calls   200 per second, at random (Poisson); at 3s a burst of 1 500
//! Server  4 shards, 400 requests per second in total, exponential service times
//! Fault   from 20s for 5s: 50 % of the requests receive an error, status 503
//! ```

use std::time::Duration;

use humantime::format_duration;

use super::number::{brief, count, part};
use crate::scenario::{
    ArrivalProcess, Clients, DeadlineShare, FaultKind, FaultSpec, LimitSpec, QuotaSpec, ResponseSpec, RouteSpec,
    Scenario, ServerSpec, ServiceTime, TokenSpec,
};

/// Returns the settings, each with its label.
pub(super) fn rows(scenario: &Scenario) -> Vec<(&'static str, String)> {
    let mut words = vec![
        ("Run", format!("{}, dialect “{}”", span(scenario.length), scenario.dialect)),
        ("Calls", clients(&scenario.clients)),
        ("Timeouts", timeouts(&scenario.clients)),
        ("Server", server(&scenario.server)),
    ];
    words.extend(scenario.limit.iter().map(|limit| ("Limit", self::limit(limit))));
    words.extend(scenario.quota.iter().map(|quota| ("Quota", self::quota(quota))));
    words.extend(scenario.token.iter().map(|token| ("Tokens", self::token(token))));
    words.extend(scenario.route.iter().map(|route| ("Route", self::route(route))));
    words.extend(scenario.fault.iter().map(|fault| ("Fault", self::fault(fault))));
    words
}

/// Describes the workload: arrivals or callers, waves, bursts, and the kind of calls.
fn clients(clients: &Clients) -> String {
    let mut words = Vec::new();
    if let Some(rate) = clients.rate {
        let spread = match clients.arrivals {
            ArrivalProcess::Poisson => "at random (Poisson)",
            ArrivalProcess::Even => "at constant intervals",
            ArrivalProcess::Steady => "one at a random time in each slot of equal length",
        };
        words.push(format!("{} per second, {spread}", brief(rate, 1)));
    }
    if let Some(callers) = clients.callers {
        let think = span(clients.think);
        words.push(format!("{} callers in a closed loop, think time {think}", count(callers.into())));
    }
    for wave in &clients.wave {
        let to = wave.to.map(|to| format!(" to {}", brief(to, 1))).unwrap_or_default();
        let [from, length] = [wave.from, wave.length].map(span);
        words.push(format!("from {from} for {length} {}{to} per second", brief(wave.rate, 1)));
    }
    words.extend(clients.burst.iter().map(|it| format!("at {} a burst of {}", span(it.at), count(it.calls.into()))));
    if clients.post > 0.0 {
        words.push(format!("{} not idempotent", part(clients.post)));
    }
    if clients.clients.get() > 1 {
        words.push(format!("{} processes that share nothing", count(clients.clients.get().into())));
    }
    if clients.layers > 1 {
        words.push(format!("{} layers of services that all retry", clients.layers));
    }
    words.join("; ")
}

/// Describes the limits of a call and of an attempt, and the network.
fn timeouts(clients: &Clients) -> String {
    let mut words = format!("{} per call", span(clients.deadline));
    for DeadlineShare { deadline, share } in &clients.deadlines {
        words += &format!(", {} for {} of the calls", span(*deadline), part(*share));
    }
    if clients.no_deadline > 0.0 {
        words += &format!(", none for {} of the calls", part(clients.no_deadline));
    }
    if let Some(timeout) = clients.attempt_timeout {
        words += &format!(", {} per attempt", span(timeout));
    }
    if !clients.hop.is_zero() {
        words += &format!("; network delay {} each way", span(clients.hop));
    }
    words
}

/// Describes the model of the server.
fn server(server: &ServerSpec) -> String {
    match server {
        ServerSpec::Fifo { rate, workers, service, queue } => {
            let workers = if *workers > 1 { format!(", {workers} workers") } else { String::new() };
            let queue = queue.map(|queue| format!(", queue of {queue}")).unwrap_or_default();
            format!("FIFO, {} requests per second{workers}{queue}{}", brief(*rate, 1), self::service(service))
        }
        ServerSpec::Concurrency { base, per_request } => {
            format!("service time {}, plus {} per request in flight", span(*base), span(*per_request))
        }
        ServerSpec::Sharded { shards, rate, service } => {
            format!("{shards} shards, {} requests per second in total{}", brief(*rate, 1), self::service(service))
        }
        ServerSpec::Rows { rows, latency } => {
            format!("{rows} rows under optimistic locks, service time {}", span(*latency))
        }
    }
}

/// Describes the distribution of service times; nothing if they are constant.
fn service(service: &ServiceTime) -> String {
    match service {
        ServiceTime::Fixed => String::new(),
        ServiceTime::Exponential => ", exponential service times".to_owned(),
        ServiceTime::Bimodal { common, rare, share } => {
            format!(", service time {}, for {} of them {}", span(*common), part(*share), span(*rare))
        }
    }
}

/// Describes the rate limit.
fn limit(limit: &LimitSpec) -> String {
    let hint = if limit.hint { "with Retry-After" } else { "without Retry-After" };
    format!(
        "{} requests per {}; the excess is refused {hint}{}",
        limit.requests,
        span(limit.per),
        answer(&limit.answer, 429)
    )
}

/// Describes the total number of requests.
fn quota(quota: &QuotaSpec) -> String {
    format!("{} requests in total; the excess is refused{}", count(quota.requests as f64), answer(&quota.answer, 402))
}

/// Describes the lifetime of tokens and the duration of a login.
fn token(token: &TokenSpec) -> String {
    let refused = answer(&token.answer, 401);
    format!("lifetime {}, login {}; expired ones are refused{refused}", span(token.lives), span(token.login))
}

/// Describes a route: its share of the calls, and where it differs from the others.
fn route(route: &RouteSpec) -> String {
    let mut words = vec![format!("{} of the calls to {}", part(route.share), route.path)];
    words.extend(route.post.map(|post| format!("{} not idempotent", part(post))));
    let times = [
        (route.deadline, "per call"),
        (route.attempt_timeout, "per attempt"),
        (route.service_time, "mean service time"),
        (Some(route.latency).filter(|time| !time.is_zero()), "until the response, beside the service time"),
        (Some(route.poll).filter(|time| !time.is_zero()), "at most until the event of a long poll"),
        (Some(route.body).filter(|time| !time.is_zero()), "until the end of the body"),
    ];
    words.extend(times.into_iter().filter_map(|(time, what)| Some(format!("{} {what}", span(time?)))));
    words.join("; ")
}

/// Describes a fault: when, which requests, and the effect.
fn fault(fault: &FaultSpec) -> String {
    let whom =
        if fault.share < 1.0 { format!("{} of the requests", part(fault.share)) } else { "all requests".to_owned() };
    let whom = fault.shard.map(|shard| format!("{whom} to shard {shard}")).unwrap_or(whom);
    let whom = fault.route.as_ref().map(|path| format!("{whom} to {path}")).unwrap_or(whom);
    let what = match &fault.kind {
        FaultKind::Hold => format!("{whom} are held and arrive when the fault ends"),
        FaultKind::Drop => format!("{whom} are lost without an answer"),
        FaultKind::DropAnswers => format!("{whom} are served, and the answers are lost"),
        FaultKind::Refuse => format!("connections are refused for {whom}"),
        FaultKind::Restart => "the server restarts and aborts the requests in service".to_owned(),
        FaultKind::Answer(spec) => format!("{whom} receive an error{}", answer(spec, 503)),
        FaultKind::Slow(factor) => format!("service times are multiplied by {} for {whom}", brief(*factor, 2)),
        FaultKind::Delay(by) => format!("responses are delayed by {} for {whom}", span(*by)),
    };
    let again = fault.every.map(|every| format!(", repeated every {}", span(every))).unwrap_or_default();
    let length = fault.length.map_or_else(|| " on".to_owned(), |length| format!(" for {}", span(length)));
    format!("from {}{length}{again}: {what}", span(fault.from))
}

/// Describes an error response; `unless_told` is the status of one that states none.
fn answer(answer: &ResponseSpec, unless_told: u16) -> String {
    let status = answer.status.unwrap_or(unless_told);
    let wait = answer.retry_after.map(|wait| format!(" and Retry-After {}", span(wait))).unwrap_or_default();
    format!(", status {status}{wait}")
}

/// Writes a duration as `1m 30s`.
fn span(span: Duration) -> String {
    format_duration(span).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_a_scenario_is_described() {
        let scenario: Scenario = r#"
            name = "t"
            dialect = "ranex"
            length = "90s"
            clients = { utilization = 0.5, post = 0.25, layers = 3, hop = "5ms", attempt_timeout = "1s", deadline = "10s", burst = [{ at = "3s", calls = 1500 }], wave = [{ from = "4s", for = "2s", rate = 9.0, to = 12.0 }] }
            server = { kind = "sharded", shards = 4, rate = 400.0, service = "exponential" }
            limit = { requests = 100, per = "1s", answer = { status = 503 } }
            quota = { requests = 5000 }
            token = { lives = "20s", login = "500ms" }
            fault = [{ kind = "answer", from = "20s", for = "5s", every = "10s", share = 0.5, shard = 1, answer = { retry_after = "7s" } }]
        "#
        .parse()
        .expect("a scenario");
        let words: Vec<_> = rows(&scenario).into_iter().map(|(name, words)| format!("{name}: {words}")).collect();
        let words = words.join("\n").replace('\u{202f}', " ");
        assert_eq!(
            words,
            "Run: 1m 30s, dialect “ranex”\n\
             Calls: 200 per second, at random (Poisson); from 4s for 2s 9 to 12 per second; at 3s a burst of 1 500; 25 % not idempotent; 3 layers of services that all retry\n\
             Timeouts: 10s per call, 1s per attempt; network delay 5ms each way\n\
             Server: 4 shards, 400 requests per second in total, exponential service times\n\
             Limit: 100 requests per 1s; the excess is refused with Retry-After, status 503\n\
             Quota: 5 000 requests in total; the excess is refused, status 402\n\
             Tokens: lifetime 20s, login 500ms; expired ones are refused, status 401\n\
             Fault: from 20s for 5s, repeated every 10s: 50 % of the requests to shard 1 receive an error, status 503 and Retry-After 7s"
        );
    }
}
