//! Dialect files that are made to be costly: one kind of mistake, or of content, repeated.

use std::fmt::Write as _;

use clap::ValueEnum;

/// A kind of costly dialect file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectFile {
    /// Keys that no table knows.
    UnknownKeys,
    /// Codes of a class that does not exist.
    WrongClasses,
    /// Codes without a mistake.
    GoodCodes,
    /// One code in a list of paths.
    CodePaths,
    /// A list of paths of which each is there twice.
    HiddenPaths,
    /// Rules that differ.
    Rules,
    /// Rules of which all but one can never hold.
    SameRules,
    /// Rules that the first one hides.
    HiddenRules,
    /// Codes that no source can say.
    SilentCodes,
    /// Two rules with long lists of values, one of which is in the way of the other.
    HeaderValues,
    /// Rules that signal an error.
    Errors,
    /// One such rule with long lists of paths and values.
    Equals,
    /// Readings with conditions.
    Readings,
    /// Statuses that are none.
    Statuses,
    /// Reasons.
    Reasons,
    /// Lists of fields.
    Fields,
    /// Names that a map of fields leaves out.
    Except,
    /// Hints without a unit.
    Hints,
    /// Limits without a route.
    Limits,
    /// Routes that are declared idempotent.
    Routes,
    /// Credentials in paths.
    SecretPaths,
    /// Headers that hold credentials.
    SecretHeaders,
    /// Unknown keys in a table with a long name.
    LongTable,
    /// A text that is as long as the file.
    LongText,
    /// A pattern with a star between any two letters.
    Stars,
    /// One key twice, behind many.
    DuplicateKey,
    /// Lists in lists.
    DeepLists,
    /// Tables in tables, by one long key.
    DeepTables,
    /// Unknown keys behind a line that extends a shipped dialect.
    Extends,
}

impl DialectFile {
    /// Makes a file with `count` items.
    #[must_use]
    pub fn text(self, count: usize) -> String {
        let mut text = "name = \"a\"\n".to_owned();
        let mut lines = |head: &str, line: &dyn Fn(usize) -> String, tail: &str| {
            text.push_str(head);
            (0..count).for_each(|nth| {
                // Writing to a text does not fail.
                let _ = writeln!(text, "{}", line(nth));
            });
            text.push_str(tail);
        };
        match self {
            Self::UnknownKeys => lines("", &|n| format!("k{n} = 1"), ""),
            Self::WrongClasses => lines("", &|n| format!("[codes.E{n}]\nclass = \"oops\""), ""),
            Self::GoodCodes => lines("", &|n| format!("[codes.E{n}]\nclass = \"invalid\""), ""),
            Self::CodePaths => lines("[read]\ncode = [\n", &|n| format!("\"a{n}\","), "]\n"),
            Self::HiddenPaths => lines("[read]\ncode = [\n", &|n| format!("\"a{}\",", n / 2), "]\n"),
            Self::Rules => lines("", &|n| format!("[[rules]]\nwhen = {{ code = \"E{n}\" }}\nclass = \"invalid\""), ""),
            Self::SameRules => lines("", &|_| "[[rules]]\nwhen = { code = \"E\" }\nclass = \"invalid\"".to_owned(), ""),
            Self::HiddenRules => {
                let first = "[read]\ncode = \"c\"\n[[rules]]\nwhen = { status = \"400-499\" }\nclass = \"invalid\"\n";
                lines(
                    first,
                    &|n| format!("[[rules]]\nwhen = {{ status = 404, code = \"E{n}\" }}\nclass = \"invalid\""),
                    "",
                );
            }
            Self::SilentCodes => {
                let read = "[read]\ncode = { path = \"c\", as = \"number\" }\n";
                lines(read, &|n| format!("[codes.E{n}]\nstatus = 200\nclass = \"invalid\""), "");
            }
            Self::HeaderValues => {
                for body in ["", ", body = \"b\""] {
                    lines(
                        "[[rules]]\nclass = \"invalid\"\nwhen = { header = \"x\", header_is = [",
                        &|n| format!("\" v{n}\","),
                        "",
                    );
                    lines(&format!("\"v\"]{body} }}\n"), &|_| String::new(), "");
                }
            }
            Self::Errors => lines("", &|n| format!("[[error]]\nnot_null = \"e{n}\""), ""),
            Self::Equals => {
                lines("[[error]]\nequals = { path = [", &|n| format!("\"a{n}\","), "], is = [\"x\"");
                lines("", &|n| format!(",\"v{n}\""), "] }\n");
            }
            Self::Readings => lines("", &|n| format!("[[read]]\nwhen = {{ header = \"h{n}\" }}\ncode = \"c\""), ""),
            Self::Statuses => lines("", &|n| format!("[status.9{n}]\nclass = \"invalid\""), ""),
            Self::Reasons => lines("", &|n| format!("[reasons.r{n}]\nguidance = \"g\""), ""),
            Self::Fields => lines("[read]\nfields = [\n", &|n| format!("{{ map = \"m{n}\" }},"), "]\n"),
            Self::Except => {
                lines("[read]\nfields = [{ map = \"$\", except = [\n", &|n| format!("\"e{n}\","), "] }]\n");
            }
            Self::Hints => lines("[read]\nhints = [\n", &|n| format!("{{ header = \"h{n}\" }},"), "]\n"),
            Self::Limits => lines("limits = [\n", &|n| format!("{{ requests = {n} }},"), "]\n"),
            Self::Routes => lines("[retry]\nidempotent = [\n", &|n| format!("\"POST /r{n}\","), "]\n"),
            Self::SecretPaths => lines("[secrets]\npaths = [\n", &|n| format!("\"/p{n}/{{secret}}\","), "]\n"),
            Self::SecretHeaders => lines("[secrets]\nheaders = [\n", &|n| format!("\"h{n}\","), "]\n"),
            Self::LongTable => lines(&format!("[codes.{}]\n", "x".repeat(count * 10)), &|n| format!("k{n} = 1"), ""),
            Self::LongText => lines(&format!("guide = \"{}\"\n", "x".repeat(count * 10)), &|_| String::new(), ""),
            Self::Stars => {
                let pattern = "*a".repeat(count);
                let rule = format!("[[rules]]\nclass = \"invalid\"\nwhen = {{ message = \"{pattern}\" }}\n");
                lines(&rule, &|_| String::new(), "");
            }
            Self::DuplicateKey => lines("", &|n| format!("k{n} = 1"), "k0 = 1\n"),
            Self::DeepLists => lines("x = ", &|_| "[".to_owned(), "\n"),
            Self::DeepTables => lines(&format!("{}k = 1\n", "k.".repeat(count)), &|_| String::new(), ""),
            Self::Extends => lines("extends = \"vlens\"\n", &|n| format!("k{n} = 1"), ""),
        }
        text
    }
}
