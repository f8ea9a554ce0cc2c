//! `redress dialects`: lists the shipped dialects, or shows all that one of them knows.
//!
//! ```text
//! $ redress dialects veridia
//! Veridia (veridia)
//!
//! codes
//!   code          status  class         recovery  guidance
//!   rate_limited  429     rate_limited  retry     ...
//! ```
//!
//! Without a name it prints the list: the names, the vendors, and how many codes of each are known.

use std::process::ExitCode;

use http::Method;
use redress_envelope::{
    Code, Coverage, Dialect, IdempotencyHeader, KeyFormat, PublishedLimit, Reason, Route, Scope, Status, dialects,
};

use crate::output::{LABEL, print, styled};
use crate::{
    arguments::DialectsArgs, dialect_table, dialects::find, failure::Failure, phrases, table::Table, text::escaped,
    time,
};

/// Lists the dialects, or shows one.
pub(crate) fn run(arguments: &DialectsArgs) -> Result<ExitCode, Failure> {
    match &arguments.name {
        None if arguments.table => print(&dialect_table::table())?,
        Some(name) => print(&shown(&find(name)?))?,
        None => print(&listed())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the table of all shipped dialects.
fn listed() -> String {
    let mut table = Table::new(&["name", "vendor", "codes"]);
    for dialect in dialects::all() {
        table.push(&[dialect.name(), dialect.vendor(), &dialect.codes().count().to_string()]);
    }
    table.render("")
}

/// Writes all that a dialect knows, section by section; an empty section says `none`.
///
/// The order is that of a question about an error: its code first, the advice on retries last.
fn shown(dialect: &Dialect) -> String {
    let mut out = format!("{} ({})\n", styled(LABEL, &escaped(dialect.vendor())), escaped(dialect.name()));
    let sections = [
        ("codes", codes(dialect)),
        ("reasons", reasons(dialect)),
        ("statuses", statuses(dialect)),
        ("limits", limits(dialect.limits())),
        ("scopes of cool-downs", scopes(dialect.scopes())),
        ("retry advice", advice(dialect)),
    ];
    for (name, table) in sections {
        let body = if table.is_empty() { "  none\n".to_owned() } else { table.render("  ") };
        out.push_str(&format!("\n{}\n{body}", styled(LABEL, name)));
    }
    out
}

/// Shows the known codes.
fn codes(dialect: &Dialect) -> Table {
    let mut table = Table::new(&["code", "status", "class", "recovery", "guidance"]);
    for Code { code, status, class, recovery, guidance, .. } in dialect.codes() {
        let status = status.map(|status| status.to_string()).unwrap_or_default();
        table.push(&[code, &status, class.as_str(), recovery.as_str(), guidance]);
    }
    table
}

/// Shows the finer words below the codes.
fn reasons(dialect: &Dialect) -> Table {
    let mut table = Table::new(&["reason", "recovery", "guidance"]);
    for Reason { reason, recovery, guidance, .. } in dialect.reasons() {
        table.push(&[reason, recovery.map(|recovery| recovery.as_str()).unwrap_or_default(), guidance]);
    }
    table
}

/// Shows what each status comes to, whether the dialect or the class's default says so.
///
/// A status that the dialect declares as a success reads `no error`.
fn statuses(dialect: &Dialect) -> Table {
    let mut table = Table::new(&["status", "class", "recovery", "guidance"]);
    for Status { status, recovery, guidance, .. } in dialect.statuses() {
        let class = dialect.class_for_status(*status);
        let recovery = class.map(|class| recovery.unwrap_or_else(|| class.default_recovery()));
        let class = class.map_or("no error", |class| class.as_str());
        table.push(&[&status.to_string(), class, recovery.map(|word| word.as_str()).unwrap_or_default(), guidance]);
    }
    table
}

/// Shows the published limits, which a Pace layer keeps.
///
/// A limit without a scope holds back its own routes only.
fn limits(limits: &[PublishedLimit]) -> Table {
    let mut table = Table::new(&["route", "requests", "per", "scope"]);
    for PublishedLimit { covers, requests, per, scope, .. } in limits {
        let route = match covers {
            Coverage::All => "all".to_owned(),
            Coverage::Routes(routes) => each(routes),
            _ => "unknown".to_owned(),
        };
        table.push(&[&route, &requests.to_string(), &time::span(*per), scope]);
    }
    table
}

/// Shows the calls that share a cool-down.
fn scopes(scopes: &[Scope]) -> Table {
    let mut table = Table::new(&["scope", "routes", "counted apart by"]);
    for Scope { name, routes, key, .. } in scopes {
        table.push(&[name, &each(routes), &key.join(", ")]);
    }
    table
}

/// Joins routes.
fn each(routes: &[Route]) -> String {
    routes.iter().map(Route::to_string).collect::<Vec<_>>().join(", ")
}

/// Shows the advice of the vendor on retries, and where an idempotency key goes.
///
/// ```text
/// setting          advice
/// attempts         3, the first one included
/// waits            500 ms after the first attempt, then 2 times as long after each, at most 8 s
/// idempotency key  idempotency-key: POST
/// ```
fn advice(dialect: &Dialect) -> Table {
    let (retry, key) = (dialect.retry(), dialect.idempotency());
    let mut table = Table::new(&["setting", "advice"]);
    if let Some(attempts) = retry.attempts {
        table.push(&["attempts", &format!("{attempts}, the first one included")]);
    }
    if let Some(schedule) = &retry.schedule {
        table.push(&["waits", &phrases::of_schedule(schedule)]);
    }
    if let Some(wait) = retry.throttle_wait {
        table.push(&["wait after a 429", &format!("{}, where the response names none", time::span(wait))]);
    }
    for source in dialect.success_hint_sources() {
        table.push(&["pause after a success", &source.to_string()]);
    }
    if let Some(IdempotencyHeader { name, format, methods, .. }) = key {
        let quoted = if *format == KeyFormat::Quoted { ", quoted" } else { "" };
        let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
        let on = if methods.is_empty() { "where the caller gives one".to_owned() } else { methods.join(", ") };
        table.push(&["idempotency key", &format!("{name}{quoted}: {on}")]);
    }
    table
}
