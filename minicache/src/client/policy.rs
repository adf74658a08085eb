//! The eviction policies, and a cache of a fixed number of keys, to use them without the server.
//!
//! ```
//! use minicache::policy::{Cache, Sieve};
//! let mut cache = Cache::new(2, Sieve::default());
//! cache.insert("a", 1);
//! cache.insert("b", 2);
//! assert_eq!(cache.get(&"a"), Some(&mut 1));
//! assert_eq!(cache.insert("c", 3), Some(("b", 2)), "a was used, b was not");
//! ```

pub use crate::commands::advise::cache::{Cache, Slots};
pub use crate::engine::eviction::order::{
    Algorithm, Clock, ExactLru, Links, NONE, Nodes, Order, S3Fifo, Sieve, TinyLfu,
};
