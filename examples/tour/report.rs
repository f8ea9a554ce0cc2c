//! The result of one scenario, and whether the caller's view and the server's log are as documented.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use redress::{Attempt, BoxError, Class, Recovery, WaitSource};
use redress_sandbox::{LogEntry, Sandbox, Vendor};
use serde::Serialize;

use crate::stage::Outcome;

/// A scenario that was run. The serialised fields can be found in the server's log, except for the classes.
#[derive(Serialize)]
pub(crate) struct Report {
    vendor: Vendor,
    scenario: &'static str,
    /// Without the free re-send after a refresh.
    attempts: usize,
    replays: usize,
    classes: Vec<Class>,
    /// As planned.
    waits_ms: Vec<u128>,
    refreshes: usize,
    logins: usize,
    server_hits: usize,
    ok: bool,
    #[serde(skip)]
    pub(crate) call: String,
    #[serde(skip)]
    pub(crate) result: String,
    #[serde(skip)]
    pub(crate) problems: Vec<String>,
    #[serde(skip)]
    hits: Vec<LogEntry>,
    #[serde(skip)]
    log: Vec<LogEntry>,
    #[serde(skip)]
    outcome: Outcome,
    #[serde(skip)]
    order: usize,
}

impl Report {
    /// Compares a call with the server's log of it, from the entry `from` on.
    pub(crate) fn new(scenario: &'static str, sandbox: &Sandbox, from: usize, outcome: Outcome) -> Self {
        let log = sandbox.log();
        let recent = log.get(from..).unwrap_or_default();
        let to = |path: &str| recent.iter().filter(|entry| entry.path.ends_with(path)).count();
        let (method, path) = (outcome.method, &outcome.path);
        let hits: Vec<LogEntry> =
            recent.iter().filter(|entry| entry.method == method && entry.path == *path).cloned().collect();
        let replays = outcome.attempts.iter().filter(|attempt| attempt.is_resend).count();
        let verdicts = outcome.attempts.iter().filter_map(|attempt| attempt.verdict.as_ref());
        let mut report = Self {
            vendor: sandbox.vendor().expect("the tour plays vendors only"),
            scenario,
            attempts: outcome.attempts.len() - replays,
            replays,
            classes: verdicts.map(redress::Verdict::class).collect(),
            waits_ms: outcome.attempts.iter().filter_map(|attempt| attempt.wait).map(|wait| wait.as_millis()).collect(),
            refreshes: to("/RefreshToken") + to("/auth/refresh"),
            logins: to("/Login") + to("/auth/login"),
            server_hits: hits.len(),
            ok: true,
            call: format!("{method} {}", shortened(path)),
            result: result(&outcome),
            problems: Vec::new(),
            hits,
            log,
            outcome,
            order: 0,
        };
        report.compare_times();
        report
    }

    /// Tells of many calls at once, by all that their callers sent.
    pub(crate) fn of_many(
        scenario: &'static str,
        sandbox: &Sandbox,
        from: usize,
        sent: &[Attempt],
        path: &str,
    ) -> Self {
        let mut report = Self::new(scenario, sandbox, from, Outcome::nothing());
        let hits = report.log.iter().skip(from).filter(|entry| entry.path == path);
        report.hits = hits.cloned().collect();
        report.server_hits = report.hits.len();
        report.replays = sent.iter().filter(|attempt| attempt.is_resend).count();
        report.attempts = sent.len() - report.replays;
        let classes = sent.iter().filter_map(|attempt| attempt.verdict.as_ref()).map(redress::Verdict::class);
        report.classes = classes.collect::<BTreeSet<_>>().into_iter().collect();
        report.call = format!("{} x GET {path}", report.attempts);
        report
    }

    pub(crate) fn result(mut self, result: String) -> Self {
        self.result = result;
        self
    }

