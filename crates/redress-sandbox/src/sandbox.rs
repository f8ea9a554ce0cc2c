//! A running server.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use redress_envelope::Dialect;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::credential::Credential;
use crate::fault::Fault;
use crate::log::Entry;
use crate::route::Route;
use crate::script::Script;
use crate::scripted::Scripted;
use crate::server::Server;
use crate::tokens::Tokens;
use crate::vendor::{Api, Vendor};

/// A loopback HTTP server that plays one vendor, or answers in the form of a dialect. It stops, and cuts its connections, when it is dropped.
///
/// The state lives in memory and is empty at the start. The witnesses, such as [`applicants`](Self::applicants), count what
/// the vendor has; they are zero for vendors that have no such thing, and a switch such as
/// [`set_credits`](Self::set_credits) has no effect there.
///
/// `Display` writes the address and the accepted credentials as an aligned table.
///
/// The server runs on the tokio runtime it was started on, with HTTP/1.1 only. Do not pause that runtime's clock: a paused
/// clock jumps ahead whenever everybody waits for a socket.
///
/// # Examples
///
/// ```
/// use redress_sandbox::{Fault, Sandbox, Vendor};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let sandbox = Sandbox::start(Vendor::Ranex).await?;
/// sandbox.script("POST /v1/applicants", [Fault::error(503).retry_after("1")]);
///
/// assert!(sandbox.url().starts_with("http://127.0.0.1:"));
/// assert_eq!(sandbox.unused_faults(), 1);
/// assert!(sandbox.log().is_empty());
/// # Ok(())
/// # }
/// ```
#[must_use = "a sandbox stops when it is dropped"]
pub struct Sandbox {
    vendor: Option<Vendor>,
    server: Arc<Server>,
    addr: SocketAddr,
    task: AbortHandle,
}

