//! The values a key can hold, as structures that know nothing of keys, clients or clocks.
//!
//! Each type starts small and packed, and changes once, for good, when it outgrows [`Limits`]:
//!
//! | type | while small | when large |
//! |---|---|---|
//! | [`list::List`] | one packed node | many, in a queue |
//! | [`hash::Hash`] | packed fields and values | [`dict::Dict`] of pairs |
//! | [`set::Set`] | sorted integers ([`intset::IntSet`]) | [`dict::Dict`] of members |
//! | [`zset::ZSet`] | packed members and scores | [`skiplist::SkipList`] and an index |
//!
//! Packed means a [`Listpack`](crate::format::listpack::Listpack). Reading never allocates:
//! elements come out borrowed, integers among them as integers. A value may become empty; removing
//! its key is the keyspace's part.
//!
//! Counterparts in Redis: `t_list.c`, `t_hash.c`, `t_set.c` and `t_zset.c`, less the commands.

pub mod dict;
pub mod hash;
pub mod intset;
pub mod list;
pub mod set;
pub mod skiplist;
pub mod zset;

/// How large the packed forms may grow; named after the configuration parameters they come from.
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

/// What an allocation of `len` bytes takes: glibc puts 8 bytes before it and rounds up to 16, at
/// least to 32.
pub fn allocation(len: usize) -> usize {
    if len == 0 { 0 } else { (len + 8).next_multiple_of(16).max(32) }
}

/// Makes room for one more item, a quarter of the length at a time: large vectors double otherwise,
/// and on average a third of their memory would be idle. The copies this adds are cheap where it
/// matters, since the allocator moves large blocks by remapping pages.
fn make_room<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact(items.len() / 4 + 4);
    }
}

/// Gives memory back where three quarters of it are idle. Half of what stays is free room, so the
/// next copy is as many insertions or removals away as this one moved items.
fn give_back_room<T>(items: &mut Vec<T>) {
    if items.len() < items.capacity() / 4 {
        items.shrink_to(items.len() * 2);
    }
}
