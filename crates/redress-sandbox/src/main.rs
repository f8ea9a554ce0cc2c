//! `redress-sandbox`: serves one vendor's sandbox on a loopback address until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;
use redress_sandbox::program::Serve;

const EXAMPLES: &str = "\
Examples:
  Serve ranex on a free port:
    redress-sandbox ranex

  Serve veridia on a port of your choice, and log every request:
    redress-sandbox veridia --listen 127.0.0.1:8080 --log requests.jsonl

  Answer the first two logins with 503 and a wait of three seconds:
    redress-sandbox vlens --script faults.toml

    with this faults.toml:
      [[fault]]
      route = \"POST /api/credentials/Login\"
      times = 2
      status = 503
      retry_after = \"3\"";

/// Serves a loopback sandbox of an identity-verification vendor that fails on demand.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    serve: Serve,
}

fn main() -> ExitCode {
    match Arguments::parse().serve.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redress-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
