//! The index: 64-bit hashes to `u32` ids, growing one bucket at a time.
//!
//! Both the keyspace and every large container find things through this one structure. It knows no
//! keys: it stores ids and asks the caller ("is id 7 the one?") only after an eight-bit tag of the
//! hash agrees.
//!
//! **Linear hashing** (Litwin, VLDB 1980). A doubling table stops the world to move everything;
//! Redis spreads the move over later commands and keeps *two* tables meanwhile (`dict.c`). Here
//! there is one table and one pointer, `split`. A table with `2^level + split` buckets has already
//! divided its first `split` buckets in two, so a hash is placed by `level` bits, or by one more
//! if that bucket is divided:
//!
//! ```text
//! level 2, split 1:  bucket  00*  01  10  11  100   * divided: keys ending 100 live in bucket 100
//! hash ...100 -> low 2 bits are 00, and 00 < split, so 3 bits decide: bucket 100
//! hash ...110 -> low 2 bits are 10, not yet divided:      bucket 10
//! ```
//!
//! Every insertion that takes the load above [`GROW_AT`] ids per bucket divides the bucket at
//! `split` and moves the pointer on. The price of an insertion is therefore flat: no spike at any
//! size, and no second table.
//!
//! **A bucket is a cache line**: 12 tags, the number of an overflow bucket, 12 ids. A miss costs
//! one line, a hit one more for the entry itself. At 5 to 11 ids a bucket the index costs about 9
//! bytes per key, always; a doubling table of pointers swings between 9 and 18.
//!
//! **Scanning while it changes.** `SCAN` must return everything that was there all along, though
//! buckets divide and merge between calls. The cursor counts in *reversed* bits (Pieter Noordhuis'
//! idea, `dictScan` in `dict.c`): it walks hash suffixes in an order in which the halves of a
//! divided bucket are neighbours, so what has been visited stays a prefix of that order whatever
//! the number of buckets.

/// Ids in one bucket: 12 tags + 4 + 12 ids of 4 bytes make 64 bytes.
const SLOTS: usize = 12;
/// Ids per bucket, on average, above which one bucket divides. Undivided buckets hold up to twice
/// what divided ones do, so 7 keeps the fuller kind (about 10) within the 12 slots of a line most
/// of the time.
const GROW_AT: usize = 7;
/// Ids per bucket below which the last bucket merges back. Well under half of `GROW_AT`, so that a
/// table whose size hovers does not divide and merge the same bucket for ever.
const SHRINK_AT: usize = 3;
/// Buckets in one allocation. Growth adds a segment (16 KiB at most) and never copies the buckets
/// of a full one; only the first segment starts small, because most tables belong to containers of
/// a few hundred members.
const SEGMENT: usize = 256;
/// No overflow bucket follows.
const NONE: u32 = u32::MAX;

/// One cache line of the index. A zero tag marks a free slot.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u8; SLOTS],
    overflow: u32,
    ids: [u32; SLOTS],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    const EMPTY: Bucket = Bucket { tags: [0; SLOTS], overflow: NONE, ids: [0; SLOTS] };

    /// A bit per slot whose tag is `tag`, found for eight slots at once.
    fn matching(&self, tag: u8) -> u32 {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.tags;
        let first = equal_bytes(u64::from_le_bytes([a, b, c, d, e, f, g, h]), tag);
        let last = equal_bytes(u64::from(u32::from_le_bytes([i, j, k, l])), tag);
        first | ((last & 0xf) << 8)
    }

    fn free_slot(&self) -> Option<usize> {
        self.tags.iter().position(|tag| *tag == 0)
    }

    fn put(&mut self, slot: usize, tag: u8, id: u32) {
        self.tags[slot] = tag;
        self.ids[slot] = id;
    }

    /// The ids in use.
    fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        (0..SLOTS).filter(|slot| self.tags[*slot] != 0).map(|slot| self.ids[slot])
    }
}

/// Where one id is stored.
#[derive(Clone, Copy)]
struct Place {
    /// The overflow bucket, or `NONE` for the home bucket.
    overflow: u32,
    slot: usize,
}

/// An index from hashes to ids; see the head of the file.
#[derive(Clone, Default)]
pub struct Table {
    segments: Vec<Vec<Bucket>>,
    /// Overflow buckets, chained from home buckets and from each other.
    overflow: Vec<Bucket>,
    /// Overflow buckets not in any chain.
    overflow_free: Vec<u32>,
    level: u32,
    split: usize,
    len: usize,
}

