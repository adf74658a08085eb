//! A race of eviction policies: the traces, the optimum, and the report. The policies are the
//! caller's (`minicache race`): each is a function that plays a trace and counts misses.
//!
//! ```
//! use minicache_race::{Lane, Race, Trace, table};
//! let trace = Trace { name: "abab".into(), keys: vec![1, 2, 1, 2], distinct: 2 };
//! let every_request = |keys: &[u64], _size: usize| keys.len();
//! let race = Race::run(&trace, vec![1, 2], &[("none", &every_request)]);
//! assert_eq!(race.lanes[0], Lane { policy: "none", misses: vec![4, 4] });
//! assert_eq!(race.lanes[1], Lane { policy: "belady", misses: vec![4, 2] });
//! assert!(table(&[race]).contains("belady                 0.00    50.00"));
//! ```
//!
//! * [`Trace`]: recorded traces, and generated ones that are the same everywhere.
//! * [`belady`]: the fewest misses that any policy could have.
//! * [`table`], [`json`], [`page`]: the outcome, for a terminal, a program and a browser.
//!
//! Redis has none of this; the counterpart is libCacheSim, whose counts the tests of minicache
//! compare.

mod belady;
mod report;
mod trace;

pub use belady::misses as belady;
pub use report::{json, page, table};
pub use trace::{Trace, zipf};

/// Counts the misses of a trace in a cache of some number of keys.
pub type Misses<'a> = &'a dyn Fn(&[u64], usize) -> usize;

/// The outcome of one trace.
pub struct Race {
    /// The name of the trace.
    pub trace: String,
    /// Its length.
    pub requests: usize,
    /// Its different keys.
    pub keys: usize,
    /// Sizes of the cache, in keys.
    pub sizes: Vec<usize>,
    /// The policies, and the optimum as the last.
    pub lanes: Vec<Lane>,
}

/// One policy.
#[derive(Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub policy: &'static str,
    /// By cache size.
    pub misses: Vec<usize>,
}

impl Race {
    /// Plays a trace with every policy in caches of these sizes.
    pub fn run(trace: &Trace, sizes: Vec<usize>, policies: &[(&'static str, Misses)]) -> Race {
        let lane = |(policy, misses): (&'static str, Misses)| {
            let misses = sizes.iter().map(|size| misses(&trace.keys, *size)).collect();
            Lane { policy, misses }
        };
        let lanes = policies.iter().copied().chain([("belady", &belady as Misses)]);
        let lanes = lanes.map(lane).collect();
        let (name, requests) = (trace.name.clone(), trace.keys.len());
        Race { trace: name, requests, keys: trace.distinct, sizes, lanes }
    }
}
