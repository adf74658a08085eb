//! Requests from the network.
//!
//! The first byte chooses between a request and a response: a client must decode responses, with
//! the same kind of tables.

use bytes::Bytes;
use minilog::wire::codec::{Decoder, Encoder};
use minilog::wire::fetch::FetchResponse;
use minilog::wire::schema::Message;
use minilog::wire::{Request, decode_request, decode_response, explain};

/// Decodes a frame, then encodes and decodes it again.
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
        Request::Produce(body) => round_trip(&body, version),
        Request::Fetch(body) => round_trip(&body, version),
        Request::JoinGroup(body) => round_trip(&body, version),
        Request::OffsetCommit(body) => round_trip(&body, version),
        Request::CreateTopics(body) => round_trip(&body, version),
        _ => {}
    }
}

/// Checks that a body is the same after encoding and decoding.
fn round_trip<M: Message + PartialEq + std::fmt::Debug>(body: &M, version: i16) {
    let mut encoder = Encoder::new(version, M::is_flexible(version));
    body.encode(&mut encoder);
    let bytes = Bytes::from(encoder.into_vec());
    let mut decoder = Decoder::new(bytes, version, M::is_flexible(version));
    assert_eq!(M::decode(&mut decoder).as_ref(), Ok(body));
}
