//! A tower layer that keeps all callers of one upstream within its cool-downs and its published limits.
//!
//! [`Pace`] sits below Backoff, so that retries and resends pass it like first attempts, and above Refresh. It changes neither
//! the request nor the response, but for a mark on a response of an upstream that is not healthy. It has three parts:
//! - **Gates.** If a response says that the upstream is overloaded, no other call of the same partition is sent before the
//!   instant that the server named. The partition is the host and port, or a key of your own. Afterwards the waiting calls are
//!   released one after the other, no faster than the server answers. A call that cannot wait that long fails at once with the
//!   time to come back. If the dialect has [scopes](#scopes), only the calls that share the limit wait.
//! - **Outages.** After failures in a row, calls with a deadline wait while single ones probe, and are released by the first answer:
//!   see [outages](#outages).
//! - **Limits.** The published limits of a route or of the whole API are kept for all callers, in any interval of a minute, in
//!   the order in which the calls arrive.
//!
//! # Guarantees
//! - No call is sent before a server's hint is over, for up to an hour. The spread of a release only adds to it.
//! - No interval of a limit's length holds more requests than the limit: under concurrency, after any pause, with any calls
//!   cancelled. See [`Limit`].
//! - With the gates open and no limit for its route, a request costs three relaxed atomic loads: no lock, no clock, no allocation. One in 16
//!   is timed, at two readings of the clock and a lock; each is while there are few (below 8 to 16 a second), after a failure until
//!   the next answer, and while some upstream is slower than usual. With a limit it costs a lock for some arithmetic, and one
//!   reading of the clock.
//! - Without a [store](#sharing) there is no task, and there are no timers but those of waiting calls: one each at a gate and in its
//!   line, and one for the first call of each queue.
//! - Memory is bounded: 1,024 cool-downs, the health of 1,024 partitions, the buckets of 4,096 routes, 10,000 calls that wait for the
//!   end of one outage, 64 MiB that such calls hold, and a release until no call has waited for a second. If
//!   there are more cool-downs, that of the scope which ends first is widened to its whole partition, so that no call goes
//!   early. Only if there are none of scopes, that of the partition which ends first is removed.
//!
//! # Scopes
//! Many APIs have several limits: GitHub one for searches, Discord one for each channel, Slack one for each method. A dialect
//! says which calls share a limit, by their routes, and how a response names the limit or says that it concerns all calls. A
//! rate limit then cools its scope down, and a call waits for its scope and for its partition, whichever takes longer. A 503
//! with a hint cools the partition down. Each scope has a release of its own; in the release of a partition the calls of all
//! scopes share one queue.
//!
//! If responses name the bucket of their route in a header, the last one is cached. A call on a route whose bucket is not known
//! waits for every cool-down in its scope.
//!
//! # Outages
//! If an upstream fails, calls that are sent fail one after the other, and use up their deadlines, the retry budget, and the
//! capacity of a server that is coming back. So the gate of a partition is shut after as many failures in a row as do not come by
//! chance: 3 if failures are rare, 8 where 30 % of the calls fail; 2 and 4 for a client that calls once in two seconds or less
//! often, since few of its calls wait because of a mistake, and few show an outage before it is over. A failure is a response
//! that says that the service is unavailable, without a hint (502, 503, 504, or what the dialect says), a connection that fails,
//! a reset or a timeout. A dropped attempt is none: it may have waited for credentials. A 500, a 429 and an error of the request
//! are none: one bad request or route must not stop the others. A host that never answered is never shut, since its URL may be
//! wrong.
//!
//! While it is shut:
//! 1. A call with a [`Deadline`](redress_classify::Deadline) waits, until twice the usual latency before it. Then it fails with
//!    [`is_paced`](redress_classify::Error::is_paced). It fails at once if 10,000 calls wait or hold
//!    [64 MiB](PaceLayer::max_waiting_bytes), if it
//!    [must not wait](FailFast), or if the outage is older than [10 times](PaceLayer::outage_patience) the time that it has left.
//! 2. A call without a deadline is sent, and fails by itself: it could wait for ever.
//! 3. One call at a time is sent as a probe, in the order of their deadlines, of those that are idempotent if there is any. One that
//!    failed probes again after all others, so that a call of a broken route does not hold those that would be answered. The
//!    next probe follows after a tenth of the outage's age, 100 ms to 2 s (30 s for a client that calls rarely), with jitter; a client
//!    probes no more often than it calls, and half as often after a timeout, so that a fleet leaves a server that hangs the capacity
//!    to work off its queue. A probe that hangs or is dropped is replaced. An outage of timeouts that begins no later after the last
//!    one than that one lasted continues it, and its intervals.
//! 4. The first answer to any call opens the gate, and the calls that wait are released.
//!
//! [`Gate`] shows the state, opens and shuts it by hand, and ends the waits at shutdown. [`PaceLayer::without_outages`] turns all of
//! this off.
//!
//! # The release
//! After a cool-down all waiting calls become ready, each at a random instant within the spread, and after an outage at once, in
//! addition to the usual traffic. A server with little capacity to spare would get several times as much, its queue would outgrow
//! the timeouts of its clients, and no call would succeed. So a release has a window, as TCP has (RFC 5681): answers make room for
//! the next calls.
//! 1. The window begins with the concurrency of a good day, rate x latency, which may be below 1: then calls go one at a time, with
//!    pauses. A fleet of clients that share nothing thus brings no more load than on a good day. A client that knows nothing of its
//!    server begins with one call.
//! 2. It grows by half with each round of answers that takes at most 2.5 times the usual latency, and by a tenth once there was a
//!    sign of a queue.
//! 3. If more than half of a round fail, or a fifth end in timeouts while the others are slow, it is halved. A round that takes more
//!    than 4 times as long as usual, or two thirds of the way to the timeout of an attempt, shrinks it by 30 %, though not below its
//!    first size. If half of a round fail with the smallest window too, the failures are not those of a queue, and no longer count:
//!    the window grows, and the upstream is not marked as degraded, so that successes pay for retries as on a good day.
//! 4. Calls go by their deadlines, the earliest first ([or last](PaceLayer::newest_first)); then in the order of arrival. One that
//!    has less than twice the latency left is not sent. A call without a deadline goes without a permit after its maximum wait,
//!    unless it waited for a cool-down.
//! 5. A call that takes more than 4 times the latency frees its place: it is lost, or another kind of call.
//! 6. The release ends once no call has waited for a second.
//!
//! # Sharing
//! Processes with one account share its limits, and each of them would have to learn of a cool-down by a refusal of its own. With
//! [`PaceLayer::share`] they tell each other by a store.
//!
//! Cool-downs:
//! 1. A cool-down that a response starts or extends is written in the background to the record of its partition, by
//!    compare-and-set: the time that is left of it, its spread, its class and its scope. It replaces a shorter one only. No call
//!    waits for a write.
//! 2. A task for each partition in use watches the record, and starts the cool-down here for the time that is left: that in the
//!    record less the age of the record, which the store counts. The clocks of the processes do not matter. An end is later than
//!    that of the first process by at most the delays of the store, and never earlier. The task reads the record when the store
//!    reports a change, and at least every 5 s. It ends 2 to 4 minutes after the last call, and with the layer.
//! 3. The first call to a partition waits for the first load: at most 250 ms, and at most half of the time to its deadline.
//! 4. A store that fails, or does not answer within that time, is unavailable. Then cool-downs stay local, no call waits for the
//!    store, and writes are tried again for as long as the cool-down lasts. A store whose version went back, after a fail-over to
//!    a lagging replica, is told again of what it lost.
//! 5. A record in a later format is not overwritten; cool-downs stay local while it lasts. Other bytes under the key are replaced.
//!    Up to 64 cool-downs fit into a record: beyond that, as in the table, the scope which ends first is widened.
//!
//! Limits:
//! 1. A process takes permits from the record of the limit, a few at a time and ahead of need: for eight requests, or at least 1/40 of
//!    the limit's time. With a permit in its hand a call awaits nothing, and takes the lock of the limit as without a store.
//! 2. No span of the limit's time holds more requests of all processes than the limit, whichever of them end, and whichever answers of
//!    the store are lost; in the simulation 97 to 98 % of it are used. Its time is taken 2 % longer, at most 1 s, for the delays of
//!    the network. A renewal costs two calls to the store: at 100 requests a second and a limit for a minute, 0.02 a request.
//! 3. The burst and the steady rate of [`Limit`] are those of each process. The time that a call is told is an estimate; a call whose
//!    deadline comes first fails then.
//! 4. While the store does not answer, after two leases, each process sends its share: the limit divided by the processes that
//!    it saw last, or by eight if it never reached the store.
//! 5. A store that went back in time grants nothing for a lease, in which the processes report again what they hold and sent.
//! 6. It may be exceeded by a process that is stopped between its last check and the send; after a fail-over by what processes had
//!    taken in the lost writes until they report; after an outage of the store by what some have not reported yet; and by a process
//!    that alone is cut off from the store, by its share.
//!
//! The keys are `{key}/cooldown/{host and port}` and `{key}/limit/{limit}/{host and port}`; a [partition key](PaceLayer::partition)
//! appears as a hash, and so do routes. Outages, buckets of routes, and [`Gate::open`] concern one process. It needs a tokio runtime:
//! without one, nothing is shared. A process that ends right after a refusal may lose its write. With the gates open, a call with a
//! store costs a hash and one or two atomic loads more.
//!
//! # What it does not do
//! It does not slow down because of `RateLimit` fields on successes. Without a store it does not know the requests of other processes.
//!
//! # Events
//! One `tracing` event for each decision, with the target `redress::pace`: `cool-down started`, `call waits`, `gate shut`, `probe`,
//! `gate opened`, and `call rejected` for a call that fails at once. Each has the fields `dialect`, `partition` (host and port; never a path, a
//! query, a user or a key) and `wait`. `cool-down started` has the `class` of the response, and the `scope` unless all calls are
//! concerned; those of calls have a `reason`: `cooldown`,
//! `outage`, `release` or `limit`. A cool-down of another process has `source="store"`; `store unavailable`, `store available again`
//! and `record of cool-downs not readable` are reported once for each change.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use redress_classify::{Error, dialects};
//! use redress_pace::PaceLayer;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = PaceLayer::new(dialects::veridia()).deadline(Duration::from_secs(10));
//! let gate = layer.gate();
//! let mut veridia = ServiceBuilder::new().layer(layer).service(service_fn(|_: Request<()>| async {
//!     let response = Response::builder().status(429).header("retry-after", "30");
//!     Ok::<_, std::io::Error>(response.body(()).expect("a status"))
//! }));
//! let request = || Request::get("https://api.example/v1/verify/vf_1").body(()).expect("a URI");
//!
//! assert_eq!(veridia.ready().await?.call(request()).await?.status(), 429);
//! assert!(gate.cooldown_until(&request()).is_some());
//! let error = veridia.ready().await?.call(request()).await.expect_err("its deadline is sooner");
//! assert!(error.is_paced() && error.retry_at().is_some());
//! # Ok(())
//! # }
//! ```

mod admission;
mod buckets;
mod cooldown;
mod fail_fast;
mod future;
mod gate;
mod gates;
mod gcra;
mod health;
mod keyed_queues;
mod layer;
mod learn;
mod lease;
mod limit;
mod limiter;
mod line;
mod max_wait;
mod outage;
mod partition;
mod scope;
mod service;
mod settings;
mod shared;
#[doc(hidden)]
pub mod straight;
mod telemetry;
mod waker;
mod window;

pub use fail_fast::FailFast;
pub use future::ResponseFuture;
pub use gate::{Gate, GatePhase, GateStatus};
pub use layer::PaceLayer;
pub use limit::Limit;
pub use service::Pace;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
