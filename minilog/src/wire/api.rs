//! The list of requests, and encoding and decoding whole frames.
//!
//! [`APIS`] has one row per request: its key, its name, its versions, and the tables of its request
//! and response. [`Request`] has one variant per row. One list at the end of this file generates
//! both.
//!
//! The broker serves and advertises every request of the list. A header precedes each body:
//!
//! ```text
//! request    size  api_key api_version correlation_id client_id [tagged fields]  body
//! response   size                      correlation_id           [tagged fields]  body
//! ```
//!
//! A response contains neither key nor version: the client remembers them by the correlation id.
//! Responses come in the order of the requests, so a client may send several requests before it
//! reads the first response.
//!
//! # The versions of headers
//!
//! | | old body | flexible body |
//! |---|---|---|
//! | request | 1 | 2: tagged fields at the end |
//! | response | 0 | 1: tagged fields at the end |
//! | response of ApiVersions | 0 | 0 |
//!
//! The first eight bytes of a request have the same format in all versions, future ones included.
//! So a broker can answer an ApiVersions request of a version that it does not know.
//!
//! The client id has a length of two bytes even in a flexible header. So both tables use the old
//! encoding, and the tagged fields of a flexible header are handled separately
//! ([`Decoder::end_struct`](super::codec::Decoder::end_struct)).
//!
//! Kafka counterpart: `ApiKeys.java` and `AbstractRequest.parseRequest`; `RequestHeader.json`,
//! `ResponseHeader.json`; `generateHeaderVersion` in `ApiMessageTypeGenerator.java` has the
//! exception.

use super::codec::{DecodeError, Decoder, Encoder, Frame, WireType};
use super::schema::{Message, Table, message};
use bytes::Bytes;
use std::fmt;
use std::ops::RangeInclusive;

/// One row of [`APIS`].
#[derive(Debug)]
pub struct Api {
    /// The key, Kafka's number of the request.
    pub key: i16,
    /// The name in Kafka.
    pub name: &'static str,
    /// The versions that can be decoded.
    pub versions: RangeInclusive<i16>,
    /// The first version with the flexible encoding.
    pub flexible_from: i16,
    /// The fields of the request.
    pub request: &'static Table,
    /// The fields of the response.
    pub response: &'static Table,
    /// Decodes the body of the request.
    decode: fn(&mut Decoder) -> Result<Request, DecodeError>,
}

impl Api {
    /// The row with this key, if the broker serves that request.
    pub fn of(key: i16) -> Option<&'static Api> {
        APIS.iter().find(|api| api.key == key)
    }

    /// Returns true if `version` has the flexible encoding.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// The body of a request, with the type of its response.
pub trait RequestBody: Message {
    /// The body of the response.
    type Response: Message;
}

message! {
    /// Precedes the body of every request.
    pub struct RequestHeader {
        0+ request_api_key:     i16,            "the kind of request";
        0+ request_api_version: i16,            "its version";
        0+ correlation_id:      i32,            "repeated in the response";
        0+ client_id:           Option<String>, "for logs, quotas and metrics";
    }

    /// Precedes the body of every response.
    pub struct ResponseHeader {
        0+ correlation_id: i32, "that of the request";
    }
}

/// The reason why the broker cannot decode a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestError {
    /// The key or the version is not supported. For ApiVersions there is a response
    /// ([`ApiVersionsResponse::unsupported`](super::api_versions::ApiVersionsResponse)). For any
    /// other request the connection must close, because the broker does not know the format of the
    /// response that the client expects.
    Unsupported(RequestHeader),
    /// The body cannot be decoded. The connection must close.
    Malformed(DecodeError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Unsupported(it) => match Api::of(it.request_api_key) {
                Some(Api { name, versions, .. }) => {
                    let (first, last) = (versions.start(), versions.end());
                    write!(f, "{name} version {} is not in {first}-{last}", it.request_api_version)
                }
                None => write!(f, "request {} is not supported", it.request_api_key),
            },
            RequestError::Malformed(error) => write!(f, "malformed request: {error}"),
        }
    }
}

impl From<DecodeError> for RequestError {
    fn from(error: DecodeError) -> RequestError {
        RequestError::Malformed(error)
    }
}

/// Decodes a request from its frame, without the size prefix. Ignores bytes after the body.
pub fn decode_request(frame: Bytes) -> Result<(RequestHeader, Request), RequestError> {
    let mut decoder = Decoder::new(frame, 0, false);
    let header = RequestHeader::decode(&mut decoder)?;
    let version = header.request_api_version;
    let api = Api::of(header.request_api_key).filter(|api| api.versions.contains(&version));
    let Some(api) = api else { return Err(RequestError::Unsupported(header)) };

    let mut decoder = decoder.with_version(version, api.is_flexible(version));
    decoder.end_struct()?;
    let body = (api.decode)(&mut decoder)?;
    Ok((header, body))
}

