//! Bodies that are made to be costly, each of any length: what reads them has to take time in proportion.

use clap::ValueEnum;
use redress::{Dialect, dialects};

/// How many containers a nested unit opens: the two around it leave some of the 128 levels free.
const DEPTH: usize = 100;

/// A way to make a body costly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Family {
    /// Arrays in arrays, a hundred deep, again and again.
    NestedArrays,
    /// Objects in objects, a hundred deep, again and again.
    NestedObjects,
    /// Arrays in objects in arrays, a hundred deep, again and again.
    AlternatingBrackets,
    /// An object of many members, each of its own name.
    ManyKeys,
    /// An object of many members, all of one name.
    OneKeyManyTimes,
    /// One text without an escape.
    LongString,
    /// One text of escapes.
    Escapes,
    /// One text of `\u` escapes, surrogates among them.
    UnicodeEscapes,
    /// A member with a name without end.
    LongKey,
    /// A number without end.
    LongNumber,
    /// An array with nothing but white space in it.
    WhiteSpace,
    /// An array of many short texts.
    ManySmallStrings,
    /// One text of base64 in lines, with an escape at the end of each.
    Base64,
    /// One text of bytes that are no UTF-8.
    InvalidUtf8,
    /// Elements of XML in each other, a hundred deep, again and again.
    XmlNested,
    /// Many small elements beside each other.
    XmlSiblings,
    /// One element with many attributes.
    XmlAttributes,
    /// One long text of an element.
    XmlText,
    /// One text of references.
    XmlReferences,
    /// One text of many sections of characters.
    XmlSections,
    /// Many comments, full of dashes.
    XmlComments,
}

/// A body, and the dialect that reads it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Keeps half of the body and skips the other half.
    pub dialect: Dialect,
    /// The dialect whose signal is the last member, or element, of the body.
    pub signal: Dialect,
    /// An error.
    pub body: Vec<u8>,
}

/// Where the costly value is kept.
enum Place {
    /// As the code of Vlens.
    Code,
    /// As the message of Vlens.
    Message,
    /// As the list of fields of Vlens.
    List,
    /// As the map of fields of Verilock.
    Map,
    /// As the message of an error of S3.
    Element,
}

