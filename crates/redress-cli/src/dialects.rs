//! Dialects, found by name or read from a file.
//!
//! A name of a shipped dialect wins over a file of the same name; a path with a separator or the extension `.toml` is always a
//! file. A file may extend other files of its folder, which [`folder`](crate::folder) reads.
//!
//! | argument | dialect |
//! |---|---|
//! | `github` | the shipped one |
//! | `./github`, `github.toml`, `dialects/acme` | a file |
//! | `acme`, where no such dialect is shipped | the file `acme`, if it exists |
//!
//! A scenario of the lab names its dialect in the same way: see [`find_in`].

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use redress_backoff::BackoffLayer;
use redress_envelope::{Dialect, DialectError, Mistake, dialects};

use crate::failure::Failure;
use crate::folder::Folder;
use crate::input::{Input, name_of};
use crate::suggest;

/// The dialects of one run: the chosen one, and the shipped ones that records have named.
pub(crate) struct DialectCache {
    chosen: Rc<ReadyDialect>,
    named: HashMap<String, Rc<ReadyDialect>>,
}

/// A dialect, and the retries that it leads to by default. Both are made once, since a run may have millions of records.
pub(crate) struct ReadyDialect {
    /// The dialect that reads the responses.
    pub(crate) dialect: Dialect,
    /// The layer that a program would have with its defaults: it is asked whether a retry follows.
    pub(crate) backoff: BackoffLayer,
}

/// A dialect as a file states it, with what changes nothing in the file; or what is wrong with the file.
pub(crate) enum Loaded {
    /// The dialect, and the warnings of `lint`.
    Valid(Dialect, Vec<String>),
    /// The mistakes, as lines.
    Invalid(Vec<String>),
}

/// The strictness of a check: a program that reads a dialect accepts files that `lint` rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// For keys and values that cannot be read.
    Mistakes,
    /// For rules that can never hold, too, and for lines that change nothing.
    All,
}

/// Accepts any text, and lists the names of the shipped dialects for completions.
///
/// A file cannot be told from a misspelt name here; [`find`] does that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameOrFile;

impl ReadyDialect {
    /// Makes the retries of a dialect, with the default settings of a `BackoffLayer`.
    fn new(dialect: Dialect) -> Rc<Self> {
        Rc::new(Self { backoff: BackoffLayer::new(dialect.clone()), dialect })
    }
}

impl DialectCache {
    /// Chooses the dialect of the responses that name none.
    pub(crate) fn choose(name_or_file: &str) -> Result<Self, Failure> {
        Ok(Self { chosen: ReadyDialect::new(find(name_or_file)?), named: HashMap::new() })
    }

    /// Returns the dialect that a record names, or the chosen one; `None` if no dialect has that name.
    ///
    /// A name is looked up once; the result is kept for the other records, also where there is none.
    pub(crate) fn for_record(&mut self, name: Option<&str>) -> Option<Rc<ReadyDialect>> {
        match name {
            Some(name) => self.named(name),
            None => Some(Rc::clone(&self.chosen)),
        }
    }

    /// Returns the chosen dialect if that is its name, else the shipped one of that name.
    fn named(&mut self, name: &str) -> Option<Rc<ReadyDialect>> {
        if name == self.chosen.dialect.name() {
            return Some(Rc::clone(&self.chosen));
        }
        if let Some(known) = self.named.get(name) {
            return Some(Rc::clone(known));
        }
        let known = ReadyDialect::new(dialects::by_name(name)?);
        self.named.insert(name.to_owned(), Rc::clone(&known));
        Some(known)
    }
}

/// Returns the shipped dialect of that name, else the one in the file of that name.
///
/// # Errors
/// An unknown name, with the known ones; a file that cannot be read; a file with mistakes, with all of them.
pub(crate) fn find(name_or_file: &str) -> Result<Dialect, Failure> {
    if let Some(dialect) = dialects::by_name(name_or_file) {
        return Ok(dialect);
    }
    let path = Path::new(name_or_file);
    if !is_path(name_or_file) && !path.exists() {
        return Err(unknown(name_or_file, Path::new(".")));
    }
    without_mistakes(load(path, Checks::Mistakes)?)
}

/// Returns the dialect that a file names: a shipped one, or a file in the folder of that file or below it.
///
/// # Errors
/// Those of [`find`], and a path that leads out of the folder: the file may come from another person.
#[cfg(feature = "lab")]
pub(crate) fn find_in(file: &Path, name: &str) -> Result<Dialect, Failure> {
    if let Some(dialect) = dialects::by_name(name) {
        return Ok(dialect);
    }
    let beside = file.parent().unwrap_or(Path::new(""));
    if !is_path(name) {
        return Err(unknown(name, beside));
    }
    let path = beside.join(name);
    let text = Folder::of(file).read(name);
    let text = text.map_err(|error| Failure::Message(format!("cannot read {}: {error}", path.display())))?;
    without_mistakes(parse(&path, &text, Checks::Mistakes))
}

