//! Uploads that stream, through the whole stack: what the second attempt sends is what the first one was to send.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use redress::CloneBody;
use redress::{
    BoxError, Dialect, EndReason, Redress, RedressLayer, ReplayBody, ResponseExt, layers::try_clone_request,
};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneService};

const FRAMES: [&str; 3] = ["first ", "second ", "third"];
const TEXT: &str = "first second third";

/// Streams frames of unknown length.
struct Upload(VecDeque<&'static str>);

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|frame| Ok(Frame::data(Bytes::from(frame)))))
    }
}

fn upload() -> Upload {
    Upload(FRAMES.into())
}

fn put<B>(url: &str, body: B) -> Request<B> {
    Request::put(format!("{url}/v1/files/a")).body(body).expect("legal parts")
}

fn stack<S>(transport: S) -> Redress<S> {
    let dialect = Dialect::from_toml("silent.toml", "name = \"silent\"\n").expect("the file is right");
    RedressLayer::new(dialect)
        .backoff(|backoff| backoff.max_attempts(NonZeroU32::new(3).expect("not zero")))
        .layer(transport)
}

type Noting<B> = BoxCloneService<Request<B>, Response<Empty<Bytes>>, BoxError>;
type Sent = Arc<Mutex<Vec<Bytes>>>;

/// A transport that notes what each attempt sends before it answers with the next status.
fn noting<B>(statuses: &[u16]) -> (Noting<B>, Sent)
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let sent = Sent::default();
    let statuses = Arc::new(Mutex::new(statuses.iter().copied().collect::<VecDeque<_>>()));
    let noted = sent.clone();
    let transport = service_fn(move |request: Request<B>| {
        let (noted, statuses) = (noted.clone(), statuses.clone());
        async move {
            let bytes = request.into_body().collect().await.map_err(Into::into)?.to_bytes();
            noted.lock().expect("no panic").push(bytes);
            let status = statuses.lock().expect("no panic").pop_front().expect("an answer for each attempt");
            Ok::<_, BoxError>(Response::builder().status(status).body(Empty::new()).expect("a status"))
        }
    });
    (BoxCloneService::new(transport), sent)
}

#[tokio::test(start_paused = true)]
async fn the_second_attempt_of_an_upload_carries_identical_bytes() {
    let (transport, sent) = noting(&[503, 503, 200]);
    let response = stack(transport).oneshot(put("https://api.example", ReplayBody::new(upload()))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(*sent.lock().unwrap(), [TEXT, TEXT, TEXT]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_over_its_limit_goes_out_once_and_the_original_answer_comes_back() {
    let (transport, sent) = noting(&[503]);
    let body = ReplayBody::with_limit(upload(), 10);
    let response = stack(transport).oneshot(put("https://api.example", body)).await.unwrap();
    assert_eq!(*sent.lock().unwrap(), [TEXT]);
    assert_eq!(response.status(), 503);
    assert_eq!(response.record().map(|record| record.end_reason()), Some(EndReason::NotClonable));
}

#[tokio::test(start_paused = true)]
async fn of_reqwests_bodies_a_buffered_one_is_sent_again_and_a_streaming_one_once() {
    let (transport, sent) = noting(&[503, 200]);
    let request = put("https://api.example", reqwest::Body::from(TEXT));
    assert_eq!(stack(transport).oneshot(request).await.unwrap().status(), 200);
    assert_eq!(*sent.lock().unwrap(), [TEXT, TEXT]);

    let (transport, sent) = noting(&[503]);
    let request = put("https://api.example", reqwest::Body::wrap(upload()));
    assert!(try_clone_request(&request).is_none());
    let response = stack(transport).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.record().map(|record| record.end_reason()), Some(EndReason::NotClonable));
    assert_eq!(*sent.lock().unwrap(), [TEXT]);
}

#[test]
fn a_buffered_body_of_reqwest_is_whole_and_its_copy_has_its_bytes() {
    let body = reqwest::Body::from(TEXT);
    let copy = body.try_clone().expect("it is buffered");
    assert!(copy.is_whole());
    assert_eq!(copy.as_bytes(), Some(TEXT.as_bytes()));
    assert_eq!(reqwest::Body::default().try_clone().and_then(|copy| copy.as_bytes().map(<[u8]>::len)), Some(0));
    assert!(reqwest::Body::wrap(upload()).try_clone().is_none());
}
