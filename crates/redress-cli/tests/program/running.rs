//! The program while it runs: streams, closed pipes, the sandbox.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout};
use std::sync::mpsc;
use std::time::Duration;

use crate::{TestFile, program, run};

/// Stops the program when a test ends, however it ends.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const JSONL: [&str; 4] = ["explain", "--jsonl", "--dialect", "veridia"];

/// Hands over the lines of a pipe as they come, so that a test can give up on one.
pub(crate) fn lines(pipe: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(pipe).lines().map_while(Result::ok);
        lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    receiver
}

#[test]
fn an_answer_comes_before_the_next_record() {
    let mut running = Running(program(&JSONL).spawn().unwrap());
    let mut input = running.0.stdin.take().unwrap();
    let answers = lines(running.0.stdout.take().unwrap());
    for id in 0..3 {
        writeln!(input, "{{\"id\":{id},\"status\":404}}").unwrap();
        let answer = answers.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(answer.starts_with(&format!("{{\"id\":{id},")), "{answer}");
    }
    drop(input);
    assert!(running.0.wait().unwrap().success());
}

#[test]
fn a_closed_pipe_ends_the_program_without_an_error() {
    for arguments in [&JSONL[..], &["explain", "--dialect", "veridia"], &["completions", "bash"], &["dialects"]] {
        let mut running = Running(program(arguments).spawn().unwrap());
        drop(running.0.stdout.take());
        let mut input = running.0.stdin.take().unwrap();
        // It may be gone before it has read all of this.
        let _ = match arguments.contains(&"--jsonl") {
            true => input.write_all("{\"status\":404}\n".repeat(20_000).as_bytes()),
            false => input.write_all(b"HTTP/1.1 404 x\n\n"),
        };
        drop(input);
        assert_eq!(running.0.wait().unwrap().code(), Some(0), "{arguments:?}");
        let mut text = String::new();
        running.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "", "{arguments:?}");
    }
}

#[test]
fn many_records_are_all_answered() {
    let records: String = (0..50_000).map(|id| format!("{{\"id\":{id},\"status\":{}}}\n", 200 + id % 400)).collect();
    let out = run(&JSONL, records).quiet();
    assert_eq!(out.lines().count(), 50_000);
    assert!(out.lines().last().unwrap().starts_with("{\"id\":49999,\"is_error\":true,\"class\":\"internal\""));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_an_error() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in
        [&JSONL[..], &["explain", "--json", "--dialect", "veridia"], &["dialects"], &["completions", "fish"]]
    {
        let mut command = program(arguments);
        command.stdout(full());
        let input = if arguments.contains(&"--jsonl") { "{\"status\":404}\n" } else { "HTTP/1.1 404 x\n\n" };
        let text = crate::finish(&mut command, input).failed();
        assert!(text.starts_with("redress: cannot write the output: "), "{arguments:?}: {text}");
    }
}

