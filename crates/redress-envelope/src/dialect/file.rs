//! Reads a dialect's TOML file and collects every mistake in it.

mod base;
mod catalogue;
mod error;
mod fields;
mod lint;
mod mistake;
mod nearest;
mod read;
mod retry;
mod scopes;
mod sections;
mod source;
mod syntax;
mod when;
mod words;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) use base::{Base, Chain};
pub use mistake::{DialectError, Mistake};

use super::compiled::Compiled;
use super::spec::Spec;

/// How long a value that a dialect compares with may be.
const MAX_VALUE: usize = 256;
/// The number of mistakes of a file that get a suggestion.
const MAX_SUGGESTIONS: usize = 64;
/// How much of the name of a table the names of its keys repeat, in bytes: else
/// one long name in front of many keys would take quadratic time and memory.
const MAX_TABLE: usize = 256;

/// A value, where it stands, and the whole name of its key.
#[derive(Clone)]
pub(super) struct Item<'t> {
    key: String,
    span: Range<usize>,
    value: &'t DeValue<'t>,
}

/// A file in the middle of being read.
pub(super) struct File<'s> {
    text: &'s str,
    /// Where each line ends; counted at the first mistake.
    line_ends: Option<Vec<usize>>,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    /// The mistakes of the file that this one extends.
    extended: Option<Box<DialectError>>,
}

/// How strictly a file is checked: the search that follows once all keys and
/// values can be read. It is a function, so that a program links it only where
/// it checks files.
#[derive(Clone, Copy)]
pub(super) struct Checks(Option<Search>);

type Search = for<'t> fn(&mut File<'_>, &'t DeTable<'t>, &Spec);

impl Checks {
    /// For keys and values that cannot be read.
    pub(super) const MISTAKES: Self = Self(None);
    /// For rules that can never hold, too, and for lines that change nothing.
    pub(super) const LINT: Self = Self(Some(lint::lint));
}

/// A dialect as its file states it, and what changes nothing in the file.
pub(super) struct Read {
    pub(super) compiled: Compiled,
    pub(super) warnings: Vec<Mistake>,
}

/// Reads a dialect that begins with what `base` says, or with what the file
/// extends.
pub(super) fn read(name: &str, text: &str, base: &mut Base<'_, '_>, checks: Checks) -> Result<Read, DialectError> {
    let mut file = File::new(text);
    let mut compiled = None;
    match DeTable::parse(text) {
        Ok(root) => {
            let read = Compiled::new(sections::root(&mut file, root.get_ref(), base));
            sections::limits(&mut file, root.get_ref(), &read);
            if let Checks(Some(search)) = checks
                && file.mistakes.is_empty()
            {
                search(&mut file, root.get_ref(), &read.spec);
            }
            compiled = Some(read);
        }
        Err(error) => {
            let span = error.span().unwrap_or_default();
            file.note(&span, "", syntax::told(text, &span, error.message()));
        }
    }
    file.mistakes.sort_by_key(|mistake| mistake.line);
    match compiled {
        Some(compiled) if file.mistakes.is_empty() => Ok(Read { compiled, warnings: file.warnings }),
        _ => Err(DialectError { file: name.to_owned(), mistakes: file.mistakes, extended: file.extended }),
    }
}

impl<'t> Item<'t> {
    fn member(&self, key: &Spanned<Cow<'_, str>>, value: &'t Spanned<DeValue<'t>>) -> Self {
        Item::named(&self.key, key.get_ref(), value)
    }

    fn named(table: &str, key: &str, value: &'t Spanned<DeValue<'t>>) -> Self {
        Self { key: key_of(table, key), span: value.span(), value: value.get_ref() }
    }
}

/// Returns the whole name of a key, of its table's no more than the beginning.
fn key_of(table: &str, key: &str) -> String {
    let dot = if table.is_empty() { "" } else { "." };
    format!("{}{dot}{key}", shortened(table))
}

fn shortened(table: &str) -> Cow<'_, str> {
    if table.len() <= MAX_TABLE {
        return Cow::Borrowed(table);
    }
    let end = (0..=MAX_TABLE).rev().find(|end| table.is_char_boundary(*end)).unwrap_or_default();
    Cow::Owned(format!("{}...", &table[..end]))
}

impl<'s> File<'s> {
    const fn new(text: &'s str) -> Self {
        Self { text, line_ends: None, mistakes: Vec::new(), warnings: Vec::new(), extended: None }
    }
}

