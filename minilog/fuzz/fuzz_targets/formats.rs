//! See `minilog_fuzz::formats`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minilog_fuzz::formats::check(input));
