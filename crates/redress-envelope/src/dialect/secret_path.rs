//! Credentials that an API takes in the path of a request.

use std::borrow::Cow;

/// A path such as `/bot{secret}/{method}`, in which a part is a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SecretPath(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Segment {
    Literal(String),
    Any,
    /// A credential behind this text.
    Secret(String),
}

const MARK: &str = "{secret}";
const MASK: &str = "***";

impl SecretPath {
    pub(crate) const EXPECTED: &str = "a path with a credential in it such as `/hooks/{id}/{secret}`";

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let segment = |text: &str| match text.strip_suffix(MARK) {
            Some(before) => Segment::Secret(before.to_owned()),
            None if text.starts_with('{') && text.ends_with('}') => Segment::Any,
            None => Segment::Literal(text.to_owned()),
        };
        let segments: Vec<_> = text.strip_prefix('/')?.split('/').map(segment).collect();
        segments.iter().any(|segment| matches!(segment, Segment::Secret(_))).then_some(Self(segments))
    }

    /// Returns a path that goes this way, at its beginning or behind the path of a
    /// proxy, with its credentials masked; `None` where it goes another way.
    pub(crate) fn mask<'p>(&self, path: &'p str) -> Option<Cow<'p, str>> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        (0..segments.len()).find_map(|from| self.mask_from(&segments, from))
    }

    fn mask_from<'p>(&self, segments: &[&'p str], from: usize) -> Option<Cow<'p, str>> {
        let mut segments: Vec<Cow<'p, str>> = segments.iter().copied().map(Cow::Borrowed).collect();
        for (nth, ours) in self.0.iter().enumerate() {
            let theirs = segments.get_mut(from + nth)?;
            match ours {
                Segment::Literal(text) if text != theirs => return None,
                Segment::Secret(before) if !theirs.starts_with(before.as_str()) => return None,
                Segment::Secret(before) => *theirs = Cow::Owned(format!("{before}{MASK}")),
                Segment::Literal(_) | Segment::Any => {}
            }
        }
        Some(Cow::Owned(format!("/{}", segments.join("/"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_in_a_path_is_masked() {
        let bot = SecretPath::parse("/bot{secret}").unwrap();
        let hook = SecretPath::parse("/api/{version}/webhooks/{id}/{secret}").unwrap();
        for (pattern, path, expected) in [
            (&bot, "/bot123:ABC/sendMessage", Some("/bot***/sendMessage")),
            (&bot, "//proxy/bot123:ABC/getMe", Some("/proxy/bot***/getMe")),
            (&bot, "/robots", None),
            (&bot, "/", None),
            (&hook, "/api/v10/webhooks/7/tok/messages/9", Some("/api/v10/webhooks/7/***/messages/9")),
            (&hook, "/api/v10/webhooks/7", None),
            (&hook, "/api/v10/channels/7/tok", None),
        ] {
            assert_eq!(pattern.mask(path).as_deref(), expected, "{path}");
        }
        for text in ["bot{secret}", "/a/{id}", ""] {
            assert_eq!(SecretPath::parse(text), None, "{text}");
        }
    }
}
