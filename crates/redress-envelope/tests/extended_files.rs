//! Dialects in files that extend each other.

use std::error::Error as _;

use redress_envelope::{Class, Dialect, DialectError};

const BASE: &str =
    "name = \"base\"\nvendor = \"Base\"\n[read]\ncode = \"error.code\"\n[codes.E1]\nclass = \"invalid\"\n";

/// Reads a file that may extend the others.
fn read(text: &str, files: &[(&str, &str)]) -> Result<Dialect, DialectError> {
    Dialect::from_toml_with("dialects/acme.toml", text, |wanted| {
        let found = files.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, text)| (*text).to_owned()).ok_or("there is no such file")
    })
}

/// Returns each line of an error and of its sources.
fn told(error: &DialectError) -> Vec<String> {
    let errors = std::iter::successors(Some(error), |error| error.extended());
    errors.flat_map(|error| error.to_string().lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn a_file_inherits_from_the_file_it_extends() {
    let text = "name = \"acme\"\nextends = \"./base.toml\"\n[codes.E2]\nclass = \"conflict\"\n";
    let acme = read(text, &[("base.toml", BASE)]).expect("no mistake");
    assert_eq!((acme.name(), acme.vendor()), ("acme", "Base"));
    let class = |code| acme.code(code).map(|code| code.class);
    assert_eq!((class("E1"), class("E2")), (Some(Class::Invalid), Some(Class::Conflict)));
}

#[test]
fn a_name_counts_from_the_folder_of_the_file_that_says_it() {
    let files = [
        ("vendors/base.toml", "name = \"b\"\nextends = \"./common/all.toml\"\n"),
        ("vendors/common/all.toml", "name = \"c\"\nextends = \"vlens\"\n"),
    ];
    let acme = read("extends = \"./vendors/base.toml\"\n", &files).expect("no mistake");
    assert_eq!((acme.name(), acme.vendor()), ("b", "Vlens"));
    assert!(acme.code("1050").is_some(), "a shipped dialect is at the end");
}

#[test]
fn without_a_resolver_a_file_is_refused() {
    for (extends, expected) in [
        ("./base.toml", "Dialect::from_toml_with"),
        ("base.toml", "Dialect::from_toml_with"),
        ("bose", "one of adyen, "),
    ] {
        let error = Dialect::from_toml("acme.toml", &format!("extends = {extends:?}\n")).expect_err("it is refused");
        let text = error.to_string();
        assert!(text.starts_with("acme.toml:1: extends: expected one of adyen, ") && text.contains(expected), "{text}");
    }
    let base = Dialect::from_toml("base.toml", BASE).expect("no mistake");
    let error = base.extend("acme.toml", "extends = \"./other.toml\"\n").expect_err("it extends one already");
    assert!(error.to_string().starts_with("acme.toml:1: extends: expected no `extends`"), "{error}");
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_never_resolved() {
    for extends in
        ["base.toml", "/base.toml", "../base.toml", "./../base.toml", "./a/../b.toml", ".\\b.toml", "./c:b.toml"]
    {
        let text = format!("name = \"a\"\nextends = '{extends}'\n");
        let error = Dialect::from_toml_with("acme.toml", &text, |name| -> Result<String, String> {
            panic!("{name} was asked for")
        })
        .expect_err("it is refused");
        let expected =
            "acme.toml:2: extends: expected a file in the folder of this one or below it, such as `./base.toml`";
        assert!(error.to_string().starts_with(expected), "{extends}: {error}");
    }
}

#[test]
fn a_circle_is_named_by_all_its_files() {
    let files = [
        ("b.toml", "name = \"b\"\nextends = \"./c.toml\"\n"),
        ("c.toml", "name = \"c\"\n\nextends = \"./acme.toml\"\n"),
    ];
    let error = read("extends = \"./b.toml\"\n", &files).expect_err("it never ends");
    assert_eq!(
        told(&error),
        [
            "dialects/acme.toml:1: extends: expected a file without mistakes, found 1 mistake in dialects/b.toml, from line 2 on",
            "dialects/b.toml:2: extends: expected a file without mistakes, found 1 mistake in dialects/c.toml, from line 3 on",
            "dialects/c.toml:3: extends: expected files that do not extend each other in a circle, \
             found acme.toml extends b.toml extends c.toml extends acme.toml",
        ]
    );
    let error = read("extends = \"./acme.toml\"\n", &[]).expect_err("it extends itself");
    assert!(error.to_string().ends_with("found acme.toml extends acme.toml"), "{error}");
}

#[test]
fn a_row_of_files_is_bounded() {
    let row = |files: usize| {
        let next = |nth: usize| format!("name = \"d\"\nextends = \"./{nth}.toml\"\n");
        Dialect::from_toml_with("0.toml", &next(1), |name| {
            let nth: usize = name.trim_end_matches(".toml").parse().map_err(|_| "no number")?;
            Ok::<_, &str>(if nth + 1 == files { "name = \"end\"\n".to_owned() } else { next(nth + 1) })
        })
    };
    assert!(row(8).is_ok());
    let error = row(9).expect_err("nine files");
    let last = told(&error).pop().expect("there is a mistake");
    assert!(
        last.starts_with("7.toml:2: extends: expected at most 8 files in a row, found 0.toml extends 1.toml"),
        "{last}"
    );
}

#[test]
fn the_mistakes_of_an_extended_file_are_in_the_source() {
    let files = [("base.toml", "name = \"b\"\n[codes.E1]\nclass = \"oops\"\n")];
    let error = read("extends = \"./base.toml\"\nnmae = 1\n", &files).expect_err("both have mistakes");
    let lines = told(&error);
    assert!(lines[0].ends_with("found 1 mistake in dialects/base.toml, from line 3 on"), "{lines:?}");
    assert!(lines[1].starts_with("dialects/acme.toml:2: nmae: unknown key"), "{lines:?}");
    assert!(lines[2].starts_with("dialects/base.toml:3: codes.E1.class: expected one of "), "{lines:?}");
    let source = error.source().expect("the other file is at fault, too").to_string();
    assert_eq!(source, lines[2]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = read("name = \"a\"\nextends = \"./gone.toml\"\n", &[]).expect_err("it is not there");
    assert_eq!(
        error.to_string(),
        "dialects/acme.toml:2: extends: cannot read dialects/gone.toml: there is no such file"
    );
    assert!(error.source().is_none());
}
