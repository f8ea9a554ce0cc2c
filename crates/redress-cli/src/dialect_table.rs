//! `redress dialects --table`: writes the list of the shipped dialects in `docs/dialects.md`.
//!
//! `scripts/dialect-table` puts it into the page, and a test fails if the page has another one. It is a list and not a table of
//! Markdown, since six columns do not fit a phone. An item is read from the dialect itself and, where the library does not
//! expose a fact (the signals, the sources), from the TOML file of the dialect:
//!
//! ```text
//! - **`vlens`**: an error by the status, or `error_code` is not null. Code: `error_code`. ... Source: ...
//! ```

use redress_envelope::{Dialect, HintSource, Location, dialects};
use toml::{Table, Value};

/// How many places an item lists before it only counts them.
const MAX_LISTED: usize = 4;
/// Writes the list, in Markdown.
pub(crate) fn table() -> String {
    let mut out = String::new();
    for dialect in dialects::all() {
        let text = dialects::toml(dialect.name()).unwrap_or_default();
        let signals = match signals(text) {
            rules if rules.is_empty() => String::new(),
            rules => format!(", or {rules}"),
        };
        let parts = [
            ("Code", listed(dialect.code_locations().iter().map(place))),
            ("Hints beside the standard headers", hints(&dialect)),
            ("Credentials", credentials(&dialect, text)),
            ("Source", source(text)),
        ];
        out.push_str(&format!("- **`{}`**: an error by the status{signals}.", dialect.name()));
        for (name, part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
            out.push_str(&format!(" {name}: {part}."));
        }
        out.push('\n');
    }
    out
}

/// Joins the first places, and counts the others, so that an item stays readable.
///
/// ```text
/// `error.code`, `error.type`, `code`, `type`, 3 more
/// ```
fn listed(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(MAX_LISTED);
    let shown = all[..all.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown}, {more} more") }
}

/// Names the place of a code.
fn place(place: &Location) -> String {
    match place {
        Location::Body(path) => format!("`{path}`"),
        Location::Header(name) => format!("header `{name}`"),
        Location::Challenge(name) => format!("challenge `{name}`"),
        Location::Element(name) => format!("element `{name}`"),
        other => other.to_string(),
    }
}

/// Lists the hints of errors, and those of successes with a word that says so.
fn hints(dialect: &Dialect) -> String {
    let (errors, successes) = (dialect.hint_sources(), dialect.success_hint_sources());
    let of_success = |source: &HintSource| Some(format!("{} of a success", hint(source)?));
    listed(errors.iter().filter_map(hint).chain(successes.iter().filter_map(of_success)))
}

/// Names the place of a hint; `None` for `Retry-After`, which every dialect reads.
fn hint(hint: &HintSource) -> Option<String> {
    Some(match hint {
        HintSource::Header(name) => format!("`{name}`"),
        HintSource::Body(path) => format!("`{path}` in the body"),
        _ => return None,
    })
}

/// Lists the secret headers, and the authentication that the file documents.
fn credentials(dialect: &Dialect, text: &str) -> String {
    let headers = dialect.secret_headers().iter().map(|name| format!("`{name}`"));
    let root: Table = text.parse().unwrap_or_default();
    let paths = root.get("secrets").and_then(|secrets| secrets.get("paths")).map(texts).unwrap_or_default();
    listed(headers.chain(paths.iter().map(|path| format!("path `{path}`"))))
}

/// Says when a success is an error, as the file has it or the one that it extends.
fn signals(text: &str) -> String {
    let root: Table = text.parse().unwrap_or_default();
    let rules = match root.get("error") {
        Some(Value::Array(rules)) => rules.iter().filter_map(Value::as_table).map(signal).collect(),
        Some(Value::Table(rule)) => vec![signal(rule)],
        _ => match root.get("extends").and_then(Value::as_str).and_then(dialects::toml) {
            Some(extended) => return signals(extended),
            None => Vec::new(),
        },
    };
    rules.join(", or ")
}

/// Describes an error rule of a success as its file states it.
///
/// ```text
/// equals = { path = "status", is = ["fail", "error"] }   ->   `status` is `fail` or `error`
/// is_false = "success"                                   ->   `success` is `false`
/// ```
fn signal(rule: &Table) -> String {
    let all = rule.iter().map(|(key, value)| {
        let named = value.get("path").or_else(|| value.get("header")).unwrap_or(value);
        let paths = || quoted(named, " or ");
        match key.as_str() {
            "not_null" => format!("{} is there", paths()),
            "is_false" => format!("{} is `false`", paths()),
            "is_true" => format!("{} is `true`", paths()),
            "not_zero" => format!("{} is not 0", paths()),
            "non_empty" => format!("{} is not empty", paths()),
            "equals" => format!("{} is {}", paths(), value.get("is").map(|is| quoted(is, " or ")).unwrap_or_default()),
            "outside" => {
                format!(
                    "{} is not in {}",
                    paths(),
                    value.get("range").map(|range| quoted(range, ", ")).unwrap_or_default()
                )
            }
            "unless_not_null" => format!("no {}", paths()),
            "when" => conditions(value),
            key => format!("{key} {}", paths()),
        }
    });
    all.collect::<Vec<_>>().join(", ")
}

/// Describes the conditions of an error rule.
fn conditions(when: &Value) -> String {
    let all = when.as_table().into_iter().flatten().map(|(key, value)| format!("{key} {}", quoted(value, " or ")));
    format!("when {}", all.collect::<Vec<_>>().join(", "))
}

/// Joins texts, each as code.
fn quoted(value: &Value, between: &str) -> String {
    texts(value).iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(between)
}

/// Returns the texts of a value that is one text or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Integer(number) => vec![number.to_string()],
        Value::Boolean(truth) => vec![truth.to_string()],
        _ => Vec::new(),
    }
}

/// Returns the sentence of the comment on top that names the sources.
///
/// ```text
/// # Slack Web API. Sources: docs.slack.dev, "Using the Slack Web API", "Rate limits", and the errors on the pages of its
/// ```
fn source(text: &str) -> String {
    let comment: Vec<&str> = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
    let comment = comment.join(" ");
    let begin = ["Sources: ", "Source: "].iter().filter_map(|word| Some(comment.find(word)? + word.len())).min();
    let Some(rest) = begin.and_then(|begin| comment.get(begin..)) else { return String::new() };
    rest.split(". ").next().unwrap_or(rest).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_an_item_with_its_sources() {
        let list = table();
        let items: Vec<&str> = list.lines().collect();
        assert_eq!(items.len(), dialects::NAMES.len());
        for (name, item) in dialects::NAMES.iter().zip(items) {
            assert!(item.starts_with(&format!("- **`{name}`**: ")), "{item}");
            assert!(item.contains(" Source: "), "{name} names no source in the comment on top: `Source: ...`");
        }
    }

    #[test]
    fn a_signal_is_described_in_words() {
        let told = |toml: &str| signals(toml);
        assert_eq!(told("[error]\nis_false = \"ok\"\nunless_not_null = \"data.*\""), "`ok` is `false`, no `data.*`");
        assert_eq!(
            told(
                "[[error]]\nequals = { path = \"s\", is = [\"a\", 1] }\n[[error]]\nnot_null = [\"a\", \"b\"]\nwhen = { status = 200 }"
            ),
            "`s` is `a` or `1`, or `a` or `b` is there, when status `200`"
        );
        assert_eq!(told("extends = \"maleslab\""), "`success` is `false`");
        assert_eq!(told(""), "");
    }
}
