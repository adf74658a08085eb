//! The sorted set: members in order of score, found by member, by score and by rank.
//!
//! ```text
//! ZADD board 20 bob 10 ada 20 cyd
//!
//! listpack    ada 10 bob 20 cyd 20               few and short: sorted, in one run of bytes
//! skiplist    0: ada 10   1: bob 20   2: cyd 20   by rank, and a table from member to id
//! ```
//!
//! # Every range is a range of ranks
//!
//! For "scores from 10 up to but not 20" we count the members below the range, and those that are
//! not above it. The members in between have consecutive ranks. Ranges of names work the same way,
//! so counting, listing and deleting are each implemented once, for ranks.
//!
//! # Large sets
//!
//! A large set stores each member once: the [`SkipList`] owns it, and the [`Table`] finds its id.
//! Its height depends on the member's hash, which clients cannot predict, so no client can choose
//! members that make the list flat.
//!
//! # Differences from Redis (`t_zset.c`)
//!
//! In Redis the dictionary and the list share the member by pointer. A packed score that is not a
//! whole number takes 8 raw bytes here; Redis writes its decimal text, and parses it at every
//! comparison. As in Redis, a packed score of -0 becomes 0, and a set that was converted to the
//! large form is never converted back.

use super::skiplist::{HEIGHT_MAX, SkipList};
use super::{Limits, allocation, dict::hash};
use crate::engine::store::table::Table;
use crate::format::listpack::{self, Element, Listpack};
use std::{cmp::Ordering, ops::Range};

/// A sorted set; see the head of the file. Scores are never NaN.
#[derive(Clone)]
pub enum ZSet {
    /// Member, score, member, score, in order.
    Packed(Listpack),
    Indexed(Box<Indexed>),
}

pub type Scored = (f64, Box<[u8]>);

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Incl(f64),
    Excl(f64),
}

impl Bound {
    fn is_below(self, score: f64) -> bool {
        match self {
            Bound::Incl(bound) => bound <= score,
            Bound::Excl(bound) => bound < score,
        }
    }

    fn is_above(self, score: f64) -> bool {
        match self {
            Bound::Incl(bound) => bound >= score,
            Bound::Excl(bound) => bound > score,
        }
    }
}

/// One end of a range of members, for sets in which all scores are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LexBound<'a> {
    Min,
    Max,
    Incl(&'a [u8]),
    Excl(&'a [u8]),
}

impl LexBound<'_> {
    fn is_below(self, member: &[u8]) -> bool {
        match self {
            LexBound::Min => true,
            LexBound::Max => false,
            LexBound::Incl(bound) => bound <= member,
            LexBound::Excl(bound) => bound < member,
        }
    }

    fn is_above(self, member: &[u8]) -> bool {
        match self {
            LexBound::Min => false,
            LexBound::Max => true,
            LexBound::Incl(bound) => bound >= member,
            LexBound::Excl(bound) => bound > member,
        }
    }
}

impl Default for ZSet {
    fn default() -> ZSet {
        ZSet::Packed(Listpack::new())
    }
}

impl ZSet {
    /// A set of members that [`sort`] has sorted. Constant time per member.
    pub fn from_sorted(members: Vec<Scored>, limits: &Limits) -> ZSet {
        if let Some(pack) = pack_sorted(&members, limits) {
            return ZSet::Packed(pack);
        }
        let members = members.into_iter().map(|(score, member)| {
            let height = height_of(hash(&member));
            (score, member, height)
        });
        ZSet::Indexed(Box::new(Indexed::from_sorted(members)))
    }

