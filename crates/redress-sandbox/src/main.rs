//! `redress-sandbox`: serves one vendor's sandbox on a loopback address until Ctrl-C.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use redress_sandbox::{Sandbox, Script, Vendor};

const EXAMPLES: &str = "\
Examples:
  Serve ranex on a free port:
    redress-sandbox ranex

  Serve veridia on a port of your choice, and write down every request:
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
    /// The vendor to play: vlens, veridia, ranex, maleslab or verilock.
    vendor: Vendor,

    /// The loopback address to listen on; port 0 takes a free port.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A TOML file of faults.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,

    /// A file to append every request to, as a line of JSON.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redress-sandbox: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let script = arguments.script.map(Script::read).transpose()?.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let sandbox = Sandbox::listen(arguments.vendor, arguments.listen)
            .await
            .map_err(|error| format!("cannot listen: {error}"))?;
        if let Some(path) = &arguments.log {
            let shown = path.display();
            sandbox.log_to(path).map_err(|error| format!("cannot write the log {shown}: {error}"))?;
        }
        sandbox.play(script);
        println!("{sandbox}\n\nCtrl-C stops.");
        tokio::signal::ctrl_c().await?;
        Ok(())
    })
}

/// Joins an error and its sources.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
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
