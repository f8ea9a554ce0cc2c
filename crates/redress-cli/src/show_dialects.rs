//! `redress dialects`: the shipped dialects, and what one of them knows.

use std::process::ExitCode;

use http::Method;
use redress_envelope::{
    Code, Coverage, Dialect, IdempotencyHeader, KeyFormat, PublishedLimit, Reason, RetryAdvice, Route, Scope, Status,
    dialects,
};

use crate::arguments::DialectsArgs;
use crate::dialects::find;
use crate::failure::Failure;
use crate::output::{LABEL, print, styled};
use crate::table::Table;
use crate::text::escaped;
use crate::{dialect_table, phrases, time};

/// Lists the dialects, or shows one.
pub(crate) fn run(arguments: &DialectsArgs) -> Result<ExitCode, Failure> {
    match &arguments.name {
        None if arguments.table => print(&dialect_table::table())?,
        Some(name) => print(&shown(&find(name)?))?,
        None => print(&listed())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn listed() -> String {
    let mut table = Table::new(&["name", "vendor", "codes"]);
    for dialect in dialects::all() {
        table.push(&[dialect.name(), dialect.vendor(), &dialect.codes().count().to_string()]);
    }
    table.render("")
}

fn shown(dialect: &Dialect) -> String {
    let mut out = format!("{} ({})\n", styled(LABEL, &escaped(dialect.vendor())), escaped(dialect.name()));
    let sections = [
        ("codes", codes(dialect)),
        ("reasons", reasons(dialect)),
        ("statuses", statuses(dialect)),
        ("limits", limits(dialect.limits())),
        ("scopes of cool-downs", scopes(dialect.scopes())),
        ("retry advice", advice(dialect.retry(), dialect.idempotency())),
    ];
    for (name, table) in sections {
        let body = if table.is_empty() { "  none\n".to_owned() } else { table.render("  ") };
        out.push_str(&format!("\n{}\n{body}", styled(LABEL, name)));
    }
    out
}

fn codes(dialect: &Dialect) -> Table {
    let mut table = Table::new(&["code", "status", "class", "recovery", "guidance"]);
    for Code { code, status, class, recovery, guidance, .. } in dialect.codes() {
        let status = status.map(|status| status.to_string()).unwrap_or_default();
        table.push(&[code, &status, class.as_str(), recovery.as_str(), guidance]);
    }
    table
}

fn reasons(dialect: &Dialect) -> Table {
    let mut table = Table::new(&["reason", "recovery", "guidance"]);
    for Reason { reason, recovery, guidance, .. } in dialect.reasons() {
        table.push(&[reason, recovery.map(|recovery| recovery.as_str()).unwrap_or_default(), guidance]);
    }
    table
}

/// Shows what each status comes to, whether the dialect or the class's default says so.
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

fn scopes(scopes: &[Scope]) -> Table {
    let mut table = Table::new(&["scope", "routes", "counted apart by"]);
    for Scope { name, routes, key, .. } in scopes {
        table.push(&[name, &each(routes), &key.join(", ")]);
    }
    table
}

fn each(routes: &[Route]) -> String {
    routes.iter().map(Route::to_string).collect::<Vec<_>>().join(", ")
}

fn advice(retry: &RetryAdvice, key: Option<&IdempotencyHeader>) -> Table {
    let mut table = Table::new(&["what", "advice"]);
    if let Some(attempts) = retry.attempts {
        table.push(&["attempts", &format!("{attempts}, the first one included")]);
    }
    if let Some(schedule) = &retry.schedule {
        table.push(&["waits", &phrases::of_schedule(schedule)]);
    }
    if let Some(wait) = retry.throttle_wait {
        table.push(&["wait after a 429", &format!("{}, where the response names none", time::span(wait))]);
    }
    if let Some(IdempotencyHeader { name, format, methods, .. }) = key {
        let quoted = if *format == KeyFormat::Quoted { ", quoted" } else { "" };
        let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
        let on = if methods.is_empty() { "where the caller gives one".to_owned() } else { methods.join(", ") };
        table.push(&["idempotency key", &format!("{name}{quoted}: {on}")]);
    }
    table
}
