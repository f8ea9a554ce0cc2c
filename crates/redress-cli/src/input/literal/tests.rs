use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn values_are_read_as_languages_print_them() {
    for (text, value) in [
        (r#"{"a":[1,2.5,null,true],"b":{"c":"d\u00e9\n"}} x"#, json!({"a": [1, 2.5, null, true], "b": {"c": "dé\n"}})),
        (
            "{ a: 'it\\'s', 'b-c': \"d\", e: undefined, f: [ 'g' ] }",
            json!({"a": "it's", "b-c": "d", "e": null, "f": ["g"]}),
        ),
        ("{'a': True, 'b': None, 'c': b'd'}", json!({"a": true, "b": null, "c": "d"})),
        ("{\"a\"=>\"b\", :c=>nil}", json!({"a": "b", "c": null})),
        ("<ref *1> {\n  a: [Object],\n  b: [Circular *1],\n  c: 1\n}", json!({"c": 1})),
        (
            "{ h: Object [AxiosHeaders] { a: 'b' }, i: AxiosHeaders { c: 'd' } }",
            json!({"h": {"a": "b"}, "i": {"c": "d"}}),
        ),
        ("{ h: [Object: null prototype] { a: 'b' } }", json!({"h": {"a": "b"}})),
        ("{ m: Map(1) { 'a' => 1 }, f: [Function: x], [Symbol(s)]: 2 }", json!({"m": {"a": 1}})),
        ("[ 'a\\n' +\n  'b', ... 3 more items ]", json!(["a\nb"])),
        (
            "{ d: 2026-01-15T12:30:00.000Z, b: <Buffer 7b 7d>, r: <Response [429]> }",
            json!({"d": "2026-01-15T12:30:00.000Z", "b": "{}"}),
        ),
        ("CaseInsensitiveDict({'a': 'b'})", json!({"a": "b"})),
        ("{ a: '\\ud83d\\ude00', b: '\\x41' }", json!({"a": "😀", "b": "A"})),
    ] {
        assert_eq!(read(text).map(|(value, _)| value), Some(value), "{text}");
    }
    assert_eq!(read("{a:1} rest").unwrap().1, " rest");
}

#[test]
fn an_unknown_or_unfinished_value_is_none() {
    for text in ["", "x", "'a'", "1", "{", "{ a", "{ a: ", "{ a: 'b", "[1", "{ 'a' 1 }", "{ a: \\ }"] {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(read(&"[".repeat(1_000_000)), None, "depth is bounded");
    assert_eq!(read(&format!("[{}]", "1,".repeat(200_000))), None, "so is the number of values");
}

proptest! {
    #[test]
    fn any_text_is_read_or_not(scraps in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", "'", "\"", "`", "a", "é", ":", "=>", ",", "\\", "\\u00", "<", ">", "<ref *1> ", "[Object]",
        "(", ")", "1", "-", "+", "... 1 more", "\n", "b'", "Map(1) {", "Object [X] {", "null",
    ]), 0..24)) {
        let text = scraps.concat();
        if let Some((_, rest)) = read(&text) {
            prop_assert!(text.ends_with(rest));
        }
    }
}