impl Table {
    /// An empty table; allocates on the first insertion.
    pub fn new() -> Table {
        Table::default()
    }

    /// How many ids are stored.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if no id is stored.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many home buckets there are.
    pub fn buckets(&self) -> usize {
        if self.segments.is_empty() { 0 } else { (1 << self.level) + self.split }
    }

    /// Bytes of memory the index holds.
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(|s| s.capacity() * size_of::<Bucket>()).sum::<usize>()
            + self.overflow.capacity() * size_of::<Bucket>()
            + self.overflow_free.capacity() * size_of::<u32>()
    }

    /// The id stored under `hash` for which `eq` holds. One or two cache lines, plus what `eq`
    /// touches.
    pub fn find(&self, hash: u64, mut eq: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let mut bucket = self.home(self.home_of(hash));
        loop {
            let mut candidates = bucket.matching(tag_of(hash));
            while candidates != 0 {
                let id = bucket.ids[candidates.trailing_zeros() as usize];
                if eq(id) {
                    return Some(id);
                }
                candidates &= candidates - 1;
            }
            if bucket.overflow == NONE {
                return None;
            }
            bucket = &self.overflow[bucket.overflow as usize];
        }
    }

    /// The first id whose tag agrees with `hash`, looked for in the home bucket only.
    pub fn candidate(&self, hash: u64) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let bucket = self.home(self.home_of(hash));
        let candidates = bucket.matching(tag_of(hash));
        bucket.ids.get(candidates.trailing_zeros() as usize).copied()
    }

    /// Stores `id`, which must not be there yet. `hash_of` answers for the ids of the one bucket
    /// that may divide.
    pub fn insert(&mut self, hash: u64, id: u32, hash_of: impl FnMut(u32) -> u64) {
        if self.segments.is_empty() {
            self.add_bucket();
        }
        let home = self.home_of(hash);
        self.place(home, tag_of(hash), id);
        self.len += 1;
        if self.len > self.buckets() * GROW_AT {
            self.divide(hash_of);
        }
    }

    /// Removes `id`. Returns false if it is not stored under `hash`.
    pub fn remove(&mut self, hash: u64, id: u32, hash_of: impl FnMut(u32) -> u64) -> bool {
        let Some((home, place)) = self.locate(hash, id) else { return false };
        self.vacate(home, place);
        self.len -= 1;
        if self.buckets() > 1 && self.len < self.buckets() * SHRINK_AT {
            self.merge(hash_of);
        }
        true
    }

    /// Replaces `old` by `new`: the same key under another id. Does nothing if `old` is not stored.
    pub fn replace(&mut self, hash: u64, old: u32, new: u32) {
        if let Some((home, place)) = self.locate(hash, old) {
            self.bucket_mut(home, place.overflow).ids[place.slot] = new;
        }
    }

    /// All ids, bucket by bucket.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        (0..self.buckets()).flat_map(|index| self.chain(index).flat_map(Bucket::ids))
    }

    /// Passes the ids of one bucket to `emit` and returns the next cursor. Start with 0; a returned
    /// 0 means that all buckets were visited. Ids stored from the first call to the last are passed
    /// at least once, however the table grew or shrank in between.
    pub fn scan(&self, cursor: u64, emit: impl FnMut(u32)) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let index = self.home_of(cursor);
        self.chain(index).flat_map(Bucket::ids).for_each(emit);
        let low = (1u64 << self.level) - 1;
        let divided = (cursor & low) < self.split as u64;
        let mask = if divided { (low << 1) | 1 } else { low };
        // Fill the bits this bucket does not look at, then count one up from the top bit down.
        (cursor | !mask).reverse_bits().wrapping_add(1).reverse_bits()
    }

    /// Passes to `emit` the ids of the first non-empty bucket from bucket `random` on, modulo the
    /// number of buckets.
    pub fn sample(&self, random: u64, emit: impl FnMut(u32)) {
        let buckets = self.buckets();
        if self.is_empty() {
            return;
        }
        let start = (random % buckets as u64) as usize;
        let found = (0..buckets)
            .map(|step| (start + step) % buckets)
            .find(|index| self.home(*index).tags != [0; SLOTS]);
        if let Some(index) = found {
            self.chain(index).flat_map(Bucket::ids).for_each(emit);
        }
    }

    /// The home bucket of a hash (or of a cursor, which is a hash suffix).
    fn home_of(&self, hash: u64) -> usize {
        let low = hash as usize & ((1 << self.level) - 1);
        if low < self.split { hash as usize & ((2 << self.level) - 1) } else { low }
    }

    fn home(&self, index: usize) -> &Bucket {
        &self.segments[index / SEGMENT][index % SEGMENT]
    }

    fn bucket_mut(&mut self, home: usize, overflow: u32) -> &mut Bucket {
        match overflow {
            NONE => &mut self.segments[home / SEGMENT][home % SEGMENT],
            index => &mut self.overflow[index as usize],
        }
    }

    /// The home bucket and the overflow buckets behind it.
    fn chain(&self, home: usize) -> impl Iterator<Item = &Bucket> {
        std::iter::successors(Some(self.home(home)), |bucket| {
            (bucket.overflow != NONE).then(|| &self.overflow[bucket.overflow as usize])
        })
    }

    fn locate(&self, hash: u64, id: u32) -> Option<(usize, Place)> {
        if self.is_empty() {
            return None;
        }
        let home = self.home_of(hash);
        let mut overflow = NONE;
        for bucket in self.chain(home) {
            let slot = (0..SLOTS).find(|s| bucket.tags[*s] != 0 && bucket.ids[*s] == id);
            if let Some(slot) = slot {
                return Some((home, Place { overflow, slot }));
            }
            overflow = bucket.overflow;
        }
        None
    }

    /// Puts an id into the first free slot of a chain, and adds an overflow bucket if there is
    /// none.
    fn place(&mut self, home: usize, tag: u8, id: u32) {
        let mut at = NONE;
        loop {
            let bucket = self.bucket_mut(home, at);
            if let Some(slot) = bucket.free_slot() {
                return bucket.put(slot, tag, id);
            }
            if bucket.overflow == NONE {
                let fresh = self.new_overflow();
                self.bucket_mut(home, at).overflow = fresh;
                return self.overflow[fresh as usize].put(0, tag, id);
            }
            at = bucket.overflow;
        }
    }

    fn new_overflow(&mut self) -> u32 {
        self.overflow_free.pop().unwrap_or_else(|| {
            self.overflow.push(Bucket::EMPTY);
            (self.overflow.len() - 1) as u32
        })
    }

    /// Frees a slot. The last id of the chain moves into the hole, so that only the last bucket of
    /// a chain has holes behind its first free slot and an emptied overflow bucket can be given
    /// back.
    fn vacate(&mut self, home: usize, hole: Place) {
        let mut last = NONE;
        let mut before_last = NONE;
        loop {
            let next = self.bucket_mut(home, last).overflow;
            if next == NONE {
                break;
            }
            before_last = last;
            last = next;
        }
        let tail = self.bucket_mut(home, last);
        let slot = (0..SLOTS).rev().find(|s| tail.tags[*s] != 0).expect("no chain ends empty");
        let (tag, id) = (tail.tags[slot], tail.ids[slot]);
        tail.tags[slot] = 0;
        let emptied = last != NONE && tail.tags == [0; SLOTS];
        if (last, slot) != (hole.overflow, hole.slot) {
            self.bucket_mut(home, hole.overflow).put(hole.slot, tag, id);
        }
        if emptied {
            self.bucket_mut(home, before_last).overflow = NONE;
            self.overflow_free.push(last);
        }
    }

    /// Divides the bucket at `split`: ids whose next hash bit is set move to a new bucket at the
    /// end.
    fn divide(&mut self, hash_of: impl FnMut(u32) -> u64) {
        self.add_bucket();
        let ids = self.take_chain(self.split);
        self.split += 1;
        if self.split == 1 << self.level {
            self.level += 1;
            self.split = 0;
        }
        self.replant(ids, hash_of);
    }

    /// Undoes the last [`divide`](Self::divide): the last bucket's ids return to the bucket they
    /// came from.
    fn merge(&mut self, hash_of: impl FnMut(u32) -> u64) {
        if self.split == 0 {
            self.level -= 1;
            self.split = 1 << self.level;
        }
        self.split -= 1;
        let ids = self.take_chain(self.buckets());
        self.drop_bucket();
        self.replant(ids, hash_of);
    }

    fn add_bucket(&mut self) {
        match self.segments.last_mut() {
            Some(segment) if segment.len() < SEGMENT => segment.push(Bucket::EMPTY),
            Some(_) => {
                let mut segment = Vec::with_capacity(SEGMENT);
                segment.push(Bucket::EMPTY);
                self.segments.push(segment);
            }
            None => self.segments.push(vec![Bucket::EMPTY]),
        }
    }

    fn drop_bucket(&mut self) {
        let segment = self.segments.last_mut().expect("a table that merges has two buckets");
        segment.pop();
        if segment.is_empty() {
            self.segments.pop();
        }
    }

    /// Empties a chain and returns what was in it.
    fn take_chain(&mut self, home: usize) -> Vec<u32> {
        let ids: Vec<u32> = self.chain(home).flat_map(Bucket::ids).collect();
        let mut next = std::mem::replace(self.bucket_mut(home, NONE), Bucket::EMPTY).overflow;
        while next != NONE {
            self.overflow_free.push(next);
            next = std::mem::replace(&mut self.overflow[next as usize], Bucket::EMPTY).overflow;
        }
        ids
    }

    fn replant(&mut self, ids: Vec<u32>, mut hash_of: impl FnMut(u32) -> u64) {
        for id in ids {
            let hash = hash_of(id);
            self.place(self.home_of(hash), tag_of(hash), id);
        }
    }
}

