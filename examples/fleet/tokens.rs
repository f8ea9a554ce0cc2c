//! Tokens: accounts whose access tokens expire again and again, refreshed by processes that are killed and stopped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use redress::BoxError;
use redress_sandbox::{Fault, Sandbox, Vendor};
use tokio::time::Instant;

use crate::Arguments;
use crate::backend::Server;
use crate::figures::Figures;
use crate::points::Point;
use crate::process::{Process, Totals};
use crate::worker::{FLIGHT_TIMEOUT, Job};

/// There are many accounts, since each of them waits for a lease to end when its process is killed.
const ACCOUNTS: u32 = 32;
/// The time between two expirations of all access tokens.
const EXPIRY: Duration = Duration::from_millis(250);
/// One round in 8 loses an answer of the issuer.
const LOST_EVERY: u32 = 8;
/// One round in 40 stops a process for longer than a lease.
const STOP_EVERY: u32 = 40;
/// The length of such a stop, and of the time at the end in which each account finishes its last refresh.
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

/// Lets the processes share tokens until enough of them were killed.
pub(crate) async fn run(arguments: &Arguments, server: &Server, figures: &mut Figures) -> Result<(), BoxError> {
    let issuer = Sandbox::start(Vendor::Vlens).await?;
    issuer.detect_reuse(arguments.grace());
    let job = Job { grace_ms: arguments.grace_ms, ..Job::new(server.address(), issuer.url(), ACCOUNTS, 40) };
    let totals = Arc::new(Totals::default());
    let start = |end| Ok::<_, BoxError>(Member { process: Process::start(&ending(&job, end), &totals)?, end });
    let mut members = (0..arguments.processes).map(|_| start(End::Never)).collect::<Result<Vec<_>, _>>()?;
    while issuer.logins() < ACCOUNTS.into() {
        tokio::time::sleep(EXPIRY).await;
    }
    // The last of these logins is written. From here on, each process that starts has its end.
    tokio::time::sleep(FLIGHT_TIMEOUT * 3).await;
    for member in &mut members {
        member.end = End::Killed(Instant::now());
    }
    let bar = ProgressBar::new(arguments.kills.into())
        .with_style(ProgressStyle::with_template("{bar:34} {pos}/{len} kills")?);
    for round in 1.. {
        disturb(round, &issuer, &members);
        tokio::time::sleep(EXPIRY).await;
        for member in &mut members {
            if figures.kills < arguments.kills && member.has_ended().await? {
                figures.kills += 1;
                figures.lost_tokens += u32::from(member.end.may_lose_tokens());
                bar.inc(1);
                *member = start(End::random())?;
                tokio::time::sleep(Duration::from_millis(arguments.kill_every_ms)).await;
            }
        }
        if figures.kills >= arguments.kills {
            break;
        }
    }
    for member in &mut members {
        member.process.kill().await?;
        figures.lost_tokens += 1;
        *member = start(End::Never)?;
    }
    issuer.expire_tokens();
    tokio::time::sleep(LONG).await;
    bar.finish_and_clear();
    for member in members {
        member.process.end().await?;
    }
    figures.timeouts = totals.timeouts.load(Ordering::Relaxed);
    figures.add_tokens(&issuer, ACCOUNTS, totals.stops_in_the_gap.load(Ordering::Relaxed));
    Ok(())
}

/// Expires all access tokens, and now and then loses an answer or stops a process.
fn disturb(round: u32, issuer: &Sandbox, members: &[Member]) {
    issuer.expire_tokens();
    // Two lost answers in a row cost a login: the token is presented twice at most by one flight.
    if round.is_multiple_of(LOST_EVERY) && issuer.unused_faults() == 0 {
        issuer.script("POST /api/credentials/RefreshToken", [Fault::drop()]);
    }
    if round.is_multiple_of(STOP_EVERY) {
        let member = &members[fastrand::usize(..members.len())];
        tokio::spawn(member.process.pause(LONG));
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
