//! One client's connection: reads request frames, handles them, writes response frames.
//!
//! ```text
//! read   [size][request 1][size][request 2][size][requ
//! step    1: append, respond     2: append, respond       -> out: [response 1][response 2]
//! write  [response 1][response 2]                          one system call for both
//! ```
//!
//! A producer sends up to five requests before it reads a response. All complete frames of a read
//! are handled before anything is written, so that their responses share a system call. A request
//! that must wait is the exception: the responses collected so far are written first.
//!
//! A frame longer than [`FRAME_BYTES_MAX`] closes the connection before any memory is allocated.
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

/// The minimum read buffer. It fits several requests of a producer with default settings.
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
        // Handle every complete frame in the buffer.
        while let Some(size) = frame_size(&buffer)?.filter(|size| buffer.len() >= 4 + size) {
            buffer.advance(4);
            let frame = buffer.split_to(size).freeze();
            let key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
            let api = APIS.iter().position(|it| Some(it.key) == key);
            let _timed = api.map(|it| server.requests[it].start());
            match handle(&server.broker, &host, frame) {
                Step::Respond(frame) => send(&mut stream, &mut out, &frame).await?,
                // With acks=0 no producer waits, but consumers see the records only after a flush.
                Step::Silent { needs_flush: true } => server.maintenance.flush_soon(),
                Step::Silent { needs_flush: false } => {}
                Step::Close(reason) => {
                    stream.write_all(&out).await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                }
                Step::Delay(waiting) => {
                    write_out(&stream, &mut out, NO_MORE).await?;
                    // A shutdown interrupts waits for other clients, which may take minutes, but
                    // not waits for the disk, which end soon.
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

        // Reserve space for the rest of a long frame at once, so that it takes few reads.
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

/// The size of the frame at the start of the buffer. None until its four bytes have arrived.
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

/// Waits until a delayed request can be answered, which can take minutes. None if the client
/// disconnects first: its group must stop waiting for it.
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
                server.maintenance.flush_soon();
            }
            ready
        });
        tokio::select! {
            biased;
            frame = ready => return Ok(Some(frame)),
            () = &mut time_is_over => return Ok(Some(waiting.finish())),
            // Only a read notices a disconnect. Pipelined requests stay in the buffer until later.
            count = stream.read_buf(buffer), if buffer.len() < READ_BYTES => if count? == 0 {
                return Ok(None);
            },
        }
    }
}
