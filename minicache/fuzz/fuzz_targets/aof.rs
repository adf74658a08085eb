//! See `minicache_fuzz::aof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minicache_fuzz::aof::check(input));
