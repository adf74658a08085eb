//! One page: a summary of it, and every byte with its field.
//!
//! Nothing here trusts the page. A damaged item pointer is shown as it is, and what it points to
//! is shown as far as it is within the page.

use minibtree_format::btree::{DELETED, HEAD, KEY_LENGTH, NodePointer, NodeSpecial, PAYLOAD};
use minibtree_format::hash::{HashMeta, HashSpecial};
use minibtree_format::heap::{Piece, TupleHeader};
use minibtree_format::page::{ALL_VISIBLE, Counters, HAS_UNUSED, items};
use minibtree_format::{Item, ItemPointer, Lsn, PAGE_SIZE, PageBytes, PageHeader, PageKind};
use minikit::layout::{Hexdump, Table};
use std::fmt;

/// Bytes of an index page that entries with their item pointers can fill.
pub const CAPACITY: usize = SPECIAL - PageHeader::SIZE;
/// Where the special space of an index page begins.
const SPECIAL: usize = PAGE_SIZE - NodeSpecial::SIZE;

/// What a page holds, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSummary {
    /// `heap`, `btree`, `hash`, `hash meta`, `overflow`, `system`, or `new`: it was never written.
    pub kind: String,
    /// The level of a node of a B+tree, 0 for leaves.
    pub level: Option<u16>,
    /// Versions of rows, or entries of an index without the high key.
    pub items: usize,
    /// Bytes between the item pointers and the tuples.
    pub free: usize,
    /// The last log record that changed it.
    pub lsn: Lsn,
    /// The right sibling of a node, or the next page of a bucket.
    pub next: Option<u32>,
    /// What its flags say, and its bucket.
    pub flags: String,
}

impl PageSummary {
    /// Summarizes a page. The checksum is not compared: that of a page in memory is old.
    pub fn of(page: &PageBytes) -> PageSummary {
        let header = PageHeader::read(page).expect("a page is longer");
        let mut flags = Vec::new();
        let (mut level, mut next) = (None, None);
        let mut kind = show(&PageHeader::TABLE, "kind", page);
        let mut count = pointers(page).len();
        if is(page, PageKind::Btree) {
            let special = special(page);
            level = Some(special.level);
            next = Some(special.right);
            count -= usize::from(special.right != 0).min(count);
            flags.extend((special.flags & DELETED != 0).then(|| "deleted".to_owned()));
        } else if is_bucket(page) {
            let special = HashSpecial::read(&page[SPECIAL..]).expect("as long as its space");
            next = Some(special.next);
            flags.push(format!("bucket {}, depth {}", special.bucket, special.depth));
        } else if is(page, PageKind::Hash) {
            kind.push_str(" meta");
            count = 0;
        } else {
            let is_row = |it: &(u16, Item)| matches!(it.1, Item::Normal { .. });
            count = if is_heap(page) { items(page).filter(is_row).count() } else { 0 };
            let names = [(ALL_VISIBLE, "all visible"), (HAS_UNUSED, "unused slots")];
            let set = names.into_iter().filter(|(bit, _)| header.flags & bit != 0);
            flags.extend(set.map(|(_, name)| name.to_owned()));
        }
        PageSummary {
            kind,
            level,
            items: count,
            free: usize::from(header.upper.saturating_sub(header.lower)),
            lsn: Lsn(header.lsn),
            next: next.filter(|it| *it != 0),
            flags: flags.join(", "),
        }
    }
}

impl fmt::Display for PageSummary {
    /// `btree, level 1, 2 items`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.map_or(String::new(), |it| format!(", level {it}"));
        write!(f, "{}{level}, {} items", self.kind, self.items)
    }
}

/// Returns true if the page says that it is of this kind.
pub fn is(page: &PageBytes, kind: PageKind) -> bool {
    PageHeader::kind.get(page) == kind as u8
}

fn is_heap(page: &PageBytes) -> bool {
    is(page, PageKind::Heap) || is(page, PageKind::Overflow)
}

/// Returns true for a page of a bucket, and false for page 0 of a hash index.
pub fn is_bucket(page: &PageBytes) -> bool {
    is(page, PageKind::Hash) && usize::from(PageHeader::special.get(page)) == SPECIAL
}

/// The special space of a node.
pub fn special(page: &PageBytes) -> NodeSpecial {
    NodeSpecial::read(&page[SPECIAL..]).expect("as long as its space")
}

/// An entry of an index page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, of a leaf with its TID; as much of it as the page has.
    pub key: Vec<u8>,
    /// The child of an entry of an inner node.
    pub child: u32,
}

/// The item pointers of an index page, the high key's included.
pub fn pointers(page: &PageBytes) -> Vec<NodePointer> {
    let end = usize::from(PageHeader::lower.get(page)).clamp(PageHeader::SIZE, SPECIAL);
    let pointers = page[PageHeader::SIZE..end].chunks_exact(NodePointer::SIZE);
    pointers.map(|it| NodePointer::read(it).expect("chunks of this size")).collect()
}

/// The entries of an index page, the high key included.
pub fn entries(page: &PageBytes) -> Vec<Entry> {
    let entry = |pointer: NodePointer| {
        let (cell, front) = cell(page, &pointer);
        let child = cell.first_chunk().map_or(0, |it| u32::from_le_bytes(*it));
        let in_head = usize::from(pointer.length & KEY_LENGTH).min(HEAD);
        Entry { key: [&pointer.head[..in_head], &cell[front..]].concat(), child }
    };
    pointers(page).into_iter().map(entry).collect()
}

