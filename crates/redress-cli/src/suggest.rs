//! Suggestions for unknown words: the known word that is nearest to what was typed.
//!
//! ```text
//! unknown dialect `strip`, did you mean `stripe`? expected a TOML file or one of adyen, ...
//! ```
//!
//! The distance is that of `strsim`, which clap uses for commands and options. Keys and values of dialect files are suggested
//! by the library itself, by the same rule.

use std::path::Path;

/// Returns the known name that is most like an unknown one; `None` if none is near enough to be meant.
///
/// A name is near if at most a third of it must be changed, or if it begins with the unknown one, which has three letters or
/// more. Case is ignored. Of several names that are equally near, the first one is returned.
pub(crate) fn nearest<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let unknown = unknown.to_lowercase();
    let near = known.into_iter().filter_map(|name| {
        let lower = name.to_lowercase();
        let changes = strsim::osa_distance(&unknown, &lower);
        let is_begun = unknown.len() >= 3 && lower.starts_with(&unknown);
        (is_begun || changes * 3 <= unknown.chars().count().max(lower.chars().count())).then_some((changes, name))
    });
    near.min_by_key(|(changes, _)| *changes).map(|(_, name)| name)
}

/// Writes the question after an unknown name: the file of that name in a folder, if there is one, else the nearest known name.
///
/// The result is empty or ends with a space, so that the list of what is expected can follow. An argument of the command line
/// counts from the folder in hand, which is `.`.
pub(crate) fn question<'k>(unknown: &str, folder: &Path, known: impl IntoIterator<Item = &'k str>) -> String {
    if is_file_beside(unknown, folder) {
        return format!("did you mean `./{unknown}.toml`? ");
    }
    nearest(unknown, known).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default()
}

/// Adds a suggestion to the text of an error of serde about an unknown field or variant.
///
/// ```text
/// unknown field `lenght`, expected one of `name`, `about`, `length`
/// did you mean `length`?
/// ```
///
/// The names are those of the text, since serde has no other way to them.
#[cfg(feature = "lab")]
pub(crate) fn with_nearest(error: &str) -> String {
    let after = |kind: &str| error.find(kind).map(|at| &error[at + kind.len()..]);
    let words = after("unknown field `").or_else(|| after("unknown variant `"));
    let Some((unknown, expected)) = words.and_then(|words| words.split_once('`')) else { return error.to_owned() };
    let known = expected.split('`').skip(1).step_by(2);
    match nearest(unknown, known) {
        Some(name) => format!("{}\ndid you mean `{name}`?", error.trim_end()),
        None => error.to_owned(),
    }
}

/// Returns whether the TOML file of that name lies in a folder.
fn is_file_beside(name: &str, folder: &Path) -> bool {
    !name.is_empty() && !name.contains(std::path::is_separator) && folder.join(format!("{name}.toml")).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_if_it_is_near_enough() {
        let known = ["stripe", "github", "gitlab", "generic", "black-hole"];
        for (unknown, expected) in [
            ("strip", Some("stripe")),
            ("Stripe", Some("stripe")),
            ("githb", Some("github")),
            ("gen", Some("generic")),
            ("blackhole", Some("black-hole")),
            ("acme", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, known), expected, "{unknown}");
        }
    }

    #[cfg(feature = "lab")]
    #[test]
    fn an_error_of_serde_gets_the_nearest_of_its_names() {
        for (error, added) in [
            ("unknown field `lenght`, expected one of `name`, `length`", "\ndid you mean `length`?"),
            ("line 2\nunknown variant `fif`, expected `fifo` or `rows`\n", "\ndid you mean `fifo`?"),
            ("unknown field `zzz`, expected one of `name`, `length`", ""),
            ("unknown field `length", ""),
            ("missing field `name`", ""),
        ] {
            let text = with_nearest(error);
            assert_eq!(text.strip_prefix(error.trim_end()), Some(added), "{text}");
        }
    }
}
