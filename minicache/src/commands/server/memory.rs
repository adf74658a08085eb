//! `MEMORY`: where it is (`object.c`).

use super::{Call, info::index_bytes};
use crate::engine::error::{Answer, Error};
use crate::engine::store::shard::Shard;
use crate::wire::reply::Reply;

/// `MEMORY USAGE key [SAMPLES count]`: exact for what is in the slab, near for containers, so
/// nothing is sampled.
pub fn memory_usage(c: &mut Call) -> Answer {
    for at in (3..c.args.len()).step_by(2) {
        if !c.is(at, "samples") || at + 1 == c.args.len() || c.int(at + 1)? < 0 {
            return Err(Error::SYNTAX);
        }
    }
    match c.keyspace.inspect(c.key(2), Shard::footprint) {
        Some(bytes) => c.out.count(bytes),
        None => c.out.null(),
    }
    Ok(())
}

pub fn memory_stats(c: &mut Call) -> Answer {
    let cache = c.cache;
    let databases = c.settings.databases as usize;
    let (used, allocated) = (cache.shards.used_memory(), crate::raw::allocated());
    let count = |db: usize| c.keyspace.shards().map(|(_, shard)| shard.len(db)).sum::<usize>();
    let keys: usize = (0..databases).map(count).sum();
    let pages: usize = c.keyspace.shards().map(|(_, shard)| shard.slab().page_bytes()).sum();
    let free: usize = c.keyspace.shards().map(|(_, shard)| shard.slab().free_bytes()).sum();
    let rows = [
        ("total.allocated", used),
        ("allocator.allocated", allocated),
        ("slab.pages", pages),
        ("slab.free", free),
        ("index.bytes", index_bytes(c)),
        ("keys.count", keys),
        ("keys.bytes-per-key", used.checked_div(keys).unwrap_or(0)),
    ];
    c.out.map(rows.len());
    rows.iter().for_each(|(name, bytes)| row(c.out, name, *bytes));
    Ok(())
}

fn row(out: &mut Reply, name: &str, bytes: usize) {
    out.text(name);
    out.count(bytes);
}

pub fn memory_purge(c: &mut Call) -> Answer {
    crate::raw::give_back();
    c.out.answer_ok()
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Fixture;

    #[test]
    fn samples_are_checked_though_nothing_is_sampled() {
        let mut t = Fixture::new();
        t.run("SET k v");
        assert_eq!(t.run("MEMORY USAGE k SAMPLES 0 samples 5"), t.run("MEMORY USAGE k"));
        t.check(
            r#"
            > MEMORY USAGE k SAMPLES -1
            (error) ERR syntax error
            > MEMORY USAGE none SAMPLES x
            (error) ERR value is not an integer or out of range
            > MEMORY USAGE k SAMPLES
            (error) ERR syntax error
            > MEMORY USAGE k 5
            (error) ERR syntax error
            > MEMORY USAGE none SAMPLES 5
            (nil)
            "#,
        );
    }
}
