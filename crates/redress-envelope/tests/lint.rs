//! Rules that can never hold are named, with what to write instead, and nothing else is.

use redress_envelope::{Dialect, Mistake};

/// Returns the mistakes and the warnings of a file, each as `line: key: problem`.
fn lint(text: &str) -> (Vec<String>, Vec<String>) {
    let resolve = |name: &str| Err(format!("there is no {name}"));
    let shown = |all: &[Mistake]| all.iter().map(|at| format!("{}: {}: {}", at.line, at.key, at.problem)).collect();
    match Dialect::lint("acme.toml", text, resolve) {
        Ok((_, warnings)) => (Vec::new(), shown(&warnings)),
        Err(error) => (shown(error.mistakes()), Vec::new()),
    }
}

/// A file that reads a code, a reason and a message, with more lines behind them.
fn with(lines: &str) -> String {
    format!("name = \"a\"\n[read]\ncode = \"code\"\nreason = \"reason\"\nmessage = \"message\"\n{lines}")
}

#[test]
fn shipped_dialects_have_neither() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/dialects");
    for file in std::fs::read_dir(folder).expect("the crate has dialects") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        assert_eq!(lint(&text), (Vec::new(), Vec::new()), "{}", path.display());
    }
}

#[test]
fn a_rule_that_can_never_hold_is_reported_with_a_correction() {
    for (lines, expected) in [
        // Words that are not read.
        ("[[rules]]\nwhen = { status = 400, reason = \"x\" }\nclass = \"invalid\"", ""),
        // A status that is an error already, or is none.
        (
            "[error]\nnot_null = \"error\"\nwhen = { status = \"400-599\" }",
            "8: error.when.status: never holds: a status of 400 or more is an error without a rule: leave `status` out, or write successes such as `200-299`",
        ),
        (
            "[error]\nnot_null = \"error\"\nwhen = { status = \"300-399\" }",
            "8: error.when.status: never holds: only a 2xx with a body",
        ),
        (
            "[error]\nnot_null = \"error\"\nwhen = { status = \"204,205\" }",
            "8: error.when.status: never holds: only a 2xx with a body",
        ),
        (
            "[[rules]]\nwhen = { status = 200 }\nclass = \"invalid\"",
            "7: rules[0].when.status: never holds: a response with such a status is not an error: add an `[[error]]` rule",
        ),
        (
            "[error]\nnot_null = \"e\"\nwhen = { status = 202 }\n[[rules]]\nwhen = { status = 200 }\nclass = \"invalid\"",
            "10: rules[0].when.status: never holds",
        ),
        (
            "[codes.A]\nclass = \"invalid\"\nstatus = 200",
            "8: codes.A.status: never holds: a response with this status is not an error",
        ),
        (
            "[status.202]\nrecovery = \"retry\"",
            "7: status.202.recovery: never holds: a response with this status is not an error: add a `class`",
        ),
        // Media types and headers.
        (
            "[[rules]]\nwhen = { content_type = \"application/json; charset=utf-8\" }\nclass = \"invalid\"",
            "7: rules[0].when.content_type: never holds: parameters are not compared: write \"application/json\"",
        ),
        (
            "[[rules]]\nwhen = { content_type = [\"text/html\", \"json\"] }\nclass = \"invalid\"",
            "7: rules[0].when.content_type: never holds: \"json\" is not a media type: write \"application/json\", or \"*json\"",
        ),
        (
            "[[rules]]\nwhen = { header = \"X-A\", no_header = \"x-a\" }\nclass = \"invalid\"",
            "7: rules[0].when.no_header: never holds: `header` wants `x-a` to be there",
        ),
        (
            "[[rules]]\nwhen = { content_type = \"text/html\", no_header = \"content-type\" }\nclass = \"invalid\"",
            "7: rules[0].when.no_header: never holds: `content_type` wants",
        ),
        (
            "[[rules]]\nwhen = { header = \"x-a\", header_is = [\"1\", \" 2\"] }\nclass = \"invalid\"",
            "7: rules[0].when.header_is: never holds: values are compared without the blanks around them: write \"2\"",
        ),
        (
            "[[rules]]\nwhen = { header = \"x-a\", header_is = \"a\\nb\" }\nclass = \"invalid\"",
            "7: rules[0].when.header_is: never holds: a header cannot have the value",
        ),
        // Members.
        (
            "[[rules]]\nwhen = { body = \"a\", no_body = \"a\" }\nclass = \"invalid\"",
            "7: rules[0].when.no_body: never holds: `body` wants `a` to be there",
        ),
        (
            "[[rules]]\nwhen = { body = \"a.b\", no_body = [\"x\", \"a\"] }\nclass = \"invalid\"",
            "7: rules[0].when.no_body: never holds: `body` wants `a.b` to be there",
        ),
        (
            "[[rules]]\nwhen = { body = \"a.b\", no_body = \"a.*\" }\nclass = \"invalid\"",
            "7: rules[0].when.no_body: never holds",
        ),
        (
            "[[rules]]\nwhen = { body = \"a[0].b\", no_body = \"a[*]\" }\nclass = \"invalid\"",
            "7: rules[0].when.no_body: never holds",
        ),
        (
            "[[rules]]\nwhen = { body = \"a\", body_kind = \"object\", body_is = \"x\" }\nclass = \"invalid\"",
            "7: rules[0].when.body_is: never holds: no member of the kind `object` has such a value",
        ),
        (
            "[[rules]]\nwhen = { body = \"a\", body_kind = \"number\", body_is = [\"x\", \"inf\"] }\nclass = \"invalid\"",
            "7: rules[0].when.body_is: never holds: no member of the kind `number`",
        ),
        (
            "[[rules]]\nwhen = { body = \"a\", body_kind = \"bool\", body_is = 1 }\nclass = \"invalid\"",
            "7: rules[0].when.body_is: never holds: no member of the kind `bool`",
        ),
        (
            "[[rules]]\nwhen = { route = \"HEAD /a\", body = \"a\" }\nclass = \"invalid\"",
            "7: rules[0].when.route: never holds: the answer to a HEAD has no body",
        ),
        (
            "[error]\nnot_null = \"a\"\nwhen = { route = \"HEAD /a\" }",
            "8: error.when.route: never holds: the answer to a HEAD has no body",
        ),
        // Lines of an error rule.
        (
            "[error]\nnot_null = \"error.code\"\nunless_not_null = \"error\"",
            "6: error: never holds: `unless_not_null` wants nothing at `error`, and `error.code` is wanted",
        ),
        (
            "[error]\nis_false = \"ok\"\nnot_zero = \"ok\"",
            "6: error: never holds: `ok` cannot be both: write a rule for each",
        ),
        (
            "[error]\nis_false = \"ok\"\nequals = { path = \"ok\", is = true }",
            "6: error: never holds: `ok` cannot be both",
        ),
        ("[error]\nnot_zero = \"n\"\nequals = { path = \"n\", is = 0 }", "6: error: never holds: `n` cannot be both"),
        (
            "[error]\noutside = { path = \"n\", range = \"0-9\" }\nequals = { path = \"n\", is = [3, 4] }",
            "6: error: never holds: `n` cannot be both",
        ),
        (
            "[error]\nnon_empty = [\"a.b\", \"a.c\"]\nunless_not_null = \"a.*\"",
            "6: error: never holds: `unless_not_null` wants nothing at `a.*`",
        ),
        // A rule behind a wider one.
        (
            "[[rules]]\nwhen = { status = \"400-499\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { status = 403, body = \"a\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds: whenever it would, `rules[0]` holds before it: write the narrower rule first, or leave one out",
        ),
        (
            "[[rules]]\nwhen = { message = \"*Limit*\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { message = \"*rate limit*\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { code = \"E*\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { code = \"E1*\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { code_range = \"1-99\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { code_range = \"5,7-9\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { header = \"x-a\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { header = \"x-a\", header_is = \"1\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { route = \"GET /a/{id}\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { route = \"GET /a/b\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { body = \"a\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { body = \"a.b\", body_is = 1 }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { no_body = \"a.b\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { no_body = \"a\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { content_type = \"text/*\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { content_type = \"TEXT/html\" }\nclass = \"conflict\"",
            "9: rules[1]: never holds",
        ),
        (
            "[[rules]]\nwhen = { code = [\"A\", \"B\"] }\nclass = \"invalid\"\n[codes.B]\nclass = \"conflict\"",
            "9: codes.B: never holds: `rules[0]` decides it before: say it there, or leave the rule out",
        ),
        (
            "[[rules]]\nwhen = { status = \"400-499\" }\nclass = \"invalid\"\n[status.404]\nclass = \"not_found\"",
            "9: status.404: never holds: `rules[0]` decides it before: say it there, or leave the rule out",
        ),
        // Codes that a source never says.
        (
            "[[rules]]\nwhen = { code = \"E*\", code_range = \"1-9\" }\nclass = \"invalid\"",
            "7: rules[0].when.code_range: never holds: no such `code` lies in the `code_range`",
        ),
        (
            "[retry]\nflags = [{ body = \"r\", yes = [\"a\", \"No\"], no = \"no\" }]",
            "7: retry.flags[0].no: never holds: `no` says yes already",
        ),
        (
            "[secrets]\npaths = [\"/a/{secret}\", \"/v1/items?key={secret}\"]",
            "7: secrets.paths[1]: never holds: a path ends before its query, which is never shown: leave it out",
        ),
        (
            "[secrets]\npaths = \"/bot{secret}/\"",
            "7: secrets.paths: never holds: a path is compared without empty segments: write \"/bot{secret}\"",
        ),
        ("[secrets]\npaths = \"/a/{id}x/{secret}\"", "7: secrets.paths: never holds: `{id}x` has braces in it"),
        ("[secrets]\npaths = \"/a/{id}{secret}\"", "7: secrets.paths: never holds: `{id}{secret}` has braces in it"),
    ] {
        let (mistakes, warnings) = lint(&with(lines));
        let is_named = mistakes.iter().any(|line| line.starts_with(expected));
        assert!(if expected.is_empty() { mistakes.is_empty() } else { is_named }, "{lines}\n{mistakes:#?}");
        assert!(mistakes.len() <= 1 && warnings.is_empty(), "{lines}\n{mistakes:#?}\n{warnings:#?}");
        Dialect::from_toml("acme.toml", &with(lines)).expect("a program reads it all the same");
    }
}