    pub fn len(&self) -> usize {
        match self {
            ZSet::Packed(pack) => pack.len() / 2,
            ZSet::Indexed(indexed) => indexed.list.len(),
        }
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            ZSet::Packed(pack) => find_packed(pack, member).map(|(_, _, score)| score),
            ZSet::Indexed(indexed) => {
                indexed.find(hash(member), member).map(|id| indexed.list.score(id))
            }
        }
    }

    /// Sets the score of a member, which may be new, and returns its old score. Logarithmic time,
    /// or linear if packed.
    pub fn insert(&mut self, score: f64, member: &[u8], limits: &Limits) -> Option<f64> {
        let pack = match self {
            ZSet::Packed(pack) => pack,
            ZSet::Indexed(indexed) => return indexed.insert(score, member),
        };

        // A new score usually means a new rank, so the member is removed and inserted again.
        if let Some((_, offset, old)) = find_packed(pack, member) {
            if old != score {
                pack.delete(offset, 2);
                insert_packed(pack, score, member);
            }
            return Some(old);
        }

        if pack.len() / 2 < limits.zset_max_listpack_entries
            && member.len() <= limits.zset_max_listpack_value
            && pack.has_room_for(member.len())
        {
            insert_packed(pack, score, member);
            return None;
        }
        self.unpack();
        self.insert(score, member, limits)
    }

    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            ZSet::Packed(pack) => {
                let (_, offset, score) = find_packed(pack, member)?;
                pack.delete(offset, 2);
                Some(score)
            }
            ZSet::Indexed(indexed) => indexed.remove(member),
        }
    }

    /// The rank of a member, from 0 for the first one, or with `reverse` for the last one.
    pub fn rank(&self, member: &[u8], reverse: bool) -> Option<usize> {
        let rank = match self {
            ZSet::Packed(pack) => find_packed(pack, member)?.0,
            ZSet::Indexed(indexed) => indexed.list.rank(indexed.find(hash(member), member)?),
        };
        Some(if reverse { self.len() - 1 - rank } else { rank })
    }

    pub fn nth(&self, rank: usize) -> Option<(Element<'_>, f64)> {
        self.range(rank..rank.saturating_add(1)).next()
    }

    /// The ranks of the members whose scores are in a range. Logarithmic time, or linear if packed.
    pub fn ranks_by_score(&self, min: Bound, max: Bound) -> Range<usize> {
        let start = self.rank_where(|score, _| !min.is_below(score));
        let end = self.rank_where(|score, _| max.is_above(score));
        start..end.max(start)
    }

    /// The ranks of the members in a range of names, if all scores are equal. Logarithmic time, or
    /// linear if packed.
    ///
    /// And if the scores differ? Then the names are in no order, and Redis replies with the members
    /// that its search happens to find, from the end if `reverse`. A packed set here finds the same
    /// ones. In a skip list they depend on random heights.
    pub fn ranks_by_lex(&self, min: LexBound, max: LexBound, reverse: bool) -> Range<usize> {
        if let ZSet::Packed(_) = self {
            return self.run_of_names(min, max, reverse);
        }
        let start = self.rank_where(|_, member| !min.is_below(member));
        let end = self.rank_where(|_, member| max.is_above(member));
        start..end.max(start)
    }

    /// The members with these ranks and their scores, in order. Ranks beyond the last are ignored.
    pub fn range(&self, ranks: Range<usize>) -> Iter<'_> {
        match self {
            ZSet::Packed(pack) => Iter::Packed(pairs(pack, ranks)),
            ZSet::Indexed(indexed) => Iter::forward(&indexed.list, ranks),
        }
    }

    /// The members with these ranks and their scores, in reverse order.
    pub fn range_rev(&self, ranks: Range<usize>) -> Iter<'_> {
        match self {
            ZSet::Packed(pack) => Iter::PackedRev(pairs(pack, ranks)),
            ZSet::Indexed(indexed) => Iter::backward(&indexed.list, ranks),
        }
    }

    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// Removes the members with these ranks and returns their number.
    pub fn remove_range(&mut self, ranks: Range<usize>) -> usize {
        match self {
            ZSet::Packed(pack) => {
                let first = pack.seek(ranks.start.saturating_mul(2));
                first.map_or(0, |first| pack.delete(first, ranks.len().saturating_mul(2)) / 2)
            }
            ZSet::Indexed(indexed) => indexed.remove_range(ranks),
        }
    }

    /// Passes some members to `emit` and returns the next cursor; see [`Table::scan`]. A listpack
    /// is passed as a whole.
    pub fn scan(&self, cursor: u64, mut emit: impl FnMut(Element, f64)) -> u64 {
        match self {
            ZSet::Packed(_) => {
                self.iter().for_each(|(member, score)| emit(member, score));
                0
            }
            ZSet::Indexed(indexed) => indexed.index.scan(cursor, |id| {
                emit(Element::Bytes(indexed.list.member(id)), indexed.list.score(id));
            }),
        }
    }

    /// The name that `OBJECT ENCODING` replies.
    pub fn encoding(&self) -> &'static str {
        match self {
            ZSet::Packed(_) => "listpack",
            ZSet::Indexed(_) => "skiplist",
        }
    }

    /// Bytes of memory, without this struct itself.
    pub fn bytes(&self) -> usize {
        match self {
            ZSet::Packed(pack) => allocation(pack.allocated()),
            ZSet::Indexed(indexed) => {
                let parts = indexed.index.bytes() + indexed.list.bytes();
                allocation(size_of_val(&**indexed)) + parts
            }
        }
    }

    /// The first run of members within a range, or with `reverse` the last run. Empty if the first
    /// member is above the range or the last one below it, because Redis checks these two first.
    fn run_of_names(&self, min: LexBound, max: LexBound, reverse: bool) -> Range<usize> {
        let mut scratch = itoa::Buffer::new();
        let compare = |(member, _): (Element, f64)| {
            let member = member.as_bytes(&mut scratch);
            (min.is_below(member), max.is_above(member))
        };
        let sides: Vec<(bool, bool)> = self.iter().map(compare).collect();

        let (Some((_, true)), Some((true, _))) = (sides.first(), sides.last()) else {
            return 0..0;
        };
        if reverse {
            let above = sides.iter().rev().take_while(|(_, max_is_above)| !max_is_above).count();
            let end = sides.len() - above;
            let run = sides[..end].iter().rev().take_while(|(min_is_below, _)| *min_is_below);
            return end - run.count()..end;
        }

        let start = sides.iter().take_while(|(min_is_below, _)| !min_is_below).count();
        let run = sides[start..].iter().take_while(|(_, max_is_above)| *max_is_above);
        start..start + run.count()
    }

    /// The number of members at the start for which `before` returns true. It must return false for
    /// all others.
    fn rank_where(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        match self {
            ZSet::Packed(_) => {
                let mut scratch = itoa::Buffer::new();
                self.iter()
                    .take_while(|(member, score)| before(*score, member.as_bytes(&mut scratch)))
                    .count()
            }
            ZSet::Indexed(indexed) => indexed.list.rank_where(before),
        }
    }

    /// Converts a packed set to the form for any number of members.
    pub fn unpack(&mut self) {
        if let ZSet::Packed(_) = self {
            let members = self.iter().map(|(member, score)| {
                let member = member.to_vec().into_boxed_slice();
                let height = height_of(hash(&member));
                (score, member, height)
            });
            *self = ZSet::Indexed(Box::new(Indexed::from_sorted(members)));
        }
    }
}

