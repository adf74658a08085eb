//! Casts: turning an expression of one type into one of another.
//!
//! **Which type does `$1` or `'5'` have?** The client need not say: pgbench prepares its statements
//! without types. Until something needs a type, it is *unknown*. Then the context decides: an
//! operator takes the type of the other operand, and an assignment that of the column. If nothing
//! decides, a column of a result is text, and other parameters are an error.
//!
//! PostgreSQL's `parse_coerce.c` and `parse_param.c`.

use super::expression::expression;
use super::level::{Binder, Typed};
use crate::sql::functions::casts::{self, Context};
use crate::sql::tree::Expr;
use crate::sql::values::{ColumnType, Type, Value};
use crate::wire::{Result, SqlError, code};
use minibtree_errors::queries::{wrong_parameter, wrong_value};
use minibtree_pg_catalog::number_of;
use sqlparser::ast;

/// Casts an expression. Returns `None` if there is no cast that the context allows.
///
/// # Errors
/// `22P02` and others if a literal is not one of the type.
pub fn coerce(
    binder: &mut Binder,
    typed: Typed,
    to: Type,
    context: Context,
) -> Result<Option<Expr>> {
    let (from, start) = (typed.base(), typed.start);
    Ok(match typed.expr {
        expr if from == to => Some(expr),
        Expr::Constant(Value::Text(text), Type::Unknown | Type::Text) if to.is_object() => {
            let number = number_of(binder.catalog.objects(), to, &text);
            Some(Expr::Constant(Value::Int(number.map_err(|it| it.at(start))?), to))
        }
        Expr::Constant(Value::Text(text), Type::Unknown) => {
            Some(Expr::Constant(to.parse(&text).map_err(|it| it.at(start))?, to))
        }
        Expr::Constant(Value::Null, Type::Unknown) => Some(Expr::null(to)),
        Expr::Parameter(number, Type::Unknown) => {
            let known = *binder.parameters[number].get_or_insert(to);
            if known != to {
                let text = format!("inconsistent types deduced for parameter ${}", number + 1);
                let types = format!("{} versus {}", known.name(), to.name());
                return Err(SqlError::new(code::AMBIGUOUS_PARAMETER, text).detail(types).at(start));
            }
            Some(Expr::Parameter(number, known))
        }
        _ if casts::context(from, to).is_none_or(|needed| needed > context) => None,
        // What fails stays a cast: it may be in a part of the statement that is never computed.
        Expr::Constant(ref value, _)
            if !value.is_null()
                && !from.is_object()
                && !binder.keeps_casts
                && let Ok(value) = casts::cast(value.clone(), from, to) =>
        {
            Some(Expr::Constant(value, to))
        }
        expr => Some(Expr::Cast(Box::new(expr), from, to, context == Context::Explicit)),
    })
}

/// Casts an operand or argument. The caller has chosen an operator or function that allows it.
pub fn implicit(binder: &mut Binder, typed: Typed, to: Type) -> Result<Expr> {
    let from = typed.base();
    coerce(binder, typed, to, Context::Implicit)?.ok_or_else(|| cannot_cast(from, to))
}

/// `x::type`, which allows every cast.
///
/// # Errors
/// `42846` if there is no such cast.
pub fn explicit(binder: &mut Binder, typed: Typed, to: ColumnType) -> Result<Typed> {
    let (from, start) = (typed.base(), typed.start);
    let cast = coerce(binder, typed, to.base, Context::Explicit)?;
    let expr = cast.ok_or_else(|| cannot_cast(from, to.base))?;
    let expr = match expr {
        expr if to.modifier < 0 => expr,
        Expr::Constant(value, base) => Expr::Constant(to.fit_or_cut(value)?, base),
        expr => Expr::Fit(Box::new(expr), to, true),
    };
    Ok(Typed { expr, column_type: to, start })
}

fn cannot_cast(from: Type, to: Type) -> SqlError {
    error!(CANNOT_COERCE, "cannot cast type {} to {}", from.name(), to.name())
}

