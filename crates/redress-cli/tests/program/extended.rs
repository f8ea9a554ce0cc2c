//! Dialect files that extend files in their folder, wherever `--dialect FILE` is taken.

use crate::{TestFolder, finish, program, run};

const BASE: &str = "name = \"base\"\n[read]\ncode = \"fault.id\"\n[codes.E1]\nclass = \"conflict\"\n";
const ACME: &str = "name = \"acme\"\nextends = \"./shared/base.toml\"\n[read]\nmessage = \"fault.text\"\n";
const RESPONSE: &str = "HTTP/1.1 400 Bad Request\n\n{\"fault\":{\"id\":\"E1\",\"text\":\"Taken.\"}}";

#[test]
fn each_command_reads_the_files_that_a_dialect_extends() {
    let folder = TestFolder::new("extends", &[("acme.toml", ACME), ("shared/base.toml", BASE)]);
    let acme = folder.path("acme.toml");
    let out = run(&["lint", &acme], "").quiet();
    assert_eq!(out, format!("{acme}: no mistakes, 1 code, 0 statuses\n"));
    let out = run(&["dialects", &acme], "").quiet();
    assert!(out.starts_with("base (acme)\n") && out.contains("\n  E1    "), "{out}");
    let out = run(&["explain", "--dialect", &acme, "--json"], RESPONSE).quiet();
    assert!(out.contains("\"class\":\"conflict\"") && out.contains("\"message\":\"Taken.\""), "{out}");
    // A name counts from the folder of the file, not from the folder in hand.
    let out = finish(program(&["lint", "acme.toml"]).current_dir(&folder.0), "").quiet();
    assert_eq!(out, "acme.toml: no mistakes, 1 code, 0 statuses\n");
}

#[test]
fn mistakes_are_reported_in_every_extended_file() {
    let base = "name = \"base\"\n[codes.E1]\nclass = \"oops\"\n";
    let folder = TestFolder::new("row", &[("acme.toml", ACME), ("shared/base.toml", base)]);
    let (acme, base) = (folder.path("acme.toml"), folder.path("shared/base.toml"));
    let ran = run(&["lint", &acme], "");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!((ran.code, lines.len()), (Some(1), 3), "{}", ran.out);
    assert_eq!(
        lines[0],
        format!("{acme}:2: extends: expected a file without mistakes, found 1 mistake in {base}, from line 3 on")
    );
    assert!(lines[1].starts_with(&format!("{base}:3: codes.E1.class: expected one of ")), "{}", ran.out);
    assert_eq!(lines[2], format!("{acme}: 2 mistakes"));
    let text = run(&["explain", "--dialect", &acme], RESPONSE).failed();
    assert!(text.contains(&format!("\n{base}:3: codes.E1.class: ")), "{text}");
}

#[test]
fn no_file_outside_of_the_folder_is_read() {
    let outside = TestFolder::new("outside", &[("base.toml", BASE)]);
    let folder = TestFolder::new("inside", &[("a.toml", "name = \"a\"\nextends = \"./gone.toml\"\n"), ("d/x", "")]);
    let lint = |extends: &str| {
        let path = folder.path("b.toml");
        std::fs::write(&path, format!("name = \"b\"\nextends = '{extends}'\n")).unwrap();
        let ran = run(&["lint", &path], "");
        assert_eq!(ran.code, Some(1), "{extends}");
        ran.out.lines().next().unwrap().trim_start_matches(&format!("{path}:2: extends: ")).to_owned()
    };
    let up = format!("../redress-cli-{}-outside/base.toml", std::process::id());
    for extends in [&up, &format!("./{up}"), &outside.path("base.toml"), "base.toml"] {
        assert!(lint(extends).starts_with("expected a file in the folder of this one or below it"), "{extends}");
    }
    assert!(lint("./d").contains("it is not a regular file"));
    assert!(lint("./gone.toml").contains("gone.toml: No such file"));
    assert!(lint("./a.toml").contains("found 1 mistake in "));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path("base.toml"), folder.path("link.toml")).unwrap();
        assert!(lint("./link.toml").contains("link.toml: it leads to "));
        std::os::unix::fs::symlink(&outside.0, folder.path("way")).unwrap();
        assert!(lint("./way/base.toml").contains("base.toml: it leads to "));
        std::os::unix::fs::symlink(folder.path("d/x"), folder.path("within.toml")).unwrap();
        assert!(lint("./within.toml").contains("within.toml, from line 1 on"));
    }
}

#[test]
fn standard_input_extends_no_file() {
    let ran = run(&["lint", "-"], "name = \"a\"\nextends = \"./base.toml\"\n");
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("give the path of the file instead of `-`"), "{}", ran.out);
}
