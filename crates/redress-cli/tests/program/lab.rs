//! `redress lab run` with the user's own scenarios and policies.

use crate::{TestFile, TestFolder, run};

const SCENARIO: &str = "name = \"own\"\nlength = \"10s\"\ndialect = \"./acme.toml\"\n\
    clients = { rate = 5.0, deadline = \"5s\" }\nserver = { kind = \"fifo\", rate = 50.0 }\n\
    fault = [{ kind = \"answer\", from = \"2s\", for = \"2s\", answer = { status = 200, body = '{\"ok\":false,\"c\":\"E1\"}' } }]\n";
const ACME: &str = "name = \"acme\"\nextends = \"./base.toml\"\n";
const BASE: &str = "name = \"base\"\n[error]\nis_false = \"ok\"\n[read]\ncode = \"c\"\n\
    [codes.E1]\nclass = \"unavailable\"\n";

/// Runs a scenario with two policies and returns the lines of JSON.
fn lines(scenario: &str) -> Vec<serde_json::Value> {
    let out = run(&["lab", "run", scenario, "--only", "none,redress", "--json"], "").quiet();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_scenario_names_the_file_of_a_dialect() {
    let files = [("s.toml", SCENARIO), ("acme.toml", ACME), ("base.toml", BASE)];
    let folder = TestFolder::new("scenario", &files);
    let own = lines(&folder.path("s.toml"));
    assert_eq!(own.len(), 2, "{own:?}");
    // In the dialect `generic` the answers of the fault are successes, which are not retried.
    let generic = TestFile::new("generic.toml", SCENARIO.replace("./acme.toml", "generic").as_bytes());
    let generic = lines(generic.path());
    let of_redress = |lines: &[serde_json::Value]| lines[1]["attempts_per_call"].as_f64().unwrap();
    assert!(of_redress(&own) > 1.0, "{own:?}");
    assert!((of_redress(&generic) - 1.0).abs() < f64::EPSILON, "{generic:?}");
}

#[test]
fn the_dialect_of_a_scenario_lies_in_its_folder_and_has_no_mistakes() {
    let outside = TestFile::new("outside.toml", b"name = \"acme\"\n");
    let wrong = "name = \"acme\"\n[codes.E1]\nclass = \"oops\"\n";
    let folder = TestFolder::new("scenario-wrong", &[("wrong.toml", wrong)]);
    let up = format!("../{}", outside.0.file_name().unwrap().to_str().unwrap());
    for (dialect, expected) in [
        ("./wrong.toml", "wrong.toml:3: codes.E1.class: expected one of "),
        ("./gone.toml", "gone.toml: "),
        (&up, "outside of"),
        (outside.path(), "outside of"),
        ("strip", "did you mean `stripe`?"),
        ("wrong", "did you mean `./wrong.toml`?"),
    ] {
        let path = folder.path("s.toml");
        std::fs::write(&path, SCENARIO.replace("./acme.toml", dialect)).unwrap();
        let text = run(&["lab", "run", &path], "").failed();
        assert!(text.starts_with(&format!("redress: {path}: ")) && text.contains(expected), "{dialect}: {text}");
    }
}

#[test]
fn clients_runs_each_scenario_with_each_number_of_processes() {
    let scenario = TestFile::new("sizes.toml", SCENARIO.replace("./acme.toml", "generic").as_bytes());
    let rows = |more: &[&str]| {
        let out =
            run(&[&["lab", "run", scenario.path(), "--only", "none,redress", "--json"], more].concat(), "").quiet();
        let rows = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.map(|row| (row["clients"].as_u64().unwrap(), row["calls"].as_f64().unwrap())).collect::<Vec<_>>()
    };
    let calls = rows(&[])[0].1;
    assert_eq!(rows(&[]), [(1, calls), (1, calls)]);
    assert_eq!(rows(&["--clients", "1,10,1"]), [(1, calls), (1, calls), (10, calls), (10, calls)]);
    let out = run(&["lab", "run", scenario.path(), "--only", "none", "--clients", "10"], "").quiet();
    assert!(out.starts_with("own, 10 clients  "), "{out}");
    run(&["lab", "run", scenario.path(), "--clients", "0"], "").failed();
}

#[test]
fn goals_and_domination_fail_a_run_unless_an_exception_says_so() {
    // Without a success nothing can be won by a retry.
    let down = SCENARIO.replace("./acme.toml", "generic").replace("deadline = \"5s\"", "deadline = \"30s\"");
    let down =
        down.replace("from = \"2s\", for = \"2s\", answer = { status = 200", "from = \"0s\", answer = { status = 503");
    let scenario = TestFile::new("down.toml", down.as_bytes());
    let judged = |option: &str, exceptions: &str| {
        let list = TestFile::new("exceptions.toml", exceptions.as_bytes());
        let only = ["lab", "run", scenario.path(), "--only", "none,redress", "--exceptions", list.path()];
        run(&[&only[..], &[option, "redress"]].concat(), "")
    };
    let entry = |kind: &str, far: f64| {
        format!(
            "[[exception]]\npolicy = \"redress\"\nscenario = \"own\"\n{kind}\nfar = {far:.1}\nreason = \"nothing helps\"\n"
        )
    };
    for (option, kind, failure) in [
        (
            "--undominated",
            "dominated_by = \"none\"\nfigure = \"load\"",
            "redress is dominated by none in own, clients 1: load",
        ),
        ("--goals", "goal = \"load\"", "redress misses the goal load in own, clients 1, by "),
    ] {
        let unlisted = judged(option, "");
        assert_eq!(unlisted.code, Some(1), "{}", unlisted.err);
        assert!(unlisted.err.starts_with(&format!("redress: {failure}")), "{}", unlisted.err);
        assert_eq!(unlisted.out.contains("goals of redress"), option == "--goals");
        let listed = judged(option, &entry(kind, 500.0));
        assert_eq!((listed.code, &*listed.err), (Some(0), ""), "{option}");
        let worse = judged(option, &entry(kind, 1.0));
        assert!(worse.code == Some(1) && worse.err.contains("and its exception says 1.0"), "{}", worse.err);
        let more = entry(kind, 500.0) + &entry(&kind.replace("load", "recovery"), 9.0);
        let unneeded = judged(option, &more);
        assert_eq!(unneeded.code, Some(0), "{}", unneeded.err);
        assert!(
            unneeded.err.starts_with("redress: note: the exception is no longer needed: redress "),
            "{}",
            unneeded.err
        );
    }
    assert!(
        judged("--goals", "[[exception]]\npolicy = \"redress\"\n").err.contains("exceptions.toml: TOML parse error")
    );
}

#[test]
fn a_policy_that_has_nothing_to_retry_does_not_fail_a_run() {
    let text = SCENARIO.replace("./acme.toml", "generic").replace("rate = 5.0", "rate = 5.0, post = 1.0");
    let text = text.replace("for = \"2s\", answer = { status = 200", "for = \"5s\", answer = { status = 500");
    let scenario = TestFile::new("posts.toml", text.as_bytes());
    let done = run(&["lab", "run", scenario.path()], "");
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.err.lines().all(|line| line.starts_with("redress: note: ")), "{}", done.err);
}

