//! The figures of a run, and what is promised of them.

use std::fmt;
use std::time::Duration;

use redress_sandbox::Sandbox;
use serde::Serialize;

use crate::Arguments;
use crate::faults::{Fault, Faults};
use crate::worker::FLIGHT_TIMEOUT;

/// The counts of a run, by the server's own log.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) tokens_shown_twice: u64,
    pub(crate) unneeded_logins: u64,
    pub(crate) spans_over_limit: usize,
    pub(crate) spans_of_late_arrivals: usize,
    pub(crate) late_arrivals: usize,
    pub(crate) used_share: f64,
    pub(crate) arrivals_in_cooldown: u32,
    pub(crate) store_calls_per_request: f64,
    pub(crate) kills: u32,
    #[serde(flatten)]
    pub(crate) faults: Faults,
    pub(crate) stops_in_the_gap: u64,
    pub(crate) timeouts: u64,
    pub(crate) refreshes: u64,
    /// Kills that may have lost a pair between the send and the commit.
    #[serde(skip)]
    pub(crate) lost_tokens: u32,
}

/// A request to an API with a limit: when it arrived, and when it was sent, in milliseconds since the server began.
pub(crate) struct Arrival {
    pub(crate) at: u64,
    pub(crate) sent: u64,
}

impl Figures {
    pub(crate) const fn new(faults: Faults) -> Self {
        Self {
            tokens_shown_twice: 0,
            unneeded_logins: 0,
            spans_over_limit: 0,
            spans_of_late_arrivals: 0,
            late_arrivals: 0,
            used_share: 0.0,
            arrivals_in_cooldown: 0,
            store_calls_per_request: 0.0,
            kills: 0,
            faults,
            stops_in_the_gap: 0,
            timeouts: 0,
            refreshes: 0,
            lost_tokens: 0,
        }
    }

    /// Adds the log of the issuer.
    pub(crate) fn add_tokens(&mut self, issuer: &Sandbox, accounts: u32, stops_in_the_gap: u64) {
        // A process that was stopped behind its last check cannot be held back.
        self.tokens_shown_twice = issuer.reused_refresh_tokens().saturating_sub(stops_in_the_gap);
        self.unneeded_logins = issuer.logins().saturating_sub(accounts.into());
        self.refreshes = issuer.generation().saturating_sub(issuer.logins());
        self.stops_in_the_gap = stops_in_the_gap;
    }

    /// Adds the arrivals at an API with a limit, and the calls to the store meanwhile.
    ///
    /// A limit is kept for requests that arrive within its margin after the send. One that arrives later, since its process or the
    /// server had no processor or was stopped behind the last check, counts as if it had arrived at the end of the margin.
    pub(crate) fn add_limit(&mut self, arrivals: Vec<Arrival>, requests: u64, window: Duration, store_calls: u64) {
        let (window, most) = (window.as_millis() as u64, requests as usize);
        let over = |times: &[u64]| times.windows(most + 1).filter(|span| span[most] - span[0] < window).count();
        let margin = (window / 50).clamp(1, 1_000);
        let is_late = |arrival: &&Arrival| arrival.at > arrival.sent + margin;
        self.late_arrivals = arrivals.iter().filter(is_late).count();
        let mut within: Vec<u64> = arrivals.iter().map(|arrival| arrival.at.min(arrival.sent + margin)).collect();
        within.sort_unstable();
        self.spans_over_limit = over(&within);
        let arrivals: Vec<u64> = arrivals.into_iter().map(|arrival| arrival.at).collect();
        self.spans_of_late_arrivals = over(&arrivals).saturating_sub(self.spans_over_limit);
        // The first interval begins with processes that have no permits yet. The least is that of three which follow.
        let end = arrivals.last().copied().unwrap_or_default();
        let used = |before: u64| {
            let interval = (end - before).saturating_sub(window)..end - before;
            arrivals.iter().filter(|arrival| interval.contains(arrival)).count()
        };
        let least = [0, window / 4, window / 2].map(|before| used(before.min(end))).into_iter().min();
        self.used_share = least.unwrap_or_default() as f64 / requests as f64;
        self.store_calls_per_request = store_calls as f64 / arrivals.len().max(1) as f64;
    }

    /// Returns the promises that the run has broken.
    pub(crate) fn broken(&self, arguments: &Arguments) -> Vec<String> {
        let has_grace = arguments.grace() >= FLIGHT_TIMEOUT * 2;
        let without_grace = self.lost_tokens + self.faults.count(Fault::Answers);
        let most_logins = if has_grace { 0 } else { u64::from(without_grace) + self.timeouts };
        let most_logins = most_logins + self.stops_in_the_gap;
        // A lease lasts a fortieth of a short interval, and takes two or three calls.
        let most_calls = (1.2 / arguments.window_s as f64).max(0.02);
        let least_share = least_share(arguments.window_s);
        let rules = [
            (self.tokens_shown_twice == 0, format!("{} refresh tokens were shown twice", self.tokens_shown_twice)),
            (
                self.unneeded_logins <= most_logins,
                format!("{} logins were not needed, at most {most_logins} are explained", self.unneeded_logins),
            ),
            (self.spans_over_limit == 0, format!("{} spans were over the limit", self.spans_over_limit)),
            (
                self.used_share >= least_share,
                format!(
                    "{:.0} % of the limit were used, of at least {:.0} %",
                    self.used_share * 100.0,
                    least_share * 100.0
                ),
            ),
            (
                self.arrivals_in_cooldown == 0,
                format!("{} requests arrived in the cool-down", self.arrivals_in_cooldown),
            ),
            (
                self.store_calls_per_request <= most_calls,
                format!("{:.4} calls to the store a request, of at most {most_calls}", self.store_calls_per_request),
            ),
        ];
        rules.into_iter().filter(|(is_kept, _)| !is_kept).map(|(_, text)| text).collect()
    }
}

/// Returns the least share that is used of a limit whose interval has this number of seconds: 71 % of one for 3 s, and 90 % from 10 s on.
///
/// The shared window is 2 % longer than the time of the limit. A further 0.82 s, the rest of the 10 s, are left for what does not
/// become shorter with the window: the calls to the store of each renewal, the starts of two processes in the place of those that were
/// killed, and other programs of the machine. Without those it is 0.3 s.
fn least_share(window_s: u64) -> f64 {
    ((1.0 - 0.82 / window_s as f64) / 1.02).min(0.9)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("processes killed", self.kills.to_string()),
            ("refreshes", self.refreshes.to_string()),
            ("refresh tokens shown twice", self.tokens_shown_twice.to_string()),
            ("logins that were not needed", self.unneeded_logins.to_string()),
            ("stops behind the last check", self.stops_in_the_gap.to_string()),
            ("calls to the issuer that timed out", self.timeouts.to_string()),
            ("arrivals in the cool-down", self.arrivals_in_cooldown.to_string()),
            ("spans over the limit", self.spans_over_limit.to_string()),
            ("the same by late arrivals alone", self.spans_of_late_arrivals.to_string()),
            ("arrivals later than the margin", self.late_arrivals.to_string()),
            ("share of the limit used", format!("{:.1} %", self.used_share * 100.0)),
            ("calls to the store for each request", format!("{:.4}", self.store_calls_per_request)),
        ];
        rows.iter().try_for_each(|(name, value)| writeln!(f, "{name:<36}{value:>10}"))?;
        self.faults.iter().try_for_each(|(name, count)| writeln!(f, "{name:<36}{count:>10}"))
    }
}
