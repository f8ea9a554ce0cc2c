//! Lists in lists, names in names, and values of a wrong kind where one of several is kept.

use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use redress_envelope::{Class, Decision, Dialect, Envelope, Head, Recovery, Signal, dialects};

fn head() -> Head<'static> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    Head::new(400, &NONE, SystemTime::UNIX_EPOCH)
}

fn dialect(read: &str) -> Dialect {
    Dialect::from_toml("a.toml", &format!("name = \"a\"\n[read]\n{read}\n")).expect("a dialect")
}

/// Reads a body whole and byte by byte, which must be the same.
fn read<'a>(dialect: &Dialect, body: &'a str) -> Envelope<'a> {
    let whole = Envelope::read(dialect, &head(), [body.as_bytes()]);
    assert_eq!(whole, Envelope::read(dialect, &head(), body.as_bytes().chunks(1)), "{body}");
    whole
}

#[test]
fn fields_keep_their_names_in_each_other() {
    for (list, body, expected) in [
        (r#"{ tree = "errors" }"#, r#"{"errors":{"a":[{"b":"y"},"z"]}}"#, &[("a.b", "y"), ("a", "z")][..]),
        (r#"{ map = "errors", message = "d.m" }"#, r#"{"errors":{"a":{"d":{"m":"x"}}}}"#, &[("a", "x")]),
        (r#"{ maps = "errors" }"#, r#"{"errors":[{"a":"1"},{"a":"2"}]}"#, &[("a", "1"), ("a", "2")]),
        (
            r#"{ one = "error", path = "f", message = "m" }, { list = "error.details", path = "f", message = "m" }"#,
            r#"{"error":{"f":"a","m":"1","details":[{"f":"b","m":"2"},{"x":3}]}}"#,
            &[("b", "2"), ("a", "1")],
        ),
        (r#"{ map = "e.fields" }, { map = "e", texts = false }"#, r#"{"e":{"fields":{"a":["1"]}}}"#, &[("a", "1")]),
        (r#"{ list = "e", path = "f", message = "m" }"#, r#"{"e":[{"f":"null","m":"1"}]}"#, &[]),
        (
            r#"{ map = "$", texts = false, nested = true }"#,
            r#"{"a":["1"],"b":{"c":["2"],"d":"no","e":{"f":["no"]}},"g":[{"h":["3"]},{}],"i":{"j":4}}"#,
            &[("a", "1"), ("b.c", "2"), ("g.h", "3")],
        ),
        (
            r#"{ map = "e", texts = "sentence", nested = true }"#,
            r#"{"e":{"a":"no brim","b":"wide","c":{"d":"no crown","f":"grey","g":["odd"]},"h":"Not Found","i":"Blue Hat","j":"2026-01-15 12:00:00","k":"これ","l":"Gateway timeout"}}"#,
            &[("a", "no brim"), ("c.d", "no crown"), ("c.g", "odd"), ("k", "これ")],
        ),
        (
            r#"{ map = "e", message = ["code", "text", "more[0]"] }"#,
            r#"{"e":{"a":[{"code":"E1","text":"no brim","more":["grey"]},{"code":"E2"},"odd",{"text":"no hat","code":"E3"}],"b":{"code":"E4","text":"E5"}}}"#,
            &[("a", "no brim"), ("a", "E2"), ("a", "odd"), ("a", "no hat"), ("b", "E4")],
        ),
        (
            r#"{ map = "e", nested = true }"#,
            r#"{"e":{"a":"wide","c":{"d":"no crown","f":"grey"}}}"#,
            &[("a", "wide"), ("c.d", "no crown")],
        ),
    ] {
        let envelope = read(&dialect(&format!("fields = [{list}]")), body);
        let found: Vec<_> = envelope.fields.iter().map(|field| (field.path.as_ref(), field.message.as_ref())).collect();
        assert_eq!(found, expected, "{list}");
    }
}

#[test]
fn a_name_that_a_map_excepts_is_no_field_whatever_wildcards_are_beside_it() {
    for message in ["", r#"message = ["*.message"]"#, r#"message = ["*.message", "[*].message"]"#] {
        let map = dialect(&format!("{message}\nfields = [{{ map = \"message\", except = [\"message\"] }}]"));
        let envelope = read(&map, r#"{"message":{"message":"The hat is too tall","brim":"is bent"}}"#);
        let names: Vec<_> = envelope.fields.iter().map(|field| field.path.as_ref()).collect();
        assert_eq!(names, ["brim"], "{message}");
    }
}

#[test]
fn the_name_of_an_error_is_not_that_of_a_field() {
    let items =
        dialect(r#"fields = [{ list = "errors", path = ["field", "name"], message = ["message", "details"] }]"#);
    for (name, is_field) in [
        ("brim.width", true),
        ("Brim", true),
        ("locked", true),
        ("error", true),
        ("BrimError", false),
        ("brim_exception", false),
        ("NotFound", false),
        ("not_found", false),
        ("UNPROCESSABLE-ENTITY", false),
        ("notFoundPage", true),
    ] {
        let body = format!(r#"{{"errors":[{{"name":"{name}","details":"must be set"}}]}}"#);
        let fields: Vec<_> = read(&items, &body).fields.iter().map(|field| field.path.clone().into_owned()).collect();
        assert_eq!(fields, if is_field { vec![name] } else { Vec::new() }, "{name}");
    }
}

#[test]
fn a_container_does_not_stand_for_a_text() {
    for (sources, body, expected) in [
        (r#""e[*].m""#, r#"{"e":[{"m":{}},{"m":"a"}]}"#, Some("a")),
        (r#""e[*].m""#, r#"{"e":[{"m":[]},{"m":"a\n"}]}"#, Some("a\n")),
        (r#"{ path = "e.m", deepest = "i" }"#, r#"{"e":{"m":"A","i":{"m":{}}}}"#, Some("A")),
        (r#"{ path = "e.m", deepest = "i" }"#, r#"{"e":{"m":"A","i":{"m":"B"}}}"#, Some("B")),
        (r#"{ path = "e.m", deepest = "i" }"#, r#"{"e":{"i":{"m":"B"},"m":"A"}}"#, Some("B")),
        (r#"{ path = "e.m", deepest = "i" }"#, r#"{"e":{"i":{"m":{}},"m":"A"}}"#, Some("A")),
        (r#"{ path = "e.m", deepest = "i" }"#, r#"{"e":{"i":{"m":{}},"m":"A\n"}}"#, Some("A\n")),
        (r#"{ path = "e[*]", join = "; " }"#, r#"{"e":[{},"a",true,"b\t",null,"c"]}"#, Some("a; b\t; c")),
        (r#"{ path = "e[*]", join = "; " }"#, r#"{"e":[{},false]}"#, None),
    ] {
        let dialect = dialect(&format!("message = [{sources}]"));
        assert_eq!(read(&dialect, body).message.as_deref(), expected, "{sources} {body}");
    }
    let slack = r#"{"ok":false,"error":"e","response_metadata":{"messages":[{},"a","b"]}}"#;
    assert_eq!(read(&dialects::by_name("slack").expect("it is shipped"), slack).message.as_deref(), Some("a; b"));
}

#[test]
fn two_lists_at_one_place_are_a_mistake() {
    let text = "name = \"a\"\n[[read]]\nwhen = { body = \"x\" }\nfields = [{ list = \"e\", path = \"f\", message = \"m\" }]\n\
                [[read]]\nfields = [{ list = \"e\", path = \"g\", message = \"m\" }]\n";
    let error = Dialect::from_toml("a.toml", text).unwrap_err().to_string();
    assert_eq!(error, "a.toml:2: read: expected one list of fields at `e`, found two that differ");
}

#[test]
fn values_before_a_syntax_error_are_kept() {
    let body = r#"{"error_code":1050,"error_message":"too dark","x":NaN}"#;
    let vlens = dialects::vlens();
    let envelope = read(&vlens, body);
    assert_eq!((envelope.code.as_deref(), envelope.message.as_deref()), (Some("1050"), Some("too dark")));
    assert_eq!(vlens.meaning(&head(), &envelope).decided_by, redress_envelope::DecidedBy::Status);
}

#[test]
fn a_signal_agrees_with_the_whole_where_a_path_leads_to_several() {
    for (rule, body, expected) in [
        ("equals = { path = \"e[*].s\", is = \"error\" }", r#"{"e":[{"s":"error"},{"s":"ok"}]}"#, true),
        ("equals = { path = \"e[*].s\", is = \"error\" }", r#"{"e":[{"s":"ok"},{"s":"error"}]}"#, false),
        ("equals = { path = \"e[*].s\", is = \"error\" }", r#"{"e":[{"s":""},{"s":{}},{"s":"error"}]}"#, true),
        ("is_false = \"e[*].ok\"", r#"{"e":[{"ok":null},{"ok":false}]}"#, true),
        ("non_empty = \"a[*].e\"", r#"{"a":[{"e":[]},{"e":[1]}]}"#, true),
        ("non_empty = \"e\"", r#"{"e":[""]}"#, false),
        ("non_empty = \"e\"", r#"{"e":[{}]}"#, true),
        ("non_empty = \"e\"", r#"{"e":{}}"#, false),
        ("non_empty = \"e\"\nunless_not_null = \"d.*\"", r#"{"e":[{}],"d":{"a":null}}"#, true),
        ("non_empty = \"e\"\nunless_not_null = \"d.*\"", r#"{"e":[{}],"d":{"a":0}}"#, false),
        ("outside = { path = \"c\", range = \"200-299\" }", r#"{"c":99999999999999999999}"#, true),
    ] {
        let dialect = Dialect::from_toml("a.toml", &format!("name = \"a\"\n[error]\n{rule}\n")).expect("a dialect");
        let envelope = read(&dialect, body);
        let mut signal = Signal::new(&dialect, &Head { status: 200, ..head() });
        let decision = body.as_bytes().chunks(1).fold(Decision::Undecided, |_, piece| signal.feed(piece));
        assert_eq!((envelope.signalled, decision == Decision::Error), (expected, expected), "{rule} {body}");
    }
}

#[test]
fn values_of_a_broken_body_do_not_decide() {
    let text = "name = \"a\"\n[read]\ncode = \"code\"\n[retry]\nflags = [{ body = \"retry\" }]\n\
                [[rules]]\nwhen = { code = \"BUSY\" }\nclass = \"rate_limited\"\n";
    let dialect = Dialect::from_toml("a.toml", text).expect("a dialect");
    for (body, class, recovery) in [
        (r#"{"code":"BUSY"}"#, Class::RateLimited, Recovery::Retry),
        (r#"{"code":"BUSY","#, Class::Invalid, Recovery::FixRequest),
        (r#"{"retry":true}"#, Class::Invalid, Recovery::Retry),
        (r#"{"retry":true,"x":oops}"#, Class::Invalid, Recovery::FixRequest),
    ] {
        let meaning = dialect.meaning(&head(), &read(&dialect, body));
        assert_eq!((meaning.class, meaning.recovery), (class, recovery), "{body}");
    }
}

#[test]
fn a_repeated_member_takes_the_place_of_its_first_fields_and_of_no_others() {
    let dialect = dialect("fields = [{ tree = \"errors\" }, { tree = \"other\" }]");
    for (body, expected) in [
        (
            r#"{"errors":{"a":{"x":"1"},"b":"2"},"other":{"c":{"y":"3"},"d":"4"},"errors":{"e":{"z":"5"}}}"#,
            &[("c.y", "3"), ("d", "4"), ("e.z", "5")][..],
        ),
        (r#"{"errors":{"a":{"x":"1"}},"other":{"b":"2"},"other":{"c":{"y":"3"}}}"#, &[("a.x", "1"), ("c.y", "3")]),
        (r#"{"errors":{"a":"1","b":"2"},"other":{"a":"1","b":"3"}}"#, &[("a", "1"), ("b", "2"), ("b", "3")]),
        (r#"{"errors":{"a":"1","b":"2"},"other":{"b":"2","a":"1","c":"1"}}"#, &[("a", "1"), ("b", "2"), ("c", "1")]),
    ] {
        let envelope = Envelope::read(&dialect, &head(), [body.as_bytes()]);
        let fields: Vec<_> = envelope.fields.iter().map(|field| (&*field.path, &*field.message)).collect();
        assert_eq!(fields, expected, "{body}");
    }
}

#[test]
fn of_several_lists_and_names_each_field_is_kept_once_with_its_best_name() {
    let three = || r#"{ map = "a" }, { list = "b", path = "f", message = "m" }, { map = "c" }"#.to_owned();
    let item = |path: &str| format!(r#"{{ list = "e", path = {path}, message = "m" }}"#);
    for (lists, body, expected) in [
        (three(), r#"{"b":[{"f":"x","m":"1"}],"a":{"x":"1"}}"#, &[("x", "1")][..]),
        (
            three(),
            r#"{"a":{"x":"1"},"b":[{"f":"x","m":"1"},{"f":"y","m":"2"}],"c":{"y":"2"}}"#,
            &[("x", "1"), ("y", "2")],
        ),
        (three(), r#"{"b":[{"f":"x","m":"1"},{"f":"x","m":"1"}]}"#, &[("x", "1"), ("x", "1")]),
        (three(), r#"{"b":[{"f":"x","m":"1"}],"c":{"x":"2"}}"#, &[("x", "1"), ("x", "2")]),
        (three(), r#"{"b":[{"f":"x","m":"1"}],"c":{"x":"2","x":"3"}}"#, &[("x", "1"), ("x", "3")]),
        (
            r#"{ tree = "t", leaf = "_errors" }"#.to_owned(),
            r#"{"t":{"a":{"_errors":"1"},"_errors":"2","b":{"c":{"_errors":"3"},"_errors":"4"}}}"#,
            &[("a", "1"), ("b.c", "3"), ("b", "4")],
        ),
        (item(r#"["f", "loc"]"#), r#"{"e":[{"f":"x","loc":["a","b"],"m":"1"}]}"#, &[("x", "1")]),
        (item(r#"["f", "loc"]"#), r#"{"e":[{"loc":["a","b"],"f":"x","m":"1"}]}"#, &[("x", "1")]),
        (item(r#"["f", "loc"]"#), r#"{"e":[{"loc":["a","b"],"m":"1"}]}"#, &[("a.b", "1")]),
        (item(r#"["f", "g"]"#), r#"{"e":[{"g":"x","m":"1","g":null}]}"#, &[]),
        (item(r#"["f", "g"]"#), r#"{"e":[{"f":"x","m":"1","g":"y","g":null}]}"#, &[("x", "1")]),
        (
            item(r#""f""#),
            r#"{"e":[{"f":"first name","m":"1"},{"f":"a.","m":"2"},{"f":"Is not there.","m":"3"}]}"#,
            &[("first name", "1"), ("a.", "2")],
        ),
        (item(r#""f""#), r#"{"e":[{"f":"x","m":"1","m":""},{"f":"y","m":"","m":"2"}]}"#, &[("x", ""), ("y", "2")]),
    ] {
        let envelope = read(&dialect(&format!("fields = [{lists}]")), body);
        let found: Vec<_> = envelope.fields.iter().map(|field| (field.path.as_ref(), field.message.as_ref())).collect();
        assert_eq!(found, expected, "{body}");
    }
}
