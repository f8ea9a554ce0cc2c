//! What a client has to present.

/// One credential that a sandbox accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// Where it goes: `"header"`, or the route whose JSON body holds it.
    pub place: &'static str,
    /// The header's or the member's name.
    pub name: &'static str,
    /// The header's or the member's value.
    pub value: &'static str,
    /// What the credential is limited to; empty for none.
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
