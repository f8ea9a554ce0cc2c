//! `redress lint`, `dialects`, `completions` and the help.

use crate::{TestFile, run};

#[test]
fn lint_reports_every_mistake_at_its_line() {
    let toml = "name = \"acme\"\nnmae = \"acme\"\n\n[codes.E1]\nclass = \"oops\"\n\n[status.99]\nclass = \"invalid\"\n";
    let file = TestFile::new("lint.toml", toml.as_bytes());
    let ran = run(&["lint", file.path()], "");
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with(&format!("{}:2: nmae: ", file.path())), "{}", ran.out);
    assert!(lines[1].starts_with(&format!("{}:5: codes.E1.class: expected one of ", file.path())), "{}", ran.out);
    assert!(lines[2].starts_with(&format!("{}:7: status.99", file.path())), "{}", ran.out);
    assert_eq!(lines[3..], [format!("{}: 3 mistakes", file.path())]);
}

#[test]
fn lint_accepts_a_file_without_mistakes() {
    let file = TestFile::new("good.toml", b"name = \"acme\"\n[read]\ncode = \"c\"\n[codes.E1]\nclass = \"invalid\"\n");
    let out = run(&["lint", file.path(), file.path()], "").quiet();
    assert_eq!(out, format!("{0}: no mistakes, 1 code, 0 statuses\n", file.path()).repeat(2));
}

#[test]
fn lint_names_a_rule_that_can_never_hold_and_a_line_that_changes_nothing() {
    let toml = "name = \"acme\"\n[read]\ncode = \"c\"\n[[rules]]\nwhen = { reason = \"x\" }\nclass = \"invalid\"\n";
    let file = TestFile::new("never.toml", toml.as_bytes());
    let ran = run(&["lint", file.path()], "");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let expected =
        format!("{}:5: rules[0].when.reason: never holds: no `reason` is read: say in `[read]`", file.path());
    assert!(ran.out.starts_with(&expected), "{}", ran.out);
    assert!(ran.out.ends_with(&format!("{}: 1 mistake\n", file.path())), "{}", ran.out);
    // Explain takes the file all the same.
    let out = run(&["explain", "--dialect", file.path()], "HTTP/1.1 404 x\n\n").quiet();
    assert!(out.starts_with("class     not_found"), "{out}");

    let file = TestFile::new("warned.toml", b"name = \"acme\"\n[retry]\nidempotent = \"PUT /a\"\n");
    let out = run(&["lint", file.path()], "").quiet();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with(&format!("{}:3: retry.idempotent: changes nothing: PUT is", file.path())), "{out}");
    assert_eq!(lines[1..], [format!("{}: no mistakes, 1 warning, 0 codes, 0 statuses", file.path())]);
}

#[test]
fn lint_reports_files_that_it_cannot_read() {
    let text = run(&["lint", "./nowhere.toml"], "").failed();
    assert!(text.starts_with("redress: cannot read ./nowhere.toml: "), "{text}");
    assert!(!run(&["lint"], "").failed().is_empty());
    for (toml, line) in [(&b"name = \"acme\"\n# \xff\n"[..], 2), (b"name = \"acme\"\n\nname = \n", 3)] {
        let ran = run(&["lint", "-"], toml);
        assert_eq!(ran.code, Some(1));
        assert!(ran.out.starts_with(&format!("standard input:{line}: expected TOML")), "{}", ran.out);
    }
}

