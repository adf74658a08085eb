//! The visibility map and the free-space map, from one start to the next: the file `maps`.
//!
//! `minibtree/maps` has its format, and the reason why the bits are right after a crash.

use super::Result;
use super::pool::Pool;
use minibtree_maps::{decode, encode};
use minibtree_small_file as small_file;
use minikit::storage::Disk;

const NAME: &str = "maps";

/// Reads what the last checkpoint has found out. Recovery corrects it.
pub fn read(disk: &dyn Disk, pool: &Pool) -> Result<()> {
    let file = small_file::read(disk, NAME)?.unwrap_or_default();
    for (id, map) in decode(&file) {
        // The relation may have been dropped since.
        pool.relation(id).into_iter().for_each(|relation| relation.set_map(map));
    }
    Ok(())
}

/// Writes the maps, after a checkpoint has written the pages.
pub fn write(disk: &dyn Disk, pool: &Pool) -> Result<()> {
    let file = encode(pool.relations().iter().map(|relation| (relation.id, relation.map())));
    // What a bit tells of must not be lost, so the log first.
    pool.wal.flush(pool.wal.end())?;
    Ok(small_file::replace(disk, NAME, &file)?)
}
