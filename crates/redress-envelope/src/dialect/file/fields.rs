//! `fields = [...]`: how an API lists the faults of single fields.

use std::slice;

use super::words::{path, path_below_element, text};
use super::{File, Item};
use crate::path::Path;
use crate::plan::{FieldList, MAX_LISTS, MAX_RANKS, Texts};

/// How many names a map of fields may leave out: each is looked for in the
/// others.
const MAX_EXCEPT: usize = 64;
/// How many paths the alternatives of one list may make.
const MAX_PATHS: usize = 1024;
const KNOWN: &[&str] =
    &["list", "one", "map", "maps", "tree", "path", "message", "nameless", "except", "texts", "nested", "leaf"];

/// The keys of the table of one list.
#[derive(Default)]
struct Table {
    form: Option<(Form, Path)>,
    path: Vec<Path>,
    message: Vec<Path>,
    nameless: bool,
    except: Vec<String>,
    leaf: Option<String>,
    texts: Option<Texts>,
    nested: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    List,
    One,
    Map,
    Maps,
    Tree,
}

pub(super) fn fields<'t>(file: &mut File<'_>, item: &Item<'t>) -> Vec<FieldList> {
    let items = file.items(item);
    if items.len() > MAX_LISTS {
        file.expected(item, "at most 64 lists of fields");
        return Vec::new();
    }
    items.iter().filter_map(|item| list(file, item)).collect()
}

fn list<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<FieldList> {
    let mistakes = file.mistakes.len();
    let Table { form, path, message, nameless, except, leaf, texts, nested } = table(file, item)?;
    if form.as_ref().is_some_and(|(form, at)| at.is_xml() && *form != Form::List) {
        file.note(&item.span, &item.key, "expected `list` with a path into XML".to_owned());
    }
    let holds_below = |paths: &[Path]| paths.iter().any(Path::holds_below);
    let (at_any_depth, inside) = (
        holds_below(form.as_ref().map(|(_, at)| slice::from_ref(at)).unwrap_or_default()),
        holds_below(&path) || holds_below(&message),
    );
    let may_hold_below = form.as_ref().is_some_and(|(form, _)| matches!(form, Form::List | Form::One | Form::Map));
    let is_list = form.as_ref().is_some_and(|(form, _)| matches!(form, Form::List | Form::One));
    if (at_any_depth && !may_hold_below) || (inside && !(at_any_depth && is_list)) {
        let places = "expected `**` only in the path of a `list`, `one` or `map`, and in the parts of such a list";
        file.note(&item.span, &item.key, places.to_owned());
    }
    if file.mistakes.len() > mistakes {
        return None;
    }
    let inside: usize = path.iter().chain(&message).map(Path::count).sum();
    if form.as_ref().is_some_and(|(_, at)| at.count() * inside.max(1) > MAX_PATHS) {
        file.note(&item.span, &item.key, format!("expected alternatives that make at most {MAX_PATHS} paths"));
        return None;
    }
    let plain = path.is_empty() && !nameless;
    let is_list = except.is_empty() && leaf.is_none() && texts.is_none() && !nested;
    let is_tree = except.is_empty() && texts.is_none() && !nested;
    let (too_many, has_leaf) = (path.len().max(message.len()) > MAX_RANKS, leaf.is_some());
    match form {
        Some((form @ (Form::List | Form::One), at))
            if !path.is_empty() && !message.is_empty() && is_list && !too_many =>
        {
            Some(FieldList::List { at, path, message, nameless, single: form == Form::One })
        }
        Some((form @ (Form::Map | Form::Maps), at)) if plain && !has_leaf => {
            let texts = texts.unwrap_or(Texts::All);
            Some(FieldList::Map { at, except, message, each: form == Form::Maps, texts, nested })
        }
        Some((Form::Tree, at)) if plain && is_tree && (has_leaf || message.is_empty()) => {
            Some(FieldList::Tree { at, leaf, message })
        }
        _ => {
            let forms = "`list` or `one` with `path` and `message`, `map` or `maps`, which may have `except`, `message`, \
                         `texts` and `nested`, or `tree`, which may have `leaf` and `message`";
            file.note(&item.span, &item.key, format!("expected {forms}"));
            None
        }
    }
}

/// Reads where a list begins; `**` is any place of an object.
fn place(form: Form, text: &str) -> Result<Path, String> {
    if (form, text) == (Form::One, "**") { Ok(Path::any_depth()) } else { path(text) }
}

fn except(file: &mut File<'_>, item: &Item<'_>) -> Vec<String> {
    let names = file.each_parsed(item, text);
    if names.len() > MAX_EXCEPT {
        file.note(&item.span, &item.key, format!("expected at most {MAX_EXCEPT} names, found {}", names.len()));
    }
    names
}

fn texts(file: &mut File<'_>, item: &Item<'_>) -> Option<Texts> {
    match (item.value.as_bool(), item.value.as_str()) {
        (Some(true), _) => Some(Texts::All),
        (Some(false), _) => Some(Texts::None),
        (_, Some("sentence")) => Some(Texts::Sentences),
        _ => {
            file.expected(item, "true, false or `sentence`");
            None
        }
    }
}

fn table<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Table> {
    let mut fields = Table::default();
    let table = file.table(item)?;
    let is_xml = table.get("list").and_then(|at| at.get_ref().as_str()).is_some_and(|at| at.starts_with('/'));
    let path_inside = if is_xml { path_below_element } else { path };
    for (key, value) in table {
        let entry = item.member(key, value);
        let form = match key.get_ref().as_ref() {
            "list" => Form::List,
            "one" => Form::One,
            "map" => Form::Map,
            "maps" => Form::Maps,
            "tree" => Form::Tree,
            other => {
                match other {
                    "path" => fields.path = file.each_parsed(&entry, path_inside),
                    "message" => fields.message = file.each_parsed(&entry, path_inside),
                    "nameless" => fields.nameless = file.truth(&entry).unwrap_or_default(),
                    "except" => fields.except = except(file, &entry),
                    "texts" => fields.texts = texts(file, &entry),
                    "nested" => fields.nested = file.truth(&entry).unwrap_or_default(),
                    "leaf" => fields.leaf = file.parsed(&entry, text),
                    _ => file.unknown(&item.key, key, KNOWN),
                }
                continue;
            }
        };
        if fields.form.is_some() {
            file.note(&entry.span, &item.key, "expected only one of list, one, map, maps, tree".to_owned());
        }
        fields.form = file.parsed(&entry, |text| place(form, text)).map(|path| (form, path));
    }
    Some(fields)
}
