//! Paths to values in a body: `error.code`, `errors[0].title`,
//! `"odata.error".code` in JSON; `/Error/Code`, `//error/@code` in XML.

mod xml;

use std::fmt;
use std::slice;

pub(crate) use xml::fold;

use crate::json::MAX_NAME;

/// How many steps a path may have.
pub(crate) const MAX_STEPS: usize = 8;

/// How many paths one that names alternatives may stand for.
const MAX_NAMES: usize = 32;

/// The way from the root of a body to one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The member of this name.
    Key(String),
    /// The members of these names.
    OneOf(Vec<String>),
    /// A member whose name ends like this, in letters and digits, whatever their case; only after [`Self::Below`].
    Ending(String),
    /// The element at this index.
    Index(u32),
    /// Every element.
    Each,
    /// Every member, or every element below another one.
    Any,
    /// Any depth of a JSON document, at places that no other path names; the first step, if it is one.
    Below,
    /// The beginning of an XML document.
    Root,
    /// Any element of an XML document, for a path that holds at every depth.
    Anywhere,
    /// The attribute of this name.
    Attribute(String),
    /// The text of the element itself.
    Text,
}

impl Path {
    /// Reads a path; the error says what was expected. One that begins with `/`
    /// leads into XML.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with('/') {
            return xml::parse(text);
        }
        let mut steps = Vec::new();
        let mut rest = if text == "$" { return Ok(Self(steps)) } else { text };
        while !rest.is_empty() {
            let (step, after) = if let Some(after) = rest.strip_prefix('[') {
                index(after)?
            } else {
                key(if steps.is_empty() { rest } else { rest.strip_prefix('.').ok_or(DOT)? })?
            };
            steps.push(step);
            rest = after;
        }
        if steps.iter().skip(1).any(|step| *step == Step::Below) || steps == [Step::Below] {
            return Err(BELOW);
        }
        let second = usize::from(steps.first() == Some(&Step::Below));
        if steps.iter().enumerate().any(|(nth, step)| (second, nth) != (1, 1) && has_ending(step)) {
            return Err(ENDING);
        }
        match steps.len() {
            _ if Self(steps.clone()).count() > MAX_NAMES => Err("a path that stands for at most 32 paths"),
            0 => Err("a path such as `error.code`"),
            1..=MAX_STEPS => Ok(Self(steps)),
            _ => Err("a path of at most 8 steps"),
        }
    }

    /// Returns the path to any place that no other path names.
    pub(crate) fn any_depth() -> Self {
        Self(vec![Step::Below])
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Reads a path from one XML element on: `@field`, `detail/text`, or `.` for
    /// the text of the element itself.
    pub(crate) fn parse_below_element(text: &str) -> Result<Self, &'static str> {
        xml::parse_below_element(text)
    }

    /// Returns `true` if it leads into XML rather than JSON.
    pub(crate) fn is_xml(&self) -> bool {
        matches!(self.0.first(), Some(Step::Root | Step::Anywhere))
    }

    /// Returns `true` if it selects an element by an attribute.
    pub(crate) fn selects(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Key(name) if self.is_xml() && name.starts_with('[')))
    }

    /// Returns `true` if it may lead to several values, as any path into XML may:
    /// elements repeat.
    pub(crate) fn has_wildcard(&self) -> bool {
        self.is_xml() || self.0.iter().any(|step| matches!(step, Step::Each | Step::Any | Step::Below | Step::OneOf(_)))
    }

    /// Returns `true` if it leads to members of JSON at any depth.
    pub(crate) fn holds_below(&self) -> bool {
        matches!(self.0.first(), Some(Step::Below))
    }

    /// Returns `true` if its first step is the member of this name.
    pub(crate) fn begins_with(&self, name: &str) -> bool {
        matches!(self.0.first(), Some(Step::Key(key)) if key == name)
    }

    /// Returns how many paths it stands for.
    pub(crate) fn count(&self) -> usize {
        let names = |step: &Step| if let Step::OneOf(names) = step { names.len() } else { 1 };
        self.0.iter().map(names).fold(1, usize::saturating_mul)
    }

    /// Returns each path that it stands for, in which every step has one name.
    pub(crate) fn expanded(&self) -> Vec<Self> {
        self.0.iter().fold(vec![Self(Vec::new())], |paths, step| match step {
            Step::OneOf(names) => {
                let with = |path: &Self, name: &String| path.join(&[named(name)]);
                paths.iter().flat_map(|path| names.iter().map(move |name| with(path, name))).collect()
            }
            step => paths.iter().map(|path| path.join(slice::from_ref(step))).collect(),
        })
    }

    /// Returns this path with another one behind it.
    pub(crate) fn join(&self, steps: &[Step]) -> Self {
        Self([&self.0, steps].concat())
    }
}

const INDEX: &str = "an index such as `[0]`, or `[*]`";
const BELOW: &str = "`**` before a name, as the first step of a path";
const ENDING: &str = "a name that begins with `*` behind `**` only";
const DOT: &str = "`.` or `[` between two steps of a path";

fn index(text: &str) -> Result<(Step, &str), &'static str> {
    let (inside, after) = text.split_once(']').ok_or("`]` after an index")?;
    let step = match inside {
        "*" => Step::Each,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Step::Index(digits.parse().map_err(|_| INDEX)?),
        _ => return Err(INDEX),
    };
    Ok((step, after))
}

