//! How two cores share one keyspace: by locks on shards, or by messages to the owner of a key.
//!
//! ```text
//! locked   core 0: lock shard 5, run, unlock               core 1: the same
//! owned    core 0: GET k is core 1's ──message──> core 1 runs it ──answer──> core 0 replies
//! ```
//!
//! `cargo bench -p benches --bench sharing`. Each core has clients that send pipelines of 1, 16 or
//! 64 commands, nine reads to a write, on 100,000 keys evenly. The owner gets all of a pipeline's
//! commands for it in one message, serves others while it waits for its own answers, and sleeps
//! when there is nothing to do, as a core does that waits for sockets.
//!
//! What is measured is processor time, of both cores together, per command: a wall clock would
//! count the neighbours of a shared machine, and for the owned shards mostly how long sleeping
//! takes.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use benches::engine::Engine;
use benches::keys::{KEY_BYTES, VALUE_BYTES, key, value};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use minicache::engine::Str;
use minicache::engine::keyspace::Keyspace;
use minicache::engine::rng::Rng;

const CORES: usize = 2;
const KEYS: u64 = 100_000;
const PIPELINES: [usize; 3] = [1, 16, 64];

/// One command: which key, and whether it is written.
#[derive(Clone, Copy)]
struct Command {
    key: [u8; KEY_BYTES],
    number: u64,
    writes: bool,
}

impl Command {
    fn random(rng: &mut Rng) -> Command {
        let number = rng.below(KEYS as usize) as u64;
        Command { key: key(number), number, writes: rng.below(10) == 0 }
    }

    /// Executes it on a keyspace whose shards are locked; bytes that it read.
    fn run(&self, keyspace: &mut Keyspace) -> usize {
        let key = keyspace.key(&self.key);
        if self.writes {
            keyspace.set_string(key, &value(self.number), None);
            return VALUE_BYTES;
        }
        match keyspace.string(key) {
            Ok(Some(Str::Bytes(bytes))) => bytes.len(),
            _ => 0,
        }
    }
}

fn filled(shards: usize) -> Engine {
    let engine = Engine::new(shards);
    let mut keyspace = engine.keyspace(0);
    keyspace.lock_all();
    (0..KEYS).for_each(|number| {
        keyspace.set_string(engine.cache.shards.key(&key(number)), &value(number), None);
    });
    drop(keyspace);
    engine
}

/// Runs `core` on every core at once; the processor time that took. Each core tells how many bytes
/// its commands found.
fn on_all_cores(commands: usize, core: impl Fn(usize) -> usize + Sync) -> Duration {
    let timed = |index| (core(index), processor_time());
    let cores: Vec<(usize, Duration)> = std::thread::scope(|scope| {
        let timed = &timed;
        let cores = [0, 1].map(|index| scope.spawn(move || timed(index)));
        cores.map(|core| core.join().expect("no core panics")).into()
    });
    let found: usize = cores.iter().map(|(found, _)| found).sum();
    assert_eq!(found, CORES * commands * VALUE_BYTES, "every key was found");
    cores.iter().map(|(_, time)| time).sum()
}

/// How long this thread has been running on a processor.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.expect("this needs Linux"))
}

/// Pipelines by locks: a lock is kept until another is needed, and over a pipeline at most.
fn locked(engine: &Engine, index: usize, pipelines: usize, length: usize) -> usize {
    let mut rng = Rng::new(index as u64);
    let mut found = 0;
    for _ in 0..pipelines {
        let mut keyspace = engine.keyspace(index);
        for _ in 0..length {
            let command = Command::random(&mut rng);
            keyspace.lock(1 << engine.cache.shards.key(&command.key).shard);
            found += command.run(&mut keyspace);
        }
    }
    found
}

/// What cores send each other.
enum Message {
    /// Run these and answer to this core.
    Work(usize, Vec<Command>),
    /// So many bytes were found by what was asked; the vector comes back for the next time.
    Answer(usize, Vec<Command>),
    /// A core needs nothing more.
    Done,
}

