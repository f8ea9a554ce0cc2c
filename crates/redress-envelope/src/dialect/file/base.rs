//! `extends`: the dialect that a file begins with, shipped or in another file.

use toml::de::DeTable;

use super::super::Dialect;
use super::super::spec::Spec;
use super::{DialectError, File, Item};
use crate::dialects;

/// How many files may extend each other in a row, the first one included: deep
/// enough for a team's, a vendor's and a service's file, and a bound on what
/// one name can make a program read.
pub(super) const MAX_FILES: usize = 8;
/// How long the name of an extended file may be, in bytes.
const MAX_NAME: usize = 255;

/// Where a file's `extends` may lead.
pub(in super::super) enum Base<'b, 'r> {
    /// The dialect is given; the file cannot choose another one.
    Given(&'b Spec),
    /// The dialect that the file of a shipped dialect extends, if it extends one.
    Extended(Option<&'b Spec>),
    /// Any shipped dialect.
    Shipped(Lookup),
    /// Any shipped dialect, or another file.
    Files(&'b mut Chain<'r>),
}

/// Finds a shipped dialect by its name: an argument, so that the files of all
/// dialects are linked only where a file may extend any of them.
pub(in super::super) type Lookup = fn(&str) -> Option<Dialect>;

/// The files that extend each other, from the first one to the one that is
/// being read.
pub(in super::super) struct Chain<'r> {
    /// The folder of the first file, which precedes the names in errors.
    folder: String,
    /// The names, relative to that folder.
    names: Vec<String>,
    shipped: Lookup,
    resolve: &'r mut dyn FnMut(&str) -> Result<String, String>,
}

impl<'r> Chain<'r> {
    pub(in super::super) fn new(
        file: &str,
        shipped: Lookup,
        resolve: &'r mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Self {
        let at = file.rfind(['/', std::path::MAIN_SEPARATOR]).map_or(0, |at| at + 1);
        let (folder, name) = file.split_at(at);
        Self { folder: folder.to_owned(), names: vec![name.to_owned()], shipped, resolve }
    }

    /// Reads the file that the current one extends, and those that it extends
    /// itself.
    fn read(&mut self, wanted: &str) -> Result<Spec, Refusal> {
        let name = joined(self.names.last().map_or("", String::as_str), wanted).ok_or(Refusal::NotInFolder)?;
        if self.names.contains(&name) {
            return Err(Refusal::Cycle(self.told(&name)));
        }
        if self.names.len() == MAX_FILES {
            return Err(Refusal::TooDeep(self.told(&name)));
        }
        let path = format!("{}{name}", self.folder);
        let text = (self.resolve)(&name).map_err(|error| Refusal::Unreadable(path.clone(), error))?;
        self.names.push(name);
        let read = super::read(&path, &text, &mut Base::Files(self), super::Checks::MISTAKES);
        self.names.pop();
        read.map(|read| read.compiled.spec).map_err(|error| Refusal::AtFault(Box::new(error)))
    }

    /// Tells who extends whom, and that the last one extends `name`.
    fn told(&self, name: &str) -> String {
        let names = self.names.iter().map(String::as_str).chain([name]);
        names.collect::<Vec<_>>().join(" extends ")
    }
}

/// Why an extended file cannot be used.
enum Refusal {
    NotInFolder,
    Cycle(String),
    TooDeep(String),
    Unreadable(String, String),
    AtFault(Box<DialectError>),
}

/// Finds what the file begins with: the base it was given, the dialect it
/// extends, or nothing.
pub(super) fn start<'t>(file: &mut File<'_>, root: &'t DeTable<'t>, base: &mut Base<'_, '_>) -> Spec {
    let name = root.get("name").and_then(|value| value.get_ref().as_str()).unwrap_or_default();
    let extended = root.get("extends").map(|value| Item::named("", "extends", value));
    let is_given = matches!(base, Base::Given(_));
    let mut spec = match (base, extended) {
        (Base::Given(base), None) => (*base).clone(),
        (Base::Given(base), Some(item)) => {
            file.expected(&item, "no `extends` in a file that already extends a dialect");
            (*base).clone()
        }
        (base, Some(item)) => extends(file, &item, base).unwrap_or_else(|| Spec::silent(name)),
        (_, None) => {
            if !root.contains_key("name") {
                file.note(&(0..0), "name", "expected a name for the dialect, found none".to_owned());
            }
            Spec::silent(name)
        }
    };
    if spec.vendor.is_empty() || (!name.is_empty() && !root.contains_key("extends") && !is_given) {
        name.clone_into(&mut spec.vendor);
    }
    spec
}

