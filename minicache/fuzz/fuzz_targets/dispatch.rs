//! See `minicache_fuzz::commands`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minicache_fuzz::commands::check(input));
