//! Writes a value at a path of a dialect, into a JSON body under construction.

use serde_json::{Map, Value};

/// The largest array index that is written. The elements before it are filled with `null`.
const MAX_INDEX: usize = 16;

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// Inserts a value at a path of a dialect, such as `errors[0].code`, and creates the containers on the way.
///
/// A wildcard means the first element of an array, or a member named `item` of an object. Returns `false` and inserts
/// nothing if the path cannot be parsed, or if another value is already at one of its steps.
pub(crate) fn insert(body: &mut Value, path: &str, value: Value) -> bool {
    let Some(steps) = steps(path) else { return false };
    let mut at = body;
    for step in steps {
        let next = match (step, at) {
            (Step::Key(name), at @ (Value::Null | Value::Object(_))) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut().map(|members| members.entry(name).or_insert(Value::Null))
            }
            (Step::Index(index), at @ (Value::Null | Value::Array(_))) if index <= MAX_INDEX => {
                if at.is_null() {
                    *at = Value::Array(Vec::new());
                }
                at.as_array_mut().and_then(|elements| {
                    elements.resize(elements.len().max(index + 1), Value::Null);
                    elements.get_mut(index)
                })
            }
            _ => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    let is_free = at.is_null();
    if is_free {
        *at = value;
    }
    is_free
}

/// Parses a path as a dialect prints it.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = if path == "$" { "" } else { path };
    while !rest.is_empty() {
        let (step, after) = if let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']')?;
            (Step::Index(if index == "*" { 0 } else { index.parse().ok()? }), after)
        } else {
            let name = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
            key(name)?
        };
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

fn key(text: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, after) = quoted.split_once('"')?;
        return Some((Step::Key(name.to_owned()), after));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    match &text[..end] {
        // A space separates several paths whose values are joined: there is no single place to write to.
        name if name.is_empty() || name.contains(' ') => None,
        "*" => Some((Step::Key("item".to_owned()), &text[end..])),
        name => Some((Step::Key(name.to_owned()), &text[end..])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_inserted_at_its_path() {
        for (paths, expected) in [
            (&["code"][..], json!({"code": 0})),
            (&["error.code", "error.text"], json!({"error": {"code": 0, "text": 1}})),
            (&["errors[*].code", "errors[0].m"], json!({"errors": [{"code": 0, "m": 1}]})),
            (&["[1].a"], json!([null, {"a": 0}])),
            (&["\"odata.error\".code"], json!({"odata.error": {"code": 0}})),
            (&["data.*.code"], json!({"data": {"item": {"code": 0}}})),
            (&["$"], json!(0)),
        ] {
            let mut body = Value::Null;
            for (nth, path) in paths.iter().enumerate() {
                assert!(insert(&mut body, path, json!(nth)), "{path}");
            }
            assert_eq!(body, expected, "{paths:?}");
        }
    }

    #[test]
    fn an_occupied_or_malformed_path_inserts_nothing() {
        for path in ["error", "error.code", "[0]", "error and code", "a[17]", "a[x]", "\"a", "a..b"] {
            let mut body = json!({"error": "x"});
            let before = body.clone();
            assert!(!insert(&mut body, path, json!(1)), "{path}");
            assert_eq!(body["error"], before["error"], "{path}");
        }
    }
}
