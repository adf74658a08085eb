//! Kafka's protocol: requests and responses as values, decoded and encoded without I/O.
//!
//! | module | what it is |
//! |---|---|
//! | [`codec`] | integers, strings, arrays, tagged fields; limits for hostile lengths |
//! | [`schema`] | messages as tables of fields: `message!` |
//! | [`error_code`] | errors |
//! | [`api`] | the list of requests; headers and whole frames |
//! | [`api_versions`] [`metadata`] | the supported requests; the brokers, topics and leaders |
//! | [`produce`] [`fetch`] [`list_offsets`] | writing, reading, seeking |
//! | [`group`] [`offsets`] | consumer groups and their committed offsets |
//! | [`offsets_topic`] | the same on disk: the records of `__consumer_offsets` |
//! | [`explain`] | a frame, byte by byte |
//! | [`topics`] [`configs`] | administration |
//!
//! A connection carries frames in both directions: a size of four bytes, a [header](api) and a
//! body. The header of a request contains its kind and version ([`decode_request`]). The response
//! has the same version ([`encode_response`]).

pub mod api;
pub mod api_versions;
pub mod codec;
pub mod configs;
pub mod error_code;
pub mod explain;
pub mod fetch;
pub mod group;
pub mod list_offsets;
pub mod metadata;
pub mod offsets;
pub mod offsets_topic;
pub mod produce;
pub mod schema;
pub mod topics;

pub use api::{
    APIS, Api, Request, RequestBody, RequestError, decode_request, decode_response, encode_request,
    encode_response,
};
pub use error_code::ErrorCode;
pub use schema::message;
