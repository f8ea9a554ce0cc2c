//! The facts by which a failed attempt is judged, without the texts of its response.

use redress_envelope::{Class, CooldownScope, DecidedBy, Meaning, Recovery};

use crate::phase::Phase;
use crate::timed_hint::TimedHint;

/// The facts by which a failed attempt is judged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) class: Class,
    pub(crate) recovery: Recovery,
    pub(crate) evidence: Evidence,
    pub(crate) scope: CooldownScope,
    pub(crate) phase: Phase,
    pub(crate) hint: Option<TimedHint>,
    /// The number of bytes of the body that were read.
    pub(crate) body_read: u64,
    /// Whether these are the whole body, and are held.
    pub(crate) is_body_buffered: bool,
}

/// The evidence for the class, and for the fate of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) decided_by: DecidedBy,
    pub(crate) should_retry: Option<bool>,
    pub(crate) not_processed: bool,
    pub(crate) maybe_processed: bool,
}

impl Facts {
    /// Returns the facts of a response whose body was not read.
    pub(crate) const fn from_meaning(meaning: &Meaning, hint: Option<TimedHint>) -> Self {
        let Meaning { class, recovery, scope, decided_by, should_retry, not_processed, maybe_processed, .. } = *meaning;
        let evidence = Evidence { decided_by, should_retry, not_processed, maybe_processed };
        let (phase, body_read, is_body_buffered) = (Phase::Answered, 0, false);
        Self { class, recovery, evidence, scope, phase, hint, body_read, is_body_buffered }
    }

    /// Returns the facts of an attempt without a response.
    pub(crate) fn unanswered(class: Class, recovery: Recovery, phase: Phase) -> Self {
        let maybe_processed = phase == Phase::MaybeProcessed;
        let evidence =
            Evidence { decided_by: DecidedBy::Transport, should_retry: None, not_processed: false, maybe_processed };
        let (scope, hint, body_read, is_body_buffered) = (CooldownScope::default(), None, 0, false);
        Self { class, recovery, evidence, scope, phase, hint, body_read, is_body_buffered }
    }
}
