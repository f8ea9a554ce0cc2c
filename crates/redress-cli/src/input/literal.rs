//! Reads values as languages print them: Node's `util.inspect`, Python's `repr`, Ruby's `inspect`, and JSON.
//!
//! The reader is lenient: it is for texts that no parser was meant to read. Whatever was left out of the print
//! (`[Object]`, `... 3 more items`) is left out here too.

use serde_json::{Map, Number, Value};

/// How deep values lie in each other at most.
const MAX_DEPTH: u8 = 64;
/// How many members and elements are kept at most.
const MAX_VALUES: u32 = 100_000;
/// Begins of what Node prints in place of a value.
const ELIDED: [&str; 9] =
    ["[Object]", "[Array]", "[Circular", "[Function", "[AsyncFunction", "[Getter", "[Setter", "[Symbol", "[class"];

/// Reads an object or a list at the beginning of a text; `None` when there is none, or it does not end.
///
/// Returns what it holds and what follows it.
pub(super) fn read(text: &str) -> Option<(Value, &str)> {
    let mut reader = Reader { rest: text, left: MAX_VALUES };
    match reader.value(0)? {
        Some(value @ (Value::Object(_) | Value::Array(_))) => Some((value, reader.rest)),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// How many more values may be kept.
    left: u32,
}

impl<'a> Reader<'a> {
    /// Reads a value; `Some(None)` when it was left out of the print.
    fn value(&mut self, depth: u8) -> Option<Option<Value>> {
        self.left = self.left.checked_sub(1)?;
        self.space();
        if self.rest.starts_with("<ref ") {
            self.past('>')?;
            self.space();
        }
        if self.take("[Object: null prototype]") {
            self.space();
        }
        if ELIDED.iter().any(|begin| self.rest.starts_with(begin)) {
            self.past(']')?;
            return Some(None);
        }
        match self.rest.chars().next()? {
            _ if depth > MAX_DEPTH => None,
            '{' => self.object(depth).map(Some),
            '[' => self.list(depth).map(Some),
            '\'' | '"' | '`' => self.text().map(|text| Some(Value::String(text))),
            '<' => self.bytes(),
            symbol if symbol == '-' || symbol.is_ascii_digit() => Some(Some(self.number())),
            symbol if is_word(symbol) => self.word(depth),
            _ => None,
        }
    }

    fn object(&mut self, depth: u8) -> Option<Value> {
        self.take("{");
        let mut members = Map::new();
        loop {
            self.separators();
            if self.take("}") {
                return Some(Value::Object(members));
            }
            if self.more() {
                continue;
            }
            let key = self.key()?;
            self.space();
            if !self.take("=>") && !self.take(":") {
                return None;
            }
            if let (Some(value), Some(key)) = (self.value(depth + 1)?, key) {
                members.insert(key, value);
            }
        }
    }

    /// Reads the name of a member; `Some(None)` for one that is not text.
    fn key(&mut self) -> Option<Option<String>> {
        match self.rest.chars().next()? {
            '\'' | '"' | '`' => self.text().map(Some),
            '[' => {
                self.past(']')?;
                Some(None)
            }
            _ => {
                // Ruby writes `:name=>`.
                let rest = self.rest.strip_prefix(':').unwrap_or(self.rest);
                let end = rest.find(|symbol: char| !is_word(symbol)).unwrap_or(rest.len());
                let (name, rest) = rest.split_at(end);
                self.rest = rest;
                (!name.is_empty()).then(|| Some(name.to_owned()))
            }
        }
    }

    fn list(&mut self, depth: u8) -> Option<Value> {
        self.take("[");
        let mut elements = Vec::new();
        loop {
            self.separators();
            if self.take("]") {
                return Some(Value::Array(elements));
            }
            if !self.more() {
                elements.extend(self.value(depth + 1)?);
            }
        }
    }

    /// Reads a text between quotes, and those that are joined to it by `+`.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let quote = self.rest.chars().next().filter(|quote| matches!(quote, '\'' | '"' | '`'))?;
            self.rest = &self.rest[1..];
            self.quoted(quote, &mut text)?;
            let after = self.rest.trim_start();
            match after.strip_prefix('+') {
                Some(next) if next.trim_start().starts_with(['\'', '"', '`']) => self.rest = next.trim_start(),
                _ => return Some(text),
            }
        }
    }

    fn quoted(&mut self, quote: char, text: &mut String) -> Option<()> {
        let mut units: Vec<u16> = Vec::new();
        loop {
            let at = self.rest.find([quote, '\\'])?;
            let (before, rest) = self.rest.split_at(at);
            if !before.is_empty() {
                flush(&mut units, text);
                text.push_str(before);
            }
            if let Some(rest) = rest.strip_prefix(quote) {
                self.rest = rest;
                flush(&mut units, text);
                return Some(());
            }
            let escape = rest[1..].chars().next()?;
            self.rest = &rest[1 + escape.len_utf8()..];
            let digits = match escape {
                'u' => 4,
                'x' => 2,
                _ => 0,
            };
            if digits > 0 {
                let code = self.rest.get(..digits)?;
                units.push(u16::from_str_radix(code, 16).ok()?);
                self.rest = &self.rest[digits..];
                continue;
            }
            flush(&mut units, text);
            text.push(match escape {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            });
        }
    }

    /// Reads `<Buffer 7b 7d>`; whatever else has angle brackets is left out.
    fn bytes(&mut self) -> Option<Option<Value>> {
        let inside = self.past('>')?;
        let Some(digits) = inside.strip_prefix("<Buffer ") else { return Some(None) };
        let bytes: Option<Vec<u8>> =
            digits.trim_end_matches('>').split(' ').map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
        Some(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Value::String))
    }

    fn number(&mut self) -> Value {
        let end = self.rest.find([',', '}', ']', ')', '\n', ' ']);
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        // A date is printed without quotes.
        text.parse::<Number>().map_or_else(|_| Value::String(text.trim_end_matches('n').to_owned()), Value::Number)
    }

    /// Reads a word that stands for a value, or the name of a class before one.
    fn word(&mut self, depth: u8) -> Option<Option<Value>> {
        let end = self.rest.find(|symbol: char| !is_word(symbol)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        // Python marks texts: `b'...'`, `u'...'`, `r'...'`.
        if matches!(word, "b" | "u" | "r") && rest.starts_with(['\'', '"']) {
            self.rest = rest;
            return self.text().map(|text| Some(Value::String(text)));
        }
        self.rest = rest;
        match word {
            "true" | "True" => return Some(Some(Value::Bool(true))),
            "false" | "False" => return Some(Some(Value::Bool(false))),
            "null" | "None" | "nil" | "undefined" | "NaN" | "Infinity" => return Some(Some(Value::Null)),
            _ => {}
        }
        // `AxiosHeaders {`, `Object [AxiosHeaders] {`, `Map(2) {`, `CaseInsensitiveDict({`.
        self.space();
        if self.begins_class() {
            self.past(']')?;
        } else if self.rest.starts_with('(') {
            let inside = self.rest[1..].trim_start();
            if inside.starts_with(['{', '[']) {
                self.rest = inside;
                let value = self.value(depth + 1)?;
                self.space();
                self.take(")");
                return Some(value);
            }
            self.past(')')?;
        }
        self.space();
        if self.rest.starts_with(['{', '[']) { self.value(depth + 1) } else { Some(None) }
    }

    /// Returns whether the name of a class in brackets comes next, before what an instance of it holds.
    fn begins_class(&self) -> bool {
        /// Longer than the names of classes.
        const MOST: usize = 64;
        let Some(inside) = self.rest.strip_prefix('[') else { return false };
        let end = inside.bytes().take(MOST).position(|byte| byte == b']');
        end.is_some_and(|end| is_name(&inside[..end]) && inside[end + 1..].starts_with(" {"))
    }

    /// Passes over `... 3 more items`.
    fn more(&mut self) -> bool {
        if !self.rest.starts_with("...") {
            return false;
        }
        let end = self.rest.find([',', '\n', '}', ']']).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
        true
    }

    fn separators(&mut self) {
        self.rest = self.rest.trim_start_matches(|symbol: char| symbol.is_whitespace() || symbol == ',');
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Moves behind the next such symbol; returns what was passed.
    fn past(&mut self, symbol: char) -> Option<&'a str> {
        /// Longer than any name of a class or a function.
        const MOST: usize = 4096;
        let end = self.rest.bytes().take(MOST).position(|byte| byte == symbol as u8)? + 1;
        let (passed, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(passed)
    }
}

/// Appends what was escaped in UTF-16.
fn flush(units: &mut Vec<u16>, text: &mut String) {
    if !units.is_empty() {
        text.push_str(&String::from_utf16_lossy(units));
        units.clear();
    }
}

fn is_word(symbol: char) -> bool {
    symbol.is_alphanumeric() || matches!(symbol, '_' | '$' | '.' | '-')
}

fn is_name(text: &str) -> bool {
    text.chars().all(|symbol| is_word(symbol) || symbol == ' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_as_languages_print_them() {
        for (text, value) in [
            (
                r#"{"a":[1,2.5,null,true],"b":{"c":"d\u00e9\n"}} x"#,
                json!({"a": [1, 2.5, null, true], "b": {"c": "dé\n"}}),
            ),
            (
                "{ a: 'it\\'s', 'b-c': \"d\", e: undefined, f: [ 'g' ] }",
                json!({"a": "it's", "b-c": "d", "e": null, "f": ["g"]}),
            ),
            ("{'a': True, 'b': None, 'c': b'd'}", json!({"a": true, "b": null, "c": "d"})),
            ("{\"a\"=>\"b\", :c=>nil}", json!({"a": "b", "c": null})),
            ("<ref *1> {\n  a: [Object],\n  b: [Circular *1],\n  c: 1\n}", json!({"c": 1})),
            (
                "{ h: Object [AxiosHeaders] { a: 'b' }, i: AxiosHeaders { c: 'd' } }",
                json!({"h": {"a": "b"}, "i": {"c": "d"}}),
            ),
            ("{ h: [Object: null prototype] { a: 'b' } }", json!({"h": {"a": "b"}})),
            ("{ m: Map(1) { 'a' => 1 }, f: [Function: x], [Symbol(s)]: 2 }", json!({"m": {"a": 1}})),
            ("[ 'a\\n' +\n  'b', ... 3 more items ]", json!(["a\nb"])),
            (
                "{ d: 2026-01-15T12:30:00.000Z, b: <Buffer 7b 7d>, r: <Response [429]> }",
                json!({"d": "2026-01-15T12:30:00.000Z", "b": "{}"}),
            ),
            ("CaseInsensitiveDict({'a': 'b'})", json!({"a": "b"})),
            ("{ a: '\\ud83d\\ude00', b: '\\x41' }", json!({"a": "😀", "b": "A"})),
        ] {
            assert_eq!(read(text).map(|(value, _)| value), Some(value), "{text}");
        }
        assert_eq!(read("{a:1} rest").unwrap().1, " rest");
    }

    #[test]
    fn what_is_no_value_or_does_not_end_is_none() {
        for text in ["", "x", "'a'", "1", "{", "{ a", "{ a: ", "{ a: 'b", "[1", "{ 'a' 1 }", "{ a: \\ }"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"[".repeat(1_000_000)), None, "depth is bounded");
        assert_eq!(read(&format!("[{}]", "1,".repeat(200_000))), None, "so is the number of values");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(scraps in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "'", "\"", "`", "a", "é", ":", "=>", ",", "\\", "\\u00", "<", ">", "<ref *1> ", "[Object]",
            "(", ")", "1", "-", "+", "... 1 more", "\n", "b'", "Map(1) {", "Object [X] {", "null",
        ]), 0..24)) {
            let text = scraps.concat();
            if let Some((_, rest)) = read(&text) {
                prop_assert!(text.ends_with(rest));
            }
        }
    }
}
