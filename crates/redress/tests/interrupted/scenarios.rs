//! Scenarios of a stack, one each.

use std::num::NonZeroU32;
use std::time::Duration;

use http::{Request, Response};
use redress::{BackoffLayer, Budget, Deadline, Limit, RedressLayer, TransportError};
use redress_sandbox::strict_mock::Answer;

use super::body::Slow;
use super::{EXPIRED, LOGIN, REFRESH, SUCCESS, Upload, answer, request};

type Answers = Vec<Answer<Response<Slow>>>;

/// A call, and what the world makes of it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) request: Request<Upload>,
    pub(crate) answers: Answers,
    /// The cost of each send, the first one included.
    pub(crate) costs: Vec<u32>,
    /// `None` without credentials.
    pub(crate) logins: Option<Answers>,
    pub(crate) capacity: u32,
    pub(crate) change: fn(RedressLayer) -> RedressLayer,
    /// When the transport is full, and for how long.
    pub(crate) full: Option<(Duration, Duration)>,
    /// The answer to another call through the same layer, and how much later it begins; at zero it ends before this one begins.
    pub(crate) other: Option<(Duration, Answers)>,
    /// The answers to calls that end before this one begins, through the same layer.
    pub(crate) before: Answers,
    /// The number of calls that succeed in 100 ms before this one begins, through the same layer.
    pub(crate) known: usize,
    /// Whether the call succeeds if it is not dropped.
    pub(crate) succeeds: bool,
}

const T: u32 = Budget::TRANSIENT_COST;
const MS: Duration = Duration::from_millis(1);

