//! Joins: which subqueries become joins, in which order relations are joined, and by which method.
//!
//! | file | what it is |
//! |---|---|
//! | `semi.rs` | EXISTS and IN become semi and anti joins |
//! | `exists.rs` | EXISTS becomes IN where it cannot become a join |
//! | `known.rs` | how many rows meet a condition |
//! | `order.rs` | the order of joins, and the method of each |
//! | `merge.rs` | merge joins: both sides are sorted by their keys |
//!
//! ```text
//! SELECT .. FROM a JOIN b ON b.x = a.x WHERE EXISTS (SELECT 1 FROM c WHERE c.y = b.y) AND a.z = 5
//!
//! semi     FROM a JOIN b ON b.x = a.x SEMI JOIN c ON c.y = b.y
//! known    a.z = 5 has 10 rows, b.x = a.x has 100
//! order    (a b) c
//! method   a and b by a nested loop over the index on b (x), then a hash table of c
//! ```
//!
//! How a single table is read is the caller's business ([`Context`]). Of a table, joins need only
//! its unique keys and the order of its indexes ([`Indexed`]).
//!
//! PostgreSQL's `prepjointree.c`, `selfuncs.c` and `joinpath.c`.

mod exists;
mod known;
mod merge;
mod order;
mod semi;

pub use exists::as_any;
pub use known::Known;
pub use order::{Condition, Context, Plans, join};
pub use semi::with_semi_joins;

use minibtree_query::Expr;
use minibtree_types::values::Type;
use std::ops::Deref;

/// What joins ask of a table.
pub trait Indexed {
    /// The columns of each unique key.
    fn unique_keys(&self) -> Vec<Vec<usize>>;

    /// The columns by which the rows of an index scan are sorted, ascending, NULLs last.
    fn ascending(&self, index: usize, is_backward: bool) -> Vec<usize>;
}

/// A table in a query: a pointer to one that says what its indexes are.
pub trait Table: Clone + Deref<Target: Indexed> {}

impl<T: Clone + Deref<Target: Indexed>> Table for T {}

/// The type whose hash both sides have, if they have one.
pub fn hash_type(left: Type, right: Type) -> Option<Type> {
    let both = |is: fn(Type) -> bool| is(left) && is(right);
    match () {
        () if left == right => Some(left),
        () if both(Type::is_integer) => Some(Type::Int8),
        () if both(|it| matches!(it, Type::Text | Type::Varchar)) => Some(Type::Text),
        () if both(|it| matches!(it, Type::Float4 | Type::Float8)) => Some(Type::Float8),
        () => None,
    }
}

/// Subqueries are executed once per scan at least; others are left to the filter.
pub fn is_stable<T>(expr: &Expr<T>) -> bool {
    !expr.has(0, |it, _| !it.is_stable())
}

/// A varchar column is compared as text.
pub fn stripped<T>(expr: &Expr<T>) -> &Expr<T> {
    match expr {
        Expr::Cast(inner, Type::Varchar, Type::Text, false) => inner,
        expr => expr,
    }
}
