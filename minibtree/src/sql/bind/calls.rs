//! Calls: functions, aggregates, and functions with a syntax of their own, like `extract`.
//!
//! PostgreSQL's `ParseFuncOrColumn` in `parse_func.c`. There, `coalesce`, `nullif`, `greatest` and
//! `least` are expressions too, because they need not evaluate all arguments.

use super::coerce::{coerce, explicit, implicit, unify, unknown_to_text};
use super::expression::{boolean, expression, operator, unsupported};
use super::from;
use super::level::{Binder, Typed};
use super::select::{self, direction};
use crate::sql::functions::casts::Context;
use crate::sql::functions::{Found, aggregates, find, is_variadic, undefined_function};
use crate::sql::statement::folded;
use crate::sql::tree::{AggregateCall, Expr, Subquery, SubqueryKind, Window};
use crate::sql::values::Type;
use crate::wire::{Result, SqlError, code};
use minibtree_errors::queries::ambiguous_function;
use sqlparser::ast;

/// Binds a call, or an expression with a syntax of its own that is a call.
pub fn expression_call(binder: &mut Binder, expr: &ast::Expr) -> Result<Typed> {
    use ast::Expr::*;

    match expr {
        Function(call) => function(binder, call),
        Extract { field, syntax: _, expr } => {
            let field = field.to_string().to_lowercase().replace('\'', "");
            let field = ast::Expr::value(ast::Value::SingleQuotedString(field));
            named_of(binder, "extract", [&field, expr])
        }
        Ceil { expr: inner, field } | Floor { expr: inner, field } => {
            let is_plain = ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime);
            if *field != is_plain {
                return Err(unsupported(expr));
            }
            named_of(binder, if matches!(expr, Ceil { .. }) { "ceil" } else { "floor" }, [&**inner])
        }
        Position { expr, r#in } => named_of(binder, "position", [&**r#in, expr]),
        Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let required = [&**expr, overlay_what, overlay_from].into_iter();
            named_of(binder, "overlay", required.chain(overlay_for.as_deref()))
        }
        Substring { expr: inner, substring_from, substring_for, special: _, shorthand: _ } => {
            let first = ast::Expr::value(ast::Value::Number("1".to_owned(), false));
            let from = substring_from.as_deref().unwrap_or(&first);
            let required = [&**inner, from].into_iter();
            named_of(binder, "substring", required.chain(substring_for.as_deref()))
        }
        Trim { trim_where, trim_what, expr: inner, trim_characters: None } => {
            let name = match trim_where {
                None | Some(ast::TrimWhereField::Both) => "btrim",
                Some(ast::TrimWhereField::Leading) => "ltrim",
                Some(ast::TrimWhereField::Trailing) => "rtrim",
            };
            named_of(binder, name, [&**inner].into_iter().chain(trim_what.as_deref()))
        }
        AtTimeZone { timestamp, time_zone } => {
            named_of(binder, "timezone", [&**time_zone, timestamp])
        }
        _ => Err(unsupported(expr)),
    }
}

/// Binds a call of a function by its name.
fn named_of<'a>(
    binder: &mut Binder,
    name: &str,
    exprs: impl IntoIterator<Item = &'a ast::Expr>,
) -> Result<Typed> {
    let arguments = exprs.into_iter().map(|it| expression(binder, it)).collect::<Result<_, _>>()?;
    named(binder, name, arguments)
}

/// `current_timestamp` and its kin.
pub fn current(name: &str) -> Result<Typed> {
    let cast = |name, to| {
        let now = Box::new(Expr::Now(name));
        Typed::new(Expr::Cast(now, Type::TimestampTz, to, true), to)
    };
    Ok(match name {
        "current_date" => cast("CURRENT_DATE", Type::Date),
        "localtimestamp" => cast("LOCALTIMESTAMP", Type::Timestamp),
        "current_timestamp" => Typed::new(Expr::Now("CURRENT_TIMESTAMP"), Type::TimestampTz),
        _ => Typed::new(Expr::Now("now()"), Type::TimestampTz),
    })
}

/// The name of a function, without `pg_catalog`.
fn name_of(name: &ast::ObjectName) -> Result<String> {
    let parts: Option<Vec<String>> =
        name.0.iter().map(|part| part.as_ident().map(folded)).collect();
    match parts.as_deref() {
        Some([name]) => Ok(name.clone()),
        Some([schema, name]) if schema == "pg_catalog" => Ok(name.clone()),
        _ => Err(unsupported!("the function {name}")),
    }
}