impl Sandbox {
    /// Starts a server on a free port of 127.0.0.1, with the vendor's published limits.
    ///
    /// # Errors
    ///
    /// When no socket can be opened.
    pub async fn start(vendor: Vendor) -> io::Result<Self> {
        Self::listen(vendor, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts a server on this address, with the vendor's published limits. Port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// When the address is not a loopback address (the credentials are public), or cannot be listened on.
    pub async fn listen(vendor: Vendor, addr: SocketAddr) -> io::Result<Self> {
        Self::serve(Some(vendor), vendor.name().to_owned(), vendor.api(), addr).await
    }

    /// Starts a server on a free port of 127.0.0.1 that answers in the form of a dialect, such as one of your own.
    ///
    /// It has no routes, no state and no credentials: a request is answered as a script says, and with a 200 and an empty
    /// object where none is left for it. The words of an error stand where the dialect reads them first: a `code` without a
    /// status has the one that the dialect documents.
    ///
    /// # Errors
    ///
    /// When no socket can be opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_envelope::Dialect;
    /// use redress_sandbox::{Fault, Sandbox};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let toml = "name = \"acme\"\n[read]\ncode = \"fault.id\"\n[codes.E_BUSY]\nstatus = 429\nclass = \"rate_limited\"\n";
    /// let sandbox = Sandbox::start_dialect(Dialect::from_toml("acme.toml", toml)?).await?;
    /// sandbox.script("POST /v1/orders", [Fault::answer().code("E_BUSY").retry_after("3")]);
    /// // The next POST is answered with a 429 and {"fault":{"id":"E_BUSY"}}.
    /// assert_eq!(sandbox.unused_faults(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_dialect(dialect: Dialect) -> io::Result<Self> {
        Self::listen_dialect(dialect, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts a server on this address that answers in the form of a dialect. Port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// When the address is not a loopback address, or cannot be listened on.
    pub async fn listen_dialect(dialect: Dialect, addr: SocketAddr) -> io::Result<Self> {
        Self::serve(None, dialect.name().to_owned(), Arc::new(Scripted::new(dialect)), addr).await
    }

    async fn serve(vendor: Option<Vendor>, name: String, api: Arc<dyn Api>, addr: SocketAddr) -> io::Result<Self> {
        if !addr.ip().is_loopback() {
            let message =
                format!("{addr} is not a loopback address, expected one such as 127.0.0.1:8080 or [::1]:8080");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let server = Arc::new(Server::new(name, api));
        let task = tokio::spawn(accept(listener, Arc::clone(&server))).abort_handle();
        Ok(Self { vendor, server, addr, task })
    }

    /// Returns the vendor that the server plays; `None` where it answers in the form of a dialect.
    pub fn vendor(&self) -> Option<Vendor> {
        self.vendor
    }

    /// Returns the address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the base URL, `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Appends faults for a route: a method and a path, whose `{name}` segments match anything, or `*` for every request.
    ///
    /// A request takes the oldest fault left that its route matches. Without one it is answered normally.
    ///
    /// # Panics
    ///
    /// When `route` is not of that form.
    pub fn script(&self, route: &str, faults: impl IntoIterator<Item = Fault>) {
        let route: Route = match route.parse() {
            Ok(route) => route,
            Err(error) => panic!("{error}"),
        };
        self.server.queue.push(faults.into_iter().map(|fault| (route.clone(), fault)));
    }

    /// Appends the faults of a script file.
    pub fn play(&self, script: Script) {
        self.server.queue.push(script.into_faults());
    }

    /// Counts the requests that scripted faults still wait for. Zero at the end of a test shows that all of them happened.
    pub fn unused_faults(&self) -> usize {
        self.server.queue.len()
    }

    /// Returns the requests so far, in order of arrival. A request is in the log before its client can see the answer.
    pub fn log(&self) -> Vec<Entry> {
        self.server.log.entries()
    }

    /// Appends every later entry to a file, as a line of JSON each, in the order in which the answers are decided.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn log_to(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.server.log.copy_to(path.as_ref())
    }

    /// Counts the TCP connections accepted so far.
    pub fn connections(&self) -> usize {
        self.server.connections.load(Ordering::SeqCst)
    }

    /// Expires all access tokens issued so far (vlens, maleslab). Refresh tokens stay alive.
    pub fn expire_tokens(&self) {
        if let Some(tokens) = self.server.api.tokens() {
            tokens.expire();
        }
    }

    /// Revokes all refresh tokens issued so far (vlens, maleslab). Access tokens stay alive.
    pub fn revoke_refresh_tokens(&self) {
        if let Some(tokens) = self.server.api.tokens() {
            tokens.revoke_refresh_tokens();
        }
    }

    /// Returns the generation of the newest access token: one more with each token issued, zero before the first.
    pub fn generation(&self) -> u64 {
        self.server.api.tokens().map_or(0, Tokens::generation)
    }

    /// Chooses where vlens reports business and token errors: at the status that fits them, or at 200, which is the default.
    pub fn errors_at_status(&self, at_status: bool) {
        self.server.api.set_errors_at_status(at_status);
    }

    /// Lifts the vendor's limits per minute (veridia, ranex), for tests that send a lot.
    pub fn lift_limits(&self) {
        if let Some(limits) = self.server.api.limits() {
            limits.lift();
        }
    }

    /// Sets how many more verifications can be started (veridia). A new sandbox has a million.
    pub fn set_credits(&self, credits: u64) {
        self.server.api.set_credits(credits);
    }

    /// Returns how many more verifications can be started (veridia).
    pub fn credits(&self) -> u64 {
        self.server.api.tally().credits
    }

    /// Counts the applicants that exist (ranex): a repeated creation must not add one.
    pub fn applicants(&self) -> usize {
        self.server.api.tally().applicants
    }

    /// Counts the verifications started (ranex, veridia): a repeated request adds one.
    pub fn verifications(&self) -> usize {
        self.server.api.tally().verifications
    }

    /// Counts the documents added (ranex): a repeated request adds one.
    pub fn documents(&self) -> usize {
        self.server.api.tally().documents
    }

    /// Counts the sessions that exist (verilock).
    pub fn sessions(&self) -> usize {
        self.server.api.tally().sessions
    }

    /// Counts the collections that exist (maleslab).
    pub fn collections(&self) -> usize {
        self.server.api.tally().collections
    }

    /// Counts the faces in all collections (maleslab).
    pub fn faces(&self) -> usize {
        self.server.api.tally().faces
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("plays", &self.server.name).field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = self.vendor.map_or(&[][..], Vendor::credentials);
        let width =
            |column: fn(&Credential) -> &str| credentials.iter().map(|row| column(row).len()).max().unwrap_or(0);
        let (place, name, value) = (width(|row| row.place), width(|row| row.name), width(|row| row.value));
        write!(f, "{} listens on {}\n\naccepts", self.server.name, self.url())?;
        if self.vendor.is_none() {
            return f.write_str(" any credentials, and none");
        }
        for row in credentials {
            let line = format!("{:place$}  {:name$}  {:value$}  {}", row.place, row.name, row.value, row.limits);
            write!(f, "\n  {}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Accepts connections until it is aborted; the connections go with it.
async fn accept(listener: TcpListener, server: Arc<Server>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely out of file descriptors, which takes a moment to pass.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        server.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(stream, Arc::clone(&server)));
    }
}

async fn serve(stream: TcpStream, server: Arc<Server>) {
    // Without it an answer of two packets waits for the client's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| server.exchange(request));
    // An error here is a cut on purpose, or a client that went away; both end the connection.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}
