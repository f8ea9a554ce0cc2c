//! The mark of a request that must not wait.

/// Among the extensions of a request: it fails at once instead of waiting for a cool-down, an outage or a limit.
///
/// It is [`PaceLayer::fail_fast`](crate::PaceLayer::fail_fast) for one request: for a page that a person waits for, beside jobs
/// that wait. The error [`is_paced`](redress_classify::Error::is_paced), with the time to come back. Such a request still probes
/// an outage when a probe is due.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use redress_classify::dialects;
/// use redress_pace::{FailFast, PaceLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limited = PaceLayer::new(dialects::generic()).layer(service_fn(|_: Request<()>| async {
///     Response::builder().status(429).header("retry-after", "30").body(())
/// }));
/// limited.clone().oneshot(Request::get("https://api.example/v1/reports").body(())?).await?;
///
/// let hurried = Request::get("https://api.example/v1/reports").extension(FailFast).body(())?;
/// let error = limited.oneshot(hurried).await.expect_err("it would wait for 30 s");
/// assert!(error.is_paced() && error.retry_at().is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FailFast;
