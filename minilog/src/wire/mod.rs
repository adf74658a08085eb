//! Kafka's protocol: requests and responses as values, decoded and encoded without I/O.
//!
//! | module | what it is |
//! |---|---|
//! | [`codec`] | integers, strings, arrays, tagged fields; the bounds of hostile lengths |
//! | [`schema`] | messages as tables of fields: `message!` |
//! | [`error_code`] | errors |
//! | [`api`] | the list of requests; headers and whole frames |
//! | [`api_versions`] [`metadata`] | which requests there are; which broker leads which partition |
//! | [`produce`] [`fetch`] [`list_offsets`] | writing, reading, seeking |
//! | [`group`] [`offsets`] | consumer groups and what they have processed |
//! | [`offsets_topic`] | the same on the disk: the records of `__consumer_offsets` |
//! | [`explain`] | a frame, byte by byte |
//! | [`topics`] [`configs`] | administration |
//!
//! A connection carries frames in both directions: four bytes of size, a [header](api), a body. The
//! header of a request names the body and its version ([`decode_request`]); the response
//! ([`encode_response`]) has the same version.

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
