//! The exceptions: where a policy is known to be dominated or to miss a goal, by how much, and why.
//!
//! The shipped list is `exceptions.toml`. A run fails if a policy falls short where no entry says so, or
//! by more than its entry says. An entry that is no longer needed is reported as a note, so that the
//! list shrinks.

use serde::Deserialize;

use super::{Comparison, Goal, Metric};

/// The text of the shipped list.
const SHIPPED: &str = include_str!("../../exceptions.toml");

/// A list of exceptions, as a TOML file of `[[exception]]` tables.
///
/// # Examples
/// ```
/// use redress_lab::compare::Exceptions;
///
/// let list: Exceptions = r#"
///     [[exception]]
///     policy = "redress"
///     scenario = "vlens-token-expiry"
///     dominated_by = "tower"
///     figure = "p99"
///     far = 17.0
///     reason = "the first wait of the dialect is 500 ms"
///
///     [[exception]]
///     policy = "redress"
///     scenario = "flapping"
///     clients = 100
///     goal = "goodput"
///     far = 0.9
///     reason = "a client sees one call in an outage, and cannot know of it"
/// "#
/// .parse()?;
/// assert_eq!(list.exception.len(), 2);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// The entries.
    #[serde(default)]
    pub exception: Vec<Exception>,
}

/// A shortfall of a policy that is known, with its reason.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Exception {
    /// The policy that falls short.
    pub policy: String,
    /// The shortfall, and how far it goes.
    pub shortfall: Shortfall,
    /// Why it is accepted.
    pub reason: String,
}

/// A policy that is dominated or misses a goal in one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortfall {
    /// The name of the scenario.
    pub scenario: String,
    /// The number of processes.
    pub clients: u32,
    /// In comparison with whom or what.
    pub kind: ShortfallKind,
    /// How far, in the unit of the figure or of the goal.
    pub far: f64,
}

/// The kind of a shortfall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShortfallKind {
    /// Another policy dominates, and this figure is clearly worse.
    DominatedBy(String, Metric),
    /// A goal is missed.
    Goal(Goal),
}

/// The shortfalls that fail a run, and notes on entries that are not needed, each as a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Shortfalls without an entry, or worse than their entry.
    pub failures: Vec<String>,
    /// Entries that are no longer needed.
    pub notes: Vec<String>,
}

/// The entry as its TOML table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    policy: String,
    scenario: String,
    #[serde(default = "one")]
    clients: u32,
    dominated_by: Option<String>,
    figure: Option<Metric>,
    goal: Option<Goal>,
    far: f64,
    reason: String,
}

const fn one() -> u32 {
    1
}

impl TryFrom<Written> for Exception {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let Written { policy, scenario, clients, dominated_by, figure, goal, far, reason } = written;
        let kind = match (dominated_by, figure, goal) {
            (Some(other), Some(figure), None) => ShortfallKind::DominatedBy(other, figure),
            (None, None, Some(goal)) => ShortfallKind::Goal(goal),
            _ => return Err("an exception has either `dominated_by` and `figure`, or `goal`"),
        };
        if !(far.is_finite() && far > 0.0) {
            return Err("`far` must be a number above 0");
        }
        if reason.trim().is_empty() {
            return Err("`reason` must not be empty");
        }
        Ok(Self { policy, shortfall: Shortfall { scenario, clients, kind, far }, reason })
    }
}

impl std::str::FromStr for Exceptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }
}

