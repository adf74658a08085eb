//! ApiVersions (key 18): the first request on every connection. The response lists the requests
//! that the broker serves, and their versions.
//!
//! # Example
//!
//! The request that kcat 1.7.1 opens a connection with, version 3:
//!
//! ```
//! use minilog::wire::{self, Request};
//!
//! let frame = b"\0\x12\0\x03\0\0\0\x01\0\x07rdkafka\0\x0blibrdkafka\x062.0.2\0";
//! let (_, request) = wire::decode_request(frame.as_slice().into())?;
//! let Request::ApiVersions(body) = request else { panic!("another request") };
//! assert_eq!(body.client_software_name, "librdkafka");
//! assert_eq!(body.client_software_version, "2.0.2");
//! # Ok::<(), wire::RequestError>(())
//! ```
//!
//! # The request that must never fail
//!
//! The client does not know the broker's versions yet. So the response has the same header in all
//! versions ([`api`](super::api)). A request in an unknown version gets a response in version 0,
//! with the error `UNSUPPORTED_VERSION` and the versions of ApiVersions itself
//! ([`ApiVersionsResponse::unsupported`]). The client tries again with one of these.
//!
//! # Versions that are advertised but not served
//!
//! [`advertised`] lists Produce from version 0 on, although 3 is the oldest version that is served.
//! Some versions of librdkafka conclude from a missing version 2 that the broker does not support
//! LZ4, and from a missing version 3 that it does not support the current batch format. Kafka does
//! the same (KAFKA-18659).
//!
//! Kafka counterpart: `ApiVersionsRequest.json`, `ApiVersionsResponse.java`, KIP-511 and KIP-584.

use super::api::Api;
use super::error_code::ErrorCode;
use super::schema::{Message, message};

message! {
    /// Asks which requests the broker serves.
    pub struct ApiVersionsRequest: key 18, versions 0-4, flexible 3+ {
        3+ client_software_name:    String, "the client's library";
        3+ client_software_version: String, "the library's version";
    }

    /// The requests that the broker serves, and their versions.
    pub struct ApiVersionsResponse: key 18, versions 0-4, flexible 3+ {
        0+ error_code:       ErrorCode,       "UNSUPPORTED_VERSION or none";
        0+ api_keys:         Vec<ApiVersion>, "one entry per request";
        ApiVersion {
            0+ api_key:     i16, "the number of the request";
            0+ min_version: i16, "the oldest version";
            0+ max_version: i16, "the newest version";
        }
        1+ throttle_time_ms: i32,             "delay by quotas";
    }
}

impl ApiVersionsResponse {
    /// The response to an ApiVersions request in an unsupported version. Encode it in version 0.
    pub fn unsupported() -> ApiVersionsResponse {
        let own = Api::of(ApiVersionsRequest::KEY).map(advertised);
        ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: own.into_iter().collect(),
            ..Default::default()
        }
    }
}

/// The versions that the broker advertises for one request.
pub fn advertised(api: &Api) -> ApiVersion {
    let produce = super::produce::ProduceRequest::KEY;
    let min_version = if api.key == produce { 0 } else { *api.versions.start() };
    ApiVersion { api_key: api.key, min_version, max_version: *api.versions.end() }
}

/// Returns true for a valid name or version of a client's library: letters, digits, and `-` and `.`
/// between them (`[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`). Others get `INVALID_REQUEST`.
pub fn is_software_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    is_outer(bytes.first()) && is_outer(bytes.last()) && bytes.iter().all(|byte| is_inner(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode_response;

    #[test]
    fn an_unknown_version_is_answered_as_kafka_does() {
        let frame = encode_response(7, 0, &ApiVersionsResponse::unsupported());
        let expected =
            [0, 0, 0, 16, 0, 0, 0, 7, 0, 0x23, 0, 0, 0, 1, 0, 0x12, 0, 0, 0, 4].as_slice();
        assert_eq!(frame.to_vec(), expected);
    }

    #[test]
    fn the_response_header_is_never_flexible() {
        let frame = encode_response(7, 3, &ApiVersionsResponse::default()).to_vec();
        // The error code follows the correlation id, without tagged fields between them.
        assert_eq!(frame, [0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn software_names() {
        for name in ["a", "librdkafka", "confluent-kafka.python", "a-.b"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-a", "a-", ".", "a b", "é"] {
            assert!(!is_software_name(name), "{name}");
        }
    }
}
