//! `CACHE ADVISE`: what another policy, or 64 MiB more, would save on the live traffic.
//!
//! ```text
//! > CACHE ADVISE ON
//! > CACHE ADVISE                     after some traffic
//! policy              memory   hits %   misses/s   saved/s
//! allkeys-lru        100.0mb    71.20     1204.3              now
//! allkeys-lru        164.0mb    78.93      881.0     323.3
//! allkeys-s3fifo     100.0mb    77.85      926.2     278.1
//! …
//! 1 key in 64: 24112 reads, 6944 missed; the ghosts take 1.3mb.
//! ```
//!
//! * [`ghosts`]: caches of hashes and sizes, one for each policy, on a sample of the keys.
//! * [`cache`], [`sampled`]: what they are made of.
//!
//! The figures of now are those of all reads. A ghost's are these, in proportion to its misses and
//! the server's *in the sample*: a popular key that happens to be in the sample or not changes both
//! alike. Nothing is sampled, and no command does more, until somebody asks. Redis has no
//! counterpart.

pub mod cache;
pub(crate) mod ghosts;
pub mod sampled;

use super::Call;
use crate::engine::error::{Answer, Error};
use crate::engine::eviction::observer::{Event, Observer, SAMPLED, hash_in};
use crate::engine::hashing::{hash_key, hasher};
use crate::engine::tuning::Tuning;
use crate::engine::{shards::Shards, store::shard::ShardStats};
use ghosts::Ghosts;
use minikit::sync::Mutex;
use std::fmt::Write;
use std::sync::atomic::Ordering;

const OFF: Error = Error::new("ERR nothing is sampled yet; CACHE ADVISE ON begins");

/// The ghosts, while somebody wants advice.
#[derive(Default)]
pub struct Advisor(Mutex<Option<Sampling>>);

struct Sampling {
    ghosts: Ghosts,
    /// Unix milliseconds of the start, and the counters then.
    since_ms: i64,
    before: ShardStats,
}

impl Observer for Advisor {
    fn observe(&self, tuning: &Tuning, now_ms: i64, hash: u64, event: Event) {
        if let Some(Sampling { ghosts, .. }) = &mut *self.0.lock()
            && ghosts.policy == tuning.maxmemory_policy
        {
            ghosts.observe(tuning.maxmemory, now_ms, hash, event);
        }
    }
}

impl Advisor {
    /// Forgets all keys: a database was emptied, or exchanged with another.
    pub fn clear(&self) {
        if let Some(Sampling { ghosts, .. }) = &mut *self.0.lock() {
            ghosts.clear();
        }
    }

    /// Stops sampling.
    pub fn stop(&self, shards: &Shards) {
        shards.observed.store(false, Ordering::Relaxed);
        *self.0.lock() = None;
    }

    /// Counts anew from now on: the counters of the shards are zero.
    pub fn reset(&self, now_ms: i64) {
        if let Some(Sampling { ghosts, since_ms, before }) = &mut *self.0.lock() {
            (*since_ms, *before) = (now_ms, ShardStats::default());
            ghosts.reset();
        }
    }
}

/// `CACHE ADVISE [ON | OFF]`
pub fn cache_advise(c: &mut Call) -> Answer {
    let on = c.is(2, "on");
    if c.args.len() > 3 || (c.args.len() == 3 && !on && !c.is(2, "off")) {
        return Err(Error::SYNTAX);
    }
    if c.args.len() == 3 {
        c.cache.advisor.stop(&c.cache.shards);
        return if on { start(c) } else { c.out.answer_ok() };
    }

    let stats = totals(c);
    let (now_ms, tuning) = (c.keyspace.now.ms, c.keyspace.parts.tuning);
    let sampling = c.cache.advisor.0.lock();
    let sampling = sampling.as_ref().filter(|it| it.ghosts.policy == tuning.maxmemory_policy);
    let sampling = sampling.filter(|_| tuning.maxmemory > 0);
    let text = report(sampling.ok_or(OFF)?, &stats, tuning.maxmemory, now_ms);
    c.out.verbatim(&text);
    Ok(())
}

