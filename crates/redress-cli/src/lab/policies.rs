//! The scenarios and the policies that the command line names.
//!
//! A name of the lab wins; any other name is a file, for which a scenario needs the extension `.toml` or must exist. An unknown
//! name is answered with the known ones.
//!
//! ```text
//! $ redress lab run flapping ./mine.toml --policy patient.toml --only redress,backon
//! ```
//!
//! compares redress, backon and the policy `patient` in a scenario of the lab and in one of the user's.

use std::fs;
use std::path::Path;

use redress_lab::policies::{self, RedressStack, StackSettings};
use redress_lab::{Policy, Scenario, scenario_text, scenarios};

use crate::failure::Failure;

/// Reads a scenario: the name of one that comes with the lab, or a file.
pub(crate) fn scenario(named: &str) -> Result<Scenario, Failure> {
    if let Some(text) = scenario_text(named) {
        return text.parse().map_err(|error| Failure::Message(format!("{named}: {error}")));
    }
    if !named.ends_with(".toml") && !Path::new(named).exists() {
        return Err(unknown_scenario(named));
    }
    read(named)?.parse().map_err(|error| Failure::Message(format!("{named}: {error}")))
}

/// Returns the policies to compare: the standard ones, or those of them and of the reference policies that `only` names,
/// and the user's files.
pub(crate) fn policies(only: &[String], files: &[String]) -> Result<Vec<Box<dyn Policy>>, Failure> {
    let mut chosen = policies::standard();
    for name in only {
        if chosen.iter().any(|policy| policy.name() == name) {
            continue;
        }
        let Some(policy) = policies::named(name) else {
            chosen.extend(policies::reference::all());
            let names: Vec<_> = chosen.iter().map(|policy| policy.name()).collect();
            return Err(Failure::Message(format!("unknown policy `{name}`, expected one of {}", names.join(", "))));
        };
        chosen.push(policy);
    }
    chosen.retain(|policy| only.is_empty() || only.iter().any(|name| name == policy.name()));
    for file in files {
        let policy = own(file)?;
        if chosen.iter().any(|other| other.name() == policy.name()) {
            return Err(Failure::Message(format!(
                "{file}: the name `{}` is taken by another policy; choose another `name`",
                policy.name()
            )));
        }
        chosen.push(Box::new(policy));
    }
    Ok(chosen)
}

/// Reads a policy of the user's; without a `name` it goes by that of its file.
///
/// ```text
/// attempts = 5
/// budget = 2000
/// jitter = "equal"
/// ```
fn own(file: &str) -> Result<RedressStack, Failure> {
    let settings = toml::from_str::<StackSettings>(&read(file)?);
    let mut settings =
        settings.map_err(|error| Failure::Message(format!("{file}: {}", error.to_string().trim_end())))?;
    if settings.name.is_empty() {
        settings.name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    Ok(RedressStack::from_settings(settings))
}

/// States that the scenario is unknown, and names the known ones.
pub(crate) fn unknown_scenario(name: &str) -> Failure {
    let names: Vec<_> = scenarios().into_iter().map(|scenario| scenario.name).collect();
    Failure::Message(format!("unknown scenario `{name}`, expected a TOML file or one of {}", names.join(", ")))
}

/// Reads a file; the error names it.
fn read(file: &str) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::Message(format!("{file}: {error}")))
}
