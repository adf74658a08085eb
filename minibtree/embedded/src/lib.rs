//! minibtree as a library: a database in this process, without a server and without the wire.
//!
//! ```
//! use minibtree_embedded::Database;
//!
//! # let scratch = minikit::harness::Scratch::new("embedded")?;
//! # let directory = scratch.path();
//! let database = Database::open(directory)?; // creates it, or recovers it after a crash
//! let mut session = database.session();
//! session.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)", &[])?;
//! session.execute("INSERT INTO t VALUES ($1, $2), ($3, $4)", &[&1, &"one", &2, &None::<&str>])?;
//!
//! for row in session.query("SELECT id, name FROM t WHERE id <= $1 ORDER BY id", &[&2])? {
//!     let (id, name): (i64, Option<&str>) = (row.get(0)?, row.get("name")?);
//!     println!("{id} {name:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `database.rs` | an open directory, its threads, its end |
//! | `session.rs` | statements, and their cache |
//! | `transaction.rs` | blocks and savepoints that roll back unless they are committed |
//! | `row.rs` | rows by position and by name |
//! | `convert.rs` | Rust's types from values and to them |
//!
//! # Which thread?
//!
//! Threads share a [`Database`]. A [`Session`] stays on the thread that made it, because plans and
//! cursors are counted without atomics (`Rc`). A statement runs on its caller's thread: waiting for
//! a lock blocks that thread, and the stack is the thread's. A statement of 2,000 tokens without a
//! comma, the most that is accepted, may need more than the 2 MB of [`std::thread::spawn`]; the
//! server gives its threads 8 MB.
//!
//! # Durability
//!
//! As with the server, a commit that has returned is on the disk, and a query returns rows only
//! when the commits that wrote them are. If the log or a checkpoint cannot be written, statements
//! end with [`Severity::Panic`] from then on. The next [`Database::open`] recovers.
//!
//! # What it leaves out
//!
//! COPY needs a connection, and notices and warnings are dropped. SQLite's counterpart is
//! `sqlite3_step`; PostgreSQL has no library, and its functions in C call `spi.c`.

mod convert;
mod database;
mod row;
mod session;
mod transaction;

pub use bigdecimal::BigDecimal;
pub use convert::{FromValue, ToValue};
pub use database::Database;
pub use minibtree::engine::{Interrupt, Isolation, Options};
pub use minibtree_types::error::{Result, Severity, SqlError as Error, code};
pub use minibtree_types::values::{Float, Type, Value};
pub use row::{Column, Place, Row};
pub use session::Session;
pub use transaction::Transaction;