fn key(text: &str) -> Result<(Step, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, after) = quoted.split_once('"').ok_or("a closing quotation mark")?;
        return Ok((Step::Key(name.to_owned()), after));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    match &text[..end] {
        "" => Err("the name of a member"),
        "*" => Ok((Step::Any, &text[end..])),
        "**" => Ok((Step::Below, &text[end..])),
        names if names.contains('|') => Ok((one_of(names)?, &text[end..])),
        name if name.len() >= MAX_NAME => Err("a name of less than 256 bytes"),
        name => Ok((named(name), &text[end..])),
    }
}

/// Returns the step to members of a name, or of names that end like it.
fn named(name: &str) -> Step {
    match name.strip_prefix('*') {
        Some(end) => Step::Ending(end.to_owned()),
        None => Step::Key(name.to_owned()),
    }
}

fn has_ending(step: &Step) -> bool {
    match step {
        Step::Ending(_) => true,
        Step::OneOf(names) => names.iter().any(|name| name.starts_with('*')),
        _ => false,
    }
}

fn one_of(names: &str) -> Result<Step, &'static str> {
    let names: Vec<_> = names.split('|').map(str::to_owned).collect();
    let are_names = names.iter().all(|name| !name.is_empty() && name.len() < MAX_NAME);
    if are_names { Ok(Step::OneOf(names)) } else { Err("the name of a member between `|`") }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("$");
        }
        if self.is_xml() {
            return xml::print(&self.0, f);
        }
        for (nth, step) in self.0.iter().enumerate() {
            let dot = if nth == 0 { "" } else { "." };
            match step {
                Step::Key(name) if name.is_empty() || name.contains(['.', '[', '*', '|']) => {
                    write!(f, "{dot}\"{name}\"")?;
                }
                Step::Key(name) => write!(f, "{dot}{name}")?,
                Step::OneOf(names) => write!(f, "{dot}{}", names.join("|"))?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Each => f.write_str("[*]")?,
                Step::Ending(end) => write!(f, "{dot}*{end}")?,
                Step::Any => write!(f, "{dot}*")?,
                Step::Below => f.write_str("**")?,
                Step::Attribute(name) => write!(f, "{dot}@{name}")?,
                Step::Root | Step::Anywhere | Step::Text => f.write_str(".")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prints_as_it_was_read() {
        for text in [
            "code",
            "error.code",
            "errors[0].title",
            "[0].errorCode",
            "\"odata.error\".code",
            "\"\"",
            "$",
            "a[*].b",
            "data.*",
            "*.code",
            "**.error|fault.code",
            "**.*errors[*].text",
            "errors[*].message|text",
            "\"a|b\"",
        ] {
            assert_eq!(Path::parse(text).map(|path| path.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_name_has_at_most_255_bytes() {
        for (text, is_read) in [("x".repeat(255), true), ("x".repeat(256), false), ("x".repeat(300), false)] {
            for text in
                [text.clone(), format!("a.{text}[0]"), format!("a|{text}"), format!("/{text}"), format!("//a/@{text}")]
            {
                assert_eq!(Path::parse(&text).is_ok(), is_read, "{}", text.len());
            }
        }
    }

    #[test]
    fn a_path_into_xml_has_at_most_eight_steps_and_short_selectors() {
        for (steps, is_read) in [(7, true), (8, true), (9, false)] {
            let path = "/a".repeat(steps);
            for path in [path.clone(), format!("/{path}")] {
                assert_eq!(Path::parse(&path).is_ok(), is_read, "{path}");
            }
        }
        for (len, is_read) in [(255, true), (256, false)] {
            let selector = format!("//*[@name='{}']", "x".repeat(len - "[@name='']".len()));
            assert_eq!(Path::parse(&selector).is_ok(), is_read, "{len}");
        }
    }

    #[test]
    fn a_path_begins_with_the_name_of_its_first_member_only() {
        for (text, expected) in [
            ("data", true),
            ("data.error", true),
            ("\"data\"[0]", true),
            ("error.data", false),
            ("data2", false),
            ("[0].data", false),
            ("*.data", false),
            ("$", false),
        ] {
            assert_eq!(Path::parse(text).unwrap().begins_with("data"), expected, "{text}");
        }
    }

    #[test]
    fn an_invalid_path_names_the_expected_form() {
        let long = ["a"; 9].join(".");
        for (text, expected) in [
            ("", "a path such as `error.code`"),
            ("a..b", "the name of a member"),
            ("a[x]", INDEX),
            ("a[]", INDEX),
            ("a[+5]", INDEX),
            ("a[5x]", INDEX),
            ("**", BELOW),
            ("a.**.b", BELOW),
            ("*code", ENDING),
            ("**.a.b|*code", ENDING),
            ("a[0", "`]` after an index"),
            ("a[0]b", DOT),
            ("a.b||c", "the name of a member between `|`"),
            ("\"a", "a closing quotation mark"),
            (long.as_str(), "a path of at most 8 steps"),
        ] {
            assert_eq!(Path::parse(text), Err(expected), "{text}");
        }
    }
}
