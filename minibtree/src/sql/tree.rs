//! The trees between the syntax and the plan: `minibtree/query` and `minibtree/expression`, with a
//! table of the catalog where they name one.

use super::catalog::Table;
pub use minibtree_expression::{Column, Deparser, SubqueryKind};
use minibtree_query as query;
pub use minibtree_query::{JoinKind, Lock, OutputColumn, SetFunction, SetOperator, SortKey};
use std::sync::Arc;

pub type Expr = query::Expr<Arc<Table>>;
pub type Subquery = query::Subquery<Arc<Table>>;
pub type Compute<'c> = query::Compute<'c, Arc<Table>>;

pub type Query = query::Query<Arc<Table>>;
pub type Body = query::Body<Arc<Table>>;
pub type Select = query::Select<Arc<Table>>;
pub type Relation = query::Relation<Arc<Table>>;
pub type Source = query::Source<Arc<Table>>;
pub type FromItem = query::FromItem<Arc<Table>>;
pub type Grouping = query::Grouping<Arc<Table>>;
pub type Window = query::Window<Arc<Table>>;
pub type AggregateCall = query::AggregateCall<Arc<Table>>;

pub type Modification = query::Modification<Arc<Table>>;
pub type Operation = query::Operation<Arc<Table>>;
pub type Write = query::Write<Arc<Table>>;
pub type Conflict = query::Conflict<Arc<Table>>;
pub type ConflictUpdate = query::ConflictUpdate<Arc<Table>>;
pub type Computed = query::Computed<Arc<Table>>;
