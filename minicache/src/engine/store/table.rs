//! The index: 64-bit hashes to `u32` ids, growing one bucket at a time.
//!
//! The keyspace and every large container find things through this one structure. It knows no
//! keys. It stores ids, and asks the caller "is id 7 the one?" only after an eight-bit tag of the
//! hash has matched.
//!
//! # Linear hashing
//!
//! A table that doubles must move everything at once. Redis spreads the move over later commands
//! and keeps *two* tables until it is done (`dict.c`). Here there is one table and one pointer,
//! `split` (Litwin, "Linear hashing", VLDB 1980). A table of `2^level + split` buckets has already
//! split its first `split` buckets in two, so a hash is placed by `level` of its bits, or by one
//! more if that bucket is split:
//!
//! ```text
//! level 2, split 1:  bucket  00*  01  10  11  100   * split: hashes ending in 100 are in 100
//! hash ...100 -> low 2 bits are 00, and 00 < split, so 3 bits decide: bucket 100
//! hash ...110 -> low 2 bits are 10, not split yet:        bucket 10
//! ```
//!
//! An insertion that takes the load above [`GROW_AT`] ids per bucket splits the bucket at `split`
//! and moves the pointer on. So an insertion costs about the same at every size: it never moves
//! more than one bucket, and there is no second table.
//!
//! # A bucket is a cache line
//!
//! 12 tags, the number of an overflow bucket, 12 ids: 64 bytes. A lookup that misses reads one
//! line; one that hits reads the entry as well. With 5 to 11 ids in a bucket the index costs about
//! 9 bytes per key at any size. A doubling table of pointers varies between 9 and 18.
//!
//! # Scanning while the table changes
//!
//! `SCAN` must return every key that exists from its first call to its last, although buckets are
//! split and merged in between. The cursor counts in *reversed* bits (Pieter Noordhuis' idea,
//! `dictScan` in `dict.c`). That visits hash suffixes in an order in which the two halves of a
//! split bucket are neighbors, so what has been visited is a prefix of that order for any number
//! of buckets.

/// Ids in one bucket: 12 tags + 4 + 12 ids of 4 bytes make 64 bytes.
const SLOTS: usize = 12;
/// Ids per bucket, on average, above which one bucket is split. A bucket that is not split yet
/// holds about twice as many ids as one that is, so with 7 the fuller kind has about 10, which
/// usually fit the 12 slots of one line.
const GROW_AT: usize = 7;
/// Ids per bucket below which the last bucket is merged. Well under half of `GROW_AT`, so that a
/// table whose size varies a little does not split and merge the same bucket again and again.
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

    /// Returns a bit for each slot whose tag is `tag`. Compares eight slots at once.
    fn matching(&self, tag: u8) -> u32 {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.tags;
        let first = equal_bytes(u64::from_le_bytes([a, b, c, d, e, f, g, h]), tag);
        let last = equal_bytes(u64::from(u32::from_le_bytes([i, j, k, l])), tag);

        // The second word has four tags only; the bits of its zero bytes do not count.
        first | ((last & 0xf) << 8)
    }

    fn free_slot(&self) -> Option<usize> {
        self.tags.iter().position(|tag| *tag == 0)
    }

    fn put(&mut self, slot: usize, tag: u8, id: u32) {
        self.tags[slot] = tag;
        self.ids[slot] = id;
    }

    fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        (0..SLOTS).filter(|slot| self.tags[*slot] != 0).map(|slot| self.ids[slot])
    }
}

/// The position of an id within the chain of its home bucket.
#[derive(Clone, Copy)]
struct Position {
    /// The overflow bucket, or `NONE` for the home bucket.
    overflow: u32,
    slot: usize,
}

#[derive(Clone, Default)]
pub struct Table {
    /// The home buckets.
    segments: Vec<Vec<Bucket>>,
    /// Overflow buckets, chained from home buckets and from each other.
    overflow: Vec<Bucket>,
    /// Overflow buckets not in any chain.
    overflow_free: Vec<u32>,
    /// Every hash is placed by at least this many of its low bits.
    level: u32,
    /// The buckets below this number are split: their hashes are placed by one more bit.
    split: usize,
    len: usize,
}