/// Makes every scenario, with answers that come after this delay.
pub(crate) fn all(delay: Duration) -> Vec<Scenario> {
    let mut all = [answers(), bodies(), credentials(), limits(), paced(), outages(), hedges()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    for scenario in &mut all {
        let late = |answers: Answers| answers.into_iter().map(|answer| answer.after(delay)).collect();
        // Where a scenario is about the time that something takes, it says so itself.
        if !scenario.name.starts_with("late") {
            scenario.answers = late(std::mem::take(&mut scenario.answers));
            scenario.logins = scenario.logins.take().map(late);
        }
    }
    all
}

fn scenario(name: &'static str, method: &str, answers: Answers, costs: &[u32]) -> Scenario {
    Scenario {
        name,
        request: request(method),
        answers,
        costs: costs.to_vec(),
        logins: None,
        capacity: 500,
        change: |layer| layer,
        full: None,
        other: None,
        before: Vec::new(),
        known: 0,
        succeeds: true,
    }
}

fn hinted(status: u16, seconds: &str) -> Answer<Response<Slow>> {
    Answer::ok(Response::builder().status(status).header("retry-after", seconds).body(Slow::whole("")).unwrap())
}

/// Answers of the upstream and failures of the transport.
fn answers() -> Vec<Scenario> {
    let refused = || Answer::error(TransportError::connect("refused"));
    let broken = || Answer::error(TransportError::body("broken"));
    vec![
        scenario("a success", "POST", vec![answer(200, SUCCESS)], &[0]),
        scenario("a fault, then a success", "GET", vec![answer(503, ""), answer(200, SUCCESS)], &[0, T]),
        Scenario {
            succeeds: false,
            ..scenario(
                "faults to the last attempt",
                "GET",
                vec![answer(500, ""), answer(502, ""), answer(504, "")],
                &[0, T, T],
            )
        },
        scenario(
            "throttled with a hint, then a success",
            "POST",
            vec![hinted(429, "3"), hinted(429, "1"), answer(200, SUCCESS)],
            &[0, Budget::THROTTLING_COST, Budget::THROTTLING_COST],
        ),
        Scenario { succeeds: false, ..scenario("a hint beyond all patience", "GET", vec![hinted(503, "9999")], &[0]) },
        Scenario { succeeds: false, ..scenario("what must not be repeated", "POST", vec![answer(500, "")], &[0]) },
        scenario("refused, then a success", "POST", vec![refused(), answer(200, SUCCESS)], &[0, T]),
        scenario("broken off, then a success", "GET", vec![broken(), answer(200, SUCCESS)], &[0, T]),
    ]
}

/// Bodies that take time, or that cannot be sent twice.
fn bodies() -> Vec<Scenario> {
    let slow = |status, pieces: &[&'static str]| {
        Answer::ok(Response::builder().status(status).body(Slow::pieces(pieces.iter().copied(), MS * 30)).unwrap())
    };
    let fault = ["{\"error_code\":", "500,", "\"error_message\":\"no\"}"];
    let mut once = scenario("a body that goes once", "GET", vec![answer(503, "")], &[0]);
    once.request.body_mut().can_be_copied = false;
    vec![
        scenario("a slow error, then a success", "GET", vec![slow(503, &fault), answer(200, SUCCESS)], &[0, T]),
        scenario(
            "a success that might have been an error",
            "POST",
            vec![slow(200, &["{\"data\":1,", "\"error_code\":", "null}"])],
            &[0],
        ),
        Scenario { succeeds: false, ..scenario("an error in a slow success", "POST", vec![slow(200, &fault)], &[0]) },
        Scenario { succeeds: false, ..once },
    ]
}

/// Calls with credentials.
fn credentials() -> Vec<Scenario> {
    let login = || Some(vec![answer(200, LOGIN), answer(200, REFRESH)]);
    let late = || Some(vec![answer(200, LOGIN).after(MS * 8_000), answer(200, REFRESH)]);
    vec![
        Scenario { logins: login(), ..scenario("a login first", "POST", vec![answer(200, SUCCESS)], &[0]) },
        Scenario {
            logins: login(),
            ..scenario("a refresh, then a replay", "POST", vec![answer(200, EXPIRED), answer(200, SUCCESS)], &[0, 0])
        },
        Scenario {
            logins: login(),
            ..scenario(
                "a fault, a refresh, a fault, a success",
                "GET",
                vec![answer(500, ""), answer(200, EXPIRED), answer(503, ""), answer(200, SUCCESS)],
                &[0, T, 0, T],
            )
        },
        Scenario {
            logins: login(),
            succeeds: false,
            ..scenario("rejected once more", "POST", vec![answer(200, EXPIRED), answer(200, EXPIRED)], &[0, 0])
        },
        Scenario {
            logins: Some(vec![hinted(503, "1"), answer(200, LOGIN), answer(200, REFRESH)]),
            ..scenario("a login that is retried", "POST", vec![answer(200, SUCCESS)], &[0])
        },
        Scenario {
            logins: late(),
            succeeds: false,
            change: |layer| layer.deadline(MS * 3_000),
            ..scenario("late login, and a deadline", "GET", vec![], &[])
        },
    ]
}

/// Limits of time, budget and concurrency.
fn limits() -> Vec<Scenario> {
    let never = || answer(200, SUCCESS).after(MS * 100_000);
    vec![
        Scenario {
            succeeds: false,
            change: |layer| layer.deadline(MS * 2_000),
            ..scenario("late answer, and a deadline", "GET", vec![never()], &[0])
        },
        Scenario {
            change: |layer| layer.attempt_timeout(MS * 500),
            ..scenario("late answer, cut and tried again", "GET", vec![never(), answer(200, SUCCESS)], &[0, T])
        },
        Scenario {
            succeeds: false,
            change: |layer| layer.attempt_timeout(MS * 500).deadline(MS * 700),
            ..scenario("late answers, and a deadline in the second", "GET", vec![never(), never()], &[0, T])
        },
        Scenario {
            succeeds: false,
            capacity: Budget::TRANSIENT_COST,
            ..scenario("a budget for one retry", "GET", vec![answer(503, ""), answer(503, "")], &[0, T])
        },
        Scenario { succeeds: false, capacity: 0, ..scenario("no budget", "GET", vec![answer(503, "")], &[0]) },
        Scenario {
            full: Some((MS * 20, MS * 400)),
            ..scenario("no place for the retry", "GET", vec![answer(503, ""), answer(200, SUCCESS)], &[0, T])
        },
        Scenario {
            full: Some((MS * 20, MS * 4_000)),
            succeeds: false,
            change: |layer| layer.deadline(MS * 1_000),
            ..scenario("no place for the retry before the deadline", "GET", vec![answer(503, "")], &[0])
        },
    ]
}

/// A request a second to the one route there is.
fn limited(layer: RedressLayer) -> RedressLayer {
    let sixty = NonZeroU32::new(60).expect("it is not zero");
    let limit = |method: &str| {
        let route = format!("{method} /v1/things").parse().expect("a route");
        Limit::new(route, sixty, Duration::from_secs(60)).burst(NonZeroU32::MIN)
    };
    layer.pace(|pace| pace.limit(limit("GET")).limit(limit("POST")))
}

/// Calls that wait for the gate or for limits.
fn paced() -> Vec<Scenario> {
    let parked = |seconds| Some((Duration::ZERO, vec![hinted(429, seconds)]));
    let success = || vec![answer(200, SUCCESS)];
    let fault = || vec![answer(503, ""), answer(200, SUCCESS)];
    vec![
        Scenario { other: parked("3"), ..scenario("parked by the hint of another call", "POST", success(), &[0]) },
        Scenario {
            other: parked("3"),
            full: Some((MS * 1_000, MS * 9_000)),
            ..scenario("parked, and no place when the gate opens", "POST", success(), &[0])
        },
        Scenario {
            other: parked("30"),
            succeeds: false,
            change: |layer| layer.deadline(MS * 2_000),
            ..scenario("held back by the deadline", "POST", vec![], &[])
        },
        Scenario {
            other: Some((Duration::ZERO, success())),
            change: limited,
            ..scenario("in the queue of a limit", "POST", success(), &[0])
        },
        Scenario { change: limited, ..scenario("a retry in the queue of a limit", "GET", fault(), &[0, T]) },
        Scenario {
            other: Some((MS * 10, vec![hinted(429, "2")])),
            ..scenario("a retry that finds the gate closed", "GET", fault(), &[0, T])
        },
        Scenario {
            other: Some((MS * 10, vec![hinted(429, "30")])),
            succeeds: false,
            change: |layer| layer.deadline(MS * 5_000),
            ..scenario("a retry that the gate holds back until behind the deadline", "GET", vec![answer(503, "")], &[0])
        },
        Scenario {
            logins: Some(vec![answer(200, LOGIN), answer(200, REFRESH)]),
            change: limited,
            ..scenario(
                "a refresh, then a replay in the queue of a limit",
                "POST",
                vec![answer(200, EXPIRED), answer(200, SUCCESS)],
                &[0, 0],
            )
        },
    ]
}

/// Calls in an outage, which began with two failures of other calls and that of the first attempt.
fn outages() -> Vec<Scenario> {
    let success = || answer(200, SUCCESS);
    let outage = |name, deadline, answers, costs: &[u32]| {
        let mut scenario = scenario(name, "GET", answers, costs);
        scenario.request.extensions_mut().insert(Deadline::from_now(deadline));
        Scenario { before: vec![success(), answer(503, ""), answer(503, "")], ..scenario }
    };
    let limit = MS * 60_000;
    let faults = |count| std::iter::repeat_with(|| answer(503, "")).take(count);
    // It has no deadline, and passes the gate.
    let opening = || Some((MS * 50, vec![answer(200, SUCCESS)]));
    vec![
        outage("its own probes end the outage", limit, faults(3).chain([success()]).collect(), &[0; 4]),
        Scenario {
            other: opening(),
            ..outage("released from the line", limit, faults(1).chain([success()]).collect(), &[0, T])
        },
        Scenario {
            other: opening(),
            ..outage(
                "released from the line, and sent again after a fault",
                limit,
                faults(2).chain([success()]).collect(),
                &[0, T, T],
            )
        },
        Scenario {
            other: opening(),
            full: Some((MS * 20, MS * 400)),
            ..outage("released, and no place for the resend", limit, faults(1).chain([success()]).collect(), &[0, T])
        },
        Scenario {
            other: opening(),
            capacity: 0,
            succeeds: false,
            ..outage("released, and no tokens for the resend", limit, faults(1).collect(), &[0])
        },
        Scenario { succeeds: false, ..outage("in the line until the deadline", MS * 140, faults(1).collect(), &[0]) },
        Scenario {
            succeeds: false,
            ..outage("late probe, cut by the deadline", MS * 2_000, faults(1).chain([late()]).collect(), &[0, 0])
        },
    ]
}

/// Calls of a layer that hedges.
fn hedges() -> Vec<Scenario> {
    let hedged = |name, answers, costs: &[u32]| Scenario {
        known: 50,
        change: |layer| layer.backoff(BackoffLayer::hedge),
        ..scenario(name, "GET", answers, costs)
    };
    let after = |status, millis: u32| answer(status, if status == 200 { SUCCESS } else { "" }).after(MS * millis);
    let expired = answer(200, EXPIRED).after(MS * 300);
    vec![
        hedged("late answer, and a hedge that wins", vec![late(), after(200, 50)], &[0, T]),
        hedged("late answer, after its hedge has failed", vec![after(200, 900), after(503, 50)], &[0, T]),
        hedged(
            "late faults of both, and a retry",
            vec![after(503, 300), after(503, 300), answer(200, SUCCESS)],
            &[0, T, T],
        ),
        Scenario {
            succeeds: false,
            change: |layer| layer.backoff(BackoffLayer::hedge).deadline(MS * 2_000),
            ..hedged("late answers of both, and a deadline", vec![late(), late()], &[0, T])
        },
        Scenario {
            full: Some((MS * 20, MS * 400)),
            ..hedged("late answer, and no place for its hedge", vec![after(200, 900)], &[0])
        },
        Scenario { capacity: 0, ..hedged("late answer, and no tokens for its hedge", vec![after(200, 900)], &[0]) },
        Scenario {
            logins: Some(vec![answer(200, LOGIN), answer(200, REFRESH)]),
            ..hedged(
                "late rejection, which cancels the hedge and is resent",
                vec![expired, late(), answer(200, SUCCESS)],
                &[0, T, 0],
            )
        },
    ]
}

/// An answer that comes after all deadlines.
fn late() -> Answer<Response<Slow>> {
    answer(200, SUCCESS).after(MS * 100_000)
}