/// Sorts members by score, and those of equal score by name.
pub fn sort(members: &mut [Scored]) {
    members.sort_unstable_by(|(score, member), (other_score, other)| {
        score.partial_cmp(other_score).unwrap_or(Ordering::Equal).then_with(|| member.cmp(other))
    });
}

/// A large sorted set: the list owns the members, the index finds their ids.
#[derive(Clone)]
pub struct Indexed {
    index: Table,
    list: SkipList,
}

impl Indexed {
    fn from_sorted(members: impl Iterator<Item = (f64, Box<[u8]>, usize)>) -> Indexed {
        let list = SkipList::from_sorted(members);
        let mut index = Table::new();
        for id in 1..=list.len() as u32 {
            index.insert(hash(list.member(id)), id, |id| hash(list.member(id)));
        }
        Indexed { index, list }
    }

    fn find(&self, hash: u64, member: &[u8]) -> Option<u32> {
        self.index.find(hash, |id| self.list.member(id) == member)
    }

    fn insert(&mut self, score: f64, member: &[u8]) -> Option<f64> {
        let key = hash(member);
        if let Some(id) = self.find(key, member) {
            let old = self.list.score(id);
            if old != score {
                self.list.set_score(id, score);
            }
            return Some(old);
        }
        let id = self.list.insert(score, member, height_of(key));
        self.index.insert(key, id, |id| hash(self.list.member(id)));
        None
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let key = hash(member);
        let id = self.find(key, member)?;
        let score = self.list.score(id);

        // The table asks the list for members while it removes the id, so the list comes second.
        self.index.remove(key, id, |id| hash(self.list.member(id)));
        self.list.remove(id);
        self.rebuild_if_sparse();
        Some(score)
    }

    fn remove_range(&mut self, ranks: Range<usize>) -> usize {
        let index = &mut self.index;
        let removed = self.list.remove_range(ranks.start, ranks.len(), |list, id| {
            index.remove(hash(list.member(id)), id, |id| hash(list.member(id)));
        });
        self.rebuild_if_sparse();
        removed
    }

    /// Rebuilds list and table after many removals. The cost is amortized: at least three members
    /// were removed for each that is moved.
    fn rebuild_if_sparse(&mut self) {
        if self.list.is_sparse() {
            let list = std::mem::replace(&mut self.list, SkipList::new());
            *self = Indexed::from_sorted(list.into_sorted());
        }
    }
}