#[test]
fn a_word_that_is_never_read_is_named() {
    let no_code = "no `code` is read: say in `[read]` where it stands, such as `code = \"error.code\"`";
    for (text, expected) in [
        ("[codes.E1]\nclass = \"invalid\"\n[codes.E2]\nclass = \"invalid\"", format!("2: codes.E1: never holds: {no_code}")),
        ("[[rules]]\nwhen = { code = \"E1\" }\nclass = \"invalid\"", format!("3: rules[0].when.code: never holds: {no_code}")),
        ("[[rules]]\nwhen = { code_range = \"1-9\" }\nclass = \"invalid\"", format!("3: rules[0].when.code_range: never holds: {no_code}")),
        ("[[rules]]\nwhen = { reason = \"r\" }\nclass = \"invalid\"", "3: rules[0].when.reason: never holds: no `reason` is read".to_owned()),
        ("[read]\ncode = \"c\"\n[codes.E1]\nclass = \"invalid\"\n[reasons.r]\nrecovery = \"retry\"", "6: reasons.r: never holds: no `reason` is read".to_owned()),
        ("[read]\ncode = \"c\"\nreason = \"r\"\n[reasons.r]\nrecovery = \"retry\"", "5: reasons.r: never holds: a reason refines a known code".to_owned()),
        ("[read]\ncode = { path = \"c\", as = \"number\" }\n[codes.E1]\nclass = \"invalid\"", "4: codes.E1: never holds: \"E1\" is never read as the code: `as = \"number\"` takes numbers only".to_owned()),
        ("[read]\ncode = { path = \"c\", as = \"token\" }\n[codes.\"a b\"]\nclass = \"invalid\"", "4: codes.a b: never holds: \"a b\" is never read as the code: `as = \"token\"` takes no text with a blank".to_owned()),
        ("[read]\ncode = { path = \"c\", as = \"token\" }\n[codes.Forbidden]\nclass = \"invalid\"", "4: codes.Forbidden: never holds: \"Forbidden\" is never read as the code: `as = \"token\"` takes no reason phrase".to_owned()),
        ("[read]\ncode = { path = \"c\", after = \"#\" }\n[[rules]]\nwhen = { code = \"*#E*\" }\nclass = \"invalid\"", "5: rules[0].when.code: never holds: \"*#E*\" is never read as the code: `after = \"#\"` leaves no text".to_owned()),
        ("[read]\ncode = { path = \"c\", not = \"E*\" }\n[codes.E1]\nclass = \"invalid\"", "4: codes.E1: never holds: \"E1\" is never read as the code: `not = \"E*\"` leaves it out".to_owned()),
        ("[read]\ncode = { parts = [\"a\", \"b\"] }\n[codes.E1]\nclass = \"invalid\"", "4: codes.E1: never holds: \"E1\" is never read as the code: `parts` are joined by \"/\"".to_owned()),
        ("[read]\ncode = { path = \"c\", as = \"sentence\" }\n[[rules]]\nwhen = { code_range = \"1-9\" }\nclass = \"invalid\"", "5: rules[0].when.code_range: never holds: no source of `code` takes whole numbers".to_owned()),
        ("[read]\ncode = { path = \"c\", not = [\"x\", \"*\"] }", "3: read.code.not: never holds: `*` leaves out every value: leave out the source".to_owned()),
        ("[read]\ncode = { path = \"c\", as = \"phrase\", not_status = true }", "3: read.code: never holds: `not_status = true` leaves out the reason phrases".to_owned()),
        ("[[read]]\nwhen = { status = 200 }\ncode = \"c\"\n[[read]]\ncode = \"d\"", "3: read[0].when.status: never holds: a response with such a status is not an error".to_owned()),
        ("[[read]]\nwhen = { body = \"a\" }\n[[read]]\nwhen = { body = \"a\", body_kind = \"text\" }\n[[read]]\ncode = \"d\"", "4: read[1]: never holds: whenever it would, `read[0]` holds before it: write the narrower reading first".to_owned()),
        ("[read]\nhints = [{ body = \"a\", unit = \"s\", when = { header = \"b\", no_header = \"b\" } }]", "3: read.hints[0].when.no_header: never holds: `header` wants `b`".to_owned()),
    ] {
        let (mistakes, warnings) = lint(&format!("name = \"a\"\n{text}"));
        assert!(mistakes.len() == 1 && warnings.is_empty(), "{text}\n{mistakes:#?}\n{warnings:#?}");
        assert!(mistakes[0].starts_with(&expected), "{text}\n{mistakes:#?}");
    }
}

