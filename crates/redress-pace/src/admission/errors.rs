//! The errors of calls that are not sent, and the events of waits.

use std::time::SystemTime;

use redress_classify::{Error, UpstreamHealth};
use tokio::time::Instant;

use super::Admission;
use crate::gates::LineWait;
use crate::scope::Target;
use crate::settings::Settings;
use crate::telemetry::{self, WaitReason};

impl Admission {
    /// Reports and returns the error of a call that would wait too long for a limit.
    pub(super) fn limit_error(&self, at: Instant, now: Instant) -> Error {
        self.report_rejection(WaitReason::Limit, at, now);
        self.paced(self.settings.clock.wall(at), "own limit")
    }

    /// Reports and returns the error of a call that must not wait in a line, or did so until it was too late, with the time to
    /// come back: that of the next probe, or else the spread, in which a release is meant to end.
    pub(super) fn line_error(&self, wait: LineWait, again: Instant, now: Instant) -> Error {
        self.report_rejection(reason(wait), again, now);
        let error = self.paced(self.settings.clock.wall(again), wait.detail(now));
        if wait.outage.is_some() { error.with_upstream_health(UpstreamHealth::Outage) } else { error }
    }

    pub(super) fn paced(&self, retry_at: SystemTime, reason: impl Into<String>) -> Error {
        paced(&self.target, retry_at, reason)
    }

    pub(super) fn report_wait(&self, reason: WaitReason, until: Instant, now: Instant) {
        let wait = until.saturating_duration_since(now);
        telemetry::call_waits(&self.settings.dialect, &self.target.partition, reason, wait);
    }

    pub(super) fn report_rejection(&self, reason: WaitReason, until: Instant, now: Instant) {
        let wait = until.saturating_duration_since(now);
        telemetry::call_rejected(&self.settings.dialect, &self.target.partition, reason, wait);
    }
}

/// Returns the error of a request that is not sent now, and would be of no use later.
pub(crate) fn refused(settings: &Settings, target: &Target, now: Instant, reason: &'static str) -> Error {
    paced(target, settings.clock.wall(now), reason)
}

fn paced(target: &Target, retry_at: SystemTime, reason: impl Into<String>) -> Error {
    Error::paced(retry_at).with_detail(reason).with_upstream(target.partition.upstream())
}

pub(super) const fn reason(wait: LineWait) -> WaitReason {
    if wait.outage.is_some() { WaitReason::Outage } else { WaitReason::Release }
}
