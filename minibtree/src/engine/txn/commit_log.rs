//! The commit log: one bit per transaction, set if it committed.
//!
//! The bits are on pages of the system relation and change as all pages do, so a commit is a log
//! record like any other: a changed byte. A transaction that a crash interrupted has no bit, so
//! recovery has nothing to undo.
//!
//! ```text
//! transaction 9 commits   page 1, byte 20 + 9 / 8, bit 9 % 8     put 1 byte, a record of 34 bytes
//! ```
//!
//! Page 0 holds the counters. The limit of transaction ids is logged ahead in steps, so that an
//! id that was on any page before a crash is not given out again.
//!
//! PostgreSQL's `clog.c` has two bits, because it marks aborted transactions too. Here a
//! transaction that neither runs nor has committed is aborted. PostgreSQL also copies the outcome
//! into the tuples as hint bits, which makes readers write pages.

use crate::engine::Result;
use crate::engine::pool::{PageMut, Pool, Relation};
use crate::format::page::Counters;
use crate::format::{Lsn, PAGE_SIZE, PageHeader, PageKind, RelationId, Xid};
use std::sync::Arc;

/// Transactions per page.
const PER_PAGE: u64 = ((PAGE_SIZE - PageHeader::SIZE) * 8) as u64;
/// Transaction ids that are reserved by one log record.
const STEP: u64 = 4096;
/// The page with the counters.
const COUNTERS: u32 = 0;

/// The commit log and the counters.
pub struct CommitLog {
    relation: Arc<Relation>,
}

impl CommitLog {
    /// Opens the log, or creates it in an empty database.
    pub fn open(pool: &Pool) -> Result<CommitLog> {
        // The first record of all is that of the counters. After it, the file must be there.
        let is_new = pool.wal.end() == Lsn(0);
        let relation = match pool.relation(RelationId::SYSTEM) {
            Err(_) if is_new => pool.create_relation(RelationId::SYSTEM)?,
            found => found?,
        };
        let log = CommitLog { relation };

        // A crash can have come before the first record: then the page is still all zeros.
        if log.relation.blocks() == 0 {
            pool.extend(&log.relation)?;
        }
        let mut page = pool.write(&log.relation, COUNTERS)?;
        if is_new {
            page.initialize(PageKind::System, 0);
            let next_relation = RelationId::FIRST_ALLOCATED.0;
            let counters = Counters { xid_limit: 1, next_relation };
            page.put(PageHeader::SIZE, &counters.encode());
            fill(&mut page);
            pool.log(&mut [page]);
        }
        Ok(log)
    }

    /// Transaction ids below this one may have been used before.
    pub fn xid_limit(&self, pool: &Pool) -> Result<Xid> {
        let page = pool.read(&self.relation, COUNTERS)?;
        Ok(Xid(Counters::xid_limit.get(&page[PageHeader::SIZE..])))
    }

    /// Reserves transaction ids, with the pages for their bits. Returns the new limit.
    pub fn raise_xid_limit(&self, pool: &Pool) -> Result<Xid> {
        let mut page = pool.write(&self.relation, COUNTERS)?;
        let limit = Counters::xid_limit.get(&page[PageHeader::SIZE..]) + STEP;
        while self.relation.blocks() <= place(Xid(limit)).0 {
            let mut bits = pool.extend(&self.relation)?;
            bits.initialize(PageKind::System, 0);
            fill(&mut bits);
            pool.log(&mut [bits]);
        }
        page.put(PageHeader::SIZE + Counters::xid_limit.start(), &limit.to_le_bytes());
        pool.log(&mut [page]);
        Ok(Xid(limit))
    }

    /// Allocates the number of a new relation. Costs a log record.
    pub fn next_relation(&self, pool: &Pool) -> Result<RelationId> {
        let mut page = pool.write(&self.relation, COUNTERS)?;
        let next = Counters::next_relation.get(&page[PageHeader::SIZE..]);
        page.put(PageHeader::SIZE + Counters::next_relation.start(), &(next + 1).to_le_bytes());
        pool.log(&mut [page]);
        Ok(RelationId(next))
    }

    /// The bits of sixteen transactions, this one and its neighbors. A running transaction may have
    /// set its bit already, so check first that it has ended.
    pub fn bits(&self, pool: &Pool, xid: Xid) -> Result<u16> {
        let (block, byte, _) = place(Xid(xid.0 & !15));
        if block >= self.relation.blocks() {
            return Ok(0);
        }
        let page = pool.read(&self.relation, block)?;
        Ok(u16::from_le_bytes([page[byte], page[byte + 1]]))
    }

    /// Marks transactions as committed, all with one record. Returns its end.
    pub fn commit(&self, pool: &Pool, xids: &[Xid]) -> Result<Lsn> {
        // Ids ascend, so all threads latch these pages in the same order and cannot deadlock.
        let mut pages: Vec<PageMut> = Vec::with_capacity(1);
        for xid in xids {
            let (block, byte, bit) = place(*xid);
            if pages.last().is_none_or(|page| page.block() != block) {
                pages.push(pool.write(&self.relation, block)?);
            }
            let page = pages.last_mut().expect("pushed above");
            let bits = page[byte] | bit;
            page.put(byte, &[bits]);
        }
        Ok(pool.log(&mut pages))
    }
}

/// The page, byte and bit of a transaction.
fn place(xid: Xid) -> (u32, usize, u8) {
    let index = xid.0 % PER_PAGE;
    let byte = PageHeader::SIZE + (index / 8) as usize;
    (1 + (xid.0 / PER_PAGE) as u32, byte, 1 << (index % 8))
}

/// Marks the page as having no free space: its log images would leave free space out.
fn fill(page: &mut PageMut) {
    page.put(PageHeader::lower.start(), &(PAGE_SIZE as u16).to_le_bytes());
}
