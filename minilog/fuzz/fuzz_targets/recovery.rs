//! See `minilog_fuzz::recovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minilog_fuzz::recovery::check(input));
