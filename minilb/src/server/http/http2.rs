//! HTTP/2 to clients: each stream is one HTTP/1.1 exchange.
//!
//! The crate `h2` has the frames, HPACK and flow control. What it gives for a stream is turned into
//! bytes of HTTP/1.1, and the response's bytes into frames. So the exchange stays the one place
//! where requests are proxied, and its parser checks what HTTP/2 could smuggle in:
//!
//! ```text
//! HEADERS :method POST, :path /a, :authority x   ──>  POST /a HTTP/1.1 · Host: x · chunked
//! DATA 5 bytes                                   ──>  5 · hello
//! DATA END_STREAM                                ──>  0
//! HEADERS :status 200, content-length 2          <──  HTTP/1.1 200 OK · Content-Length: 2
//! DATA 2 bytes, END_STREAM                       <──  ok
//! ```
//!
//! A stream reads its end only when its client has reset it, or the response is complete: the end
//! of the request body is said by its framing, as in HTTP/1.1.
//!
//! # Limits
//!
//! ```text
//! a client may                                                              then
//! have 128 streams at a time                                                 REFUSED_STREAM
//! send 64 KiB of body per stream that nobody has taken                       it waits
//! send heads of 32 KiB in any number of CONTINUATION frames                  431, or GOAWAY
//! open and reset streams faster than their tasks end: twice 128 of them      GOAWAY
//! have 128 resets of ours, and 20 streams that it reset unseen               GOAWAY
//! ```
//!
//! Capacity is given back when the exchange takes the bytes, which it does only while its buffer
//! towards the server has room. So a slow server slows the client down.
//!
//! NGINX counterpart: `ngx_http_v2.c`, which has the same idea: a stream gets a fake connection and
//! a request of its own.

use crate::server::forward::Endpoint;
use crate::wire::http1::body::{Decoder, Encoder};
use crate::wire::http1::framing::{Framing, ResponseFraming};
use crate::wire::http1::head::{HEAD_BYTES_MAX, ResponseHead};
use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
};
use http::{Method, Request, Response, StatusCode};
use minikit::server::Shutdown;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `http2_max_concurrent_streams`, NGINX's default.
const STREAMS_MAX: u32 = 128;
/// Streams whose tasks have not ended, those that were reset included.
const TASKS_MAX: usize = 2 * STREAMS_MAX as usize;
/// A stream's window, and what it may buffer towards the client.
const WINDOW_BYTES: u32 = 64 * 1024;
/// The window of a connection: sixteen streams may send at full speed.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const RESETS_MAX: usize = 20;

/// Serves a connection: calls `start` with each stream and its number.
///
/// It ends when the client closes, after `requests_max` streams, when no stream was open for
/// `idle`, or at shutdown; streams that are open are finished first.
pub async fn serve(
    io: impl Endpoint,
    requests_max: u64,
    idle: Duration,
    shutdown: &Shutdown,
    mut start: impl FnMut(Http2Stream, u64),
) {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_send_buffer_size(WINDOW_BYTES as usize)
        .max_concurrent_reset_streams(RESETS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(Some(STREAMS_MAX as usize))
        .reset_stream_duration(Duration::from_secs(1));
    let handshake = tokio::time::timeout(idle, builder.handshake::<_, Bytes>(io));
    let Ok(Ok(mut connection)) = handshake.await else { return };

    // Each stream has a share of it until its task has ended.
    let tasks = Rc::new(());
    let mut requested = pin!(shutdown.requested());
    let (mut requests, mut is_ending) = (0, false);
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            () = tokio::time::sleep(idle) => {
                match (Rc::strong_count(&tasks), is_ending) {
                    // One more round for a client that does not answer the GOAWAY.
                    (1, true) => return,
                    (1, false) => is_ending = true,
                    _ => continue,
                }
                connection.graceful_shutdown();
                continue;
            }
            () = &mut requested, if !is_ending => {
                is_ending = true;
                connection.graceful_shutdown();
                continue;
            }
        };
        let Some(Ok((request, respond))) = accepted else { return };
        if Rc::strong_count(&tasks) > TASKS_MAX {
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            continue;
        }

        requests += 1;
        start(Http2Stream::new(request, respond, Rc::clone(&tasks)), requests);
        if requests >= requests_max {
            is_ending = true;
            connection.graceful_shutdown();
        }
    }
}

/// A stream, as a connection that carries one exchange of HTTP/1.1.
pub struct Http2Stream {
    /// Of the request, not yet read.
    input: Vec<u8>,
    read: usize,
    /// The rest of the request body; `None` after its end.
    body: Option<RecvStream>,
    encoder: Encoder,
    is_head: bool,
    output: Output,
    _task: Rc<()>,
}

/// The state of the response.
enum Output {
    /// Its head so far.
    Head(SendResponse<Bytes>, Vec<u8>, ResponseHead),
    /// Its head was sent.
    Body(SendStream<Bytes>, Decoder),
    /// Its end was sent.
    Done,
}

impl Http2Stream {
    fn new(request: Request<RecvStream>, respond: SendResponse<Bytes>, task: Rc<()>) -> Self {
        let (parts, body) = request.into_parts();
        let has_length = parts.headers.contains_key(CONTENT_LENGTH);
        let framing = match body.is_end_stream() {
            true => Framing::None,
            // The decoder of the exchange wants no number from this one.
            false if has_length => Framing::Length(0),
            false => Framing::Chunked,
        };
        Http2Stream {
            input: request_head(&parts, framing),
            read: 0,
            body: (framing != Framing::None).then_some(body),
            encoder: Encoder::new(ResponseFraming::Framed(framing)),
            is_head: parts.method == Method::HEAD,
            output: Output::Head(respond, Vec::new(), ResponseHead::default()),
            _task: task,
        }
    }

