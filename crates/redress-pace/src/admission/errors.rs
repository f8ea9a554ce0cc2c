//! The errors of calls that are not sent.

use std::time::SystemTime;

use redress_classify::Error;
use tokio::time::Instant;

use crate::gates::LineWait;
use crate::scope::Target;
use crate::settings::Settings;
use crate::telemetry::WaitReason;

/// Returns the error of a request that is not sent now, and would be of no use later.
pub(crate) fn refused(settings: &Settings, target: &Target, now: Instant, reason: &'static str) -> Error {
    paced(target, settings.clock.wall(now), reason)
}

pub(super) fn paced(target: &Target, retry_at: SystemTime, reason: impl Into<String>) -> Error {
    Error::paced(retry_at).with_detail(reason).with_upstream(target.partition.upstream())
}

pub(super) const fn reason(wait: LineWait) -> WaitReason {
    if wait.outage.is_some() { WaitReason::Outage } else { WaitReason::Release }
}
