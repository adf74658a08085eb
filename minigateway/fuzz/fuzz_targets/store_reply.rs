//! Any bytes from a store: a reply, an error, or incomplete; never a panic, and the same result if
//! the bytes arrive in two parts.
#![no_main]

use minigateway::engine::limiter::algorithm::Algorithm;
use minigateway::engine::limiter::gcra::Gcra;
use minigateway::engine::shared::{Parameters, ScriptReply, SharedCharge};
use minigateway::wire::resp;
use std::time::Duration;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = resp::read(bytes);
    if let Ok(Some((reply, length))) = &whole {
        for end in 0..*length {
            assert_eq!(resp::read(&bytes[..end]), Ok(None), "to {end}");
        }
        if let resp::Reply::Integers(numbers) = reply {
            let gcra = Gcra::new(10, Duration::from_secs(1), 20).expect("no zero");
            let algorithm = Algorithm::TokenBucket(gcra);
            let limits = [Parameters::new(&algorithm).expect("small")];
            if let Some(reply) = ScriptReply::read(numbers, &limits) {
                let mut charge = SharedCharge::new(0, 1, 2);
                charge.lease = 5;
                assert!(reply.apply(0, &algorithm, &mut charge) <= 5);
                charge.state.expect("applied").quota(&algorithm);
            }
        }
    }
});