/// An argument of EXECUTE, for a parameter of a type.
///
/// # Errors
/// `42804` if it cannot be assigned to it.
pub fn argument(binder: &mut Binder, expr: &ast::Expr, index: usize, to: Type) -> Result<Expr> {
    let typed = binder.inside("EXECUTE parameters", |binder| expression(binder, expr))?;
    let (from, start) = (typed.base(), typed.start);
    coerce(binder, typed, to, Context::Assignment)?
        .ok_or_else(|| wrong_parameter(index, from.name(), to.name()).at(start))
}

/// A value for a column, with PostgreSQL's assignment casts.
///
/// # Errors
/// `42804` if there is none.
pub fn assign(binder: &mut Binder, typed: Typed, column: &str, to: ColumnType) -> Result<Expr> {
    let (from, start) = (typed.column_type, typed.start);
    let Some(expr) = coerce(binder, typed, to.base, Context::Assignment)? else {
        return Err(wrong_value(column, to.base.name(), from.base.name()).at(start));
    };
    Ok(match expr {
        expr if to.modifier < 0 || from == to => expr,
        Expr::Constant(value, base) => Expr::Constant(to.fit(value)?, base),
        expr => Expr::Fit(Box::new(expr), to, false),
    })
}

/// `42P18`: nothing decides the type of a parameter, which is number `index` from 0 on.
pub fn indeterminate_type(index: usize) -> SqlError {
    error!(INDETERMINATE_DATATYPE, "could not determine data type of parameter ${}", index + 1)
}

/// An expression of unknown type is text.
pub fn unknown_to_text(binder: &mut Binder, typed: Typed) -> Result<Typed> {
    match typed.base() {
        Type::Unknown => Ok(Typed::new(implicit(binder, typed, Type::Text)?, Type::Text)),
        _ => Ok(typed),
    }
}

/// The type that expressions of these types have in common, as in CASE and UNION.
///
/// # Errors
/// `42804`, naming `what`.
pub fn common_type(types: &[ColumnType], what: &str) -> Result<ColumnType> {
    let first = types.first().copied().unwrap_or(Type::Text.plain());
    if first.base != Type::Unknown && types.iter().all(|it| *it == first) {
        return Ok(first);
    }
    let mut known = types.iter().map(|it| it.base).filter(|it| *it != Type::Unknown);
    let Some(mut common) = known.next() else { return Ok(Type::Text.plain()) };
    for other in known.filter(|it| *it != Type::Unknown) {
        if other.category() != common.category() {
            let (left, right) = (common.name(), other.name());
            let text = format!("{what} types {left} and {right} cannot be matched");
            return Err(SqlError::new(code::DATATYPE_MISMATCH, text));
        }
        let is_wider = casts::is_implicit(common, other) && !casts::is_implicit(other, common);
        if !common.is_preferred() && is_wider {
            common = other;
        }
    }
    Ok(common.plain())
}

/// Casts all expressions to their common type, and returns that type.
pub fn unify(binder: &mut Binder, all: Vec<Typed>, what: &str) -> Result<(Vec<Expr>, ColumnType)> {
    let types: Vec<ColumnType> = all.iter().map(|it| it.column_type).collect();
    // The first expression that cannot have the type of those before it is to blame.
    let blamed = |it: &usize| common_type(&types[..=*it], what).is_err();
    let start = || (0..all.len()).find(blamed).map_or(0, |it| all[it].start);
    let common = common_type(&types, what).map_err(|it| it.at(start()))?;
    let cast = |typed: Typed| {
        let from = typed.base();
        coerce(binder, typed, common.base, Context::Implicit)?.ok_or_else(|| {
            let text =
                format!("{what} could not convert type {} to {}", from.name(), common.name());
            SqlError::new(code::CANNOT_COERCE, text)
        })
    };
    Ok((all.into_iter().map(cast).collect::<Result<_, _>>()?, common))
}