impl Table {
    /// An empty table; allocates on the first insertion.
    pub fn new() -> Table {
        Table::default()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn buckets(&self) -> usize {
        if self.segments.is_empty() { 0 } else { (1 << self.level) + self.split }
    }

    /// Bytes of memory that the index takes.
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(|s| s.capacity() * size_of::<Bucket>()).sum::<usize>()
            + self.overflow.capacity() * size_of::<Bucket>()
            + self.overflow_free.capacity() * size_of::<u32>()
    }

    /// Returns the id under `hash` for which `eq` returns true. Reads one or two cache lines, and
    /// what `eq` reads.
    pub fn find(&self, hash: u64, mut eq: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let mut bucket = self.home(self.home_of(hash));
        loop {
            // A tag has seven random bits, so of 128 other keys in the bucket one gets as far as
            // `eq`, which reads the entry: another cache line.
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

    /// Returns the first id of the home bucket whose tag matches `hash`. It is usually the one that
    /// [`find`](Self::find) returns, and no entry has to be read to find it.
    pub fn candidate(&self, hash: u64) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let bucket = self.home(self.home_of(hash));
        let candidates = bucket.matching(tag_of(hash));
        bucket.ids.get(candidates.trailing_zeros() as usize).copied()
    }

    /// Stores `id`, which must not be stored yet. `hash_of` returns the hashes of the ids of the
    /// one bucket that may be split.
    pub fn insert(&mut self, hash: u64, id: u32, hash_of: impl FnMut(u32) -> u64) {
        if self.segments.is_empty() {
            self.add_bucket();
        }
        let home = self.home_of(hash);
        self.store(home, tag_of(hash), id);
        self.len += 1;

        // The bucket that is split is the next in line, hardly ever the one that has just become
        // fuller. That is what keeps the table free of a directory: which buckets are split is one
        // number.
        if self.len > self.buckets() * GROW_AT {
            self.split_bucket(hash_of);
        }
    }

    /// Removes `id`. Returns false if it is not stored under `hash`.
    pub fn remove(&mut self, hash: u64, id: u32, hash_of: impl FnMut(u32) -> u64) -> bool {
        let Some((home, position)) = self.find_position(hash, id) else { return false };
        self.clear_slot(home, position);
        self.len -= 1;
        if self.buckets() > 1 && self.len < self.buckets() * SHRINK_AT {
            self.merge_bucket(hash_of);
        }
        true
    }

    /// Replaces `old` by `new`: the same key under another id. Does nothing if `old` is not stored.
    pub fn replace(&mut self, hash: u64, old: u32, new: u32) {
        if let Some((home, position)) = self.find_position(hash, old) {
            self.bucket_mut(home, position.overflow).ids[position.slot] = new;
        }
    }

    /// All ids, bucket by bucket.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        (0..self.buckets()).flat_map(|index| self.chain(index).flat_map(Bucket::ids))
    }

    /// Passes the ids of one bucket to `emit` and returns the next cursor. Start with 0; a returned
    /// 0 means that all buckets were visited. Ids stored from the first call to the last are passed
    /// at least once, even if the table grows or shrinks in between.
    pub fn scan(&self, cursor: u64, emit: impl FnMut(u32)) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let index = self.home_of(cursor);
        self.chain(index).flat_map(Bucket::ids).for_each(emit);

        // The bits by which this bucket is placed.
        let low = (1u64 << self.level) - 1;
        let is_split = (cursor & low) < self.split as u64;
        let mask = if is_split { (low << 1) | 1 } else { low };

        // Set all other bits, then add one at the top bit. The carry passes the bits just set and
        // arrives at the highest bit of the mask: a counter whose digits are in reverse order.
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

    /// A home bucket and its overflow buckets.
    fn chain(&self, home: usize) -> impl Iterator<Item = &Bucket> {
        std::iter::successors(Some(self.home(home)), |bucket| {
            (bucket.overflow != NONE).then(|| &self.overflow[bucket.overflow as usize])
        })
    }