/// Encodes a request, including the size prefix.
pub fn encode_request<M: Message>(
    correlation_id: i32,
    client_id: &str,
    version: i16,
    body: &M,
) -> Frame {
    let header = RequestHeader {
        request_api_key: M::KEY,
        request_api_version: version,
        correlation_id,
        client_id: Some(client_id.into()),
    };
    encode(&header, true, version, body)
}

/// Encodes a response, including the size prefix.
pub fn encode_response<M: Message>(correlation_id: i32, version: i16, body: &M) -> Frame {
    encode(&ResponseHeader { correlation_id }, M::RESPONSE_HAS_TAGS, version, body)
}

fn encode<M: Message>(header: &impl WireType, has_tags: bool, version: i16, body: &M) -> Frame {
    let mut encoder = Encoder::new(0, false);
    encoder.put(&[0; Frame::SIZE_BYTES]);
    header.encode(&mut encoder);
    let mut encoder = encoder.with_version(version, M::is_flexible(version));
    if has_tags {
        encoder.end_struct();
    }
    body.encode(&mut encoder);
    encoder.finish_frame()
}

/// Decodes a response from its frame, without the size prefix. `version` is that of the request.
/// Returns the correlation id and the body.
pub fn decode_response<M: Message>(frame: Bytes, version: i16) -> Result<(i32, M), DecodeError> {
    let mut decoder = Decoder::new(frame, 0, false);
    let header = ResponseHeader::decode(&mut decoder)?;

    let mut decoder = decoder.with_version(version, M::is_flexible(version));
    if M::RESPONSE_HAS_TAGS {
        decoder.end_struct()?;
    }
    Ok((header.correlation_id, M::decode(&mut decoder)?))
}

macro_rules! apis {
    ($( $name:ident: $module:ident::$request:ident, $response:ident; )*) => {
        /// The body of a request.
        #[derive(Clone, Debug)]
        pub enum Request {
            $( #[doc = concat!("[`", stringify!($request), "`](super::", stringify!($module), ")")]
            $name(super::$module::$request), )*
        }

        $( impl RequestBody for super::$module::$request {
            type Response = super::$module::$response;
        } )*

        /// The requests that the broker serves, by key.
        pub static APIS: &[Api] = &[$( Api {
            key: super::$module::$request::KEY,
            name: stringify!($name),
            versions: <super::$module::$request as Message>::VERSIONS,
            flexible_from: super::$module::$request::FLEXIBLE_FROM,
            request: super::$module::$request::TABLE,
            response: super::$module::$response::TABLE,
            decode: |decoder| WireType::decode(decoder).map(Request::$name),
        } ),*];
    };
}

apis! {
    Produce: produce::ProduceRequest, ProduceResponse;
    Fetch: fetch::FetchRequest, FetchResponse;
    ListOffsets: list_offsets::ListOffsetsRequest, ListOffsetsResponse;
    Metadata: metadata::MetadataRequest, MetadataResponse;
    OffsetCommit: offsets::OffsetCommitRequest, OffsetCommitResponse;
    OffsetFetch: offsets::OffsetFetchRequest, OffsetFetchResponse;
    FindCoordinator: group::FindCoordinatorRequest, FindCoordinatorResponse;
    JoinGroup: group::JoinGroupRequest, JoinGroupResponse;
    Heartbeat: group::HeartbeatRequest, HeartbeatResponse;
    LeaveGroup: group::LeaveGroupRequest, LeaveGroupResponse;
    SyncGroup: group::SyncGroupRequest, SyncGroupResponse;
    DescribeGroups: group::DescribeGroupsRequest, DescribeGroupsResponse;
    ListGroups: group::ListGroupsRequest, ListGroupsResponse;
    ApiVersions: api_versions::ApiVersionsRequest, ApiVersionsResponse;
    CreateTopics: topics::CreateTopicsRequest, CreateTopicsResponse;
    DeleteTopics: topics::DeleteTopicsRequest, DeleteTopicsResponse;
    DeleteRecords: topics::DeleteRecordsRequest, DeleteRecordsResponse;
    InitProducerId: produce::InitProducerIdRequest, InitProducerIdResponse;
    OffsetForLeaderEpoch:
        list_offsets::OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    DescribeConfigs: configs::DescribeConfigsRequest, DescribeConfigsResponse;
    DescribeLogDirs: topics::DescribeLogDirsRequest, DescribeLogDirsResponse;
    CreatePartitions: topics::CreatePartitionsRequest, CreatePartitionsResponse;
    DeleteGroups: group::DeleteGroupsRequest, DeleteGroupsResponse;
    IncrementalAlterConfigs:
        configs::IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    OffsetDelete: offsets::OffsetDeleteRequest, OffsetDeleteResponse;
    DescribeCluster: metadata::DescribeClusterRequest, DescribeClusterResponse;
}
