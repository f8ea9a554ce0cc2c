//! The sandbox as a program: a command line, and serving until Ctrl-C.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};

use redress_envelope::Dialect;

use crate::{Sandbox, Script, Vendor};

/// What to serve, and where.
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
    /// A script with a mistake, or an address or a log that cannot be used: a sentence for people.
    pub fn run(self) -> Result<(), String> {
        self.serve(None).map_err(|error| chain(error.as_ref()))
    }

    /// Serves a dialect instead of a vendor: prints the address and what the dialect makes of each scripted answer, and
    /// serves until Ctrl-C.
    ///
    /// # Errors
    /// As [`run`](Self::run); a vendor beside the dialect, and an answer that the dialect does not read.
    pub fn run_dialect(self, dialect: Dialect) -> Result<(), String> {
        self.serve(Some(dialect)).map_err(|error| chain(error.as_ref()))
    }

    fn serve(self, dialect: Option<Dialect>) -> Result<(), Box<dyn Error>> {
        let script = self.script.map(Script::read).transpose()?.unwrap_or_default();
        if let Some(dialect) = &dialect {
            script.check(dialect)?;
        }
        let told = dialect.as_ref().map(|dialect| script.told(dialect)).unwrap_or_default();
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
            sandbox.play(script);
            // It serves on, whether or not somebody reads this.
            let told: String = told.iter().map(|line| format!("\n  {}", line.escape_debug())).collect();
            let answers = if told.is_empty() { String::new() } else { format!("\n\nanswers, then 200: {{}}{told}") };
            let _ = writeln!(std::io::stdout(), "{sandbox}{answers}\n\nCtrl-C stops.");
            tokio::signal::ctrl_c().await?;
            Ok(())
        })
    }
}

/// Names the vendors, so that help and completions list them.
fn vendor() -> impl TypedValueParser<Value = Vendor> {
    let names = PossibleValuesParser::new(Vendor::ALL.map(Vendor::name));
    names.map(|name| name.parse::<Vendor>().expect("one of the names of all vendors"))
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
