//! Curves: what an operation costs in each embedded store as its rows grow.
//!
//! ```text
//! cargo bench -p benches-embedded --features peers             10k to 1M rows, a few minutes
//! cargo bench -p benches-embedded --features peers -- 10M      1.5 GB a store, memory for it twice
//! cargo bench -p benches-embedded --features peers -- 1M get minibtree lmdb redb BTreeMap
//! ```
//!
//! Words after `--` choose among sizes (`1k` to `10M`), operations (`get`, `scan`, `put`,
//! `commit`) and stores. All stores of a size are loaded first, below `$TMPDIR`, and removed at the
//! end. Then they take turns, so noise of the machine meets all of them; a table has the medians.
//!
//! The first three operations are measured in processor time of the thread that calls the store. A
//! wall clock would count the neighbors of a shared machine. sled and fjall also work in threads of
//! their own, which is not counted. `commit` waits for the disk: it is measured by the wall clock.

use std::path::PathBuf;
use std::time::Duration;

use benches_embedded::{Key, Operation, Rounds, SCANNED, STORES, key};
use rustix::time::{ClockId, clock_gettime};

const SIZES: [(&str, u64); 5] =
    [("1k", 1_000), ("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000), ("10M", 10_000_000)];

/// With the most operations of a round, which takes some 50 ms.
const OPERATIONS: [(&str, Operation, u64); 4] = [
    ("get", Operation::Get, 50_000),
    ("scan", Operation::Scan, 2_000),
    ("put", Operation::Put, 5_000),
    ("commit", Operation::Commit, 20),
];

/// Rounds of each store, after one that warms it up.
const ROUNDS: usize = 9;

/// What to do: places in the tables above.
struct Plan {
    sizes: Vec<usize>,
    operations: Vec<usize>,
    stores: Vec<usize>,
    rounds: usize,
    /// The operations of a round are so many times fewer.
    divisor: u64,
}

fn main() {
    let plan = plan();
    let mut medians = Vec::new();
    for size in &plan.sizes {
        medians.push(measure(&plan, SIZES[*size]));
    }
    for (place, operation) in plan.operations.iter().enumerate() {
        print!("{:<16}", format!("{}, us", OPERATIONS[*operation].0));
        plan.sizes.iter().for_each(|size| print!("{:>10}", SIZES[*size].0));
        println!();
        for (row, store) in plan.stores.iter().enumerate() {
            print!("{:<16}", STORES[*store].0);
            for of_size in &medians {
                match of_size[place][row] {
                    Some(median) => print!("{:>10.3}", median.as_secs_f64() * 1e6),
                    None => print!("{:>10}", "-"),
                }
            }
            println!();
        }
        println!();
    }
}

/// Reads the command line. As a test (`cargo test --bench embedded`), which has no `--bench`, every
/// store answers a few times; the words are those of other benchmarks then.
fn plan() -> Plan {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|it| it == "--bench") {
        let all = |count| (0..count).collect();
        let (operations, stores) = (all(OPERATIONS.len()), all(STORES.len()));
        return Plan { sizes: vec![0], operations, stores, rounds: 1, divisor: 500 };
    }

    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let words: Vec<&str> = words.into_iter().filter(|it| !it.starts_with('-')).collect();
    let chosen = |names: &[&str], default: &[usize]| {
        let is_chosen = |place: &usize| words.contains(&names[*place]);
        let chosen: Vec<usize> = (0..names.len()).filter(is_chosen).collect();
        if chosen.is_empty() { default.to_vec() } else { chosen }
    };
    let sizes = SIZES.map(|(name, _)| name);
    let operations = OPERATIONS.map(|(name, ..)| name);
    let stores: Vec<&str> = STORES.iter().map(|(name, _)| *name).collect();

    // `cargo bench -- WORD` asks every benchmark: a word of another one means nothing here.
    let known = [&sizes[..], &operations, &stores].concat();
    if words.iter().any(|word| !known.contains(word)) {
        println!("embedded: a word is none of {}", known.join(" "));
        let (sizes, operations, stores) = Default::default();
        return Plan { sizes, operations, stores, rounds: 0, divisor: 1 };
    }
    let all: Vec<usize> = (0..stores.len()).collect();
    Plan {
        sizes: chosen(&sizes, &[1, 2, 3]),
        operations: chosen(&operations, &[0, 1, 2, 3]),
        stores: chosen(&stores, &all),
        rounds: ROUNDS,
        divisor: 1,
    }
}

/// The medians of a size, by operation and store. `None`: the store cannot do that.
fn measure(plan: &Plan, (name, rows): (&str, u64)) -> Vec<Vec<Option<Duration>>> {
    let scratch = Scratch::new(name);
    let load = |store: &usize| {
        let (name, load) = STORES[*store];
        let directory = scratch.0.join(name);
        std::fs::create_dir(&directory).expect("an empty directory");
        (name, load(&directory, rows))
    };
    let mut stores: Vec<_> = plan.stores.iter().map(load).collect();

    let mut numbers = Numbers { rows, next_old: 0, next_new: rows };
    let operations = plan.operations.iter().map(|it| OPERATIONS[*it]);
    operations.map(|(_, it, most)| rounds(plan, &mut stores, &mut numbers, it, most)).collect()
}

/// The medians of an operation, by store.
fn rounds(
    plan: &Plan,
    stores: &mut [(&str, Box<dyn Rounds>)],
    numbers: &mut Numbers,
    operation: Operation,
    most: u64,
) -> Vec<Option<Duration>> {
    if operation == Operation::Commit {
        stores.iter_mut().for_each(|(_, store)| store.sync_commits());
    }
    let mut times = vec![Vec::new(); stores.len()];
    for round in 0..=plan.rounds {
        let keys = numbers.keys(operation, (most / plan.divisor).max(1));
        let mut answers = Vec::new();
        for ((name, store), times) in stores.iter_mut().zip(&mut times) {
            if operation == Operation::Commit && *name == "BTreeMap" {
                continue;
            }
            let (answer, time) = timed(&mut **store, operation, &keys);
            check(&mut **store, operation, &keys, answer);
            answers.push(answer);
            times.extend((round > 0).then_some(time / keys.len() as u32));
        }
        assert!(answers.iter().all(|it| *it == answers[0]), "{operation:?}: {answers:?}");
    }
    times.into_iter().map(median).collect()
}

/// Where the keys of the next round are.
struct Numbers {
    rows: u64,
    next_old: u64,
    next_new: u64,
}

impl Numbers {
    fn keys(&mut self, operation: Operation, most: u64) -> Vec<Key> {
        match operation {
            Operation::Get | Operation::Scan => {
                let mut old = || {
                    self.next_old = (self.next_old + 7_919) % self.rows;
                    key(self.next_old)
                };
                (0..most).map(|_| old()).collect()
            }
            // All rounds together add a tenth of the rows or less.
            Operation::Put | Operation::Commit => {
                let from = self.next_new;
                self.next_new += most.min(self.rows / 100);
                (from..self.next_new).map(key).collect()
            }
        }
    }
}

fn timed(store: &mut dyn Rounds, operation: Operation, keys: &[Key]) -> (usize, Duration) {
    let clock = match operation {
        Operation::Commit => ClockId::Monotonic,
        _ => ClockId::ThreadCPUTime,
    };
    let now = || Duration::try_from(clock_gettime(clock)).expect("it counts from 0 upwards");
    let before = now();
    let answer = store.round(operation, keys);
    (answer, now() - before)
}

/// The bytes came back, and the new rows are there.
fn check(store: &mut dyn Rounds, operation: Operation, keys: &[Key], answer: usize) {
    let bytes: usize = keys.iter().map(|key| usize::from(key[7])).sum();
    match operation {
        Operation::Get => assert_eq!(answer, bytes),
        Operation::Scan => assert!(answer > 0 && answer <= keys.len() * SCANNED),
        Operation::Put | Operation::Commit => {
            assert_eq!(store.round(Operation::Get, keys), bytes);
        }
    }
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}

/// A directory of this process, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(size: &str) -> Scratch {
        let name = format!("embedded-bench-{}-{size}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("ours");
    }
}
