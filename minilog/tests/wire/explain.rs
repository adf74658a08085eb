//! The explanation of a frame against the decoder: it covers the same bytes, all of them, and does
//! not panic on damaged frames.

use crate::generate::{Choices, message};
use minilog::wire::explain::explain_request;
use minilog::wire::{APIS, Api};
use proptest::collection::vec;
use proptest::prelude::*;

/// The frame of a request with this body, without a client id.
fn frame(api: &Api, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = [api.key.to_be_bytes(), version.to_be_bytes()].concat();
    frame.extend([0, 0, 0, 1, 0xff, 0xff]);
    frame.extend(api.is_flexible(version).then_some(0));
    frame.extend(body);
    frame
}

proptest! {
    #[test]
    fn every_byte_belongs_to_a_field(choices in vec(any::<u8>(), 0..200), cut: usize) {
        for api in APIS {
            for version in api.versions.clone() {
                let is_flexible = api.is_flexible(version);
                let mut choices = Choices::new(&choices);
                let body = message(api.request, version, is_flexible, &mut choices);
                let request = frame(api, version, &body);
                // Generated records are not valid batches, so the explanation ends there.
                if api.name != "Produce" {
                    prop_assert_eq!(explain_request(&request).end(), request.len());
                }
                let _ = explain_request(&request[..cut % request.len()]).to_string();
            }
        }
    }

    #[test]
    fn bytes_at_random(bytes in vec(any::<u8>(), 0..200)) {
        for api in APIS {
            let _ = explain_request(&frame(api, *api.versions.end(), &bytes)).to_string();
        }
        let _ = explain_request(&bytes).to_string();
    }
}

#[test]
fn batches_are_shown_by_their_header() {
    let batch = minilog::format::batch::EXAMPLE;
    let mut body = vec![0xff, 0xff, 0, 1, 0, 0, 5, 0xdc, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1];
    body.extend([0, 0, 0, 0, 0, 0, 0, batch.len() as u8]);
    body.extend(batch);
    let frame = frame(&APIS[0], 7, &body);
    let dump = explain_request(&frame);
    assert_eq!(dump.end(), frame.len());
    let crc = dump.parts().iter().find(|part| part.name == "crc").unwrap();
    assert_eq!(crc.value, "0xd74f382f");
}