#[test]
fn the_sandbox_prints_its_address_and_serves() {
    let log = TestFile::new("requests.jsonl", b"");
    let mut running = Running(program(&["sandbox", "ranex", "--log", log.path()]).spawn().unwrap());
    let shown = lines(running.0.stdout.take().unwrap());
    let next = || shown.recv_timeout(Duration::from_secs(60)).unwrap();
    let first = next();
    let address = first.strip_prefix("ranex listens on http://").unwrap().to_owned();
    let rest: Vec<String> = std::iter::repeat_with(next).take_while(|line| !line.contains("Ctrl-C stops.")).collect();
    assert!(rest.iter().any(|line| line.contains("X-Api-Key") && line.contains("sandbox-key")), "{rest:?}");

    let mut stream = std::net::TcpStream::connect(address.trim()).unwrap();
    stream.write_all(b"GET /v1/applicants/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let explained = run(&["explain", "--dialect", "ranex"], answer).quiet();
    assert!(explained.starts_with("class     unauthenticated: "), "{explained}");
    assert!(std::fs::read_to_string(&log.0).unwrap().contains("\"path\":\"/v1/applicants/a\""));
}

const ACME: &str = r#"
name = "acme"
[error]
is_false = "ok"
[read]
code = "fault.id"
message = "fault.text"
[codes.E_BUSY]
status = 429
class = "rate_limited"
guidance = "Slow down."
"#;

const ANSWERS: &str = r#"
[[fault]]
route = "POST /v1/orders/{id}"
code = "E_BUSY"
retry_after = "1"
delay_ms = 20

[[fault]]
route = "POST /v1/orders/{id}"
status = 200
body = '{"ok":false,"fault":{"id":"E17","text":"No such street."}}'
headers = { x-request-id = "r1" }

[[fault]]
route = "GET /v1/orders"
kind = "drop"
"#;

/// Sends a request and returns all of the answer.
fn ask(address: &str, route: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "{route} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_sandbox_serves_a_dialect_of_the_user() {
    let (dialect, script) =
        (TestFile::new("own.toml", ACME.as_bytes()), TestFile::new("own-script.toml", ANSWERS.as_bytes()));
    let arguments = ["sandbox", "--dialect", dialect.path(), "--script", script.path()];
    let mut running = Running(program(&arguments).spawn().unwrap());
    let shown = lines(running.0.stdout.take().unwrap());
    let next = || shown.recv_timeout(Duration::from_secs(60)).unwrap();
    let first = next();
    let address = first.strip_prefix("acme listens on http://").unwrap().to_owned();
    let rest: Vec<String> = std::iter::repeat_with(next).take_while(|line| !line.contains("Ctrl-C stops.")).collect();
    for line in [
        "accepts any credentials, and none",
        "answers, then 200: {}",
        "  POST /v1/orders/{}  429: rate_limited, retry",
        "  POST /v1/orders/{}  200: unknown, contact_support",
        "  GET /v1/orders  no answer",
    ] {
        assert!(rest.iter().any(|shown| shown == line), "{line}: {rest:#?}");
    }

    // In order, by route; then successes.
    let busy = ask(&address, "POST /v1/orders/7");
    assert!(busy.starts_with("HTTP/1.1 429 ") && busy.contains("\r\nretry-after: 1\r\n"), "{busy}");
    assert!(busy.ends_with(r#"{"fault":{"id":"E_BUSY","text":"Slow down."}}"#), "{busy}");
    assert_eq!(ask(&address, "GET /v1/orders"), "");
    let signalled = ask(&address, "POST /v1/orders/8");
    assert!(signalled.starts_with("HTTP/1.1 200 ") && signalled.contains("\r\nx-request-id: r1\r\n"), "{signalled}");
    assert!(ask(&address, "POST /v1/orders/7").ends_with("\r\n\r\n{}"));
    for (answer, class) in [(busy, "rate_limited"), (signalled, "unknown")] {
        let explained = run(&["explain", "--dialect", dialect.path(), "--json"], answer).quiet();
        assert!(explained.contains(&format!("\"class\":\"{class}\"")), "{explained}");
    }

    #[cfg(unix)]
    {
        let process = running.0.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &process]).status().unwrap().success());
        assert_eq!(running.0.wait().unwrap().code(), Some(0), "Ctrl-C ends it");
    }
}

#[test]
fn the_sandbox_refuses_an_answer_that_the_dialect_would_not_read() {
    let dialect = TestFile::new("refusing.toml", ACME.as_bytes());
    for (answer, expected) in [
        (
            "status = 200\ncode = \"E17\"",
            "a 200 OK with these words is a success in the dialect, expected the whole `body`",
        ),
        ("status = 99", "invalid status 99, expected a number from 200 to 599"),
        ("stauts = 400", "unknown field `stauts`"),
    ] {
        let script = TestFile::new("refused.toml", format!("\n[[fault]]\nroute = \"*\"\n{answer}\n").as_bytes());
        let text = run(&["sandbox", "--dialect", dialect.path(), "--script", script.path()], "").failed();
        let line = if expected.starts_with("a 200") { 2 } else { 4 };
        assert!(text.contains(&format!("{}:{line}: {expected}", script.path())), "{text}");
    }
    let none = TestFile::new("no-code.toml", b"name = \"a\"\n[read]\ncode = { header = \"x-code\" }\n");
    let script = TestFile::new("coded.toml", b"[[fault]]\nroute = \"*\"\ncode = \"E1\"\n");
    let text = run(&["sandbox", "--dialect", none.path(), "--script", script.path()], "").failed();
    assert!(
        text.contains(":1: `a` cannot read this `code` from a member of a body, expected `body` or `headers`"),
        "{text}"
    );
    let text = run(&["sandbox", "ranex", "--dialect", dialect.path()], "").failed();
    assert!(text.contains("cannot be used with"), "{text}");
    let text = run(&["sandbox"], "").failed();
    assert!(text.contains("expected a vendor: one of vlens, veridia"), "{text}");
}

#[test]
fn the_sandbox_refuses_scripts_that_it_cannot_serve() {
    let text = run(&["sandbox", "ranex", "--listen", "0.0.0.0:0"], "").failed();
    assert!(text.contains("cannot listen: 0.0.0.0:0 is not a loopback address"), "{text}");
    let text = run(&["sandbox", "acme"], "").failed();
    assert!(text.contains("vlens, veridia"), "{text}");
    let script = TestFile::new("faults.toml", b"[[fault]]\nroute = \"*\"\nstatus = 99\n");
    let text = run(&["sandbox", "ranex", "--script", script.path()], "").failed();
    assert!(text.contains(&format!("{}:3: invalid status 99", script.path())), "{text}");
    let text = run(&["sandbox", "ranex", "--script", "./nowhere.toml"], "").failed();
    assert!(text.contains("cannot read the script ./nowhere.toml: "), "{text}");
}
