//! `redress store`: shows and removes the records that processes share through a store.
//!
//! ```text
//! $ redress store show /var/lib/portal/redress
//! portal/main/token
//!   kind           token
//!   version        7, written 12 s ago
//!   generation     3, expires in 48 min
//!   ...
//! ```
//!
//! It reads the records as the layers write them ([`contents`]). The values of headers and refresh tokens are skipped, not read, so
//! that nothing can print them.

mod contents;
mod files;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(not(feature = "postgres"))]
mod postgres {
    pub(super) use super::without_postgres as run;
}
#[cfg(feature = "redis")]
mod redis;
#[cfg(not(feature = "redis"))]
mod redis {
    pub(super) use super::without_redis as run;
}
mod show;
#[cfg(feature = "tls")]
mod tls;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueHint};
use redress_store::{BoxError, Store};

use crate::failure::Failure;
use crate::help;
use crate::output::print;
use crate::text::escaped;

/// The exit code if a record that should be removed is not there.
const NOT_FOUND: u8 = 1;
/// The longest URL that is read from standard input.
const LONGEST_URL: u64 = 64 << 10;

/// Shows or removes the records of a store that several processes share.
#[derive(Debug, Args)]
#[command(after_help = help::STORE)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    Show(ShowArgs),
    Clear(ClearArgs),
}

/// Shows the records: kinds, versions, ages, leases, cool-downs, permits and tokens of budgets, and nothing of a credential.
#[derive(Debug, Args)]
#[command(after_help = help::STORE)]
struct ShowArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// Show these records and those below them, instead of all
    #[arg(value_name = "KEY")]
    keys: Vec<String>,

    /// Write one JSON object per record and line
    #[arg(long)]
    json: bool,
}

/// Removes records. Processes that use one write it anew, as after its loss.
#[derive(Debug, Args)]
#[command(after_help = help::STORE)]
struct ClearArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// The records to remove
    #[arg(value_name = "KEY", required_unless_present = "ended")]
    keys: Vec<String>,

    /// Remove the records whose lifetime has passed
    #[arg(long, conflicts_with = "keys")]
    ended: bool,
}

/// Where the records are.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// A directory, or a URL of `redis://`, `rediss://` or `postgres://`; `-` reads the URL from standard input
    #[arg(value_name = "STORE", value_hint = ValueHint::DirPath)]
    store: String,

    /// The directory belongs to the processes of a group
    #[arg(long)]
    group: bool,

    /// The text before each key in Redis
    #[arg(long, value_name = "TEXT", default_value = "redress:")]
    prefix: String,

    /// The table in Postgres
    #[arg(long, value_name = "NAME", default_value = "redress_records")]
    table: String,

    /// Speak TLS, and trust the authorities of this file in PEM alone, and not what the system trusts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca: Option<PathBuf>,
}

/// A store whose keys can be listed and removed.
trait Records: Store {
    /// Returns the keys of all records, sorted.
    async fn keys(&self) -> Result<Vec<String>, BoxError>;

    /// Removes a record. Returns `false` if there was none.
    async fn remove(&self, key: &str) -> Result<bool, BoxError>;

    /// Removes the records whose lifetime has passed.
    async fn remove_ended(&self) -> Result<(), BoxError>;
}

/// Runs the command on the store of its scheme.
pub(crate) fn run(arguments: &StoreArgs) -> Result<ExitCode, Failure> {
    let place = match &arguments.command {
        StoreCommand::Show(show) => &show.place,
        StoreCommand::Clear(clear) => &clear.place,
    };
    let address = match place.store.as_str() {
        "-" => &url_of_input()?,
        store => store,
    };
    if cfg!(not(feature = "tls")) && (place.ca.is_some() || address.starts_with("rediss://")) {
        return Err(without("tls"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Message(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        match address.split_once("://") {
            Some(("redis" | "rediss", _)) => redis::run(address, place, &arguments.command).await,
            Some(("postgres" | "postgresql", _)) => postgres::run(address, place, &arguments.command).await,
            // The rest of a URL may contain a password.
            Some((scheme, _)) => Err(Failure::Message(format!(
                "unknown store `{}://`: expected a directory, redis://HOST or postgres://USER@HOST/DATABASE",
                escaped(scheme)
            ))),
            None if place.ca.is_some() => Err(Failure::Message("`--ca` needs the URL of a server".to_owned())),
            None => act(&files::open(Path::new(address), place.group)?, &arguments.command).await,
        }
    })
}

/// Runs the command on a store.
async fn act(store: &impl Records, command: &StoreCommand) -> Result<ExitCode, Failure> {
    match command {
        StoreCommand::Show(ShowArgs { keys, json, .. }) => {
            print(&show::records(store, keys, *json).await.map_err(failed)?)?;
            Ok(ExitCode::SUCCESS)
        }
        StoreCommand::Clear(ClearArgs { ended: true, .. }) => {
            store.remove_ended().await.map_err(failed)?;
            Ok(ExitCode::SUCCESS)
        }
        StoreCommand::Clear(ClearArgs { keys, .. }) => clear(store, keys).await,
    }
}

/// Removes records, and says of each whether it was there.
async fn clear(store: &impl Records, keys: &[String]) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for key in keys {
        let was_there = store.remove(key).await.map_err(failed)?;
        if !was_there {
            code = ExitCode::from(NOT_FOUND);
        }
        print(&format!("{}: {}\n", escaped(key), if was_there { "removed" } else { "no such record" }))?;
    }
    Ok(code)
}

/// Reads a URL from standard input, where the list of processes does not show its password.
fn url_of_input() -> Result<String, Failure> {
    let mut url = String::new();
    io::stdin()
        .take(LONGEST_URL)
        .read_to_string(&mut url)
        .map_err(|error| Failure::Message(format!("cannot read the URL from standard input: {error}")))?;
    Ok(url.trim().to_owned())
}

/// The errors of the stores contain no password and nothing of a value.
fn failed(error: impl Into<BoxError>) -> Failure {
    Failure::Message(error.into().to_string())
}

#[cfg(not(feature = "redis"))]
async fn without_redis(_: &str, _: &PlaceArgs, _: &StoreCommand) -> Result<ExitCode, Failure> {
    Err(without("redis"))
}

#[cfg(not(feature = "postgres"))]
async fn without_postgres(_: &str, _: &PlaceArgs, _: &StoreCommand) -> Result<ExitCode, Failure> {
    Err(without("postgres"))
}

fn without(feature: &str) -> Failure {
    Failure::Message(format!(
        "this program was built without its feature `{feature}`: install it with `--features {feature}`"
    ))
}
