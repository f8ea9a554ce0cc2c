//! Which calls share a limit, and which calls the cool-down of a response holds.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, StatusCode};
use redress_envelope::{CooldownScope, Coverage, Dialect, Envelope, Head, Meaning, dialects};

const ACME: &str = r#"
name = "acme"
[[scopes]]
name = "reports"
routes = ["* /v1/reports/**", "POST /v1/report"]
[[scopes]]
name = "room"
routes = ["* /v1/rooms/{room}/**", "* /v1/houses/{house}/rooms/{room}/**"]
key = ["house", "room"]
[[scopes]]
name = "rest"
routes = ["GET /**"]
[cooldown]
bucket = [{ header = "x-bucket" }, "limit.bucket"]
global = [{ header = "x-global", header_is = "1" }, { body = "limit.global", body_is = true }, { message = "*all of you*" }]
[read]
code = "code"
message = "message"
"#;

fn shipped(name: &str) -> Dialect {
    dialects::by_name(name).expect("it is shipped")
}

fn acme() -> Dialect {
    Dialect::from_toml("acme.toml", ACME).expect("the file is right")
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().expect("a value"));
    pairs.iter().map(pair).collect()
}

fn meaning(dialect: &Dialect, status: u16, pairs: &[(&'static str, &str)], body: &str) -> Meaning {
    let headers = headers(pairs);
    let head = Head::new(status, &headers, SystemTime::UNIX_EPOCH);
    dialect.meaning(&head, &Envelope::read(dialect, &head, [body.as_bytes()]))
}

/// The name of the scope of a call; empty where it is in none.
fn scope<'d>(dialect: &'d Dialect, call: &str) -> &'d str {
    let (method, path) = call.split_once(' ').expect("a method and a path");
    let id = dialect.scope_for_request(method, path);
    id.and_then(|id| dialect.scope(id)).map_or("", |scope| &scope.name)
}

#[test]
fn the_first_scope_with_a_route_of_the_call_is_its_scope() {
    let acme = acme();
    for (call, expected) in [
        ("GET /v1/reports/7", "reports"),
        ("DELETE /v1/reports", "reports"),
        ("POST /v1/report", "reports"),
        ("GET /v1/report", "rest"),
        ("POST /v1/rooms/7/lamps", "room"),
        ("POST /v1/houses/1/rooms/7", "room"),
        ("PUT /v1/houses/1", ""),
    ] {
        assert_eq!(scope(&acme, call), expected, "{call}");
    }
    assert_eq!(scope(&dialects::veridia(), "GET /v1/verify/1"), "");
}

#[test]
fn a_key_tells_the_calls_of_a_scope_apart() {
    let acme = acme();
    let id = |path| acme.scope_for_request("GET", path).expect("it is in a scope");
    assert_eq!(id("/v1/rooms/7"), id("/v1/rooms/7/lamps/8"));
    assert_ne!(id("/v1/rooms/7"), id("/v1/rooms/8"));
    assert_ne!(id("/v1/houses/1/rooms/7"), id("/v1/houses/2/rooms/7"));
    assert_ne!(id("/v1/houses/1/rooms/7"), id("/v1/rooms/7"), "without a house it is another one");
    assert_eq!(id("/v1/reports/7"), id("/v1/reports/8"), "without a key all share the limit");
    let text = format!("{:?}", id("/v1/rooms/c4n4ry"));
    assert_eq!(text, "ScopeId(1)");
}