impl Exceptions {
    /// Returns the list that comes with the lab.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn shipped() -> Self {
        SHIPPED.parse().expect("the shipped list is right")
    }

    /// Compares the shortfalls of a policy with the list. `has_run` tells whether a scenario was run
    /// with a number of processes, and an entry could have been needed.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::compare::{Exceptions, Goal, Shortfall, ShortfallKind};
    ///
    /// let found = Shortfall { scenario: "s".into(), clients: 1, kind: ShortfallKind::Goal(Goal::Goodput), far: 2.0 };
    /// let list: Exceptions = r#"
    ///     exception = [{ policy = "p", scenario = "s", goal = "goodput", far = 1.8, reason = "..." }]
    /// "#
    /// .parse()?;
    /// let judge = |found: &[Shortfall]| list.judge("p", found, |_, _, _| true);
    /// assert!(judge(&[found.clone()]).failures.is_empty(), "0.2 points more are within the tolerance");
    /// assert!(!judge(&[Shortfall { far: 2.5, ..found }]).failures.is_empty());
    /// assert!(!judge(&[]).notes.is_empty(), "it is no longer needed");
    /// # Ok::<(), String>(())
    /// ```
    #[must_use]
    pub fn judge(
        &self,
        policy: &str,
        found: &[Shortfall],
        has_run: impl Fn(&str, u32, &ShortfallKind) -> bool,
    ) -> Judgement {
        let known: Vec<_> = self.exception.iter().filter(|it| it.policy == policy).map(|it| &it.shortfall).collect();
        let failure = |shortfall: &Shortfall| match known.iter().find(|it| it.is_of(shortfall)) {
            None => Some(format!("{policy} {shortfall}, and no exception says so")),
            Some(known) if shortfall.far > known.far + known.tolerance() => {
                Some(format!("{policy} {shortfall}, and its exception says {:.1}", known.far))
            }
            Some(_) => None,
        };
        let is_unneeded = |known: &&&Shortfall| {
            has_run(&known.scenario, known.clients, &known.kind) && !found.iter().any(|it| it.is_of(known))
        };
        let notes = known.iter().filter(is_unneeded);
        Judgement {
            failures: found.iter().filter_map(failure).collect(),
            notes: notes.map(|it| format!("the exception is no longer needed: {policy} {it}")).collect(),
        }
    }
}

impl Comparison {
    /// Returns where another policy dominates this one: each clearly worse figure is a shortfall.
    #[must_use]
    pub fn dominations(&self, policy: &str) -> Vec<Shortfall> {
        let summaries = self.summaries();
        let Some(own) = summaries.iter().find(|it| it.policy == policy) else { return Vec::new() };
        let by = |other: &super::Summary| {
            let figures = own.dominated_by(other).into_iter();
            let far = figures.map(|figure| (figure, own.behind(other, figure)));
            far.map(|(figure, far)| (ShortfallKind::DominatedBy(other.policy.clone(), figure), far)).collect::<Vec<_>>()
        };
        summaries.iter().flat_map(by).map(|(kind, far)| self.shortfall(kind, far)).collect()
    }

    /// Returns the goals that a policy misses.
    #[must_use]
    pub fn missed_goals(&self, policy: &str) -> Vec<Shortfall> {
        let Some(row) = self.goals(policy) else { return Vec::new() };
        let missed = Goal::ALL.into_iter().filter_map(|goal| Some((ShortfallKind::Goal(goal), row.miss(goal)?)));
        missed.map(|(kind, far)| self.shortfall(kind, far)).collect()
    }

    fn shortfall(&self, kind: ShortfallKind, far: f64) -> Shortfall {
        Shortfall { scenario: self.scenario.name.clone(), clients: self.scenario.clients.clients.get(), kind, far }
    }
}

impl Shortfall {
    fn is_of(&self, other: &Self) -> bool {
        (&self.scenario, self.clients, &self.kind) == (&other.scenario, other.clients, &other.kind)
    }

