//! Planning: finds the cheapest way to execute a query, among those that the executor has.
//!
//! | file | what it is |
//! |---|---|
//! | `node.rs` | plans of the crate `minibtree/plan`, with tables of the catalog |
//! | `estimate.rs` | how many rows meet a condition |
//! | `scan.rs` | the access paths of one table |
//! | `join.rs` | the order and method of joins |
//! | `merge.rs` | merge joins: both sides are sorted by their keys |
//! | `semi.rs` | EXISTS and IN become semi and anti joins |
//! | `exists.rs` | EXISTS becomes IN where it cannot become a join |
//! | `query.rs` | everything above the joins |
//!
//! ```text
//! SELECT abalance FROM pgbench_accounts WHERE aid = $1
//!
//! Project [abalance]
//!   IndexScan pgbench_accounts_pkey, aid = $1
//! ```
//!
//! The crate `minibtree/cost` computes what a node costs; `minibtree/estimate` estimates how many
//! rows have a value.
//!
//! PostgreSQL's `planner.c` also merges subqueries in FROM into the query around them; ours are
//! planned on their own.

mod estimate;
mod exists;
mod join;
mod merge;
mod node;
mod query;
mod scan;
mod semi;

pub use node::{Bounds, Kind, LockRows, Method, Modify, Node, Plan, Planned, Scanned, SubPlan};
pub use query::plan;