impl File<'_> {
    /// Returns the line, counted from 1, in which something begins.
    fn line(&mut self, span: &Range<usize>) -> usize {
        let text = self.text;
        let line_ends = self.line_ends.get_or_insert_with(|| text.match_indices('\n').map(|(at, _)| at).collect());
        1 + line_ends.partition_point(|end| *end < span.start)
    }

    fn note(&mut self, span: &Range<usize>, key: &str, problem: String) {
        let line = self.line(span);
        self.mistakes.push(Mistake { line, key: key.to_owned(), problem });
    }

    /// Notes a value that was not expected. A list of names, `one of a, b, c`, is
    /// preceded by the name that the value may stand for.
    fn expected(&mut self, item: &Item<'_>, expected: &str) {
        let found = syntax::shown(item.value);
        let names = expected.strip_prefix("one of ").zip(item.value.as_str());
        let nearest = names.and_then(|(names, found)| self.nearest(found, names.split(", ")));
        let nearest = nearest.map(|name| format!("did you mean {name:?}? ")).unwrap_or_default();
        let advice = syntax::advice(&item.key, expected, item.value).map(|advice| format!(": {advice}"));
        let problem = format!("{nearest}expected {expected}, found {found}{}", advice.unwrap_or_default());
        self.note(&item.span, &item.key, problem);
    }

    fn unknown(&mut self, table: &str, key: &Spanned<Cow<'_, str>>, known: &[&str]) {
        let name = key_of(table, key.get_ref());
        let nearest = self.nearest(key.get_ref(), known.iter().copied());
        let nearest = nearest.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
        self.note(&key.span(), &name, format!("unknown key, {nearest}expected one of {}", known.join(", ")));
    }

    /// Returns the word that an unknown one may stand for, for the first mistakes of the file only: a comparison takes
    /// longer than all else that is done about a mistake, and no person reads hundreds of them.
    fn nearest<'k>(&self, unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
        if self.mistakes.len() < MAX_SUGGESTIONS { nearest::nearest(unknown, known) } else { None }
    }

    fn table<'t>(&mut self, item: &Item<'t>) -> Option<&'t DeTable<'t>> {
        let table = item.value.as_table();
        if table.is_none() {
            self.expected(item, "a table");
        }
        table
    }

    fn string(&mut self, item: &Item<'_>) -> Option<String> {
        match item.value.as_str() {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            _ => {
                self.expected(item, "a text that is not empty");
                None
            }
        }
    }

    /// Reads a text that is printed: no symbol in it can end a line, steer a
    /// terminal or hide.
    fn printed(&mut self, item: &Item<'_>) -> Option<String> {
        let text = self.string(item)?;
        if text.contains(is_hidden) {
            self.expected(item, "a text without control and invisible characters");
            return None;
        }
        Some(text)
    }

    /// Reads a text with `read`, whose error says what was expected.
    fn parsed<T>(&mut self, item: &Item<'_>, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match item.value.as_str().map(&read) {
            Some(Ok(value)) => Some(value),
            Some(Err(expected)) => {
                self.expected(item, &expected);
                None
            }
            None => {
                self.expected(item, &read("").err().unwrap_or_else(|| "a text".to_owned()));
                None
            }
        }
    }

    /// Reads one text, or a list of them.
    fn each_parsed<T>(&mut self, item: &Item<'_>, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        match item.value {
            DeValue::Array(array) if array.is_empty() => {
                self.expected(item, "at least one");
                Vec::new()
            }
            DeValue::Array(_) => {
                let items = self.items(item);
                items.iter().filter_map(|item| self.parsed(item, &read)).collect()
            }
            _ => self.parsed(item, read).into_iter().collect(),
        }
    }

    /// Returns the elements of a list.
    fn items<'t>(&mut self, item: &Item<'t>) -> Vec<Item<'t>> {
        let Some(array) = item.value.as_array() else {
            self.expected(item, "a list");
            return Vec::new();
        };
        let element = |(nth, value): (usize, &'t Spanned<DeValue<'t>>)| Item {
            key: format!("{}[{nth}]", shortened(&item.key)),
            span: value.span(),
            value: value.get_ref(),
        };
        array.iter().enumerate().map(element).collect()
    }

    /// Returns a text, number or truth value as a text.
    fn scalar(&mut self, item: &Item<'_>) -> Option<String> {
        match item.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// Reads one value of a body or header, or a list of them: texts, whole numbers
    /// or truth values.
    fn values(&mut self, item: &Item<'_>) -> Vec<String> {
        let items = if item.value.is_array() { self.items(item) } else { vec![item.clone()] };
        if items.is_empty() {
            self.expected(item, "at least one");
        }
        let mut values = Vec::new();
        for item in items {
            match self.scalar(&item).filter(|text| text.len() <= MAX_VALUE) {
                Some(text) => values.push(text),
                None => self.expected(&item, "a text of at most 256 bytes, a whole number, true or false"),
            }
        }
        values
    }

    fn truth(&mut self, item: &Item<'_>) -> Option<bool> {
        let truth = item.value.as_bool();
        if truth.is_none() {
            self.expected(item, "true or false");
        }
        truth
    }

    fn count(&mut self, item: &Item<'_>) -> Option<NonZeroU32> {
        let count = self.integer(item).and_then(|count| u32::try_from(count).ok()).and_then(NonZeroU32::new);
        if count.is_none() {
            self.expected(item, "a whole number from 1 to 4294967295");
        }
        count
    }

    fn millis(&mut self, item: &Item<'_>) -> Option<Duration> {
        let millis = self.integer(item).map(Duration::from_millis);
        if millis.is_none() {
            self.expected(item, "a whole number of milliseconds");
        }
        millis
    }

    fn seconds(&mut self, item: &Item<'_>) -> Option<Duration> {
        let seconds = self.integer(item).filter(|seconds| *seconds > 0).map(Duration::from_secs);
        if seconds.is_none() {
            self.expected(item, "a whole number of seconds, 1 or more");
        }
        seconds
    }

    fn status(&mut self, item: &Item<'_>) -> Option<u16> {
        let status = self.integer(item).and_then(|status| u16::try_from(status).ok());
        let status = status.filter(|status| (100..=999).contains(status));
        if status.is_none() {
            self.expected(item, "a status from 100 to 999");
        }
        status
    }

    #[allow(clippy::unused_self, reason = "a sibling of the readers above")]
    fn integer(&self, item: &Item<'_>) -> Option<u64> {
        let number = item.value.as_integer()?;
        u64::from_str_radix(number.as_str(), number.radix()).ok()
    }
}

/// Adds what a list lacks: what is safe or secret for the dialect below stays
/// so.
fn add<T: Clone + Eq + Hash>(known: &mut Vec<T>, more: Vec<T>) {
    let mut seen: HashSet<T> = known.iter().cloned().collect();
    known.extend(more.into_iter().filter(|item| seen.insert(item.clone())));
}

/// Returns `true` if a terminal or a log would act on a symbol instead of
/// showing it: the list of `escaped` in `redress-classify`.
fn is_hidden(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(symbol, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
