//! POC 61: what happens to the database when a popular key expires?
//!
//! `cargo run --release -p minicache --example poc61_cache_aside`
//!
//! One key is read a hundred times a second, and a load takes half a second. The reads run on a
//! simulated clock, so the numbers are the same each time; the cache they go through is a server,
//! minicache in this process or the one at `--against HOST:PORT`. The rows come from a map, or from
//! the PostgreSQL or minibtree at `--backend HOST:PORT`.

mod common;

use common::{Arguments, Backend, Resp};
use minicache::cache::entry::Entry;
use minicache::cache::{Cache, Memory, Options, Store, Value, block_on};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

const READ_EVERY_MS: u64 = 10;
const LOAD_MS: u64 = 500;
const DURATION_MS: u64 = 30_000;
/// Of values; that of absent keys is 2 s. Nothing at random, except where it is shown.
const OPTIONS: Options = Options {
    ttl_ms: 5_000,
    absent_ttl_ms: 2_000,
    jitter: 0.0,
    beta: 0.0,
    lease_ms: 3_000,
    seed: 61,
};

fn main() -> io::Result<()> {
    print!("{}", run(&Arguments::read())?);
    Ok(())
}

/// A read in progress.
type Reading<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The time in ms. Whatever waits is polled again after each step.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    async fn wait(&self, ms: u64) {
        let end = self.now() + ms;
        poll_fn(|_| if self.now() < end { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

/// Longer than any run: the server's clock is not the simulated one.
const REAL_MS: u64 = 600_000;

/// A store on the simulated clock.
struct Timed<S>(S, Clock);

impl<S: Store> Store for Timed<S> {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.0.get(key).await
    }

    async fn lease(&self, key: &[u8], token: u64, _: u64) -> io::Result<bool> {
        self.0.lease(key, token, REAL_MS).await
    }

    async fn fill(&self, key: &[u8], token: u64, entry: Option<(&[u8], u64)>) -> io::Result<bool> {
        self.0.fill(key, token, entry.map(|(bytes, _)| (bytes, REAL_MS))).await
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.0.remove(key).await
    }

    async fn pause(&self) {
        self.1.wait(READ_EVERY_MS).await;
    }

    fn now_ms(&self) -> u64 {
        self.1.now()
    }
}

struct World {
    clock: Clock,
    address: String,
    backend: Backend,
}

impl World {
    /// An empty server as store.
    fn server(&self) -> io::Result<Timed<Resp>> {
        let client = Resp::connect(&self.address)?;
        client.ask("DEL user:7 user:8 user:7:lease user:8:lease")?;
        Ok(Timed(client, self.clock.clone()))
    }

    /// A store in the process.
    fn memory(&self) -> Timed<Memory> {
        Timed(Memory::new(2_000), self.clock.clone())
    }

    // ANCHOR: load
    /// What the cache calls on a miss: a query that takes half a second.
    async fn load(&self, key: &str) -> io::Result<Value> {
        let row = self.backend.read(key)?;
        self.clock.wait(LOAD_MS).await;
        Ok(row.map(|value| value.as_bytes().into()))
    }
    // ANCHOR_END: load

    // ANCHOR: aside
    /// Cache-aside as it is written everywhere: GET, load, SET.
    async fn aside(&self, store: &Timed<Resp>, key: &str) {
        let found = store.get(key.as_bytes()).await.expect("the server answers");
        let entry = found.and_then(|it| Entry::decode(&it));
        if entry.is_some_and(|it| self.clock.now() < it.expires_ms) {
            return;
        }
        let value = self.load(key).await.expect("the database answers");
        if value.is_some() {
            let expires_ms = self.clock.now() + OPTIONS.ttl_ms;
            let bytes = Entry { value, expires_ms, load_ms: 0 }.encode();
            store.0.call(&[b"SET", key.as_bytes(), &bytes]).expect("the server answers");
        }
    }
    // ANCHOR_END: aside

    /// Reads for half a minute: how many loads there were, and how many reads had to wait.
    fn row<'a>(&self, name: &str, read: impl Fn(u64) -> Reading<'a>) -> String {
        let mut context = Context::from_waker(Waker::noop());
        let (mut waiting, mut waited) = (Vec::<Reading>::new(), 0);
        let start = self.clock.now();
        for number in 0..DURATION_MS / READ_EVERY_MS {
            self.clock.0.store(start + number * READ_EVERY_MS, Ordering::Relaxed);
            waiting.retain_mut(|it| it.as_mut().poll(&mut context).is_pending());
            let mut new = read(number);
            if new.as_mut().poll(&mut context).is_pending() {
                waited += 1;
                waiting.push(new);
            }
        }
        format!("{name:<44}{:>8}{waited:>8}\n", self.backend.take_reads())
    }

    /// The same through caches, one after the other: each is a process.
    fn through<S: Store>(&self, name: &str, caches: &[Cache<S>], key: &'static str) -> String {
        self.row(name, |number| {
            let cache = &caches[number as usize % caches.len()];
            Box::pin(async move {
                let read = cache.get(key.as_bytes(), || self.load(key));
                read.await.expect("store and database answer");
            })
        })
    }
}

fn run(arguments: &Arguments) -> io::Result<String> {
    let backend = arguments.backend("poc61_users", &[("user:7", "Ada")])?;
    let world = World { clock: Clock::default(), address: arguments.cache(), backend };
    Ok([stampede(&world)?, absent(&world)?, jitter(&world), stale_set(&world)?].join("\n"))
}

fn stampede(world: &World) -> io::Result<String> {
    let mut text = format!("{:<44}{:>8}{:>8}\n", "3,000 reads of one key", "loads", "waited");
    let store = world.server()?;
    text += &world.row("GET, load, SET", |_| Box::pin(world.aside(&store, "user:7")));

    // ANCHOR: caches
    let plain = || OPTIONS;
    let early = || Options { beta: 1.0, ..OPTIONS };
    text += &world.through("single-flight", &[Cache::new(world.server()?, plain())], "user:7");
    text += &world.through("... and early", &[Cache::new(world.server()?, early())], "user:7");
    let alone = [Cache::new(world.memory(), plain()), Cache::new(world.memory(), plain())];
    text += &world.through("single-flight, two processes alone", &alone, "user:7");
    let other = Options { seed: 62, ..OPTIONS };
    let leased = [Cache::new(world.server()?, plain()), Cache::new(world.server()?, other)];
    text += &world.through("single-flight, two processes and a lease", &leased, "user:7");
    // ANCHOR_END: caches
    Ok(text)
}

fn absent(world: &World) -> io::Result<String> {
    let mut text =
        format!("{:<44}{:>8}{:>8}\n", "3,000 reads of a key without a row", "loads", "waited");
    let store = world.server()?;
    text += &world.row("GET, load, SET", |_| Box::pin(world.aside(&store, "user:8")));
    text += &world.through("negative caching", &[Cache::new(world.server()?, OPTIONS)], "user:8");
    Ok(text)
}

/// A thousand keys that were loaded at the same moment, and are read all the time.
fn jitter(world: &World) -> String {
    let mut text = "1,000 keys loaded at once, until each was loaded again\n".to_owned();
    for jitter in [0.0, 0.2] {
        let cache = Cache::new(world.memory(), Options { jitter, ..OPTIONS });
        let read = || {
            for number in 0..1_000_u32 {
                let row = || Ok(world.backend.read("user:7")?.map(|it| it.as_bytes().into()));
                cache.get_blocking(&number.to_be_bytes(), row).expect("memory does not fail");
            }
            world.backend.take_reads()
        };
        read();
        let start = world.clock.now();
        let loads = (1..=OPTIONS.ttl_ms / 100).map(|tenth| {
            world.clock.0.store(start + tenth * 100, Ordering::Relaxed);
            read()
        });
        let most = loads.max().unwrap_or(0);
        let name = format!("jitter {jitter}");
        text += &format!("{name:<44}{most:>8} loads in the busiest 100 ms\n");
    }
    text
}

/// A reader that is slow between its query and its SET, and a writer in between.
fn stale_set(world: &World) -> io::Result<String> {
    let World { backend, .. } = world;
    let shown =
        |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or(b"nil")).into_owned();
    let mut text = String::from("A stale set: client A reads, client B writes in between\n");

    let (a, b) = (Resp::connect(&world.address)?, Resp::connect(&world.address)?);
    a.ask("DEL user:7")?;
    let old = backend.read("user:7")?.unwrap_or_default();
    text += &format!("A  GET user:7 -> nil; SELECT -> {old}\n");
    backend.write("user:7", "Grace")?;
    b.ask("DEL user:7")?;
    text += "B  UPDATE .. Grace; DEL user:7\n";
    a.ask(&format!("SET user:7 {old}"))?;
    let found = b.call(&[b"GET", b"user:7"])?;
    text += &format!("A  SET user:7 {old}\nB  GET user:7 -> {}\n\n", shown(found.as_deref()));

    // ANCHOR: lease
    backend.write("user:7", "Ada")?;
    let a = Cache::new(world.server()?, OPTIONS);
    let b = Cache::new(world.server()?, Options { seed: 62, ..OPTIONS });
    let slow = async {
        let row = backend.read("user:7")?;
        world.clock.wait(LOAD_MS).await; // a garbage collection, a lost packet, ..
        Ok(row.map(|value| value.as_bytes().into()))
    };
    let mut reading = pin!(a.get(b"user:7", || slow));
    let mut context = Context::from_waker(Waker::noop());
    assert!(reading.as_mut().poll(&mut context).is_pending());
    backend.write("user:7", "Grace")?;
    block_on(b.invalidate(b"user:7"))?;
    // ANCHOR_END: lease

    text += "With a lease\nA  miss, lease granted; SELECT -> Ada\nB  UPDATE .. Grace; invalidate\n";
    world.clock.0.fetch_add(LOAD_MS, Ordering::Relaxed);
    let Poll::Ready(Ok(value)) = reading.poll(&mut context) else { unreachable!("time is up") };
    let row = async { Ok(backend.read("user:7")?.map(|it| it.as_bytes().into())) };
    let next = block_on(b.get(b"user:7", || row)).expect("server and database answer");
    text += &format!("A  fill refused; gets {}, which it had asked for\n", shown(value.as_deref()));
    text += &format!("B  get -> {}\n", shown(next.as_deref()));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let output = run(&Arguments::default()).expect("server and backend answer");
        common::assert_recorded("poc61_cache_aside", &output);
    }
}