    /// Returns the home bucket and the position of an id, if it is stored under `hash`.
    fn find_position(&self, hash: u64, id: u32) -> Option<(usize, Position)> {
        if self.is_empty() {
            return None;
        }
        let home = self.home_of(hash);
        let mut overflow = NONE;
        for bucket in self.chain(home) {
            let slot = (0..SLOTS).find(|s| bucket.tags[*s] != 0 && bucket.ids[*s] == id);
            if let Some(slot) = slot {
                return Some((home, Position { overflow, slot }));
            }
            overflow = bucket.overflow;
        }
        None
    }

    /// Puts an id into the first free slot of a chain. If there is none, adds an overflow bucket.
    fn store(&mut self, home: usize, tag: u8, id: u32) {
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

    /// Clears a slot. The last id of the chain moves there, so that only the last bucket of a chain
    /// has free slots, and an overflow bucket that becomes empty is the last one and can be freed.
    fn clear_slot(&mut self, home: usize, hole: Position) {
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
        let is_empty = last != NONE && tail.tags == [0; SLOTS];

        // The last id may be the one that is removed; then it must not be put back.
        if (last, slot) != (hole.overflow, hole.slot) {
            self.bucket_mut(home, hole.overflow).put(hole.slot, tag, id);
        }
        if is_empty {
            self.bucket_mut(home, before_last).overflow = NONE;
            self.overflow_free.push(last);
        }
    }

    /// Splits the bucket at `split`: the ids whose next hash bit is set move to a new bucket at the
    /// end.
    fn split_bucket(&mut self, hash_of: impl FnMut(u32) -> u64) {
        self.add_bucket();
        let ids = self.take_chain(self.split);
        self.split += 1;

        // When every bucket of this level is split, all hashes are placed by one more bit.
        if self.split == 1 << self.level {
            self.level += 1;
            self.split = 0;
        }
        self.redistribute(ids, hash_of);
    }

    /// Undoes the last [`split_bucket`](Self::split_bucket): the ids of the last bucket return to
    /// the one they came from.
    fn merge_bucket(&mut self, hash_of: impl FnMut(u32) -> u64) {
        if self.split == 0 {
            self.level -= 1;
            self.split = 1 << self.level;
        }

        // From here on `buckets` no longer counts the last bucket, so that is its number.
        self.split -= 1;
        let ids = self.take_chain(self.buckets());
        self.drop_bucket();
        self.redistribute(ids, hash_of);
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

    fn take_chain(&mut self, home: usize) -> Vec<u32> {
        let ids: Vec<u32> = self.chain(home).flat_map(Bucket::ids).collect();
        let mut next = std::mem::replace(self.bucket_mut(home, NONE), Bucket::EMPTY).overflow;
        while next != NONE {
            self.overflow_free.push(next);
            next = std::mem::replace(&mut self.overflow[next as usize], Bucket::EMPTY).overflow;
        }
        ids
    }

    /// Stores ids again, each in the bucket that is now its home.
    fn redistribute(&mut self, ids: Vec<u32>, mut hash_of: impl FnMut(u32) -> u64) {
        for id in ids {
            let hash = hash_of(id);
            self.store(self.home_of(hash), tag_of(hash), id);
        }
    }
}

/// Returns a bit for each byte of `bytes` that equals `byte`, the lowest bit for the lowest byte.
fn equal_bytes(bytes: u64, byte: u8) -> u32 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f * EACH;

    // Equal bytes become zero. Adding 0x7f to the low seven bits of a byte sets its top bit unless
    // they are zero, and cannot carry into the next byte.
    let different = bytes ^ (u64::from(byte) * EACH);
    let equal = !(((different & LOW) + LOW) | different | LOW);

    // The top bit of each byte now says if the byte is equal. One multiplication brings these eight
    // bits together in the top byte.
    ((equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

/// Returns the tag of a hash: seven bits that neither the bucket number (the low bits) nor the
/// shard (the top bits) uses. The eighth bit is set, because a zero tag marks a free slot.
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
