//! The list: a queue of packed nodes.
//!
//! In a linked list of single elements the links take more memory than the elements. In one packed
//! run of a million elements every insertion would move megabytes. So a list is a queue of
//! [`Listpack`]s of up to 8 KiB:
//!
//! ```text
//! nodes   [ada 1815] [lovelace -7 x] [y]        RPUSH z → [ada 1815] [lovelace -7 x] [y z]
//!            2            3           1         LINDEX 4: skip 2, then 2, it is x
//! ```
//!
//! Pushing and popping change one node at one end, in constant time. Finding an index in the middle
//! skips whole nodes by their counts, some hundred elements at a time.
//!
//! # Differences from Redis (`quicklist.c`)
//!
//! - The nodes are in a ring buffer, not linked, so skipping them reads an array.
//! - Interior nodes are never compressed.
//! - An element larger than a node has a listpack of its own. Redis has "plain" nodes for elements
//!   from 1 GiB on.
//! - An insertion into a full node splits it in the middle, so small nodes need not be merged.
//!
//! Every list reports the encoding `quicklist`, as in Redis 7.0.

use super::{Limits, allocation};
use crate::format::listpack::{Element, Listpack};
use std::collections::VecDeque;

/// One of the two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head: `LPUSH`, `LPOP`, index 0.
    Left,
    /// The tail: `RPUSH`, `RPOP`, index -1.
    Right,
}

/// The side of a pivot on which an element is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// A list; see the head of the file. An element is shorter than 4 GiB, because the protocol limits
/// arguments to less.
#[derive(Clone, Default)]
pub struct List {
    /// No node is empty.
    nodes: VecDeque<Listpack>,
    len: usize,
}

impl List {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds an element at one end. Amortized constant time.
    pub fn push(&mut self, end: End, text: &[u8], limits: &Limits) {
        let element = Element::of(text);
        self.len += 1;
        match self.node_at_mut(end) {
            Some(node) if has_room(node, element, limits) => match end {
                End::Left => node.push_front(element),
                End::Right => node.push_back(element),
            },
            full => {
                // From now on this is an interior node. It rarely grows again, so it keeps no free
                // bytes.
                full.into_iter().for_each(Listpack::shrink_to_fit);
                let position = if end == End::Left { 0 } else { self.nodes.len() };
                self.add_node(position, element);
            }
        }
    }

