//! One request and its response: bytes of the client and of the upstream server in, bytes for both
//! out. A machine without sockets; the server drives it, and so do the golden scripts.
//!
//! # The life of an exchange
//!
//! ```text
//! begin_request
//! parse_request     a request head is complete             the server decides what to do with it
//! collect_body      its body is stored, up to a limit      Replayable
//! begin_attempt     head and stored body for an upstream   again, for the next one, if this fails
//! upload            more of the body than was stored       Gone: no other upstream from here on
//! parse_response    the response head is complete          the server decides: retry, or pass on
//! begin_response    its head for the client                no retry from here on
//! download          its body, in another framing if need be
//! ```
//!
//! # What may be sent twice
//!
//! A request can go to a second upstream as long as all its bytes are held here. [`Upload`] says
//! so by its type: `Replayable` owns the bytes, `Gone` has none.
//!
//! # Back-pressure
//!
//! Data of a body is taken from one side only when the buffer of the other is below
//! [`BUFFER_BYTES`]: [`Exchange::wants_client`] and [`Exchange::wants_upstream`] turn false, and
//! the sender's TCP window closes. So an exchange holds two buffers and the stored body.
//!
//! # Differences from NGINX
//!
//! With `proxy_request_buffering on`, NGINX writes a long body to a file before it connects. Here
//! the rest of it is streamed; such a request has one attempt.
//!
//! NGINX counterpart: `ngx_http_upstream_t` (`ngx_http_upstream.c`), `ngx_http_request_body.c`.

use super::body::{Decoder, Encoder};
use super::buffer::Buffer;
use super::framing::{Framing, ResponseFraming};
use super::head::{RequestHead, ResponseHead};
use super::refusal::Refusal;
use super::writer::Persistence;

/// How much of a body waits for a slow receiver.
pub const BUFFER_BYTES: usize = 16 * 1024;
/// The longest response body that is held, and request body that is dropped after an answer.
pub const HELD_BYTES_MAX: usize = 1024 * 1024;
/// Interim responses (1xx) in front of one response.
const INTERIM_MAX: u32 = 8;

/// The part of the request body that has been read.
#[derive(Debug)]
pub enum Upload {
    /// All of it is here, so another attempt can send it again.
    Replayable(Vec<u8>),
    /// A part was sent and is no longer held.
    Gone,
}

/// How much of a body an exchange takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyLimits {
    /// `client_max_body_size`; 0 means no limit.
    pub max: u64,
    /// `client_body_buffer_size`: how much is stored before the first attempt.
    pub stored_max: usize,
    /// Store all of a chunked body, so that its length is known.
    pub needs_length: bool,
}

/// An exchange with its buffers; reused for one request after another. The default allocates
/// nothing.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The request.
    pub request: RequestHead,
    /// The response of the current attempt.
    pub response: ResponseHead,
    /// Received from the client; may hold the next request.
    pub from_client: Buffer,
    /// To be sent to the client.
    pub to_client: Buffer,
    /// Received from the upstream server.
    pub from_upstream: Buffer,
    /// To be sent to the upstream server.
    pub to_upstream: Buffer,
    /// A response body that is collected, up to [`HELD_BYTES_MAX`], and not passed on.
    pub held: Option<Vec<u8>>,
    upload: Upload,
    uploaded: u64,
    limits: BodyLimits,
    request_body: Decoder,
    request_encoder: Encoder,
    response_body: Decoder,
    response_encoder: Encoder,
    /// What the client was told about its connection; `None` before the response head.
    persistence: Option<Persistence>,
    interim_responses: u32,
    downloaded: u64,
    head_length: usize,
}

impl Default for Upload {
    /// No body. Allocates nothing.
    fn default() -> Upload {
        Upload::Replayable(Vec::new())
    }
}

impl Exchange {
    /// Prepares for the next request.
    pub fn begin_request(&mut self) {
        self.persistence = None;
        (self.uploaded, self.downloaded, self.head_length) = (0, 0, 0);
        self.request_body = Decoder::default();
        self.request.clear();
        self.response.clear();
    }

    /// Looks for a request head in [`Exchange::from_client`]. Returns true if it is complete.
    ///
    /// # Errors
    /// If the request must be refused.
    pub fn parse_request(&mut self) -> Result<bool, Refusal> {
        let Some(length) = self.request.parse(self.from_client.filled())? else {
            return Ok(false);
        };
        self.from_client.consume(length);
        self.request_body = Decoder::of_request(self.request.framing());

        match &mut self.upload {
            Upload::Replayable(stored) => stored.clear(),
            Upload::Gone => self.upload = Upload::default(),
        }
        Ok(true)
    }

