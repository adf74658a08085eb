//! The cost of a plan node: PostgreSQL's formulas and constants (`costsize.c`).
//!
//! The unit is a page read in sequence. A page read out of sequence costs four, a row a hundredth.
//!
//! ```
//! use minibtree_cost::{self as cost, Model, methods};
//!
//! let mut model = Model::default();
//! let scan = model.seq_scan(1.0, 10.0, 1.0, 4.0, 4.0);
//! assert_eq!(format!("{:.3}", scan.total), "1.125");
//!
//! // SET enable_seqscan = off
//! model.methods.set(methods::SEQ_SCAN, "off").expect("a setting")?;
//! let scan = model.seq_scan(1.0, 10.0, 1.0, 4.0, 4.0);
//! assert_eq!(format!("{:.3}", scan.total), "10000000001.125");
//! assert_eq!(cost::limit(scan, 0.0, Some(2.0)).rows, 2.0);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

mod join;
pub mod methods;

pub use join::{HashJoin, MergeJoin, Side};
use methods::Methods;

/// The expected cost of a node, in units of one page read in sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// The cost before the first row.
    pub startup: f64,
    /// The cost until the last row.
    pub total: f64,
    /// The number of rows that the node returns.
    pub rows: f64,
    /// The width of a row in bytes.
    pub width: f64,
}

/// What a method costs more that the session has turned off: `disable_cost`.
const DISABLED: f64 = 1.0e10;
/// Bytes of a row beside its values, where rows are kept: the header, aligned.
const HEADER: f64 = 24.0;
/// Bytes of a page.
const PAGE: f64 = 8_192.0;
const SEQUENTIAL_PAGE: f64 = 1.0;
const RANDOM_PAGE: f64 = 4.0;
/// Bytes that each run takes while runs are merged: its buffer, and its part of the output's
/// (`tuplesort_merge_order`).
const RUN_BUFFER: f64 = 34.0 * PAGE;
const TUPLE: f64 = 0.01;
const INDEX_TUPLE: f64 = 0.005;
/// Evaluating an operator.
pub const OPERATOR: f64 = 0.0025;

impl Cost {
    /// Bytes of its rows where they are kept (`relation_byte_size`).
    fn bytes(self) -> f64 {
        self.rows * ((self.width / 8.0).ceil() * 8.0 + HEADER)
    }

    /// Pages of them in a temporary file.
    fn pages(self) -> f64 {
        (self.bytes() / PAGE).ceil()
    }
}

/// What the costs depend on beside the data: settings of the session.
#[derive(Clone, Debug)]
pub struct Model {
    /// The methods that are turned on.
    pub methods: Methods,
    /// Bytes that a sort may take, and half of what a hash table may.
    pub work_mem: f64,
}

impl Default for Model {
    fn default() -> Model {
        Model { methods: Methods::default(), work_mem: f64::from(4 << 20) }
    }
}

impl Model {
    /// The cost of a node, much higher if its method is turned off.
    pub fn price(&self, method: &str, cost: Cost) -> Cost {
        let more = if self.methods.is_on(method) { 0.0 } else { DISABLED };
        Cost { startup: cost.startup + more, total: cost.total + more, ..cost }
    }

    /// Reading a table page by page, with this many operators for each row.
    pub fn seq_scan(&self, pages: f64, tuples: f64, operators: f64, rows: f64, width: f64) -> Cost {
        let total = pages * SEQUENTIAL_PAGE + tuples * (TUPLE + operators * OPERATOR);
        self.price(methods::SEQ_SCAN, Cost { startup: 0.0, total, rows, width })
    }

    /// Sorts, keeping at most `bound` rows; in files if they need more than `work_mem`
    /// (`cost_tuplesort`).
    pub fn sort(&self, input: Cost, bound: Option<f64>) -> Cost {
        let rows = input.rows.max(2.0);
        let kept = bound.map_or(rows, |it| (2.0 * it).clamp(2.0, rows));
        let mut startup = input.total + 2.0 * OPERATOR * rows * kept.log2();
        let sorted = Cost { rows: bound.map_or(input.rows, |it| it.min(input.rows)), ..input };
        if sorted.bytes() > self.work_mem {
            // Each pass writes all pages and reads them, a quarter of them out of sequence.
            let runs = input.bytes() / self.work_mem;
            let merged = (self.work_mem / RUN_BUFFER).floor().clamp(6.0, 500.0);
            let passes = (runs.ln() / merged.ln()).ceil().max(1.0);
            let per_page = SEQUENTIAL_PAGE * 0.75 + RANDOM_PAGE * 0.25;
            startup += 2.0 * input.pages() * passes * per_page;
        }
        let sorted = Cost { startup, total: startup + OPERATOR * input.rows, ..input };
        self.price(methods::SORT, sorted)
    }

    /// Groups with a hash table, or computes one row.
    pub fn aggregate(
        &self,
        input: Cost,
        keys: f64,
        aggregates: f64,
        groups: f64,
        width: f64,
    ) -> Cost {
        let startup = input.total + input.rows * OPERATOR * (keys + aggregates);
        let cost = Cost { startup, total: startup + groups * TUPLE, rows: groups, width };
        if keys > 0.0 { self.price(methods::HASH_AGG, cost) } else { cost }
    }
}

