//! A server of HTTP/2 that answers every unary call alike, from frames that are made once: nearly all of the work is the client's.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The bytes before the frames of a client (RFC 9113 section 3.4).
const PREFACE: usize = 24;
/// The head of a frame: 24 bits of length, type, flags, 31 bits of stream.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The head and the trailers in HPACK, as a server sends them: the first call's go into the table of the connection, and those
/// of all later calls are indices of it.
const FIRST: Fields = Fields { head: b"\x88\x5f\x10application/grpc", trailers: b"\x40\x0bgrpc-status\x010" };
const LATER: Fields = Fields { head: b"\x88\xbf", trailers: b"\xbe" };

/// The header fields before and after the message of an answer, in HPACK.
#[derive(Clone, Copy)]
struct Fields {
    head: &'static [u8],
    trailers: &'static [u8],
}

/// Serves one connection until the client closes it; the answer to each call is `message`.
pub(super) async fn serve(mut connection: DuplexStream, message: Bytes) -> io::Result<()> {
    let mut input = [0; 256];
    connection.read_exact(&mut input[..PREFACE]).await?;
    let mut output = frame(SETTINGS, 0, 0, &[]);
    // The window of the connection is as large as it can be: it is never opened again.
    output.extend(frame(WINDOW_UPDATE, 0, 0, &(0x7fff_ffff_u32 - 0xffff).to_be_bytes()));
    connection.write_all(&output).await?;
    let mut fields = FIRST;
    loop {
        connection.read_exact(&mut input[..HEAD]).await?;
        let [a, b, c, kind, flags, stream @ ..] = input.first_chunk::<HEAD>().expect("nine bytes");
        let (kind, flags, stream) = (*kind, *flags, u32::from_be_bytes(*stream));
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let payload =
            input.get_mut(..length).ok_or_else(|| io::Error::other("a frame that no call of the benches has"))?;
        connection.read_exact(payload).await?;
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let payload: &[u8] = if kind == PING { payload } else { &[] };
                connection.write_all(&frame(kind, ACK, 0, payload)).await?;
            }
            DATA | HEADERS if flags & END_STREAM != 0 => {
                connection.write_all(&answer(fields, stream, &message)).await?;
                fields = LATER;
            }
            _ => {}
        }
    }
}

fn answer(fields: Fields, stream: u32, message: &[u8]) -> Vec<u8> {
    let mut frames = frame(HEADERS, END_HEADERS, stream, fields.head);
    frames.extend(frame(DATA, 0, stream, message));
    frames.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, fields.trailers));
    frames
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(128);
    let length = u32::try_from(payload.len()).expect("a short frame");
    frame.extend(&length.to_be_bytes()[1..]);
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
