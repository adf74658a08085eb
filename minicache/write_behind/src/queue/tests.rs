//! The example of the head, and a simulation: random operations, and a backend that fails in every
//! way that a backend can.

use super::*;

fn queue() -> Queue {
    let high_water = 4 * 130;
    Queue::new(Options { batch_max: 2, delay_ms: 0, high_water, ..Options::default() }, 0)
}

fn put(queue: &mut Queue, key: &str, value: &str) -> Ack {
    queue.submit(key.as_bytes(), Some(value.as_bytes().into()), 0).1
}

/// `a=2 b=1` for a batch.
fn shown(batch: &[Operation]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let operation = |it: &Operation| {
        format!("{}={}", text(&it.key), text(it.value.as_deref().unwrap_or(b"none")))
    };
    batch.iter().map(operation).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_failed_batch_goes_under_newer_operations() {
    let mut queue = queue();
    for (key, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1")] {
        put(&mut queue, key, value);
    }
    let first = queue.next_batch(0).unwrap();
    assert_eq!(shown(&first), "a=2 b=1");
    assert!(queue.next_batch(0).is_none(), "one is in flight");
    put(&mut queue, "a", "3");
    queue.done(first, Err(Failure::Unavailable), 0);
    assert!(queue.next_batch(0).is_none(), "after a pause");

    let again = queue.next_batch(50).unwrap();
    assert_eq!(shown(&again), "a=3", "half of the batch");
    queue.done(again, Ok(()), 50);
    assert_eq!(shown(&queue.next_batch(50).unwrap()), "b=1 c=1");
}

#[test]
fn pauses_double_up_to_the_longest() {
    let mut queue = queue();
    put(&mut queue, "a", "1");
    let mut now = 0;
    for pause_ms in [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
        let batch = queue.next_batch(now).unwrap();
        queue.done(batch, Err(Failure::Unavailable), now);
        let next = queue.next_ms().unwrap();
        assert!((pause_ms / 2..=pause_ms).contains(&(next - now)), "{pause_ms}: {}", next - now);
        now = next;
    }
}

#[test]
fn a_poisoned_batch_is_halved_until_its_operation_is_alone() {
    let options = Options { delay_ms: 0, batch_max: 8, ..Options::default() };
    let mut queue = Queue::new(options, 0);
    for number in 0..8 {
        put(&mut queue, &number.to_string(), if number == 5 { "bad" } else { "" });
    }
    let mut batches = Vec::new();
    while let Some(batch) = queue.next_batch(0) {
        batches.push(batch.len());
        let is_bad = batch.iter().any(|it| it.value.as_deref() == Some(b"bad"));
        queue.done(batch, if is_bad { Err(Failure::Rejected) } else { Ok(()) }, 0);
    }
    assert_eq!(batches, [8, 4, 4, 2, 1, 2, 1, 1, 1]);
    assert!(queue.is_written() && queue.bytes > 0);
    let dead = queue.take_dead_letters();
    assert_eq!((dead.len(), &*dead[0].key, queue.bytes), (1, b"5".as_slice(), 0));
    queue.restore(dead[0].clone(), 0);
    assert_eq!(queue.next_batch(0), Some(dead), "with its number");
}

#[test]
fn a_newer_operation_takes_the_place_of_a_dead_letter() {
    let mut queue = queue();
    put(&mut queue, "a", "bad");
    let batch = queue.next_batch(0).unwrap();
    queue.done(batch, Err(Failure::Rejected), 0);
    assert_eq!(queue.figures(), Figures { keys: 0, bytes: 132, dead_letters: 1 });
    assert_eq!(queue.unwritten().count(), 1);

    queue.submit(b"a", None, 0);
    assert_eq!(queue.figures(), Figures { keys: 1, bytes: 129, dead_letters: 0 });
    assert_eq!(queue.unwritten().count(), 1);
}

/// A statement of more rows than its backend can do in time would fail forever.
#[test]
fn a_slow_backend_gets_batches_that_it_can_do_in_time() {
    let options = Options { delay_ms: 0, batch_max: 128, ..Options::default() };
    let (mut queue, mut now_ms, mut batches) = (Queue::new(options, 0), 0, Vec::new());
    for number in 0..300 {
        put(&mut queue, &number.to_string(), "");
    }
    while !queue.is_written() {
        now_ms = queue.next_ms().unwrap().max(now_ms);
        let batch = queue.next_batch(now_ms).unwrap();
        batches.push(batch.len());
        let result = if batch.len() > 40 { Err(Failure::Unavailable) } else { Ok(()) };
        queue.done(batch, result, now_ms);
    }
    assert_eq!(batches[..5], [128, 64, 32, 64, 32]);
}

#[test]
fn dead_letters_do_not_make_writers_wait() {
    let mut queue = queue();
    put(&mut queue, "a", &"bad".repeat(200));
    assert!(queue.is_full());
    let batch = queue.next_batch(0).unwrap();
    queue.done(batch, Err(Failure::Rejected), 0);
    assert!(!queue.is_full(), "the backend is not going to take it");
    assert_eq!((queue.bytes, queue.dead_bytes), (729, 729));

    queue.submit(b"a", None, 0);
    assert_eq!((queue.bytes, queue.dead_bytes), (129, 0));
}

#[test]
fn keys_that_change_all_the_time_do_not_starve_others() {
    let mut queue = queue();
    ["a", "b", "c"].iter().for_each(|key| drop(queue.submit(key.as_bytes(), None, 0)));
    let first = queue.next_batch(0).unwrap();
    ["a", "b"].iter().for_each(|key| drop(queue.submit(key.as_bytes(), None, 0)));
    queue.done(first, Ok(()), 0);
    assert_eq!(shown(&queue.next_batch(0).unwrap()), "c=none b=none");
}

#[test]
fn above_the_high_water_mark_writers_wait() {
    let mut queue = queue();
    let acks = ["a", "b", "c", "d", "e"].map(|key| put(&mut queue, key, "1"));
    assert_eq!(acks[3..], [Ack::Queued, Ack::WriteThrough]);
    assert_eq!(put(&mut queue, "a", "2"), Ack::WriteThrough, "even if it takes no more");
    let batch = queue.next_batch(0).unwrap();
    queue.done(batch, Ok(()), 0);
    assert_eq!(put(&mut queue, "a", "3"), Ack::Queued);
}

#[test]
fn an_operation_waits_for_others_but_not_for_long() {
    let options = Options { delay_ms: 100, batch_max: 2, ..Options::default() };
    let mut queue = Queue::new(options, 0);
    put(&mut queue, "a", "1");
    assert!(queue.next_batch(99).is_none());
    queue.submit(b"a", None, 99);
    assert_eq!(shown(&queue.next_batch(100).unwrap()), "a=none", "the wait of a key began at 0");
    put(&mut queue, "b", "1");
    put(&mut queue, "c", "1");
    assert_eq!(queue.next_ms(), None, "a batch is in flight");
}

/// A table whose rows have numbers.
#[derive(Default)]
struct Backend {
    rows: HashMap<Arc<[u8]>, Operation>,
    /// A transaction whose connection broke while it committed. Until it has committed or not, it
    /// has locks on its rows.
    in_doubt: Option<Vec<Operation>>,
}

impl Backend {
    fn write(&mut self, operations: &[Operation]) {
        for operation in operations {
            let row = self.rows.get(&operation.key);
            if row.is_some_and(|row| row.sequence >= operation.sequence) {
                continue;
            }
            match operation.value {
                Some(_) => self.rows.insert(Arc::clone(&operation.key), operation.clone()),
                None => self.rows.remove(&operation.key),
            };
        }
    }

    fn is_locked(&self, batch: &[Operation]) -> bool {
        let locked = self.in_doubt.iter().flatten();
        locked.into_iter().any(|held| batch.iter().any(|it| it.key == held.key))
    }

    fn resolve(&mut self, commits: bool) {
        let transaction = self.in_doubt.take().filter(|_| commits);
        transaction.iter().for_each(|it| self.write(it));
    }

    fn value(&self, key: &[u8]) -> Value {
        self.rows.get(key).and_then(|row| row.value.clone())
    }
}

const POISON: &[u8] = b"poison";

/// What the backend says of a batch, and what it does.
fn attempt(
    backend: &mut Backend,
    batch: &[Operation],
    random: &mut Random,
    fails: bool,
) -> Result<(), Failure> {
    if batch.iter().any(|it| it.value.as_deref() == Some(POISON)) {
        return Err(Failure::Rejected);
    }
    // Not written; written although it says no; written later than it says, if at all.
    match random.below(if fails { 4 } else { 1 }) {
        0 => {
            backend.write(batch);
            return Ok(());
        }
        1 => backend.write(batch),
        2 if backend.in_doubt.is_none() => backend.in_doubt = Some(batch.to_vec()),
        _ => {}
    }
    Err(Failure::Unavailable)
}

/// Whatever fails, the backend ends with the last operation of each key, and what it refuses is a
/// dead letter. At every step a key that is not in the backend is readable.
#[test]
fn the_last_operation_of_a_key_wins_under_every_failure() {
    for seed in 0..400 {
        let random = &mut Random(seed);
        let options = Options { batch_max: 4, delay_ms: 3, retry_ms: 2, ..Options::default() };
        let mut queue = Queue::new(Options { high_water: 700, ..options }, 0);
        let mut last = HashMap::<Arc<[u8]>, Operation>::new();
        let (mut backend, mut flying) = (Backend::default(), None::<Vec<Operation>>);

        for now_ms in 0.. {
            let is_over = now_ms >= 200;
            if !is_over && random.below(2) == 0 {
                let key = [b'a' + random.below(5) as u8];
                let value = match random.below(8) {
                    0 => None,
                    1 => Some(POISON.into()),
                    _ => Some(now_ms.to_string().as_bytes().into()),
                };
                let operation = queue.submit(&key, value, now_ms).0;
                last.insert(Arc::clone(&operation.key), operation);
            }
            if let Some(batch) = queue.next_batch(now_ms) {
                assert!(flying.replace(batch).is_none(), "one is in flight");
            }

            if random.below(10) == 0 {
                backend.resolve(random.below(2) == 0);
            }
            let ends =
                |batch: &mut Vec<Operation>| random.below(3) == 0 && !backend.is_locked(batch);
            if let Some(batch) = flying.take_if(ends) {
                let result = attempt(&mut backend, &batch, random, !is_over);
                queue.done(batch, result, now_ms);
            }

            for (key, operation) in &last {
                let is_dead = queue.dead_letter(key) == Some(operation);
                let is_written = backend.value(key) == operation.value;
                let is_readable = queue.newest(key) == Some(operation);
                assert!(is_dead || is_written || is_readable, "seed {seed}");
            }
            if is_over && queue.is_written() {
                break;
            }
        }

        backend.resolve(true);
        let dead = queue.take_dead_letters();
        assert_eq!(queue.bytes, 0, "seed {seed}");
        for (key, operation) in last {
            match operation.value.as_deref() == Some(POISON) {
                true => assert!(dead.contains(&operation), "seed {seed}"),
                false => assert_eq!(backend.value(&key), operation.value, "seed {seed}"),
            }
        }
    }
}

/// Numbers that are the same for the same seed: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 33) % n
    }
}
