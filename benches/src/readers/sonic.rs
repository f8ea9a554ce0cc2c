//! One member by sonic-rs, which skips what lies before it without checking it.

use std::hint::black_box;

use serde::de::IgnoredAny;
use sonic_rs::{JsonValueTrait, LazyValue};

use super::{Expected, Vendor};
use crate::measure::Case;

/// The name in the tables.
pub const NAME: &str = "sonic_get";

/// A body that is known to be JSON.
#[derive(Clone, Copy, Debug)]
struct Valid<'a>(&'a [u8]);

/// Returns the reading of the code of a vendor's error, or of the message where there is no code.
///
/// # Panics
/// The case does when it finds something else than expected.
#[must_use]
pub fn error(vendor: Vendor) -> Case {
    let (body, path, expected) = (Valid::new(vendor.error()), path(vendor), vendor.expected());
    Case::new(NAME, move || {
        let found = get(black_box(body), path);
        assert!(says(&found, &expected));
    })
}

/// Returns the reading of the code of a Vlens success.
///
/// # Panics
/// The case does when it finds something else than `null`, and this when the body is not JSON.
#[must_use]
pub fn success(body: &'static str) -> Case {
    let body = Valid::new(body);
    Case::new(NAME, move || assert!(get(black_box(body), &["error_code"]).is_null()))
}

const fn path(vendor: Vendor) -> &'static [&'static str] {
    match vendor {
        Vendor::Vlens => &["error_code"],
        Vendor::Veridia | Vendor::Verilock => &["error"],
        Vendor::Ranex => &["message"],
        Vendor::Maleslab => &["error", "code"],
    }
}

fn says(found: &LazyValue<'_>, expected: &Expected) -> bool {
    match expected.number {
        Some(number) => found.as_u64() == Some(number),
        None => found.as_str() == Some(expected.code.unwrap_or(expected.message)),
    }
}

#[allow(unsafe_code, reason = "sonic-rs is compared at its fastest, and that is an unsafe function")]
fn get<'a>(body: Valid<'a>, path: &[&str]) -> LazyValue<'a> {
    // SAFETY: the body must be JSON, and a `Valid` is only made of a text that serde_json has read to its end.
    unsafe { sonic_rs::get_unchecked(body.0, path) }.expect("the body has this member")
}

impl<'a> Valid<'a> {
    fn new(body: &'a str) -> Self {
        let checked = serde_json::from_str::<IgnoredAny>(body);
        assert!(checked.is_ok(), "the body is JSON");
        Self(body.as_bytes())
    }
}