/// A core that owns the keys of half of all numbers, and its way to the others.
struct Owner<'e> {
    index: usize,
    keyspace: Keyspace<'e>,
    inbox: Receiver<Message>,
    outboxes: Vec<Sender<Message>>,
    finished: usize,
}

impl Owner<'_> {
    fn owner_of(command: &Command) -> usize {
        command.number as usize % CORES
    }

    fn send(&self, to: usize, message: Message) {
        self.outboxes[to].send(message).expect("cores stay until all are done");
    }

    /// Deals with one message; an answer is returned.
    fn attend(&mut self) -> Option<(usize, Vec<Command>)> {
        match self.inbox.recv().expect("cores stay until all are done") {
            Message::Answer(found, commands) => return Some((found, commands)),
            Message::Done => self.finished += 1,
            Message::Work(from, commands) => {
                let found = commands.iter().map(|command| command.run(&mut self.keyspace)).sum();
                self.send(from, Message::Answer(found, commands));
            }
        }
        None
    }

    /// One pipeline: what belongs to others goes to them first, and meanwhile the rest is run here.
    fn pipeline(
        &mut self,
        length: usize,
        rng: &mut Rng,
        parts: &mut [Vec<Command>; CORES],
    ) -> usize {
        for _ in 0..length {
            let command = Command::random(rng);
            parts[Owner::owner_of(&command)].push(command);
        }
        let mut missing = 0;
        for (to, part) in parts.iter_mut().enumerate() {
            if to != self.index && !part.is_empty() {
                self.send(to, Message::Work(self.index, std::mem::take(part)));
                missing += 1;
            }
        }
        let mine = &mut parts[self.index];
        let mut found: usize = mine.iter().map(|command| command.run(&mut self.keyspace)).sum();
        mine.clear();
        while missing > 0 {
            let Some((theirs, mut part)) = self.attend() else { continue };
            found += theirs;
            missing -= 1;
            part.clear();
            parts[(self.index + 1) % CORES] = part;
        }
        found
    }

    fn run(mut self, pipelines: usize, length: usize) -> usize {
        let mut rng = Rng::new(self.index as u64);
        let mut parts = [const { Vec::new() }; CORES];
        let found = (0..pipelines).map(|_| self.pipeline(length, &mut rng, &mut parts)).sum();
        for to in 0..CORES {
            self.send(to, Message::Done);
        }
        while self.finished < CORES {
            self.attend();
        }
        found
    }
}

/// Pipelines by messages.
fn owned(engines: &[Engine; CORES], pipelines: usize, length: usize) -> Duration {
    let (outboxes, inboxes): (Vec<_>, Vec<_>) = (0..CORES).map(|_| channel()).unzip();
    let inboxes: Vec<_> =
        inboxes.into_iter().map(|inbox| std::sync::Mutex::new(Some(inbox))).collect();
    on_all_cores(pipelines * length, |index| {
        let inbox = inboxes[index].lock().ok().and_then(|mut inbox| inbox.take());
        let mut keyspace = engines[index].keyspace(index);
        keyspace.lock_all();
        let owner = Owner {
            index,
            keyspace,
            inbox: inbox.expect("each core takes its own, once"),
            outboxes: outboxes.clone(),
            finished: 0,
        };
        owner.run(pipelines, length)
    })
}

fn sharing(c: &mut Criterion) {
    let shared = filled(64);
    let own = [(); CORES].map(|()| filled(1));
    let mut group = c.benchmark_group("sharing");
    for length in PIPELINES {
        group.throughput(Throughput::Elements((CORES * length) as u64));
        group.bench_function(BenchmarkId::new("locked", length), |b| {
            b.iter_custom(|rounds| {
                let rounds = rounds as usize;
                on_all_cores(rounds * length, |index| locked(&shared, index, rounds, length))
            });
        });
        group.bench_function(BenchmarkId::new("owned", length), |b| {
            b.iter_custom(|rounds| owned(&own, rounds as usize, length));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = sharing
}
criterion_main!(benches);
