//! Requests from the network.
//!
//! The first byte chooses between a request, and the response of one: a client has to decode those,
//! and the tables are the same.

use bytes::Bytes;
use minilog::wire::codec::{Decoder, Encoder};
use minilog::wire::fetch::FetchResponse;
use minilog::wire::schema::Message;
use minilog::wire::{Request, decode_request, decode_response, explain};

/// Decodes a frame, and encodes and decodes it again.
pub fn check(input: &[u8]) {
    let Some((kind, frame)) = input.split_first() else { return };
    let frame = Bytes::copy_from_slice(frame);
    explain::explain_request(&frame);
    if kind & 1 == 1 {
        for version in FetchResponse::VERSIONS {
            let _ = decode_response::<FetchResponse>(frame.clone(), version);
        }
        return;
    }
    let Ok((header, request)) = decode_request(frame) else { return };
    let version = header.request_api_version;
    match request {
        Request::Produce(body) => again(&body, version),
        Request::Fetch(body) => again(&body, version),
        Request::JoinGroup(body) => again(&body, version),
        Request::OffsetCommit(body) => again(&body, version),
        Request::CreateTopics(body) => again(&body, version),
        _ => {}
    }
}

/// A body that was encoded is decoded to itself.
fn again<M: Message + PartialEq + std::fmt::Debug>(body: &M, version: i16) {
    let mut encoder = Encoder::new(version, M::is_flexible(version));
    body.encode(&mut encoder);
    let bytes = Bytes::from(encoder.into_vec());
    let mut decoder = Decoder::new(bytes, version, M::is_flexible(version));
    assert_eq!(M::decode(&mut decoder).as_ref(), Ok(body));
}
