//! See `minilog_fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minilog_fuzz::frames::check(input));
