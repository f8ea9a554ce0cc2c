//! A struct per vendor, written by hand and borrowing from the body: what a careful user of serde would declare.

mod parts;
pub(super) mod structs;

use std::hint::black_box;

use serde::Deserialize;
use structs::{Maleslab, Ranex, Status, Veridia, Verilock, Vlens};

use super::{Answer, Found, Vendor};
use crate::measure::Case;

/// The name in the tables.
pub const NAME: &str = "serde_borrowed";

/// Returns the full reading of a vendor's error.
///
/// # Panics
/// The case does when it finds something else than expected.
#[must_use]
pub fn error(vendor: Vendor) -> Case {
    match vendor {
        Vendor::Vlens => reading::<Vlens<'static>>(vendor),
        Vendor::Veridia => reading::<Veridia<'static>>(vendor),
        Vendor::Ranex => reading::<Ranex<'static>>(vendor),
        Vendor::Maleslab => reading::<Maleslab<'static>>(vendor),
        Vendor::Verilock => reading::<Verilock<'static>>(vendor),
    }
}

/// Returns the reading of a Vlens success, to see whether it is one.
///
/// # Panics
/// The case does when it is none.
#[must_use]
pub fn success(body: &'static [u8]) -> Case {
    Case::new(NAME, move || assert_eq!(parse::<Status>(black_box(body)).error_code, None))
}

/// Returns all that is found in an error.
///
/// # Panics
/// When the body does not fit the struct.
#[must_use]
pub fn answer(vendor: Vendor, body: &[u8]) -> Answer {
    match vendor {
        Vendor::Vlens => parse::<Vlens<'_>>(body).answer(),
        Vendor::Veridia => parse::<Veridia<'_>>(body).answer(),
        Vendor::Ranex => parse::<Ranex<'_>>(body).answer(),
        Vendor::Maleslab => parse::<Maleslab<'_>>(body).answer(),
        Vendor::Verilock => parse::<Verilock<'_>>(body).answer(),
    }
}

fn reading<F: Found + Deserialize<'static> + 'static>(vendor: Vendor) -> Case {
    let (body, expected) = (vendor.error().as_bytes(), vendor.expected());
    Case::new(NAME, move || {
        let error = parse::<F>(black_box(body));
        assert!(error.says(&expected));
        black_box(&error);
    })
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> T {
    serde_json::from_slice(body).expect("the body fits the struct")
}
