//! Paths into XML: the child, descendant and attribute steps of `XPath` 1.0.

use std::fmt;

use super::{MAX_STEPS, Path, Step};
use crate::json::MAX_NAME;

const NAME: &str = "the name of an element, `*`, or last the name of an attribute such as `@code`";
const SELECTED: &str = "`*` with one attribute that selects it, such as `*[@name='message']`";
const FOLDED: &str = "after `~` a name of lower-case letters and digits";
const STEPS: &str = "a path of at most 8 steps";

/// Reads `/Error/Code` or `//error/@code`.
pub(super) fn parse(text: &str) -> Result<Path, &'static str> {
    let (first, rest) = match (text.strip_prefix("//"), text.strip_prefix('/')) {
        (Some(rest), _) => (Step::Anywhere, rest),
        (None, rest) => (Step::Root, rest.unwrap_or_default()),
    };
    let mut steps = vec![first];
    steps.extend(below(rest)?);
    Ok(Path(steps))
}

/// Reads `@field`, `detail/text` or `.`.
pub(super) fn parse_below_element(text: &str) -> Result<Path, &'static str> {
    if text == "." { Ok(Path(vec![Step::Text])) } else { below(text).map(Path) }
}

fn below(text: &str) -> Result<Vec<Step>, &'static str> {
    let steps: Vec<_> = text.split('/').take(MAX_STEPS + 1).map(step).collect::<Result<_, _>>()?;
    let is_attribute = |step: &Step| matches!(step, Step::Attribute(_));
    match steps.split_last() {
        Some((_, before)) if before.iter().any(is_attribute) => Err(NAME),
        _ if steps.len() > MAX_STEPS => Err(STEPS),
        _ => Ok(steps),
    }
}

fn step(text: &str) -> Result<Step, &'static str> {
    if let Some(selector) = text.strip_prefix('*').filter(|rest| rest.starts_with('[')) {
        return select(selector);
    }
    let (is_attribute, name) = text.strip_prefix('@').map_or((false, text), |name| (true, name));
    let is_mark = |symbol: char| symbol.is_whitespace() || "@[]()<>&=*'\"|~".contains(symbol);
    match (is_attribute, name) {
        (false, "*") => return Ok(Step::Any),
        (_, name) if name.len() >= MAX_NAME => return Err("a name of less than 256 bytes"),
        (_, name) => match name.strip_prefix('~') {
            Some(folded) if folded.is_empty() || !fold(folded.as_bytes()).eq(folded.bytes()) => return Err(FOLDED),
            None if name.is_empty() || name == "." || name.contains(is_mark) => return Err(NAME),
            _ => {}
        },
    }
    let name = name.to_owned();
    Ok(if is_attribute { Step::Attribute(name) } else { Step::Key(name) })
}

/// Reads `[@name='message']`: an element is selected by the value of its attribute, as `XPath` has it.
fn select(text: &str) -> Result<Step, &'static str> {
    let inside = text.strip_prefix("[@").and_then(|rest| rest.strip_suffix("']"));
    let (name, value) = inside.and_then(|inside| inside.split_once("='")).ok_or(SELECTED)?;
    step(&format!("@{name}"))?;
    let folded = value.strip_prefix('~');
    match folded {
        _ if name.starts_with('~') || value.is_empty() || value.contains(['\'', '/']) => Err(SELECTED),
        Some(folded) if folded.is_empty() || !fold(folded.as_bytes()).eq(folded.bytes()) => Err(FOLDED),
        _ if text.len() >= MAX_NAME => Err("a name of less than 256 bytes"),
        _ => Ok(Step::Key(text.to_owned())),
    }
}

/// Returns what of a name `~` compares: its ASCII letters, in lower case, and
/// digits.
pub(crate) fn fold(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
}

/// Writes a path as it is read.
pub(super) fn print(steps: &[Step], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (nth, step) in steps.iter().enumerate() {
        let slash = if nth < 2 { "" } else { "/" };
        match step {
            Step::Root => f.write_str("/")?,
            Step::Anywhere => f.write_str("//")?,
            Step::Key(name) if name.starts_with('[') => write!(f, "{slash}*{name}")?,
            Step::Key(name) => write!(f, "{slash}{name}")?,
            Step::Attribute(name) => write!(f, "{slash}@{name}")?,
            Step::Any => write!(f, "{slash}*")?,
            Step::Text | Step::Index(_) | Step::Each | Step::Below | Step::Ending(_) | Step::OneOf(_) => {
                write!(f, "{slash}.")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_into_xml_prints_as_it_was_read() {
        for text in [
            "/Error/Code",
            "//Code",
            "//error/@code",
            "/rsp/@stat",
            "//@code",
            "//~errorcode/@~x1",
            "/*/soap:Fault",
            "//a.b/c-d",
            "//*[@name='message']",
            "/r/*[@key='~errorcode']/@value",
        ] {
            assert_eq!(Path::parse(text).map(|path| path.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn an_invalid_path_into_xml_names_the_expected_form() {
        let long = format!("/{}", ["a"; 9].join("/"));
        for (text, expected) in [
            ("/", NAME),
            ("//", NAME),
            ("/a/", NAME),
            ("/a//b", NAME),
            ("/@a/b", NAME),
            ("/a[1]", NAME),
            ("/a/text()", NAME),
            ("/a/.", NAME),
            ("//~", FOLDED),
            ("//~errorCode", FOLDED),
            ("//~error_code", FOLDED),
            ("//a~", NAME),
            ("//a[@b='c']", NAME),
            ("//*[1]", SELECTED),
            ("//*[@a]", SELECTED),
            ("//*[@a='']", SELECTED),
            ("//*[@~a='b']", SELECTED),
            ("//*[@a='~B']", FOLDED),
            ("//*[@a.b='c' or @d='e']", SELECTED),
            (long.as_str(), STEPS),
        ] {
            assert_eq!(Path::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_path_below_an_element_may_be_its_own_text() {
        assert_eq!(parse_below_element("."), Ok(Path(vec![Step::Text])));
        assert_eq!(parse_below_element("@field"), Ok(Path(vec![Step::Attribute("field".to_owned())])));
        assert_eq!(parse_below_element("/a"), Err(NAME));
    }
}
