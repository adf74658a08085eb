//! One connection to one broker.
//!
//! A connection starts with ApiVersions, whose response lists the requests of the broker and their
//! versions. The client uses the newest version that both sides support:
//!
//! ```text
//! client knows Fetch 4-12     Kafka 4.3 has 4-18    12 is sent
//! client knows Fetch 4-12     a broker has 0-11     11 is sent
//! client knows Fetch 4-12     a broker has 13-18    UNSUPPORTED_VERSION
//! ```
//!
//! A broker answers the requests of a connection in order. [`Connection::send`] therefore returns a
//! [`PendingResponse`], and the caller must pass these to [`Connection::receive`] in the same
//! order. The correlation ids are compared.
//!
//! Kafka counterpart: `NetworkClient.java` and `NodeApiVersions.java`.

use super::{ClientError, REQUEST_TIMEOUT, Result};
use crate::wire::api_versions::{ApiVersion, ApiVersionsRequest};
use crate::wire::schema::Message;
use crate::wire::{self, ErrorCode, RequestBody};
use bytes::Bytes;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A response larger than this is malformed: fetches ask for less.
const RESPONSE_BYTES_MAX: usize = 100 << 20;
/// The size of the read buffer.
const BUFFER_BYTES: usize = 64 << 10;

/// The newest versions that the client sends, where they are not the newest of the tables. The next
/// version names topics by id, or several groups in one request.
const NEWEST: [(i16, i16); 5] = [
    (wire::produce::ProduceRequest::KEY, 12),
    (wire::fetch::FetchRequest::KEY, 12),
    (wire::offsets::OffsetCommitRequest::KEY, 9),
    (wire::offsets::OffsetFetchRequest::KEY, 7),
    (wire::group::FindCoordinatorRequest::KEY, 3),
];

/// A connection to a broker.
pub struct Connection {
    address: String,
    client_id: String,
    stream: BufReader<TcpStream>,
    versions: Vec<ApiVersion>,
    next_correlation_id: i32,
}

/// A response that has not been received yet.
pub struct PendingResponse<C> {
    correlation_id: i32,
    version: i16,
    call: PhantomData<C>,
}

impl Connection {
    /// Connects to `address`, a host and a port, and asks for the broker's versions.
    pub fn open(address: &str, client_id: &str) -> Result<Connection> {
        let stream = connect(address).map_err(|error| failed(address, error))?;
        // Only version 0 of ApiVersions is certain to be supported.
        let api_key = ApiVersionsRequest::KEY;
        let mut connection = Connection {
            address: address.to_owned(),
            client_id: client_id.to_owned(),
            stream: BufReader::with_capacity(BUFFER_BYTES, stream),
            versions: vec![ApiVersion { api_key, ..Default::default() }],
            next_correlation_id: 0,
        };
        connection.versions = connection.call(&ApiVersionsRequest::default())?.api_keys;
        Ok(connection)
    }

    /// Sends a request and waits for the response, at most [`REQUEST_TIMEOUT`].
    pub fn call<C: RequestBody>(&mut self, request: &C) -> Result<C::Response> {
        let pending = self.send(request)?;
        self.wait(&pending)
    }

    /// Sends a request without waiting for the response.
    pub fn send<C: RequestBody>(&mut self, request: &C) -> Result<PendingResponse<C>> {
        let (correlation_id, version) = (self.next_correlation_id, self.version::<C>()?);
        self.next_correlation_id = correlation_id.wrapping_add(1);

        let frame = wire::encode_request(correlation_id, &self.client_id, version, request);
        let written = self.stream.get_mut().write_all(&frame.to_vec());
        written.map_err(|error| failed(&self.address, error))?;
        Ok(PendingResponse { correlation_id, version, call: PhantomData })
    }

    /// Waits for a response, at most [`REQUEST_TIMEOUT`].
    pub fn wait<C: RequestBody>(&mut self, pending: &PendingResponse<C>) -> Result<C::Response> {
        let response = self.receive(pending, Instant::now() + REQUEST_TIMEOUT)?;
        response.ok_or_else(|| failed(&self.address, ErrorKind::TimedOut.into()))
    }

    /// Waits for a response until `deadline`. `None` if it has not started to arrive by then.
    pub fn receive<C: RequestBody>(
        &mut self,
        pending: &PendingResponse<C>,
        deadline: Instant,
    ) -> Result<Option<C::Response>> {
        let frame = self.read_frame(deadline).map_err(|error| failed(&self.address, error))?;
        let Some(frame) = frame else { return Ok(None) };
        let (correlation_id, response) = wire::decode_response(frame, pending.version)?;
        if correlation_id != pending.correlation_id {
            return Err(ClientError::Malformed("another request's response".to_owned()));
        }
        Ok(Some(response))
    }

    /// The newest version of a request that both sides support.
    fn version<C: RequestBody>(&self) -> Result<i16> {
        let newest = NEWEST.iter().find(|(key, _)| *key == C::KEY);
        let newest = newest.map_or(*C::VERSIONS.end(), |(_, version)| *version);
        let theirs = self.versions.iter().find(|it| it.api_key == C::KEY);
        let version = theirs.map(|it| (it.min_version, it.max_version.min(newest)));
        match version {
            Some((oldest, newest)) if newest >= oldest.max(*C::VERSIONS.start()) => Ok(newest),
            _ => Err(ClientError::Refused {
                what: C::TABLE.name.to_owned(),
                code: ErrorCode::UNSUPPORTED_VERSION,
                message: Some("the broker supports no version that this client has".to_owned()),
            }),
        }
    }

    /// Reads a response. `None` if it has not started to arrive by `deadline`.
    fn read_frame(&mut self, deadline: Instant) -> io::Result<Option<Bytes>> {
        // The standard library refuses a timeout of zero.
        let wait = deadline.saturating_duration_since(Instant::now());
        self.stream.get_ref().set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.stream.fill_buf() {
            Ok([]) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(None),
                _ => return Err(error),
            },
        }

        // The response has started to arrive: read all of it.
        self.stream.get_ref().set_read_timeout(Some(REQUEST_TIMEOUT))?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        // As an unsigned number, a negative size exceeds the limit too.
        let size = u32::from_be_bytes(size) as usize;
        if size > RESPONSE_BYTES_MAX {
            let text = format!("its size is {size} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        let mut frame = vec![0; size];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame.into()))
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
    Ok(stream)
}

fn failed(address: &str, error: io::Error) -> ClientError {
    match error.kind() {
        ErrorKind::InvalidData => ClientError::Malformed(error.to_string()),
        _ => ClientError::Connection { address: address.to_owned(), error },
    }
}
