//! `SET enable_hashjoin = off` and its kin: which methods the planner may choose.
//!
//! A method that is turned off is not forbidden. It costs so much more that it is chosen only if
//! there is no other way (`disable_cost`). Methods that we do not have can be turned on and off
//! too, as that changes nothing.
//!
//! PostgreSQL's `guc_tables.c`.

use minibtree_types::error;
use minibtree_types::error::Result;
use std::collections::BTreeMap;

/// Bitmap heap scans.
pub const BITMAP_SCAN: &str = "enable_bitmapscan";
/// Hash tables for GROUP BY and DISTINCT.
pub const HASH_AGG: &str = "enable_hashagg";
/// Hash joins.
pub const HASH_JOIN: &str = "enable_hashjoin";
/// Index scans that do not read the table. Without them the same index is scanned with the table.
pub const INDEX_ONLY_SCAN: &str = "enable_indexonlyscan";
/// Index scans, those that do not read the table included.
pub const INDEX_SCAN: &str = "enable_indexscan";
/// Materialize nodes where they are only faster. Without them a nested loop reads its inner side
/// again for each row.
pub const MATERIAL: &str = "enable_material";
/// Merge joins.
pub const MERGE_JOIN: &str = "enable_mergejoin";
/// Nested loops.
pub const NEST_LOOP: &str = "enable_nestloop";
/// Scans page by page.
pub const SEQ_SCAN: &str = "enable_seqscan";
/// Sorts.
pub const SORT: &str = "enable_sort";

/// All of them, and those of methods that we do not have.
const NAMES: [&str; 20] = [
    BITMAP_SCAN,
    HASH_AGG,
    HASH_JOIN,
    INDEX_ONLY_SCAN,
    INDEX_SCAN,
    MATERIAL,
    MERGE_JOIN,
    NEST_LOOP,
    SEQ_SCAN,
    SORT,
    "enable_async_append",
    "enable_gathermerge",
    "enable_incremental_sort",
    "enable_memoize",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_tidscan",
];

/// The methods that a session has turned on or off.
#[derive(Clone, Debug, Default)]
pub struct Methods(BTreeMap<&'static str, bool>);

impl Methods {
    /// Returns true if a method is turned on. All but two are in the beginning.
    pub fn is_on(&self, name: &str) -> bool {
        let default = || !name.starts_with("enable_partitionwise");
        self.0.get(name).copied().unwrap_or_else(default)
    }

    /// SET; `None` for a setting that is not one of these.
    ///
    /// # Errors
    /// `22023` if the value is no boolean.
    pub fn set(&mut self, name: &str, value: &str) -> Option<Result<()>> {
        let name = NAMES.into_iter().find(|it| *it == name)?;
        let Some(is_on) = boolean(value) else {
            let text = format!("parameter \"{name}\" requires a Boolean value");
            return Some(Err(error!(INVALID_PARAMETER_VALUE, "{text}")));
        };
        self.0.insert(name, is_on);
        Some(Ok(()))
    }

    /// RESET.
    pub fn reset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// SHOW; `None` for a setting that is not one of these.
    pub fn show(&self, name: &str) -> Option<&'static str> {
        NAMES.contains(&name).then(|| if self.is_on(name) { "on" } else { "off" })
    }
}

/// `on`, `TRUE`, `y`, `0` and so on. A word may be cut short if it stays clear (`parse_bool`).
fn boolean(value: &str) -> Option<bool> {
    let value = value.to_lowercase();
    let is_any = |words: &[&str]| {
        let is_meant = |word: &&str| word.starts_with(&value) && !value.is_empty();
        words.iter().any(is_meant) && value != "o"
    };
    match () {
        () if is_any(&["on", "true", "yes", "1"]) => Some(true),
        () if is_any(&["off", "false", "no", "0"]) => Some(false),
        () => None,
    }
}
