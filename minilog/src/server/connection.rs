//! One client: frames in, steps, frames out.
//!
//! ```text
//! read   [size][request 1][size][request 2][size][requ
//! step    1: append, respond     2: append, respond       -> out: [response 1][response 2]
//! write  [response 1][response 2]                          one system call for both
//! ```
//!
//! A producer sends up to five requests before it reads a response. All complete frames of a read
//! are handled before anything is written, so that their responses share a system call. A request
//! that waits is the exception: what is due is written first.
//!
//! A frame that is longer than [`FRAME_BYTES_MAX`] closes the connection before anything is
//! allocated for it.
//!
//! Kafka counterpart: `SocketServer.Processor` and `NetworkReceive.java`.

use super::Server;
use super::send::{NO_MORE, blocking, send, write_out};
use crate::handlers::{Delayed, FRAME_BYTES_MAX, Step, handle};
use crate::wire::APIS;
use crate::wire::codec::Frame;
use bytes::{Buf, BytesMut};
use minikit::server::{Shutdown, Stream};
use minilog_purgatory::Purgatory;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The least room to read into: several requests of a producer with default settings.
const READ_BYTES: usize = 64 * 1024;

/// Serves a client until either side closes.
pub async fn serve(
    server: &Server,
    purgatory: &Purgatory,
    mut stream: Stream,
    shutdown: Shutdown,
) -> io::Result<()> {
    let mut requested = pin!(shutdown.requested());
    let (mut buffer, mut out) = (BytesMut::new(), Vec::new());
    let peer = stream.peer();
    let host = format!("/{}", peer.rsplit_once(':').map_or("", |(host, _)| host));
    loop {
        // Everything that is complete.
        while let Some(size) = frame_size(&buffer)?.filter(|size| buffer.len() >= 4 + size) {
            buffer.advance(4);
            let frame = buffer.split_to(size).freeze();
            let key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
            let api = APIS.iter().position(|it| Some(it.key) == key);
            let _timed = api.map(|it| server.requests[it].start());
            match handle(&server.broker, &host, frame) {
                Step::Respond(frame) => send(&mut stream, &mut out, &frame).await?,
                // Nobody waits for it, but consumers may see it only after the flush.
                Step::Silent { needs_flush: true } => server.upkeep.flush_soon(),
                Step::Silent { needs_flush: false } => {}
                Step::Close(reason) => {
                    stream.write_all(&out).await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                }
                Step::Delay(waiting) => {
                    write_out(&stream, &mut out, NO_MORE).await?;
                    // At a shutdown the disk answers soon, and other clients do not.
                    let is_interrupted = !waiting.needs_flush();
                    let waited = tokio::select! {
                        () = &mut requested, if is_interrupted => None,
                        frame = wait(server, purgatory, waiting, &mut stream, &mut buffer) => {
                            frame?
                        }
                    };
                    let Some(frame) = waited else { return Ok(()) };
                    send(&mut stream, &mut out, &frame).await?;
                }
                Step::Blocking(job) => {
                    write_out(&stream, &mut out, NO_MORE).await?;
                    send(&mut stream, &mut out, &blocking(job).await).await?;
                }
            }
        }
        write_out(&stream, &mut out, NO_MORE).await?;

        // Room for the rest of a long frame at once, or for whatever comes.
        let rest = frame_size(&buffer)?.map_or(0, |size| 4 + size - buffer.len());
        buffer.reserve(rest.max(READ_BYTES));
        tokio::select! {
            () = &mut requested => return Ok(()),
            count = stream.read_buf(&mut buffer) => if count? == 0 {
                return Ok(());
            },
        }
    }
}

/// The size of the frame at the start of the buffer, once it is there.
fn frame_size(buffer: &BytesMut) -> io::Result<Option<usize>> {
    let Some(size) = buffer.first_chunk::<4>() else { return Ok(None) };
    let size = i32::from_be_bytes(*size);
    match usize::try_from(size) {
        Ok(size) if size <= FRAME_BYTES_MAX => Ok(Some(size)),
        _ => {
            let text = format!("a request of {size} bytes; at most {FRAME_BYTES_MAX} are allowed");
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
    }
}

/// Waits for a request, for minutes perhaps. None if the client has disconnected meanwhile: its
/// group must not count on it.
async fn wait(
    server: &Server,
    purgatory: &Purgatory,
    mut waiting: Box<dyn Delayed>,
    stream: &mut Stream,
    buffer: &mut BytesMut,
) -> io::Result<Option<Frame>> {
    let mut time_is_over = pin!(purgatory.timer(waiting.timeout()));
    loop {
        let ready = poll_fn(|context| {
            let ready = waiting.poll(context);
            if ready.is_pending() && waiting.needs_flush() {
                server.upkeep.flush_soon();
            }
            ready
        });
        tokio::select! {
            biased;
            frame = ready => return Ok(Some(frame)),
            () = &mut time_is_over => return Ok(Some(waiting.finish())),
            // Reading is how a disconnection is noticed. What a client sends ahead waits its turn.
            count = stream.read_buf(buffer), if buffer.len() < READ_BYTES => if count? == 0 {
                return Ok(None);
            },
        }
    }
}
