//! Explains data files: a tree with its levels, a hash directory, a page, a log record.
//!
//! | file | what it explains |
//! |---|---|
//! | `relation.rs` | a file of pages: heap, B+tree, hash index |
//! | `page.rs` | one page, byte by byte or in one line |
//! | `log.rs` | a segment of the log, the file `control` |
//! | `rows.rs` | `mb_pages` and `mb_btree`, the same in SQL |
//!
//! ```text
//! $ minibtree explain data/base/16386
//! B+tree, pages in the tree: 3, others: 0
//!
//! level   pages  entries   fill  mean key
//!     1       1        2    0 %    2.0 bytes
//!     0       2      700   63 %   10.0 bytes
//! ..
//! ```
//!
//! It reads files without the engine, so it works beside a running server. Pages are then as old as
//! the last checkpoint, except those that the pool has evicted since. A damaged file is shown up to
//! the damage. PostgreSQL's `pageinspect`, `pg_waldump` and `pg_controldata`.

mod log;
mod page;
mod relation;
mod rows;

pub use page::PageSummary;
pub use relation::{Level, Relation, levels};
pub use rows::{LEVEL_COLUMNS, PAGE_COLUMNS, level_row, page_row};

use minibtree_format::{RelationId, page::checksum};
use minikit::storage::{Disk, RealDisk};
use std::io;
use std::path::Path;

/// Explains a data directory, a file of it, or one page of the file; see [`explain`].
///
/// # Errors
/// Those of [`explain`].
pub fn explain_path(path: &Path, block: Option<u32>, parts_max: usize) -> Result<String, String> {
    if path.is_dir() {
        return explain(&RealDisk::new(path), "", block, parts_max);
    }
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().unwrap_or(Path::new(""));
    match (name(folder).as_str(), folder.parent()) {
        (inner @ ("base" | "wal"), Some(root)) => {
            let name = format!("{inner}/{}", name(path));
            explain(&RealDisk::new(root), &name, block, parts_max)
        }
        _ => explain(&RealDisk::new(folder), &name(path), block, parts_max),
    }
}

/// Explains a file of a data directory, or one page of it, with `parts_max` lines of each list.
/// The name is `control`, `base/NUMBER`, `wal/NUMBER`, or empty for the directory. A file is read
/// into memory.
///
/// # Errors
/// If the file cannot be read, is none of these, or has no such page.
pub fn explain(
    disk: &dyn Disk,
    name: &str,
    block: Option<u32>,
    parts_max: usize,
) -> Result<String, String> {
    if name.is_empty() {
        return explain_directory(disk);
    }
    let bytes = read(disk, name)?;
    if name == "control" {
        return Ok(log::explain_control(&bytes));
    }
    let segment = name.strip_prefix("wal/").and_then(|it| u64::from_str_radix(it, 16).ok());
    if let Some(number) = segment {
        return explain_segment(disk, bytes, number, parts_max);
    }
    let Some(id) = name.strip_prefix("base/").and_then(|it| it.parse().ok()).map(RelationId) else {
        let names = "control, base/NUMBER or wal/NUMBER";
        return Err(format!("{name}: explain shows {names} of a data directory"));
    };

    let relation = Relation::new(id, &bytes);
    let Some(block) = block else { return Ok(relation.explain(parts_max)) };
    let pages = relation.pages();
    let page = relation.page(block);
    let page = page.ok_or_else(|| format!("{name}: no page {block}, it has {pages} pages"))?;
    Ok(page::explain(page, checksum(page, id, block)))
}

/// Explains a segment. Its last record may go on in the next one.
fn explain_segment(
    disk: &dyn Disk,
    mut bytes: Vec<u8>,
    number: u64,
    parts_max: usize,
) -> Result<String, String> {
    // The position of a record depends on how long segments are.
    let control = log::read_control(&read(disk, "control")?)?;
    let length = bytes.len();
    if length as u64 == control.segment {
        bytes.extend(read(disk, &format!("wal/{:016x}", number + 1)).unwrap_or_default());
    }
    let position = number.checked_mul(control.segment);
    let position = position.ok_or_else(|| format!("the log has no segment {number:x}"))?;
    Ok(log::explain(&bytes, length, position, parts_max))
}

/// Lists the relations of a data directory.
fn explain_directory(disk: &dyn Disk) -> Result<String, String> {
    let list = |folder| disk.list(folder).map_err(|error| error.to_string());
    let mut numbers: Vec<u32> = list("base")?.iter().filter_map(|it| it.parse().ok()).collect();
    numbers.sort_unstable();

    let mut text = "file             kind      pages\n".to_owned();
    for number in numbers {
        let name = format!("base/{number}");
        let bytes = read(disk, &name)?;
        let relation = Relation::new(RelationId(number), &bytes);
        let kind = relation.page(0).map_or("empty".to_owned(), |it| PageSummary::of(it).kind);
        let kind = kind.trim_end_matches(" meta");
        text += &format!("{name:<15}  {kind:<8}  {:>5}\n", relation.pages());
    }
    let segments = list("wal")?;
    if let (Some(first), Some(last)) = (segments.iter().min(), segments.iter().max()) {
        text += &format!("wal/{first} to {last}: {} segments of the log\n", segments.len());
    }
    Ok(text)
}

fn read(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, String> {
    let whole = || -> io::Result<Vec<u8>> {
        let file = disk.open_to_read(name)?;
        let mut bytes = vec![0; file.len()? as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    whole().map_err(|error| error.to_string())
}
