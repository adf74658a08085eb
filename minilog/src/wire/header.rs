//! The headers in front of every request and response.
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
//! Kafka counterpart: `RequestHeader.json` and `ResponseHeader.json`; `generateHeaderVersion` in
//! `ApiMessageTypeGenerator.java` has the exception.

use super::schema::message;

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
