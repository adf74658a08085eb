//! The skip list: a sorted linked list with faster levels above it, whose links know their length.
//!
//! Members are in order of score, and those of equal score in order of their bytes. Every node is
//! on level 0, one in four also on level 1, one in sixteen on level 2, and so on, at random (Pugh,
//! "Skip Lists: A Probabilistic Alternative to Balanced Trees", CACM 1990). A search follows the
//! highest level until the next link would lead too far, then continues on the level below. Each
//! link has a **span**, the number of members that it advances, so a search also learns ranks:
//!
//! ```text
//! level 1   head ----------2----------> bob 20 -----1----> (end)
//! level 0   head ----> ada 10 ----> bob 20 ----> cyd 30 -> (end)
//!
//! rank of cyd: level 1 to bob passes 2, level 0 to cyd passes 1: third, rank 2 counted from 0
//! ```
//!
//! Nodes are in one vector, and links are indexes: 4 bytes instead of 8, no allocation per node,
//! and dropping a list of millions frees two vectors and the members without following links. A
//! node has its link on level 0 itself. The links on higher levels, a third of a link per node, are
//! in a vector of their own.
//!
//! Invariants, asserted in the tests:
//! 1. Level 0 is a ring through node 0, the head, in both directions.
//! 2. Level n is the nodes with a height above n, in order of level 0; its last link leads to 0.
//! 3. A span is the rank of the node that the link leads to, minus the rank of its own node. The
//!    end counts as having the rank of the last member.
//!
//! Counterpart in Redis: `zskiplist` in `t_zset.c`, with the same odds and the same 32 levels.

use super::dict::Entry as _;
use super::{allocation, reserve_one};

/// The largest number of levels. With one node in four on each next level, they are enough for
/// 4^32.
pub const HEIGHT_MAX: usize = 32;
/// The node before the first and after the last.
const HEAD: u32 = 0;

/// One member and its links on level 0.
#[derive(Clone)]
struct Node {
    score: f64,
    member: Box<[u8]>,
    next: u32,
    previous: u32,
    /// The index in `SkipList::links` of its links on higher levels.
    tower: u32,
    /// The number of levels it is on, at least 1.
    height: u32,
}

/// A link on a level above 0.
#[derive(Clone, Copy, Default)]
struct Link {
    next: u32,
    span: u32,
}

/// A sorted sequence of up to 2^32 - 2 members; see the head of the file. A member keeps its id
/// until it is removed. The caller must not insert a member twice.
#[derive(Clone)]
pub struct SkipList {
    nodes: Vec<Node>,
    links: Vec<Link>,
    /// Unused nodes, chained by `next`; ends with 0.
    free_nodes: u32,
    /// Unused towers by height, chained by the first link; each chain ends with 0, the head's
    /// tower.
    free_towers: [u32; HEIGHT_MAX + 1],
    height: usize,
    len: usize,
    heap: usize,
}

/// The path of a search: on each level, the last node before the position and that node's rank.
/// Here the head has rank 0 and the first member rank 1.
#[derive(Clone, Copy)]
struct Path {
    at: [u32; HEIGHT_MAX],
    rank: [u32; HEIGHT_MAX],
}

impl Path {
    const START: Path = Path { at: [HEAD; HEIGHT_MAX], rank: [0; HEIGHT_MAX] };
}

impl SkipList {
    pub fn new() -> SkipList {
        let head = Node {
            score: 0.0,
            member: Box::default(),
            next: HEAD,
            previous: HEAD,
            tower: 0,
            height: HEIGHT_MAX as u32,
        };
        SkipList {
            nodes: vec![head],
            links: vec![Link::default(); HEIGHT_MAX - 1],
            free_nodes: 0,
            free_towers: [0; HEIGHT_MAX + 1],
            height: 1,
            len: 0,
            heap: 0,
        }
    }

    /// A list of members given in order, each with its score and height. Takes constant time per
    /// member. Their ids are 1, 2, 3 and so on.
    pub fn from_sorted(members: impl Iterator<Item = (f64, Box<[u8]>, usize)>) -> SkipList {
        let mut list = SkipList::new();
        let mut end = Path::START;
        for (score, member, height) in members {
            let id = list.new_node(score, member, height);
            list.link(&end, id);
            for level in 0..height {
                end.at[level] = id;
                end.rank[level] = id;
            }
        }
        list
    }

