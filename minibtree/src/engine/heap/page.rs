//! Operations on one heap page: adding a version, following a chain, pruning.
//!
//! # Example
//!
//! A row that was updated twice. Index entries point to slot 1, and the chain leads on:
//!
//! ```text
//! slot 1  normal, xmin 5 xmax 7, next 2       <- index
//! slot 2  normal, xmin 7 xmax 9, next 3       heap-only
//! slot 3  normal, xmin 9                      heap-only
//! ```
//!
//! Once no snapshot can see the first two, pruning leaves one tuple. The index needs no change,
//! because its slot now redirects:
//!
//! ```text
//! slot 1  redirect to 3                       <- index
//! slot 2  unused
//! slot 3  normal, xmin 9                      heap-only
//! ```
//!
//! PostgreSQL's `README.HOT` and `pruneheap.c`.

use crate::engine::Result;
use crate::engine::pool::PageMut;
use crate::engine::txn::System;
use crate::format::heap::{HEAP_ONLY, TupleHeader};
use crate::format::page::{ALL_VISIBLE, HAS_UNUSED, Item, items, slot_offset};
use crate::format::{ItemPointer, PageBytes, PageHeader, PageKind, Xid};

/// The item in a slot. A slot that the page does not have is unused.
pub fn item(page: &PageBytes, slot: u16) -> Item {
    let at = slot_offset(slot.max(1));
    if at >= usize::from(PageHeader::lower.get(page)) {
        return Item::Unused;
    }
    ItemPointer::read(&page[at..]).map_or(Item::Unused, ItemPointer::item)
}

/// The version in a slot: its header and its row.
pub fn tuple(page: &PageBytes, slot: u16) -> Option<(TupleHeader, &[u8])> {
    let Item::Normal { offset, length } = item(page, slot) else { return None };
    let bytes = page.get(offset..offset + length)?;
    Some((TupleHeader::read(bytes).ok()?, &bytes[TupleHeader::SIZE..]))
}

/// The slot of the first version of the chain that starts at `slot`.
pub fn first_version(page: &PageBytes, slot: u16) -> Option<u16> {
    match item(page, slot) {
        Item::Normal { .. } => Some(slot),
        Item::Redirect { slot } => Some(slot),
        Item::Unused | Item::Dead => None,
    }
}

/// The slot of the next newer version in the same chain on this page.
pub fn next_version(page: &PageBytes, block: u32, header: &TupleHeader) -> Option<u16> {
    let newer = header.newer().filter(|tid| tid.block == block)?;
    let (next, _) = tuple(page, newer.slot)?;

    // The slot may have been reused: check that our xmax inserted this version.
    let is_next = next.flags & HEAP_ONLY != 0 && next.xmin == header.xmax;
    is_next.then_some(newer.slot)
}

/// The slots of a chain, its first version first.
pub fn chain(page: &PageBytes, block: u32, root: u16) -> impl Iterator<Item = u16> + '_ {
    std::iter::successors(first_version(page, root), move |slot| {
        let (header, _) = tuple(page, *slot)?;
        next_version(page, block, &header)
    })
}

/// The slot that index entries use for the chain in which `slot` is.
pub fn root_of(page: &PageBytes, block: u32, slot: u16) -> u16 {
    let is_heap_only = |slot| tuple(page, slot).is_some_and(|(it, _)| it.flags & HEAP_ONLY != 0);
    if !is_heap_only(slot) {
        return slot;
    }
    let mut roots = items(page).map(|(root, _)| root).filter(|root| !is_heap_only(*root));
    roots.find(|root| chain(page, block, *root).any(|it| it == slot)).unwrap_or(slot)
}

/// Adds a version with an encoded header. Returns its slot, or `None` if the page has no room.
pub fn add(page: &mut PageMut, header: &[u8; TupleHeader::SIZE], row: &[u8]) -> Option<u16> {
    if PageHeader::kind.get(&page[..]) == PageKind::New as u8 {
        let is_overflow = page.relation() == page.relation().overflow();
        page.initialize(if is_overflow { PageKind::Overflow } else { PageKind::Heap }, 0);
    }
    let lower = PageHeader::lower.get(&page[..]);
    let upper = PageHeader::upper.get(&page[..]);
    let flags = PageHeader::flags.get(&page[..]);

    let unused = match flags & HAS_UNUSED {
        0 => None,
        _ => items(page).find(|(_, item)| *item == Item::Unused).map(|(slot, _)| slot),
    };
    let end = (usize::from(lower) - PageHeader::SIZE) / ItemPointer::SIZE;
    let slot = unused.unwrap_or(end as u16 + 1);
    let new_lower = if unused.is_some() { lower } else { lower + ItemPointer::SIZE as u16 };
    let length = TupleHeader::SIZE + row.len();
    let offset = usize::from(upper).checked_sub(length).filter(|it| *it >= new_lower.into())?;

    page.put(offset, header);
    page.put(offset + TupleHeader::SIZE, row);
    set_item(page, slot, Item::Normal { offset, length });
    let [a, b] = new_lower.to_le_bytes();
    let [c, d] = (offset as u16).to_le_bytes();
    page.put(PageHeader::lower.start(), &[a, b, c, d]);

    let kept = if unused.is_none() { flags & !HAS_UNUSED } else { flags };
    set_flags(page, kept & !ALL_VISIBLE);
    Some(slot)
}

