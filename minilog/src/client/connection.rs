//! One connection to one broker.
//!
//! A connection opens with ApiVersions, whose answer lists the versions of every request that the
//! broker has. The client sends the newest one that both sides know:
//!
//! ```text
//! client knows Fetch 4-12     Kafka 4.3 has 4-18    12 is sent
//! client knows Fetch 4-12     a broker has 0-11     11 is sent
//! client knows Fetch 4-12     a broker has 13-18    ClientError::Unsupported
//! ```
//!
//! A broker answers the requests of a connection in order. [`Connection::send`] therefore returns a
//! [`Ticket`], and [`Connection::receive`] takes the tickets in the order in which they were made.
//! The correlation id of the response must be that of the ticket.
//!
//! Kafka counterpart: `NetworkClient.java` and `NodeApiVersions.java`.

use super::{ClientError, REQUEST_TIMEOUT, Result};
use crate::wire::api_versions::{ApiVersion, ApiVersionsRequest};
use crate::wire::coordinator::FindCoordinatorRequest;
use crate::wire::fetch::FetchRequest;
use crate::wire::offsets::{OffsetCommitRequest, OffsetFetchRequest};
use crate::wire::produce::ProduceRequest;
use crate::wire::schema::Message;
use crate::wire::{RequestBody, decode_response, encode_request};
use bytes::{Bytes, BytesMut};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A response larger than this is malformed; a fetch asks for less.
const RESPONSE_BYTES_MAX: usize = 100 << 20;
/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// A connection to a broker.
pub struct Connection {
    address: String,
    client_id: String,
    stream: TcpStream,
    versions: Vec<ApiVersion>,
    next_correlation_id: i32,
    /// What has arrived and is not a whole response yet.
    input: BytesMut,
}

/// The claim to a response.
pub struct Ticket<C> {
    correlation_id: i32,
    version: i16,
    call: PhantomData<C>,
}

impl Connection {
    /// Connects to `address`, a host and a port, and asks for the broker's versions.
    pub fn open(address: &str, client_id: &str) -> Result<Connection> {
        let mut connection = Connection {
            stream: connect(address).map_err(|error| failed(address, error))?,
            address: address.to_owned(),
            client_id: client_id.to_owned(),
            versions: Vec::new(),
            next_correlation_id: 0,
            input: BytesMut::new(),
        };
        connection.versions = connection.call(&ApiVersionsRequest::default())?.api_keys;
        Ok(connection)
    }

    /// Sends a request and waits for the response, at most [`REQUEST_TIMEOUT`].
    pub fn call<C: RequestBody>(&mut self, request: &C) -> Result<C::Response> {
        let ticket = self.send(request)?;
        self.wait(&ticket)
    }

    /// Sends a request without waiting for the response.
    pub fn send<C: RequestBody>(&mut self, request: &C) -> Result<Ticket<C>> {
        let version = self.version::<C>()?;
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);

        let frame = encode_request(correlation_id, &self.client_id, version, request).to_vec();
        self.stream.write_all(&frame).map_err(|error| failed(&self.address, error))?;
        Ok(Ticket { correlation_id, version, call: PhantomData })
    }

    /// Waits for a response, at most [`REQUEST_TIMEOUT`].
    pub fn wait<C: RequestBody>(&mut self, ticket: &Ticket<C>) -> Result<C::Response> {
        let response = self.receive(ticket, Instant::now() + REQUEST_TIMEOUT)?;
        response.ok_or_else(|| failed(&self.address, io::ErrorKind::TimedOut.into()))
    }

    /// Waits for a response until `deadline`; `None` if it has not arrived by then.
    pub fn receive<C: RequestBody>(
        &mut self,
        ticket: &Ticket<C>,
        deadline: Instant,
    ) -> Result<Option<C::Response>> {
        let frame = loop {
            if let Some(frame) = self.take_frame()? {
                break frame;
            }
            if !self.read(deadline).map_err(|error| failed(&self.address, error))? {
                return Ok(None);
            }
        };
        let (correlation_id, response) = decode_response(frame, ticket.version)?;
        if correlation_id != ticket.correlation_id {
            return Err(ClientError::Malformed("another request's response".to_owned()));
        }
        Ok(Some(response))
    }

    /// The newest version of a request that both sides know.
    fn version<C: RequestBody>(&self) -> Result<i16> {
        let newest = version_max::<C>();
        if C::KEY == ApiVersionsRequest::KEY {
            return Ok(newest);
        }
        let theirs = self.versions.iter().find(|it| it.api_key == C::KEY);
        let theirs = theirs.ok_or(ClientError::Unsupported(C::TABLE.name))?;
        let version = theirs.max_version.min(newest);
        if version < theirs.min_version.max(*C::VERSIONS.start()) {
            return Err(ClientError::Unsupported(C::TABLE.name));
        }
        Ok(version)
    }

    /// Takes a whole response out of the input, if there is one.
    fn take_frame(&mut self) -> Result<Option<Bytes>> {
        let Some((size, _)) = self.input.split_first_chunk::<4>() else { return Ok(None) };
        // A negative size is more than the limit, too.
        let size = u32::from_be_bytes(*size) as usize;
        if size > RESPONSE_BYTES_MAX {
            return Err(ClientError::Malformed(format!("its size is {size} bytes")));
        }
        if self.input.len() < 4 + size {
            return Ok(None);
        }
        Ok(Some(self.input.split_to(4 + size).freeze().slice(4..)))
    }

    /// Reads what has arrived. Returns false if nothing arrives until `deadline`.
    fn read(&mut self, deadline: Instant) -> io::Result<bool> {
        // Zero would mean forever.
        let timeout = deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;

        let length = self.input.len();
        self.input.resize(length + CHUNK_BYTES, 0);
        let result = self.stream.read(&mut self.input[length..]);
        self.input.truncate(length + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(false),
                io::ErrorKind::Interrupted => Ok(true),
                _ => Err(error),
            },
        }
    }
}

/// The newest version that the client sends: the newest of the table, unless from some version on
/// topics are named by id, or several groups are asked for in one request.
fn version_max<C: Message>() -> i16 {
    match C::KEY {
        ProduceRequest::KEY | FetchRequest::KEY => 12,
        OffsetCommitRequest::KEY => 9,
        OffsetFetchRequest::KEY => 7,
        FindCoordinatorRequest::KEY => 3,
        // The broker's versions are not known yet.
        ApiVersionsRequest::KEY => 0,
        _ => *C::VERSIONS.end(),
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
    Ok(stream)
}

fn failed(address: &str, error: io::Error) -> ClientError {
    ClientError::Connection { address: address.to_owned(), error }
}
