//! The group `envelope`: each reader on each vendor's error, and on Vlens successes of several sizes.

use super::{Claim, Subject};
use crate::bodies::{SUCCESSES, vlens_success};
use crate::measure::Case;
use crate::readers::{Vendor, ignored, redress, serde_borrowed, serde_value, simd, sonic};

/// From this size on the ratios of the signal are required.
const LARGE: usize = 1 << 14;

pub(super) fn subjects() -> Vec<Subject> {
    let errors = Vendor::ALL.into_iter().map(error);
    errors.chain(SUCCESSES.into_iter().map(|(name, size)| success(name, size))).collect()
}

/// Returns one case, and makes no other subject.
pub(super) fn case(subject: &str, case: &str) -> Option<Case> {
    let vendor = Vendor::ALL.into_iter().find(|vendor| error_name(*vendor) == subject).map(error);
    let size = || SUCCESSES.into_iter().find(|(name, _)| *name == subject).map(|(name, size)| success(name, size));
    vendor.or_else(size)?.cases.into_iter().find(|known| known.name() == case)
}

/// Reading an error in full takes at most five sixths of what a struct by hand takes, and a third of a `Value`; the decision that a
/// success is one takes a quarter of checking all of it, and does not take longer than an unchecked skip: at 256 KiB, 2.6 times less.
pub(super) fn claims() -> Vec<Claim> {
    let claim = |subject, slow, times| Claim { subject, fast: redress::NAME, slow, times };
    let errors = Vendor::ALL.into_iter().map(error_name);
    let errors = errors.flat_map(|name| [claim(name, serde_borrowed::NAME, 1.2), claim(name, serde_value::NAME, 3.0)]);
    let large = SUCCESSES.into_iter().filter(|(_, size)| *size >= LARGE);
    let skip = |size| if size == 1 << 18 { 2.6 } else { 0.95 };
    let successes =
        large.flat_map(|(name, size)| [claim(name, ignored::NAME, 4.0), claim(name, sonic::NAME, skip(size))]);
    errors.chain(successes).collect()
}

const fn error_name(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Vlens => "vlens_error",
        Vendor::Veridia => "veridia_error",
        Vendor::Ranex => "ranex_error",
        Vendor::Maleslab => "maleslab_error",
        Vendor::Verilock => "verilock_error",
    }
}

fn error(vendor: Vendor) -> Subject {
    let cases = vec![
        redress::error(vendor),
        serde_value::error(vendor),
        serde_borrowed::error(vendor),
        ignored::whole(vendor.error().as_bytes()),
        simd::error(vendor),
        sonic::error(vendor),
    ];
    Subject { name: error_name(vendor), cases }
}

/// The body lives as long as the run.
fn success(name: &'static str, size: usize) -> Subject {
    let body: &'static str = vlens_success(size).leak();
    let cases = vec![
        redress::success(body.as_bytes()),
        serde_value::success(body.as_bytes()),
        serde_borrowed::success(body.as_bytes()),
        ignored::whole(body.as_bytes()),
        simd::success(body.as_bytes()),
        sonic::success(body),
    ];
    Subject { name, cases }
}