    /// The element at one end. Constant time.
    pub fn peek(&self, end: End) -> Option<Element<'_>> {
        match end {
            End::Left => self.nodes.front()?.iter().next(),
            End::Right => self.nodes.back()?.iter().next_back(),
        }
    }

    /// Removes the element at one end and returns a copy. [`peek`](List::peek) and
    /// [`discard`](List::discard) together avoid the copy.
    pub fn pop(&mut self, end: End) -> Option<Vec<u8>> {
        let element = self.peek(end)?.to_vec();
        self.discard(end, 1);
        Some(element)
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Removes up to `n` elements at one end, whole nodes at once.
    pub fn discard(&mut self, end: End, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        while left > 0 {
            let node = self.node_at_mut(end).expect("the nodes hold `len` elements");

            // The last node loses some of its elements only.
            if node.len() > left {
                let first = if end == End::Left { 0 } else { node.len() - left };
                let offset = node.seek(first).expect("first is below the node's length");
                node.delete(offset, left);
                break;
            }
            left -= node.len();
            match end {
                End::Left => self.nodes.pop_front(),
                End::Right => self.nodes.pop_back(),
            };
        }
        self.shrink_if_sparse();
    }

    /// The element at an index. Negative indexes count from the tail; -1 is the last element.
    pub fn get(&self, index: i64) -> Option<Element<'_>> {
        let (node, within) = self.locate(self.resolve(index)?)?;
        self.nodes[node].get(within)
    }

    /// Replaces the element at an index. Returns false if there is none.
    pub fn set(&mut self, index: i64, text: &[u8], limits: &Limits) -> bool {
        let Some((position, within)) = self.resolve(index).and_then(|index| self.locate(index))
        else {
            return false;
        };
        let element = Element::of(text);
        let node = &mut self.nodes[position];
        let offset = node.seek(within).expect("`locate` returns an index within the node");

        // A longer element may not fit into the node, which is then split.
        if node.len() == 1 || has_room(node, element, limits) {
            node.replace(offset, element);
        } else {
            node.delete(offset, 1);
            self.insert_at(position, offset, element, limits);
        }
        true
    }

    /// Inserts next to the first element that equals `pivot`. Returns false if there is none.
    pub fn insert(&mut self, pivot: &[u8], side: Side, text: &[u8], limits: &Limits) -> bool {
        let pivot = Element::of(pivot);
        let found = |(position, node): (usize, &Listpack)| Some((position, node.find(pivot, 1)?));
        let Some((position, offset)) = self.nodes.iter().enumerate().find_map(found) else {
            return false;
        };
        let offset = match side {
            Side::Before => offset,
            Side::After => self.nodes[position].after(offset),
        };
        self.insert_at(position, offset, Element::of(text), limits);
        self.len += 1;
        true
    }

    /// Removes elements equal to `text`: the first `count`, or the last `-count` if it is negative,
    /// or all if it is 0. Returns their number. Rewrites each node at most once.
    pub fn remove(&mut self, count: i64, text: &[u8]) -> usize {
        let most = if count == 0 { u64::MAX } else { count.unsigned_abs() };
        let mut left = usize::try_from(most).unwrap_or(usize::MAX).min(self.len);
        let nodes = self.nodes.len();
        let (before, mut emptied) = (left, false);

        // Elements are counted from the tail if `count` is negative.
        for n in 0..nodes {
            if left == 0 {
                break;
            }
            let node = &mut self.nodes[if count < 0 { nodes - 1 - n } else { n }];
            left -= remove_from(node, Element::of(text), left, count < 0);
            emptied |= node.is_empty();
        }
        if emptied {
            self.nodes.retain(|node| !node.is_empty());
            self.shrink_if_sparse();
        }
        self.len -= before - left;
        before - left
    }

    /// Keeps the elements from index `start` to `stop`, both included, and removes the others.
    pub fn trim(&mut self, start: usize, stop: usize) {
        self.discard(End::Right, self.len.saturating_sub(stop.saturating_add(1)));
        self.discard(End::Left, start);
    }

    /// Up to `len` elements from index `start` on.
    pub fn range(&self, start: usize, len: usize) -> impl Iterator<Item = Element<'_>> {
        let (position, within) = self.locate(start).unwrap_or((self.nodes.len(), 0));
        self.nodes.range(position..).flat_map(Listpack::iter).skip(within).take(len)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Element<'_>> {
        self.nodes.iter().flat_map(Listpack::iter)
    }

    /// The name that `OBJECT ENCODING` replies.
    pub fn encoding(&self) -> &'static str {
        "quicklist"
    }

    /// Bytes of memory, without this struct itself. Reads every node.
    pub fn bytes(&self) -> usize {
        let packs: usize = self.nodes.iter().map(|node| allocation(node.allocated())).sum();
        allocation(self.nodes.capacity() * size_of::<Listpack>()) + packs
    }

    fn node_at_mut(&mut self, end: End) -> Option<&mut Listpack> {
        match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        }
    }

    fn add_node(&mut self, position: usize, element: Element) {
        if self.nodes.is_empty() {
            // Most lists never need a second node. A ring would allocate four at first.
            self.nodes.reserve_exact(1);
        }
        let mut node = Listpack::new();
        node.push_back(element);
        self.nodes.insert(position, node);
    }

    /// Converts an index to one that counts from the head.
    fn resolve(&self, index: i64) -> Option<usize> {
        match usize::try_from(index) {
            Ok(index) => Some(index),
            Err(_) => self.len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
        }
    }

    /// The node that holds an index, and the index within it. Skips nodes from the nearer end.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut left = index;
            for (position, node) in self.nodes.iter().enumerate() {
                if left < node.len() {
                    return Some((position, left));
                }
                left -= node.len();
            }
        }

        let mut end = self.len;
        for (position, node) in self.nodes.iter().enumerate().rev() {
            let start = end - node.len();
            if index >= start {
                return Some((position, index - start));
            }
            end = start;
        }
        None
    }

    fn insert_at(&mut self, position: usize, offset: usize, element: Element, limits: &Limits) {
        let node = &mut self.nodes[position];
        if has_room(node, element, limits) {
            node.insert(offset, element);
        } else if node.len() == 1 {
            // One large element cannot be split. The new one gets a node before or after it.
            let after = usize::from(offset != Listpack::FIRST);
            self.add_node(position + after, element);
        } else {
            let middle = node.middle();
            let mut right = node.split_off(middle);
            if offset > middle {
                right.insert(Listpack::FIRST + offset - middle, element);
            } else {
                node.insert(offset, element);
            }
            self.nodes.insert(position + 1, right);
        }
    }

    /// Shrinks the ring of nodes if three quarters of it are unused.
    fn shrink_if_sparse(&mut self) {
        if self.nodes.len() < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(self.nodes.len() * 2);
        }
    }
}

