//! What the benchmarks share: an engine without a server, its peers, and keys.
//!
//! ```text
//! cargo bench -p benches                    everything, some twenty minutes
//! cargo bench -p benches --bench store      get, set, evict, expire against moka and others
//! cargo bench -p benches-embedded           minibtree against embedded stores, as curves
//! benches/gate                              instructions of the hot paths against the baseline
//! ```
//!
//! * [`engine`]: minicache's core, fed with requests as bytes.
//! * [`peers`]: moka, quick_cache and maps behind locks, behind one small trait.
//! * [`keys`]: a key and a value for every number.
//!
//! A wall clock on a shared machine says little; `benches/gate` counts instructions, which come out
//! the same every time. Counterpart in Redis: `src/redis-benchmark.c`, which measures the kernel
//! too.

pub mod engine;
pub mod keys;
pub mod peers;
