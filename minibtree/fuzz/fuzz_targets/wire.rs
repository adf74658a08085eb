//! See `minibtree_fuzz::wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minibtree_fuzz::wire::check(input));
