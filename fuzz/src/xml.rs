//! Holds the reading of XML against `roxmltree` and a naive reader on top of it.
//!
//! Allowed differences: texts that `roxmltree` refuses and the reader takes (references to unknown entities, a `<` in a
//! value, white space before the declaration, names with odd symbols, ...), line ends, which the reader leaves as they are,
//! HTML, documents with elements more than 128 deep, and texts that the reader cuts. A text that is a document is put in the
//! place of its element's content before the two are compared; one that `roxmltree` refuses is not compared.

use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use redress_envelope::{Decision, Dialect, Envelope, Head, Signal};
use roxmltree::{Attribute, Document, Node};

/// A path of each kind.
const DIALECT: &str = r#"
name = "xml"

[[error]]
not_null = "/Error"

[[error]]
equals = { path = "/rsp/@stat", is = "fail" }

[read]
code = "//Code"
message = ["/*/@message", "//*[@name='b']"]
request_id = "/Error/Id"
reason = "//~errorcode"
fields = [{ list = "//Item", path = "@name", message = "." }]
"#;
/// How long a text, or a name, may be to be compared: the reader cuts longer ones.
const MAX_TEXT: usize = 200;
/// How deep elements may lie in each other.
const MAX_DEPTH: usize = 128;
/// The root elements that the reader takes for HTML.
const HTML: [&str; 31] = [
    "a", "b", "body", "br", "center", "div", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "head", "hr", "html",
    "i", "iframe", "img", "meta", "p", "pre", "script", "small", "span", "strong", "style", "table", "title", "ul",
];

/// Reads a body whole and in pieces, and where `roxmltree` takes it, compares what both find.
///
/// # Panics
/// When the pieces read otherwise than the whole, or the two readers differ in what the list of allowed differences does
/// not name.
pub fn check(body: &[u8]) {
    let ours = read(body, body.len().max(1));
    let decision = decide(body, body.len().max(1));
    for size in [1, 2, 5] {
        assert_eq!(read(body, size), ours, "pieces of {size}");
        assert_eq!(decide(body, size), decision, "pieces of {size}");
    }
    let Some(expanded) = std::str::from_utf8(body).ok().and_then(expanded) else { return };
    let Ok(document) = Document::parse(&expanded) else { return };
    let root = document.root_element();
    if is_html(root) || document.descendants().any(is_too_much) {
        return;
    }
    assert_eq!(ours.unreadable, None, "a document is refused");
    let texts = |name: &str| document.descendants().filter(|node| is(*node, name)).filter_map(text).next();
    compare(ours.code.as_deref(), texts("Code").as_deref(), "code");
    let message = root.attributes().filter(|attribute| attribute.name() == "message").filter_map(value).next();
    let selects = |attribute: Attribute<'_, '_>| attribute.name() == "name" && value(attribute).as_deref() == Some("b");
    let selected = |node: &Node<'_, '_>| node.attributes().any(selects);
    let message = message.or_else(|| document.descendants().filter(selected).filter_map(text).next());
    let message = message.or_else(|| items(root).into_iter().map(|(_, text)| text).find(|text| !text.is_empty()));
    compare(ours.message.as_deref(), message.as_deref(), "message");
    let ids = root.children().filter(|node| is(root, "Error") && is(*node, "Id"));
    compare(ours.request_id.as_deref(), ids.filter_map(text).next().as_deref(), "request id");
    let folded = |node: &Node<'_, '_>| node.is_element() && fold(node.tag_name().name()) == "errorcode";
    compare(ours.reason.as_deref(), document.descendants().filter(folded).filter_map(text).next().as_deref(), "reason");
    let fields: Vec<_> = ours.fields.iter().map(|field| (line_ends(&field.path), line_ends(&field.message))).collect();
    assert_eq!(fields, items(root).into_iter().take(256).collect::<Vec<_>>(), "fields");
    let stat = root.attributes().filter(|attribute| attribute.name() == "stat").filter_map(value).next();
    let signalled = is(root, "Error") && !is_empty(root) || is(root, "rsp") && stat.as_deref() == Some("fail");
    assert_eq!(ours.signalled, signalled, "signal");
    assert_eq!(decision == Decision::Error, signalled, "signal as early as possible");
}

