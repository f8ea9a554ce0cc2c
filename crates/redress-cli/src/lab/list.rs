//! `redress lab list`: lists the scenarios and the policies, or prints the file of a scenario to start an own one from.
//!
//! ```text
//! $ redress lab list flapping > mine.toml
//! $ redress lab run ./mine.toml
//! ```

use std::process::ExitCode;

use clap::Args;
use redress_lab::{Policy, policies, scenario_text, scenarios};

use crate::failure::Failure;
use crate::output;
use crate::table::Table;

/// Lists scenarios and policies, or shows the file of a scenario.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The scenario whose file is printed, to start an own one from
    #[arg(value_name = "SCENARIO")]
    scenario: Option<String>,
}

/// Prints both lists, or the file of one scenario.
pub(crate) fn run(list: &ListArgs) -> Result<ExitCode, Failure> {
    let text = match &list.scenario {
        Some(name) => scenario_text(name).ok_or_else(|| super::policies::unknown_scenario(name))?.to_owned(),
        None => everything(),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the tables of scenarios and policies.
fn everything() -> String {
    let mut known = Table::new(&["scenario", "description"]);
    for scenario in scenarios() {
        known.push(&[&scenario.name, &scenario.about]);
    }
    format!("{}\n{}", known.render(""), described(&policies::standard()))
}

/// Returns a table of policies and their settings.
pub(crate) fn described(policies: &[Box<dyn Policy>]) -> String {
    let mut table = Table::new(&["policy", "settings"]);
    for policy in policies {
        table.push(&[policy.name(), &policy.about()]);
    }
    table.render("")
}
