//! `redress sandbox`: serves one vendor's sandbox on a loopback address until Ctrl-C.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use redress_sandbox::{Sandbox, Script};

use crate::arguments;
use crate::failure::Failure;

/// Serves until Ctrl-C.
pub(crate) fn run(arguments: arguments::Sandbox) -> Result<ExitCode, Failure> {
    serve(arguments).map_err(|error| Failure::Told(chain(error.as_ref())))?;
    Ok(ExitCode::SUCCESS)
}

fn serve(arguments: arguments::Sandbox) -> Result<(), Box<dyn Error>> {
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
        // It serves on, whether or not somebody reads this.
        let _ = writeln!(std::io::stdout(), "{sandbox}\n\nCtrl-C stops.");
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
