//! The elements that an HTML document or a fragment of one begins with.

/// The names that a page, or the fragment that a proxy sends, begins with.
const ROOTS: &[&[u8]] = &[
    b"a", b"b", b"body", b"br", b"center", b"div", b"em", b"font", b"h1", b"h2", b"h3", b"h4", b"h5", b"h6", b"head",
    b"hr", b"html", b"i", b"iframe", b"img", b"meta", b"p", b"pre", b"script", b"small", b"span", b"strong", b"style",
    b"table", b"title", b"ul",
];

/// Returns `true` if a root element of this name begins HTML. Its names have
/// one case as a rule: `<Title>` is rather XML.
pub(super) fn begins_with(name: &[u8]) -> bool {
    let is_upper = name.iter().all(|byte| !byte.is_ascii_lowercase());
    if is_upper { ROOTS.contains(&name.to_ascii_lowercase().as_slice()) } else { ROOTS.contains(&name) }
}
