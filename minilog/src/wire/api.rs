//! The requests of the broker, and decoding and encoding whole frames.
//!
//! [`APIS`] has one row per request: number, name, versions, the tables of both bodies. The type
//! [`Request`] has one variant per row. Both come from one list at the end of this file.
//!
//! Every request that is decoded is served, and announced. Each has a header in front:
//!
//! ```text
//! request    size  api_key api_version correlation_id client_id [tagged fields]  body
//! response   size                      correlation_id           [tagged fields]  body
//! ```
//!
//! A response carries neither key nor version: the client remembers what it asked under the
//! correlation id. Responses come in the order of the requests, so a client may send several
//! requests before it reads the first response.
//!
//! # Which version a header has
//!
//! | | old body | flexible body |
//! |---|---|---|
//! | request | 1 | 2: tagged fields at the end |
//! | response | 0 | 1: tagged fields at the end |
//! | response of ApiVersions | 0 | 0 |
//!
//! The first eight bytes of a request are the same in every version that exists or will exist. That
//! is how a broker can answer an ApiVersions request of a version it does not know.
//!
//! The client id has a length of two bytes even in front of a flexible body. So both tables are in
//! the old encoding, and a flexible header has an end of its own
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

/// What the broker knows about one request.
#[derive(Debug)]
pub struct Api {
    /// Its number.
    pub key: i16,
    /// Its name in Kafka.
    pub name: &'static str,
    /// The versions that are decoded.
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
    /// The request of this number, if the broker has it.
    pub fn of(key: i16) -> Option<&'static Api> {
        APIS.iter().find(|api| api.key == key)
    }

    /// Returns true if `version` has the flexible encoding.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// The body of a request, which is answered by one response.
pub trait RequestBody: Message {
    /// The body of the response.
    type Response: Message;
}

message! {
    /// In front of every request.
    pub struct RequestHeader {
        0+ request_api_key:     i16,            "which request";
        0+ request_api_version: i16,            "its version";
        0+ correlation_id:      i32,            "comes back in the response";
        0+ client_id:           Option<String>, "for logs, quotas and metrics";
    }

    /// In front of every response.
    pub struct ResponseHeader {
        0+ correlation_id: i32, "that of the request";
    }
}

/// Why a frame is not a request that the broker can answer.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestError {
    /// The key or the version is not supported. An ApiVersions request is answered
    /// ([`ApiVersionsResponse::unsupported`](super::api_versions::ApiVersionsResponse)); after
    /// another one the connection must close, because the client waits for a response whose format
    /// the broker does not know.
    Unsupported(RequestHeader),
    /// The bytes are not the message that the header announces. The connection must close.
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

/// Decodes a request from its frame, without the size in front. Bytes after the body are ignored,
/// as in Kafka.
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

/// Encodes a request, its size in front.
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

/// Encodes a response, its size in front.
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

/// Decodes a response from its frame, without the size in front: the correlation id and the body.
/// `version` is that of the request.
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

        /// The requests of the broker, by number.
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