/// Returns true if a node may take one more element under `list-max-listpack-size`.
fn has_room(node: &Listpack, element: Element, limits: &Limits) -> bool {
    let (bytes_max, elements_max) = match limits.list_max_listpack_size {
        level @ ..0 => (2048 << level.unsigned_abs().min(5), usize::MAX),
        elements => (NODE_BYTES_MAX, elements as usize),
    };
    node.len() < elements_max && node.size() + Listpack::size_of(element) <= bytes_max
}

/// A node is limited to this many bytes even if its limit is a number of elements, so that an
/// insertion never moves more.
const NODE_BYTES_MAX: usize = 8192;

/// Removes up to `most` elements equal to `element` from a node, the last ones if `from_tail`.
fn remove_from(node: &mut Listpack, element: Element, most: usize, from_tail: bool) -> usize {
    let found = node.iter().filter(|other| *other == element).count();
    let removed = found.min(most);
    let removing = if from_tail { found - removed..found } else { 0..removed };
    if removed > 0 {
        let mut seen = 0..;
        node.retain(|other| {
            other != element || !seen.next().is_some_and(|n| removing.contains(&n))
        });
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::object::Container as _;
    use crate::engine::rng::Rng;

    /// Texts short and long, few enough of them that equal ones meet.
    fn random_text(rng: &mut Rng) -> Vec<u8> {
        match rng.below(100) {
            0 => vec![b'L'; 9000 + rng.below(3)],
            1..10 => vec![b'm'; rng.below(3000)],
            10..50 => rng.below(50).to_string().into_bytes(),
            _ => format!("text:{}", rng.below(50)).into_bytes(),
        }
    }

    fn check(list: &List, model: &[Vec<u8>]) {
        assert_eq!(list.len(), model.len());
        assert!(list.iter().map(|e| e.to_vec()).eq(model.iter().cloned()));
        assert!(list.iter().rev().map(|e| e.to_vec()).eq(model.iter().rev().cloned()));
        assert!(list.nodes.iter().all(|node| !node.is_empty()));
    }

    fn remove_from_model(model: &mut Vec<Vec<u8>>, count: i64, text: &[u8]) -> usize {
        let mut places: Vec<usize> = (0..model.len()).filter(|n| model[*n] == text).collect();
        if count < 0 {
            places.reverse();
        }
        places.truncate(if count == 0 { usize::MAX } else { count.unsigned_abs() as usize });
        places.sort_unstable();
        places.iter().rev().for_each(|place| drop(model.remove(*place)));
        places.len()
    }

    /// One random operation on both; `shrinking` prefers those that remove.
    fn step(
        list: &mut List,
        model: &mut Vec<Vec<u8>>,
        rng: &mut Rng,
        limits: &Limits,
        shrinking: bool,
    ) {
        let text = random_text(rng);
        let index = rng.below(model.len() + 2) as i64 - rng.below(model.len() + 2) as i64;
        let from_head = if index < 0 { index + model.len() as i64 } else { index };
        let place = usize::try_from(from_head).ok().filter(|place| *place < model.len());
        let end = if rng.below(2) == 0 { End::Left } else { End::Right };
        match rng.below(if shrinking { 14 } else { 7 }) {
            0..=2 => {
                list.push(end, &text, limits);
                model.insert(if end == End::Left { 0 } else { model.len() }, text);
            }
            3 | 4 => {
                let pivot = random_text(rng);
                let found = model.iter().position(|other| *other == pivot);
                let side = if rng.below(2) == 0 { Side::Before } else { Side::After };
                assert_eq!(list.insert(&pivot, side, &text, limits), found.is_some());
                let shift = usize::from(side == Side::After);
                found.iter().for_each(|at| model.insert(at + shift, text.clone()));
            }
            5 => {
                assert_eq!(list.get(index).map(|e| e.to_vec()), place.map(|p| model[p].clone()));
                let (start, len) = (rng.below(model.len() + 2), rng.below(700));
                let expected = model.iter().skip(start).take(len).cloned();
                assert!(list.range(start, len).map(|e| e.to_vec()).eq(expected));
            }
            6 => {
                assert_eq!(list.set(index, &text, limits), place.is_some());
                place.iter().for_each(|place| model[*place] = text.clone());
            }
            7 | 8 => {
                let count = rng.below(7) as i64 - 3;
                assert_eq!(list.remove(count, &text), remove_from_model(model, count, &text));
            }
            9 if rng.below(50) == 0 => {
                let (start, stop) = (rng.below(20), model.len().saturating_sub(rng.below(20)));
                list.trim(start, stop);
                model.truncate(stop + 1);
                model.drain(..start.min(model.len()));
            }
            _ => {
                let place = if end == End::Left { 0 } else { model.len().saturating_sub(1) };
                let expected = (!model.is_empty()).then(|| model.remove(place));
                assert_eq!(list.peek(end).map(|e| e.to_vec()), expected);
                assert_eq!(list.pop(end), expected);
            }
        }
    }

    #[test]
    fn follows_a_vec_through_random_changes() {
        for size in [-5, -2, -1, 0, 1, 3, 128] {
            let limits = Limits { list_max_listpack_size: size, ..Limits::default() };
            let mut rng = Rng::new(21);
            let (mut list, mut model) = (List::default(), Vec::new());
            for n in 0..6000 {
                step(&mut list, &mut model, &mut rng, &limits, n % 3000 > 1500);
                if n % 50 == 0 {
                    check(&list, &model);
                }
            }
            check(&list, &model);
        }
    }

    #[test]
    fn nodes_obey_the_limit() {
        let largest = |size: i32, elements: usize| {
            let limits = Limits { list_max_listpack_size: size, ..Limits::default() };
            let mut list = List::default();
            (0..elements).for_each(|n| list.push(End::Right, format!("e{n}").as_bytes(), &limits));
            list.nodes.iter().map(|node| (node.len(), node.size())).max().unwrap()
        };
        assert_eq!(largest(3, 100).0, 3);
        for (size, bytes) in
            [(-1, 4096), (-2, 8192), (-5, 65_536), (i32::MIN, 65_536), (9999, 8192)]
        {
            assert!((bytes - 16..=bytes).contains(&largest(size, 40_000).1), "{size}");
        }
    }

    #[test]
    fn memory_follows_the_elements_down() {
        let (limits, mut list) = (Limits::default(), List::default());
        (0..100_000).for_each(|_| list.push(End::Left, b"0123456789abcdef", &limits));
        let full = list.bytes();
        assert!(full < 100_000 * 19, "{full}");
        list.trim(99_990, usize::MAX);
        assert_eq!(list.len(), 10);
        assert!(list.bytes() < 1000, "{}", list.bytes());
        list.discard(End::Left, usize::MAX);
        assert!(list.is_empty() && list.peek(End::Left).is_none());
    }
}