    /// Ready when the client has reset the stream, or there is nothing more to say on it.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.output {
            Output::Head(respond, ..) => respond.poll_reset(cx).map(|_| ()),
            Output::Body(stream, _) => stream.poll_reset(cx).map(|_| ()),
            Output::Done => Poll::Ready(()),
        }
    }

    /// Sends as much of a body as flow control allows. Ready with the number of bytes taken.
    fn poll_body(
        stream: &mut SendStream<Bytes>,
        decoder: &mut Decoder,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        stream.reserve_capacity(bytes.len().min(WINDOW_BYTES as usize));
        while stream.capacity() == 0 {
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let bytes = &bytes[..bytes.len().min(stream.capacity())];
        let piece = decoder.decode(bytes).map_err(|it| io::Error::other(it.reason()))?;
        let data = Bytes::copy_from_slice(&bytes[piece.data]);
        if !data.is_empty() || decoder.is_done() {
            stream.send_data(data, decoder.is_done()).map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(piece.consumed))
    }
}

/// The head of a request in HTTP/1.1. The exchange refuses what is not valid there.
fn request_head(parts: &http::request::Parts, framing: Framing) -> Vec<u8> {
    let path = parts.uri.path_and_query().map_or("", |it| it.as_str());
    let mut head = format!("{} {path} HTTP/1.1\r\n", parts.method).into_bytes();
    let mut header = |name: &[u8], value: &[u8]| {
        head.extend([name, b": ", value, b"\r\n"].concat());
    };
    if let Some(authority) = parts.uri.authority() {
        header(b"Host", authority.as_str().as_bytes());
    }
    for (name, value) in &parts.headers {
        let is_left_out = match *name {
            // Another one than `:authority` is a second `Host`, which is refused.
            HOST => parts.uri.authority().is_some_and(|it| it.as_str() == value),
            CONTENT_LENGTH => framing == Framing::None,
            COOKIE | EXPECT => true,
            _ => false,
        };
        if !is_left_out {
            header(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    // HTTP/2 may cut it into pieces, to compress them better (RFC 9113, 8.2.3).
    let cookies = parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let cookies = cookies.collect::<Vec<_>>();
    if !cookies.is_empty() {
        header(b"cookie", &cookies.join(&b"; "[..]));
    }
    if framing == Framing::Chunked {
        header(b"Transfer-Encoding", b"chunked");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The head of a response in HTTP/2, which has no headers about the connection.
fn response_of(head: &ResponseHead) -> Result<Response<()>, http::Error> {
    let mut headers = HeaderMap::new();
    for header in head.end_to_end() {
        let name = HeaderName::from_bytes(header.name)?;
        // Not known in HTTP/1.1 and passed on there; `h2` refuses a response that has it.
        if name != "proxy-connection" {
            headers.append(name, HeaderValue::from_bytes(header.value)?);
        }
    }
    if let ResponseFraming::Framed(Framing::Length(length))
    | ResponseFraming::Omitted(Some(length)) = head.framing()
    {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    // NGINX leaves it out in HTTP/2 only.
    if head.status() == 204 {
        headers.remove(CONTENT_TYPE);
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status())?;
    *response.headers_mut() = headers;
    Ok(response)
}

impl Endpoint for Http2Stream {}

impl Drop for Http2Stream {
    /// Ends a response that is cut off, or that `return 444` has refused, in the way of NGINX.
    fn drop(&mut self) {
        match &mut self.output {
            Output::Head(respond, ..) => respond.send_reset(Reason::PROTOCOL_ERROR),
            Output::Body(stream, _) => stream.send_reset(Reason::INTERNAL_ERROR),
            Output::Done => {}
        }
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.read < this.input.len() {
                let rest = &this.input[this.read..];
                let count = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..count]);
                this.read += count;
                return Poll::Ready(Ok(()));
            }
            this.input.clear();
            this.read = 0;

            // Even after the response: a client that is still sending would take the reset of its
            // stream for the answer.
            let Some(body) = &mut this.body else { return this.poll_gone(cx).map(Ok) };
            match body.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => {
                    if !data.is_empty() {
                        this.encoder.encode(&data, &mut this.input);
                    }
                    // The exchange takes them now, as it has asked for them.
                    let _ = body.flow_control().release_capacity(data.len());
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Ok(())),
                Poll::Ready(None) => {
                    this.body = None;
                    this.encoder.finish(&mut this.input);
                }
                Poll::Pending if matches!(this.output, Output::Done) => return Poll::Pending,
                Poll::Pending => return this.poll_gone(cx).map(Ok),
            }
        }
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match &mut this.output {
            Output::Head(respond, received, head) => {
                let before = received.len();
                received.extend_from_slice(bytes);
                let parsed = head.parse(received, this.is_head, usize::MAX);
                let Some(length) = parsed.map_err(|it| io::Error::other(it.reason()))? else {
                    return Poll::Ready(Ok(bytes.len()));
                };
                let decoder = Decoder::of_response(head.framing());
                let response = response_of(head).map_err(io::Error::other)?;
                let sent = respond.send_response(response, decoder.is_done());
                let stream = sent.map_err(io::Error::other)?;
                this.output = match decoder.is_done() {
                    true => Output::Done,
                    false => Output::Body(stream, decoder),
                };
                Poll::Ready(Ok(length - before))
            }
            Output::Body(stream, decoder) => {
                let count = ready!(Self::poll_body(stream, decoder, cx, bytes))?;
                if decoder.is_done() {
                    this.output = Output::Done;
                }
                Poll::Ready(Ok(count))
            }
            Output::Done => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The end of a stream is in its last frame. One that is dropped without is reset.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
