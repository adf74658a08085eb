//! See `minibtree_fuzz::pages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minibtree_fuzz::pages::check(input));