    pub(crate) fn placed(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    pub(crate) const fn order(&self) -> usize {
        self.order
    }

    pub(crate) const fn ok(&self) -> bool {
        self.ok
    }

    pub(crate) fn title(&self) -> (Vendor, &'static str) {
        (self.vendor, self.scenario)
    }

    pub(crate) fn hits(self, expected: usize) -> Self {
        let found = self.server_hits;
        self.same("hits in the server's log", &found, &expected)
    }

    pub(crate) fn attempts(self, expected: usize) -> Self {
        let found = self.attempts;
        self.same("attempts", &found, &expected)
    }

    pub(crate) fn replays(self, expected: usize) -> Self {
        let found = self.replays;
        self.same("replays", &found, &expected)
    }

    pub(crate) fn refreshes(self, expected: usize) -> Self {
        let found = self.refreshes;
        self.same("refreshes in the server's log", &found, &expected)
    }

    pub(crate) fn logins(self, expected: usize) -> Self {
        let found = self.logins;
        self.same("logins in the server's log", &found, &expected)
    }

    pub(crate) fn classes(self, expected: &[Class]) -> Self {
        let found = self.classes.clone();
        self.same("classes", &found.as_slice(), &expected)
    }

    /// Expects a success, or an error with this code and this recovery.
    pub(crate) fn succeeds(self) -> Self {
        let found = self.outcome.api_error.is_none() && self.outcome.status.is_some_and(|status| status < 300);
        self.same("a success", &found, &true)
    }

    pub(crate) fn fails(self, code: Option<&str>, recovery: Recovery) -> Self {
        let error = self.outcome.api_error.clone();
        let found = error.as_ref().map(|error| (error.code(), error.recovery()));
        self.same("code and recovery", &found, &Some((code, recovery)))
    }

    pub(crate) fn waits(self, expected: &[RangeInclusive<u128>]) -> Self {
        let waits = self.waits_ms.clone();
        let within =
            waits.len() == expected.len() && waits.iter().zip(expected).all(|(wait, range)| range.contains(wait));
        self.that(&format!("planned waits {waits:?} within {expected:?} ms"), within)
    }

    /// Expects that the first wait is the server's own.
    pub(crate) fn hinted(self) -> Self {
        let source = self.outcome.attempts.first().and_then(|attempt| attempt.wait_source.as_ref());
        let hinted = matches!(source, Some(WaitSource::Hint(_)));
        self.that("the first wait is the server's", hinted)
    }

    pub(crate) fn generations(self, expected: &[Option<u64>]) -> Self {
        let found: Vec<_> = self.hits.iter().map(|hit| hit.generation).collect();
        self.same("token generations in the server's log", &found.as_slice(), &expected)
    }

    pub(crate) fn statuses(self, expected: &[Option<u16>]) -> Self {
        let found: Vec<_> = self.hits.iter().map(|hit| hit.status).collect();
        self.same("statuses in the server's log", &found.as_slice(), &expected)
    }

    pub(crate) fn same<T: PartialEq + Debug>(self, what: &str, found: &T, expected: &T) -> Self {
        self.that(&format!("{what}: {found:?}, documented {expected:?}"), found == expected)
    }

    pub(crate) fn that(mut self, what: &str, holds: bool) -> Self {
        if !holds {
            self.problems.push(what.to_owned());
            self.ok = false;
        }
        self
    }

    /// Returns how many hits presented the token of this generation.
    pub(crate) fn with_generation(&self, generation: u64) -> usize {
        self.hits.iter().filter(|hit| hit.generation == Some(generation)).count()
    }

    pub(crate) const fn server_hits(&self) -> usize {
        self.server_hits
    }

    pub(crate) const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Returns what the server answered at each hit; of many hits, how often.
    pub(crate) fn answers(&self) -> String {
        let answer = |hit: &LogEntry| {
            let status = hit.status.map_or_else(|| "cut".to_owned(), |status| status.to_string());
            hit.code.as_ref().map_or_else(|| status.clone(), |code| format!("{status} {code}"))
        };
        let answers: Vec<String> = self.hits.iter().map(answer).collect();
        if answers.len() <= 4 {
            return answers.join(", ");
        }
        let mut counts = BTreeMap::<&str, usize>::new();
        answers.iter().for_each(|answer| *counts.entry(answer).or_default() += 1);
        counts.iter().map(|(answer, count)| format!("{count} x {answer}")).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn class(&self) -> String {
        self.classes.first().map_or_else(|| "-".to_owned(), ToString::to_string)
    }

    /// Returns what the stack did between the first request and the result.
    pub(crate) fn did(&self) -> String {
        let mut did: Vec<String> = self.waits_ms.iter().map(|wait| format!("wait {wait} ms")).collect();
        for (count, what) in [(self.refreshes, "refresh"), (self.logins, "login"), (self.replays, "replay")] {
            match count {
                0 => {}
                1 => did.push(what.to_owned()),
                _ => did.push(format!("{count} x {what}")),
            }
        }
        did.extend(self.outcome.stop.filter(|stop| *stop != redress::EndReason::Success).map(|stop| stop.to_string()));
        if did.is_empty() { "-".to_owned() } else { did.join(", ") }
    }

    pub(crate) fn write_log(&self, folder: &Path) -> Result<(), BoxError> {
        let words: Vec<_> =
            self.scenario.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let file = folder.join(format!("{}-{}.jsonl", self.vendor, words.join("-")));
        let lines = self.log.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        Ok(std::fs::write(file, lines.join("\n") + "\n").map_err(|error| io::Error::other(error.to_string()))?)
    }

    /// Compares each planned wait with the time between two arrivals: no request came early.
    fn compare_times(&mut self) {
        if self.hits.len() != self.outcome.attempts.len() {
            self.problems.push(format!("{} hits for {} requests sent", self.hits.len(), self.outcome.attempts.len()));
            self.ok = false;
            return;
        }
        for (pair, attempt) in self.hits.windows(2).zip(&self.outcome.attempts) {
            let passed = u128::from(pair[1].t_ms.saturating_sub(pair[0].t_ms)) + 1;
            let planned = attempt.wait.unwrap_or_default().as_millis();
            if passed < planned {
                self.problems.push(format!("a request came after {passed} ms, planned {planned} ms"));
                self.ok = false;
            }
        }
    }
}

/// Cuts long ids in a path, for the table.
fn shortened(path: &str) -> String {
    let short = |segment: &str| match segment.char_indices().nth(8) {
        Some((at, _)) if segment.len() > 14 && segment.contains(|c: char| c.is_ascii_digit()) => {
            format!("{}...", &segment[..at])
        }
        _ => segment.to_owned(),
    };
    path.split('/').map(short).collect::<Vec<_>>().join("/")
}

fn result(outcome: &Outcome) -> String {
    match (&outcome.api_error, &outcome.error, outcome.status) {
        (Some(error), _, _) => format!("{} {}", outcome.status.unwrap_or_default(), error.recovery()),
        (None, Some(error), _) => format!("error: {}", error.phase()),
        (None, None, status) => format!("{} success", status.unwrap_or_default()),
    }
}