#[test]
fn a_response_says_which_calls_its_cool_down_holds() {
    let acme = acme();
    let of = |pairs: &[_], body| meaning(&acme, 429, pairs, body).scope;
    let named = |name| match of(&[("x-bucket", name)], "") {
        CooldownScope::Named(id) => acme.scope(id).map(|scope| scope.name.clone()),
        _ => None,
    };
    assert_eq!(of(&[], "{}"), CooldownScope::Call);
    assert_eq!((named("reports").as_deref(), named("rest").as_deref()), (Some("reports"), Some("rest")));
    assert_eq!(of(&[("x-bucket", "room")], ""), CooldownScope::Call, "which room, the route says");
    let bucket = of(&[("x-bucket", "b1")], "");
    assert!(matches!(bucket, CooldownScope::Bucket(_)));
    assert_eq!(of(&[("x-bucket", "b1")], "not JSON"), bucket);
    assert_eq!(of(&[], r#"{"limit":{"bucket":"b1"}}"#), bucket, "wherever it stands");
    assert_ne!(of(&[("x-bucket", "b2")], ""), bucket);
    assert_eq!(format!("{bucket:?}"), "Bucket", "its name is the server's");
    for (pairs, body) in [
        (&[("x-global", "1"), ("x-bucket", "b1")][..], ""),
        (&[("x-bucket", "b1")], r#"{"limit":{"global":true}}"#),
        (&[], r#"{"code":"x","message":"Wait, all of you."}"#),
    ] {
        assert_eq!(of(pairs, body), CooldownScope::Upstream, "{pairs:?} {body}");
    }
    for (pairs, body) in [
        (&[("x-global", "0")][..], ""),
        (&[], r#"{"limit":{"global":false}}"#),
        (&[], r#"{"limit":{"global":true"#),
        (&[], r#"{"limit":{"bucket":"b1"},"#),
    ] {
        assert_eq!(of(pairs, body), CooldownScope::Call, "{pairs:?} {body}");
    }
}

#[test]
fn the_headers_of_any_response_name_the_bucket() {
    let acme = acme();
    let of = |pairs: &[_]| acme.bucket_for_response(StatusCode::OK, &headers(pairs));
    assert!(acme.names_buckets() && !shipped("slack").names_buckets());
    assert_eq!(of(&[("x-bucket", "b1")]), meaning(&acme, 429, &[("x-bucket", "b1")], "").scope);
    assert_eq!(of(&[("x-other", "b1")]), CooldownScope::Call);
}

#[test]
fn a_file_that_extends_another_adds_scopes_and_replaces_those_of_the_same_name() {
    let ours = "[[scopes]]\nname = \"rest\"\nroutes = \"* /v1/**\"\n[[scopes]]\nname = \"more\"\nroutes = \"* /v1/more\"\n[cooldown]\nbucket = { header = \"x-other\" }\n";
    let ours = acme().extend("ours.toml", ours).expect("the file is right");
    let names: Vec<_> = ours.scopes().iter().map(|scope| scope.name.as_str()).collect();
    assert_eq!(names, ["rest", "more", "reports", "room"]);
    assert_eq!(scope(&ours, "GET /v1/reports/7"), "rest", "its own come first");
    let of = |pairs: &[_]| meaning(&ours, 429, pairs, "").scope;
    assert_eq!(of(&[("x-bucket", "b1")]), CooldownScope::Call);
    assert!(matches!(of(&[("x-other", "b1")]), CooldownScope::Bucket(_)));
    assert_eq!(of(&[("x-global", "1")]), CooldownScope::Upstream, "what it does not name stays");
}

#[test]
fn githubs_resources_are_told_apart() {
    let github = shipped("github");
    for (call, expected) in [
        ("GET /search/issues", "search"),
        ("GET /search/code", "code_search"),
        ("GET /api/v3/search/repositories", "search"),
        ("POST /graphql", "graphql"),
        ("POST /api/graphql", "graphql"),
        ("POST /repos/a/b/dependency-graph/snapshots", "dependency_snapshots"),
        ("GET /repos/a/b/dependency-graph/snapshots", "core"),
        ("GET /repos/search/code", "core"),
        ("GET /user", "core"),
    ] {
        assert_eq!(scope(&github, call), expected, "{call}");
    }
    let limited = [("x-ratelimit-resource", "search"), ("x-ratelimit-remaining", "0"), ("retry-after", "30")];
    let search = github.scope_for_request("GET", "/search/issues").map(CooldownScope::Named);
    assert_eq!(Some(meaning(&github, 403, &limited, "").scope), search);
    let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#;
    assert_eq!(meaning(&github, 403, &limited, secondary).scope, CooldownScope::Upstream);
    assert_eq!(meaning(&github, 429, &limited[2..], "").scope, CooldownScope::Upstream, "it names no resource");
    assert_eq!(meaning(&github, 403, &limited[1..2], "").scope, CooldownScope::Call);
}

#[test]
fn discords_buckets_are_counted_for_each_channel_guild_and_webhook() {
    let discord = shipped("discord");
    let id = |path| discord.scope_for_request("POST", path).expect("it is in a scope");
    assert_eq!(id("/api/v10/channels/1/messages"), id("/api/v10/channels/1/messages/7/reactions"));
    assert_ne!(id("/api/v10/channels/1/messages"), id("/api/v10/channels/2/messages"));
    assert_ne!(id("/api/v10/channels/1"), id("/api/v10/guilds/1"));
    assert_ne!(id("/api/v10/webhooks/1/a"), id("/api/v10/webhooks/1/b/messages/7"));
    assert_eq!(id("/api/v10/webhooks/1/a/messages/7"), id("/api/v10/webhooks/1/a"));
    assert_eq!(id("/api/v10/users/@me"), id("/api/v10/gateway"));
    let of = |pairs: &[_], body| meaning(&discord, 429, pairs, body).scope;
    let bucket = ("x-ratelimit-bucket", "abcd1234");
    let user = r#"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#;
    let global = r#"{"message":"You are being rate limited.","retry_after":64.57,"global":true}"#;
    assert!(matches!(of(&[bucket, ("x-ratelimit-scope", "user")], user), CooldownScope::Bucket(_)));
    assert!(matches!(of(&[bucket, ("x-ratelimit-scope", "shared")], user), CooldownScope::Bucket(_)));
    assert_eq!(of(&[], user), CooldownScope::Call);
    for (pairs, body) in [
        (&[bucket][..], global),
        (&[("x-ratelimit-global", "true")], ""),
        (&[bucket, ("x-ratelimit-scope", "global")], ""),
        (&[("content-type", "text/html")], "<html>error code: 1015</html>"),
    ] {
        assert_eq!(of(pairs, body), CooldownScope::Upstream, "{pairs:?} {body}");
    }
}

#[test]
fn slacks_methods_and_webhooks_are_counted_apart() {
    let slack = shipped("slack");
    let id = |path| slack.scope_for_request("POST", path).expect("it is in a scope");
    assert_eq!(slack.scope_for_request("GET", "/api/users.list"), Some(id("/api/users.list")));
    assert_ne!(id("/api/users.list"), id("/api/chat.postMessage"));
    assert_ne!(id("/services/T1/B1/x"), id("/services/T1/B2/y"));
    assert_eq!(meaning(&slack, 429, &[("retry-after", "30")], "").scope, CooldownScope::Call);
}

#[test]
fn a_limit_counts_all_routes_some_or_unknown_ones() {
    let text = |route| format!("name = \"a\"\n[[limits]]\n{route}\nrequests = 3\nper_s = 1\n");
    let covers = |route| {
        let dialect = Dialect::from_toml("a.toml", &text(route)).expect("the file is right");
        dialect.limits()[0].covers.clone()
    };
    let routes = |texts: &[&str]| Coverage::Routes(texts.iter().map(|text| text.parse().expect("a route")).collect());
    for (route, expected) in [
        ("", Coverage::All),
        ("route = \"unknown\"", Coverage::Unknown),
        ("route = \"* /v1/**\"", routes(&["* /v1/**"])),
        ("route = [\"GET /search/**\", \"POST /find\"]", routes(&["GET /search/**", "POST /find"])),
    ] {
        assert_eq!(covers(route), expected, "{route}");
    }
    assert_eq!(dialects::ranex().limits()[0].covers, Coverage::Unknown);
    assert_eq!(shipped("persona").limits()[0].covers, Coverage::All);
}
