//! Any bytes as the start of TLS: names are printable, and the message is the same in smaller
//! records.
#![no_main]

use minilb::wire::client_hello::parse;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(Some(hello)) = parse(input) else { return };
    let printable = |it: &str| it.bytes().all(|it| it.is_ascii_graphic());
    assert!(printable(&hello.server_name) && printable(&hello.alpn_protocols));

    // More bytes change nothing.
    assert_eq!(parse(&[input, b"more"].concat()), Ok(Some(hello.clone())));

    // The first record cut in two.
    let length = usize::from(u16::from_be_bytes([input[3], input[4]]));
    let (body, rest) = input[5..].split_at(length.min(input.len() - 5));
    let (first, second) = body.split_at(body.len() / 2);
    if first.is_empty() || body.len() < length {
        return;
    }
    let record = |it: &[u8]| [&[22, 3, 1], &(it.len() as u16).to_be_bytes()[..], it].concat();
    assert_eq!(parse(&[&record(first), &record(second), rest].concat()), Ok(Some(hello)));
});
