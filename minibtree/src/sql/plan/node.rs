//! Plans of `minibtree/plan` with tables of the catalog, and what belongs to one of a statement.

use crate::engine::LockMode;
use crate::format::RelationId;
use crate::sql::catalog::{Catalog, Table};
use crate::sql::values::Type;
use crate::wire::{Field, SqlError};
use minibtree_joins::Indexed;
pub use minibtree_plan::Method;
use std::rc::Rc;
use std::sync::Arc;

pub type Node = minibtree_plan::Node<Arc<Table>>;
pub type Kind = minibtree_plan::Kind<Arc<Table>>;
pub type Scanned = minibtree_plan::Scanned<Arc<Table>>;
pub type Bounds = minibtree_plan::Bounds<Arc<Table>>;
pub type SortBy = minibtree_plan::SortBy<Arc<Table>>;
pub type Plan = minibtree_plan::Plan<Arc<Table>>;
pub type SubPlan = minibtree_plan::SubPlan<Arc<Table>>;
pub type LockRows = minibtree_plan::LockRows<Arc<Table>>;
pub type Modify = minibtree_plan::Modify<Arc<Table>>;

pub type Known<'a> = minibtree_joins::Known<'a, Arc<Table>>;
pub type Condition = minibtree_joins::Condition<Arc<Table>>;

/// A plan and what a client may ask about it.
#[derive(Debug, Default)]
pub struct Planned {
    /// The catalog that it was made for.
    pub catalog: Rc<Catalog>,
    pub plan: Plan,
    pub subplans: Vec<SubPlan>,
    /// The subplans that are init plans, each with the topmost node of the query it belongs to.
    pub init_plans: Vec<(usize, usize)>,
    /// Subqueries that lock their rows, which are executed before the rest of the statement. One
    /// may read those before it.
    pub locked: Vec<Rc<LockRows>>,
    pub nodes: usize,
    /// The tables that are locked before it is executed.
    pub tables: Vec<(RelationId, LockMode)>,
    pub parameters: Vec<Type>,
    /// The columns of the result; `None` for statements without one.
    pub fields: Option<Vec<Field>>,
    pub types: Vec<Type>,
    /// The error of a constant part, with which the statement fails whatever the rows are.
    pub failure: Option<SqlError>,
}

impl Indexed for Table {
    fn unique_keys(&self) -> Vec<Vec<usize>> {
        let keys = self.indexes.iter().filter(|it| it.is_read && it.is_key());
        keys.map(|it| it.positions()).collect()
    }

    fn ascending(&self, index: usize, is_backward: bool) -> Vec<usize> {
        let index = &self.indexes[index];
        let sorted = index.columns.iter().take_while(|it| {
            let is_ascending = [it.descending, it.nulls_first] == [is_backward; 2];
            is_ascending && it.expression().is_none() && !index.index.is_hash()
        });
        sorted.map(|it| it.position).collect()
    }
}
