//! See `minicache_fuzz::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minicache_fuzz::configuration::check(input));
