//! See `minicache_fuzz::journal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minicache_fuzz::journal::check(input));