impl Family {
    /// Returns a body of about so many bytes: half of them in a member that the dialect keeps, half in a skipped one.
    #[must_use]
    pub fn input(self, bytes: usize) -> Input {
        let value = self.value(bytes / 2);
        let signal = dialects::vlens();
        let (dialect, name, code) = match self.place() {
            Place::Code => (dialects::vlens(), "error_code", &b""[..]),
            Place::Message => (dialects::vlens(), "error_message", &br#","error_code":1050"#[..]),
            Place::List => (dialects::vlens(), "error_descriptions", &br#","error_code":1050"#[..]),
            Place::Element => return document(&value),
            Place::Map => (dialects::verilock(), "details", &br#","error":"validation_error","error_code":1050"#[..]),
        };
        let body = [br#"{"data":"#, &value[..], b",\"", name.as_bytes(), b"\":", &value, code, b"}"].concat();
        Input { dialect, signal, body }
    }

    const fn place(self) -> Place {
        match self {
            Self::LongNumber => Place::Code,
            Self::LongString | Self::Escapes | Self::UnicodeEscapes | Self::Base64 | Self::InvalidUtf8 => {
                Place::Message
            }
            Self::NestedArrays
            | Self::NestedObjects
            | Self::AlternatingBrackets
            | Self::WhiteSpace
            | Self::ManySmallStrings => Place::List,
            Self::ManyKeys | Self::OneKeyManyTimes | Self::LongKey => Place::Map,
            Self::XmlNested
            | Self::XmlSiblings
            | Self::XmlAttributes
            | Self::XmlText
            | Self::XmlReferences
            | Self::XmlSections
            | Self::XmlComments => Place::Element,
        }
    }

    /// Returns a JSON value, or the content of an element, of about so many bytes.
    fn value(self, bytes: usize) -> Vec<u8> {
        match self {
            Self::NestedArrays => nested("[", "]", bytes),
            Self::NestedObjects => nested(r#"{"field":"#, "}", bytes),
            Self::AlternatingBrackets => nested(r#"[{"message":"#, "}]", bytes),
            Self::ManyKeys => object(|nth| format!(r#""key{nth:06}":["x"]"#), bytes),
            Self::OneKeyManyTimes => object(|_| String::from(r#""key":["x"]"#), bytes),
            Self::LongString => text("A plain sentence, again and again. ".as_bytes(), bytes),
            Self::Escapes => text(br#"\"\\\/\b\f\n\r\t"#, bytes),
            Self::UnicodeEscapes => text(br"\u00eb\ud83d\ude00\u0041", bytes),
            Self::LongKey => [&b"{"[..], &text(b"key", bytes), br#":["x"]}"#].concat(),
            Self::LongNumber => repeated(b"1234567890", bytes),
            Self::WhiteSpace => [&b"["[..], &repeated(b" \n\t\r", bytes), b"]"].concat(),
            Self::ManySmallStrings => array(r#""text""#, bytes),
            Self::Base64 => text(&[&repeated(b"iVBORw0KGgoAAAANSUhEUg+/", 76)[..], br"\n"].concat(), bytes),
            Self::XmlNested => nested_elements(bytes),
            Self::XmlSiblings => units(b"<Message a='b'>c</Message>", bytes),
            Self::XmlAttributes => [&b"<Error"[..], &units(b" Message='a'", bytes), b"/>"].concat(),
            Self::XmlText => units(b"A plain sentence, again and again. ", bytes),
            Self::XmlReferences => units(b"&amp;&#x41;&#960;&unknown;&", bytes),
            Self::XmlSections => units(b"<![CDATA[a]]b]]>", bytes),
            Self::XmlComments => units(b"<!-- - -- -->", bytes),
            Self::InvalidUtf8 => text(b"\xff\xc3(\xe2\x82\xf0\x9f\x98", bytes),
        }
    }
}

/// Returns an error of S3 that holds the value twice: skipped, and in its message.
fn document(value: &[u8]) -> Input {
    let (dialect, signal) = (dialects::generic(), dialects::by_name("aws-xml").expect("it is shipped"));
    let parts = [&b"<Error><Key>"[..], value, b"</Key><Message>", value, b"</Message><Code>SlowDown</Code></Error>"];
    Input { dialect, signal, body: parts.concat() }
}

/// Returns elements in each other, each as deep as allowed but the last one, which fills the room left.
fn nested_elements(bytes: usize) -> Vec<u8> {
    let mut text = String::new();
    loop {
        let levels = (bytes.saturating_sub(text.len()) / "<Error></Error>".len()).min(DEPTH);
        if levels == 0 {
            return text.into_bytes();
        }
        text = text + &"<Error>".repeat(levels) + &"</Error>".repeat(levels);
    }
}

/// Returns an array of containers in each other, each as deep as allowed but the last one, which fills the room left.
fn nested(open: &str, close: &str, bytes: usize) -> Vec<u8> {
    let mut text = String::from("[null");
    loop {
        let room = bytes.saturating_sub(text.len() + ",null]".len());
        let levels = (room / (open.len() + close.len())).min(DEPTH / close.len());
        if levels == 0 {
            return (text + "]").into_bytes();
        }
        text = text + "," + &open.repeat(levels) + "null" + &close.repeat(levels);
    }
}

fn array(item: &str, bytes: usize) -> Vec<u8> {
    let items = vec![item; (bytes / (item.len() + 1)).max(1)];
    format!("[{}]", items.join(",")).into_bytes()
}

fn object(member: impl Fn(usize) -> String, bytes: usize) -> Vec<u8> {
    let mut text = String::from("{") + &member(0);
    let mut nth = 1;
    while text.len() < bytes {
        text = text + "," + &member(nth);
        nth += 1;
    }
    (text + "}").into_bytes()
}

/// Returns a string of whole units, so that no escape is cut.
fn text(unit: &[u8], bytes: usize) -> Vec<u8> {
    [b"\"", &unit.repeat(bytes / unit.len())[..], b"\""].concat()
}

fn units(unit: &[u8], bytes: usize) -> Vec<u8> {
    unit.repeat(bytes / unit.len())
}

fn repeated(unit: &[u8], bytes: usize) -> Vec<u8> {
    unit.iter().copied().cycle().take(bytes).collect()
}
