//! A dialect as its file states it, before it is compiled.

use std::collections::BTreeMap;
use std::time::Duration;

use super::catalogue::{Code, IdempotencyHeader, PublishedLimit, Reason, RetryAdvice, Rule, Status};
use super::condition::Condition;
use super::error_rule::ErrorRule;
use super::hints::{Flag, Hint};
use super::route::Route;
use super::scope::{Cooldown, Scope};
use super::secret_path::SecretPath;
use super::source::Source;
use crate::class::Recovery;
use crate::path::Path;
use crate::pattern::Glob;
use crate::plan::{FieldList, Merge, Spelling};

/// The place of an error in a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Status, headers and body.
    #[default]
    Http,
    /// The status of a gRPC call, in the head or in the trailers.
    Grpc,
}

impl Protocol {
    pub(crate) const ALL: [(&str, Self); 2] = [("http", Self::Http), ("grpc", Self::Grpc)];
}

/// A path, and which of the values that it leads to is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PathSpec {
    pub(crate) path: Path,
    pub(crate) merge: Merge,
}

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) vendor: String,
    pub(crate) spelling: Spelling,
    pub(crate) protocol: Protocol,
    pub(crate) errors: Vec<ErrorRule<PathSpec>>,
    /// The readings that have conditions, in order.
    pub(crate) guarded: Vec<Reading>,
    /// The reading without conditions, used when none of those holds.
    pub(crate) reading: Reading,
    pub(crate) retry: RetryAdvice,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) hold_timeout: Option<Duration>,
    pub(crate) flags: Vec<Flag<PathSpec>>,
    /// The hints that are read of successes.
    pub(crate) success_hints: Vec<Hint<PathSpec>>,
    pub(crate) idempotent: Vec<Route>,
    pub(crate) idempotency: Option<IdempotencyHeader>,
    pub(crate) limits: Vec<PublishedLimit>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) cooldown: Cooldown<PathSpec>,
    pub(crate) secret_headers: Vec<String>,
    pub(crate) secret_paths: Vec<SecretPath>,
    pub(crate) rules: Vec<(Vec<Condition<PathSpec>>, Rule)>,
    pub(crate) codes: BTreeMap<String, Code>,
    pub(crate) reasons: BTreeMap<String, Reason>,
    pub(crate) statuses: BTreeMap<u16, Status>,
}

/// Where the parts of one form of envelope stand; what is `None` is as in the
/// last reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) when: Vec<Condition<PathSpec>>,
    pub(crate) code: Option<Vec<Source<PathSpec>>>,
    pub(crate) message: Option<Vec<Source<PathSpec>>>,
    pub(crate) request_id: Option<Vec<Source<PathSpec>>>,
    pub(crate) reason: Option<Vec<Source<PathSpec>>>,
    pub(crate) fields: Option<Vec<FieldList>>,
    pub(crate) hints: Option<Vec<Hint<PathSpec>>>,
    pub(crate) ordered_hints: Option<bool>,
    /// The standard headers that are not read.
    pub(crate) ignored: Option<Vec<Glob>>,
}

impl Spec {
    /// Returns a dialect that says nothing: status and standard headers decide.
    pub(crate) fn silent(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            vendor: name.to_owned(),
            spelling: Spelling::Exact,
            protocol: Protocol::Http,
            errors: Vec::new(),
            guarded: Vec::new(),
            reading: Reading::default(),
            retry: RetryAdvice::default(),
            attempt_timeout: None,
            hold_timeout: None,
            flags: Vec::new(),
            success_hints: Vec::new(),
            idempotent: Vec::new(),
            idempotency: None,
            limits: Vec::new(),
            scopes: Vec::new(),
            cooldown: Cooldown::default(),
            secret_headers: Vec::new(),
            secret_paths: Vec::new(),
            rules: Vec::new(),
            codes: BTreeMap::new(),
            reasons: BTreeMap::new(),
            statuses: BTreeMap::new(),
        }
    }

    pub(crate) fn add_code(&mut self, code: Code) {
        self.codes.insert(code.code.clone(), code);
    }

    /// Returns `true` if any word of the vendor means that a request was not
    /// processed.
    pub(crate) fn says_not_processed(&self) -> bool {
        self.codes.values().any(|code| code.not_processed)
            || self.statuses.values().any(|status| status.not_processed)
            || self.rules.iter().any(|(_, rule)| rule.not_processed)
    }

    /// Returns `true` if any word of the vendor means that new credentials help.
    pub(crate) fn leads_to_refresh(&self) -> bool {
        let refresh = Some(Recovery::RefreshToken);
        self.codes.values().any(|code| code.leads_to_refresh())
            || self.rules.iter().any(|(_, rule)| rule.leads_to_refresh())
            || self.reasons.values().any(|reason| reason.recovery == refresh)
            || self.statuses.values().any(|status| status.recovery == refresh)
    }

    /// Returns `true` if the error rules ask for the member `data`, as those of
    /// GraphQL do: there it is left out of a response whose request was not
    /// executed, so that a `null` tells something.
    pub(crate) fn tells_by_data(&self) -> bool {
        let predicates = self.errors.iter().flat_map(|rule| &rule.clauses).flat_map(|clause| &clause.predicates);
        predicates.into_iter().any(|(wanted, _)| wanted.path.begins_with("data"))
    }

    /// Returns every reading, the one without conditions last.
    pub(crate) fn readings(&self) -> impl Iterator<Item = &Reading> {
        self.guarded.iter().chain([&self.reading])
    }
}

impl PathSpec {
    /// Wants the one value, or the first of several.
    pub(crate) const fn one(path: Path) -> Self {
        Self { path, merge: Merge::Last }
    }
}

#[cfg(test)]
mod tests {
    use crate::Dialect;

    #[test]
    fn a_dialect_tells_what_its_words_can_mean() {
        for (rest, expected) in [
            ("", [false; 3]),
            ("[codes]\na = { class = \"unavailable\" }\n", [false; 3]),
            ("[codes]\na = { class = \"unavailable\", not_processed = true }\n", [true, false, false]),
            ("[status.418]\nclass = \"unavailable\"\nnot_processed = true\n", [true, false, false]),
            ("[[rules]]\nwhen = { message = \"a*\" }\nnot_processed = true\n", [true, false, false]),
            ("[codes]\na = { class = \"token_expired\" }\n", [false, true, false]),
            ("[status.418]\nrecovery = \"refresh_token\"\n", [false, true, false]),
            ("[status.418]\nrecovery = \"stop\"\n", [false; 3]),
            ("[read]\nreason = \"r\"\n[reasons]\na = { recovery = \"refresh_token\" }\n", [false, true, false]),
            ("[read]\nreason = \"r\"\n[reasons]\na = { recovery = \"stop\" }\n", [false; 3]),
            ("[[rules]]\nwhen = { message = \"a*\" }\nrecovery = \"refresh_token\"\n", [false, true, false]),
            ("[[error]]\nnot_null = \"data.error\"\n", [false, false, true]),
            ("[[error]]\nnot_null = \"error.data\"\n", [false; 3]),
        ] {
            let dialect = Dialect::from_toml("d.toml", &format!("name = \"d\"\n{rest}")).unwrap();
            let spec = &dialect.compiled().spec;
            let means = [spec.says_not_processed(), spec.leads_to_refresh(), spec.tells_by_data()];
            assert_eq!(means, expected, "{rest}");
        }
    }
}
