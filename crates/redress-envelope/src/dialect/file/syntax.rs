//! Says what to write where a file is not TOML, or a value is of another kind
//! than its key takes.

use std::ops::Range;

use toml::de::DeValue;

/// The keys of an error rule that take the path of a member.
const TESTS: [&str; 6] = ["not_null", "is_false", "is_true", "not_zero", "non_empty", "unless_not_null"];
/// The tables whose every key is the name of a row.
const CATALOGUES: [&str; 3] = ["codes", "reasons", "status"];
/// How a truth value is compared.
pub(super) const TRUTH: &str = "a truth value is compared by `equals = { path = \"success\", is = true }`";

/// Returns what the TOML parser says, and for a key that stands twice what to
/// write instead.
pub(super) fn told(text: &str, span: &Range<usize>, message: &str) -> String {
    let advice = if message.starts_with("duplicate key") { twice(text, span.start) } else { None };
    match advice {
        Some(advice) => format!("expected TOML: {message}: {advice}"),
        None => format!("expected TOML: {message}"),
    }
}

/// Says what to write in the place of a table, or of a key, that stands there
/// for the second time.
fn twice(text: &str, at: usize) -> Option<String> {
    let begin = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(begin..)?.lines().next()?;
    let Some((is_list, name)) = header(line) else {
        let key = line.split('=').next()?.trim();
        return Some(format!("`{key}` stands twice in one table: several places are a list, `{key} = [\"a\", \"b\"]`"));
    };
    let earlier = text.get(..begin)?.lines().zip(1..).find_map(|(line, number)| {
        let (is_list, earlier) = header(line)?;
        (earlier == name).then_some((is_list, number))
    });
    let last = if name == "read" { ", the one without `when` last" } else { "" };
    Some(match (is_list, earlier) {
        (_, Some((was_list, line))) if was_list != is_list => {
            format!("`{name}` is one table or a list of them: write `[[{name}]]` here and in line {line}{last}")
        }
        (false, Some((false, line))) => {
            format!("`[{name}]` stands in line {line} already: put the keys of both in one table")
        }
        _ => format!("`{name}` has a value above: write all of it in one place"),
    })
}

/// Returns the name of the table that a line begins, and whether it is one of a
/// list.
fn header(line: &str) -> Option<(bool, &str)> {
    let line = line.trim_start();
    let (is_list, inside) = match line.strip_prefix("[[") {
        Some(inside) => (true, inside.split_once("]]")?.0),
        None => (false, line.strip_prefix('[')?.split_once(']')?.0),
    };
    Some((is_list, inside.trim()))
}

/// Returns what to write where the value of a key is of another kind.
pub(super) fn advice(key: &str, expected: &str, found: &DeValue<'_>) -> Option<String> {
    let last = key.rsplit('.').next().unwrap_or_default();
    match found {
        DeValue::Boolean(_) if TESTS.contains(&last) => Some(TRUTH.to_owned()),
        DeValue::String(text) if expected == "true or false" && matches!(text.as_ref(), "true" | "false") => {
            Some("leave out the quotation marks".to_owned())
        }
        DeValue::Table(_) if expected == "a list" && !key.contains('.') => Some(format!("write `[[{key}]]`")),
        DeValue::Table(_) if expected == "a list" => Some("write it in `[ ]`".to_owned()),
        DeValue::Array(_) if expected == "a table" && CATALOGUES.contains(&key) => {
            Some(format!("write a table for each, such as `[{key}.NAME]`"))
        }
        DeValue::Array(_) if expected == "a table" && !key.contains(['.', '[']) => Some(format!("write `[{key}]`")),
        _ => None,
    }
}

/// Names the kind of a value.
pub(super) fn shown(found: &DeValue<'_>) -> String {
    match found {
        DeValue::String(text) => format!("{:?}", text.as_ref()),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        other => format!("a value of type {}", other.type_str()),
    }
}