    /// Returns by how much it may exceed its entry: the noise of the seeds. It is a tenth of a recovery,
    /// twice the tolerance of the comparison for all else, and nothing for early requests.
    fn tolerance(&self) -> f64 {
        match &self.kind {
            ShortfallKind::DominatedBy(_, Metric::Goodput) | ShortfallKind::Goal(Goal::Goodput | Goal::NoHarm) => 0.5,
            ShortfallKind::DominatedBy(_, Metric::Load) | ShortfallKind::Goal(Goal::Load) => 2.0,
            ShortfallKind::DominatedBy(_, Metric::P99) => 10.0,
            ShortfallKind::DominatedBy(_, Metric::Recovery) | ShortfallKind::Goal(Goal::Recovery) => {
                2.0 + self.far / 10.0
            }
            ShortfallKind::Goal(Goal::Early) => 0.0,
        }
    }
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scenario, clients, far, .. } = self;
        match &self.kind {
            ShortfallKind::DominatedBy(other, figure) => {
                write!(f, "is dominated by {other} in {scenario}, clients {clients}: ")?;
                write!(f, "{} is worse by {far:.1} {}", figure.name(), figure.unit())
            }
            ShortfallKind::Goal(goal) => {
                write!(
                    f,
                    "misses the goal {} in {scenario}, clients {clients}, by {far:.1} {}",
                    goal.name(),
                    goal.unit()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

    use super::*;

    fn shortfall(clients: u32, kind: ShortfallKind, far: f64) -> Shortfall {
        Shortfall { scenario: "s".to_owned(), clients, kind, far }
    }

    fn by_tower(figure: Metric, far: f64) -> Shortfall {
        shortfall(1, ShortfallKind::DominatedBy("tower".to_owned(), figure), far)
    }

    #[test]
    fn the_shipped_list_names_scenarios_and_policies_that_exist() {
        let scenarios: Vec<_> = crate::scenarios().into_iter().map(|scenario| scenario.name).collect();
        for entry in Exceptions::shipped().exception {
            assert!(scenarios.contains(&entry.shortfall.scenario), "{entry:?}");
            assert!(crate::policies::named(&entry.policy).is_some(), "{entry:?}");
        }
    }

    #[test]
    fn a_shortfall_fails_without_an_entry_and_beyond_it() {
        let list: Exceptions = "
            exception = [
                { policy = 'p', scenario = 's', dominated_by = 'tower', figure = 'p99', far = 20.0, reason = 'r' },
                { policy = 'p', scenario = 's', clients = 100, goal = 'recovery', far = 10.0, reason = 'r' },
                { policy = 'p', scenario = 's', goal = 'early', far = 3.0, reason = 'r' },
            ]"
        .parse()
        .unwrap();
        let goal = |clients, goal, far| shortfall(clients, ShortfallKind::Goal(goal), far);
        for (found, failures) in [
            (by_tower(Metric::P99, 20.0), 0),
            (by_tower(Metric::P99, 5.0), 0),
            (by_tower(Metric::P99, 29.0), 0),
            (by_tower(Metric::P99, 31.0), 1),
            (by_tower(Metric::Load, 1.0), 1),
            (goal(100, Goal::Recovery, 12.9), 0),
            (goal(100, Goal::Recovery, 13.1), 1),
            (goal(1, Goal::Recovery, 1.0), 1),
            (goal(1, Goal::Early, 3.0), 0),
            (goal(1, Goal::Early, 4.0), 1),
        ] {
            let judged = list.judge("p", std::slice::from_ref(&found), |_, _, _| true);
            assert_eq!(judged.failures.len(), failures, "{found}: {judged:?}");
            assert_eq!(list.judge("other", std::slice::from_ref(&found), |_, _, _| true).failures.len(), 1);
        }
    }

    #[test]
    fn an_entry_that_is_not_needed_is_a_note_where_its_scenario_was_run() {
        let list: Exceptions = "
            exception = [{ policy = 'p', scenario = 's', clients = 100, goal = 'goodput', far = 2.0, reason = 'r' }]"
            .parse()
            .unwrap();
        let notes = |ran: u32| list.judge("p", &[], |scenario, clients, _| scenario == "s" && clients == ran).notes;
        let note = "the exception is no longer needed: p misses the goal goodput in s, clients 100, by 2.0 points";
        assert_eq!(notes(100), [note]);
        assert!(notes(1).is_empty());
    }

    #[test]
    fn an_entry_needs_a_kind_a_figure_and_a_reason() {
        for (entry, expected) in [
            ("goal = 'load', far = 0.0, reason = 'r'", "`far` must be a number above 0"),
            ("goal = 'load', far = 1.0, reason = ' '", "`reason` must not be empty"),
            ("goal = 'load', far = 1.0", "missing field `reason`"),
            ("far = 1.0, reason = 'r'", "either `dominated_by` and `figure`, or `goal`"),
            ("dominated_by = 'tower', far = 1.0, reason = 'r'", "either `dominated_by` and `figure`, or `goal`"),
            ("goal = 'loud', far = 1.0, reason = 'r'", "unknown variant `loud`"),
        ] {
            let text = format!("exception = [{{ policy = 'p', scenario = 's', {entry} }}]");
            let error = text.parse::<Exceptions>().unwrap_err();
            assert!(error.contains(expected), "{entry}: {error}");
        }
    }
}
