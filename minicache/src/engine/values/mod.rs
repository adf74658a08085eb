//! The values of keys: lists, hashes, sets and sorted sets. They know no keys, clients or clocks.
//!
//! Each type starts packed. When it exceeds [`Limits`], it is converted once and stays so:
//!
//! | type | small | large |
//! |---|---|---|
//! | [`list::List`] | one packed node | a queue of packed nodes |
//! | [`hash::Hash`] | packed fields and values | [`dict::Dict`] of pairs |
//! | [`set::Set`] | sorted integers ([`intset::IntSet`]) | [`dict::Dict`] of members |
//! | [`zset::ZSet`] | packed members and scores | [`skiplist::SkipList`] and an index |
//!
//! Packed means a [`Listpack`](crate::format::listpack::Listpack). Reading never allocates:
//! elements are borrowed, or integers. A value may become empty; the keyspace then removes its key.
//!
//! Counterparts in Redis: `t_list.c`, `t_hash.c`, `t_set.c` and `t_zset.c`, without the commands.

pub(crate) mod dict;
pub(crate) mod hash;
pub(crate) mod intset;
pub(crate) mod list;
pub(crate) mod set;
pub(crate) mod skiplist;
pub(crate) mod zset;

/// The limits of the packed forms. Each field is the configuration parameter of the same name.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Fields a packed hash may have.
    pub hash_max_listpack_entries: usize,
    /// Length of a field or value that a packed hash may have, in bytes.
    pub hash_max_listpack_value: usize,
    /// Size of a list node: a number of elements, or, negative, -1 to -5 for 4, 8, 16, 32 or 64
    /// KiB.
    pub list_max_listpack_size: i32,
    /// Members a set of integers may have.
    pub set_max_intset_entries: usize,
    /// Members a packed sorted set may have.
    pub zset_max_listpack_entries: usize,
    /// Length of a member that a packed sorted set may have, in bytes.
    pub zset_max_listpack_value: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            list_max_listpack_size: -2,
            set_max_intset_entries: 512,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
        }
    }
}

/// Returns the memory that an allocation of `len` bytes takes: glibc adds 8 bytes and rounds up to
/// a multiple of 16, at least 32.
pub fn allocation(len: usize) -> usize {
    if len == 0 { 0 } else { (len + 8).next_multiple_of(16).max(32) }
}

/// Reserves memory for one more item, a quarter of the length at a time. A vector that doubles
/// leaves a third of its memory unused on average. The additional copies are cheap for large
/// vectors, because the allocator moves large blocks by remapping pages.
fn reserve_one<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact(items.len() / 4 + 4);
    }
}

/// Frees memory if three quarters of it are unused. Half of the remaining capacity is free, so the
/// next copy is at least as many insertions or removals away as this one copies items.
fn shrink_if_sparse<T>(items: &mut Vec<T>) {
    if items.len() < items.capacity() / 4 {
        items.shrink_to(items.len() * 2);
    }
}
