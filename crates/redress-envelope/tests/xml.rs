//! XML bodies: paths into them, signals in a success, lists of fields, bounds, and what is not read at all.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use redress_envelope::{Class, Decision, Dialect, Envelope, Head, Signal, Unreadable, When, dialects};

const ACME: &str = r#"
name = "acme"

[[error]]
not_null = "/Error"

[[error]]
equals = { path = "/rsp/@stat", is = "fail" }

[[error]]
is_false = "/Result/Success"

[[error]]
not_null = "/Envelope/Body/Fault"

[read]
code = ["error.code", "/Error/Code", "/rsp/err/@code", "//Fault/Error/@code", "//faultcode", "//env:Code/env:Value"]
message = ["error.message", "/Error/Message", "//err/@msg", "//Fault/Error/Message", "//faultstring", "/Result/Text"]
request_id = ["//RequestId", "/*/requestID"]
fields = [
    { list = "errors", path = "field", message = "text" },
    { list = "/Errors/Error", path = ["@field", "Field"], message = [".", "Text"] },
]
hints = [{ body = "//RetryAfterSeconds", unit = "s" }]

[codes.SlowDown]
class = "rate_limited"
"#;

fn acme() -> Dialect {
    Dialect::from_toml("acme.toml", ACME).unwrap_or_else(|error| panic!("{error}"))
}

fn head(status: u16) -> Head<'static> {
    static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    Head::new(status, &NONE, SystemTime::UNIX_EPOCH)
}

/// Reads a body whole and in pieces of every length up to 9, which must come to the same.
fn read<'a>(dialect: &Dialect, body: &'a str) -> Envelope<'a> {
    let whole = Envelope::read(dialect, &head(400), [body.as_bytes()]);
    for piece in 1..10 {
        assert_eq!(Envelope::read(dialect, &head(400), body.as_bytes().chunks(piece)), whole, "{body} by {piece}");
    }
    whole
}

/// Returns how many bytes decide whether a body is an error, and how; fed byte by byte, and whole, which must agree.
fn decide(dialect: &Dialect, body: &str) -> (usize, Decision) {
    let mut signal = Signal::new(dialect, &head(200));
    let mut bytes = 0;
    for byte in body.as_bytes() {
        if signal.feed(&[*byte]) != Decision::Undecided {
            break;
        }
        bytes += 1;
    }
    assert_eq!(Signal::new(dialect, &head(200)).feed(body.as_bytes()), signal.decision(), "{body}");
    (bytes, signal.decision())
}

#[test]
fn paths_lead_to_elements_and_attributes() {
    for (body, code, message) in [
        ("<Error><Code>SlowDown</Code><Message>Please &amp; slow</Message></Error>", "SlowDown", "Please & slow"),
        (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n <Code> A </Code>\n <Message>\n m\n </Message></Error>\n",
            "A",
            "m",
        ),
        ("<a:Error xmlns:a='urn:x'><a:Code>1</a:Code><a:Message>m</a:Message></a:Error>", "1", "m"),
        ("<rsp stat=\"fail\"><err code=\"112\" msg='no &quot;m&#x65;thod&#34;'/></rsp>", "112", "no \"method\""),
        (
            "<R><Fault type='V'><Error code = '003001' element=\"x\" ><Message>m</Message></Error></Fault></R>",
            "003001",
            "m",
        ),
        (
            "<soap:Envelope xmlns:soap='u'><soap:Header/><soap:Body><soap:Fault><faultcode>soap:Server</faultcode>\
             <faultstring>busy</faultstring></soap:Fault></soap:Body></soap:Envelope>",
            "soap:Server",
            "busy",
        ),
        (
            "<Error><Code><![CDATA[a<b]]></Code><Message>x<![CDATA[ ]]]]><![CDATA[> y]]>z</Message></Error>",
            "a<b",
            "x ]]> yz",
        ),
        (
            "<Error><!-- <Code>no</Code> -- > --><?p <Code>no</Code> ? ?><Code>1<!--2-->3<?4?>5</Code><Message>m</Message></Error>",
            "135",
            "m",
        ),
        ("<Error><Code/><Code></Code><Code> </Code><Code>1</Code><Code>2</Code><Message>m</Message></Error>", "1", "m"),
        (
            "<Error><Message>&nbsp;a &lt b & c &#0; &#xD7;</Message><Code>1</Code></Error>",
            "1",
            "&nbsp;a &lt b & c &#0; ×",
        ),
        ("\u{feff} \n<Error><Code>1</Code><Message>m</Message></Error>", "1", "m"),
    ] {
        let envelope = read(&acme(), body);
        assert_eq!((envelope.code.as_deref(), envelope.message.as_deref()), (Some(code), Some(message)), "{body}");
        assert_eq!(envelope.unreadable, None, "{body}");
    }
}