/// Returns whether an argument is the path of a file in any case; a name without either mark may be that of a dialect.
fn is_path(name: &str) -> bool {
    name.contains(std::path::is_separator) || Path::new(name).extension() == Some(OsStr::new("toml"))
}

/// States that a name is unknown, with the nearest one first; a file counts from the folder.
fn unknown(name: &str, folder: &Path) -> Failure {
    let nearest = suggest::question(name, folder, dialects::NAMES.iter().copied());
    let names = dialects::NAMES.join(", ");
    Failure::Message(format!("unknown dialect `{name}`, {nearest}expected a TOML file or one of {names}"))
}

/// Returns the dialect of a file without mistakes.
fn without_mistakes(loaded: Loaded) -> Result<Dialect, Failure> {
    match loaded {
        Loaded::Valid(dialect, _) => Ok(dialect),
        Loaded::Invalid(mistakes) => {
            Err(Failure::Message(format!("the dialect has mistakes\n{}", mistakes.join("\n"))))
        }
    }
}

/// Reads a dialect file and those that it extends.
///
/// # Errors
/// A file that cannot be read. Mistakes in it are a result, [`Loaded::Invalid`], since `lint` lists them.
pub(crate) fn load(path: &Path, checks: Checks) -> Result<Loaded, Failure> {
    let input = Input::open(path)?;
    let name = input.name.clone();
    let bytes = input.read_all()?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            return Ok(Loaded::Invalid(vec![format!("{name}:{line}: expected TOML in UTF-8")]));
        }
    };
    Ok(parse(path, text, checks))
}

/// Reads the text of a dialect file, and the files that it extends.
fn parse(path: &Path, text: &str, checks: Checks) -> Loaded {
    let name = name_of(path);
    let folder = Folder::of(path);
    let resolve = |wanted: &str| folder.read(wanted);
    let read = match checks {
        Checks::Mistakes => Dialect::from_toml_with(&name, text, resolve).map(|dialect| (dialect, Vec::new())),
        Checks::All => Dialect::lint(&name, text, resolve),
    };
    match read {
        Ok((dialect, warnings)) => {
            Loaded::Valid(dialect, warnings.iter().map(|warning| at_its_line(&name, warning)).collect())
        }
        Err(error) => Loaded::Invalid(at_their_lines(&error)),
    }
}

/// Returns a line for each mistake of a file, and for each of the files that it extends.
fn at_their_lines(error: &DialectError) -> Vec<String> {
    let files = std::iter::successors(Some(error), |error| error.extended());
    files.flat_map(|error| error.mistakes().iter().map(|mistake| at_its_line(error.file(), mistake))).collect()
}

/// Writes a mistake as `FILE:LINE: KEY: PROBLEM`.
///
/// Editors and CI systems make such a line a link.
fn at_its_line(file: &str, Mistake { line, key, problem, .. }: &Mistake) -> String {
    let colon = if key.is_empty() { "" } else { ": " };
    format!("{file}:{line}: {key}{colon}{problem}")
}

impl TypedValueParser for NameOrFile {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(dialects::NAMES.iter().map(|name| PossibleValue::new(*name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_may_name_a_shipped_dialect_or_the_chosen_one() {
        let chosen = Dialect::from_toml("acme.toml", "name = \"acme\"\n").unwrap();
        let mut dialects = DialectCache { chosen: ReadyDialect::new(chosen), named: HashMap::new() };
        for (name, found) in [("acme", true), ("vlens", true), ("vlens", true), ("other", false), ("", false)] {
            let dialect = dialects.named(name);
            assert_eq!(dialect.as_ref().map(|known| known.dialect.name()), found.then_some(name));
        }
        assert_eq!(dialects.named.len(), 1, "what is unknown is not kept");
    }

    #[test]
    fn a_path_or_a_name_with_toml_is_a_file() {
        assert_eq!(find("veridia").unwrap().name(), "veridia");
        for (name, problem) in [
            ("nothing-of-this-name", "unknown dialect `nothing-of-this-name`, expected a TOML file or one of "),
            ("./nothing", "cannot read ./nothing: "),
            ("nothing.toml", "cannot read nothing.toml: "),
        ] {
            let Err(Failure::Message(text)) = find(name) else { panic!("{name}") };
            assert!(text.starts_with(problem), "{text}");
        }
    }
}