/// A bit per byte of `bytes` that is `byte`, the lowest for the lowest.
fn equal_bytes(bytes: u64, byte: u8) -> u32 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f * EACH;
    let different = bytes ^ (u64::from(byte) * EACH);
    // The top bit of each byte says whether the byte is zero...
    let equal = !(((different & LOW) + LOW) | different | LOW);
    // ... and one multiplication brings these bits together in the top byte.
    ((equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

/// Eight bits of the hash that the bucket number does not use (it takes the low ones, shards the
/// top ones), never zero.
fn tag_of(hash: u64) -> u8 {
    (hash >> 48) as u8 | 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// A fixed scrambling of the id stands for the hash of its key.
    fn hash(id: u32) -> u64 {
        u64::from(id).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
    }

    fn filled(ids: std::ops::Range<u32>) -> Table {
        let mut table = Table::new();
        ids.for_each(|id| table.insert(hash(id), id, hash));
        table
    }

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let table = filled(0..5000);
        for id in 0..5000 {
            assert_eq!(table.find(hash(id), |found| found == id), Some(id));
        }
        assert_eq!(table.find(hash(5001), |found| found == 5001), None);
    }

    #[test]
    fn shrinks_to_one_bucket_and_back() {
        let mut table = filled(0..5000);
        let most = table.buckets();
        for id in 0..5000 {
            assert!(table.remove(hash(id), id, hash));
            assert!(!table.remove(hash(id), id, hash));
        }
        assert_eq!((table.len(), table.buckets()), (0, 1));
        (0..5000).for_each(|id| table.insert(hash(id), id, hash));
        assert_eq!(table.buckets(), most);
    }

    #[test]
    fn equal_hashes_chain_and_unchain() {
        let mut table = Table::new();
        (0..100).for_each(|id| table.insert(77, id, |_| 77));
        assert_eq!(table.find(77, |id| id == 99), Some(99));
        (0..100).for_each(|id| assert!(table.remove(77, id, |_| 77)));
        assert!(table.is_empty());
        assert_eq!(table.overflow.len(), table.overflow_free.len());
    }

    #[test]
    fn costs_about_nine_bytes_an_id() {
        for n in [100_000, 150_000, 200_000] {
            let per_id = filled(0..n).bytes() as f64 / f64::from(n);
            assert!(per_id < 12.0, "{n} ids: {per_id} bytes each");
        }
    }

    #[test]
    fn a_scan_misses_nothing_while_the_table_grows_and_shrinks() {
        let mut table = filled(0..1000);
        let (mut seen, mut cursor, mut next) = (HashSet::new(), 0, 1000);
        for step in 0.. {
            cursor = table.scan(cursor, |id| {
                seen.insert(id);
            });
            if cursor == 0 {
                break;
            }
            for _ in 0..40 {
                if step % 60 < 30 {
                    table.insert(hash(next), next, hash);
                    next += 1;
                } else if next > 1000 {
                    next -= 1;
                    table.remove(hash(next), next, hash);
                }
            }
        }
        assert!((0..1000).all(|id| seen.contains(&id)));
    }
}
