//! Hints on a success: the request succeeded, and the server asks for a pause
//! before the next one.

use super::Dialect;
use super::condition::{Condition, Facts};
use super::hints::{Hint, HintPlace};
use super::spec::Spec;
use super::standard::Standard;
use super::window::Windows;
use crate::cells::{Cell, Cells};
use crate::envelope::whole_cells;
use crate::head::{Head, ServerClock};
use crate::hint::RetryHint;
use crate::plan::Plans;

/// The hints that are read of successes, and the members of the body that they
/// need.
#[derive(Debug)]
pub(crate) struct SuccessHints {
    hints: Vec<Hint<Cell>>,
    plan: Plans,
}

impl SuccessHints {
    /// Compiles the hints of a dialect; `None` if it declares none, so that a
    /// success costs one comparison.
    pub(super) fn new(spec: &Spec) -> Option<Box<Self>> {
        if spec.success_hints.is_empty() {
            return None;
        }
        let mut plan = Plans::new(spec.spelling);
        let compiled = spec.success_hints.iter();
        let hints = compiled.filter_map(|hint| hint.compile(|spec| plan.cell(&spec.path, &spec.merge))).collect();
        Some(Box::new(Self { hints, plan: plan.finish() }))
    }

    pub(super) const fn plan(&self) -> &Plans {
        &self.plan
    }

    fn reads_body(&self) -> bool {
        self.plan.each().iter().any(|plan| plan.values() > 0)
    }

    /// Returns `true` if the body of a response with this head may hold one.
    fn may_be_in_body_of(&self, head: &Head<'_>) -> bool {
        let has_body = matches!(head.status, 200..=203 | 206..=299);
        let mut asked = self.hints.iter().filter(|hint| hint.needs_body_of(head));
        has_body && self.reads_body() && asked.any(|hint| head.may_be_document() || hint.names_media_type())
    }

    /// Returns the longest wait. The end of a rate-limit window is a wait only if
    /// nothing is left of its quota.
    fn read(&self, facts: &Facts<'_, '_>, clock: &ServerClock<'_>) -> Option<RetryHint> {
        let waits = self.hints.iter().filter(|hint| !hint.is_reset()).filter_map(|hint| hint.read(facts, clock));
        let used_up = Windows::read(&self.hints, &Standard::default(), facts, clock).used_up();
        let longest = waits.chain(used_up).reduce(|a, b| a.later_at(b, clock.now()))?;
        (!longest.delay(clock.now()).is_zero()).then_some(longest)
    }
}

impl Hint<Cell> {
    /// Returns `true` if it needs the body of a response whose head does not rule
    /// it out.
    fn needs_body_of(&self, head: &Head<'_>) -> bool {
        let is_in_body = matches!(self.place, HintPlace::Body(..));
        let mut conditions = self.when.iter().map(|condition| condition.of_head(head));
        let is_asked = conditions.clone().all(|holds| holds != Some(false));
        is_asked && (is_in_body || conditions.any(|holds| holds.is_none()))
    }

    fn names_media_type(&self) -> bool {
        self.when.iter().any(|condition| matches!(condition, Condition::MediaType(_)))
    }
}

impl Dialect {
    /// Returns `true` if the dialect declares hints that are read of successes
    /// (`[retry] success_hints`).
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert!(dialects::stackexchange().has_success_hints() && !dialects::vlens().has_success_hints());
    /// ```
    #[inline]
    #[must_use]
    pub fn has_success_hints(&self) -> bool {
        self.compiled().success.is_some()
    }

    /// Returns `true` if anything but the status of a response decides whether it
    /// is a success, or if successes have hints.
    ///
    /// A layer returns a success of any other dialect without a look at it.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert!(dialects::vlens().reads_successes());
    /// assert!(!dialects::ranex().reads_successes());
    /// ```
    #[inline]
    #[must_use]
    pub fn reads_successes(&self) -> bool {
        let compiled = self.compiled();
        compiled.signals_in_body || compiled.signals_by_head || compiled.success.is_some() || self.is_grpc()
    }

    /// Returns `true` if the body of a success with this head may hold one of the
    /// declared hints.
    ///
    /// A 204 or 205 has no body. Of any other 2xx the media type decides: one that
    /// a JSON or XML document may have ([`Head::may_be_document`]), or one that the
    /// `when` of a hint names.
    #[inline]
    #[must_use]
    pub fn may_hint_in_body(&self, head: &Head<'_>) -> bool {
        self.compiled().success.as_ref().is_some_and(|success| success.may_be_in_body_of(head))
    }

    /// Returns how long a success asks its caller to pause, by the hints that the
    /// dialect declares for successes.
    ///
    /// `body` is the body in as many pieces as it came in; without one only headers
    /// are read. `None` where the status is not a 2xx, where no hint is declared or
    /// stated, and where the wait is zero. A member counts only if the document
    /// is complete and without a mistake. The longest wait counts. The end of a
    /// rate-limit window counts if its quota is used up.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_envelope::{Dialect, Head};
    ///
    /// let toml = "name = \"acme\"\n[retry]\nsuccess_hints = [{ body = \"backoff\", unit = \"s\" }]\n";
    /// let acme = Dialect::from_toml("acme.toml", toml)?;
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
    /// let wait = |body: &str| acme.success_hint(&head, [body.as_bytes()]).map(|hint| hint.delay(head.received));
    /// assert_eq!(wait(r#"{"items":[],"backoff":10}"#), Some(Duration::from_secs(10)));
    /// assert_eq!(wait(r#"{"items":[]}"#), None);
    /// # Ok::<(), redress_envelope::DialectError>(())
    /// ```
    #[must_use]
    pub fn success_hint<'b, I>(&self, head: &Head<'_>, body: I) -> Option<RetryHint>
    where
        I: IntoIterator<Item = &'b [u8]>,
        I::IntoIter: Clone,
    {
        let success = self.compiled().success.as_ref().filter(|_| matches!(head.status, 200..=299))?;
        let clock = ServerClock::new(head);
        let read = |cells: &Cells<'_>| success.read(&Facts::new(head, cells), &clock);
        if !self.may_hint_in_body(head) {
            return read(&Cells::new());
        }
        let pieces = body.into_iter();
        match head.decoded(pieces.clone()) {
            Some(text) => read(&whole_cells(&success.plan, [text.as_bytes()].into_iter())),
            None => read(&whole_cells(&success.plan, pieces)),
        }
    }
}