/// The number of levels of a member: one more for every two leading zeros of its hash, so each
/// level has a quarter of the members of the one below.
fn height_of(hash: u64) -> usize {
    (1 + hash.leading_zeros() as usize / 2).min(HEIGHT_MAX)
}

/// Members with their scores; see [`ZSet::range`].
pub enum Iter<'a> {
    Packed(listpack::Iter<'a>),
    PackedRev(listpack::Iter<'a>),
    /// Over a skip list.
    Listed {
        list: &'a SkipList,
        at: Option<u32>,
        left: usize,
        step: fn(&SkipList, u32) -> Option<u32>,
    },
}

impl<'a> Iter<'a> {
    fn forward(list: &'a SkipList, ranks: Range<usize>) -> Iter<'a> {
        let at = list.at_rank(ranks.start);
        Iter::Listed { list, at, left: ranks.len(), step: SkipList::next }
    }

    fn backward(list: &'a SkipList, ranks: Range<usize>) -> Iter<'a> {
        let end = ranks.end.min(list.len());
        let at = end.checked_sub(1).and_then(|last| list.at_rank(last));
        Iter::Listed { list, at, left: end.saturating_sub(ranks.start), step: SkipList::previous }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Packed(iter) => Some((iter.next()?, score_of(iter.next()?))),
            Iter::PackedRev(iter) => {
                let score = score_of(iter.next_back()?);
                Some((iter.next_back()?, score))
            }
            Iter::Listed { left: 0, .. } => None,
            Iter::Listed { list, at, left, step } => {
                let id = (*at)?;
                *at = step(list, id);
                *left -= 1;
                Some((Element::Bytes(list.member(id)), list.score(id)))
            }
        }
    }
}

/// The packed elements of the members with these ranks.
fn pairs(pack: &Listpack, ranks: Range<usize>) -> listpack::Iter<'_> {
    pack.range(ranks.start.saturating_mul(2)..ranks.end.saturating_mul(2))
}

/// The rank, offset and score of a packed member.
fn find_packed(pack: &Listpack, member: &[u8]) -> Option<(usize, usize, f64)> {
    let member = Element::of(member);
    let mut iter = pack.iter();
    for rank in 0.. {
        let offset = iter.offset();
        let (found, score) = (iter.next()?, iter.next()?);
        if found == member {
            return Some((rank, offset, score_of(score)));
        }
    }
    None
}

/// Inserts a member that the pack does not have, in order.
fn insert_packed(pack: &mut Listpack, score: f64, member: &[u8]) {
    let mut iter = pack.iter();
    let mut offset = iter.offset();
    while let (Some(other), Some(other_score)) = (iter.next(), iter.next()) {
        let other_score = score_of(other_score);
        let equal_score = other_score == score;
        if !(other_score < score || (equal_score && other.cmp_bytes(member) == Ordering::Less)) {
            break;
        }
        offset = iter.offset();
    }
    let offset = pack.insert(offset, Element::of(member));
    pack.insert(offset, score_element(score, &mut [0; 8]));
}

/// Packs sorted members. Returns `None` if there are too many or one is too long.
fn pack_sorted(members: &[Scored], limits: &Limits) -> Option<Listpack> {
    let too_many = members.len() > limits.zset_max_listpack_entries;
    let too_long = |(_, member): &Scored| member.len() > limits.zset_max_listpack_value;
    if too_many || members.iter().any(too_long) {
        return None;
    }
    let mut pack = Listpack::new();
    for (score, member) in members {
        if !pack.has_room_for(member.len()) {
            return None;
        }
        pack.push_back(Element::of(member));
        pack.push_back(score_element(*score, &mut [0; 8]));
    }
    Some(pack)
}

/// The packed form of a score.
fn score_element(score: f64, raw: &mut [u8; 8]) -> Element<'_> {
    let whole = score as i64;
    if whole as f64 == score {
        return Element::Int(whole);
    }
    *raw = score.to_le_bytes();
    Element::Bytes(raw)
}

/// The score that [`score_element`] packed.
fn score_of(element: Element) -> f64 {
    match element {
        Element::Int(whole) => whole as f64,
        Element::Bytes(raw) => f64::from_le_bytes(raw.try_into().expect("scores take 8 bytes")),
    }
}

#[cfg(test)]
mod tests;
