//! The result of a check.

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// The result of a check. Its JSON form has the members `id`, `expected`, `measured` and `pass`.
///
/// # Examples
/// ```
/// use redress_lab::check::{self, Overrides, Trial};
///
/// let bucket = check::all().iter().find(|check| check.id == "aws-bucket").unwrap();
/// let overrides = Overrides::parse(&["tokens=70"]).unwrap();
/// let finding = bucket.run(Trial { seed: 1, overrides: &overrides });
/// assert!(finding.pass());
/// assert!(finding.expected().starts_with("429, 70/5: exactly 14 retries"));
/// assert!(finding.measured().contains("14 retries of"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub id: &'static str,
    /// The measurements.
    pub values: Vec<Measurement>,
}

/// One measured quantity and its expected range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The name of the quantity; empty if the check measures only one.
    pub name: String,
    /// The expected value or range.
    pub expected: String,
    /// The measured value.
    pub measured: String,
    /// Whether the measured value is within the expected range.
    pub pass: bool,
}

impl Finding {
    /// Returns `true` if there are measurements and all of them are within their ranges.
    #[must_use]
    pub fn pass(&self) -> bool {
        !self.values.is_empty() && self.values.iter().all(|value| value.pass)
    }

    /// Returns the expected values in one line.
    #[must_use]
    pub fn expected(&self) -> String {
        self.line(|value| &value.expected)
    }

    /// Returns the measured values in one line.
    #[must_use]
    pub fn measured(&self) -> String {
        self.line(|value| &value.measured)
    }

    fn line(&self, text: fn(&Measurement) -> &str) -> String {
        let texts = self.values.iter().map(|value| match value.name.as_str() {
            "" => text(value).to_owned(),
            name => format!("{name}: {}", text(value)),
        });
        texts.collect::<Vec<_>>().join("; ")
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("Finding", 4)?;
        line.serialize_field("id", self.id)?;
        line.serialize_field("expected", &self.expected())?;
        line.serialize_field("measured", &self.measured())?;
        line.serialize_field("pass", &self.pass())?;
        line.end()
    }
}

impl Measurement {
    pub(super) fn new(
        name: impl Into<String>,
        expected: impl Into<String>,
        measured: impl Into<String>,
        pass: bool,
    ) -> Self {
        Self { name: name.into(), expected: expected.into(), measured: measured.into(), pass }
    }

    /// Creates a measurement that passes within a relative deviation of the expected value.
    pub(super) fn near(name: impl Into<String>, expected: f64, share: f64, measured: f64) -> Self {
        let pass = (measured - expected).abs() <= share * expected;
        let text = format!("{} +-{} %", number(expected), number(share * 100.0));
        Self::new(name, text, number(measured), pass)
    }
}

/// Formats a number with about three significant digits.
pub(super) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 200.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Formats a share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_and_passes_if_all_measurements_do() {
        let values = vec![Measurement::near("full", 100.0, 0.05, 104.0), Measurement::near("none", 200.0, 0.05, 211.0)];
        let finding = Finding { id: "x", values };
        let line = serde_json::to_string(&finding).unwrap();
        assert_eq!(
            line,
            r#"{"id":"x","expected":"full: 100 +-5 %; none: 200 +-5 %","measured":"full: 104; none: 211","pass":false}"#
        );
        assert!(!Finding { id: "x", values: Vec::new() }.pass());
    }

    #[test]
    fn numbers_are_rounded_by_their_size() {
        let texts = [0.0, 0.25, 1.053, 1.1, 99.94, 2431.4, 100.0].map(number);
        assert_eq!(texts, ["0", "0.25", "1.05", "1.1", "99.9", "2431", "100"]);
    }
}
