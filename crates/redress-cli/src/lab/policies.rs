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
use redress_lab::{InvalidScenario, Policy, Scenario, scenario_text, scenarios};

use crate::failure::Failure;
use crate::{dialects, suggest};

/// Reads a scenario: the name of one that comes with the lab, or a file.
///
/// The `dialect` of a file may be another file in its folder, which is read as `--dialect FILE` is.
pub(crate) fn scenario(named: &str) -> Result<Scenario, Failure> {
    let refused = |problem: &str| Failure::Message(format!("{named}: {}", suggest::with_nearest(problem)));
    if let Some(text) = scenario_text(named) {
        return text.parse().map_err(|error: InvalidScenario| refused(&error.to_string()));
    }
    if !named.ends_with(".toml") && !Path::new(named).exists() {
        return Err(unknown_scenario(named));
    }
    let dialect = |name: &str| dialects::find_in(Path::new(named), name).map_err(Failure::into_message);
    Scenario::from_toml_with(&read(named)?, dialect).map_err(|error| refused(&error.to_string()))
}

/// Returns the policies to compare: the standard ones, or those of them and of the reference policies that `only` names,
/// and the user's files.
///
/// The files are read first, so that a mistake in one of them is reported rather than a name that it would have had.
pub(crate) fn policies(only: &[String], files: &[String]) -> Result<Vec<Box<dyn Policy>>, Failure> {
    let owned = files.iter().map(|file| Ok((file, own(file)?))).collect::<Result<Vec<_>, Failure>>()?;
    let mut chosen = policies::standard();
    for name in only {
        let is_own = owned.iter().any(|(_, policy)| policy.name() == name);
        if is_own || chosen.iter().any(|policy| policy.name() == name) {
            continue;
        }
        let Some(policy) = policies::named(name) else {
            chosen.extend(policies::reference::all());
            let own = owned.iter().map(|(_, policy)| policy.name());
            return Err(unknown_policy(
                name,
                &own.chain(chosen.iter().map(|policy| policy.name())).collect::<Vec<_>>(),
            ));
        };
        chosen.push(policy);
    }
    chosen.retain(|policy| only.is_empty() || only.iter().any(|name| name == policy.name()));
    for (file, policy) in owned {
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

/// States that a policy is unknown, and names the known ones.
fn unknown_policy(name: &str, known: &[&str]) -> Failure {
    let nearest = suggest::nearest(name, known.iter().copied()).map(|name| format!("did you mean `{name}`? "));
    let (nearest, names) = (nearest.unwrap_or_default(), known.join(", "));
    Failure::Message(format!("unknown policy `{name}`, {nearest}expected one of {names}"))
}

/// Reads a policy of the user's; without a `name` it goes by that of its file.
///
/// ```text
/// max_attempts = 5
/// budget = 2000
/// jitter = "equal"
/// ```
fn own(file: &str) -> Result<RedressStack, Failure> {
    let settings = toml::from_str::<StackSettings>(&read(file)?);
    let mut settings = settings.map_err(|error| {
        Failure::Message(format!("{file}: {}", suggest::with_nearest(error.to_string().trim_end())))
    })?;
    if settings.name.is_empty() {
        settings.name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    Ok(RedressStack::from_settings(settings))
}

/// States that the scenario is unknown, and names the known ones.
pub(crate) fn unknown_scenario(name: &str) -> Failure {
    let names: Vec<_> = scenarios().into_iter().map(|scenario| scenario.name).collect();
    let nearest = suggest::question(name, Path::new("."), names.iter().map(String::as_str));
    Failure::Message(format!("unknown scenario `{name}`, {nearest}expected a TOML file or one of {}", names.join(", ")))
}

/// Reads a file; the error names it.
fn read(file: &str) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::Message(format!("{file}: {error}")))
}
