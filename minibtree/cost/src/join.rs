//! What joins cost.

use crate::{Cost, Model, OPERATOR, SEQUENTIAL_PAGE, TUPLE, methods};

/// How often a hash table may take `work_mem`: the default of `hash_mem_multiplier`.
const HASH_MULTIPLIER: f64 = 2.0;
/// Bytes of a row of a hash table beside its values: those of the bucket's list, and a header.
const HASH_HEADER: f64 = 32.0;

/// A hash join.
#[derive(Clone, Copy, Debug)]
pub struct HashJoin {
    /// The side that is looked up.
    pub outer: Cost,
    /// The side in the hash table.
    pub inner: Cost,
    /// The number of keys.
    pub keys: f64,
    /// Operators of other conditions.
    pub operators: f64,
    /// Pairs with equal keys.
    pub pairs: f64,
    /// The fraction of the inner rows that are in the bucket of a row.
    pub bucket: f64,
    /// No row of the outer side has two partners.
    pub is_unique: bool,
    /// Rows of the join.
    pub rows: f64,
}

/// A side of a merge join.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// The node.
    pub cost: Cost,
    /// The part of its rows that the join reads: up to the end of the other side, from its
    /// beginning on.
    pub read: (f64, f64),
}

/// A merge join.
#[derive(Clone, Copy, Debug)]
pub struct MergeJoin {
    /// The side that is read once.
    pub outer: Side,
    /// The side that goes back for each further row of the outer one with the same key.
    pub inner: Side,
    /// Pairs with equal keys.
    pub pairs: f64,
    /// The number of keys.
    pub keys: f64,
    /// Operators of other conditions.
    pub operators: f64,
    /// Rows of the join.
    pub rows: f64,
    /// The inner side need not go back: the first partner decides, or there is no second one.
    pub is_once: bool,
    /// The inner side can go back on its own, as scans of an index and sorts can.
    pub can_go_back: bool,
    /// The inner side is sorted for the join.
    pub is_sort: bool,
}

impl Model {
    /// For each row of the outer side, reads the inner side.
    pub fn nested_loop(
        &self,
        outer: Cost,
        inner: Cost,
        is_kept: bool,
        operators: f64,
        rows: f64,
    ) -> Cost {
        // Rows that are kept cost almost nothing to read again.
        let again = if is_kept { OPERATOR * inner.rows } else { inner.total };
        let pairs = outer.rows * inner.rows;
        let total = outer.total
            + inner.total
            + (outer.rows - 1.0).max(0.0) * again
            + pairs * (TUPLE + operators * OPERATOR);
        let startup = outer.startup + inner.startup;
        let cost = Cost { startup, total, rows, width: outer.width + inner.width };
        self.price(methods::NEST_LOOP, cost)
    }

    /// Keeps the inner side in a hash table; writes and reads both sides if it does not fit
    /// (`final_cost_hashjoin`).
    pub fn hash_join(&self, join: HashJoin) -> Cost {
        let HashJoin { outer, inner, keys, pairs, rows, .. } = join;
        let table = inner.rows * ((inner.width / 8.0).ceil() * 8.0 + HASH_HEADER);
        let (mut write, mut read) = (0.0, 0.0);
        if table > self.work_mem * HASH_MULTIPLIER {
            write = SEQUENTIAL_PAGE * inner.pages();
            read = SEQUENTIAL_PAGE * (inner.pages() + 2.0 * outer.pages());
        }
        // Half of the rows in a bucket are compared; of a row without a partner, hardly any.
        let bucket = |fraction: f64| (inner.rows * fraction).round().max(1.0);
        let compared = match join.is_unique {
            true => {
                let buckets = inner.rows.max(1_024.0).log2().ceil().exp2();
                let missed = (outer.rows - pairs) * bucket(1.0 / buckets) * 0.05;
                pairs * bucket(join.bucket) * 0.5 + missed
            }
            false => outer.rows * bucket(join.bucket) * 0.5,
        };
        let build = inner.rows * (OPERATOR * keys + TUPLE) + write;
        let startup = outer.startup + inner.total + build;
        let total = startup
            + read
            + (outer.total - outer.startup)
            + (outer.rows + compared) * OPERATOR * keys
            + pairs * (TUPLE + join.operators * OPERATOR);
        let cost = Cost { startup, total, rows, width: outer.width + inner.width };
        self.price(methods::HASH_JOIN, cost)
    }

    /// Merges two sorted sides. Returns true with the cost if the inner side is materialized:
    /// because it cannot go back, or because that is cheaper (`final_cost_mergejoin`).
    pub fn merge_join(&self, join: MergeJoin) -> (Cost, bool) {
        let MergeJoin { outer, inner, pairs, keys, rows, is_once, .. } = join;
        let run = |it: Side| (it.cost.total - it.cost.startup) * (it.read.1 - it.read.0);
        let before = |it: Side| it.cost.startup + (it.cost.total - it.cost.startup) * it.read.0;

        let again = if is_once { 0.0 } else { (pairs - inner.cost.rows).max(0.0) };
        let ratio = 1.0 + again / inner.cost.rows.max(1.0);
        let inner_rows = inner.cost.rows * inner.read.1;
        let bare = run(inner) * ratio;
        let kept = run(inner) + OPERATOR * inner_rows * ratio;
        let may = self.methods.is_on(methods::MATERIAL);
        let spills = join.is_sort && inner.cost.bytes() > self.work_mem;
        let is_materialized =
            !is_once && (!(join.can_go_back || join.is_sort) || may && (kept < bare || spills));

        let compared = |it: Side, part: f64| it.cost.rows * part * OPERATOR * keys;
        let startup = before(outer)
            + before(inner)
            + compared(outer, outer.read.0)
            + compared(inner, inner.read.0) * ratio;
        let total = startup
            + run(outer)
            + if is_materialized { kept } else { bare }
            + compared(outer, outer.read.1 - outer.read.0)
            + compared(inner, inner.read.1 - inner.read.0) * ratio
            + pairs * (TUPLE + join.operators * OPERATOR);
        let width = outer.cost.width + inner.cost.width;
        let cost = Cost { startup, total, rows, width };
        (self.price(methods::MERGE_JOIN, cost), is_materialized)
    }
}
