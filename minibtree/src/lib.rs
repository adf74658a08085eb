//! A PostgreSQL small enough to read in an evening.
//!
//! # Floors, bottom up
//!
//! | module | what it is |
//! |---|---|
//! | [`format`](mod@format) | bytes on disk: pages, tuples, index pages, log records |
//! | [`engine`] | buffer pool, B+tree, write-ahead log, heap, transactions |
//! | [`wire`] | PostgreSQL's protocol: bytes to messages, replies to bytes |
//! | [`sql`] | what clients may ask: types, catalog, statements, sessions |
//! | `server` | sockets, a thread for each client, checkpoints |
//!
//! # The contract between the engine and what is above it
//!
//! The engine stores bytes. It knows no types, columns or SQL.
//!
//! * **A row is a byte string.** The caller encodes and decodes it. NULLs are the caller's.
//!   It fits a page: [`LongValues`](engine::LongValues) stores what is longer, and the row where.
//! * **An index key is a byte string whose order is the order of the index.** The caller encodes
//!   columns so that `memcmp` sorts them ("memcomparable"), descending columns and NULLs included.
//!   No encoded key may be a proper prefix of another key of the same index, because the engine
//!   appends the TID to make every entry unique. The encoding of a fixed list of columns has that
//!   property if the encoding of each column has it.
//! * **A hash index** ([`Index::create_hash`](engine::Index::create_hash)) takes the same keys and
//!   calls. It finds the entries of a whole key ([`KeyRange::equal`](engine::KeyRange::equal)), in
//!   one page, and knows no order.
//! * **The payload of an index entry** is what `INCLUDE` columns need. The engine returns it as it
//!   was given.
//! * **An index entry says nothing about visibility.** Every index scan is followed by
//!   [`Heap::fetch`](engine::Heap::fetch), or by a look at
//!   [`Heap::is_all_visible`](engine::Heap::is_all_visible).
//! * **Relations are numbers**, like PostgreSQL's relfilenodes. Names, columns and which index
//!   belongs to which heap are the caller's, kept in heaps of its own with fixed numbers below
//!   [`RelationId::FIRST_ALLOCATED`](format::RelationId::FIRST_ALLOCATED). `TRUNCATE` creates new
//!   relations, drops the old ones and updates the catalog.
//! * **An index that is built over existing rows** ([`Index::build`](engine::Index::build)) gets
//!   the TID of [`Heap::root`](engine::Heap::root) for each row of a scan. It must not be used with
//!   snapshots that are older than itself: it has no entries for versions that only they see.
//! * **Calls block**: for a page read, a row lock or the log. Many threads share one `Database`.
//!   The caller brings a thread per connection.
//!
//! # The life of a page split
//!
//! 1. [`Index::insert`](engine::Index::insert) goes down with one latch at a time and latches the
//!    leaf (`engine/btree/search.rs`).
//! 2. The leaf is full. `engine/btree/insert.rs` chooses where to split and latches upwards until a
//!    node has room.
//! 3. Both halves and the parent change, and one record describes them (`Pool::log`).
//! 4. A search that was on its way to the left half finds the key behind its high key and goes
//!    right.
//! 5. After a crash, recovery applies the record to all of these pages, or finds it torn and stops
//!    before it (`Database::open`).
//!
//! # The life of a commit
//!
//! 1. [`Heap::insert`](engine::Heap::insert) takes a transaction id when it first writes.
//! 2. [`Transaction::commit`](engine::Transaction::commit) sets the bit of the id.
//! 3. New snapshots see it; locks are released.
//! 4. `Wal::flush` writes the log, for everyone who has committed meanwhile.
//! 5. The caller answers its client.

#[macro_use(error, unsupported)]
extern crate minibtree_types;

pub mod engine;
pub mod format;
pub mod sql;
pub mod wire;

#[cfg(feature = "server")]
pub mod server;