/// Returns what a shipped dialect, or another file, says; `None` where it
/// cannot be used, which is noted.
fn extends(file: &mut File<'_>, item: &Item<'_>, base: &mut Base<'_, '_>) -> Option<Spec> {
    let wanted = item.value.as_str().unwrap_or_default();
    let is_file = wanted.contains(['/', '\\']) || wanted.ends_with(".toml");
    let lookup = match base {
        Base::Shipped(lookup) => Some(*lookup),
        Base::Files(chain) => Some(chain.shipped),
        Base::Given(_) | Base::Extended(_) => None,
    };
    match base {
        Base::Extended(base) => base.cloned(),
        _ if !is_file => {
            let shipped = lookup.and_then(|lookup| lookup(wanted)).map(|shipped| shipped.inner.spec.clone());
            if shipped.is_none() {
                let names = dialects::NAMES.join(", ");
                file.expected(item, &format!("one of {names}, or a file such as `./base.toml`"));
            }
            shipped
        }
        Base::Files(chain) => chain.read(wanted).map_err(|refusal| file.refuse(item, refusal)).ok(),
        Base::Shipped(_) | Base::Given(_) => {
            let names = dialects::NAMES.join(", ");
            file.expected(item, &format!("one of {names}: `Dialect::from_toml_with` reads other files"));
            None
        }
    }
}

impl File<'_> {
    fn refuse(&mut self, item: &Item<'_>, refusal: Refusal) {
        let problem = match refusal {
            Refusal::NotInFolder => {
                let expected =
                    "a file in the folder of this one or below it, such as `./base.toml` or `./shared/base.toml`";
                return self.expected(item, expected);
            }
            Refusal::Cycle(told) => format!("expected files that do not extend each other in a circle, found {told}"),
            Refusal::TooDeep(told) => format!("expected at most {MAX_FILES} files in a row, found {told}"),
            Refusal::Unreadable(path, error) => format!("cannot read {path}: {error}"),
            Refusal::AtFault(error) => {
                let (path, count) = (&error.file, error.mistakes.len());
                let (line, s) =
                    (error.mistakes.first().map_or(1, |first| first.line), if count == 1 { "" } else { "s" });
                let problem = format!(
                    "expected a file without mistakes, found {count} mistake{s} in {path}, from line {line} on"
                );
                self.extended = Some(error);
                problem
            }
        };
        self.note(&item.span, &item.key, problem);
    }
}

/// Returns the name of a file that another one names, relative to the folder of
/// the first; `None` unless it lies in the folder of the other one or below it.
///
/// No name has `..`, a backslash or a colon in it, which on some systems lead
/// elsewhere.
fn joined(from: &str, wanted: &str) -> Option<String> {
    let inside = wanted.strip_prefix("./")?;
    let is_name = |part: &str| {
        let is_plain = !part.contains(|symbol: char| symbol.is_control() || matches!(symbol, '\\' | ':'));
        is_plain && !matches!(part, "" | "." | "..")
    };
    let folder = from.rfind('/').map_or("", |at| &from[..=at]);
    let name = format!("{folder}{inside}");
    (name.len() <= MAX_NAME && inside.split('/').all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_into_the_folder_of_the_file_that_says_it() {
        let long = format!("./{}", "a".repeat(256));
        for (from, wanted, expected) in [
            ("acme.toml", "./base.toml", Some("base.toml")),
            ("acme.toml", "./a/b/base.toml", Some("a/b/base.toml")),
            ("a/b.toml", "./c.toml", Some("a/c.toml")),
            ("a/b.toml", "./c/d", Some("a/c/d")),
            ("a.toml", "base.toml", None),
            ("a.toml", "../base.toml", None),
            ("a.toml", "./../base.toml", None),
            ("a.toml", "./a/../base.toml", None),
            ("a.toml", "././base.toml", None),
            ("a.toml", ".//base.toml", None),
            ("a.toml", "/etc/base.toml", None),
            ("a.toml", "./a\\..\\b.toml", None),
            ("a.toml", "./C:b.toml", None),
            ("a.toml", "./a\0.toml", None),
            ("a.toml", "./", None),
            ("a.toml", &long, None),
        ] {
            assert_eq!(joined(from, wanted).as_deref(), expected, "{from} {wanted}");
        }
    }
}
