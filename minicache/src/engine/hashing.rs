//! The hash of keys and members, keyed with a random secret of this process.
//!
//! A client that knew the hash could send keys that all belong into one bucket, and every lookup
//! would take linear time. So each hash depends on 256 random bits, chosen at the first hash:
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

/// The hasher of keys and members. It does not change until the process ends. Unit tests have the
/// same one in every run.
pub fn hasher() -> &'static RandomState {
    SECRET.get_or_init(if cfg!(test) { constant } else { RandomState::new })
}

fn constant() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

/// Replaces the secret with a constant, for reproducible runs; never in a server. Returns false,
/// and changes nothing, if something was hashed before.
pub fn fix() -> bool {
    SECRET.set(constant()).is_ok()
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
