//! What the lists of sources can say about names, alternatives, arrays at the top, and words that stand alone.

use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use redress_envelope::{Decision, Dialect, Envelope, Head, Signal, Unreadable, dialects};

/// The code, the message and the fields.
type Words = (Option<String>, Option<String>, Vec<(String, String)>);

fn dialect(read: &str) -> Dialect {
    Dialect::from_toml("a.toml", &format!("name = \"a\"\n{read}")).expect("the file has no mistake")
}

fn words(dialect: &Dialect, body: &str) -> Words {
    let headers = HeaderMap::new();
    let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    let envelope = Envelope::read(dialect, &head, [body.as_bytes()]);
    for size in [1, 3] {
        assert_eq!(envelope, Envelope::read(dialect, &head, body.as_bytes().chunks(size)), "{body}");
    }
    let fields = envelope.fields.iter().map(|field| (field.path.to_string(), field.message.to_string()));
    let fields = fields.collect();
    (envelope.code.map(Into::into), envelope.message.map(Into::into), fields)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_name_stands_for_each_spelling_where_the_file_says_so() {
    let read = "[read]\ncode = \"error.error_code\"\nfields = [{ map = \"field_errors\" }]\n";
    let (any, exact) = (dialect(&format!("spelling = \"any\"\n{read}")), dialect(read));
    for name in
        ["error_code", "errorCode", "ErrorCode", "error-code", "errorcode", "ERROR_CODE", "ERRORCODE", "Error_Code"]
    {
        let body = format!("{{\"Error\":{{\"{name}\":7}},\"fieldErrors\":{{\"aB\":[\"m\"]}}}}");
        let fields = vec![("aB".to_owned(), "m".to_owned())];
        assert_eq!(words(&any, &body), (some("7"), some("m"), fields), "{name}");
        assert_eq!(words(&exact, &body), (None, None, Vec::new()), "{name}");
    }
    // The last member counts, however it is spelled.
    assert_eq!(words(&any, r#"{"error":{"errorCode":1,"error_code":2},"Error":{"ErrorCode":3}}"#).0, some("3"));
}

#[test]
fn a_file_that_extends_another_keeps_its_spelling() {
    let generic = Dialect::from_toml("a.toml", "name = \"a\"\nextends = \"generic\"\n").expect("no mistake");
    assert_eq!(words(&generic, r#"{"Message":"The thing is gone"}"#).1, some("The thing is gone"));
}

#[test]
fn a_path_may_hold_at_any_depth() {
    let dialect = dialect(
        "[read]\ncode = [\"code\", \"**.fault|*error.code\"]\nmessage = [\"text\", \"**.*error.text\"]\n\
         fields = [{ list = \"**.*issues\", path = \"field\", message = \"text\" }, { map = \"names\" }]\n",
    );
    let field = |name: &str| vec![(name.to_owned(), "m".to_owned())];
    for (body, expected) in [
        (r#"{"fault":{"code":"E1"}}"#, (some("E1"), None, Vec::new())),
        (r#"{"a":{"b":[{"c":{"fault":{"code":"E1"}}}]}}"#, (some("E1"), None, Vec::new())),
        (r#"[[{"fault":{"code":"E1"}}]]"#, (some("E1"), None, Vec::new())),
        (r#"{"a":{"http_Error":{"x":[1],"text":"t","code":2}}}"#, (some("2"), some("t"), Vec::new())),
        (r#"{"a":{"HTTPERROR":{"a":{"dbError":{"code":3}}}}}"#, (some("3"), None, Vec::new())),
        (r#"{"a":{"error":{"code":"E1"}},"b":{"error":{"code":"E2"}}}"#, (some("E1"), None, Vec::new())),
        (r#"{"a":{"error":{"code":"E1"}},"code":"E3"}"#, (some("E3"), None, Vec::new())),
        (r#"{"inputIssues":[{"field":"f","text":"m"}]}"#, (None, some("m"), field("f"))),
        (r#"{"a":{"input_issues":[{"field":"f","text":"m"}]}}"#, (None, some("m"), field("f"))),
        (r#"{"names":{"error":"m"}}"#, (None, some("m"), field("error"))),
        // Neither the beginning of a name, nor the right name in another object.
        (r#"{"error_a":{"code":"E1"},"a":{"code":"E1"},"faults":{"code":"E1"}}"#, (None, None, Vec::new())),
    ] {
        assert_eq!(words(&dialect, body), expected, "{body}");
    }
}

#[test]
fn a_path_that_holds_at_any_depth_is_for_words_and_lists() {
    for (text, problem) in [
        ("[error]\nnot_null = \"**.code\"\n", "a path without `**`"),
        ("[read]\ncode = \"a.**.b\"\n", "`**` before a name, as the first step of a path"),
        ("[read]\ncode = \"*code\"\n", "a name that begins with `*` behind `**` only"),
        ("[read]\nfields = [{ tree = \"**.errors\" }]\n", "expected `**` only in the path of a `list`"),
        (
            "[read]\nfields = [{ list = \"a\", path = \"**.*field\", message = \"b\" }]\n",
            "and in the parts of such a list",
        ),
    ] {
        let error = Dialect::from_toml("a.toml", &format!("name = \"a\"\n{text}")).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    // A success is not an error by what lies deep in it.
    let dialect = dialect("[error]\nis_false = \"ok\"\n[read]\ncode = \"**.code\"\n");
    let headers = HeaderMap::new();
    let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
    assert_eq!(Signal::new(&dialect, &head).feed(br#"{"a":{"ok":false,"code":"E1"}}"#), Decision::Success);
}

#[test]
fn an_object_of_any_name_is_a_field_if_it_has_a_name_and_a_message() {
    let dialect = dialect(
        "[read]\nmessage = \"detail\"\nfields = [{ list = \"issues\", path = \"at\", message = \"text\" }, \
         { one = \"**\", path = [\"**.field\", \"**.*field\"], message = [\"**.*message\"] }, \
         { map = \"**.*errors\" }, { map = \"$\", texts = false, nested = true }]\n",
    );
    let fields = |body| words(&dialect, body).2;
    let pair = |name: &str, message: &str| (name.to_owned(), message.to_owned());
    for body in [
        r#"{"odd":[{"field":"f","message":"m"}]}"#,
        r#"{"a":{"odd":[{"x":1},{"field":"f","hat_message":"m"}]}}"#,
        r#"{"a":{"odd":{"hatField":"f","hatMessage":"m"}}}"#,
        r#"{"a":{"b":{"hatField":"g","field":"f","odd":[{"field":"h"}],"message":"m"}}}"#,
        r#"{"issues":[{"hatField":"f","hatMessage":"m"}]}"#,
        r#"{"issues":[{"at":"f","hatField":"g","text":"m","message":"n"}]}"#,
        r#"{"issues":[{"at":"f","text":"m","more":[{"field":"g"},"t"]}]}"#,
        r#"{"hatErrors":{"f":"m"}}"#,
        r#"{"a":[{"hat_errors":{"f":["m"]}}]}"#,
    ] {
        assert_eq!(fields(body), [pair("f", "m")], "{body}");
    }
    for body in [
        r#"{"odd":[{"field":"f"},{"message":"m"}]}"#,
        r#"{"a":{"b":{"field":"f","c":{"message":"m"}}}}"#,
        r#"{"a":{"field":"f"},"message":"m"}"#,
        r#"{"hatField":"f","hatMessage":"m"}"#,
    ] {
        assert_eq!(fields(body), [], "{body}");
    }
}

#[test]
fn a_container_is_no_value_of_a_name_that_is_known_by_its_end() {
    let dialect = dialect(
        "[read]\nmessage = \"**.*text\"\nfields = [{ map = \"parts\", texts = false }, \
         { list = \"**.*details\", path = \"at\", message = \"text\" }, \
         { one = \"**\", path = \"**.field\", message = \"**.note\" }]\n",
    );
    let pair = |name: &str, message: &str| (name.to_owned(), message.to_owned());
    for (body, message, field) in [
        (r#"{"parts":{"text":["m"]}}"#, "m", pair("text", "m")),
        (r#"{"parts":{"text":"t","brim":["m"]}}"#, "t", pair("brim", "m")),
        (r#"{"parts":{"text":{"field":"f","note":"m"}}}"#, "m", pair("f", "m")),
        (r#"{"a":{"hatDetails":{"field":"f","note":"m"}}}"#, "m", pair("f", "m")),
        (r#"{"a":{"hatDetails":[{"at":"f","text":"m"}]}}"#, "m", pair("f", "m")),
    ] {
        let (_, found, fields) = words(&dialect, body);
        assert_eq!((found, fields), (some(message), vec![field]), "{body}");
    }
}

#[test]
fn the_message_of_a_response_is_about_the_only_field_of_a_single_object() {
    let dialect = dialect(
        "[read]\nmessage = \"detail\"\nfields = [{ one = \"$\", path = \"param\", message = \"text\" }, \
         { list = \"issues\", path = \"at\", message = \"text\" }]\n",
    );
    let pair = |name: &str, message: &str| (name.to_owned(), message.to_owned());
    for (body, expected) in [
        (r#"{"detail":"m n","param":"f"}"#, vec![pair("f", "m n")]),
        (r#"{"detail":"m n","param":"f","text":"t"}"#, vec![pair("f", "t")]),
        (r#"{"detail":"m n","issues":[{"at":"f"}]}"#, vec![pair("f", "")]),
        (r#"{"detail":"m n","param":"f","issues":[{"at":"g"}]}"#, vec![pair("g", ""), pair("f", "")]),
        (r#"{"param":"f"}"#, vec![pair("f", "")]),
    ] {
        assert_eq!(words(&dialect, body).2, expected, "{body}");
    }
}

#[test]
fn two_lists_that_say_the_same_say_it_once() {
    let dialect =
        dialect("[read]\nfields = [{ map = \"names\" }, { list = \"issues\", path = \"at\", message = \"text\" }]\n");
    let body =
        r#"{"names":{"f":["m","n"]},"issues":[{"at":"f","text":"n"},{"at":"f","text":"o"},{"at":"f","text":"o"}]}"#;
    let said = words(&dialect, body).2;
    let messages: Vec<_> = said.iter().map(|(_, message)| message.as_str()).collect();
    assert_eq!(messages, ["m", "n", "o", "o"], "a list may repeat itself");
}

#[test]
fn of_several_names_the_first_sentence_counts() {
    let dialect = dialect("[read]\nmessage = [{ path = \"title|text\", as = \"sentence\" }, \"title|text\"]\n");
    for (body, expected) in [
        (r#"{"title":"Bad Request","text":"no brim"}"#, "no brim"),
        (r#"{"text":"E_BRIM","title":"no brim"}"#, "no brim"),
        (r#"{"title":"one brim","text":"no brim"}"#, "one brim"),
        (r#"{"title":"E_BRIM","text":"Bad Request"}"#, "E_BRIM"),
        (r#"{"title":"E_BRIM","text":7}"#, "E_BRIM"),
        (r#"{"title":7,"text":"no brim"}"#, "no brim"),
    ] {
        assert_eq!(words(&dialect, body).1, some(expected), "{body}");
    }
}

#[test]
fn of_several_names_the_first_that_may_be_a_code_counts() {
    let symbol = dialect("[read]\ncode = { path = \"status|code\", as = \"symbol\" }\n");
    for (body, expected) in [
        (r#"{"status":"error","code":"E7"}"#, "E7"),
        (r#"{"status":400,"code":7}"#, "7"),
        (r#"{"status":"No brim","code":"E7"}"#, "E7"),
        (r#"{"status":0,"code":"E7"}"#, "E7"),
        (r#"{"status":{"a":1},"code":"E7"}"#, "E7"),
        (r#"{"code":"E7","status":"S1"}"#, "E7"),
        (r#"{"status":"S1","code":"error"}"#, "S1"),
        (r#"{"status":"error","code":404}"#, "error"),
    ] {
        assert_eq!(words(&symbol, body).0, some(expected), "{body}");
    }
    let any = dialect("[read]\ncode = \"status|code\"\n");
    assert_eq!(words(&any, r#"{"status":"error","code":"E7"}"#).0, some("error"));
}

#[test]
fn a_long_list_of_sources_is_asked_in_its_order() {
    let names: Vec<_> = (0..40).map(|nth| format!("\"n{nth}\"")).collect();
    let sources = format!("{}, {{ header = \"x-code\" }}, \"last\"", names.join(", "));
    let dialect = dialect(&format!("[read]\ncode = [{sources}]\nmessage = \"text\"\n"));
    for (body, expected) in [
        (r#"{"n39":"late","n8":"early"}"#, Some("early")),
        (r#"{"n17":null,"n39":"late","last":"last"}"#, Some("late")),
        (r#"{"last":"last"}"#, Some("last")),
        (r#"{"text":"no code"}"#, None),
        ("{}", None),
    ] {
        assert_eq!(words(&dialect, body).0.as_deref(), expected, "{body}");
    }
    let mut headers = HeaderMap::new();
    headers.insert("x-code", HeaderValue::from_static("of the head"));
    let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    for body in ["{}", r#"{"last":"last"}"#] {
        let envelope = Envelope::read(&dialect, &head, [body.as_bytes()]);
        assert_eq!(envelope.code.as_deref(), Some("of the head"), "{body}");
    }
}

#[test]
fn a_reading_holds_if_what_it_needs_is_there_and_what_it_excludes_is_not() {
    let dialect = dialect(
        "[[read]]\nwhen = { body = \"a\", no_body = [\"b\", \"c\"], no_scalar = \"d\" }\ncode = \"a\"\n[[read]]\ncode = \"e\"\n",
    );
    for (body, expected) in [
        (r#"{"a":"1","e":"2"}"#, "1"),
        (r#"{"a":"1","b":null,"d":{"e":1},"e":"2"}"#, "1"),
        (r#"{"a":null,"e":"2"}"#, "2"),
        (r#"{"a":"1","c":0,"e":"2"}"#, "2"),
        (r#"{"a":"1","d":7,"e":"2"}"#, "2"),
        (r#"{"e":"2"}"#, "2"),
    ] {
        assert_eq!(words(&dialect, body).0, some(expected), "{body}");
    }
}

#[test]
fn a_name_of_an_error_and_an_id_are_kinds_of_texts() {
    let dialect =
        dialect("[read]\ncode = { path = \"name\", as = \"error_name\" }\nmessage = { path = \"id\", as = \"id\" }\n");
    for name in ["HatError", "hat_exception", "NotFound"] {
        assert_eq!(words(&dialect, &format!("{{\"name\":\"{name}\"}}")).0, some(name));
    }
    for name in ["brim", "Error", "No HatError", "found"] {
        assert_eq!(words(&dialect, &format!("{{\"name\":\"{name}\"}}")).0, None, "{name}");
    }
    for id in ["5d2", "a-7", "E40YU.C"] {
        assert_eq!(words(&dialect, &format!("{{\"id\":\"{id}\"}}")).1, some(id));
    }
    for id in ["hats", "77", "hat_7", "/hats/7", "hat 7", ""] {
        assert_eq!(words(&dialect, &format!("{{\"id\":\"{id}\"}}")).1, None, "{id}");
    }
}

#[test]
fn a_step_may_name_alternatives() {
    let dialect = dialect(
        "[read]\ncode = \"fault|error.code|id\"\nfields = [{ list = \"errors|causes\", path = \"field|param\", message = \"message\" }]\n",
    );
    for body in [r#"{"fault":{"id":"E1"}}"#, r#"{"error":{"code":"E1"}}"#, r#"{"error":{"x":1},"fault":{"code":"E1"}}"#]
    {
        assert_eq!(words(&dialect, body).0, some("E1"), "{body}");
    }
    assert_eq!(words(&dialect, r#"{"error":{"id":"E1","code":"E2"}}"#).0, some("E1"), "the first that says something");
    let body = r#"{"errors":[{"param":"a","message":"m"}],"causes":[{"field":"b","message":"n"}]}"#;
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(words(&dialect, body).2, [pair("a", "m"), pair("b", "n")]);
}

#[test]
fn a_path_stands_for_few_paths_only() {
    let names = (0..33).map(|nth| format!("n{nth}")).collect::<Vec<_>>().join("|");
    for path in [names.as_str(), "a|b.a|b.a|b.a|b.a|b.a|b", "a||b", "|a"] {
        let text = format!("name = \"a\"\n[read]\ncode = \"{path}\"\n");
        assert!(Dialect::from_toml("a.toml", &text).is_err(), "{path}");
    }
}

#[test]
fn the_first_element_of_an_array_is_read_as_an_object_would_be() {
    let dialect =
        dialect("[read]\ncode = \"error.code\"\nmessage = \"error.message\"\nfields = [{ map = \"error.fields\" }]\n");
    let body = r#"[{"error":{"code":"A","message":"m","fields":{"f":["n"]}}},{"error":{"code":"B"}}]"#;
    let fields = vec![("f".to_owned(), "n".to_owned())];
    assert_eq!(words(&dialect, body), (some("A"), some("m"), fields));
    let headers = HeaderMap::new();
    let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    for body in ["[]", "[1]", "[{}]", r#"[null,{"error":{"code":"B"}}]"#, r#"["a"]"#] {
        let envelope = Envelope::read(&dialect, &head, [body.as_bytes()]);
        assert_eq!(envelope.unreadable, Some(Unreadable::WrongRoot), "{body}");
    }
}

#[test]
fn paths_into_an_array_at_the_top_go_before_its_first_element() {
    let dialect = dialect(
        "[read]\ncode = [\"[0].code\", \"code\"]\nmessage = \"error.message\"\nfields = [{ list = \"$\", path = \"f\", message = \"m\" }]\n",
    );
    let body = r#"[{"code":"A","error":{"message":"m"},"f":"x","m":"n"},{"code":"B","f":"y","m":"o"}]"#;
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(words(&dialect, body), (some("A"), some("m"), vec![pair("x", "n"), pair("y", "o")]));
}

#[test]
fn a_word_that_stands_alone_is_a_message_only_without_a_better_one() {
    let generic = dialects::generic();
    assert_eq!(words(&generic, r#"{"error":"forbidden"}"#), (some("forbidden"), some("forbidden"), Vec::new()));
    let (code, message, _) = words(&generic, r#"{"error":"bad","fields":{"a":["Too long."]}}"#);
    assert_eq!((code, message), (some("bad"), some("Too long.")));
}

#[test]
fn more_values_than_a_mask_has_bits_stay_apart() {
    let paths = |name: &str| (0..120).map(|nth| format!("\"{name}{nth}\"")).collect::<Vec<_>>().join(", ");
    let dialect = dialect(&format!("[read]\ncode = [{}]\nmessage = [{}]\n", paths("c"), paths("m")));
    // `c0` and `m8` share a bit.
    for (body, code, message) in [
        (r#"{"c0":"A","m8":"B"}"#, some("A"), some("B")),
        (r#"{"m8":"B","c0":"A","c0":"C"}"#, some("C"), some("B")),
        (r#"{"c0":"A","m8":"B","m8":"C"}"#, some("A"), some("C")),
        (r#"{"m8":"B"}"#, None, some("B")),
    ] {
        assert_eq!(words(&dialect, body), (code, message, Vec::new()), "{body}");
    }
}

#[test]
fn a_control_character_in_a_text_stands_for_itself() {
    let dialect = dialect("[read]\ncode = \"code\"\nmessage = \"message\"\n");
    let body = "{\"message\":\"one\ntwo\t\\u0041\0\",\"skip\nped\":\"\r\n\",\"code\":7}";
    assert_eq!(words(&dialect, body), (some("7"), some("one\ntwo\tA\0"), Vec::new()));
}

#[test]
fn a_body_in_another_charset_is_read_and_signals() {
    let vlens = dialects::vlens();
    let text = r#"{"data":null,"error_code":1050,"error_message":"Bild zu dunkel für Prüfung"}"#;
    let latin: Vec<u8> =
        text.chars().map(|symbol| u8::try_from(u32::from(symbol)).expect("it is in Latin-1")).collect();
    let utf16 = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for (kind, body) in [
        ("application/json; charset=iso-8859-1", latin),
        ("application/json; charset=utf-16", utf16(u16::to_le_bytes)),
        ("application/json; charset=utf-16", utf16(u16::to_be_bytes)),
        ("application/json; charset=utf-16be", utf16(u16::to_be_bytes)),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
        let envelope = Envelope::read(&vlens, &head, body.chunks(7));
        assert_eq!(envelope.message.as_deref(), Some("Bild zu dunkel für Prüfung"), "{kind}");
        assert!(envelope.signalled, "{kind}");
        for size in [2, 7, 64] {
            let mut signal = Signal::new(&vlens, &head);
            assert!(body.chunks(size).any(|chunk| signal.feed(chunk) == Decision::Error), "{kind} in pieces of {size}");
        }
    }
}

#[test]
fn a_wildcard_beside_a_list_of_fields_names_no_field_elsewhere() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let dialect =
        dialect("[read]\ncode = [\"*.type\", \"sys.id\"]\nmessage = \"message\"\nfields = [{ map = \"detail\" }]\n");
    for (body, code, fields) in [
        (r#"{"sys":{"type":"A","id":"B"},"message":"m"}"#, "A", Vec::new()),
        (r#"{"other":{"type":"A"},"message":"m"}"#, "A", Vec::new()),
        (r#"{"detail":{"type":"A","a":"n"},"message":"m"}"#, "A", vec![pair("type", "A"), pair("a", "n")]),
        (r#"{"sys":{"id":"B","a":"n"},"message":"m"}"#, "B", Vec::new()),
    ] {
        assert_eq!(words(&dialect, body), (some(code), some("m"), fields), "{body}");
    }
}

#[test]
fn a_word_for_the_outcome_is_not_a_code() {
    let dialect = dialect("[read]\ncode = { path = [\"status\", \"code\"], not_outcome = true }\n");
    for word in ["error", "Error", "FAILED", "failure", "KO", "success", "ok", "true", "null", "N"] {
        assert_eq!(words(&dialect, &format!("{{\"status\":\"{word}\",\"code\":\"E1\"}}")).0, some("E1"), "{word}");
    }
    for word in ["errors", "failed_login", "OKTA", "0"] {
        assert_eq!(words(&dialect, &format!("{{\"status\":\"{word}\",\"code\":\"E1\"}}")).0, some(word), "{word}");
    }
}

#[test]
fn the_number_of_another_status_says_nothing_either() {
    let dialect = dialect("[read]\ncode = { path = \"status\", not_status = \"any\" }\n");
    for (value, code) in [("400", None), ("404", None), ("\"599\"", None), ("7", some("7")), ("600", some("600"))] {
        assert_eq!(words(&dialect, &format!("{{\"status\":{value}}}")).0, code, "{value}");
    }
}

#[test]
fn a_text_in_a_script_without_blanks_is_a_sentence() {
    let dialect = dialect(
        "[read]\ncode = { path = \"a\", as = \"symbol\" }\nmessage = { path = [\"b\", \"c\"], as = \"sentence\" }\n",
    );
    for text in ["签名错误", "パラメータが不正です", "Ungültig", "Ошибка"] {
        let body = format!(r#"{{"a":"{text}","b":"word","c":"{text}"}}"#);
        assert_eq!(words(&dialect, &body), (None, some(text), Vec::new()), "{text}");
    }
}

#[test]
fn a_form_is_read_as_an_object_of_texts() {
    let dialect = dialect(
        "[read]\ncode = \"code\"\nmessage = \"text\"\nfields = [{ one = \"$\", path = \"field\", message = \"text\" }]\n",
    );
    let fields = vec![("sum".to_owned(), "It \"is\" too small".to_owned())];
    for body in [
        "code=E1&text=It+%22is%22%20too+small&field=sum",
        "code=E0&code=E1&text=It+%22is%22 too small&field=sum",
        "code=E1\r\ntext=It %22is%22 too small\r\nfield=sum\r\n",
    ] {
        assert_eq!(words(&dialect, body), (some("E1"), some("It \"is\" too small"), fields.clone()), "{body}");
    }
    assert_eq!(words(&dialect, "a=1&b=2"), (None, some("a=1&b=2"), Vec::new()), "it has none of the names");
}