    /// Sets the limits of the request body.
    ///
    /// # Errors
    /// [`Refusal::BodyTooLarge`] if its length is known to be over the limit.
    pub fn limit_body(&mut self, limits: BodyLimits) -> Result<(), Refusal> {
        self.limits = limits;
        match self.request.framing() {
            Framing::Length(length) if limits.max != 0 && length > limits.max => {
                Err(Refusal::BodyTooLarge)
            }
            _ => Ok(()),
        }
    }

    /// Answers `Expect: 100-continue`. Call it once, before more of the body is read.
    pub fn invite_body(&mut self) {
        if self.request.expects_continue() && !self.request_body.is_done() {
            self.to_client.append(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Stores what has come of the body. Returns true if the first attempt can begin.
    ///
    /// # Errors
    /// If the body is malformed or too large.
    pub fn collect_body(&mut self) -> Result<bool, Refusal> {
        while !self.request_body.is_done() && !self.has_stored_enough() {
            let Upload::Replayable(stored) = &mut self.upload else { break };
            let piece = self.request_body.decode(self.from_client.filled())?;
            let data = &self.from_client.filled()[piece.data];
            self.uploaded += data.len() as u64;
            stored.extend_from_slice(data);
            self.from_client.consume(piece.consumed);
            self.check_uploaded()?;
            if piece.consumed == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_stored_enough(&self) -> bool {
        let Upload::Replayable(stored) = &self.upload else { return true };
        let needs_all = self.limits.needs_length && self.request.framing() == Framing::Chunked;
        stored.len() >= self.limits.stored_max && !needs_all
    }

    fn check_uploaded(&self) -> Result<(), Refusal> {
        match self.limits.max {
            0 => Ok(()),
            max if self.uploaded > max => Err(Refusal::BodyTooLarge),
            _ => Ok(()),
        }
    }

    /// The request body, if all of it is stored. What is written there is sent in its place.
    pub fn stored_body(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.upload {
            Upload::Replayable(stored) if self.request_body.is_done() => Some(stored),
            _ => None,
        }
    }

    /// The framing of the request towards upstream servers.
    pub fn upstream_framing(&self) -> Framing {
        match (self.request.framing(), &self.upload) {
            (Framing::None, _) => Framing::None,
            (_, Upload::Replayable(stored)) if self.request_body.is_done() => {
                Framing::Length(stored.len() as u64)
            }
            (framing, _) => framing,
        }
    }

    /// Begins an attempt: `write_head` appends the request head, with
    /// [`Exchange::upstream_framing`], and the stored body follows. Returns false if the request is
    /// gone.
    pub fn begin_attempt(
        &mut self,
        write_head: impl FnOnce(&RequestHead, Framing, &mut Vec<u8>),
    ) -> bool {
        let framing = self.upstream_framing();
        let Upload::Replayable(stored) = &self.upload else { return false };
        self.from_upstream.clear();
        self.to_upstream.clear();
        self.response.clear();
        (self.interim_responses, self.held) = (0, None);

        write_head(&self.request, framing, self.to_upstream.tail());
        self.request_encoder = Encoder::new(ResponseFraming::Framed(framing));
        self.request_encoder.encode(stored, self.to_upstream.tail());
        if self.request_body.is_done() {
            self.request_encoder.finish(self.to_upstream.tail());
        }
        true
    }

    /// Moves more of the request body towards the upstream server. The first byte that was not
    /// stored makes the request [`Upload::Gone`].
    ///
    /// # Errors
    /// If the body is malformed or too large.
    pub fn upload(&mut self) -> Result<(), Refusal> {
        while !self.request_body.is_done() && self.to_upstream.len() < BUFFER_BYTES {
            let piece = self.request_body.decode(self.from_client.filled())?;
            if piece.consumed == 0 {
                break;
            }
            let data = &self.from_client.filled()[piece.data];
            self.uploaded += data.len() as u64;
            self.upload = Upload::Gone;
            self.request_encoder.encode(data, self.to_upstream.tail());
            self.from_client.consume(piece.consumed);
            self.check_uploaded()?;
            if self.request_body.is_done() {
                self.request_encoder.finish(self.to_upstream.tail());
            }
        }
        Ok(())
    }

    /// Drops what has come of the request body. Returns true if it is complete, so that the next
    /// request follows.
    ///
    /// # Errors
    /// If the body is malformed.
    pub fn discard_body(&mut self) -> Result<bool, Refusal> {
        while !self.request_body.is_done() {
            let piece = self.request_body.decode(self.from_client.filled())?;
            self.from_client.consume(piece.consumed);
            if piece.consumed == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks for a response head in [`Exchange::from_upstream`], `max` bytes long at most. Returns
    /// true if it is complete. Interim responses are dropped, except 101.
    ///
    /// # Errors
    /// If it is no response that can be passed on.
    pub fn parse_response(&mut self, max: usize) -> Result<bool, Refusal> {
        loop {
            let to_head = self.request.is_head();
            let input = self.from_upstream.filled();
            let Some(length) = self.response.parse(input, to_head, max)? else {
                return Ok(false);
            };
            self.from_upstream.consume(length);
            self.response_body = Decoder::of_response(self.response.framing());
            self.response_encoder = Encoder::Identity;
            match self.response.status() {
                101 | 200.. => return Ok(true),
                _ if self.interim_responses == INTERIM_MAX => {
                    return Err(Refusal::Malformed("too many interim responses"));
                }
                _ => self.interim_responses += 1,
            }
        }
    }

    /// Begins to pass the response on. `may_persist` is false if the client's connection must end
    /// for another reason than this exchange. `write_head` appends the head with the framing and
    /// `Connection` it is given.
    pub fn begin_response(
        &mut self,
        may_persist: bool,
        write_head: impl FnOnce(&Exchange, ResponseFraming, Persistence, &mut Vec<u8>),
    ) {
        let framing = match self.response.framing() {
            // The length is not known in advance. HTTP/1.0 clients have no chunks.
            ResponseFraming::UntilClose | ResponseFraming::Framed(Framing::Chunked) => {
                match self.request.minor_version() {
                    0 => ResponseFraming::UntilClose,
                    _ => ResponseFraming::Framed(Framing::Chunked),
                }
            }
            framing => framing,
        };
        self.response_encoder = Encoder::new(framing);
        // A body that is still coming would be read as the next request.
        let may_persist = may_persist && self.request_body.is_done();
        self.write_head(framing, may_persist, write_head);
        if self.response_body.is_done() {
            self.response_encoder.finish(self.to_client.tail());
        }
    }

    /// Passes on a response that changes the protocol (101). After its head both sides speak
    /// something else, so the connections are of no use for HTTP any more.
    pub fn begin_tunnel(
        &mut self,
        write_head: impl FnOnce(&Exchange, ResponseFraming, Persistence, &mut Vec<u8>),
    ) {
        self.persistence = Some(Persistence::Upgrade);
        let mut to_client = std::mem::take(&mut self.to_client);
        let none = ResponseFraming::Framed(Framing::None);
        write_head(self, none, Persistence::Upgrade, to_client.tail());
        self.head_length = to_client.len();
        to_client.append(self.from_upstream.filled());
        self.to_client = to_client;
        self.from_upstream.clear();
        self.to_upstream.append(self.from_client.filled());
        self.from_client.clear();
    }

    /// Answers with a body that is here: a head, for which `write_head` is as in
    /// [`Exchange::begin_response`], and a body, of which `HEAD` and 304 have only the length.
    /// `None` is for statuses that have none. A short request body may follow:
    /// [`Exchange::discard_body`] it.
    pub fn answer(
        &mut self,
        status: u16,
        body: Option<&[u8]>,
        may_persist: bool,
        write_head: impl FnOnce(&Exchange, ResponseFraming, Persistence, &mut Vec<u8>),
    ) {
        let length = body.unwrap_or_default().len() as u64;
        let is_omitted = self.request.is_head() || status == 304;
        let framing = match body {
            None => ResponseFraming::Framed(Framing::None),
            Some(_) if is_omitted => ResponseFraming::Omitted(Some(length)),
            Some(_) => ResponseFraming::Framed(Framing::Length(length)),
        };
        // A client that waits for 100 Continue need not send its body any more.
        let max = HELD_BYTES_MAX as u64;
        let is_short = matches!(self.request.framing(), Framing::Length(it) if it <= max)
            && !self.request.expects_continue();
        let may_persist = may_persist && (self.request_body.is_done() || is_short);
        self.write_head(framing, may_persist, write_head);
        if let Some(body) = body.filter(|_| !is_omitted) {
            self.to_client.append(body);
            self.downloaded = length;
        }
    }

    fn write_head(
        &mut self,
        framing: ResponseFraming,
        may_persist: bool,
        write_head: impl FnOnce(&Exchange, ResponseFraming, Persistence, &mut Vec<u8>),
    ) {
        let persists =
            may_persist && self.request.keep_alive() && framing != ResponseFraming::UntilClose;
        let persistence = if persists { Persistence::KeepAlive } else { Persistence::Close };
        self.persistence = Some(persistence);

        let mut to_client = std::mem::take(&mut self.to_client);
        let before = to_client.len();
        write_head(self, framing, persistence, to_client.tail());
        self.head_length = to_client.len() - before;
        self.to_client = to_client;
    }

    /// Moves more of the response body towards the client.
    ///
    /// # Errors
    /// If the body is malformed: the client must see its connection cut off.
    pub fn download(&mut self) -> Result<(), Refusal> {
        while !self.response_body.is_done() && self.to_client.len() < BUFFER_BYTES {
            let piece = self.response_body.decode(self.from_upstream.filled())?;
            if piece.consumed == 0 {
                break;
            }
            let data = &self.from_upstream.filled()[piece.data];
            self.downloaded += data.len() as u64;
            match &mut self.held {
                Some(held) if held.len() > HELD_BYTES_MAX => return Err(Refusal::BodyTooLarge),
                Some(held) => held.extend_from_slice(data),
                None => self.response_encoder.encode(data, self.to_client.tail()),
            }
            self.from_upstream.consume(piece.consumed);
            if self.response_body.is_done() {
                self.response_encoder.finish(self.to_client.tail());
            }
        }
        Ok(())
    }

    /// The upstream server has closed the connection, and all it sent was given to
    /// [`Exchange::download`]. Returns true if that is the end of the body, false if the body is
    /// cut off.
    pub fn end_download(&mut self) -> bool {
        let was_done = self.response_body.is_done();
        let is_done = self.response_body.end_of_input();
        if is_done && !was_done {
            self.response_encoder.finish(self.to_client.tail());
        }
        is_done
    }

    /// Returns true if more bytes of the client can be used now.
    pub fn wants_client(&self) -> bool {
        !self.request_body.is_done() && self.to_upstream.len() < BUFFER_BYTES
    }

    /// Returns true if more bytes of the upstream server can be used now.
    pub fn wants_upstream(&self) -> bool {
        let body_goes_on = self.persistence.is_none() || !self.response_body.is_done();
        body_goes_on && self.to_client.len() < BUFFER_BYTES
    }

    /// Returns true if the whole request body has been received.
    pub fn has_request(&self) -> bool {
        self.request_body.is_done()
    }

    /// Returns true if the whole response is held, or in [`Exchange::to_client`] or was there.
    pub fn has_response(&self) -> bool {
        (self.persistence.is_some() || self.held.is_some()) && self.response_body.is_done()
    }

    /// Returns true if another attempt can be made: the request is held, and the client has got
    /// nothing of a response.
    pub fn is_replayable(&self) -> bool {
        self.persistence.is_none() && matches!(self.upload, Upload::Replayable(_))
    }

    /// Returns true if the response head was written for the client.
    pub fn has_response_begun(&self) -> bool {
        self.persistence.is_some()
    }

    /// Returns true if the client may send another request after the rest of the body, if any.
    pub fn client_persists(&self) -> bool {
        self.persistence == Some(Persistence::KeepAlive)
    }

    /// Returns true if the upstream server's connection may carry another request. Bytes after the
    /// response would be taken for the answer to that one.
    pub fn upstream_persists(&self) -> bool {
        self.response.keep_alive()
            && self.response_body.is_done()
            && self.response.framing() != ResponseFraming::UntilClose
            && self.has_request()
            && self.to_upstream.is_empty()
            && self.from_upstream.is_empty()
    }

    /// Bytes of the response head for the client; 0 if there is none yet.
    pub fn head_length(&self) -> usize {
        self.head_length
    }

    /// Bytes of the response body that the client was sent, without framing.
    pub fn downloaded(&self) -> u64 {
        self.downloaded
    }

    /// Bytes of the request body so far, without framing.
    pub fn uploaded(&self) -> u64 {
        self.uploaded
    }

    /// Gives back memory that a large message took.
    pub fn shrink(&mut self) {
        for buffer in [
            &mut self.from_client,
            &mut self.to_client,
            &mut self.from_upstream,
            &mut self.to_upstream,
        ] {
            buffer.shrink(2 * BUFFER_BYTES);
        }
        if let Upload::Replayable(stored) = &mut self.upload {
            stored.clear();
            stored.shrink_to(BUFFER_BYTES);
        }
    }
}
