//! What came of a check.

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// What came of a check. Its serialized form has the parameters `id`, `expected`, `measured` and `pass`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check's name.
    pub id: &'static str,
    /// What was measured.
    pub values: Vec<Measurement>,
}

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// What; empty when the check measures nothing else.
    pub name: String,
    /// What must come out.
    pub expected: String,
    /// What came out.
    pub measured: String,
    /// Whether it holds.
    pub pass: bool,
}

impl Finding {
    /// Whether all of it holds.
    #[must_use]
    pub fn pass(&self) -> bool {
        !self.values.is_empty() && self.values.iter().all(|value| value.pass)
    }

    /// Returns what must come out, in one line.
    #[must_use]
    pub fn expected(&self) -> String {
        self.line(|value| &value.expected)
    }

    /// Returns what came out, in one line.
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

    /// A number that lies within a share of another.
    pub(super) fn near(name: impl Into<String>, expected: f64, share: f64, measured: f64) -> Self {
        let pass = (measured - expected).abs() <= share * expected;
        let text = format!("{} +-{} %", number(expected), number(share * 100.0));
        Self::new(name, text, number(measured), pass)
    }
}

/// Writes a number with as many digits as it deserves.
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

/// Writes a share as so many per cent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_and_holds_when_all_of_it_does() {
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
    fn numbers_have_as_many_digits_as_they_deserve() {
        let texts = [0.0, 0.25, 1.053, 1.1, 99.94, 2431.4, 100.0].map(number);
        assert_eq!(texts, ["0", "0.25", "1.05", "1.1", "99.9", "2431", "100"]);
    }
}
