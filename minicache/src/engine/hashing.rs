//! The hash of keys and members: keyed with a secret that this process drew.
//!
//! A client that knew the hash could send keys that all fall into one bucket, and every look-up
//! would become a walk. So 256 random bits go into each hash, drawn at the first hash:
//!
//! ```text
//! this process   "user:7" -> 0x8d0c...   shard 35, bucket 0x1c0d8
//! the next one   "user:7" -> 0x13f7...   shard 4,  bucket 0x0a2f1
//! ```
//!
//! A program that must be reproducible, such as a count of instructions, calls [`fix`] first.
//! Counterparts in Redis: `siphash.c`, and `dictSetHashFunctionSeed` in `dict.c`.

use ahash::RandomState;
use std::sync::OnceLock;

static SECRET: OnceLock<RandomState> = OnceLock::new();

/// What hashes keys and members, the same all through the life of the process.
pub fn hasher() -> &'static RandomState {
    SECRET.get_or_init(RandomState::new)
}

/// Replaces the secret by a public constant, for reproducible runs; never in a server. Returns
/// false if something was hashed before, in which case the secret stays.
pub fn fix() -> bool {
    SECRET.set(RandomState::with_seeds(1, 2, 3, 4)).is_ok()
}

/// Hashes a key. Tests count the calls: a command hashes each of its keys once.
pub fn hash_key(hasher: &RandomState, key: &[u8]) -> u64 {
    #[cfg(test)]
    tests::KEYS_HASHED.with(|count| count.set(count.get() + 1));
    hasher.hash_one(key)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// How many keys this thread has hashed.
        pub(crate) static KEYS_HASHED: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn one_process_has_one_hash() {
        assert_eq!(hasher().hash_one("user:7"), hasher().hash_one("user:7"));
        assert!(!fix(), "it is too late");
    }
}
