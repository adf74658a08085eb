//! `CONFIG`: the parameters, read and changed while the server runs.

use super::{Call, shown};
use crate::conf::{ConfigError, file};
use crate::engine::counter::add;
use crate::engine::error::{Answer, Error};
use std::sync::atomic::Ordering;

/// `CONFIG GET pattern …`
pub fn config_get(c: &mut Call) -> Answer {
    let patterns: Vec<&[u8]> = c.args.from(2).iter().collect();
    c.cache.config.read(|config| {
        let found = config.get(&patterns);
        c.out.map(found.len());
        for (name, value) in found {
            c.out.bulk(name);
            c.out.bulk(value);
        }
    });
    Ok(())
}

/// `CONFIG SET parameter value …`
pub fn config_set(c: &mut Call) -> Answer {
    let pairs = c.args.from(2);
    if !pairs.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> =
        (0..pairs.len()).step_by(2).map(|at| (pairs.at(at), pairs.at(at + 1))).collect();
    let trusted = c.settings.enable_protected_configs.allows(c.session.is_local());
    let host = c.cache.host.get();
    let changed = c.cache.config.change(|config| {
        let mut next = config.clone();
        let names = next.set_many(&pairs, trusted)?;
        if let Some(host) = host {
            host.apply(config.settings(), next.settings())?;
        }
        *config = next;
        Ok(names)
    });
    match changed {
        Ok::<_, ConfigError>(names) => {
            let port = c.cache.config.snapshot().settings.port;
            c.cache.stats.identity.port.store(port.into(), Ordering::Relaxed);
            c.session.ends_batch = true;
            if names.contains(&"maxmemory-policy") {
                let policy = c.cache.config.snapshot().tuning.maxmemory_policy;
                let (before, now_ms) = (c.keyspace.parts.tuning, c.keyspace.now.ms);
                c.cache.advisor.stop(&c.cache.shards);
                for shard in c.keyspace.shards_mut() {
                    shard.pool.clear();
                    shard.set_order(policy.order(), &*before.policy, now_ms);
                }
            }
            let limit = c.cache.config.snapshot().settings.maxmemory_clients;
            if limit > 0 && names.contains(&"maxmemory-clients") {
                c.session.publish_figures();
                c.cache.registry.clients.evict(limit);
            }
            c.out.answer_ok()
        }
        Err(error) => Err(Error::text(shown(&error.reply(), usize::MAX))),
    }
}

pub fn config_resetstat(c: &mut Call) -> Answer {
    c.keyspace.shards_mut().for_each(|shard| shard.stats = Default::default());
    c.cache.stats.counters.iter().for_each(|core| core.reset());
    // This very command counts: it ends after the reset.
    add(&c.counters.of(c.command.id()).calls, 1);
    c.cache.stats.totals.reset();
    c.cache.shards.lazy_free.reset();
    c.cache.advisor.reset(c.keyspace.now.ms);
    c.cache.registry.clients.evicted.store(0, Ordering::Relaxed);
    c.out.answer_ok()
}

pub fn config_rewrite(c: &mut Call) -> Answer {
    let path = &c.cache.stats.identity.config_file;
    if path.is_empty() {
        return Err(Error::new("ERR The server is running without a config file"));
    }
    let mut edit = |before: &[u8]| c.cache.config.read(|config| file::rewritten(config, before));
    if let Some(host) = c.cache.host.get() {
        let failed = |why| Error::text(format!("ERR Rewriting config file: {why}"));
        host.rewrite(path, &mut edit).map_err(failed)?;
    }
    c.out.answer_ok()
}
