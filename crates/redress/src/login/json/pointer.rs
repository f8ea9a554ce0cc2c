//! JSON pointers to the members of a body (RFC 6901).

use serde_json::{Map, Value};

use crate::login::error::InvalidLogin;

/// A pointer to a member: at least one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    text: String,
    names: Vec<String>,
}

impl Pointer {
    pub(super) fn new(text: &str) -> Result<Self, InvalidLogin> {
        // The text is not repeated: it is a secret if the arguments were swapped.
        let refuse = |why| Err(InvalidLogin::new(why));
        let Some(names) = text.strip_prefix('/') else { return refuse("a JSON pointer must begin with a slash") };
        let bytes = text.as_bytes();
        let mut tildes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'~');
        if tildes.any(|(index, _)| !matches!(bytes.get(index + 1), Some(b'0' | b'1'))) {
            return refuse("a JSON pointer writes ~ as ~0 and / in a name as ~1");
        }
        let names = names.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text: text.to_owned(), names })
    }

    /// Returns the value at the pointer.
    pub(super) fn find<'v>(&self, body: &'v Value) -> Option<&'v Value> {
        body.pointer(&self.text)
    }

    /// Returns the text at the pointer, unless it is empty.
    pub(super) fn text<'v>(&self, body: &'v Value) -> Option<&'v str> {
        self.find(body).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Returns `true` if both cannot be set in one body, because one lies at or inside the other.
    pub(super) fn conflicts_with(&self, other: &Self) -> bool {
        self.names.iter().zip(&other.names).all(|(a, b)| a == b)
    }

    /// Sets a member of a body; the objects around it are created. It replaces a value that is not an object.
    pub(super) fn set(&self, body: &mut Map<String, Value>, value: Value) {
        let (last, around) = self.names.split_last().expect("a pointer has at least one name");
        let mut object = body;
        for name in around {
            let member = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            if !member.is_object() {
                *member = Value::Object(Map::new());
            }
            object = member.as_object_mut().expect("it is an object, or was made one above");
        }
        object.insert(last.clone(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_a_member() {
        for (text, names) in [
            ("/a", Some(&["a"][..])),
            ("/a/b", Some(&["a", "b"])),
            ("/", Some(&[""])),
            ("/a~1b/~0~01", Some(&["a/b", "~~1"])),
            ("", None),
            ("a", None),
            ("/a~", None),
            ("/a~2", None),
        ] {
            let pointer = Pointer::new(text).map(|pointer| pointer.names);
            assert_eq!(pointer.ok(), names.map(|names| names.iter().map(ToString::to_string).collect()), "{text}");
        }
    }

    #[test]
    fn a_member_is_found_where_it_was_set() {
        let mut body = Map::new();
        for (number, text) in (1..).zip(["/a/b", "/a/c/d", "/x~1y", "/a/c/e"]) {
            let pointer = Pointer::new(text).expect("a pointer");
            pointer.set(&mut body, Value::from(number));
        }
        let body = Value::Object(body);
        assert_eq!(body.to_string(), r#"{"a":{"b":1,"c":{"d":2,"e":4}},"x/y":3}"#);
        assert_eq!(Pointer::new("/a/c/d").expect("a pointer").find(&body), Some(&Value::from(2)));
        assert_eq!(Pointer::new("/a/c/d").expect("a pointer").text(&body), None, "a number is not a text");
    }

    #[test]
    fn pointers_conflict_if_one_lies_inside_the_other() {
        let pointer = |text| Pointer::new(text).expect("a pointer");
        for (a, b, conflict) in [
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a/b", "/a", true),
            ("/a/b", "/a/c", false),
            ("/a", "/ab", false),
        ] {
            assert_eq!(pointer(a).conflicts_with(&pointer(b)), conflict, "{a} {b}");
        }
    }
}
