//! Service centers: queues with workers, shared resources, and rows under optimistic locks.
//!
//! "Service center" is the term of queueing network models (Lazowska et al., *Quantitative System
//! Performance*, 1984).
//!
//! Three models cover the servers that the scenarios need:
//!
//! - `Queues`: G/G/c queues, the model of a service with a fixed number of workers. With one worker and
//!   constant service times the capacity is exactly `rate`.
//! - `Concurrency`: the service time is `base + per_request * n` with `n` requests in flight, the model
//!   of contention on locks and pools. It has no fixed capacity and collapses under load (Brooker's
//!   simple collapse).
//! - `Rows`: optimistic concurrency control. Conflicts grow with the number of concurrent writers of a
//!   row.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use http::{Response, StatusCode};
use rand::RngExt as _;
use rand_distr::{Distribution as _, Exp1};

use super::RequestOutcome;
use crate::scenario::{ServerSpec, ServiceTime};
use crate::streams::Random;
use crate::time;

/// A model of a server, with the state that decides about the next request.
#[derive(Debug)]
pub(crate) enum ServiceCenter {
    /// FIFO queues, one per shard (G/G/c with c workers).
    Queues { queues: Vec<Queue>, work: ServiceTimes },
    /// Processor-sharing without a queue: the more requests are in flight, the longer each takes.
    Concurrency { base: Duration, per_request: Duration, under_way: BinaryHeap<Reverse<Duration>> },
    /// Optimistic locks. Each row has the time at which the current winner commits.
    Rows { rows: Vec<Duration>, latency: Duration },
}

/// Workers and the queue in front of them.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The time at which each worker becomes free.
    workers: BinaryHeap<Reverse<Duration>>,
    /// For a bounded queue: its capacity, and the start of service of each waiting request.
    waiting: Option<(usize, BinaryHeap<Reverse<Duration>>)>,
}

/// The distribution of service times.
#[derive(Debug)]
pub(crate) struct ServiceTimes {
    mean: Duration,
    service: ServiceTime,
}

impl ServiceCenter {
    pub(crate) fn new(spec: &ServerSpec) -> Self {
        match spec {
            ServerSpec::Fifo { rate, workers, service, queue } => Self::Queues {
                queues: vec![Queue::new(*workers, *queue)],
                work: ServiceTimes::new(*rate / f64::from(*workers), service),
            },
            ServerSpec::Sharded { shards, rate, service } => Self::Queues {
                queues: (0..*shards).map(|_| Queue::new(1, None)).collect(),
                work: ServiceTimes::new(*rate / f64::from(*shards), service),
            },
            ServerSpec::Concurrency { base, per_request } => {
                Self::Concurrency { base: *base, per_request: *per_request, under_way: BinaryHeap::new() }
            }
            ServerSpec::Rows { rows, latency } => {
                Self::Rows { rows: vec![Duration::ZERO; *rows as usize], latency: *latency }
            }
        }
    }

    /// Returns the departure time and the outcome of a request that arrives at `at`.
    pub(crate) fn serve(
        &mut self,
        at: Duration,
        shard: u32,
        factor: f64,
        random: &mut Random,
    ) -> (Duration, RequestOutcome) {
        match self {
            Self::Queues { queues, work } => {
                let service = time::times(work.draw(random), factor);
                match queues[shard as usize].take(at, service) {
                    Some(end) => (end, RequestOutcome::Served),
                    None => (at, refused(StatusCode::SERVICE_UNAVAILABLE)),
                }
            }
            Self::Concurrency { base, per_request, under_way } => {
                remove_past(under_way, at);
                let others = u32::try_from(under_way.len()).unwrap_or(u32::MAX);
                let end = time::sum(at, time::times(base.saturating_add(per_request.saturating_mul(others)), factor));
                under_way.push(Reverse(end));
                (end, RequestOutcome::Served)
            }
            Self::Rows { rows, latency } => {
                let end = time::sum(at, time::times(*latency, factor));
                let row = random.random_range(0..rows.len());
                if rows[row] > at {
                    return (end, refused(StatusCode::CONFLICT));
                }
                rows[row] = end;
                (end, RequestOutcome::Served)
            }
        }
    }
}

impl Queue {
    fn new(workers: u32, room: Option<u32>) -> Self {
        let workers = (0..workers).map(|_| Reverse(Duration::ZERO)).collect();
        Self { workers, waiting: room.map(|room| (room as usize, BinaryHeap::new())) }
    }

    /// Returns the end of service; `None` if the queue is full.
    fn take(&mut self, at: Duration, service: Duration) -> Option<Duration> {
        let Reverse(free) = *self.workers.peek().expect("there is a worker");
        let begin = free.max(at);
        if let Some((room, waiting)) = &mut self.waiting {
            remove_past(waiting, at);
            if begin > at && waiting.len() >= *room {
                return None;
            }
            waiting.push(Reverse(begin));
        }
        let end = time::sum(begin, service);
        self.workers.pop();
        self.workers.push(Reverse(end));
        Some(end)
    }
}

impl ServiceTimes {
    fn new(rate: f64, service: &ServiceTime) -> Self {
        Self { mean: time::seconds(1.0 / rate), service: service.clone() }
    }

    /// Draws the service time of one request.
    fn draw(&self, random: &mut Random) -> Duration {
        match &self.service {
            ServiceTime::Fixed => self.mean,
            ServiceTime::Exponential => time::times(self.mean, Exp1.sample(random)),
            ServiceTime::Bimodal { common, rare, share } => {
                if random.random::<f64>() < *share {
                    *rare
                } else {
                    *common
                }
            }
        }
    }
}

/// Removes the times that have passed.
fn remove_past(times: &mut BinaryHeap<Reverse<Duration>>, at: Duration) {
    while times.peek().is_some_and(|Reverse(time)| *time <= at) {
        times.pop();
    }
}

/// An error response without a body.
fn refused(status: StatusCode) -> RequestOutcome {
    let mut response = Response::default();
    *response.status_mut() = status;
    RequestOutcome::Refused(response)
}
