//! The places that a dialect reads, for people and for programs that generate
//! responses.

use super::hints::{Hint, HintPlace};
use super::{Dialect, HintSource, Location, compiled::Reading, slot::Slot, spec::PathSpec};

impl Dialect {
    /// Returns where the code of an error may stand, in the order in which the
    /// places are asked.
    ///
    /// The places of several forms of envelope follow each other; each is listed
    /// once.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Location, dialects};
    ///
    /// assert_eq!(dialects::maleslab().code_locations(), [Location::Body("error.code".to_owned())]);
    /// ```
    #[must_use]
    pub fn code_locations(&self) -> Vec<Location> {
        self.locations(|reading| &reading.code)
    }

    /// Returns where the message of an error may stand, as
    /// [`code_locations`](Self::code_locations).
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Location, dialects};
    ///
    /// assert_eq!(dialects::ranex().message_locations(), [Location::Body("message".to_owned())]);
    /// ```
    #[must_use]
    pub fn message_locations(&self) -> Vec<Location> {
        self.locations(|reading| &reading.message)
    }

    /// Returns where the request id of an error may stand, as
    /// [`code_locations`](Self::code_locations).
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Location, dialects};
    ///
    /// let github = dialects::github().request_id_locations();
    /// assert_eq!(github, [Location::Header("x-github-request-id".to_owned())]);
    /// ```
    #[must_use]
    pub fn request_id_locations(&self) -> Vec<Location> {
        self.locations(|reading| &reading.request_id)
    }

    /// Returns where the dialect looks for hints beside the standard headers, each
    /// place once.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{HintSource, dialects};
    ///
    /// let persona = dialects::by_name("persona").expect("it is shipped");
    /// assert_eq!(persona.hint_sources(), [HintSource::Header("ratelimit-reset".to_owned())]);
    /// ```
    #[must_use]
    pub fn hint_sources(&self) -> Vec<HintSource> {
        let hints = self.inner.spec.readings().flat_map(|reading| reading.hints.iter().flatten());
        each_once(hints.map(source_of))
    }

    /// Returns where the dialect looks for hints on a success, each place once.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{HintSource, dialects};
    ///
    /// let stackexchange = dialects::by_name("stackexchange").expect("it is shipped");
    /// assert_eq!(stackexchange.success_hint_sources(), [HintSource::Body("backoff".to_owned())]);
    /// assert!(dialects::vlens().success_hint_sources().is_empty());
    /// ```
    #[must_use]
    pub fn success_hint_sources(&self) -> Vec<HintSource> {
        each_once(self.inner.spec.success_hints.iter().map(source_of))
    }

    fn locations(&self, slot: impl Fn(&Reading) -> &Slot) -> Vec<Location> {
        let compiled = &self.inner;
        let sources = compiled.readings.iter().flat_map(|reading| slot(reading).sources());
        each_once(sources.map(|source| source.location(&compiled.plan)))
    }
}

fn source_of(hint: &Hint<PathSpec>) -> HintSource {
    match &hint.place {
        HintPlace::Header(name) if *name == http::header::RETRY_AFTER => HintSource::RetryAfter,
        HintPlace::Header(name) => HintSource::Header(name.as_str().to_owned()),
        HintPlace::Body(_, path) => HintSource::Body(path.clone()),
    }
}

/// Readings and their sources are bounded, so that looking each up costs a
/// bounded time.
fn each_once<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in all {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_listed_once_in_the_order_in_which_it_is_asked() {
        let toml = "name = \"d\"\n[read]\ncode = [\"a.code\", { header = \"x-code\" }, \"code\"]\nmessage = \"text\"\n\
            request_id = { header = \"x-id\" }\nhints = [{ header = \"retry-after\", unit = \"ms\" }, \
            { header = \"x-wait\", unit = \"s\" }, { body = \"wait\", unit = \"s\" }, { header = \"x-wait\", unit = \"ms\" }]\n";
        let dialect = Dialect::from_toml("d.toml", toml).unwrap();
        let (body, header) =
            (|path: &str| Location::Body(path.to_owned()), |name: &str| Location::Header(name.to_owned()));
        assert_eq!(dialect.code_locations(), [body("a.code"), header("x-code"), body("code")]);
        assert_eq!(dialect.message_locations(), [body("text")]);
        assert_eq!(dialect.request_id_locations(), [header("x-id")]);
        let wait = |name: &str| HintSource::Header(name.to_owned());
        let sources = [HintSource::RetryAfter, wait("x-wait"), HintSource::Body("wait".to_owned())];
        assert_eq!(dialect.hint_sources(), sources);
    }
}