    /// The members in order, each with its score and height.
    pub fn into_sorted(mut self) -> impl Iterator<Item = (f64, Box<[u8]>, usize)> {
        let mut at = HEAD;
        std::iter::from_fn(move || {
            at = self.next(at)?;
            let node = &mut self.nodes[at as usize];
            Some((node.score, std::mem::take(&mut node.member), node.height as usize))
        })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns true if removals have left so many unused nodes that rebuilding is worth its cost.
    pub fn is_sparse(&self) -> bool {
        self.nodes.len() > 64 && self.len < self.nodes.len() / 4
    }

    pub fn member(&self, id: u32) -> &[u8] {
        &self.nodes[id as usize].member
    }

    pub fn score(&self, id: u32) -> f64 {
        self.nodes[id as usize].score
    }

    pub fn next(&self, id: u32) -> Option<u32> {
        Some(self.nodes[id as usize].next).filter(|next| *next != HEAD)
    }

    pub fn previous(&self, id: u32) -> Option<u32> {
        Some(self.nodes[id as usize].previous).filter(|previous| *previous != HEAD)
    }

    /// Inserts a member that the list does not have, on `height` levels (1 to 32, each four times
    /// as rare as the one below), and returns its id. Logarithmic time.
    pub fn insert(&mut self, score: f64, member: &[u8], height: usize) -> u32 {
        let path = self.path_to(|node| is_before(node, score, member));
        let id = self.new_node(score, member.into(), height);
        self.link(&path, id);
        id
    }

    /// Removes a member. Logarithmic time.
    pub fn remove(&mut self, id: u32) {
        let path = self.path_to_id(id);
        self.unlink(&path, id);
        self.free_node(id);
    }

    /// Changes the score of a member. Constant time if its rank stays the same, otherwise
    /// logarithmic.
    pub fn set_score(&mut self, id: u32, score: f64) {
        let fits = |low: Option<u32>, high: Option<u32>| {
            let below = low.is_none_or(|id| self.score(id) < score);
            below && high.is_none_or(|id| score < self.score(id))
        };
        if fits(self.previous(id), self.next(id)) {
            self.nodes[id as usize].score = score;
            return;
        }

        // Unlink by the old score, link by the new one. The id stays the same.
        let path = self.path_to_id(id);
        self.unlink(&path, id);
        self.nodes[id as usize].score = score;
        let path = self.path_to_id(id);
        self.link(&path, id);
    }

    /// The number of members at the start for which `before` returns true. It must return false for
    /// all others. Logarithmic time.
    pub fn rank_where(&self, mut before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        self.path_to(|node| before(node.score, &node.member)).rank[0] as usize
    }

    /// The rank of a member; the first has rank 0. Logarithmic time.
    pub fn rank(&self, id: u32) -> usize {
        self.path_to_id(id).rank[0] as usize
    }

    /// The id of the member with this rank. Logarithmic time.
    pub fn at_rank(&self, rank: usize) -> Option<u32> {
        self.next(self.path_to_rank(rank).at[0])
    }

    /// Removes up to `n` members from rank `start` on, and returns their number. Each is passed to
    /// `removed` while its id is still valid. Logarithmic time, and constant time per member.
    pub fn remove_range(
        &mut self,
        start: usize,
        n: usize,
        mut removed: impl FnMut(&SkipList, u32),
    ) -> usize {
        // One search is enough: the path leads to the nodes before `start`, which all stay.
        let path = self.path_to_rank(start);
        let mut count = 0;
        while count < n {
            let Some(id) = self.next(path.at[0]) else { break };
            self.unlink(&path, id);
            removed(self, id);
            self.free_node(id);
            count += 1;
        }
        count
    }

    /// Bytes of memory, without this struct itself.
    pub fn bytes(&self) -> usize {
        let nodes = allocation(self.nodes.capacity() * size_of::<Node>());
        nodes + allocation(self.links.capacity() * size_of::<Link>()) + self.heap
    }

    /// The path to the position of this node's score and member, in the list or not.
    fn path_to_id(&self, id: u32) -> Path {
        let node = &self.nodes[id as usize];
        self.path_to(|other| is_before(other, node.score, &node.member))
    }

    /// The path to the first node for which `before` returns false.
    fn path_to(&self, mut before: impl FnMut(&Node) -> bool) -> Path {
        self.search(|_, node| before(node))
    }

    /// The path to the node with this rank, or to the end.
    fn path_to_rank(&self, rank: usize) -> Path {
        self.search(|reached, _| reached as usize <= rank)
    }

    /// Follows each level, from the highest down, as long as `advance` returns true for the next
    /// node and its rank, which is 1 for the first member.
    fn search(&self, mut advance: impl FnMut(u32, &Node) -> bool) -> Path {
        let mut path = Path::START;
        let (mut at, mut rank) = (HEAD, 0);

        // The node at which the level above ended also ends this one. It need not be compared
        // again, which would cost a cache miss for its member.
        let mut stop = HEAD;
        for level in (0..self.height).rev() {
            loop {
                let link = self.link_of(at, level);
                let reached = rank + link.span;
                if link.next == stop || !advance(reached, &self.nodes[link.next as usize]) {
                    stop = link.next;
                    break;
                }
                (at, rank) = (link.next, reached);
            }
            path.at[level] = at;
            path.rank[level] = rank;
        }
        path
    }

    /// A node's link on one of its levels.
    fn link_of(&self, id: u32, level: usize) -> Link {
        let node = &self.nodes[id as usize];
        match level {
            0 => Link { next: node.next, span: 1 },
            level => self.links[node.tower as usize + level - 1],
        }
    }

    /// A node's link on a level above 0.
    fn upper_mut(&mut self, id: u32, level: usize) -> &mut Link {
        let tower = self.nodes[id as usize].tower as usize;
        &mut self.links[tower + level - 1]
    }

    /// Links a node after the nodes of `path`.
    fn link(&mut self, path: &Path, id: u32) {
        let height = self.nodes[id as usize].height as usize;

        // A level that was not in use leads from the head to the end. Above the old height, `path`
        // has the head and rank 0, which is right for such a level.
        while self.height < height {
            let len = self.len as u32;
            *self.upper_mut(HEAD, self.height) = Link { next: HEAD, span: len };
            self.height += 1;
        }

        let next = self.nodes[path.at[0] as usize].next;
        self.connect(path.at[0], id);
        self.connect(id, next);

        // On its levels the node cuts a link in two. On the levels above, a link passes over it and
        // becomes longer by one.
        for level in 1..self.height {
            let passed = path.rank[0] - path.rank[level];
            let link = self.upper_mut(path.at[level], level);
            if level < height {
                let rest = Link { next: link.next, span: link.span - passed };
                *link = Link { next: id, span: passed + 1 };
                *self.upper_mut(id, level) = rest;
            } else {
                link.span += 1;
            }
        }
        self.len += 1;
    }

    /// Unlinks a node; `path` leads to it.
    fn unlink(&mut self, path: &Path, id: u32) {
        let node = &self.nodes[id as usize];
        let (next, previous, height) = (node.next, node.previous, node.height as usize);
        self.connect(previous, next);
        for level in 1..self.height {
            let removed = (level < height).then(|| self.link_of(id, level));
            let link = self.upper_mut(path.at[level], level);
            match removed {
                Some(Link { next, span }) => *link = Link { next, span: link.span + span - 1 },
                None => link.span -= 1,
            }
        }
        while self.height > 1 && self.link_of(HEAD, self.height - 1).next == HEAD {
            self.height -= 1;
        }
        self.len -= 1;
    }

    /// Makes two nodes neighbors on level 0.
    fn connect(&mut self, left: u32, right: u32) {
        self.nodes[left as usize].next = right;
        self.nodes[right as usize].previous = left;
    }

    fn new_node(&mut self, score: f64, member: Box<[u8]>, height: usize) -> u32 {
        self.heap += member.heap();
        let tower = self.new_tower(height);
        let height = height as u32;
        let node = Node { score, member, next: HEAD, previous: HEAD, tower, height };
        match self.free_nodes {
            0 => {
                reserve_one(&mut self.nodes);
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
            id => {
                self.free_nodes = self.nodes[id as usize].next;
                self.nodes[id as usize] = node;
                id
            }
        }
    }

    /// Returns the index of `height - 1` links, for the levels above 0.
    fn new_tower(&mut self, height: usize) -> u32 {
        match self.free_towers[height] {
            _ if height == 1 => 0,
            0 => {
                let tower = self.links.len() as u32;
                for _ in 1..height {
                    reserve_one(&mut self.links);
                    self.links.push(Link::default());
                }
                tower
            }
            tower => {
                self.free_towers[height] = self.links[tower as usize].next;
                tower
            }
        }
    }

    fn free_node(&mut self, id: u32) {
        let node = &mut self.nodes[id as usize];
        self.heap -= std::mem::take(&mut node.member).heap();
        node.next = self.free_nodes;
        let (tower, height) = (node.tower, node.height as usize);
        self.free_nodes = id;
        if height > 1 {
            self.links[tower as usize].next = self.free_towers[height];
            self.free_towers[height] = tower;
        }
    }
}

/// The order of a sorted set.
fn is_before(node: &Node, score: f64, member: &[u8]) -> bool {
    node.score < score || (node.score == score && *node.member < *member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Rng;

    fn random_height(rng: &mut Rng) -> usize {
        1 + rng.next_u64().leading_zeros() as usize / 2
    }

    /// Asserts the invariants of the file's head.
    fn check(list: &SkipList) {
        let mut order = vec![HEAD];
        while let Some(id) = list.next(order[order.len() - 1]) {
            assert_eq!(list.previous(id).unwrap_or(HEAD), order[order.len() - 1]);
            order.push(id);
        }
        assert_eq!(order.len(), list.len() + 1);
        assert_eq!(list.previous(HEAD).unwrap_or(HEAD), order[list.len()]);
        assert!(order[1..].is_sorted_by(|a, b| {
            is_before(&list.nodes[*a as usize], list.score(*b), list.member(*b))
        }));
        for level in 1..list.height {
            let on_level = |rank: &usize| list.nodes[order[*rank] as usize].height as usize > level;
            let ranks: Vec<usize> = (0..order.len()).filter(on_level).collect();
            for (n, rank) in ranks.iter().enumerate() {
                let (next, there) = match ranks.get(n + 1) {
                    Some(there) => (order[*there], *there),
                    None => (HEAD, list.len()),
                };
                let link = list.link_of(order[*rank], level);
                assert_eq!((link.next, link.span as usize), (next, there - rank), "level {level}");
            }
        }
        let held: usize = list.nodes.iter().map(|node| node.member.heap()).sum();
        assert_eq!(list.heap, held);
    }

    fn key(n: usize) -> Vec<u8> {
        format!("m{n}").into_bytes()
    }

    #[test]
    fn follows_a_sorted_vec_through_random_changes() {
        let mut rng = Rng::new(61);
        let mut list = SkipList::new();
        let mut model: Vec<(i64, Vec<u8>, u32)> = Vec::new();
        for step in 0..8000 {
            let score = rng.below(40) as i64 - 20;
            let growing = step % 4000 < 2000;
            match rng.below(10) {
                n if n < if growing { 7 } else { 2 } => {
                    let id = list.insert(score as f64, &key(step), random_height(&mut rng));
                    model.push((score, key(step), id));
                }
                n if n < 8 && !model.is_empty() => {
                    list.remove(model.swap_remove(rng.below(model.len())).2);
                }
                _ if !model.is_empty() => {
                    let at = rng.below(model.len());
                    list.set_score(model[at].2, score as f64);
                    model[at].0 = score;
                }
                _ => {}
            }
            if step % 100 == 0 {
                check(&list);
                model.sort();
                for (rank, (score, member, id)) in model.iter().enumerate() {
                    assert_eq!((list.score(*id), list.member(*id)), (*score as f64, &member[..]));
                    assert_eq!((list.rank(*id), list.at_rank(rank)), (rank, Some(*id)));
                }
                let below = model.iter().filter(|(score, ..)| *score < 5).count();
                assert_eq!(list.rank_where(|score, _| score < 5.0), below);
                assert_eq!(list.at_rank(model.len()), None);
            }
        }
    }

    #[test]
    fn removes_ranges() {
        let mut rng = Rng::new(62);
        for (start, n) in [(0, 0), (0, 1), (0, 1000), (999, 1), (250, 500), (900, 5000), (1000, 1)]
        {
            let mut list = SkipList::new();
            for n in 0..1000 {
                list.insert(n as f64, &key(n), random_height(&mut rng));
            }
            let mut shown = Vec::new();
            let removed =
                list.remove_range(start, n, |list, id| shown.push(list.score(id) as usize));
            assert!(shown.iter().copied().eq(start..(start + n).min(1000)));
            assert_eq!((removed, list.len()), (shown.len(), 1000 - shown.len()));
            check(&list);
        }
    }

    #[test]
    fn rebuilds_in_order_and_reuses_what_was_freed() {
        let mut rng = Rng::new(63);
        let mut list = SkipList::new();
        let ids: Vec<u32> =
            (0..1000).map(|n| list.insert(-(n as f64), &key(n), random_height(&mut rng))).collect();
        let (nodes, links) = (list.nodes.len(), list.links.len());
        ids.iter().for_each(|id| list.remove(*id));
        assert!(list.is_empty() && list.is_sparse() && list.height == 1 && list.heap == 0);
        // The same heights again find all they need among what was freed.
        let mut rng = Rng::new(63);
        for n in 0..1000 {
            list.insert(f64::from(n), &key(n as usize), random_height(&mut rng));
        }
        check(&list);
        assert_eq!((list.nodes.len(), list.links.len()), (nodes, links));

        ids.iter().take(900).for_each(|id| list.remove(*id));
        let rebuilt = SkipList::from_sorted(list.into_sorted());
        check(&rebuilt);
        assert_eq!((rebuilt.len(), rebuilt.nodes.len()), (100, 101));
        assert_eq!(rebuilt.at_rank(99), Some(100));
    }
}
