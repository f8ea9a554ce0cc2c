//! simd-json, into the same borrowed structs as `serde_borrowed`.
//!
//! It unescapes in place and needs a buffer of its own to write in: the body is copied there, and the copy counts, since a body
//! that comes in pieces would have to be put together too. The buffer and those inside simd-json are used again and again, which
//! is what its documentation recommends.

use std::cell::RefCell;
use std::hint::black_box;

use serde::Deserialize;
use simd_json::Buffers;

use super::serde_borrowed::structs::{Maleslab, Ranex, Status, Veridia, Verilock, Vlens};
use super::{Answer, Expected, Found, Vendor};
use crate::measure::Case;

/// The name in the tables.
pub const NAME: &str = "simd_json";

/// The buffers that each reading uses again.
#[derive(Default)]
struct Scratch {
    body: Vec<u8>,
    buffers: Buffers,
}

/// Returns the full reading of a vendor's error.
///
/// # Panics
/// The case does when it finds something else than expected.
#[must_use]
pub fn error(vendor: Vendor) -> Case {
    let (body, expected) = (vendor.error().as_bytes(), vendor.expected());
    let scratch = RefCell::new(Scratch::default());
    Case::new(NAME, move || assert!(says(&mut scratch.borrow_mut(), vendor, black_box(body), &expected)))
}

/// Returns the reading of a Vlens success, to see whether it is one.
///
/// # Panics
/// The case does when it is none.
#[must_use]
pub fn success(body: &'static [u8]) -> Case {
    let scratch = RefCell::new(Scratch::default());
    Case::new(NAME, move || {
        assert_eq!(scratch.borrow_mut().read::<Status>(black_box(body)).error_code, None);
    })
}

/// Returns all that is found in an error.
///
/// # Panics
/// When the body does not fit the struct.
#[must_use]
pub fn answer(vendor: Vendor, body: &[u8]) -> Answer {
    let mut scratch = Scratch::default();
    match vendor {
        Vendor::Vlens => scratch.read::<Vlens<'_>>(body).answer(),
        Vendor::Veridia => scratch.read::<Veridia<'_>>(body).answer(),
        Vendor::Ranex => scratch.read::<Ranex<'_>>(body).answer(),
        Vendor::Maleslab => scratch.read::<Maleslab<'_>>(body).answer(),
        Vendor::Verilock => scratch.read::<Verilock<'_>>(body).answer(),
    }
}

fn says(scratch: &mut Scratch, vendor: Vendor, body: &[u8], expected: &Expected) -> bool {
    match vendor {
        Vendor::Vlens => found(&scratch.read::<Vlens<'_>>(body), expected),
        Vendor::Veridia => found(&scratch.read::<Veridia<'_>>(body), expected),
        Vendor::Ranex => found(&scratch.read::<Ranex<'_>>(body), expected),
        Vendor::Maleslab => found(&scratch.read::<Maleslab<'_>>(body), expected),
        Vendor::Verilock => found(&scratch.read::<Verilock<'_>>(body), expected),
    }
}

fn found(error: &impl Found, expected: &Expected) -> bool {
    black_box(error).says(expected)
}

impl Scratch {
    fn read<'a, T: Deserialize<'a>>(&'a mut self, body: &[u8]) -> T {
        self.body.clear();
        self.body.extend_from_slice(body);
        let read = simd_json::serde::from_slice_with_buffers(&mut self.body, &mut self.buffers);
        read.expect("the body fits the struct")
    }
}