/// Replaces everything of a header but `xmin`.
pub fn set_header(page: &mut PageMut, slot: u16, header: &TupleHeader) {
    if let Item::Normal { offset, .. } = item(page, slot) {
        let from = TupleHeader::xmax.start();
        page.put(offset + from, &header.encode()[from..]);
    }
    let flags = PageHeader::flags.get(&page[..]);
    set_flags(page, flags & !ALL_VISIBLE);
}

/// Changes a slot.
pub fn set_item(page: &mut PageMut, slot: u16, item: Item) {
    page.put(slot_offset(slot), &ItemPointer::of(item).encode());
}

/// Sets the flags of the page. Adds nothing to the log if they are the same.
pub fn set_flags(page: &mut PageMut, flags: u8) {
    if PageHeader::flags.get(&page[..]) != flags {
        page.put(PageHeader::flags.start(), &[flags]);
    }
}

/// Returns true if no snapshot sees the version, now or later: it was deleted before the horizon,
/// or its transaction was rolled back.
pub fn is_dead(system: &System, header: &TupleHeader, horizon: Xid) -> Result<bool> {
    let (xmin, xmax) = (Xid(header.xmin), Xid(header.xmax));
    if xmin < horizon && !system.is_committed(xmin)? {
        return Ok(true);
    }
    Ok(xmax != Xid::NONE && xmax < horizon && system.is_committed(xmax)?)
}

/// Returns true if every snapshot sees the version.
pub fn is_seen_by_all(system: &System, header: &TupleHeader, horizon: Xid) -> Result<bool> {
    let xmin = Xid(header.xmin);
    Ok(header.xmax == 0 && xmin < horizon && system.is_committed(xmin)?)
}

/// Removes dead versions. Slots that index entries may point to become redirects or dead, the
/// others unused. Returns how many versions were dead.
pub fn prune(system: &System, page: &mut PageMut, horizon: Xid) -> Result<usize> {
    let block = page.block();
    let (mut dead, mut roots, mut heap_only) = (Vec::new(), Vec::new(), Vec::new());
    // Most rows of a page come from one transaction: look its commit bit up once.
    let mut committed = 0;
    for (slot, item) in items(page) {
        let Some((header, _)) = tuple(page, slot) else {
            roots.extend(matches!(item, Item::Redirect { .. }).then_some(slot));
            continue;
        };
        let is_heap_only = header.flags & HEAP_ONLY != 0;
        if header.xmin == committed && header.xmax == 0 && !is_heap_only {
            continue;
        }
        if is_dead(system, &header, horizon)? {
            dead.push(slot);
        } else if Xid(header.xmin) < horizon {
            committed = header.xmin;
        }
        if is_heap_only { heap_only.push(slot) } else { roots.push(slot) }
    }
    if dead.is_empty() {
        return Ok(0);
    }

    let mut changes = Vec::new();
    for root in roots {
        let chain: Vec<u16> = chain(page, block, root).collect();
        heap_only.retain(|slot| !chain.contains(slot));
        changes.extend(prune_chain(root, &chain, &dead));
    }

    // What is left in no chain was added by updates that were rolled back.
    let rolled_back = heap_only.into_iter().filter(|slot| dead.contains(slot));
    changes.extend(rolled_back.map(|slot| (slot, Item::Unused)));
    for (slot, item) in &changes {
        set_item(page, *slot, *item);
    }
    page.compact();
    let flags = PageHeader::flags.get(&page[..]);
    set_flags(page, flags | HAS_UNUSED);
    Ok(dead.len())
}

/// The new items of the slots of a chain when its dead versions are removed.
fn prune_chain(root: u16, chain: &[u16], dead: &[u16]) -> Vec<(u16, Item)> {
    let is_dead = |slot: &&u16| dead.contains(slot);
    let leading = chain.iter().take_while(is_dead).count();
    let new_root = match chain.get(leading) {
        None => Item::Dead,
        Some(_) if leading == 0 => return prune_tail(root, chain, dead),
        Some(first) => Item::Redirect { slot: *first },
    };

    let others = chain[..leading].iter().filter(|slot| **slot != root);
    let mut changes = vec![(root, new_root)];
    changes.extend(others.map(|slot| (*slot, Item::Unused)));
    changes.extend(prune_tail(root, &chain[leading..], dead));
    changes
}

/// Frees the slots of rolled-back versions at the end of a chain.
fn prune_tail(root: u16, chain: &[u16], dead: &[u16]) -> Vec<(u16, Item)> {
    let tail = chain.iter().rev().take_while(|slot| dead.contains(slot) && **slot != root);
    tail.map(|slot| (*slot, Item::Unused)).collect()
}