#[test]
fn a_rule_that_can_hold_is_not_reported() {
    for lines in [
        "[error]\nis_false = \"ok\"\nwhen = { status = \"200-299\" }\n[codes.A]\nstatus = 200\nclass = \"invalid\"",
        "[error]\nis_false = \"ok\"\n[[rules]]\nwhen = { status = 200 }\nclass = \"invalid\"",
        "[error]\nnot_null = \"error\"\nunless_not_null = \"error.code\"",
        "[error]\nnon_empty = \"errors\"\nunless_not_null = \"data.*\"",
        "[error]\nnot_null = [\"a\", \"b\"]\nunless_not_null = \"a\"",
        "[error]\nequals = { path = \"ok\", is = [false, \"false\"] }",
        "[status.302]\nclass = \"unauthenticated\"\nrecovery = \"restart_flow\"",
        "[status.200]\nguidance = \"Done.\"",
        "[[rules]]\nwhen = { status = \"200-599\" , body = \"a\" }\nclass = \"invalid\"",
        "[[rules]]\nwhen = { content_type = [\"Application/JSON\", \"*json\", \"text/*\"] }\nclass = \"invalid\"",
        "[[rules]]\nwhen = { header = \"X-Reason\", header_is = [\"a b\", \"\"] }\nclass = \"invalid\"",
        "[[rules]]\nwhen = { body = \"a\", no_body = [\"a.b\", \"b\"] }\nclass = \"invalid\"",
        "[[rules]]\nwhen = { body = \"a[0]\", no_body = \"a.*\" }\nclass = \"invalid\"",
        "[[rules]]\nwhen = { body = \"a\", body_kind = \"text\", body_is = 5 }\nclass = \"invalid\"",
        "[[rules]]\nwhen = { body = \"a\", body_kind = \"number\", body_is = [\"x\", 5] }\nclass = \"invalid\"",
        "[[rules]]\nwhen = { status = 403, body = \"a\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { status = \"400-499\" }\nclass = \"conflict\"",
        "[[rules]]\nwhen = { code = \"E*\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { code = \"E1\" }\nclass = \"conflict\"",
        "[[rules]]\nwhen = { message = \"*a*\" }\nclass = \"invalid\"\n[[rules]]\nwhen = { message = \"*b*\" }\nclass = \"conflict\"",
        "[[rules]]\nwhen = { code = [\"1*\", \"A\"], code_range = \"1-9\" }\nclass = \"invalid\"",
        "[codes.1050]\nclass = \"invalid\"\n[codes.\"a b\"]\nclass = \"invalid\"\n[reasons.x]\nrecovery = \"retry\"",
        "[secrets]\npaths = [\"/bot{secret}/{method}\", \"/api/{version}/{secret}\"]",
        "[retry]\nidempotent = \"POST /v1/search\"\nflags = [{ header = \"x\", yes = \"y\" }, { header = \"p\", pushback = true }]",
        "[[limits]]\nrequests = 5\nper_s = 1\n[[limits]]\nrequests = 100\nper_s = 60",
        "[[rules]]\nwhen = { code = \"A\", status = 400 }\nclass = \"invalid\"\n[codes.A]\nclass = \"conflict\"",
        "[[rules]]\nwhen = { code = \"A\" }\nrecovery = \"retry\"\n[codes.A]\nclass = \"conflict\"",
    ] {
        assert_eq!(lint(&with(lines)), (Vec::new(), Vec::new()), "{lines}");
    }
    for text in [
        "[codes.invalid_token]\nclass = \"token_expired\"",
        "[[rules]]\nwhen = { code = \"insufficient_*\" }\nclass = \"permission_denied\"",
        "extends = \"vlens\"\n[codes.9]\nstatus = 200\nclass = \"invalid\"",
    ] {
        assert_eq!(lint(&format!("name = \"a\"\n{text}")), (Vec::new(), Vec::new()), "{text}");
    }
}