fn function(binder: &mut Binder, call: &ast::Function) -> Result<Typed> {
    let refused = || unsupported!("the expression {call}");
    let ast::Function {
        name,
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args,
        within_group,
        filter,
        null_treatment: None,
        over,
    } = call
    else {
        return Err(refused());
    };
    if !within_group.is_empty() {
        return Err(refused());
    }
    let name = name_of(name)?;
    let (list, distinct) = match args {
        ast::FunctionArguments::None => (&[][..], false),
        ast::FunctionArguments::Subquery(query) if name == "array" => return array(binder, query),
        ast::FunctionArguments::List(list) if list.clauses.is_empty() => {
            let distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
            (&list.args[..], distinct)
        }
        _ => return Err(refused()),
    };
    if let Some(over) = over {
        let is_plain = name == "row_number" && list.is_empty() && !distinct && filter.is_none();
        return if is_plain { row_number(binder, over) } else { Err(refused()) };
    }
    if name == "row_number" {
        return Err(error!(
            WRONG_OBJECT_TYPE,
            "window function row_number requires an OVER clause"
        ));
    }
    if aggregates::is_aggregate(&name) {
        return aggregate(binder, &name, list, distinct, filter.as_deref());
    }
    if distinct || filter.is_some() {
        return Err(refused());
    }

    let arguments = list.iter().map(|it| expression(binder, from::argument(it)?));
    let arguments = arguments.collect::<Result<_, _>>()?;
    special(binder, &name, arguments)
}

/// Calls that need not evaluate all arguments or take any number of them; otherwise [`named`].
fn special(binder: &mut Binder, name: &str, arguments: Vec<Typed>) -> Result<Typed> {
    match (name, &arguments[..]) {
        ("now" | "transaction_timestamp" | "current_timestamp" | "current_date", [])
        | ("localtimestamp", []) => current(name),
        ("coalesce", [_, ..]) => {
            let (all, column_type) = unify(binder, arguments, "COALESCE")?;
            Ok(Typed { expr: Expr::Coalesce(all), column_type, start: 0 })
        }
        ("greatest" | "least", [_, ..]) => {
            let (all, column_type) = unify(binder, arguments, &name.to_uppercase())?;
            let is_padded = column_type.base == Type::Bpchar;
            let expr = Expr::Extreme(all, name == "greatest", is_padded);
            Ok(Typed { expr, column_type, start: 0 })
        }
        ("nullif", [_, _]) => null_if(binder, arguments),
        // PostgreSQL has one for `anyelement`, which casts.
        ("quote_literal", [argument]) if argument.base() != Type::Unknown => {
            let texts = arguments.into_iter().map(|it| explicit(binder, it, Type::Text.plain()));
            let texts = texts.collect::<Result<_, _>>()?;
            named(binder, name, texts)
        }
        _ if is_variadic(name) => variadic(binder, name, arguments),
        _ => named(binder, name, arguments),
    }
}

/// A call of a function with bound arguments.
///
/// # Errors
/// `42883` or `42725` if there is not exactly one for their types.
pub fn named(binder: &mut Binder, name: &str, arguments: Vec<Typed>) -> Result<Typed> {
    let types: Vec<Type> = arguments.iter().map(Typed::base).collect();
    // PostgreSQL has these for intervals and times too, so a literal could be any of them.
    let is_open = ["date_trunc", "date_part", "extract"].contains(&name)
        && types.get(1) == Some(&Type::Unknown);
    let found = if is_open { Found::Several } else { find(name, &types) };
    let row = match found {
        Found::One(row) => row,
        Found::None => return Err(undefined_function(name, &types)),
        Found::Several => {
            let names: Vec<&str> = types.iter().map(|it| it.name()).collect();
            return Err(ambiguous_function(name, &names));
        }
    };
    let mut bound = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.into_iter().enumerate() {
        let to = row.arguments.get(index).unwrap_or(&Type::Text);
        bound.push(implicit(binder, argument, *to)?);
    }
    Ok(Typed::new(Expr::Call(row, bound), row.result))
}

/// `ARRAY(query)`
fn array(binder: &mut Binder, query: &ast::Query) -> Result<Typed> {
    let query = select::subquery(binder, query)?;
    let [column] = &query.columns[..] else {
        return Err(error!(SYNTAX_ERROR, "subquery must return only one column"));
    };
    let element = column.column_type.base;
    let base = Type::array_of(element)
        .ok_or_else(|| unsupported!("an array of the type {}", element.name()))?;
    let subquery = Subquery { kind: SubqueryKind::Array(base), left: Vec::new(), query };
    Ok(Typed::new(Expr::Subquery(Box::new(subquery)), base))
}

fn null_if(binder: &mut Binder, arguments: Vec<Typed>) -> Result<Typed> {
    let given = arguments[0].column_type;
    let test = operator(binder, "=", arguments)?.expr;
    let Expr::Compare(_, left, ..) = &test else { unreachable!("= is a comparison") };
    // NULLIF has the type that the comparison casts its first operand to.
    let value = left.clone();
    let base = value.base();
    let column_type = if base == given.base { given } else { base.plain() };
    Ok(Typed { expr: Expr::NullIf(Box::new(test), value), column_type, start: 0 })
}

