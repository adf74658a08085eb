//! What the admin endpoint shows after a conversation.

use super::*;
use crate::commands::testing::Fixture;
use crate::engine::eviction::evict_one;

/// A cache in which something has happened.
fn lived_in() -> Arc<Cache> {
    let mut fixture = Fixture::with(&[("maxmemory-policy", "allkeys-lfu")]);
    for line in [
        "SET greeting hello",
        "SET number 5 PX 60000",
        "SET later 5 EX 200000",
        "GET greeting",
        "GET nothing",
        "LPUSH list a b c",
        "LPUSH number a",
        "SELECT 3",
        "SADD set 1 2 3",
    ] {
        fixture.run(line);
    }
    Arc::new(fixture.cache)
}

fn metrics(cache: &Arc<Cache>) -> String {
    let mut page = Exposition::new();
    Inspector(Arc::clone(cache)).metrics(&mut page);
    page.into_text()
}

#[test]
fn metrics_count_what_happened() {
    let text = metrics(&lived_in());
    for line in [
        "minicache_commands_total{command=\"set\"} 3",
        "minicache_commands_total{command=\"lpush\"} 2",
        "minicache_command_failures_total{command=\"lpush\"} 1",
        "minicache_errors_total{code=\"WRONGTYPE\"} 1",
        "minicache_keyspace_hits_total 1",
        "minicache_keyspace_misses_total 1",
        "minicache_keys{db=\"0\"} 4",
        "minicache_keys{db=\"3\"} 1",
        "minicache_volatile_keys{db=\"0\"} 2",
        "minicache_clients 1",
        "minicache_memory_max_bytes 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_figure_is_in_one_family_with_a_head() {
    let text = metrics(&lived_in());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{line}");
    }
}

#[test]
fn the_state_page_shows_keys_wheel_encodings_and_clients() {
    let text = Inspector(lived_in()).state_page().to_text();
    let blanks_as_one = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(blanks_as_one).collect();
    for line in [
        "maxmemory-policy allkeys-lfu",
        "0 4 2",
        "3 1 0",
        "1 1.0 s 65.5 s 1",
        "3 69.9 min 3.1 d 1",
        "Of 5 sampled keys, about 64 per shard and database.",
        "string embstr 1 20.0 % 33",
        "string int 2 40.0 % 49",
        "1 of 1, the latest first.",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("127.0.0.1:5"), "{text}");
}

#[test]
fn a_crowded_level_of_the_wheel_is_known_by_what_is_missing() {
    let mut fixture = Fixture::new();
    for number in 0..20_000 {
        fixture.run(&format!("SET key:{number} v EX 200000"));
    }
    fixture.run("SET soon v PX 100");
    let text = Inspector(Arc::new(fixture.cache)).state_page().to_text();
    assert!(text.contains("  20000\n"), "{text}");
}

#[test]
fn the_pool_keeps_what_was_sampled_and_not_evicted() {
    let mut fixture = Fixture::with(&[("maxmemory-policy", "allkeys-lru")]);
    for number in 0..200 {
        fixture.run(&format!("SET key:{number} value"));
    }
    fixture.now.ms += 90_000;
    let (config, mut next_shard) = (fixture.cache.config.snapshot(), 2);
    let now = fixture.now;
    assert!(evict_one(&fixture.cache.shards, &config.tuning, now, &mut next_shard).is_some());
    let text = Inspector(Arc::new(fixture.cache)).state_page().to_text();
    let waiting = text.lines().filter(|line| line.ends_with("idle 90.0 s"));
    // Five are drawn, one has gone; the same key may have been drawn twice.
    assert!((1..=4).contains(&waiting.count()), "{text}");
}

#[test]
fn a_cache_that_ends_is_not_healthy() {
    let cache = lived_in();
    let inspector = Inspector(Arc::clone(&cache));
    assert_eq!(inspector.healthy(), Ok(()));
    cache.stop.store(true, Ordering::Relaxed);
    assert_eq!(inspector.healthy(), Err("shutting down".to_string()));
}