#[test]
fn a_prefix_counts_only_where_the_path_names_one() {
    let body = |prefix| format!("<R><{prefix}:Code><{prefix}:Value>x</{prefix}:Value></{prefix}:Code></R>");
    assert_eq!(read(&acme(), &body("env")).code.as_deref(), Some("x"));
    assert_eq!(read(&acme(), &body("other")).code, None);
}

#[test]
fn paths_into_json_read_no_xml_and_the_other_way_round() {
    let xml = "<error><code>1</code><message>m</message></error>";
    assert_eq!(read(&acme(), xml).code, None);
    assert_eq!(read(&acme(), r#"{"Error":{"Code":"1"}}"#).code, None);
    assert_eq!(read(&acme(), r#"{"/Error":{"Code":"1"}}"#).code, None);
    let json = read(&acme(), r#"{"error":{"code":"1","message":"m"}}"#);
    assert_eq!((json.code.as_deref(), json.message.as_deref()), (Some("1"), Some("m")));
}

#[test]
fn an_element_that_holds_others_has_no_text() {
    let envelope =
        read(&acme(), "<Error><Code>a<b/>c</Code><Message><p>m</p></Message><RequestId>r</RequestId></Error>");
    assert_eq!((envelope.code, envelope.message, envelope.request_id.as_deref()), (None, None, Some("r")));
}

#[test]
fn repeated_elements_are_a_list_of_fields() {
    let body = "<Errors><Error field='name'>is missing</Error><Error><Field>age</Field><Text>too low</Text></Error>\
                <Error>of no field</Error><Other field='x'>no</Other></Errors>";
    let envelope = read(&acme(), body);
    let fields: Vec<_> = envelope.fields.iter().map(|field| (&*field.path, &*field.message)).collect();
    assert_eq!(fields, [("name", "is missing"), ("age", "too low")]);
    assert_eq!(envelope.message.as_deref(), Some("is missing"));
    let many = format!("<Errors>{}</Errors>", "<Error field='a'>b</Error>".repeat(300));
    assert_eq!(read(&acme(), &many).fields.len(), 256);
}

#[test]
fn a_hint_may_stand_in_an_element() {
    let envelope = read(&acme(), "<Error><Code>SlowDown</Code><RetryAfterSeconds>7</RetryAfterSeconds></Error>");
    let hint = envelope.hint.expect("a hint");
    assert_eq!(hint.when(), When::After(Duration::from_secs(7)));
    assert_eq!(hint.source().to_string(), "//RetryAfterSeconds in the body");
}

#[test]
fn a_success_is_an_error_by_its_elements_as_early_as_the_bytes_allow() {
    for (body, bytes, decision) in [
        ("<Error><Code>InternalError</Code></Error>", "<Error><Code", Decision::Error),
        (
            "  \n\n<?xml version='1.0'?>\n  \n<Error><Code>1</Code></Error>",
            "  \n\n<?xml version='1.0'?>\n  \n<Error><Code",
            Decision::Error,
        ),
        (
            "<ns2:Error xmlns:ns2='u'><ns2:Code>1</ns2:Code></ns2:Error>",
            "<ns2:Error xmlns:ns2='u'><ns2:Code",
            Decision::Error,
        ),
        ("<CopyObjectResult><ETag>1</ETag></CopyObjectResult>", "<CopyObjectResult", Decision::Success),
        ("<ErrorList><Error><Code>1</Code></Error></ErrorList>", "<ErrorList", Decision::Success),
        ("<Error/>", "<Error/", Decision::Success),
        ("<Error xmlns='u'></Error>", "<Error xmlns='u'></Error", Decision::Success),
        ("<rsp stat=\"ok\"><a/></rsp>", "<rsp stat=\"ok", Decision::Success),
        ("<rsp stat=\"fail\"><a/></rsp>", "<rsp stat=\"fail", Decision::Error),
        ("<rsp x='1'><a stat='fail'/></rsp>", "<rsp x='1'", Decision::Success),
        ("<Result><Success>false</Success></Result>", "<Result><Success>false</Success", Decision::Error),
        ("<Result><Success>0</Success></Result>", "<Result><Success>0</Success", Decision::Error),
        ("<Result><Success>true</Success></Result>", "<Result><Success>true</Success", Decision::Success),
        (
            "<s:Envelope><s:Body><s:Fault><faultcode>1</faultcode></s:Fault></s:Body></s:Envelope>",
            "<s:Envelope><s:Body><s:Fault><faultcode",
            Decision::Error,
        ),
        (
            "<s:Envelope><s:Body><r/></s:Body></s:Envelope>",
            "<s:Envelope><s:Body><r/></s:Body></s:Envelope",
            Decision::Success,
        ),
        ("<!DOCTYPE Error><Error><Code>1</Code></Error>", "<!", Decision::Success),
        ("<html><Error><Code>1</Code></Error></html>", "<html", Decision::Success),
        ("\u{feff} <Error>x</Error>", "\u{feff} <Error>x</Error", Decision::Error),
        ("{\"Error\":1}", "", Decision::Success),
        ("Error", "", Decision::Success),
    ] {
        let (seen, decided) = decide(&acme(), body);
        assert_eq!((&body[..seen], decided), (bytes, decision), "{body}");
    }
}

#[test]
fn signal_and_full_read_agree() {
    for body in [
        "<Error><Code>1</Code></Error>",
        "<Error>text</Error>",
        "<Error a='b'/>",
        "<Error/>",
        "<Error> <!-- --> </Error>",
        "<rsp stat='ok' /><!-- -->",
        "<rsp stat='fail'/>",
        "<rsp STAT='fail'/>",
        "<Result><Success></Success><Success>false</Success></Result>",
        "<Result><Success>true</Success><Success>false</Success></Result>",
        "<Envelope><Body><Fault/></Body></Envelope>",
        "<Envelope><Body><Fault>x</Fault></Body></Envelope>",
        "<other/>",
    ] {
        let signalled = Envelope::read(&acme(), &head(200), [body.as_bytes()]).signalled;
        assert_eq!(decide(&acme(), body).1 == Decision::Error, signalled, "{body}");
    }
}

#[test]
fn a_signal_of_json_is_decided_as_before_beside_one_of_xml() {
    let toml = "name = \"acme\"\n[[error]]\nis_false = \"ok\"\n[[error]]\nnot_null = \"/Error\"\n";
    let both = Dialect::from_toml("acme.toml", toml).expect("no mistakes");
    for (body, bytes, decision) in [
        ("{\"ok\":true,\"rest\":1}", "{\"ok\":tru", Decision::Success),
        (" {\"ok\":false}", " {\"ok\":fals", Decision::Error),
        ("<Error>x</Error>", "<Error>x</Error", Decision::Error),
        ("<ok>x</ok>", "<ok", Decision::Success),
    ] {
        let (seen, decided) = decide(&both, body);
        assert_eq!((&body[..seen], decided), (bytes, decision), "{body}");
    }
}

#[test]
fn html_and_document_types_are_not_read() {
    for dialect in [acme(), dialects::generic()] {
        for body in [
            "<!doctype html><html><body><code>E1</code><message>m</message></body></html>",
            "<!DOCTYPE foo [<!ENTITY x \"y\">]><Error><Code>&x;</Code><Message>m m</Message></Error>",
            "<?xml version=\"1.0\"?><!DOCTYPE html><html><Error><Code>1</Code><Message>m m</Message></Error></html>",
            "<html><head><title>502 Bad Gateway</title></head><Error><Code>1</Code><Message>m m</Message></Error></html>",
            "<HTML><Error><Code>1</Code></Error></HTML>",
            "<h1>Not found</h1><Error><Code>1</Code></Error>",
            "<center><Code>1</Code></center>",
            "<p>a<br>b <Code>1</Code></p>",
            "< Error><Code>1</Code></Error>",
            "<3 you",
        ] {
            let envelope = read(&dialect, body);
            let said = (envelope.code.as_deref(), envelope.message.as_deref(), envelope.unreadable);
            assert_eq!(said, (None, None, Some(Unreadable::NotJson)), "{dialect:?}: {body}");
        }
    }
}

#[test]
fn of_a_document_that_breaks_off_or_goes_wrong_nothing_decides() {
    for (body, unreadable) in [
        ("<Error><Code>SlowDown</Code><Mess", Unreadable::Truncated),
        ("<Error><Code>SlowDown</Code>", Unreadable::Truncated),
        ("<Error><Code>SlowDown</Code></Wrong>", Unreadable::NotJson),
        ("<Error><Code>SlowDown</Code></Error><Error/>", Unreadable::NotJson),
        ("<Error><Code>SlowDown</Code></Error>x", Unreadable::NotJson),
        ("<Error><Code>SlowDown</Code><a b></Error>", Unreadable::NotJson),
        ("<Error><Code>SlowDown</Code><a b=c/></Error>", Unreadable::NotJson),
        ("<Error><Code>SlowDown</Code><!ELEMENT a></Error>", Unreadable::NotJson),
    ] {
        let envelope = read(&acme(), body);
        assert_eq!((envelope.code.as_deref(), envelope.unreadable), (Some("SlowDown"), Some(unreadable)), "{body}");
        assert_eq!(acme().meaning(&head(400), &envelope).class, Class::Invalid, "{body}");
    }
    let whole = read(&acme(), "<Error><Code>SlowDown</Code></Error>");
    assert_eq!(acme().meaning(&head(400), &whole).class, Class::RateLimited);
}

#[test]
fn a_document_in_a_text_is_read_as_elements() {
    let dialect = "name = \"deep\"\n[read]\ncode = \"//Code\"\nmessage = \"//Text\"\nrequest_id = \"//Result\"\n";
    let dialect = Dialect::from_toml("deep.toml", dialect).expect("no mistakes");
    let inner = "<Answer><Code>E1</Code><Text>Not &lt;now&gt;</Text></Answer>";
    let escaped = inner.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for text in [
        escaped.clone(),
        format!(" <![CDATA[ {inner} ]]>"),
        format!("<![CDATA[<?xml version=\"1.0\"?>{inner}]]>"),
        format!("&lt;!-- x --&gt;{escaped}"),
    ] {
        for body in [format!("<r><Other>{text}</Other></r>"), format!("<r><Result>{text}</Result></r>")] {
            let envelope = read(&dialect, &body);
            let said = (envelope.code.as_deref(), envelope.message.as_deref(), envelope.request_id.as_deref());
            assert_eq!(said, (Some("E1"), Some("Not <now>"), None), "{body}");
            assert_eq!(envelope.unreadable, None, "{body}");
        }
    }
}

#[test]
fn an_element_is_selected_by_an_attribute() {
    let dialect = "name = \"list\"\n[read]\ncode = [\"//*[@name='code']\", \"//*[@key='~errorcode']/@value\"]\nmessage = [\"/r/*[@name='text']\", \"//*[@name='error']/Text\"]\nfields = [{ list = \"//*[@name='fields']/Item\", path = \"@of\", message = \".\" }]\n";
    let dialect = Dialect::from_toml("list.toml", dialect).expect("no mistakes");
    for (body, code, message) in [
        ("<r><str name='code'>E1</str><str name='text'>Not now</str></r>", Some("E1"), Some("Not now")),
        ("<r><a><b name='code'>E1</b><b name='text'>Not now</b></a></r>", Some("E1"), None),
        ("<r><p key='Error-Code' value='E2'/></r>", Some("E2"), None),
        ("<r><lst name='error'><Text>Not now</Text></lst></r>", None, Some("Not now")),
        ("<r name='code'>E3</r>", Some("E3"), None),
        ("<r><a x:name='code'>E4</a></r>", Some("E4"), None),
        ("<r><a name='codes'>E5</a><name>code</name></r>", None, None),
        ("<r><l name='fields'><Item of='a'>b</Item></l><l name='f'><Item of='c'>d</Item></l></r>", None, Some("b")),
    ] {
        let envelope = read(&dialect, body);
        assert_eq!((envelope.code.as_deref(), envelope.message.as_deref()), (code, message), "{body}");
    }
    let refused = Dialect::from_toml("a.toml", "name = \"a\"\n[[error]]\nnot_null = \"//*[@name='code']\"\n");
    assert!(refused.is_err(), "a signal cannot select");
}

#[test]
fn a_text_with_markup_that_is_not_a_document_stays_a_text() {
    let dialect = "name = \"deep\"\n[read]\ncode = \"//Code\"\nmessage = \"//Text\"\n";
    let dialect = Dialect::from_toml("deep.toml", dialect).expect("no mistakes");
    let nested = format!("{}<Code>1</Code>{}", "<e>".repeat(126), "</e>".repeat(126));
    for text in [
        "<Code> is missing",
        "<Code>1</Code> is wrong",
        "<Code>1</Code><Code>2</Code>",
        "<b>Not</b>",
        "<!DOCTYPE a><a><Code>1</Code></a>",
        "<a><Code>1</Other></a>",
        nested.as_str(),
    ] {
        let body = format!("<r><Text><![CDATA[{text}]]></Text></r>");
        let envelope = read(&dialect, &body);
        assert_eq!((envelope.code.as_deref(), envelope.message.as_deref()), (None, Some(text)));
    }
    // A document in a document in a text is a text.
    let twice = "<r><a><![CDATA[<s><Text>&lt;Code&gt;1&lt;/Code&gt;</Text></s>]]></a></r>";
    let envelope = read(&dialect, twice);
    assert_eq!((envelope.code.as_deref(), envelope.message.as_deref()), (None, Some("<Code>1</Code>")));
    let long = format!("<r><Text><![CDATA[<{}>]]></Text></r>", "é".repeat(3_000));
    assert_eq!(read(&dialect, &long).message.map(|message| message.len()), Some(4095));
    let far = format!("<r><Text><![CDATA[<a>{}<Code>1</Code></a>]]></Text></r>", "x".repeat(70_000));
    assert_eq!(read(&dialect, &far).code, None);
}

#[test]
fn depth_names_and_texts_are_bounded() {
    let nested = |levels: usize| format!("{}<Code>1</Code>{}", "<e>".repeat(levels - 1), "</e>".repeat(levels - 1));
    let deep = Dialect::from_toml("deep.toml", "name = \"deep\"\n[read]\ncode = \"//Code\"\nmessage = \"//m\"\n");
    let deep = deep.expect("no mistakes");
    assert_eq!(read(&deep, &nested(128)).code.as_deref(), Some("1"));
    assert_eq!(read(&deep, &nested(129)).unreadable, Some(Unreadable::TooDeep));

    let long = format!("<r><m>{}</m></r>", "é".repeat(3_000));
    assert_eq!(read(&deep, &long).message.map(|message| message.len()), Some(4096));
    let odd = format!("<r><m>a{}</m></r>", "é".repeat(3_000));
    assert_eq!(read(&deep, &odd).message.map(|message| message.len()), Some(4095));
    let spaced = format!("<r><m>{}text</m></r>", " ".repeat(10_000));
    assert_eq!(read(&deep, &spaced).message.as_deref(), Some("text"));

    let name = "n".repeat(300);
    assert_eq!(read(&deep, &format!("<{name}><m>x</m></{name}>")).unreadable, None);
}

#[test]
fn a_dialect_without_a_path_into_xml_takes_it_for_no_json() {
    let envelope = read(&dialects::vlens(), "<Error><Code>1</Code></Error>");
    assert_eq!((envelope.code, envelope.message, envelope.unreadable), (None, None, Some(Unreadable::NotJson)));
}

#[test]
fn an_element_by_its_name_alone_is_one_at_any_depth() {
    let toml = "name = \"acme\"\n[read]\ncode = { element = \"Code\" }\n";
    let acme = Dialect::from_toml("acme.toml", toml).expect("no mistakes");
    let envelope = read(&acme, "<r><Codes>0</Codes><Code><b/></Code><c><Code>1</Code></c></r>");
    assert_eq!(envelope.code.as_deref(), Some("1"));
    assert_eq!(
        envelope.code_location(&acme).map(|location| location.to_string()).as_deref(),
        Some("//Code in the body")
    );
}

#[test]
fn mistakes_in_paths_into_xml_are_named() {
    for (read, problem) in [
        (
            "code = \"/Error/\"",
            "expected the name of an element, `*`, or last the name of an attribute such as `@code`, found \"/Error/\"",
        ),
        ("code = { path = \"/Error/Code\", deepest = \"x\" }", "expected `deepest` with a path into JSON"),
        ("fields = [{ map = \"/Errors\" }]", "expected `list` with a path into XML"),
        (
            "fields = [{ list = \"/Errors\", path = \"/a\", message = \"b\" }]",
            "expected the name of an element, `*`, or last the name of an attribute such as `@code`, found \"/a\"",
        ),
    ] {
        let error = Dialect::from_toml("acme.toml", &format!("name = \"acme\"\n[read]\n{read}\n")).expect_err(read);
        assert_eq!(error.mistakes()[0].problem, problem, "{read}");
    }
}

#[test]
fn a_tilde_compares_names_by_their_letters_and_digits() {
    let toml = "name = \"acme\"\n[read]\ncode = [\"//~errorcode\", \"/*/@~errorcode\"]\nmessage = \"/*/~error/~msg2\"\nreason = \"//errorCode\"\n";
    let acme = Dialect::from_toml("acme.toml", toml).expect("no mistakes");
    for (body, code, reason) in [
        ("<r><errorCode>1</errorCode></r>", Some("1"), Some("1")),
        ("<r><ErrorCode>1</ErrorCode></r>", Some("1"), None),
        ("<r><ERROR_CODE>1</ERROR_CODE></r>", Some("1"), None),
        ("<r><x:error-code>1</x:error-code></r>", Some("1"), None),
        ("<r error.code='1'/>", Some("1"), None),
        ("<r x:Error_Code='1'/>", Some("1"), None),
        ("<r><ErrorCodes>1</ErrorCodes><a errorcode='1'/></r>", None, None),
    ] {
        let envelope = read(&acme, body);
        assert_eq!((envelope.code.as_deref(), envelope.reason.as_deref()), (code, reason), "{body}");
    }
    assert_eq!(read(&acme, "<r><Error><MSG_2>m</MSG_2></Error></r>").message.as_deref(), Some("m"));
    assert_eq!(read(&acme, "<r><q><Error><MSG_2>m</MSG_2></Error></q></r>").message, None);
}

#[test]
fn an_attribute_is_read_once_under_its_own_name_and_under_that_with_a_prefix() {
    for (path, expected) in
        [("//@note", Some("a; b; c")), ("//@p:note", Some("b")), ("//y/@note", Some("b")), ("//@p", None)]
    {
        let toml = format!("name = \"d\"\n[read]\nmessage = {{ path = \"{path}\", join = \"; \" }}\n");
        let dialect = Dialect::from_toml("d.toml", &toml).unwrap_or_else(|error| panic!("{error}"));
        let headers = HeaderMap::new();
        let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
        let body = r#"<x note="a"><p:y p:note="b"/><z note="c"/></x>"#;
        let envelope = Envelope::read(&dialect, &head, [body.as_bytes()]);
        assert_eq!(envelope.message.as_deref(), expected, "{path}");
    }
}
