//! Reads values as languages print them: Node's `util.inspect`, Python's `repr`, Ruby's `inspect`, and JSON.
//!
//! ```text
//! { status: 429, headers: { 'retry-after': '30' }, data: [Object] }      Node
//! {'error': 'rate_limited', 'retry': True, 'after': None}                Python
//! {"error"=>"rate_limited", :after=>nil}                                 Ruby
//! ```
//!
//! The reader is lenient, since such a print is made for people. A value that the print leaves out (`[Object]`,
//! `... 3 more items`) is absent from the result. Depth and size are bounded.
//!
//! The differences from JSON, and how they are read:
//!
//! | print | language | read as |
//! |---|---|---|
//! | `'text'`, `` `text` ``, `"text"` | all | a text |
//! | `name: 1`, `:name=>1`, `"name"=>1` | Node, Ruby | a member |
//! | `True`, `None`, `nil`, `undefined`, `NaN` | Python, Ruby, Node | `true`, else `null` |
//! | `b'..'`, `u'..'`, `r'..'` | Python | a text |
//! | `'a' + 'b'` over several lines | Node | one text |
//! | `<Buffer 7b 7d>` | Node | the text of the bytes |
//! | `AxiosHeaders { .. }`, `Map(2) { .. }` | Node | what an instance of the class holds |
//! | `12n`, `2026-01-15T12:00:00.000Z` | Node | a text |

use serde_json::{Map, Number, Value};

/// The greatest depth of values; Node prints two levels by default, and a hostile text could nest them without end.
const MAX_DEPTH: u8 = 64;
/// The most members and elements that are kept: more than any error object has.
const MAX_VALUES: u32 = 100_000;
/// The beginnings of the marks that Node prints in place of a value.
const ELIDED: [&str; 9] =
    ["[Object]", "[Array]", "[Circular", "[Function", "[AsyncFunction", "[Getter", "[Setter", "[Symbol", "[class"];

/// Reads an object or a list at the beginning of a text; `None` when there is none, or it does not end.
///
/// Returns what it holds and what follows it.
///
/// ```text
/// "{ status: 429 } at fetch (app.js:1:1)"  ->  {"status": 429}, " at fetch (app.js:1:1)"
/// ```
pub(super) fn read(text: &str) -> Option<(Value, &str)> {
    let mut reader = Reader { rest: text, left: MAX_VALUES };
    match reader.value(0)? {
        Some(value @ (Value::Object(_) | Value::Array(_))) => Some((value, reader.rest)),
        _ => None,
    }
}

/// The text that is left, and the number of values that may still be kept.
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

    /// Reads an object from its brace on.
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

    /// Reads a list.
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

    /// Reads up to the closing quote, and joins the surrogates of escapes.
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

    /// Reads a number; one that JSON does not have is kept as a text.
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

    /// Skips blanks and commas.
    ///
    /// Trailing and doubled commas are tolerated: prints that were edited by hand have them.
    fn separators(&mut self) {
        self.rest = self.rest.trim_start_matches(|symbol: char| symbol.is_whitespace() || symbol == ',');
    }

    /// Skips blanks.
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a text if it is next.
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

/// Returns `true` for a symbol of a name or a bare word.
fn is_word(symbol: char) -> bool {
    symbol.is_alphanumeric() || matches!(symbol, '_' | '$' | '.' | '-')
}

/// Returns `true` for the name of a class.
fn is_name(text: &str) -> bool {
    text.chars().all(|symbol| is_word(symbol) || symbol == ' ')
}

#[cfg(test)]
mod tests;
