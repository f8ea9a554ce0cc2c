//! A scenario's settings in words.

use std::time::Duration;

use humantime::format_duration;

use super::number::{brief, count, part};
use crate::scenario::{
    ArrivalProcess, Clients, FaultKind, FaultSpec, LimitSpec, QuotaSpec, ResponseSpec, Scenario, ServerSpec,
    ServiceTime, TokenSpec,
};

/// Returns what there is to say, each with a word in front of it.
pub(super) fn rows(scenario: &Scenario) -> Vec<(&'static str, String)> {
    let mut words = vec![
        ("Run", format!("{}, of a server that speaks “{}”", span(scenario.length), scenario.dialect)),
        ("Calls", clients(&scenario.clients)),
        ("Patience", patience(&scenario.clients)),
        ("Server", server(&scenario.server)),
    ];
    words.extend(scenario.limit.iter().map(|limit| ("LimitSpec", self::limit(limit))));
    words.extend(scenario.quota.iter().map(|quota| ("QuotaSpec", self::quota(quota))));
    words.extend(scenario.token.iter().map(|token| ("Tokens", self::token(token))));
    words.extend(scenario.fault.iter().map(|fault| ("FaultSpec", self::fault(fault))));
    words
}

fn clients(clients: &Clients) -> String {
    let mut words = Vec::new();
    if let Some(rate) = clients.rate {
        let spread = match clients.arrivals {
            ArrivalProcess::Poisson => "at random (Poisson)",
            ArrivalProcess::Even => "at equal distances",
            ArrivalProcess::Steady => "at any moment, one in each equal stretch of time",
        };
        words.push(format!("{} a second, {spread}", brief(rate, 1)));
    }
    if let Some(callers) = clients.callers {
        let think = span(clients.think);
        words.push(format!("{} callers in a closed loop, each thinking {think} between calls", count(callers.into())));
    }
    for wave in &clients.wave {
        let to = wave.to.map(|to| format!(" to {}", brief(to, 1))).unwrap_or_default();
        let [from, length] = [wave.from, wave.length].map(span);
        words.push(format!("from {from} for {length} {}{to} a second", brief(wave.rate, 1)));
    }
    words.extend(clients.burst.iter().map(|it| format!("at {} {} at once", span(it.at), count(it.calls.into()))));
    if clients.post > 0.0 {
        words.push(format!("{} may not be done twice", part(clients.post)));
    }
    if clients.layers > 1 {
        words.push(format!("through {} layers of services that all retry", clients.layers));
    }
    words.join("; ")
}

fn patience(clients: &Clients) -> String {
    let mut words = format!("{} for a call", span(clients.deadline));
    if let Some(timeout) = clients.attempt_timeout {
        words += &format!(", {} for an attempt", span(timeout));
    }
    if !clients.hop.is_zero() {
        words += &format!("; the network takes {} each way", span(clients.hop));
    }
    words
}

fn server(server: &ServerSpec) -> String {
    match server {
        ServerSpec::Fifo { rate, workers, service, queue } => {
            let workers = if *workers > 1 { format!(", {workers} workers") } else { String::new() };
            let queue = queue.map(|queue| format!(", at most {queue} waiting")).unwrap_or_default();
            format!(
                "in order of arrival, {} requests a second{workers}{queue}{}",
                brief(*rate, 1),
                self::service(service)
            )
        }
        ServerSpec::Concurrency { base, per_request } => {
            format!("{}, and {} more for each request under way", span(*base), span(*per_request))
        }
        ServerSpec::Sharded { shards, rate, service } => {
            format!("{shards} shards, together {} requests a second{}", brief(*rate, 1), self::service(service))
        }
        ServerSpec::Rows { rows, latency } => {
            format!(
                "{rows} rows under optimistic locks; work takes {}, and one of those on a row at once wins",
                span(*latency)
            )
        }
    }
}

fn service(service: &ServiceTime) -> String {
    match service {
        ServiceTime::Fixed => String::new(),
        ServiceTime::Exponential => ", times of service exponential".to_owned(),
        ServiceTime::Bimodal { common, rare, share } => {
            format!(", mostly in {}, {} of them in {}", span(*common), part(*share), span(*rare))
        }
    }
}

fn limit(limit: &LimitSpec) -> String {
    let hint = if limit.hint { "with the time to wait" } else { "without a hint" };
    format!(
        "{} requests per {}; the rest is refused {hint}{}",
        limit.requests,
        span(limit.per),
        answer(&limit.answer, 429)
    )
}

fn quota(quota: &QuotaSpec) -> String {
    format!("{} requests in all; the rest is refused{}", count(quota.requests as f64), answer(&quota.answer, 402))
}

fn token(token: &TokenSpec) -> String {
    let refused = answer(&token.answer, 401);
    format!("good for {}; a login takes {}; old ones are refused{refused}", span(token.lives), span(token.login))
}

fn fault(fault: &FaultSpec) -> String {
    let whom =
        if fault.share < 1.0 { format!("{} of the requests", part(fault.share)) } else { "all requests".to_owned() };
    let whom = fault.shard.map(|shard| format!("{whom} to shard {shard}")).unwrap_or(whom);
    let what = match &fault.kind {
        FaultKind::Hold => format!("{whom} are held, and all arrive when it ends"),
        FaultKind::Drop => format!("{whom} vanish without an answer"),
        FaultKind::Refuse => format!("no connection is made for {whom}"),
        FaultKind::Restart => "the server is away; what it worked on breaks off".to_owned(),
        FaultKind::Answer(spec) => format!("{whom} are answered at once{}", answer(spec, 503)),
        FaultKind::Slow(factor) => format!("work takes {} times as long, for {whom}", brief(*factor, 2)),
        FaultKind::Delay(by) => format!("answers come {} later, to {whom}", span(*by)),
    };
    let again = fault.every.map(|every| format!(", again every {}", span(every))).unwrap_or_default();
    format!("from {} for {}{again}: {what}", span(fault.from), span(fault.length))
}

fn answer(answer: &ResponseSpec, unless_told: u16) -> String {
    let status = answer.status.unwrap_or(unless_told);
    let wait = answer.retry_after.map(|wait| format!(" and Retry-After {}", span(wait))).unwrap_or_default();
    format!(", status {status}{wait}")
}

fn span(span: Duration) -> String {
    format_duration(span).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_scenario_sets_is_said() {
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
            "Run: 1m 30s, of a server that speaks “ranex”\n\
             Calls: 200 a second, at random (Poisson); from 4s for 2s 9 to 12 a second; at 3s 1 500 at once; 25 % may not be done twice; through 3 layers of services that all retry\n\
             Patience: 10s for a call, 1s for an attempt; the network takes 5ms each way\n\
             Server: 4 shards, together 400 requests a second, times of service exponential\n\
             LimitSpec: 100 requests per 1s; the rest is refused with the time to wait, status 503\n\
             QuotaSpec: 5 000 requests in all; the rest is refused, status 402\n\
             Tokens: good for 20s; a login takes 500ms; old ones are refused, status 401\n\
             FaultSpec: from 20s for 5s, again every 10s: 50 % of the requests to shard 1 are answered at once, status 503 and Retry-After 7s"
        );
    }
}
