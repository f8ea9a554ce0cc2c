//! Unknown words are answered with the nearest known one.

use crate::{TestFile, TestFolder, finish, program, run};

#[test]
fn an_unknown_dialect_is_answered_with_the_nearest_name() {
    let suggested = |name: &str| {
        let text = run(&["explain", "--dialect", name], "HTTP/1.1 404 x\n\n").failed();
        text.split('`').nth(3).filter(|_| text.contains("did you mean `")).map(str::to_owned)
    };
    for (name, expected) in
        [("strip", Some("stripe")), ("Stripe", Some("stripe")), ("githb", Some("github")), ("zzz", None), ("q", None)]
    {
        assert_eq!(suggested(name).as_deref(), expected, "{name}");
    }
}

#[test]
fn a_file_beside_a_name_is_named() {
    let folder = TestFolder::new("beside", &[("acme.toml", "name = \"acme\"\n")]);
    for arguments in [&["dialects", "acme"][..], &["explain", "--dialect", "acme"], &["sandbox", "--dialect", "acme"]] {
        let text = finish(program(arguments).current_dir(&folder.0), "HTTP/1.1 404 x\n\n").failed();
        let start = "redress: unknown dialect `acme`, did you mean `./acme.toml`? expected a TOML file or one of ";
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn lint_suggests_keys_and_values() {
    let toml = "name = \"acme\"\nextends = \"strip\"\n[error]\nisfalse = \"ok\"\n\
        [[limits]]\nroutes = [\"* /**\"]\nrequests = 3\nper = 1\n[codes.E1]\nclass = \"unavailible\"\n";
    let file = TestFile::new("near.toml", toml.as_bytes());
    let ran = run(&["lint", file.path()], "");
    for mistake in [
        ":2: extends: did you mean \"stripe\"? expected one of ",
        ":4: error.isfalse: unknown key, did you mean `is_false`? expected one of ",
        ":8: limits[0].per: unknown key, did you mean `per_s`? expected one of ",
        ":10: codes.E1.class: did you mean \"unavailable\"? expected one of ",
    ] {
        assert!(ran.out.contains(mistake), "{mistake}\n{}", ran.out);
    }
}

#[cfg(feature = "lab")]
#[test]
fn the_lab_suggests_scenarios_policies_checks_and_keys() {
    let near =
        "name = \"own\"\nlenght = \"10s\"\nclients = { rate = 5.0 }\nserver = { kind = \"fifo\", rate = 50.0 }\n";
    let scenario = TestFile::new("near-scenario.toml", near.as_bytes());
    let kind = near.replace("lenght", "length").replace("fifo", "fif");
    let kind = TestFile::new("near-kind.toml", kind.as_bytes());
    for (arguments, expected) in [
        (&["lab", "run", "blackhole"][..], "unknown scenario `blackhole`, did you mean `black-hole`? expected "),
        (&["lab", "list", "flaping"], "unknown scenario `flaping`, did you mean `flapping`? expected "),
        (&["lab", "run", "flapping", "--only", "bakon"], "unknown policy `bakon`, did you mean `backon`? expected "),
        (&["lab", "check", "hurd"], "unknown check `hurd`, did you mean `herd`? expected "),
        (&["lab", "run", scenario.path()], "did you mean `length`?"),
        (&["lab", "run", kind.path()], "did you mean `fifo`?"),
    ] {
        let text = run(arguments, "").failed();
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    let folder = TestFolder::new("beside-scenario", &[("mine.toml", near)]);
    let text = finish(program(&["lab", "run", "mine"]).current_dir(&folder.0), "").failed();
    assert!(text.contains("unknown scenario `mine`, did you mean `./mine.toml`? expected "), "{text}");
}
