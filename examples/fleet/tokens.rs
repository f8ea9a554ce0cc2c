//! Tokens: accounts whose access tokens expire again and again, refreshed by processes that are killed and stopped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use redress::BoxError;
use redress_sandbox::{Sandbox, Vendor};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Arguments;
use crate::faults::{self, Fault, Faults};
use crate::figures::Figures;
use crate::points::Point;
use crate::process::{Process, Totals};
use crate::server::Server;
use crate::worker::{FLIGHT_TIMEOUT, Job};

/// There are many accounts, since each of them waits for a lease to end when its process is killed.
const ACCOUNTS: u32 = 64;
/// The time between two expirations of all access tokens.
const EXPIRY: Duration = Duration::from_millis(250);
/// The time between two calls of an account, in milliseconds, and that of the last refreshes, which leaves the machine to others.
const INTERVAL_MS: u64 = 80;
const SETTLING_MS: u64 = 2000;
/// The length of a stop, which is longer than a lease, and of the time at the end in which each account finishes its last refresh.
const LONG: Duration = FLIGHT_TIMEOUT.saturating_mul(8);

/// A process, and how it ends.
struct Member {
    process: Process,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    /// At a point of the protocol.
    At(Point),
    /// By `kill -9` at this time.
    Killed(Instant),
    Never,
}

/// The processes that finish the last refresh of each account.
pub(crate) struct Settling {
    issuer: Sandbox,
    processes: Vec<Process>,
    totals: Arc<Totals>,
    until: Instant,
}

/// The processes that share tokens.
struct Crew {
    job: Job,
    totals: Arc<Totals>,
    members: Vec<Member>,
}

/// Lets the processes share tokens until enough of them were killed and each fault has happened.
pub(crate) async fn run(
    arguments: &Arguments,
    server: &Arc<Server>,
    figures: &mut Figures,
) -> Result<Settling, BoxError> {
    let issuer = Sandbox::start(Vendor::Vlens).await?;
    issuer.detect_reuse(arguments.grace());
    let job = Job { grace_ms: arguments.grace_ms, ..Job::new(server.address(), issuer.url(), ACCOUNTS, INTERVAL_MS) };
    let mut crew = Crew { job, totals: Arc::default(), members: Vec::new() };
    for _ in 0..arguments.processes {
        crew.members.push(crew.start(End::Never, &mut figures.faults)?);
    }
    while issuer.logins() < ACCOUNTS.into() {
        tokio::time::sleep(EXPIRY).await;
    }
    // The last of these logins is written. From here on, each process that starts has its end.
    tokio::time::sleep(FLIGHT_TIMEOUT).await;
    for member in &mut crew.members {
        member.end = End::Killed(Instant::now());
    }
    let bar = ProgressBar::new(arguments.kills.into())
        .with_style(ProgressStyle::with_template("{bar:34} {pos}/{len} kills")?);
    let mut failing = JoinSet::new();
    for round in 1.. {
        disturb(round, &issuer, server, &crew.members, &mut figures.faults, &mut failing);
        tokio::time::sleep(EXPIRY).await;
        while let Some(failed) = failing.try_join_next() {
            failed??;
        }
        bar.inc(crew.replace_ended(arguments, figures).await?);
        if figures.kills >= arguments.kills && figures.faults.have_all_happened() {
            break;
        }
    }
    bar.finish_and_clear();
    while let Some(failed) = failing.join_next().await {
        failed??;
    }
    crew.settle(issuer, figures).await
}

impl Crew {
    fn start(&self, end: End, faults: &mut Faults) -> Result<Member, BoxError> {
        let job = Job { ahead_s: faults::ahead(faults), ..ending(&self.job, end) };
        Ok(Member { process: Process::start(&job, &self.totals)?, end })
    }

    /// Starts a process in the place of each that has ended, and returns their number.
    async fn replace_ended(&mut self, arguments: &Arguments, figures: &mut Figures) -> Result<u64, BoxError> {
        let mut ended = 0;
        for number in 0..self.members.len() {
            if self.members[number].has_ended().await? {
                ended += 1;
                figures.kills += 1;
                figures.lost_tokens += u32::from(self.members[number].end.may_lose_tokens());
                self.members[number] = self.start(End::random(), &mut figures.faults)?;
                tokio::time::sleep(Duration::from_millis(arguments.kill_every_ms)).await;
            }
        }
        Ok(ended)
    }

    /// Kills all processes, and starts as many that finish the last refresh of each account.
    async fn settle(mut self, issuer: Sandbox, figures: &mut Figures) -> Result<Settling, BoxError> {
        let job = Job { interval_ms: SETTLING_MS, ..self.job.clone() };
        let mut processes = Vec::new();
        for member in &mut self.members {
            member.process.kill().await?;
            figures.kills += 1;
            figures.lost_tokens += 1;
            processes.push(Process::start(&job, &self.totals)?);
        }
        issuer.expire_tokens();
        Ok(Settling { issuer, processes, totals: self.totals, until: Instant::now() + LONG })
    }
}

impl Settling {
    /// Waits until each account has had the time for its last refresh, and adds the log of the issuer.
    pub(crate) async fn end(self, figures: &mut Figures) -> Result<(), BoxError> {
        tokio::time::sleep_until(self.until).await;
        for process in self.processes {
            process.end().await?;
        }
        figures.timeouts = self.totals.timeouts.load(Ordering::Relaxed);
        figures.add_tokens(&self.issuer, ACCOUNTS, self.totals.stops_in_the_gap.load(Ordering::Relaxed));
        Ok(())
    }
}

/// Expires all access tokens, and lets the faults of this round happen.
fn disturb(
    round: u32,
    issuer: &Sandbox,
    server: &Arc<Server>,
    members: &[Member],
    faults: &mut Faults,
    failing: &mut JoinSet<Result<(), BoxError>>,
) {
    issuer.expire_tokens();
    if faults.is_due(Fault::Answers, round) {
        issuer.script("POST /api/credentials/RefreshToken", [redress_sandbox::Fault::drop()]);
    }
    if faults.is_due(Fault::Stops, round) {
        let member = &members[fastrand::usize(..members.len())];
        tokio::spawn(member.process.pause(LONG));
    }
    for fault in [Fault::StoreAnswers, Fault::Notices, Fault::Restarts, Fault::Promotions] {
        if faults.is_due(fault, round) {
            let server = Arc::clone(server);
            failing.spawn(async move { server.fail(fault).await });
        }
    }
}

fn ending(job: &Job, end: End) -> Job {
    let End::At(point) = end else { return job.clone() };
    Job { end_at: Some(point.name().to_owned()), ..job.clone() }
}

impl Member {
    /// Returns `true` if the process has ended, and kills it if it is time.
    async fn has_ended(&mut self) -> Result<bool, BoxError> {
        if matches!(self.end, End::Killed(time) if time <= Instant::now()) {
            self.process.kill().await?;
        }
        self.process.has_ended()
    }
}

impl End {
    /// Each point of the protocol as often as a random time.
    fn random() -> Self {
        match Point::ALL.get(fastrand::usize(..=Point::ALL.len())) {
            Some((point, _)) => Self::At(*point),
            None => Self::Killed(Instant::now() + Duration::from_millis(fastrand::u64(100..1000))),
        }
    }

    /// Returns `true` if a refresh token may be spent and its successor lost.
    const fn may_lose_tokens(self) -> bool {
        match self {
            Self::At(point) => point.loses_tokens(),
            Self::Killed(_) | Self::Never => true,
        }
    }
}
