//! Scripts: faults in a TOML file.

mod table;

use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use redress_envelope::Dialect;
use serde::Deserialize;
use toml::Spanned;

use self::table::Table;
use crate::fault::Fault;
use crate::route::Route;
use crate::scripted;

/// The faults of a script file, for [`Sandbox::add_script`](crate::Sandbox::add_script).
///
/// The file is a list of `[[fault]]` tables. `route` is required. The other keys have the meaning and
/// the default of the [`Fault`] setter with that name.
///
/// | key | value |
/// |---|---|
/// | `route` | `"POST /v1/applicants"`, `"GET /v1/applicants/{id}"`, or `"*"` |
/// | `times` | the number of requests that use the fault up; default 1 |
/// | `kind` | `"answer"` (default), `"drop"`, `"drop_before"`, `"truncate"`, `"proxy_html"`, `"slow_body"` |
/// | `status` | 200 to 599; default with a `code`: the documented one |
/// | `code` | a string or an integer |
/// | `message` | the envelope's message |
/// | `body` | the exact body instead of an envelope; excludes `code` and `message` |
/// | `content_type` | the `Content-Type` |
/// | `retry_after` | header text such as `"3"`, or `"date:+2"` |
/// | `headers` | a table of additional headers |
/// | `delay_ms` | the delay before the answer; for `slow_body` the time per byte, required |
///
/// For a sandbox of a dialect ([`Sandbox::start_dialect`](crate::Sandbox::start_dialect)) the file has
/// all answers. [`check`](Self::check) finds those that the dialect would not read.
///
/// # Examples
///
/// ```
/// use redress_sandbox::Script;
///
/// let text = r#"
///     [[fault]]
///     route = "POST /v1/applicants"
///     times = 2
///     status = 503
///     retry_after = "3"
/// "#;
/// assert!(Script::parse("outage.toml", text).is_ok());
///
/// let error = Script::parse("outage.toml", "[[fault]]\nroute = 7").unwrap_err();
/// assert!(error.to_string().starts_with("outage.toml:2: "));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Script {
    file: String,
    /// Each fault with the line in which its table starts.
    faults: Vec<(usize, Route, Fault)>,
}

/// The error for an invalid script. Its text names the file, the line and the expected value.
#[derive(Debug)]
pub struct ScriptError {
    file: String,
    problem: Problem,
}

impl Script {
    /// Reads a script file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or is not a valid script.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ScriptError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) => Err(ScriptError { file, problem: Problem::Unreadable(error) }),
        }
    }

    /// Parses a script. `file` is the file name for error messages.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a valid script.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScriptError> {
        let wrong = |span: Option<Range<usize>>, message: &str| ScriptError {
            file: file.to_owned(),
            problem: Problem::Wrong {
                line: line_of(text, span.map_or(0, |span| span.start)),
                message: message.to_owned(),
            },
        };
        let document: Document = toml::from_str(text).map_err(|error| wrong(error.span(), error.message()))?;
        let faults = document.fault.into_iter().map(|table| {
            let span = table.span();
            let line = line_of(text, span.start);
            match table.into_inner().into_fault() {
                Ok((route, fault)) => Ok((line, route, fault)),
                Err(message) => Err(wrong(Some(span), message)),
            }
        });
        let faults = faults.collect::<Result<_, _>>()?;
        Ok(Self { file: file.to_owned(), faults })
    }

    /// Checks that a dialect reads the scripted code and message from each answer.
    ///
    /// # Errors
    ///
    /// Fails for the first answer whose code or message the dialect does not read from a member of the
    /// body, or whose status is a success in the dialect.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_envelope::Dialect;
    /// use redress_sandbox::Script;
    ///
    /// let dialect = Dialect::from_toml("acme.toml", "name = \"acme\"\n[read]\ncode = \"fault.id\"\n")?;
    /// let readable = Script::parse("a.toml", "[[fault]]\nroute = \"*\"\nstatus = 503\ncode = \"E_BUSY\"")?;
    /// assert!(readable.check(&dialect).is_ok());
    ///
    /// let success = Script::parse("b.toml", "[[fault]]\nroute = \"*\"\nstatus = 200\ncode = \"E_BUSY\"")?;
    /// assert_eq!(success.check(&dialect).unwrap_err().line(), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self, dialect: &Dialect) -> Result<(), ScriptError> {
        let refusal =
            self.faults.iter().find_map(|(line, _, fault)| Some((*line, scripted::unreadable(dialect, fault)?)));
        match refusal {
            Some((line, message)) => {
                Err(ScriptError { file: self.file.clone(), problem: Problem::Wrong { line, message } })
            }
            None => Ok(()),
        }
    }

    /// Describes in one line per answer how a dialect reads it.
    #[cfg(feature = "program")]
    pub(crate) fn describe_answers(&self, dialect: &Dialect) -> Vec<String> {
        let answers = |(_, route, fault): &(usize, Route, Fault)| {
            let times = match fault.times.get() {
                1 => String::new(),
                times => format!("{times} times "),
            };
            let end = match (fault.cuts(b"{}"), scripted::meaning(dialect, fault)) {
                (true, _) => "no answer".to_owned(),
                (false, (status, Some(meaning))) => {
                    format!("{}: {}, {}", status.as_u16(), meaning.class, meaning.recovery)
                }
                (false, (status, None)) => format!("{}: a success", status.as_u16()),
            };
            format!("{route}  {times}{end}")
        };
        self.faults.iter().map(answers).collect()
    }

    pub(crate) fn into_faults(self) -> impl Iterator<Item = (Route, Fault)> {
        self.faults.into_iter().map(|(_, route, fault)| (route, fault))
    }
}

