//! This project: an error in full, and the signal of a success.

use std::hint::black_box;

use redress::layers::{Decision, Envelope};
use redress::{When, dialects};

use super::{Answer, Expected, Found, Vendor};
use crate::measure::Case;
use crate::reading::{read, signal};

/// The name in the tables.
pub const NAME: &str = "redress";

/// Returns the full reading of a vendor's error.
///
/// # Panics
/// The case does when it finds something else than expected.
#[must_use]
pub fn error(vendor: Vendor) -> Case {
    let (dialect, body, expected) = (vendor.dialect(), vendor.error().as_bytes(), vendor.expected());
    Case::new(NAME, move || {
        let envelope = read(&dialect, [black_box(body)]);
        assert!(envelope.says(&expected));
        black_box(&envelope);
    })
}

/// Returns the signal of a Vlens success.
///
/// # Panics
/// The case does when it finds something else than a success.
#[must_use]
pub fn success(body: &'static [u8]) -> Case {
    let dialect = dialects::vlens();
    Case::new(NAME, move || assert_eq!(signal(&dialect, [black_box(body)]), Decision::Success))
}

/// Returns all that is found in an error.
///
/// # Panics
/// When the body is no envelope.
#[must_use]
pub fn answer(vendor: Vendor, body: &[u8]) -> Answer {
    read(&vendor.dialect(), [body]).answer()
}

impl Found for Envelope<'_> {
    fn says(&self, expected: &Expected) -> bool {
        self.code.as_deref() == expected.code && self.message.as_deref() == Some(expected.message)
    }

    fn answer(&self) -> Answer {
        let owned = self.clone();
        let seconds = |when| match when {
            When::After(wait) => Some(wait.as_secs()),
            When::At(_) => None,
        };
        Answer {
            code: owned.code.map(Into::into),
            message: owned.message.map(Into::into),
            request_id: owned.request_id.map(Into::into),
            reason: owned.reason.map(Into::into),
            fields: owned.fields.into_iter().map(|field| (field.path.into(), field.message.into())).collect(),
            retry_after: owned.hint.and_then(|hint| seconds(hint.when())),
        }
    }
}