/// Puts each text that is a document in the place of the content of its element; `None` where `roxmltree` does not say
/// whether it is one.
fn expanded(text: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let (mut whole, mut end) = (String::new(), 0);
    for node in document.descendants().filter(|node| node.is_element()) {
        let Some(inner) = self::text(node).filter(|text| text.starts_with('<') && text.ends_with('>')) else {
            continue;
        };
        let content = node.first_child()?.range().start..node.last_child()?.range().end;
        let embedded = Document::parse(&inner).ok()?;
        if !is_html(embedded.root_element()) {
            whole.push_str(text.get(end..content.start)?);
            whole.push_str(&inner[embedded.root_element().range()]);
            end = content.end;
        }
    }
    whole.push_str(text.get(end..)?);
    Some(whole)
}

fn is_html(root: Node<'_, '_>) -> bool {
    HTML.contains(&root.tag_name().name().to_ascii_lowercase().as_str())
}

fn dialect() -> &'static Dialect {
    static ONLY: LazyLock<Dialect> = LazyLock::new(|| Dialect::from_toml("xml.toml", DIALECT).expect("no mistakes"));
    &ONLY
}

fn head(status: u16) -> Head<'static> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    Head::new(status, &NONE, SystemTime::UNIX_EPOCH)
}

fn read(body: &[u8], size: usize) -> Envelope<'_> {
    Envelope::read(dialect(), &head(400), body.chunks(size))
}

fn decide(body: &[u8], size: usize) -> Decision {
    let mut signal = Signal::new(dialect(), &head(200));
    body.chunks(size).fold(Decision::Undecided, |_, piece| signal.feed(piece))
}

fn compare(ours: Option<&str>, theirs: Option<&str>, part: &str) {
    assert_eq!(ours.map(line_ends).as_deref(), theirs, "{part}");
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn fold(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|symbol| symbol.to_ascii_lowercase()).collect()
}

/// Returns the text of an element that holds no other one, without white space around it; `None` if there is none.
fn text(node: Node<'_, '_>) -> Option<String> {
    if node.children().any(|child| child.is_element()) {
        return None;
    }
    let whole: String = node.children().filter(Node::is_text).filter_map(|text| text.text()).collect();
    trimmed(&whole)
}

fn value(attribute: Attribute<'_, '_>) -> Option<String> {
    trimmed(attribute.value())
}

fn trimmed(text: &str) -> Option<String> {
    Some(line_ends(text.trim_ascii())).filter(|text| !text.is_empty())
}

/// Writes line ends, and tabs, which a value has as blanks, in one way.
fn line_ends(text: &str) -> String {
    text.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ")
}

/// Returns the items that have a name, with their texts, in the order in which they end.
fn items(node: Node<'_, '_>) -> Vec<(String, String)> {
    let mut found: Vec<_> = node.children().flat_map(items).collect();
    let mut name = node.attributes().filter(|attribute| attribute.name() == "name").filter_map(value);
    // The last one that says something counts, and the word `null` says nothing.
    if let (true, Some(name)) = (is(node, "Item"), name.rfind(|name| name != "null")) {
        found.push((name, text(node).unwrap_or_default()));
    }
    found
}

/// Whether nothing lies in an element, attributes of namespaces and languages aside.
fn is_empty(node: Node<'_, '_>) -> bool {
    let said = |attribute: Attribute<'_, '_>| attribute.namespace() != Some(roxmltree::NS_XML_URI);
    !node.attributes().any(said) && !node.children().any(|child| child.is_element()) && text(node).is_none()
}

/// Whether a node is beyond what is compared.
fn is_too_much(node: Node<'_, '_>) -> bool {
    let long = |text: &str| text.len() > MAX_TEXT;
    node.ancestors().count() > MAX_DEPTH
        || node.text().is_some_and(long)
        || long(node.tag_name().name())
        || node.attributes().any(|attribute| {
            long(attribute.value())
                || long(attribute.name())
                || attribute.namespace().is_some_and(|namespace| namespace.contains("XMLSchema-instance"))
        })
}
