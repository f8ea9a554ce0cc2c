//! The handle of a running server.

mod accept;
mod vendor_state;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use redress_envelope::Dialect;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use self::accept::accept;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::log::LogEntry;
use crate::route::Route;
use crate::script::Script;
use crate::scripted::Scripted;
use crate::server::Server;
use crate::vendor::{Api, Vendor};

/// A loopback HTTP server that imitates a vendor, or answers in the form of a dialect. Dropping it
/// stops the server and closes its connections.
///
/// The state is in memory and initially empty. Counters such as [`applicants`](Self::applicants) show
/// the effects of requests, so that a test can detect work that was done twice. They are zero for
/// vendors without such a resource, and a setting such as [`set_credits`](Self::set_credits) has no
/// effect there.
///
/// `Display` prints the address and the accepted credentials as an aligned table.
///
/// The server runs on the tokio runtime on which it was started, with HTTP/1.1 only. Do not pause the
/// clock of that runtime: a paused clock advances whenever all tasks wait for sockets.
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
    /// Starts a server on a free port of 127.0.0.1, with the vendor's published rate limits.
    ///
    /// # Errors
    ///
    /// Fails if no socket can be opened.
    pub async fn start(vendor: Vendor) -> io::Result<Self> {
        Self::listen(vendor, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts a server on this address, with the vendor's published rate limits. Port 0 selects a free
    /// port.
    ///
    /// # Errors
    ///
    /// Fails if the address is not a loopback address, or cannot be bound. Other addresses are refused
    /// because the credentials are public.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::listen(Vendor::Ranex, "[::1]:0".parse()?).await?;
    /// assert!(sandbox.url().starts_with("http://[::1]:"));
    /// let public = Sandbox::listen(Vendor::Ranex, "0.0.0.0:0".parse()?).await;
    /// assert!(public.unwrap_err().to_string().contains("not a loopback address"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn listen(vendor: Vendor, addr: SocketAddr) -> io::Result<Self> {
        Self::serve(Some(vendor), vendor.name().to_owned(), vendor.api(), addr).await
    }

    /// Starts a server on a free port of 127.0.0.1 that answers in the form of a dialect, such as your
    /// own.
    ///
    /// It has no routes, no state and no credentials. A request receives the scripted answer, or a 200
    /// with an empty object if no fault is left for it. Code and message of an error are written at the
    /// first path from which the dialect reads them. A `code` without a status has the status that the
    /// dialect documents.
    ///
    /// # Errors
    ///
    /// Fails if no socket can be opened.
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

    /// Starts a server on this address that answers in the form of a dialect. Port 0 selects a free
    /// port.
    ///
    /// # Errors
    ///
    /// Fails if the address is not a loopback address, or cannot be bound.
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

    /// Returns the vendor; `None` if the server answers in the form of a dialect.
    pub fn vendor(&self) -> Option<Vendor> {
        self.vendor
    }

    /// Returns the address of the server.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the base URL, `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Appends faults for a route: a method and a path whose `{name}` segments match any text, or `*`
    /// for every request.
    ///
    /// A request takes the oldest remaining fault whose route matches. Without one it is answered
    /// normally.
    ///
    /// # Panics
    ///
    /// Panics if `route` is not of that form.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # use http_body_util::{BodyExt, Empty};
    /// # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    /// # async fn get(url: String) -> Result<u16, Box<dyn std::error::Error>> {
    /// #     let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    /// #     let request = http::Request::get(url).header("X-Api-Key", "sandbox-key").header("X-Api-Secret", "sandbox-secret");
    /// #     Ok(client.request(request.body(Empty::new())?).await?.status().as_u16())
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// sandbox.script("GET /v1/applicants/{id}", [Fault::error(503), Fault::drop()]);
    ///
    /// let url = format!("{}/v1/applicants/7", sandbox.url());
    /// assert_eq!(get(url.clone()).await?, 503);
    /// assert!(get(url.clone()).await.is_err(), "the connection is closed");
    /// assert_eq!(get(url).await?, 404, "no fault is left: the vendor's own answer");
    /// assert_eq!(sandbox.unused_faults(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn script(&self, route: &str, faults: impl IntoIterator<Item = Fault>) {
        let route: Route = match route.parse() {
            Ok(route) => route,
            Err(error) => panic!("{error}"),
        };
        self.server.queue.push(faults.into_iter().map(|fault| (route.clone(), fault)));
    }

    /// Appends the faults of a script file.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// use redress_sandbox::Script;
    ///
    /// let script = Script::parse("outage.toml", "[[fault]]\nroute = '*'\nstatus = 503\nretry_after = '2'")?;
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// sandbox.add_script(script);
    /// let response = send(&sandbox, "GET /v1/applicants/7", "").await?;
    /// assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"2".parse()?));
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_script(&self, script: Script) {
        self.server.queue.push(script.into_faults());
    }

    /// Returns the number of requests that the remaining faults apply to. Zero at the end of a test
    /// shows that all faults occurred.
    pub fn unused_faults(&self) -> usize {
        self.server.queue.len()
    }

    /// Returns the requests so far, in order of arrival. An entry is written before the client can see
    /// the answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// sandbox.script("GET /v1/applicants/{id}", [Fault::drop()]);
    /// let _ = send(&sandbox, "GET /v1/applicants/7?expand=all", "").await;
    /// send(&sandbox, "GET /v1/applicants/7", "").await?;
    ///
    /// let log = sandbox.log();
    /// assert_eq!((log[0].path.as_str(), log[0].status), ("/v1/applicants/7", None));
    /// assert_eq!((log[1].method.as_str(), log[1].status), ("GET", Some(404)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn log(&self) -> Vec<LogEntry> {
        self.server.log.entries()
    }

    /// Copies all later entries to the end of a file, one line of JSON each, in the order in which the
    /// answers are decided.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened.
    pub fn log_to(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.server.log.copy_to(path.as_ref())
    }

    /// Returns the number of TCP connections accepted so far, which shows whether a client reuses them.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// send(&sandbox, "GET /v1/applicants/7", "").await?;
    /// send(&sandbox, "GET /v1/applicants/7", "").await?;
    /// assert_eq!(sandbox.connections(), 2, "each call of this example has a client of its own");
    /// # Ok(())
    /// # }
    /// ```
    pub fn connections(&self) -> usize {
        self.server.connections.load(Ordering::SeqCst)
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
