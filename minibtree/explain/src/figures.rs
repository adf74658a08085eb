//! What a node was expected to cost and what it has done, in figures.

use crate::{Node, Options, Value};
use minibtree_cost::Cost;
use std::time::{Duration, Instant};

/// What a node has done.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// How often it was begun.
    pub loops: u64,
    /// Rows that it returned, in all loops.
    pub rows: u64,
    /// Rows that did not meet its filter.
    pub removed: u64,
    /// Rows of an index-only scan that were looked up in the heap, or pages that a bitmap led to.
    pub heap_fetches: u64,
    /// Time before the first row of each loop.
    pub startup: Duration,
    /// Time until the last row.
    pub total: Duration,
    /// Bytes taken by a sort or hash table at most.
    pub memory: usize,
    /// Bytes of temporary files.
    pub disk: u64,
    /// Batches in which a hash table was filled; 0 or 1 if in one.
    pub batches: usize,
    /// Rows of a hash table, or how many were sorted.
    pub entries: usize,
    /// A sort kept only as many rows as were wanted.
    pub is_bounded: bool,
    /// Pages used by it and the nodes below: found in memory, read, dirtied, written.
    pub buffers: [u64; 4],
}

impl Measured {
    /// Adds what has been used since a moment, when as many pages had been used as `before` says.
    pub fn add_since(&mut self, (begun, before): (Instant, [u64; 4]), now: [u64; 4]) {
        self.total += begun.elapsed();
        for (sum, (now, before)) in self.buffers.iter_mut().zip(now.into_iter().zip(before)) {
            *sum += now - before;
        }
    }
}

impl Node {
    /// Adds what it was expected to cost, and what it has done.
    pub fn figures(&mut self, cost: Cost, measured: Option<&Measured>, options: Options) {
        if options.costs {
            // The sum of no widths is -0.
            let Cost { startup, total, rows, width } = Cost { width: cost.width.abs(), ..cost };
            self.title(format!(
                "  (cost={startup:.2}..{total:.2} rows={rows:.0} width={width:.0})"
            ));
            self.json("Startup Cost", Value::literal(format!("{startup:.2}")));
            self.json("Total Cost", Value::literal(format!("{total:.2}")));
            self.json("Plan Rows", Value::literal(format!("{rows:.0}")));
            self.json("Plan Width", Value::literal(format!("{width:.0}")));
        }
        let Some(measured) = measured else { return };
        let count = measured.loops.max(1) as f64;
        let (startup, total) = (ms(measured.startup, count), ms(measured.total, count));
        let (rows, loops) = (format!("{:.0}", measured.rows as f64 / count), measured.loops);
        self.title(match (loops, options.timing) {
            (0, _) => " (never executed)".to_owned(),
            (_, true) => format!(" (actual time={startup}..{total} rows={rows} loops={loops})"),
            (_, false) => format!(" (actual rows={rows} loops={loops})"),
        });
        if options.timing {
            self.json("Actual Startup Time", Value::Literal(startup));
            self.json("Actual Total Time", Value::Literal(total));
        }
        self.json("Actual Rows", Value::Literal(rows));
        self.json("Actual Loops", Value::literal(loops));
    }

    /// Adds the pages that it has used, those below included.
    pub fn buffers(&mut self, measured: Option<&Measured>, options: Options) {
        let Some(it) = measured.filter(|_| options.buffers) else { return };
        if let Some(text) = buffers_text(&it.buffers) {
            self.line(text);
        }
        buffers_json(&it.buffers).into_iter().for_each(|(name, it)| self.json(name, it));
    }

    /// Adds how many rows did not meet a condition, in each loop.
    pub fn removed(&mut self, label: &'static str, measured: Option<&Measured>) {
        let Some(it) = measured else { return };
        let removed = format!("{:.0}", it.removed as f64 / it.loops.max(1) as f64);
        match it.removed {
            0 => self.json(label, Value::Literal(removed)),
            _ => self.both(label, Value::Literal(removed)),
        }
    }

    /// Adds how large a hash table of groups has become.
    pub fn groups(&mut self, measured: Option<&Measured>, options: Options) {
        if options.costs {
            self.json("Planned Partitions", Value::literal(0));
        }
        if let Some(it) = measured {
            let memory = it.memory.div_ceil(1024).max(24);
            let (batches, disk) = (it.batches.max(1), it.disk.div_ceil(1024));
            let spilled = if disk > 0 { format!("  Disk Usage: {disk}kB") } else { String::new() };
            self.line(format!("Batches: {batches}  Memory Usage: {memory}kB{spilled}"));
            self.json("HashAgg Batches", Value::literal(batches));
            self.json("Peak Memory Usage", Value::literal(memory));
            self.json("Disk Usage", Value::literal(disk));
        }
    }

