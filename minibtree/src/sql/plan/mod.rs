//! Planning: finds the cheapest way to execute a query, among those that the executor has.
//!
//! | file | what it is |
//! |---|---|
//! | `node.rs` | plans of the crate `minibtree/plan`, with tables of the catalog |
//! | `scan.rs` | the access paths of one table |
//! | `from.rs` | the relations of FROM, each by itself |
//! | `query.rs` | everything above the joins |
//!
//! ```text
//! SELECT abalance FROM pgbench_accounts WHERE aid = $1
//!
//! Project [abalance]
//!   IndexScan pgbench_accounts_pkey, aid = $1
//! ```
//!
//! The crate `minibtree/joins` chooses the order and method of joins, and estimates how many rows
//! meet a condition. `minibtree/cost` computes what a node costs.
//!
//! PostgreSQL's `planner.c` also merges subqueries in FROM into the query around them; ours are
//! planned on their own.

mod from;
mod node;
mod query;
mod scan;

pub use node::{Bounds, Kind, LockRows, Method, Modify, Node, Plan, Planned, Scanned, SubPlan};
pub use query::plan;
