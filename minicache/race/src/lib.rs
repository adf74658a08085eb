//! Compares eviction policies: the traces, the optimum and the report. The caller (`minicache
//! race`) passes the policies: functions that play a trace and count misses.
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
//! * [`Trace`]: recorded traces, and generated ones that are the same on every machine.
//! * [`belady`]: the smallest possible number of misses.
//! * [`table`], [`json`], [`page`]: the result for a terminal, a program and a browser.
//!
//! Redis has no counterpart. The tests of minicache compare the counts with those of libCacheSim.

mod belady;
mod report;
mod trace;

pub use belady::misses as belady;
pub use report::{json, page, table};
pub use trace::{Trace, zipf};

/// A function that counts the misses of a trace, given the cache size in keys.
pub type Misses<'a> = &'a dyn Fn(&[u64], usize) -> usize;

/// The result of one trace.
pub struct Race {
    /// The name of the trace.
    pub trace: String,
    /// The number of requests.
    pub requests: usize,
    /// The number of distinct keys.
    pub keys: usize,
    /// The cache sizes, in keys.
    pub sizes: Vec<usize>,
    /// The results of the policies, and of the optimum as the last one.
    pub lanes: Vec<Lane>,
}

/// The result of one policy.
#[derive(Debug, PartialEq, Eq)]
pub struct Lane {
    /// The name of the policy.
    pub policy: &'static str,
    /// The number of misses by cache size.
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
