//! `CONFIG`: the parameters, read and changed while the server runs.

use super::{Call, shown};
use crate::engine::error::{Answer, Error};

/// `CONFIG GET pattern …`
pub fn config_get(c: &mut Call) -> Answer {
    let patterns: Vec<&[u8]> = c.args.from(2).iter().collect();
    c.store.cache.rules.read(|config| {
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
        return Err(Error::arity("config|set"));
    }
    let pairs: Vec<(&[u8], &[u8])> =
        (0..pairs.len()).step_by(2).map(|at| (pairs.at(at), pairs.at(at + 1))).collect();
    let trusted = c.store.rules.settings.enable_protected_configs.allows(c.session.is_local());
    let changed = c.store.cache.rules.change(|config| config.set_many(&pairs, trusted));
    match changed {
        Ok(names) => {
            c.session.ends_batch = true;
            if names.contains(&"maxmemory-policy") {
                c.store.shards_mut().for_each(|shard| shard.forget_candidates());
            }
            c.out.ok();
            Ok(())
        }
        Err(error) => Err(Error::text(shown(&error.reply(), usize::MAX))),
    }
}

/// `CONFIG RESETSTAT`
pub fn config_resetstat(c: &mut Call) -> Answer {
    c.store.shards_mut().for_each(|shard| shard.stats = Default::default());
    c.store.cache.counters.iter().for_each(|core| core.reset());
    c.store.cache.totals.reset();
    c.out.ok();
    Ok(())
}

/// `CONFIG REWRITE`
pub fn config_rewrite(c: &mut Call) -> Answer {
    let path = &c.store.cache.identity.config_file;
    if path.is_empty() {
        return Err(Error::new("ERR The server is running without a config file"));
    }
    let failed = |why: std::io::Error| Error::text(format!("ERR Rewriting config file: {why}"));
    let before = std::fs::read(path).map_err(failed)?;
    let after = c.store.cache.rules.read(|config| config.rewritten(&before));
    std::fs::write(path, after).map_err(failed)?;
    c.out.ok();
    Ok(())
}