/// A call of a function that takes any number of arguments, each as text.
fn variadic(binder: &mut Binder, name: &str, arguments: Vec<Typed>) -> Result<Typed> {
    let mut texts = Vec::new();
    for argument in arguments {
        let from = argument.base();
        // A boolean is `t` here, and `true` in a cast.
        if from == Type::Bool {
            return Err(unsupported!("{name} of a boolean"));
        }
        // A cast would take the spaces of `char(n)` away.
        let argument = match from {
            Type::Bpchar => Typed::new(argument.expr, Type::Text),
            _ => argument,
        };
        let text = coerce(binder, argument, Type::Text, Context::Explicit)?;
        texts.push(Typed::new(text.ok_or_else(|| undefined_function(name, &[from]))?, Type::Text));
    }
    named(binder, name, texts)
}

fn aggregate(
    binder: &mut Binder,
    name: &str,
    list: &[ast::FunctionArg],
    distinct: bool,
    filter: Option<&ast::Expr>,
) -> Result<Typed> {
    let level = binder.level();
    let (clause, allows) = (level.clause, level.allows_aggregates);
    binder.clause("aggregate", false);
    let bound = aggregate_arguments(binder, name, list, filter);
    binder.clause(clause, allows);
    let (arguments, filter) = bound?;
    check_own_columns(&arguments)?;
    if !allows {
        let text = match clause {
            "aggregate" => "aggregate function calls cannot be nested".to_owned(),
            clause => format!("aggregate functions are not allowed in {clause}"),
        };
        return Err(SqlError::new(code::GROUPING_ERROR, text));
    }

    let types: Vec<Type> = arguments.iter().map(Typed::base).collect();
    let aggregate =
        aggregates::find(name, &types).ok_or_else(|| undefined_function(name, &types))?;
    let mut exprs = Vec::new();
    for (argument, to) in arguments.into_iter().zip(&aggregate.arguments) {
        exprs.push(implicit(binder, argument, *to)?);
    }

    let result = aggregate.result;
    let call = AggregateCall { aggregate, arguments: exprs, distinct, filter };
    let aggregates = &mut binder.level().aggregates;
    let number = aggregates.iter().position(|it| *it == call).unwrap_or_else(|| {
        aggregates.push(call);
        aggregates.len() - 1
    });
    Ok(Typed::new(Expr::Aggregate(number, result), result))
}

/// `row_number() OVER (PARTITION BY .. ORDER BY ..)`
fn row_number(binder: &mut Binder, over: &ast::WindowType) -> Result<Typed> {
    let ast::WindowType::WindowSpec(ast::WindowSpec {
        window_name: None,
        partition_by,
        order_by,
        window_frame: None,
    }) = over
    else {
        return Err(unsupported!("OVER {over}"));
    };
    let (clause, allows) = (binder.level().clause, binder.level().allows_aggregates);
    if !["SELECT", "ORDER BY"].contains(&clause) {
        return Err(match clause {
            "aggregate" => {
                let text = "aggregate function calls cannot contain window function calls";
                SqlError::new(code::GROUPING_ERROR, text)
            }
            _ => error!(WINDOWING_ERROR, "window functions are not allowed in {clause}"),
        });
    }

    // A window may use aggregates, which are computed before it, but no other window.
    binder.clause("window definitions", true);
    let mut key = |expr: &ast::Expr| -> Result<Expr> {
        let typed = expression(binder, expr)?;
        Ok(unknown_to_text(binder, typed)?.expr)
    };
    let partition = partition_by.iter().map(&mut key).collect::<Result<Vec<_>, _>>();
    let order = order_by.iter().map(|it| {
        let (descending, nulls_first) = direction(it)?;
        Ok::<_, SqlError>((key(&it.expr)?, descending, nulls_first))
    });
    let order = order.collect::<Result<Vec<_>, _>>();
    binder.clause(clause, allows);

    let window = Window { partition: partition?, order: order? };
    let windows = &mut binder.level().windows;
    let number = windows.iter().position(|it| *it == window).unwrap_or(windows.len());
    if number == windows.len() {
        windows.push(window);
    }
    Ok(Typed::new(Expr::Window(number), Type::Int8))
}

fn aggregate_arguments(
    binder: &mut Binder,
    name: &str,
    list: &[ast::FunctionArg],
    filter: Option<&ast::Expr>,
) -> Result<(Vec<Typed>, Option<Expr>)> {
    let mut arguments = Vec::new();
    for argument in list {
        match argument {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)
                if name == "count" && list.len() == 1 => {}
            other => arguments.push(expression(binder, from::argument(other)?)?),
        }
    }
    if name == "count" && list.is_empty() {
        let text = "count(*) must be used to call a parameterless aggregate function";
        return Err(SqlError::new(code::WRONG_OBJECT_TYPE, text));
    }
    let filter = filter.map(|it| boolean(binder, it, "FILTER")).transpose()?;
    Ok((arguments, filter))
}

/// An aggregate of columns of an outer query only would belong to that query.
fn check_own_columns(arguments: &[Typed]) -> Result<()> {
    let (mut own, mut outer) = (false, false);
    for argument in arguments {
        argument.expr.walk(0, &mut |expr, depth| {
            if let Expr::Column(column) = expr {
                own |= column.level == depth;
                outer |= column.level > depth;
            }
        });
    }
    match outer && !own {
        true => Err(SqlError::unsupported("an aggregate of an outer query's columns")),
        false => Ok(()),
    }
}
