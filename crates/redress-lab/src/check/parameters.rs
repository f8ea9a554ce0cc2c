//! Parameters of checks, and their overrides on the command line.

use std::fmt;

use super::{Check, all};

/// A parameter of a check.
#[derive(Debug)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// The meaning.
    pub about: &'static str,
    /// The minimum.
    pub min: f64,
    /// The maximum.
    pub max: f64,
    /// Whether the value must be an integer.
    pub is_integer: bool,
}

/// Overridden parameters: names and values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    set: Vec<(String, f64)>,
}

/// The reason for rejecting an override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidParameter {
    reason: String,
}

impl Overrides {
    /// Parses overrides such as `f=0.2`.
    ///
    /// # Errors
    /// Fails on a text that is not a name and a number, on names that no single check has, and on a
    /// value out of the range of a check.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::check::Overrides;
    ///
    /// assert!(Overrides::parse(&["f=.2", "retries=5"]).is_ok());
    /// let error = Overrides::parse(&["g=.2"]).unwrap_err();
    /// assert!(error.to_string().contains("`f`"));
    /// ```
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, InvalidParameter> {
        let mut overrides = Self::default();
        for text in texts {
            let (name, value) = pair(text.as_ref())?;
            if overrides.get(&name).is_some() {
                return Err(invalid(format!("`{name}` is set twice")));
            }
            overrides.set.push((name, value));
        }
        if let Some(name) = overrides.names().find(|name| parameters().all(|key| key.name != *name)) {
            return Err(invalid(format!("no check accepts `{name}`; the checks accept {}", known())));
        }
        let checks: Vec<_> = all().iter().filter(|check| check.accepts(&overrides)).collect();
        if checks.is_empty() {
            let names: Vec<_> = overrides.names().collect();
            return Err(invalid(format!(
                "no check accepts all of {}; the checks accept {}",
                names.join(", "),
                known()
            )));
        }
        checks.iter().try_for_each(|check| overrides.check(check))?;
        Ok(overrides)
    }

    /// Returns `true` if nothing is overridden.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::check::Overrides;
    ///
    /// assert!(Overrides::default().is_empty());
    /// assert!(!Overrides::parse(&["m=2000"])?.is_empty());
    /// # Ok::<(), redress_lab::check::InvalidParameter>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.set.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn get(&self, name: &str) -> Option<f64> {
        self.set.iter().find(|(set, _)| set == name).map(|(_, value)| *value)
    }

    fn check(&self, check: &Check) -> Result<(), InvalidParameter> {
        for key in check.parameters {
            let Some(value) = self.get(key.name) else { continue };
            if !key.allows(value) {
                return Err(invalid(format!("`{}={value}`: for {} it is {}", key.name, check.id, key.range())));
            }
        }
        Ok(())
    }
}

impl Parameter {
    fn allows(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value) && (!self.is_integer || value.fract() == 0.0)
    }

    /// Returns the range of values as text.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::check::Parameter;
    ///
    /// let retries = Parameter { name: "retries", about: "retries per call", min: 0.0, max: 4.0, is_integer: true };
    /// assert_eq!(retries.range(), "a whole number from 0 to 4");
    /// ```
    #[must_use]
    pub fn range(&self) -> String {
        let kind = if self.is_integer { "a whole number" } else { "a number" };
        format!("{kind} from {} to {}", self.min, self.max)
    }
}

impl fmt::Display for InvalidParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for InvalidParameter {}

const fn invalid(reason: String) -> InvalidParameter {
    InvalidParameter { reason }
}

fn pair(text: &str) -> Result<(String, f64), InvalidParameter> {
    let no_pair = || invalid(format!("`{text}` is not a name and a number, such as `f=0.2`"));
    let (name, value) = text.split_once('=').ok_or_else(no_pair)?;
    let value: f64 = value.trim().parse().map_err(|_| no_pair())?;
    if value.is_finite() { Ok((name.trim().to_owned(), value)) } else { Err(no_pair()) }
}

fn parameters() -> impl Iterator<Item = &'static Parameter> {
    all().iter().flat_map(|check| check.parameters)
}

/// Lists the parameters with the checks that have them.
fn known() -> String {
    let names: std::collections::BTreeSet<_> = parameters().map(|key| key.name).collect();
    let with_checks = names.into_iter().map(|name| {
        let checks = all().iter().filter(|check| check.parameters.iter().any(|key| key.name == name));
        format!("`{name}` ({})", checks.map(|check| check.id).collect::<Vec<_>>().join(", "))
    });
    with_checks.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_override_is_rejected_with_the_valid_ones() {
        for (texts, told) in [
            (vec!["f"], "such as `f=0.2`"),
            (vec!["f=x"], "such as `f=0.2`"),
            (vec!["f=NaN"], "such as `f=0.2`"),
            (vec!["q=1"], "`retries` ("),
            (vec!["f=1.5"], "a number from 0 to 1"),
            (vec!["retries=2.5"], "a whole number from 0 to 10"),
            (vec!["f=.1", "layers=2"], "no check accepts all of f, layers"),
            (vec!["f=.1", "f=.2"], "twice"),
        ] {
            let error = Overrides::parse(&texts).unwrap_err().to_string();
            assert!(error.contains(told), "{texts:?}: {error}");
        }
        assert!(Overrides::parse::<&str>(&[]).unwrap().is_empty());
    }
}
