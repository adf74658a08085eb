//! Any bytes ahead of a client: a header of the PROXY protocol ends within them, and what is
//! written again means the same.
#![no_main]

use minilb::wire::proxy_protocol::{HEADER_BYTES_MAX, parse, write};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(Some(header)) = parse(input) else { return };
    assert!(header.length <= input.len().min(HEADER_BYTES_MAX));

    // Nothing after the header counts, and a part of it is not enough.
    assert_eq!(parse(&input[..header.length]), Ok(Some(header)));
    assert_eq!(parse(&input[..header.length - 1]), Ok(None));

    let Some(addresses) = header.addresses else { return };
    let mut written = Vec::new();
    write(Some(addresses), &mut written);
    let again = parse(&written).expect("well-formed").expect("complete");
    assert_eq!((again.length, again.addresses), (written.len(), Some(addresses)));
});
