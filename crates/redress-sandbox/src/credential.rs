//! The credentials that a client must present.

/// One credential that a sandbox accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// The location: `"header"`, or the route whose JSON body contains it.
    pub place: &'static str,
    /// The name of the header or the member.
    pub name: &'static str,
    /// The value of the header or the member.
    pub value: &'static str,
    /// The restriction of the credential, for people; empty if there is none.
    pub limits: &'static str,
}

impl Credential {
    pub(crate) const fn header(name: &'static str, value: &'static str) -> Self {
        Self::member("header", name, value)
    }

    pub(crate) const fn member(route: &'static str, name: &'static str, value: &'static str) -> Self {
        Self { place: route, name, value, limits: "" }
    }

    pub(crate) const fn limited(self, limits: &'static str) -> Self {
        Self { limits, ..self }
    }
}
