//! The credentials that a client must present.

/// One credential that a sandbox accepts.
///
/// # Examples
/// ```
/// use redress_sandbox::Vendor;
///
/// let keys = Vendor::Ranex.credentials();
/// assert!(keys.iter().all(|key| key.place == "header"));
/// assert!(keys.iter().any(|key| (key.name, key.value) == ("X-Api-Key", "sandbox-key")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