/// Begins to sample, with the keys that there are. All shards are locked; it takes 100 ns a key.
fn start(c: &mut Call) -> Answer {
    let tuning = c.keyspace.parts.tuning;
    if tuning.maxmemory == 0 || !tuning.evicts() || tuning.maxmemory_policy.is_volatile() {
        return Err(Error::new("ERR no advice without maxmemory and an allkeys policy"));
    }

    let mut ghosts = Ghosts::new(tuning);
    let (now_ms, databases) = (c.keyspace.now.ms, tuning.databases);
    for (_, shard) in c.keyspace.shards() {
        let keys = (0..databases).flat_map(|db| shard.table(db).ids().map(move |it| (db, it)));
        for (db, handle) in keys {
            let hash = hash_key(hasher(), shard.key(handle));
            if hash & SAMPLED == 0 {
                let event = Event::Added(shard.stored(handle));
                ghosts.observe(tuning.maxmemory, now_ms, hash_in(db, hash), event);
            }
        }
    }
    let sampling = Sampling { ghosts, since_ms: now_ms, before: totals(c) };
    *c.cache.advisor.0.lock() = Some(sampling);
    c.cache.shards.observed.store(true, Ordering::Relaxed);
    c.out.answer_ok()
}

fn totals(c: &Call) -> ShardStats {
    let mut totals = ShardStats::default();
    c.keyspace.shards().for_each(|(_, shard)| totals.add(&shard.stats));
    totals
}

fn report(sampling: &Sampling, stats: &ShardStats, maxmemory: u64, now_ms: i64) -> String {
    let Sampling { ghosts, since_ms, before } = sampling;
    let misses = stats.misses.saturating_sub(before.misses) as f64;
    let reads = stats.hits.saturating_sub(before.hits) as f64 + misses;
    let seconds = ((now_ms - since_ms).max(1)) as f64 / 1000.0;
    let mut text = format!(
        "{:<18}{:>9}{:>9}{:>11}{:>10}\n",
        "policy", "memory", "hits %", "misses/s", "saved/s"
    );
    let mut row = |policy: &str, memory: u64, expected: f64, saved: &str| {
        let hits = 100.0 * (1.0 - expected / reads);
        let hits = if reads > 0.0 { format!("{hits:.2}") } else { "-".to_string() };
        let (memory, rate) = (megabytes(memory), expected / seconds);
        let _ = writeln!(text, "{policy:<18}{memory:>9}{hits:>9}{rate:>11.1}{saved:>10}");
    };
    row(ghosts.policy.name(), maxmemory, misses, "now");

    // The one with more memory, then the others, the best first.
    let mut sorted: Vec<_> = ghosts.ghosts.iter().collect();
    sorted.sort_by_key(|ghost| (ghost.more_bytes == 0, ghost.misses));
    for ghost in sorted {
        let expected = misses * ghost.misses as f64 / ghosts.misses.max(1) as f64;
        let saved = format!("{:.1}", (misses - expected) / seconds);
        row(ghost.policy.name(), maxmemory + ghost.more_bytes, expected, &saved);
    }
    let (one_in, memory) = (ghosts.sampled + 1, megabytes(ghosts.memory()));
    let (reads, missed) = (ghosts.requests, ghosts.misses);
    text + &format!("1 key in {one_in}: {reads} reads, {missed} missed; the ghosts take {memory}\n")
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}mb", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Fixture;

    #[test]
    fn without_reads_or_a_limit_nothing_is_claimed() {
        let parameters = [("maxmemory", "1gb"), ("maxmemory-policy", "allkeys-lru")];
        let mut fixture = Fixture::with(&parameters);
        assert_eq!(fixture.run("CACHE ADVISE ON"), "OK");
        let advice = fixture.run("CACHE ADVISE");
        assert!(advice.contains("1024.0mb        -        0.0       now"), "{advice}");

        fixture.run("CONFIG SET maxmemory 0");
        let advice = fixture.run("CACHE ADVISE");
        assert!(advice.contains("ERR nothing is sampled yet"), "{advice}");
    }
}
