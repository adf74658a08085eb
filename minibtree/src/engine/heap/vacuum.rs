//! Vacuum: freeing the space of dead rows, in three steps.
//!
//! An update prunes a page when it needs room there, and a scan when it finds many dead versions.
//! But pruning cannot free the slot of a row that index entries still point to. Vacuum can:
//!
//! 1. It prunes every page and collects the dead slots.
//! 2. It removes the entries that point to those slots from every index.
//! 3. It marks the slots unused. Only now can another row get the same TID.
//!
//! In any other order, an index entry could lead to a row with another key. Steps 1 and 3 also mark
//! pages as all-visible if every snapshot sees all their rows. PostgreSQL's `vacuumlazy.c`.

use super::{Heap, page};
use crate::engine::Result;
use crate::engine::pool::PageMut;
use crate::format::page::{ALL_VISIBLE, HAS_UNUSED, Item, items};
use crate::format::{PageHeader, Tid, Xid};
use minibtree_maps::HAS_ROOM;
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// Called after each page of a heap or index, without a latch. An error ends the vacuum.
pub type Pause<'p> = &'p mut dyn FnMut() -> Result<()>;

/// Step 1. Returns the TIDs whose index entries step 2 removes, and the number of deleted versions
/// that remain because an old snapshot may see them.
pub fn collect_dead(heap: &Heap, pause: Pause<'_>) -> Result<(HashSet<Tid>, u64)> {
    let horizon = heap.system.horizon();
    let (mut dead, mut left, mut rows) = (HashSet::new(), 0, 0);
    for block in 0..heap.pages() {
        pause()?;
        let mut page = heap.write(block)?;
        page::prune(&heap.system, &mut page, horizon)?;
        let (page_left, page_rows) = deleted(heap, &page)?;
        (left, rows) = (left + page_left, rows + page_rows);
        mark_if_all_visible(heap, &mut page)?;

        let slots = items(&page).filter(|(_, item)| *item == Item::Dead);
        dead.extend(slots.map(|(slot, _)| Tid { block, slot }));
        log_if_changed(heap, page);
    }
    heap.activity().counted(rows);
    Ok((dead, left))
}

/// The numbers of deleted and of other versions on a page.
fn deleted(heap: &Heap, page: &PageMut) -> Result<(u64, u64)> {
    let (mut deleted, mut others) = (0, 0);
    for (header, _) in items(page).filter_map(|(slot, _)| page::tuple(page, slot)) {
        match header.xmax != 0 && heap.system.is_committed(Xid(header.xmax))? {
            true => deleted += 1,
            false => others += 1,
        }
    }
    Ok((deleted, others))
}

/// Step 3. No index entry points to these TIDs any more.
pub fn free(heap: &Heap, dead: &HashSet<Tid>, pause: Pause<'_>) -> Result<()> {
    heap.relation.reusable.lock().clear();
    for block in 0..heap.pages() {
        pause()?;
        let mut page = heap.write(block)?;
        let slots = items(&page).map(|(slot, _)| slot);
        let slots: Vec<u16> =
            slots.filter(|slot| dead.contains(&Tid { block, slot: *slot })).collect();
        for slot in &slots {
            page::set_item(&mut page, *slot, Item::Unused);
        }
        if !slots.is_empty() {
            let flags = PageHeader::flags.get(&page[..]);
            page::set_flags(&mut page, flags | HAS_UNUSED);
            mark_if_all_visible(heap, &mut page)?;
        }

        let has_room = minibtree_maps::of_page(&page) & HAS_ROOM != 0;
        log_if_changed(heap, page);
        if has_room {
            heap.relation.reusable.lock().push((block, 0));
        }
    }
    Ok(())
}

/// Sets the all-visible flag if every snapshot sees every row of the page.
fn mark_if_all_visible(heap: &Heap, page: &mut PageMut) -> Result<()> {
    let horizon = heap.system.horizon();
    for (slot, item) in items(page) {
        let is_clean = match page::tuple(page, slot) {
            Some((header, _)) => page::is_seen_by_all(&heap.system, &header, horizon)?,
            None => item != Item::Dead,
        };
        if !is_clean {
            return Ok(());
        }
    }
    let flags = PageHeader::flags.get(&page[..]);
    page::set_flags(page, flags | ALL_VISIBLE);
    Ok(())
}

/// Logs the changes of a page, and enters it into the visibility map.
fn log_if_changed(heap: &Heap, mut page: PageMut) {
    if page.is_changed() {
        heap.system.pool.log(std::slice::from_mut(&mut page));
    }
    // Only now: a checkpoint that reads the bit finds the record in the log.
    if PageHeader::flags.get(&page[..]) & ALL_VISIBLE != 0 {
        heap.map_bits(page.block()).fetch_or(ALL_VISIBLE, Ordering::Release);
    }
}
