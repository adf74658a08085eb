//! See `minibtree_fuzz::sql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| minibtree_fuzz::sql::check(input));
