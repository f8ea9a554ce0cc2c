//! The program `redress-sandbox`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

/// Stops the program when a test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_redress-sandbox"))
}

fn fail(arguments: &[&str]) -> (Output, String) {
    let output = program().args(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    (output, text)
}

#[test]
fn it_prints_its_address_and_its_credentials() {
    let child = program().arg("ranex").stdout(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    let lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.contains("Ctrl-C")).collect();
    assert!(lines[0].starts_with("ranex listens on http://127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[2], "accepts");
    assert_eq!(lines[3], "  header  X-Api-Key     sandbox-key");
    assert_eq!(lines[4], "  header  X-Api-Secret  sandbox-secret");
}

#[test]
fn it_refuses_a_non_loopback_address() {
    let (_, text) = fail(&["ranex", "--listen", "0.0.0.0:0"]);
    assert!(text.contains("cannot listen: 0.0.0.0:0 is not a loopback address"), "{text}");
}

#[test]
fn it_refuses_a_vendor_it_does_not_know() {
    let (_, text) = fail(&["acme"]);
    assert!(text.contains("possible values: vlens, veridia"), "{text}");
}

#[test]
fn it_reports_the_line_of_a_mistake_in_a_script() {
    let path = std::env::temp_dir().join(format!("redress-sandbox-{}.toml", std::process::id()));
    fs::write(&path, "[[fault]]\nroute = \"*\"\nstatus = 99\n").unwrap();
    let (_, text) = fail(&["ranex", "--script", path.to_str().unwrap()]);
    fs::remove_file(&path).unwrap();
    let expected = format!("{}:3: invalid status 99, expected a number from 200 to 599", path.display());
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn it_names_a_missing_script() {
    let (_, text) = fail(&["ranex", "--script", "/nowhere/faults.toml"]);
    assert!(text.contains("cannot read the script /nowhere/faults.toml: "), "{text}");
}

#[test]
fn its_help_has_examples() {
    let output = program().arg("--help").output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("redress-sandbox veridia --listen 127.0.0.1:8080"));
}