#[test]
fn dialects_are_listed_and_shown() {
    let out = run(&["dialects"], "").quiet();
    for name in redress_envelope::dialects::NAMES {
        assert!(out.lines().any(|line| line.split_whitespace().next() == Some(name)), "{out}");
    }
    let out = run(&["dialects", "veridia"], "").quiet();
    assert!(out.starts_with("Veridia (veridia)\n\ncodes\n  code "), "{out}");
    for words in [
        &["insufficient_credits", "403", "quota_exhausted", "raise_limit", "The"][..],
        &["selfie_not_uploaded", "fix_request", "The"],
        &["429", "rate_limited", "retry", "Too"],
        &["POST", "/v1/verify/init", "60", "1", "min", "tenant"],
        &["wait", "after", "a", "429", "1", "s,"],
    ] {
        let is_row = |line: &str| line.split_whitespace().collect::<Vec<_>>().starts_with(words);
        assert!(out.lines().any(is_row), "{words:?}\n{out}");
    }
    let text = run(&["dialects", "acme"], "").failed();
    assert!(text.contains("unknown dialect `acme`"), "{text}");
}

#[test]
fn every_shipped_dialect_has_a_catalogue() {
    for name in redress_envelope::dialects::NAMES {
        let out = run(&["dialects", name], "").quiet();
        for section in ["codes", "reasons", "statuses", "limits", "retry advice"] {
            assert!(out.contains(&format!("\n{section}\n  ")), "{name}: {section}");
        }
    }
}

#[test]
fn a_dialect_shows_where_its_keys_go() {
    for (name, row) in
        [("stripe", "idempotency-key: POST"), ("paypal", "paypal-request-id: where the caller gives one")]
    {
        let out = run(&["dialects", name], "").quiet();
        assert!(out.contains(&format!("idempotency key  {row}")), "{name}: {out}");
    }
}

#[test]
fn the_dialect_of_a_file_is_shown_without_harm() {
    let toml = "name = \"acme\"\n[codes.\"E\\u001b[2J\"]\nclass = \"invalid\"\n\
        [retry]\nattempts = 3\nbase_ms = 500\nfactor = 2\ncap_ms = 8000\n";
    let file = TestFile::new("shown.toml", toml.as_bytes());
    let out = run(&["dialects", file.path()], "").quiet();
    assert!(out.contains("\n  E\\u{1b}[2J  -"), "{out}");
    assert!(out.contains("500 ms after the first attempt, then 2 times as long after each, at most 8 s"), "{out}");
}

#[test]
fn every_help_has_examples() {
    for (command, words) in [
        (&[][..], &["curl -si", "Exit codes:", "NO_COLOR"][..]),
        (&["explain"], &["redress explain --jsonl", "Exit codes:", "9007199254740991", "--now", "body_base64"]),
        (&["lint"], &["redress lint acme.toml", "Exit codes:"]),
        (&["dialects"], &["redress dialects veridia"]),
        (&["sandbox"], &["redress sandbox vlens --script faults.toml", "--dialect ./acme.toml", "[[fault]]"]),
        (&["completions"], &["redress completions zsh"]),
        #[cfg(feature = "store")]
        (&["store"], &["redress store clear", "Exit codes:", "expires_in_ms"]),
    ] {
        let out = run(&[command, &["--help"]].concat(), "").quiet();
        for word in [&["Examples:"], words].concat() {
            assert!(out.contains(word), "{command:?}: {word}\n{out}");
        }
    }
    assert!(run(&["--version"], "").quiet().starts_with("redress "));
}

#[test]
fn each_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let out = run(&["completions", shell], "").quiet();
        for word in ["explain", "jsonl", "chunk", "sandbox"] {
            assert!(out.contains(word), "{shell}: {word}");
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell], "").quiet().contains("veridia"), "{shell} offers the dialects");
    }
    assert!(!run(&["completions", "tcsh"], "").failed().is_empty());
}

#[test]
fn the_table_of_the_documentation_is_the_one_that_is_written() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dialects.md")).unwrap();
    let mark = "<!-- dialects: scripts/dialect-table writes the rest of this section -->\n";
    let section = page.split_once(mark).unwrap().1.split("\n## ").next().unwrap();
    let table = run(&["dialects", "--table"], "").quiet();
    assert_eq!(section.trim(), table.trim(), "run scripts/dialect-table");
}
