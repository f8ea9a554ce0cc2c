//! The URL of a request without its secrets.

use http::Uri;
use redress_classify::Dialect;

/// The text that the convention puts in the place of a secret.
const REDACTED: &str = "REDACTED";

/// Returns the URL with user and password redacted, and each value of the query whose key is not among `shown`.
///
/// The convention names four keys to redact and says that the list will change. APIs take keys and tokens under many more
/// names, so that the list here has the keys that may be shown. The parts of the path that the dialect calls secret are masked.
pub(crate) fn url_full(uri: &Uri, dialect: Option<&Dialect>, shown: &[String]) -> String {
    let mut url = String::new();
    if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
        url.push_str(scheme);
        url.push_str("://");
        match authority.as_str().rsplit_once('@') {
            Some((_, host)) => {
                url.push_str("REDACTED:REDACTED@");
                url.push_str(host);
            }
            None => url.push_str(authority.as_str()),
        }
    }
    match dialect {
        Some(dialect) => url.push_str(&dialect.masked_path(uri.path())),
        None => url.push_str(uri.path()),
    }
    if let Some(query) = uri.query() {
        url.push('?');
        push_query(&mut url, query, shown);
    }
    url
}

fn push_query(url: &mut String, query: &str, shown: &[String]) {
    for (nth, pair) in query.split('&').enumerate() {
        if nth > 0 {
            url.push('&');
        }
        match pair.split_once('=') {
            Some((key, value)) => {
                url.push_str(key);
                url.push('=');
                url.push_str(if value.is_empty() || shown.iter().any(|shown| shown == key) { value } else { REDACTED });
            }
            None if pair.is_empty() || shown.iter().any(|shown| shown == pair) => url.push_str(pair),
            // A value without a key may be a token.
            None => url.push_str(REDACTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use redress_classify::dialects;

    use super::*;

    #[test]
    fn credentials_and_values_of_the_query_are_redacted() {
        let shown = ["page".to_owned(), "flag".to_owned()];
        for (uri, url) in [
            ("https://api.example/v1/items", "https://api.example/v1/items"),
            ("https://api.example:8443/", "https://api.example:8443/"),
            ("https://joe:s3cret@api.example/a", "https://REDACTED:REDACTED@api.example/a"),
            ("https://s3cret@api.example/a", "https://REDACTED:REDACTED@api.example/a"),
            ("https://api.example/a?page=2&key=s3cret", "https://api.example/a?page=2&key=REDACTED"),
            ("https://api.example/a?Page=s3cret", "https://api.example/a?Page=REDACTED"),
            (
                "https://api.example/a?sig=s3cret==&X-Goog-Signature=s3",
                "https://api.example/a?sig=REDACTED&X-Goog-Signature=REDACTED",
            ),
            ("https://api.example/a?s3cret", "https://api.example/a?REDACTED"),
            ("https://api.example/a?flag&key=&&page=3", "https://api.example/a?flag&key=&&page=3"),
            ("https://api.example/a?", "https://api.example/a?"),
            ("/v1/items?key=s3cret", "/v1/items?key=REDACTED"),
            ("https://api.example/bot123:s3cret/getMe", "https://api.example/bot***/getMe"),
        ] {
            let telegram = dialects::by_name("telegram").unwrap();
            assert_eq!(url_full(&Uri::from_static(uri), Some(&telegram), &shown), url, "{uri}");
        }
        assert_eq!(url_full(&Uri::from_static("http://a/b?c=d"), None, &[]), "http://a/b?c=REDACTED");
    }
}