/// The bytes of a cell that are within the page, and how many of them are the child or payload.
fn cell<'a>(page: &'a PageBytes, pointer: &NodePointer) -> (&'a [u8], usize) {
    let cell = page.get(usize::from(pointer.offset)..SPECIAL).unwrap_or_default();
    let is_inner = is(page, PageKind::Btree) && special(page).level > 0;
    let front = match cell {
        _ if is_inner => 4,
        [a, b, ..] if pointer.length & PAYLOAD != 0 => {
            2 + usize::from(u16::from_le_bytes([*a, *b]))
        }
        _ => 0,
    };
    let rest = usize::from(pointer.length & KEY_LENGTH).saturating_sub(HEAD);
    (&cell[..cell.len().min(front + rest)], front.min(cell.len()))
}

/// Every byte of a page with its field, in the order of the page. `computed` is its checksum.
pub fn explain(page: &PageBytes, computed: u32) -> String {
    let stored = PageHeader::checksum.get(page);
    let mut text = String::new();
    if stored != computed && *page != [0; PAGE_SIZE] {
        let computed = format!("that of its bytes {computed:#x}");
        text = format!("This page is damaged: its checksum is {stored:#x}, {computed}.\n");
    }
    let mut dump = Hexdump::new(page);
    dump.table(&PageHeader::TABLE);
    if is_bucket(page) || is(page, PageKind::Btree) {
        explain_node(page, &mut dump);
    } else if is(page, PageKind::Hash) {
        dump.table(&HashMeta::TABLE);
    } else if is_heap(page) {
        explain_heap(page, &mut dump);
    } else if is(page, PageKind::System) {
        // Only page 0 has room between the item pointers and the tuples.
        let lower = usize::from(PageHeader::lower.get(page));
        if lower < PAGE_SIZE {
            dump.table(&Counters::TABLE);
        }
        let rest = PAGE_SIZE - dump.end();
        dump.bytes(rest, "bits", "of transactions, set if they committed");
    }
    text += &dump.to_string();
    text
}

fn explain_heap(page: &PageBytes, dump: &mut Hexdump) {
    let mut tuples = Vec::new();
    for (slot, item) in items(page) {
        fields(dump, page, &ItemPointer::TABLE, &format!("slot {slot} "));
        if let Item::Normal { offset, length } = item {
            tuples.push((offset, length, slot));
        }
    }

    tuples.sort_unstable();
    for (offset, length, slot) in tuples {
        let Some(end) = begin(page, dump, offset, length) else { continue };
        fields(dump, page, &TupleHeader::TABLE, &format!("tuple {slot} "));
        if is(page, PageKind::Overflow) {
            fields(dump, page, &Piece::TABLE, &format!("tuple {slot} "));
        }
        let rest = end.saturating_sub(dump.end());
        dump.bytes(rest, &format!("tuple {slot} row"), "what the caller inserted");
    }
    let rest = PAGE_SIZE - dump.end();
    dump.bytes(rest, "free", "no slot points here");
}

fn explain_node(page: &PageBytes, dump: &mut Hexdump) {
    let mut cells = Vec::new();
    let has_high_key = is(page, PageKind::Btree) && special(page).right != 0;
    for (index, pointer) in pointers(page).iter().enumerate() {
        let name = match (index, has_high_key) {
            (0, true) => "high key".to_owned(),
            (index, has_high_key) => format!("entry {}", index - usize::from(has_high_key)),
        };
        fields(dump, page, &NodePointer::TABLE, &format!("{name} "));
        let (cell, front) = cell(page, pointer);
        cells.push((usize::from(pointer.offset), cell.len(), front, name));
    }

    cells.sort_unstable();
    for (offset, length, front, name) in cells {
        let Some(end) = begin(page, dump, offset, length) else { continue };
        if front == 4 && special(page).level > 0 {
            let child = page[offset..].first_chunk().map_or(0, |it| u32::from_le_bytes(*it));
            dump.value(front, &format!("{name} child"), child.to_string(), "the page below");
        } else {
            dump.bytes(front, &format!("{name} payload"), "its length, then INCLUDE columns");
        }
        let rest = end.saturating_sub(dump.end());
        dump.bytes(rest, &format!("{name} key"), "the rest of the key");
    }

    let rest = SPECIAL.saturating_sub(dump.end());
    dump.bytes(rest, "free", "no entry points here");
    let table = if is_bucket(page) { &HashSpecial::TABLE } else { &NodeSpecial::TABLE };
    fields(dump, page, table, "special ");
}

/// Describes the bytes before a tuple as free. Returns the end of the tuple; `None` if it is empty,
/// does not fit the page, or overlaps what was described.
fn begin(page: &PageBytes, dump: &mut Hexdump, offset: usize, length: usize) -> Option<usize> {
    let gap = offset.checked_sub(dump.end()).filter(|_| length > 0)?;
    dump.bytes(gap, "free", "no item points here");
    Some(offset + length).filter(|it| *it <= page.len())
}

/// Describes the next bytes by the fields of a layout, without its part of variable length.
fn fields(dump: &mut Hexdump, page: &PageBytes, table: &Table, prefix: &str) {
    for field in table.fields {
        let bytes = &page[dump.end()..];
        let Some(bytes) = bytes.get(..field.range.len()) else { return };
        let name = format!("{prefix}{}", field.name);
        dump.value(bytes.len(), &name, (field.show)(bytes), field.meaning);
    }
}

/// The value of one field of a layout, printed.
fn show(table: &Table, name: &str, bytes: &[u8]) -> String {
    let field = table.fields.iter().find(|it| it.name == name).expect("a field of the layout");
    (field.show)(&bytes[field.range.clone()])
}
