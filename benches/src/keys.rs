//! Keys and values of fixed size, made from numbers without looking anything up.
//!
//! ```
//! assert_eq!(&benches::keys::key(255), b"00000000000000ff");
//! assert_eq!(benches::keys::value(255)[16..], *b"00000000000000ff");
//! ```

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;
/// Bytes of a value: more than fit into a pointer, less than most would call large.
pub const VALUE_BYTES: usize = 32;

/// The key of a number: its hexadecimal digits.
pub fn key(number: u64) -> [u8; KEY_BYTES] {
    std::array::from_fn(|at| b"0123456789abcdef"[(number >> (60 - 4 * at) & 15) as usize])
}

/// The value under that key: the key twice.
pub fn value(number: u64) -> [u8; VALUE_BYTES] {
    let key = key(number);
    std::array::from_fn(|at| key[at % KEY_BYTES])
}
