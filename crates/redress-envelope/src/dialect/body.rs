//! What a compiled dialect takes from a body.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::hint::{HintSource, RetryHint, Unit};
use crate::json::Scalar;
use crate::plan::Cell;

/// For each part of an envelope the cells that may hold it, best first.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    pub(crate) code: Vec<u8>,
    pub(crate) message: Vec<u8>,
    pub(crate) request_id: Vec<u8>,
    pub(crate) reason: Vec<u8>,
}

/// A member of the body that holds a hint.
#[derive(Debug)]
pub(crate) struct BodyHint {
    pub(crate) cell: u8,
    unit: Unit,
    path: String,
}

/// A member of the body that signals an error.
#[derive(Debug)]
pub(crate) struct Signalled {
    /// Its cell in the full plan and in the plan of the signals alone.
    pub(crate) cell: u8,
    pub(crate) watched: u8,
    test: Test,
}

/// What the member must be for the body to be an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// Present and anything but `null`.
    NotNull,
    /// `false`.
    IsFalse,
}

impl BodyHint {
    pub(super) const fn new(cell: u8, unit: Unit, path: String) -> Self {
        Self { cell, unit, path }
    }

    pub(crate) fn read(&self, cell: &Cell<'_>, now: SystemTime) -> Option<RetryHint> {
        let when = match cell {
            Cell::Scalar(Scalar::Number(number)) => self.unit.read(plain(number).as_bytes(), now)?,
            Cell::Scalar(Scalar::Text(text)) => self.unit.read(text.as_bytes(), now)?,
            _ => return None,
        };
        Some(RetryHint::new(when, HintSource::Body(self.path.clone())))
    }
}

impl Signalled {
    pub(super) const fn new(cell: u8, watched: u8, test: Test) -> Self {
        Self { cell, watched, test }
    }

    pub(crate) fn holds(&self, cell: Option<&Cell<'_>>) -> bool {
        match self.test {
            Test::NotNull => cell.is_some_and(|cell| *cell != Cell::Scalar(Scalar::Null)),
            Test::IsFalse => cell == Some(&Cell::Scalar(Scalar::Bool(false))),
        }
    }
}

/// Writes a JSON number that has an exponent without one, as far as that is sensible.
fn plain(number: &str) -> Cow<'_, str> {
    if !number.contains(['e', 'E']) {
        return Cow::Borrowed(number);
    }
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Cow::Owned(format!("{value}")),
        Ok(value) if value == f64::INFINITY => Cow::Borrowed("99999999999999999999"),
        _ => Cow::Borrowed(""),
    }
}
