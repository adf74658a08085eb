//! Write-behind of a running server: keys are bound before it listens, and its journal is in the
//! folder `write-behind` of `dir` ([`service`](minicache_write_behind::service)).

use crate::commands::Cache;
use minicache_write_behind::service::{self, Threads};
use std::{error::Error, path::Path};

/// Opens the journal and starts the threads, if keys are bound.
pub(super) fn start(cache: &Cache) -> Result<Option<Threads>, Box<dyn Error>> {
    let settings = &cache.config.snapshot().settings;
    let (words, url) = (&settings.write_behind, &settings.write_behind_url);
    if words.is_empty() {
        return Ok(None);
    }
    if settings.appendonly || url.is_empty() {
        return Err("write-behind needs write-behind-url and appendonly no".into());
    }
    let folder = Path::new(&settings.dir).join("write-behind");
    let (bound, threads) = service::start(folder, url, words)?;
    let _ = cache.shards.bound.set(bound); // the first and only time
    Ok(Some(threads))
}
