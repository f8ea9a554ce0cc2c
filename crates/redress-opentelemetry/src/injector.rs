//! Trace context in the headers of a request.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::Injector;

/// Writes the fields of a propagator into headers. A header with the same name is replaced.
pub(crate) struct HeaderInjector<'h>(pub(crate) &'h mut HeaderMap);

impl Injector for HeaderInjector<'_> {
    /// Sets a header. A field that cannot be a header is left out: a request is not failed for its telemetry.
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_replaces_the_header_of_its_name_and_an_invalid_one_is_left_out() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", HeaderValue::from_static("old"));
        headers.append("traceparent", HeaderValue::from_static("older"));
        let mut injector = HeaderInjector(&mut headers);
        injector.set("traceparent", "new".to_owned());
        injector.set("no header", "x".to_owned());
        injector.set("tracestate", "line\nbreak".to_owned());
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["traceparent"], "new");
    }
}
