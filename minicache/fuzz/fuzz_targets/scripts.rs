//! See `minicache_fuzz::scripts`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minicache_fuzz::scripts::check(input));