/// An index scan.
pub struct IndexScan {
    /// Pages of the table.
    pub pages: f64,
    /// Rows of the table.
    pub tuples: f64,
    /// Pages of the index.
    pub index_pages: f64,
    /// Levels of a B+tree above its leaves. `None` for a hash index, which has no way down.
    pub height: Option<f64>,
    /// The fraction of the index that is read.
    pub selectivity: f64,
    /// Operators of the conditions that are bounds.
    pub bounds: f64,
    /// Times that the index is entered: once for each value of a list.
    pub scans: f64,
    /// Operators of the others.
    pub operators: f64,
    /// The correlation of the index order and the row order, from -1 to 1.
    pub correlation: f64,
    /// True for an index-only scan, which does not look the rows up in the table.
    pub is_only: bool,
}

impl IndexScan {
    /// What reading the entries costs, and before the first one (`btcostestimate` and
    /// `hashcostestimate`).
    pub fn entries(&self) -> Cost {
        let fetched = (self.tuples * self.selectivity / self.scans).round().max(1.0) * self.scans;
        let index_pages = (self.selectivity / self.scans * self.index_pages).ceil().max(1.0);
        // Each scan after the first finds some of the pages in memory.
        let all = index_pages * self.scans;
        let index_pages = if self.scans > 1.0 { pages_fetched(all, self.index_pages) } else { all };
        // The way down: a comparison for each halving, and some work for each page.
        let halvings = if self.tuples > 1.0 { self.tuples.log2().ceil() } else { 0.0 };
        let descent =
            self.height.map_or(0.0, |it| halvings * OPERATOR + (it + 1.0) * 50.0 * OPERATOR);
        let total = index_pages * RANDOM_PAGE
            + fetched * (INDEX_TUPLE + self.bounds * OPERATOR)
            + descent * self.scans;
        Cost { startup: descent, total, rows: fetched, width: 0.0 }
    }

    /// `cost_index`.
    pub fn cost(&self, rows: f64, width: f64) -> Cost {
        let Cost { startup, total: index, rows: fetched, .. } = self.entries();
        // Between the best case, rows in the order of the index, and the worst.
        let heap_pages = (self.selectivity * self.pages).ceil().max(1.0);
        let best = RANDOM_PAGE + (heap_pages - 1.0);
        let worst = pages_fetched(fetched, self.pages) * RANDOM_PAGE;
        let heap = if self.is_only {
            0.0
        } else {
            worst + self.correlation * self.correlation * (best - worst)
        };
        let total = index + heap + fetched * (TUPLE + self.operators * OPERATOR);
        Cost { startup, total, rows, width }
    }
}

/// The cost of an index's bitmap to the node above, which returns `rows` rows of it.
pub fn bitmap(index: Cost, rows: f64) -> f64 {
    index.total + 0.1 * OPERATOR * rows
}

/// Intersects or unites bitmaps with `merges` merges. `inputs` is their total cost.
pub fn merged_bitmaps(inputs: f64, merges: usize, rows: f64) -> Cost {
    let total = inputs + merges as f64 * 100.0 * OPERATOR;
    Cost { startup: total, total, rows, width: 0.0 }
}

/// Reads the rows of a bitmap in the order of their pages, with this many operators for each
/// (`cost_bitmap_heap_scan`). The more of the pages are read, the less a page costs.
pub fn bitmap_scan(bitmap: f64, fetched: f64, pages: f64, operators: f64) -> Cost {
    let read = pages_fetched(fetched, pages);
    let per_page = match read >= 2.0 {
        true => RANDOM_PAGE - (RANDOM_PAGE - 1.0) * (read / pages.max(1.0)).sqrt(),
        false => RANDOM_PAGE,
    };
    let total = bitmap + read * per_page + fetched * (TUPLE + operators * OPERATOR);
    Cost { startup: bitmap, total, rows: fetched, width: 0.0 }
}

/// The number of different pages with these rows: Mackert and Lohman, for a cache that fits all.
fn pages_fetched(tuples: f64, pages: f64) -> f64 {
    let pages = pages.max(1.0);
    (2.0 * pages * tuples / (2.0 * pages + tuples)).min(pages).ceil()
}

/// Stops after some rows.
pub fn limit(input: Cost, offset: f64, count: Option<f64>) -> Cost {
    let rows = (input.rows - offset).max(0.0).min(count.unwrap_or(f64::INFINITY)).max(1.0);
    let per_row = (input.total - input.startup) / input.rows.max(1.0);
    let startup = input.startup + per_row * offset.min(input.rows);
    let total = (startup + per_row * rows).min(input.total);
    Cost { startup, total, rows, ..input }
}

/// Work for each row of the input.
pub fn per_row(input: Cost, operators: f64) -> Cost {
    let total = input.total + input.rows * operators * OPERATOR;
    Cost { total, ..input }
}
