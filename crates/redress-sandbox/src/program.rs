//! The command line of the program `redress-sandbox`, which `redress sandbox` shares.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};

use redress_envelope::Dialect;

use crate::{Sandbox, Script, Vendor};

/// Arguments of the server.
#[derive(Debug, Args)]
pub struct Serve {
    /// The vendor to play
    #[arg(value_parser = vendor())]
    vendor: Option<Vendor>,

    /// The loopback address to listen on; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A TOML file of faults
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    script: Option<PathBuf>,

    /// A file to append every request to, as a line of JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    log: Option<PathBuf>,
}

impl Serve {
    /// Prints the address and the credentials, and serves until Ctrl-C.
    ///
    /// # Errors
    /// Fails on an invalid script, and on an address or a log file that cannot be opened. The error is
    /// a message for the user.
    pub fn run(self) -> Result<(), String> {
        self.serve(None).map_err(|error| chain(error.as_ref()))
    }

    /// Serves a dialect instead of a vendor: prints the address and how the dialect reads each scripted
    /// answer, and serves until Ctrl-C.
    ///
    /// # Errors
    /// Fails as [`run`](Self::run) does, if a vendor is given as well, and if the dialect cannot read
    /// an answer of the script.
    pub fn run_dialect(self, dialect: Dialect) -> Result<(), String> {
        self.serve(Some(dialect)).map_err(|error| chain(error.as_ref()))
    }

    fn serve(self, dialect: Option<Dialect>) -> Result<(), Box<dyn Error>> {
        let script = self.script.map(Script::read).transpose()?.unwrap_or_default();
        if let Some(dialect) = &dialect {
            script.check(dialect)?;
        }
        let described = dialect.as_ref().map(|dialect| script.describe_answers(dialect)).unwrap_or_default();
        let names = Vendor::ALL.map(Vendor::name).join(", ");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listening = match (self.vendor, dialect) {
                (Some(vendor), None) => Sandbox::listen(vendor, self.listen).await,
                (None, Some(dialect)) => Sandbox::listen_dialect(dialect, self.listen).await,
                (Some(vendor), Some(_)) => {
                    return Err(format!("expected a dialect or a vendor, found `{vendor}`, too").into());
                }
                (None, None) => return Err(format!("expected a vendor: one of {names}").into()),
            };
            let sandbox = listening.map_err(|error| format!("cannot listen: {error}"))?;
            if let Some(path) = &self.log {
                let shown = path.display();
                sandbox.log_to(path).map_err(|error| format!("cannot write the log {shown}: {error}"))?;
            }
            sandbox.add_script(script);
            // A closed standard output does not stop the server.
            let lines: String = described.iter().map(|line| format!("\n  {}", line.escape_debug())).collect();
            let answers = if lines.is_empty() { String::new() } else { format!("\n\nanswers, then 200: {{}}{lines}") };
            let _ = writeln!(std::io::stdout(), "{sandbox}{answers}\n\nCtrl-C stops.");
            tokio::signal::ctrl_c().await?;
            Ok(())
        })
    }
}

/// Lists the vendors for the help text and shell completions.
fn vendor() -> impl TypedValueParser<Value = Vendor> {
    let names = PossibleValuesParser::new(Vendor::ALL.map(Vendor::name));
    names.map(|name| name.parse::<Vendor>().expect("one of the names of all vendors"))
}

/// Joins the messages of an error and its sources.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
