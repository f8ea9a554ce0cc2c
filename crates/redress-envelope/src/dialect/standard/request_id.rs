//! The headers that name the call.

use http::HeaderValue;
use redress_skip::ascii;

/// Headers that name the call, the best first: those of the server, of its
/// cloud, of a trace, of a network in front of it. A `*` stands for the name of
/// a vendor; a header that is in the list by its whole name has that place.
pub(crate) const REQUEST_IDS: [&str; 45] = [
    "x-request-id",
    "request-id",
    "x-requestid",
    "x-correlation-id",
    "correlation-id",
    "x-amzn-requestid",
    "x-amzn-request-id",
    "x-amz-request-id",
    "apigw-requestid",
    "x-ms-request-id",
    "x-github-request-id",
    "x-goog-request-id",
    "x-openstack-request-id",
    "opc-request-id",
    "x-vcap-request-id",
    "x-vercel-id",
    "x-li-uuid",
    "*request-id",
    "*requestid",
    "*-req-id",
    "*reqid",
    "*request-uuid",
    "*-rid",
    "*correlation-id",
    "*correlationid",
    "client-request-id",
    "x-transaction-id",
    "*transaction-id",
    "*transactionid",
    "*interaction-id",
    "*tracking-id",
    "*trackingid",
    "*activity-id",
    "*activityid",
    "*debug-id",
    "*-logid",
    "*-queryid",
    "*_tid",
    "x-trace-id",
    "x-b3-traceid",
    "*trace-id",
    "*traceid",
    "x-amz-cf-id",
    CF_RAY,
    TRACEPARENT,
];
const CF_RAY: &str = "cf-ray";
/// A header with the name of a trace id and the form of a list: `Root=1-6..;Sampled=1`.
const AMAZON_TRACE: &str = "x-amzn-trace-id";
/// W3C Trace Context section 3.2: `00-{trace id}-{parent id}-{flags}`.
const TRACEPARENT: &str = "traceparent";

/// Returns how good a header is as the name of the call, the best first.
pub(super) fn rank(name: &str) -> Option<u8> {
    if !name.ends_with("id") && name != CF_RAY && name != TRACEPARENT {
        return None;
    }
    let is_of_vendor = |known: &str| known.strip_prefix('*').is_some_and(|end| name.ends_with(end));
    let whole = REQUEST_IDS.iter().position(|known| *known == name);
    let rank = whole.or_else(|| REQUEST_IDS.iter().position(|known| name != AMAZON_TRACE && is_of_vendor(known)));
    rank.and_then(|rank| u8::try_from(rank).ok())
}

/// Returns the value of a header that names the call.
pub(super) fn id<'h>(name: &str, value: &'h HeaderValue) -> Option<&'h str> {
    let text = ascii(value.as_bytes())?.trim_ascii();
    let is_trace = name == TRACEPARENT;
    let id = if is_trace { text.split('-').nth(1).filter(|trace| trace.len() == 32) } else { Some(text) };
    id.filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_names_the_call_is_told_by_the_end_of_its_name() {
        for (name, expected) in [
            ("x-request-id", Some("x-request-id")),
            ("x-b3-traceid", Some("x-b3-traceid")),
            ("acme-request-id", Some("*request-id")),
            ("x-arequestid", Some("*requestid")),
            ("x-acme-rid", Some("*-rid")),
            ("x-reqid", Some("*reqid")),
            ("x-acme-request-uuid", Some("*request-uuid")),
            ("acme-transaction-id", Some("*transaction-id")),
            ("x-acme-interaction-id", Some("*interaction-id")),
            ("x-acme-trackingid", Some("*trackingid")),
            ("x-acme-trace-id", Some("*trace-id")),
            ("x-amzn-trace-id", None),
            ("x-b3-spanid", None),
            ("x-grid", None),
            ("x-order-id", None),
            ("x-order-uuid", None),
            ("request-id-acme", None),
        ] {
            assert_eq!(rank(name).map(|rank| REQUEST_IDS[usize::from(rank)]), expected, "{name}");
        }
    }
}
