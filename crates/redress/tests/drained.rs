//! A failed response that is brought to its end leaves its connection for the next attempt: counted at the server.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::transport::Hyper;
use redress::{Jitter, RedressLayer, Schedule, dialects};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower::{Layer, ServiceExt};

const KIB: usize = 1024;

/// A server that answers its first request with a 503, whose last bytes it holds back until the client has decided what to
/// do, and every other one with a 200.
#[derive(Default)]
struct Server {
    connections: AtomicUsize,
    requests: AtomicUsize,
    decided: Notify,
}

impl Server {
    async fn serve(self: Arc<Self>, listener: TcpListener, rest: usize) {
        while let Ok((stream, _)) = listener.accept().await {
            self.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(Arc::clone(&self).connection(stream, rest));
        }
    }

    async fn connection(self: Arc<Self>, mut stream: TcpStream, rest: usize) {
        let mut buffer = [0; 4096];
        // Each request comes in one piece.
        while stream.read(&mut buffer).await.is_ok_and(|len| len > 0) {
            let written = if self.requests.fetch_add(1, Ordering::SeqCst) == 0 {
                self.fail(&mut stream, rest).await
            } else {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await
            };
            if written.is_err() {
                return;
            }
        }
    }

    async fn fail(&self, stream: &mut TcpStream, rest: usize) -> std::io::Result<()> {
        let length = 64 * KIB + rest;
        stream.write_all(format!("HTTP/1.1 503 Busy\r\ncontent-length: {length}\r\n\r\n").as_bytes()).await?;
        // One byte more than the client reads of an error by itself.
        stream.write_all(&vec![b'x'; 64 * KIB + 1]).await?;
        self.decided.notified().await;
        stream.write_all(&vec![b'x'; rest - 1]).await
    }
}

/// Sends one call, which is tried twice, and returns how many connections it took.
async fn connections(rest: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/v1/things", listener.local_addr().expect("it is bound"));
    let server = Arc::new(Server::default());
    let serving = tokio::spawn(Arc::clone(&server).serve(listener, rest));
    let wait = Schedule { base: Duration::from_millis(100), factor: NonZeroU32::MIN, cap: Duration::from_millis(100) };
    let decided = Arc::clone(&server);
    let layer = RedressLayer::new(dialects::veridia()).backoff(|backoff| {
        // A random number is drawn for each decision.
        let decide = move || {
            decided.decided.notify_one();
            0
        };
        backoff.jitter(Jitter::None).transient_backoff(wait).random(decide)
    });
    let transport = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let request = Request::get(url).body(Full::<Bytes>::default()).expect("legal parts");
    let response = layer.layer(transport).oneshot(request).await.expect("a response");
    assert_eq!((response.status().as_u16(), server.requests.load(Ordering::SeqCst)), (200, 2));
    serving.abort();
    server.connections.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_small_rest_is_drained_and_the_connection_used_again() {
    assert_eq!(connections(6 * KIB).await, 1);
    assert_eq!(connections(200 * KIB).await, 2, "a long rest costs more than a new connection");
}