    /// Adds how large the hash table of a join has become.
    pub fn hash_table(&mut self, join: Option<&Measured>) {
        let Some(it) = join.filter(|it| it.loops > 0) else { return };
        let buckets = it.entries.next_power_of_two().max(1024);
        let memory = (it.memory + 8 * buckets).div_ceil(1024);
        let batches = it.batches.max(1);
        let [of_buckets, of_batches] = match batches {
            1 => Default::default(),
            _ => [format!(" (originally {buckets})"), " (originally 1)".to_owned()],
        };
        let counts = format!("Buckets: {buckets}{of_buckets}  Batches: {batches}{of_batches}");
        self.line(format!("{counts}  Memory Usage: {memory}kB"));
        let figures = [
            ("Hash Buckets", buckets),
            ("Original Hash Buckets", buckets),
            ("Hash Batches", batches),
            ("Original Hash Batches", 1),
            ("Peak Memory Usage", memory),
        ];
        figures.into_iter().for_each(|(name, it)| self.json(name, Value::literal(it)));
    }

    /// Adds how a sort was done.
    pub fn sort(&mut self, measured: Option<&Measured>) {
        let Some(it) = measured else { return };
        let memory = (it.memory as u64).div_ceil(1024).max(25);
        let (method, space, used) = match (it.disk, it.is_bounded) {
            (0, true) => ("top-N heapsort", "Memory", memory),
            (0, false) => ("quicksort", "Memory", memory),
            (bytes, _) => ("external merge", "Disk", bytes.div_ceil(1024)),
        };
        self.line(format!("Sort Method: {method}  {space}: {used}kB"));
        self.json("Sort Method", Value::text(method));
        self.json("Sort Space Used", Value::literal(used));
        self.json("Sort Space Type", Value::text(space));
    }
}

/// The document of an EXPLAIN: its lines of text, or one of JSON. `execution` is what the whole
/// statement has done.
pub fn document(
    tree: &Node,
    options: Options,
    planning: &Measured,
    execution: Option<&Measured>,
) -> Vec<String> {
    let execution = execution.filter(|_| options.summary);
    let time = |it: &Measured| ms(it.total, 1.0);
    if options.json {
        let mut summary = Vec::new();
        if options.buffers {
            summary.push(("Planning", Value::Group(buffers_json(&planning.buffers))));
        }
        if options.summary {
            summary.push(("Planning Time", Value::Literal(time(planning))));
        }
        if options.analyze {
            summary.push(("Triggers", Value::Group(Vec::new())));
        }
        summary.extend(execution.map(|it| ("Execution Time", Value::Literal(time(it)))));
        return vec![crate::json(tree, &summary)];
    }

    let mut lines = crate::text(tree);
    if let Some(buffers) = buffers_text(&planning.buffers).filter(|_| options.buffers) {
        lines.extend(["Planning:".to_owned(), format!("  {buffers}")]);
    }
    if options.summary {
        lines.push(format!("Planning Time: {} ms", time(planning)));
        lines.extend(execution.map(|it| format!("Execution Time: {} ms", time(it))));
    }
    lines
}

fn ms(time: Duration, loops: f64) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3 / loops)
}

/// `Buffers: shared hit=3 read=1`; none if no page was used.
fn buffers_text(buffers: &[u64; 4]) -> Option<String> {
    let parts = ["hit", "read", "dirtied", "written"].into_iter().zip(buffers);
    let used = parts.filter(|it| *it.1 > 0).map(|(name, count)| format!(" {name}={count}"));
    let used: String = used.collect();
    (!used.is_empty()).then(|| format!("Buffers: shared{used}"))
}

/// The pages that were used, as JSON has them. No page is local or temporary.
fn buffers_json(buffers: &[u64; 4]) -> Vec<(&'static str, Value)> {
    const NAMES: [&str; 10] = [
        "Shared Hit Blocks",
        "Shared Read Blocks",
        "Shared Dirtied Blocks",
        "Shared Written Blocks",
        "Local Hit Blocks",
        "Local Read Blocks",
        "Local Dirtied Blocks",
        "Local Written Blocks",
        "Temp Read Blocks",
        "Temp Written Blocks",
    ];
    let counts = buffers.iter().copied().chain(std::iter::repeat(0));
    NAMES.into_iter().zip(counts).map(|(name, it)| (name, Value::literal(it))).collect()
}