#[test]
fn only_takes_the_name_of_a_policy_of_a_file() {
    let scenario = TestFile::new("short.toml", SCENARIO.replace("./acme.toml", "generic").as_bytes());
    let policy = TestFile::new("policy.toml", b"name = \"patient\"\nmax_attempts = 5\n");
    let names = |only: &str| {
        let arguments = ["lab", "run", scenario.path(), "--policy", policy.path(), "--only", only, "--csv"];
        let out = run(&arguments, "").quiet();
        let rows = out.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned());
        rows.collect::<Vec<_>>()
    };
    assert_eq!(names("patient"), ["patient"]);
    assert_eq!(names("none,patient"), ["none", "patient"]);
    assert_eq!(names("none"), ["none", "patient"], "a file is always run");
    let text = run(&["lab", "run", "black-hole", "--policy", policy.path(), "--only", "patent"], "").failed();
    assert!(text.contains("unknown policy `patent`, did you mean `patient`? expected one of "), "{text}");
}

#[test]
fn a_mistake_in_a_policy_is_reported_before_unknown_names() {
    for (toml, expected) in [
        ("max_atempts = 5", "did you mean `max_attempts`?"),
        ("jitter = \"eqal\"", "did you mean `equal`?"),
        ("max_attempts = 0", "expected a nonzero u32"),
        ("attempts = 2\nmax_attempts = 3", "duplicate field"),
    ] {
        let policy = TestFile::new("wrong-policy.toml", toml.as_bytes());
        let text = run(&["lab", "run", "black-hole", "--policy", policy.path(), "--only", "patient"], "").failed();
        assert!(text.starts_with(&format!("redress: {}: ", policy.path())) && text.contains(expected), "{text}");
    }
    // The former name of the key.
    let scenario = TestFile::new("former-short.toml", SCENARIO.replace("./acme.toml", "generic").as_bytes());
    let policy = TestFile::new("former.toml", b"name = \"former\"\nattempts = 2\n");
    run(&["lab", "run", scenario.path(), "--policy", policy.path(), "--only", "former"], "").quiet();
}
