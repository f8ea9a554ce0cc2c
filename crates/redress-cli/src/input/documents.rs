//! Finds the responses in JSON documents that hold several of them.
//!
//! | document | responses |
//! |---|---|
//! | HAR 1.2 | `log.entries[*]` |
//! | cassettes of VCR and its ports, as JSON | `http_interactions[*]`, `interactions[*]`, `entries[*]`, `recordings[*]` |
//! | Postman collection 2.1 | `item[*].response[*]`, in folders up to 16 deep |
//! | array | its elements, if one of them is a response |
//! | lines, or values behind each other | each of them |
//!
//! A member that is not a response is a `ParseError` with its index, so that the indices of the others stay right.
//!
//! ```text
//! {"log": {"version": "1.2", "entries": [{"request": {..}, "response": {"status": 429, ..}}, ..]}}
//! ```

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{self, is_list, is_object};
use super::lines::Lines;
use super::parsed::{ParseError, ParseResult, ParsedResponse};
use super::record;

/// The greatest depth of folders in a collection.
const MAX_FOLDERS: u8 = 16;

/// Reads a document that holds several responses; `None` when it is another one.
pub(super) fn several(document: &RawValue) -> Option<Vec<ParseResult<'_>>> {
    if is_list(document) {
        let elements = json::elements(document).ok()?;
        let is_one = |element: &&RawValue| is_object(element) && record::is_record(element);
        return elements.iter().any(is_one).then(|| numbered(elements));
    }
    let member = |value, name: &str| {
        let members = json::members(value).ok()?;
        members.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    };
    // HAR 1.2: `{"log":{"entries":[...]}}`.
    if let Some(entries) = member(document, "log").filter(|log| is_object(log)).and_then(|log| member(log, "entries")) {
        return json::elements(entries).ok().map(numbered);
    }
    for name in ["http_interactions", "interactions", "entries", "recordings"] {
        if let Some(list) = member(document, name).filter(|list| is_list(list)) {
            return json::elements(list).ok().map(numbered);
        }
    }
    let folder = member(document, "item").filter(|list| is_list(list))?;
    let mut examples = Vec::new();
    collect_examples(folder, MAX_FOLDERS, &mut examples);
    Some(numbered(examples))
}

/// Collects the saved examples of a Postman collection.
fn collect_examples<'a>(folder: &'a RawValue, depth: u8, examples: &mut Vec<&'a RawValue>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for item in json::elements(folder).unwrap_or_default() {
        let Ok(members) = json::members(item) else { continue };
        for (name, value) in members {
            match &*name {
                "item" if is_list(value) => collect_examples(value, depth, examples),
                "response" if is_list(value) => examples.extend(json::elements(value).unwrap_or_default()),
                _ => {}
            }
        }
    }
}

/// Reads each element, which has its index as its id unless it has one of its own.
///
/// The index is that in the file, so that `jq '.log.entries[3]'` finds the response of the answer with the id 3.
fn numbered<'a>(elements: impl IntoIterator<Item = &'a RawValue>) -> Vec<ParseResult<'a>> {
    let read = |(nth, element): (usize, &'a RawValue)| {
        let id = || serde_json::value::to_raw_value(&nth).ok().map(Cow::Owned);
        match record::record(element) {
            Ok(found) => Ok(ParsedResponse { id: found.id.or_else(id), ..found }),
            Err(refusal) => Err(ParseError { id: refusal.id.or_else(id), ..refusal }),
        }
    };
    elements.into_iter().enumerate().map(read).collect()
}

/// Returns whether the first line that is not blank is a JSON object, and another one follows.
pub(super) fn is_lines(input: &[u8]) -> bool {
    let mut lines = Lines::new(input);
    lines.skip_empty();
    let first = lines.next().unwrap_or_default();
    lines.skip_empty();
    let is_object = |line: &[u8]| serde_json::from_slice::<&RawValue>(line).is_ok_and(json::is_object);
    is_object(first) && lines.peek().is_some_and(|line| line.trim_ascii_start().starts_with(b"{"))
}

/// Reads each line that is not blank.
pub(super) fn lines(input: &[u8]) -> Vec<ParseResult<'_>> {
    let mut items = Vec::new();
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        if !line.trim_ascii().is_empty() {
            let at = Some(lines.number);
            items.push(record::parse(line).map_err(|refusal| ParseError { line: at, ..refusal }));
        }
    }
    items
}

/// Reads values behind each other, each over several lines, as `jq` prints them.
///
/// The values before a damaged one are kept. What follows it cannot be told apart, and is one `ParseError` with its
/// line.
pub(super) fn stream(input: &str) -> Option<Vec<ParseResult<'_>>> {
    let values = serde_json::Deserializer::from_str(input).into_iter::<&RawValue>();
    let mut items = Vec::new();
    for value in values {
        match value {
            Ok(value) if is_object(value) => items.push(record::record(value)),
            _ if items.is_empty() => return None,
            Ok(value) => {
                items.push(Err(ParseError::new(format!("expected a JSON object, found {}", json::kind(value)))));
            }
            Err(error) => {
                let problem = "expected a JSON object here, or the end of the input".to_owned();
                items.push(Err(ParseError { id: None, line: Some(error.line()), problem }));
                break;
            }
        }
    }
    (items.len() > 1).then_some(items)
}