#[test]
fn a_line_that_changes_nothing_is_a_warning() {
    for (lines, expected) in [
        (
            "[error]\nis_false = \"ok\"\nwhen = { status = \"200,400-599\" }",
            "8: error.when.status: changes nothing: a status of 400 or more is an error without a rule: write the successes alone",
        ),
        (
            "[[error]]\nis_false = \"ok\"\n[[error]]\nis_false = \"ok\"\nnot_null = \"e\"",
            "8: error[1]: changes nothing: `error[0]` holds whenever it does",
        ),
        (
            "[retry]\nidempotent = [\"POST /a\", \"GET /b\"]",
            "7: retry.idempotent: changes nothing: GET is idempotent by itself: leave out `GET /b`",
        ),
        (
            "[retry]\nflags = [{ header = \"p\", pushback = true, no = \"n\" }]",
            "7: retry.flags[0].no: changes nothing: a `pushback` is a wait",
        ),
        (
            "[[limits]]\nrequests = 5\nper_s = 1\n[[limits]]\nrequests = 9\nper_s = 1",
            "9: limits[1]: changes nothing: of two limits in the same time the smaller one counts: leave out this one or `limits[0]`",
        ),
        (
            "[[read.hints]]\nheader = \"Retry-After\"\nunit = \"http\"",
            "6: read.hints[0]: changes nothing: `retry-after` is always read: leave it out",
        ),
    ] {
        let (mistakes, warnings) = lint(&with(lines));
        assert!(mistakes.is_empty() && warnings.len() == 1, "{lines}\n{mistakes:#?}\n{warnings:#?}");
        assert!(warnings[0].starts_with(expected), "{lines}\n{warnings:#?}");
    }
    let text = "name = \"a\"\n[read]\ncode = [{ header = \"h\", sep = \"-\" }, { path = \"a.b\", join = \"; \" }]";
    let (_, warnings) = lint(text);
    assert_eq!(
        warnings,
        [
            "3: read.code[0].sep: changes nothing: `sep` is for `parts`: leave it out",
            "3: read.code[1].join: changes nothing: the path leads to one value: write `[*]` or `*` in it, or leave out `join`",
        ]
    );
}

