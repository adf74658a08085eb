//! Constant parts are computed, but only those that a row may get to.

use minibtree_expression::{Column, Compute, Deparser, Expr, InnerQuery, SubqueryKind};
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{ColumnType, Type, Value};

/// There are no subqueries here.
#[derive(Clone, Debug, PartialEq)]
enum NoQuery {}

impl InnerQuery for NoQuery {
    fn base(&self) -> Type {
        match *self {}
    }

    fn walk(&self, _: usize, _: &mut dyn FnMut(&Expr<Self>, usize)) {
        match *self {}
    }

    fn change(
        &mut self,
        _: usize,
        _: &mut dyn FnMut(&mut Expr<Self>, usize) -> Result<()>,
    ) -> Result<()> {
        match *self {}
    }

    fn fold(&mut self, _: &SubqueryKind, _: &mut Compute<'_, Self>) -> Result<()> {
        match *self {}
    }
}

fn bool(value: bool) -> Expr<NoQuery> {
    Expr::Constant(Value::Bool(value), Type::Bool)
}

/// A part that cannot be computed.
fn fails() -> Expr<NoQuery> {
    Expr::Not(Box::new(Expr::null(Type::Bool)))
}

fn column() -> Expr<NoQuery> {
    let column_type = ColumnType { base: Type::Bool, modifier: -1 };
    Expr::Column(Column { level: 0, position: 0, column_type })
}

/// The text of an expression after folding, or the SQLSTATE of the error.
fn folded(mut expr: Expr<NoQuery>) -> String {
    let compute: &mut Compute<'_, NoQuery> = &mut |expr| match expr {
        Expr::Not(inner) if **inner == bool(true) => Ok(Value::Bool(false)),
        Expr::And(_) | Expr::Case(..) => Ok(Value::Bool(true)),
        _ => Err(SqlError::new(code::DIVISION_BY_ZERO, "division by zero")),
    };
    if let Err(error) = expr.fold(compute) {
        return error.code.to_string();
    }
    Deparser { name_of: &|_, _| String::new(), names: &[&["a".into()]], subplan: None }.text(&expr)
}

#[test]
fn constants_are_computed() {
    assert_eq!(folded(Expr::Not(bool(true).into())), "false");
    assert_eq!(folded(Expr::And(vec![bool(true), bool(true)])), "true");
    assert_eq!(folded(Expr::And(vec![column(), Expr::Not(bool(true).into())])), "false");
}

#[test]
fn an_error_is_found_only_where_a_row_may_get_to() {
    assert_eq!(folded(Expr::Or(vec![column(), fails()])), "22012");
    assert_eq!(folded(Expr::Or(vec![bool(true), fails()])), "true");
    let case = |condition| Expr::Case(vec![(condition, fails())], Box::new(bool(true)));
    assert_eq!(folded(case(column())), "22012");
    assert_eq!(folded(case(bool(false))), "true");
}