impl ScriptError {
    /// Returns the line of the mistake, from 1; `None` if the file could not be read.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::Script;
    /// let error = Script::parse("f.toml", "[[fault]]\nroute = '*'\nstatus = 99").unwrap_err();
    /// assert_eq!(error.line(), Some(3));
    /// assert!(error.to_string().starts_with("f.toml:3: "));
    ///
    /// let missing = Script::read("no-such-file.toml").unwrap_err();
    /// assert_eq!(missing.line(), None);
    /// ```
    pub fn line(&self) -> Option<usize> {
        match self.problem {
            Problem::Unreadable(_) => None,
            Problem::Wrong { line, .. } => Some(line),
        }
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Unreadable(_) => write!(f, "cannot read the script {}", self.file),
            Problem::Wrong { line, message } => write!(f, "{}:{line}: {message}", self.file),
        }
    }
}

impl std::error::Error for ScriptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Unreadable(error) => Some(error),
            Problem::Wrong { .. } => None,
        }
    }
}

#[derive(Debug)]
enum Problem {
    Unreadable(io::Error),
    Wrong { line: usize, message: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    fault: Vec<Spanned<Table>>,
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::fault::Kind;
    use crate::retry_after::RetryAfter;
    use http::StatusCode;
    use std::time::Duration;

    #[test]
    fn every_key_of_a_script_reaches_the_fault() {
        let text = r#"
            [[fault]]
            route = "GET /v1/{id}"
            times = 2
            status = 503
            code = "internal"
            message = "busy"
            content_type = "application/problem+json"
            retry_after = "date:+2"
            headers = { x-request-id = "abc" }
            delay_ms = 100

            [[fault]]
            route = "*"
            kind = "drop_before"

            [[fault]]
            route = "*"
            code = 4011

            [[fault]]
            route = "*"
            body = "raw text"
            kind = "slow_body"
            delay_ms = 1
        "#;
        let faults: Vec<_> = Script::parse("f.toml", text).unwrap().into_faults().collect();
        let first = &faults[0].1;
        assert_eq!((first.times.get(), first.status), (2, Some(StatusCode::SERVICE_UNAVAILABLE)));
        assert_eq!((first.code.clone(), first.message.as_deref()), (Some("internal".into()), Some("busy")));
        assert_eq!((&first.retry_after, first.delay), (&Some(RetryAfter::Date(2)), Duration::from_millis(100)));
        assert_eq!(first.headers["x-request-id"], "abc");
        assert_eq!(first.content_type.as_ref().unwrap(), "application/problem+json");
        assert_eq!((faults[1].1.kind, &faults[1].0), (Kind::DropBefore, &Route::Any));
        assert_eq!(faults[2].1.code, Some(Code::Number(4011)));
        assert_eq!(faults[3].1.body.as_deref(), Some(b"raw text".as_slice()));
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_expectation() {
        let cases = [
            ("rout = 1", 2, "unknown field `rout`, expected one of `route`", "a misspelt key"),
            ("times = 2", 1, "missing field `route`", "no route"),
            ("route = \"get /a\"", 2, "expected `*` or a method", "a route in lower case"),
            ("route = \"*\"\nstatus = 99", 3, "expected a number from 200 to 599", "a status out of range"),
            ("route = \"*\"\nstatus = \"503\"", 3, "expected u16", "a status in quotes"),
            ("route = \"*\"\ntimes = 0", 3, "expected a nonzero u32", "no times at all"),
            ("route = \"*\"\ncode = true", 3, "expected a string or an integer", "a boolean code"),
            ("route = \"*\"\nkind = \"explode\"", 3, "expected one of `answer`, `drop`", "an unknown kind"),
            ("route = \"*\"\nretry_after = \"date:x\"", 3, "`date:+2` for a date", "a date without a number"),
            ("route = \"*\"\nheaders = { \"a b\" = \"c\" }", 3, "expected a header name", "a header name with a space"),
            (
                "route = \"*\"\nkind = \"slow_body\"",
                1,
                "expected `delay_ms` of at least 1",
                "a slow body without its time",
            ),
            (
                "route = \"*\"\nkind = \"drop\"\nstatus = 500",
                1,
                "expected only `route`",
                "a status for a dropped connection",
            ),
            ("route = \"*\"\nbody = \"\"\ncode = 1", 1, "expected either `body`, or `code`", "a code for a raw body"),
            ("route = \"*", 2, "", "a string without its end"),
        ];
        for (lines, line, expected, name) in cases {
            let error = Script::parse("f.toml", &format!("[[fault]]\n{lines}\n")).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(&format!("f.toml:{line}: ")), "{name}: {text}");
            assert!(text.contains(expected), "{name}: {text}");
            assert_eq!(error.line(), Some(line), "{name}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Script::read("/nowhere/faults.toml").unwrap_err();
        assert!(error.to_string().contains("/nowhere/faults.toml"));
        assert_eq!(error.line(), None);
        assert!(std::error::Error::source(&error).is_some());
    }
}
