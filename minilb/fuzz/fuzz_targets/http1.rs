//! Any bytes as a request and its response, in two pieces each: nothing panics, and what is sent on
//! has one meaning. The head that a server gets parses again, with the framing that it was sent
//! with; so does the client's.
//!
//! The input is `REQUEST FF RESPONSE`, with the first byte as the place of the cut.
#![no_main]

use minilb::wire::http1::exchange::{BodyLimits, Exchange};
use minilb::wire::http1::framing::{Framing, ResponseFraming};
use minilb::wire::http1::head::{RequestHead, ResponseHead};
use minilb::wire::http1::refusal::Refusal;
use minilb::wire::http1::writer::HeadWriter;

const LIMITS: BodyLimits = BodyLimits { max: 1 << 16, stored_max: 64, needs_length: false };

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((cut, input)) = input.split_first() else { return };
    let mut parts = input.splitn(2, |byte| *byte == 0xff);
    let request = parts.next().unwrap_or_default();
    let response = parts.next().unwrap_or_default();
    let _ = exchange(usize::from(*cut), request, response);
});

fn exchange(cut: usize, request: &[u8], response: &[u8]) -> Result<(), Refusal> {
    let mut exchange = Exchange::default();
    exchange.begin_request();
    let (first, second) = request.split_at(cut.min(request.len()));
    exchange.from_client.append(first);
    if !exchange.parse_request()? {
        exchange.from_client.append(second);
        if !exchange.parse_request()? {
            return Ok(());
        }
    } else {
        exchange.from_client.append(second);
    }
    exchange.limit_body(LIMITS)?;
    if !exchange.collect_body()? {
        return Ok(());
    }

    let mut sent = Framing::None;
    let mut length = 0;
    exchange.begin_attempt(|request, framing, out| {
        let (method, uri, version) = (request.method(), request.uri(), request.minor_version());
        let mut head = HeadWriter::request(out, method, uri, version, framing);
        request.end_to_end().for_each(|it| head.header(it.name, it.value));
        head.finish();
        (sent, length) = (framing, out.len());
    });
    let mut again = RequestHead::default();
    let parsed = again.parse(exchange.to_upstream.filled()).expect("we wrote it");
    assert_eq!((parsed, again.framing()), (Some(length), sent));
    exchange.upload()?;

    let (first, second) = response.split_at(cut.min(response.len()));
    let mut has_head = false;
    for piece in [first, second] {
        exchange.from_upstream.append(piece);
        if !has_head {
            has_head = exchange.parse_response(4096)?;
            if !has_head {
                continue;
            }
            // A tunnel has no framing.
            if exchange.response.status() == 101 {
                return Ok(());
            }
            let mut sent = ResponseFraming::UntilClose;
            exchange.begin_response(true, |exchange, framing, persistence, out| {
                let response = &exchange.response;
                let (status, reason) = (response.status(), response.reason());
                let mut head = HeadWriter::response(out, status, reason, framing, persistence);
                head.framing();
                response.end_to_end().for_each(|it| head.header(it.name, it.value));
                head.finish();
                sent = framing;
            });
            let to_head = exchange.request.is_head();
            let mut again = ResponseHead::default();
            let parsed = again.parse(exchange.to_client.filled(), to_head, 1 << 16);
            assert!(matches!(parsed, Ok(Some(_))), "{parsed:?}");
            assert_eq!(again.framing(), sent);
        }
        exchange.download()?;
    }
    Ok(())
}
