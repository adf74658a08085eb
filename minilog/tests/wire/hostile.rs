//! Truncated, damaged and random frames: each gives an error or a message, never a panic, and never
//! takes more memory than the limits allow.

use crate::generate::{Choices, message};
use bytes::Bytes;
use minilog::wire::codec::ARRAY_BYTES_MAX;
use minilog::wire::schema::Message;
use minilog::wire::{APIS, Api, RequestError, decode_request, metadata};
use proptest::collection::vec;
use proptest::prelude::*;

/// A request frame of `api` with this body, without a client id.
fn frame(api: &Api, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = [api.key.to_be_bytes(), version.to_be_bytes()].concat();
    frame.extend([0, 0, 0, 1, 0xff, 0xff]);
    frame.extend(api.is_flexible(version).then_some(0));
    frame.extend(body);
    frame
}

fn problem(frame: Vec<u8>) -> String {
    match decode_request(frame.into()) {
        Err(RequestError::Malformed(error)) => error.problem,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn bytes_at_random(bytes in vec(any::<u8>(), 0..200)) {
        // Use a valid header, or only the decoding of headers would be tested.
        for api in APIS {
            for version in api.versions.clone() {
                let _ = decode_request(frame(api, version, &bytes).into());
            }
        }
        let _ = decode_request(bytes.into());
    }

    #[test]
    fn every_cut_of_a_message_is_an_error(choices in vec(any::<u8>(), 0..60)) {
        for api in APIS {
            let version = *api.versions.end();
            let is_flexible = api.is_flexible(version);
            let body = message(api.request, version, is_flexible, &mut Choices::new(&choices));
            let whole = Bytes::from(frame(api, version, &body));
            prop_assert!(decode_request(whole.clone()).is_ok());
            for end in 0..whole.len() {
                let cut = decode_request(whole.slice(..end));
                prop_assert!(matches!(cut, Err(RequestError::Malformed(_))), "{} {end}", api.name);
            }
        }
    }

    #[test]
    fn a_changed_byte_does_not_panic(choices in vec(any::<u8>(), 0..60), at: usize, byte: u8) {
        for api in APIS {
            let version = *api.versions.end();
            let is_flexible = api.is_flexible(version);
            let body = message(api.request, version, is_flexible, &mut Choices::new(&choices));
            let mut frame = frame(api, version, &body);
            let at = at % frame.len();
            frame[at] = byte;
            let _ = decode_request(frame.into());
        }
    }
}

fn metadata_frame(version: i16, body: &[u8]) -> Vec<u8> {
    frame(Api::of(metadata::MetadataRequest::KEY).unwrap(), version, body)
}

#[test]
fn a_count_of_two_billion_topics() {
    let count = metadata_frame(1, &[0x7f, 0xff, 0xff, 0xff, 0, 0]);
    assert_eq!(problem(count), "2147483647 elements announced and 2 bytes left");
    let count = metadata_frame(9, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    assert_eq!(problem(count), "4294967294 elements announced and 2 bytes left");
}

#[test]
fn many_small_elements_are_bounded_in_memory() {
    // Two bytes each on the wire, 40 and more in memory.
    let count = ARRAY_BYTES_MAX / size_of::<metadata::MetadataRequestTopic>() + 1;
    let mut body = (count as i32).to_be_bytes().to_vec();
    body.extend(std::iter::repeat_n(0, count * 2));
    let expected = "the arrays of the message need more than 33554432 bytes";
    assert_eq!(problem(metadata_frame(1, &body)), expected);
}

#[test]
fn impossible_lengths_are_errors() {
    // Null topics in version 0, and a length below -1.
    let null = problem(metadata_frame(0, &[0xff; 4]));
    assert_eq!(null, "null is not allowed in this version");
    let negative = metadata_frame(1, &[0xff, 0xff, 0xff, 0xfe]);
    assert_eq!(problem(negative), "-2 cannot be a length");
    // Six bytes of a variable-length integer, and five with more than 32 bits.
    let bad_varint = "a variable-length integer has more than 32 bits";
    assert_eq!(problem(metadata_frame(9, &[0xff; 6])), bad_varint);
    let too_large = metadata_frame(9, &[0xff, 0xff, 0xff, 0xff, 0x1f]);
    assert_eq!(problem(too_large), bad_varint);
    // A string that is not UTF-8.
    let not_utf8 = problem(metadata_frame(0, &[0, 0, 0, 1, 0, 1, 0xff]));
    assert_eq!(not_utf8, "a string is not UTF-8");
}

#[test]
fn a_tagged_field_ends_with_the_frame() {
    let api = Api::of(metadata::MetadataRequest::KEY).unwrap();
    let body = [0, 1, 0, 0, 1, 5, 10, b'a', b'b'];
    assert_eq!(problem(frame(api, 9, &body)), "10 bytes needed and 2 left");
}

#[test]
fn tagged_fields_are_skipped() {
    let api = Api::of(metadata::MetadataRequest::KEY).unwrap();
    let body = [0, 1, 0, 0, 2, 5, 3, b'a', b'b', b'c', 99, 0];
    assert!(decode_request(frame(api, 9, &body).into()).is_ok());
}

#[test]
fn unknown_requests_and_versions() {
    let error = decode_request(Bytes::from_static(b"\0\x4d\0\0\0\0\0\x07\xff\xff")).unwrap_err();
    let RequestError::Unsupported(header) = &error else { panic!("{error}") };
    assert_eq!((header.request_api_key, header.correlation_id), (77, 7));
    assert_eq!(error.to_string(), "request 77 is not supported");
    let error = decode_request(Bytes::from_static(b"\0\x12\0\x63\0\0\0\x07\xff\xff")).unwrap_err();
    assert_eq!(error.to_string(), "ApiVersions version 99 is not in 0-4");
}

#[test]
fn an_error_names_the_field() {
    let error = decode_request(metadata_frame(0, &[0, 0, 0, 1, 0, 9]).into()).unwrap_err();
    let expected =
        "malformed request: MetadataRequestTopic.name at byte 16: 9 bytes needed and 0 left";
    assert_eq!(error.to_string(), expected);
}