#[test]
fn a_file_is_linted_with_its_base_but_not_for_its_base() {
    let base = "name = \"base\"\n[read]\nreason = \"why\"\n[[rules]]\nwhen = { code = \"E1\" }\nclass = \"invalid\"\n";
    let text = "name = \"a\"\nextends = \"./base.toml\"\n[[rules]]\nwhen = { reason = \"x\" }\nclass = \"invalid\"\n";
    let checked = Dialect::lint("a.toml", text, |_| Ok::<_, String>(base.to_owned()));
    assert!(checked.expect("its own rule holds").1.is_empty());
    let error = Dialect::lint("base.toml", base, |_| Err("it extends none")).expect_err("no code is read");
    assert!(error.to_string().starts_with("base.toml:5: rules[0].when.code: never holds"), "{error}");
}

#[test]
fn each_of_many_rules_behind_a_wider_one_is_named() {
    let rule = |nth: usize| format!("[[rules]]\nwhen = {{ status = 404, code = \"E{nth}\" }}\nclass = \"not_found\"\n");
    let rules: String = (0..1_000).map(rule).collect();
    let first = "[[rules]]\nwhen = { status = \"400-499\" }\nclass = \"invalid\"\n";
    let (mistakes, _) = lint(&with(&format!("{first}{rules}")));
    assert_eq!(mistakes.len(), 1_000);
    assert!(mistakes[999].contains("rules[1000]: never holds: whenever it would, `rules[0]` holds before it"));
    assert_eq!(lint(&with(&rules)), (Vec::new(), Vec::new()), "codes that differ hide none");
}
