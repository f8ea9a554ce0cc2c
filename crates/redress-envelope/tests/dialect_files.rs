//! A mistake in a dialect's file is named with file, line, key and what was expected.

use http::Method;
use redress_envelope::{Class, Dialect, IdempotencyHeader, KeyFormat, Recovery, dialects};

fn mistakes(text: &str) -> Vec<String> {
    let error = Dialect::from_toml("acme.toml", text).expect_err("the file has mistakes");
    error.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn each_mistake_is_named() {
    for (text, expected) in [
        ("vendor = \"A\"", "acme.toml:1: name: expected a name for the dialect, found none"),
        ("name = 7", "acme.toml:1: name: expected a text that is not empty, found 7"),
        (
            "name = \"a\"\nnmae = 1",
            "acme.toml:2: nmae: unknown key, did you mean `name`? expected one of name, vendor, extends,",
        ),
        (
            "name = \"a\"\n\n[read]\ncode = \"a..b\"",
            "acme.toml:4: read.code: expected the name of a member, found \"a..b\"",
        ),
        (
            "name = \"a\"\n[read]\ncode = [\"a\", 5]",
            "acme.toml:3: read.code[1]: expected a path such as `error.code`, found 5",
        ),
        ("name = \"a\"\n[read]\nhints = [{ body = \"x\" }]", "acme.toml:3: read.hints[0]: expected `unit` and either"),
        (
            "name = \"a\"\n[read]\nhints = [{ body = \"x\", unit = \"min\" }]",
            "acme.toml:3: read.hints[0].unit: did you mean \"minutes\"? expected one of http, s, ms,",
        ),
        (
            "name = \"a\"\n[read]\nfields = [{ map = \"x\", texts = \"words\" }]",
            "acme.toml:3: read.fields[0].texts: expected true, false or `sentence`, found \"words\"",
        ),
        (
            "name = \"a\"\n[read]\nfields = [{ list = \"x\" }]",
            "acme.toml:3: read.fields[0]: expected `list` or `one` with",
        ),
        (
            "name = \"a\"\n[read]\nroot = \"list\"",
            "acme.toml:3: read.root: unknown key, expected one of when, code, message,",
        ),
        ("name = \"a\"\n[retry]\nattempts = 0", "acme.toml:3: retry.attempts: expected a whole number from 1"),
        (
            "name = \"a\"\n[retry]\nbase_ms = -5",
            "acme.toml:3: retry.base_ms: expected a whole number of milliseconds, found -5",
        ),
        ("name = \"a\"\n[retry]\nbase_ms = 5", "acme.toml:2: retry: expected all of `base_ms`, `factor` and `cap_ms`"),
        (
            "name = \"a\"\n[retry]\nidempotent = [\"post /a\"]",
            "acme.toml:3: retry.idempotent[0]: expected a method and a path",
        ),
        ("name = \"a\"\n[idempotency]\nformat = \"raw\"", "acme.toml:2: idempotency: expected `header`"),
        (
            "name = \"a\"\n[idempotency]\nheader = \"a b\"",
            "acme.toml:3: idempotency.header: expected the name of a header, found \"a b\"",
        ),
        (
            "name = \"a\"\n[idempotency]\nheader = \"k\"\nformat = \"bare\"",
            "acme.toml:4: idempotency.format: expected one of quoted, raw, found \"bare\"",
        ),
        (
            "name = \"a\"\n[idempotency]\nheader = \"k\"\nmethods = [\"post\"]",
            "acme.toml:4: idempotency.methods[0]: did you mean \"POST\"? expected one of GET, HEAD, POST,",
        ),
        (
            "name = \"a\"\n[idempotency]\nheader = \"k\"\nkey = 1",
            "acme.toml:4: idempotency.key: unknown key, expected one of header, format, methods",
        ),
        ("name = \"a\"\n[[limits]]\nrequests = 3", "acme.toml:2: limits[0]: expected `requests` and `per_s`"),
        (
            "name = \"a\"\n[[limits]]\nroute = [\"GET /a\", \"* /**/b\"]\nrequests = 3\nper_s = 1",
            "acme.toml:3: limits[0].route[1]: expected a method and a path such as `POST /v1/things/{id}` or `* /v1/**`",
        ),
        ("name = \"a\"\n[[scopes]]\nname = \"s\"", "acme.toml:2: scopes[0]: expected `name` and `routes`"),
        ("name = \"a\"\n[[scopes]]\nroutes = \"* /**\"", "acme.toml:2: scopes[0]: expected `name` and `routes`"),
        (
            "name = \"a\"\n[[scopes]]\nname = \"s\"\nroutes = \"/a\"",
            "acme.toml:4: scopes[0].routes: expected a method and a path",
        ),
        (
            "name = \"a\"\n[[scopes]]\nname = \"s\"\nroutes = \"* /{a}\"\nkey = \"b\"",
            "acme.toml:2: scopes[0].key: expected a name that a route has in braces, found \"b\"",
        ),
        (
            "name = \"a\"\n[[scopes]]\nname = \"s\"\nroute = \"* /a\"\nroutes = \"* /a\"",
            "acme.toml:4: scopes[0].route: unknown key, did you mean `routes`? expected one of name, routes, key",
        ),
        (
            "name = \"a\"\n[[scopes]]\nname = \"s\"\nroutes = \"* /a\"\n[[scopes]]\nname = \"s\"\nroutes = \"* /b\"",
            "acme.toml:5: scopes[1]: expected one scope `s`, found two",
        ),
        (
            "name = \"a\"\n[cooldown]\nbucket = { header = \"x\" }",
            "acme.toml:2: cooldown: expected `[[scopes]]` beside it",
        ),
        (
            "name = \"a\"\n[[scopes]]\nname = \"s\"\nroutes = \"* /a\"\n[cooldown]\nheader = \"x\"",
            "acme.toml:6: cooldown.header: unknown key, expected one of bucket, global",
        ),
        (
            "name = \"a\"\n[secrets]\nheaders = [\"a b\"]",
            "acme.toml:3: secrets.headers[0]: expected the name of a header",
        ),
        ("name = \"a\"\n[codes.E1]\nguidance = \"x\"", "acme.toml:2: codes.E1.class: expected a class, found none"),
        (
            "name = \"a\"\n[codes.E1]\nclass = \"bad\"",
            "acme.toml:3: codes.E1.class: expected one of unavailable, internal,",
        ),
        (
            "name = \"a\"\n[codes.E1]\nclass = \"invalid\"\nstatus = 99",
            "acme.toml:4: codes.E1.status: expected a status from 100",
        ),
        ("name = \"a\"\n[status.99]\nclass = \"invalid\"", "acme.toml:2: status.99: expected a status from 100 to 999"),
        (
            "name = \"a\"\n[error]\nis_one = \"x\"",
            "acme.toml:3: error.is_one: unknown key, expected one of not_null, is_false",
        ),
        ("name = \"a\"\n[error]", "acme.toml:2: error: expected one of not_null, is_false, not_zero,"),
        ("name = \"a\"\n[read]\ncode = []", "acme.toml:3: read.code: expected at least one"),
        ("name = \"a\"\n[read]\ncode = \"errors[x].code\"", "acme.toml:3: read.code: expected an index such as `[0]`"),
        (
            "name = \"a\"\n[read]\ncode = [\"a\", \"b\", \"a\"]",
            "acme.toml:3: read.code[2]: never reached: an earlier source takes all of it",
        ),
        (
            "name = \"a\"\n[read]\nmessage = [\"a\", { path = \"a\", as = \"sentence\" }]",
            "acme.toml:3: read.message[1]: never reached: an earlier source takes all of it",
        ),
        (
            "name = \"a\"\n[read]\ncode = [{ paths = \"a\" }]",
            "acme.toml:3: read.code[0].paths: unknown key, did you mean `path`? expected one of path, header,",
        ),
        (
            "name = \"a\"\n[read]\ncode = [{ as = \"token\" }]",
            "acme.toml:3: read.code[0]: expected one of path, header, challenge, element, parts",
        ),
        (
            "name = \"a\"\n[read]\ncode = [{ path = \"a\", as = \"word\", not_status = 1 }]",
            "acme.toml:3: read.code[0].not_status: expected true, false, `number` or `any`, found 1",
        ),
        (
            "name = \"a\"\n[[read]]\ncode = \"a\"\n[[read]]\ncode = \"b\"",
            "acme.toml:2: read[0]: expected `when`, else what follows is never reached",
        ),
        (
            "name = \"a\"\n[[read]]\nwhen = { code = \"a\" }",
            "acme.toml:3: read[0].when.code: unknown key, expected one of status, content_type,",
        ),
        (
            "name = \"a\"\n[[error]]\nnot_null = \"a\"\nwhen = { body = \"a\" }",
            "acme.toml:4: error[0].when.body: unknown key, expected one of status, content_type,",
        ),
        (
            "name = \"a\"\n[[error]]\nunless_not_null = \"a\"",
            "acme.toml:2: error[0]: expected one of not_null, is_false, not_zero,",
        ),
        (
            "name = \"a\"\n[[error]]\nequals = { path = \"a\" }",
            "acme.toml:3: error[0].equals: expected `path` and `is`",
        ),
        (
            "name = \"a\"\n[[error]]\noutside = { path = \"a\", range = \"9-3\" }",
            "acme.toml:3: error[0].outside.range: expected numbers and ranges such as `403,500-599`, found \"9-3\"",
        ),
        (
            "name = \"a\"\n[[read]]\nwhen = { body = \"a\" }\n[[read]]\nwhen = { body = \"a\" }\n",
            "acme.toml:4: read[1]: never reached: an earlier reading has the same `when`",
        ),
        (
            "name = \"a\"\n[[rules]]\nwhen = { status = 403 }\nclass = \"invalid\"\n[[rules]]\nwhen = { status = 403 }\nclass = \"conflict\"",
            "acme.toml:5: rules[1]: never reached: an earlier rule has the same `when`",
        ),
        ("name = \"a\"\n[[rules]]\nclass = \"invalid\"", "acme.toml:2: rules[0]: expected `when`, and `class` or"),
        (
            "name = \"a\"\n[[rules]]\nwhen = { status = 42 }\nclass = \"invalid\"",
            "acme.toml:3: rules[0].when.status: expected statuses from 100 to 999, found 42",
        ),
        (
            "name = \"a\"\n[[rules]]\nwhen = { header_is = \"0\" }\nclass = \"invalid\"",
            "acme.toml:3: rules[0].when.header_is: expected `header` beside it",
        ),
        ("name = \"a\"\n[retry]\nflags = [{ yes = \"a\" }]", "acme.toml:3: retry.flags[0]: expected either `body` or"),
        (
            "name = \"a\"\n[reasons.r]\nclass = \"invalid\"",
            "acme.toml:3: reasons.r.class: unknown key, expected one of recovery, guidance",
        ),
        (
            "name = \"a\"\n[status.'+500']\nguidance = \"x\"",
            "acme.toml:2: status.+500: expected a status from 100 to 999",
        ),
        (
            "name = \"a\"\n[status.0500]\nguidance = \"x\"",
            "acme.toml:2: status.0500: expected a status from 100 to 999",
        ),
        ("name = \"a\"\n[codes.'']\nclass = \"invalid\"", "acme.toml:2: codes.: expected a code, found an empty text"),
        (
            "name = \"a\"\n[retry]\nbase_ms = 9\nfactor = 2\ncap_ms = 5",
            "acme.toml:2: retry: expected a `cap_ms` that is not below",
        ),
        (
            "name = \"a\"\n[codes.\"E*\"]\nclass = \"invalid\"",
            "acme.toml:2: codes.E*: expected one code, found a pattern, which belongs in a rule",
        ),
        (
            "name = \"a\"\n[secrets]\npaths = \"/bot{secret}?x=1\"",
            "acme.toml:3: secrets.paths: expected a path with a credential in it such as `/hooks/{id}/{secret}`, which ends \
             before a query, found",
        ),
        ("extends = \"nobody\"", "acme.toml:1: extends: expected one of adyen, airtable,"),
        ("extends = \"strip\"", "acme.toml:1: extends: did you mean \"stripe\"? expected one of adyen, airtable,"),
        (
            "name = \"a\"\n[codes.E1]\nclass = \"unavailible\"",
            "acme.toml:3: codes.E1.class: did you mean \"unavailable\"? expected one of unavailable, internal,",
        ),
        ("name = \"a\"\nname = \"b\"", "acme.toml:2: expected TOML: "),
        ("name = \"a\"\n[codes.A]\nclass = \"invalid\"\n[codes.A]\n", "acme.toml:4: expected TOML: duplicate key"),
        ("name = \"a", "acme.toml:1: expected TOML: "),
        (
            "name = \"a\"\n[read]\ncode = \"c\"\n[[read]]\ncode = \"d\"",
            "acme.toml:4: expected TOML: duplicate key: `read` is one table or a list of them: write `[[read]]` here and in \
             line 2, the one without `when` last",
        ),
        (
            "name = \"a\"\n[[ error ]]\nnot_null = \"c\"\n[error] # two\nnot_null = \"d\"",
            "acme.toml:4: expected TOML: duplicate key: `error` is one table or a list of them: write `[[error]]` here and in line 2",
        ),
        (
            "name = \"a\"\n[codes.A]\nclass = \"invalid\"\n[codes.A]\n",
            "acme.toml:4: expected TOML: duplicate key: `[codes.A]` stands in line 2 already: put the keys of both in one table",
        ),
        (
            "name = \"a\"\n[read]\ncode = \"c\"\ncode = \"d\"",
            "acme.toml:4: expected TOML: duplicate key: `code` stands twice in one table: several places are a list, \
             `code = [\"a\", \"b\"]`",
        ),
        (
            "name = \"a\"\nread.code = \"c\"\n[[read]]\ncode = \"d\"",
            "acme.toml:3: expected TOML: duplicate key: `read` has a value above: write all of it in one place",
        ),
        (
            "name = \"a\"\n[error]\nis_false = true",
            "acme.toml:3: error.is_false: expected a path such as `error.code`, found true: a truth value is compared by \
             `equals = { path = \"success\", is = true }`",
        ),
        (
            "name = \"a\"\n[rules]\nclass = \"invalid\"",
            "acme.toml:2: rules: expected a list, found a table: write `[[rules]]`",
        ),
        (
            "name = \"a\"\n[read]\nhints = { body = \"a\", unit = \"s\" }",
            "acme.toml:3: read.hints: expected a list, found a table: write it in `[ ]`",
        ),
        (
            "name = \"a\"\n[[retry]]\nattempts = 1",
            "acme.toml:2: retry: expected a table, found a list: write `[retry]`",
        ),
        (
            "name = \"a\"\n[[codes]]\nclass = \"invalid\"",
            "acme.toml:2: codes: expected a table, found a list: write a table for each, such as `[codes.NAME]`",
        ),
        (
            "name = \"a\"\n[read]\nordered_hints = \"true\"",
            "acme.toml:3: read.ordered_hints: expected true or false, found \"true\": leave out the quotation marks",
        ),
    ] {
        let found = mistakes(text);
        assert!(found.iter().any(|line| line.starts_with(expected)), "{text}\n{found:#?}");
    }
}

#[test]
fn a_text_that_is_printed_has_no_symbol_that_steers_a_terminal_or_ends_a_line() {
    let expected = "expected a text without control and invisible characters";
    for symbol in ["\\u001b", "\\n", "\\r", "\\u0000", "\\u0085", "\\u202e", "\\u2028", "\\u200b", "\\u007f"] {
        for (text, key) in [
            (format!("name = \"a{symbol}\""), "name"),
            (format!("name = \"a\"\nvendor = \"V{symbol}b\""), "vendor"),
            (format!("name = \"a\"\n[codes.x]\nclass = \"invalid\"\nguidance = \"{symbol}b\""), "codes.x.guidance"),
            (format!("name = \"a\"\n[reasons.x]\nguidance = \"{symbol}b\""), "reasons.x.guidance"),
            (format!("name = \"a\"\n[status.400]\nguidance = \"{symbol}b\""), "status.400.guidance"),
            (
                format!(
                    "name = \"a\"\n[[rules]]\nwhen = {{ code = \"x\" }}\nclass = \"invalid\"\nguidance = \"{symbol}\""
                ),
                "rules[0].guidance",
            ),
        ] {
            let found = mistakes(&text);
            assert!(found.len() == 1 && found[0].contains(&format!("{key}: {expected}")), "{text:?}: {found:?}");
            assert!(!found[0].contains(|symbol: char| symbol.is_control()), "{found:?}");
        }
    }
}

#[test]
fn all_mistakes_are_named_in_the_order_of_their_lines() {
    let found = mistakes("name = \"a\"\n[codes.A]\nclass = \"x\"\n[read]\ncode = 1\n[codes.B]\nclass = 5\n");
    let lines: Vec<_> = found.iter().map(|line| line.split(':').nth(1).unwrap_or_default()).collect();
    assert_eq!(lines, ["3", "5", "7"]);
}

#[test]
fn a_file_can_extend_a_shipped_dialect() {
    let text =
        "extends = \"vlens\"\nname = \"our-vlens\"\n[codes.4011]\nclass = \"token_expired\"\n[retry]\nattempts = 5\n";
    let ours = Dialect::from_toml("our-vlens.toml", text).unwrap();
    assert_eq!((ours.name(), ours.vendor()), ("our-vlens", "Vlens"));
    assert_eq!(ours.code("4011").map(|code| code.recovery), Some(Recovery::RefreshToken));
    assert_eq!(ours.code("1050").map(|code| code.class), Some(Class::Rejected));
    assert_eq!(ours.retry().attempts.map(u32::from), Some(5));
    assert_eq!(ours.retry().schedule, dialects::vlens().retry().schedule, "what the file leaves out stays");
    assert!(ours.signals_in_body());
}

#[test]
fn a_dialect_that_says_nothing_is_named_after_itself() {
    let dialect = Dialect::from_toml("a.toml", "name = \"acme\"\n").unwrap();
    assert_eq!((dialect.name(), dialect.vendor()), ("acme", "acme"));
    assert_eq!(dialect.class_for_status(503), Some(Class::Unavailable));
}

#[test]
fn a_mistake_is_named_once() {
    for text in [
        "name = \"a\"\n[retry]\nbase_ms = \"x\"\nfactor = 2\ncap_ms = 5",
        "name = \"a\"\n[read]\nhints = [{ body = \"x\", units = \"s\" }]",
        "name = \"a\"\n[codes.A]\nclass = \"x\"",
    ] {
        assert_eq!(mistakes(text).len(), 1, "{text}");
    }
}

#[test]
fn too_many_paths_are_refused_where_they_stand() {
    let paths = |name: &str| (0..135).map(|nth| format!("\"{name}{nth}\"")).collect::<Vec<_>>().join(", ");
    let (code, message) = (paths("c"), paths("m"));
    let found = mistakes(&format!("name = \"a\"\n\n[read]\ncode = [{code}]\nmessage = [{message}]"));
    assert_eq!(found, ["acme.toml:3: read: expected at most 256 paths in all, found 270"]);
}

#[test]
fn a_file_changes_only_the_keys_in_it() {
    let vlens =
        dialects::vlens().extend("a.toml", "[codes.1050]\nguidance = \"ours\"\n[retry]\nbase_ms = 900\n").unwrap();
    let code = vlens.code("1050").expect("it is known");
    assert_eq!((code.class, code.recovery, &*code.guidance), (Class::Rejected, Recovery::NewInput, "ours"));
    let schedule = vlens.retry().schedule.expect("the base has one");
    assert_eq!((schedule.base.as_millis(), schedule.cap.as_millis()), (900, 8_000));
    let stripe = dialects::by_name("stripe").expect("it is shipped");
    let advised = stripe.codes().find(|code| !code.guidance.is_empty() && code.class != Class::Conflict);
    let advised = advised.expect("a code with advice");
    let changed = stripe.extend("a.toml", &format!("[codes.{}]\nclass = \"conflict\"\n", advised.code)).unwrap();
    let changed = changed.code(&advised.code).expect("it is known");
    assert_eq!((changed.class, changed.recovery), (Class::Conflict, Class::Conflict.default_recovery()));
    assert_eq!(changed.guidance, advised.guidance, "the advice stays");
    let ranex = dialects::ranex().extend("a.toml", "[status.422]\nguidance = \"ours\"\n").unwrap();
    assert_eq!(ranex.class_for_status(422), Some(Class::Rejected));
    let more = "[secrets]\nheaders = \"x-tenant\"\n[retry]\nidempotent = \"POST /v1/orders\"\n";
    let ranex = dialects::ranex().extend("a.toml", more).unwrap();
    assert_eq!(ranex.secret_headers(), ["x-api-key", "x-api-secret", "x-tenant"]);
    assert!(ranex.is_idempotent("POST", "/v1/applicants") && ranex.is_idempotent("POST", "/v1/orders"));
}

#[test]
fn a_file_says_where_the_key_of_a_request_goes() {
    let read =
        |text: &str| Dialect::from_toml("a.toml", &format!("name = \"a\"\n{text}")).unwrap().idempotency().cloned();
    let header = |name: &'static str| IdempotencyHeader::new(http::HeaderName::from_static(name));
    for (text, expected) in [
        ("", None),
        ("[idempotency]\nheader = \"Idempotency-Key\"", Some(header("idempotency-key"))),
        ("[idempotency]\nheader = \"x-k\"\nformat = \"raw\"", Some(header("x-k").format(KeyFormat::Raw))),
        (
            "[idempotency]\nheader = \"x-k\"\nformat = \"quoted\"\nmethods = \"PUT\"",
            Some(header("x-k").methods([Method::PUT])),
        ),
        ("[idempotency]\nheader = \"x-k\"\nmethods = []", Some(header("x-k").methods([]))),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    let stripe = dialects::by_name("stripe").unwrap();
    let ours = stripe.extend("a.toml", "[idempotency]\nheader = \"x-gateway-key\"\n").unwrap();
    let expected = header("x-gateway-key").format(KeyFormat::Raw).methods([Method::POST]);
    assert_eq!(ours.idempotency(), Some(&expected), "what the file leaves out stays");
    let longer = stripe.extend("a.toml", "[idempotency]\nmethods = [\"POST\", \"PATCH\"]\n").unwrap();
    assert_eq!(longer.idempotency().map(|header| header.name.as_str()), Some("idempotency-key"));
}

#[test]
fn vendors_that_document_a_key_declare_it() {
    let declared: Vec<_> = dialects::NAMES
        .iter()
        .filter_map(|name| {
            let header = dialects::by_name(name)?.idempotency()?.clone();
            Some((*name, header.name.to_string(), header.format, header.methods))
        })
        .collect();
    let key = |vendor, name: &str, methods: &[Method]| (vendor, name.to_owned(), KeyFormat::Raw, methods.to_vec());
    let expected = [
        key("adyen", "idempotency-key", &[Method::POST]),
        key("gocardless", "idempotency-key", &[]),
        key("monday", "idempotency-key", &[]),
        key("paypal", "paypal-request-id", &[]),
        key("resend", "idempotency-key", &[]),
        key("stripe", "idempotency-key", &[Method::POST]),
        key("xero", "idempotency-key", &[Method::POST, Method::PUT, Method::PATCH]),
        key("zendesk", "idempotency-key", &[]),
    ];
    assert_eq!(declared, expected);
}

#[test]
fn each_of_many_mistakes_is_named_at_its_line() {
    let keys: String = (0..3_000).map(|nth| format!("k{nth} = 1\n")).collect();
    let found = mistakes(&format!("name = \"a\"\n{keys}"));
    assert_eq!(found.len(), 3_000);
    for (nth, mistake) in found.iter().enumerate() {
        assert!(mistake.starts_with(&format!("acme.toml:{}: k{nth}: unknown key", nth + 2)), "{mistake}");
    }
}

#[test]
fn the_name_of_a_long_table_is_not_repeated_for_each_of_its_keys() {
    let table = "é".repeat(5_000);
    let found = mistakes(&format!("name = \"a\"\n[codes.\"{table}\"]\nx = 1\nclass = \"oops\"\n"));
    let expected = format!("codes.{}...", "é".repeat(125));
    assert!(found[0].starts_with(&format!("acme.toml:3: {expected}.x: unknown key")), "{}", found[0]);
    assert!(found[1].starts_with(&format!("acme.toml:4: {expected}.class: expected one of")), "{}", found[1]);
    assert_eq!(found.len(), 2);
}

#[test]
fn more_than_a_reader_can_number_is_a_mistake() {
    let many = |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<String>();
    let sources =
        |count| format!("name = \"a\"\n[read]\ncode = [{}]\n", many(count, &|n| format!("{{ header = \"h{n}\" }},")));
    let readings = |count| {
        "name = \"a\"\n".to_owned()
            + &many(count, &|n| format!("[[read]]\nwhen = {{ header = \"h{n}\" }}\ncode = \"c\"\n"))
    };
    let except = |count| {
        format!(
            "name = \"a\"\n[read]\nfields = [{{ map = \"m\", except = [{}] }}]\n",
            many(count, &|n| format!("\"e{n}\","))
        )
    };
    let rules = |count| {
        "name = \"a\"\n".to_owned()
            + &many(count, &|n| format!("[[rules]]\nwhen = {{ code = \"E{n}\" }}\nclass = \"invalid\"\n"))
    };
    let routes = |table: &str, key: &str, count| {
        format!("name = \"a\"\n[[{table}]]\n{key} = [{}]\n", many(count, &|n| format!("\"* /{n}\",")))
    };
    let limit = |count| routes("limits", "route", count) + "requests = 1\nper_s = 1\n";
    let scope = |count| routes("scopes", "routes", count) + "name = \"s\"\n";
    let scopes = |count| {
        let scope = |n| format!("[[scopes]]\nname = \"s{n}\"\nroutes = \"* /{n}\"\n");
        "name = \"a\"\n".to_owned() + &many(count, &scope)
    };
    let global = |count| {
        let conditions = many(count, &|n| format!("{{ header = \"h{n}\" }},"));
        format!("{}[cooldown]\nglobal = [{conditions}]\n", scopes(1))
    };
    for (most, file, expected) in [
        (64, &limit as &dyn Fn(usize) -> String, "acme.toml:3: limits[0].route: expected at most 64 routes, found 65"),
        (64, &scope, "acme.toml:2: scopes[0]: expected at most 64 routes, found 65"),
        (64, &scopes, "acme.toml:2: scopes: expected at most 64 scopes, found 65"),
        (64, &global, "acme.toml:6: cooldown.global: expected at most 64 sets of conditions, found 65"),
        (255, &sources, "acme.toml:3: read.code: expected at most 255 sources, found 256"),
        (64, &readings, "acme.toml:2: read: expected at most 64 readings with conditions, found 65"),
        (64, &except, "acme.toml:3: read.fields[0].except: expected at most 64 names, found 65"),
        (65_535, &rules, "acme.toml:2: rules: expected at most 65535 rules, found 65536"),
    ] {
        let dialect = Dialect::from_toml("acme.toml", &file(most)).expect("as many as are allowed");
        let headers = http::HeaderMap::new();
        let head = redress_envelope::Head::new(500, &headers, std::time::SystemTime::UNIX_EPOCH);
        let _ = dialect.meaning(&head, &redress_envelope::Envelope::read(&dialect, &head, [&b"{}"[..]]));
        assert_eq!(mistakes(&file(most + 1)), [expected]);
    }
}

#[test]
fn of_secrets_and_routes_each_is_kept_once() {
    let file = "name = \"a\"\n[secrets]\nheaders = [\"x-b\", \"x-a\", \"x-b\"]\n";
    let dialect = Dialect::from_toml("a.toml", file).expect("no mistake");
    let extended = dialect.extend("b.toml", "[secrets]\nheaders = [\"x-c\", \"x-a\"]\n").expect("no mistake");
    assert_eq!(
        (dialect.secret_headers().len(), extended.secret_headers()),
        (2, &["x-b", "x-a", "x-c"].map(String::from)[..])
    );
}

#[test]
fn the_first_mistakes_of_a_file_get_a_suggestion() {
    let table = |nth: usize| format!("[codes.E{nth}]\nclas = \"internal\"\n");
    let text = (0..70).map(table).fold("name = \"acme\"\n".to_owned(), |text, table| text + &table);
    let error = Dialect::from_toml("acme.toml", &text).unwrap_err().to_string();
    assert_eq!(error.matches("did you mean `class`?").count(), 64);
}
