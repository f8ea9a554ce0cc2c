//! Uploads a file as a stream, and again from its beginning when the connection breaks off.
//!
//! ```text
//! cargo run --example upload
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;
use redress::transport::Reqwest;
use redress::{Phase, RedressLayer, ReplayBody, ResponseExt, dialects};
use redress_sandbox::{Fault, Sandbox};
use tower::{Layer, ServiceExt};

/// A file, in frames of 16 KiB. It reads on the spot, which suits a local disk; for others read in a task.
struct FileBody {
    file: File,
    left: u64,
}

impl FileBody {
    fn open(path: &std::path::Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let left = file.metadata()?.len();
        Ok(Self { file, left })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut buffer = vec![0; 16 << 10];
        Poll::Ready(match self.file.read(&mut buffer) {
            Ok(0) => None,
            Ok(read) => {
                buffer.truncate(read);
                self.left = self.left.saturating_sub(read as u64);
                Some(Ok(Frame::data(buffer.into())))
            }
            Err(error) => Some(Err(error)),
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Sandbox::start_dialect(dialects::generic()).await?;
    let path = std::env::temp_dir().join(format!("redress-upload-{}", std::process::id()));
    std::fs::write(&path, vec![b'x'; 100_000])?;

    let transport = Reqwest::new(Reqwest::client_builder())?;
    let service = RedressLayer::new(dialects::generic()).layer(transport);

    // The body is kept while it is sent, up to 1 MiB, so that it can be sent again. PUT is idempotent.
    server.script("PUT /files/a", [Fault::drop()]);
    let body = ReplayBody::with_limit(FileBody::open(&path)?, 1 << 20);
    let request = Request::put(format!("{}/files/a", server.url())).body(body)?;
    let response = service.clone().oneshot(request).await?.ok_or_api_error()?;
    println!("{}: {}", response.status(), response.record().expect("it was sent twice"));
    assert_eq!(server.log().len(), 2);

    // Beyond its limit, which is 64 KiB unless set, a body is sent once: the failure comes up, and says that the file may have arrived.
    server.script("PUT /files/b", [Fault::drop()]);
    let body = ReplayBody::new(FileBody::open(&path)?);
    let request = Request::put(format!("{}/files/b", server.url())).body(body)?;
    let error = service.clone().oneshot(request).await.map(drop).expect_err("the answer is lost");
    println!("{error}");
    assert_eq!((error.phase(), server.log().len()), (Phase::MaybeProcessed, 3));

    std::fs::remove_file(path)?;
    Ok(())
}
