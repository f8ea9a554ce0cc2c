//! Hedged requests: a second attempt is sent while the first goes on, if that takes longer than 95 % of the calls do.
//!
//! Source: Jeffrey Dean and Luiz André Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013. If slow answers
//! are a matter of chance, the second attempt is most likely a fast one, for 5 % more load. If the upstream as a whole is slow,
//! hedges are harm: so their share is bounded by a count of calls, each is paid from the retry budget, and none is sent while more
//! calls are late than chance explains, or while a layer below reports that the upstream is in an outage, slow, or recovers.
//!
//! - [`quantile`]: the 95th percentile of recent latencies;
//! - [`upstreams`]: that of each upstream, and the share of its calls that may be hedged;
//! - [`race`]: the two futures.
//!
//! Which attempt decides is a matter of `call/hedging.rs`.

mod quantile;
mod race;
mod upstreams;

pub(crate) use self::race::{Race, Racer};
pub(crate) use self::upstreams::{HedgePlan, HedgedUpstream, HedgedUpstreams};
