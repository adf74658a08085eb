//! Any bytes as the answer of a name server: nothing panics, and there are no more addresses than
//! the answer has room for.
#![no_main]

use minilb_dns::message::{Kind, answer, question};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for kind in [Kind::A, Kind::Aaaa] {
        let question = question(0x1234, "a.test", kind).expect("a name");
        let _ = answer(&question, input);

        // Most inputs are for no question of ours, so the question is put in front of them.
        let mut ours = [&question, input].concat();
        ours[2..4].copy_from_slice(&[0x81, 0x80]);
        ours[6] = input.first().copied().unwrap_or_default();
        ours[7] = input.last().copied().unwrap_or_default();
        if let Ok(answer) = answer(&question, &ours) {
            assert!(answer.addresses.len() * 14 <= input.len());
        }
    }
});
