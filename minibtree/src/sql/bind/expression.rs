//! Expressions.
//!
//! PostgreSQL's `transformExprRecurse` in `parse_expr.c`.

use super::array::in_array;
use super::calls;
use super::coerce::{coerce, explicit, implicit, indeterminate_type, unify, unknown_to_text};
use super::level::{Binder, Typed};
use super::{from, select};
use crate::sql::functions::casts::Context;
use crate::sql::functions::{Comparison, Found, find_operator};
use crate::sql::statement::{column_type, folded, is_reserved};
use crate::sql::tree::{Body, Expr, Query, Subquery, SubqueryKind};
use crate::sql::values::{Category, Type, Value, numeric};
use crate::wire::{Result, SqlError, code};
use minibtree_errors::queries::{ambiguous_operator, no_operator};
use minibtree_places::{place_of, start_of};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator};

/// Binds an expression.
///
/// # Errors
/// `42703`, `42804`, `42883` for what does not exist or does not match, `0A000`.
pub fn expression(binder: &mut Binder, expr: &ast::Expr) -> Result<Typed> {
    let typed = any_expression(binder, expr).map_err(|it| it.inside(place_of(expr)))?;
    Ok(Typed { start: start_of(expr), ..typed })
}

fn any_expression(binder: &mut Binder, expr: &ast::Expr) -> Result<Typed> {
    use ast::Expr::*;

    match expr {
        Nested(inner) => expression(binder, inner),
        Identifier(name) => name_alone(binder, name),
        CompoundIdentifier(parts) => qualified(binder, expr, parts),
        Value(value) => literal(binder, &value.value),
        TypedString(typed) => {
            let to = column_type(&typed.data_type)?;
            let text = literal(binder, &typed.value.value)?;
            explicit(binder, text, to)
        }
        Cast {
            kind: ast::CastKind::Cast | ast::CastKind::DoubleColon,
            expr,
            data_type,
            format: None,
        } => {
            let inner = expression(binder, expr)?;
            explicit(binder, inner, column_type(data_type)?)
        }
        UnaryOp { op: UnaryOperator::Not, expr } => {
            Ok(Typed::new(Expr::Not(Box::new(boolean(binder, expr, "NOT")?)), Type::Bool))
        }
        UnaryOp { op: UnaryOperator::Minus, expr } => negative(binder, expr),
        UnaryOp { op, expr } => {
            let inner = expression(binder, expr)?;
            operator(binder, &op.to_string(), vec![inner])
        }
        BinaryOp { left, op, right } => binary(binder, left, op, right),
        In { expr, target, negated: is_negated, global: false } => {
            let found = match target {
                ast::InTarget::List(list) => in_list(binder, expr, list)?,
                ast::InTarget::Subquery(query) => {
                    let comparison = BinaryOperator::Eq;
                    quantified(binder, expr, &comparison, query, SubqueryKind::Any)?
                }
                _ => return Err(unsupported(expr)),
            };
            if *is_negated { negated(found) } else { Ok(found) }
        }
        AnyOp { left, compare_op, right, .. } | AllOp { left, compare_op, right } => {
            let is_any = matches!(expr, AnyOp { .. });
            let kind = if is_any { SubqueryKind::Any } else { SubqueryKind::All };
            match &**right {
                ast::Expr::Subquery(query) => quantified(binder, left, compare_op, query, kind),
                array => in_array(binder, left, compare_op, array, is_any),
            }
        }
        Case { operand, conditions, else_result, case_token: _, end_token: _ } => {
            case(binder, operand.as_deref(), conditions, else_result.as_deref())
        }
        Like { negated, any: false, expr, pattern, escape_char } => {
            let name = if *negated { "!~~" } else { "~~" };
            like(binder, name, expr, pattern, escape_char.as_deref())
        }
        ILike { negated, any: false, expr, pattern, escape_char } => {
            let name = if *negated { "!~~*" } else { "~~*" };
            like(binder, name, expr, pattern, escape_char.as_deref())
        }
        _ => test(binder, expr),
    }
}

/// `IS`, BETWEEN, subqueries, COLLATE and subscripts.
fn test(binder: &mut Binder, expr: &ast::Expr) -> Result<Typed> {
    use ast::Expr::*;

    match expr {
        IsNull(inner) | IsNotNull(inner) => {
            let inner = expression(binder, inner)?;
            if let Expr::Parameter(number, Type::Unknown) = inner.expr {
                return Err(indeterminate_type(number));
            }
            let inner = Box::new(unknown_to_text(binder, inner)?.expr);
            let is_null = Typed::new(Expr::IsNull(inner), Type::Bool);
            if matches!(expr, IsNull(_)) { Ok(is_null) } else { negated(is_null) }
        }
        IsTrue(inner) => truth(binder, inner, Some(true), false),
        IsNotTrue(inner) => truth(binder, inner, Some(true), true),
        IsFalse(inner) => truth(binder, inner, Some(false), false),
        IsNotFalse(inner) => truth(binder, inner, Some(false), true),
        IsUnknown(inner) => truth(binder, inner, None, false),
        IsNotUnknown(inner) => truth(binder, inner, None, true),
        IsDistinctFrom(left, right) => distinct(binder, left, right),
        IsNotDistinctFrom(left, right) => negated(distinct(binder, left, right)?),
        Between { expr, negated: is_negated, low, high } => {
            between(binder, expr, low, high, *is_negated)
        }
        Exists { subquery, negated: is_negated } => {
            let query = select::subquery(binder, subquery)?;
            let exists = exists(query);
            if *is_negated { negated(exists) } else { Ok(exists) }
        }
        Subquery(query) => scalar(select::subquery(binder, query)?),
        Collate { expr, collation } => collated(binder, expr, collation),
        CompoundFieldAccess { root, access_chain } => match &access_chain[..] {
            [ast::AccessExpr::Subscript(ast::Subscript::Index { index })] => {
                let operands = vec![expression(binder, root)?, expression(binder, index)?];
                let element = operands[0].base().element().ok_or_else(|| unsupported(expr))?;
                let text = operator(binder, "[]", operands)?;
                explicit(binder, text, element.plain())
            }
            _ => Err(unsupported(expr)),
        },
        _ => calls::expression_call(binder, expr),
    }
}

/// `x COLLATE name`. Both supported names are the C collation.
fn collated(binder: &mut Binder, expr: &ast::Expr, name: &ast::ObjectName) -> Result<Typed> {
    let text = name.to_string().to_lowercase().replace('"', "");
    // The catalog shows these expressions, and would leave the name out.
    let shown = ["check constraints", "index predicates", "index expressions"];
    let is_shown = shown.contains(&binder.level().clause);
    match text.strip_prefix("pg_catalog.").unwrap_or(&text) {
        "default" | "c" if !is_shown => expression(binder, expr),
        _ => Err(unsupported!("the collation {name}")),
    }
}

/// The refusal of an expression.
pub fn unsupported(expr: &ast::Expr) -> SqlError {
    unsupported!("the expression {expr}")
}

/// Binds a condition.
pub fn boolean(binder: &mut Binder, expr: &ast::Expr, of: &str) -> Result<Expr> {
    let typed = expression(binder, expr)?;
    let from = typed.base();
    coerce(binder, typed, Type::Bool, Context::Implicit)?.ok_or_else(|| {
        let what = format!("argument of {of} must be type boolean");
        error!(DATATYPE_MISMATCH, "{what}, not type {}", from.name()).at(start_of(expr))
    })
}

fn qualified(binder: &Binder, expr: &ast::Expr, parts: &[ast::Ident]) -> Result<Typed> {
    match parts {
        [schema, rest @ ..]
            if rest.len() == 2 && ["public", "pg_catalog"].contains(&folded(schema).as_str()) =>
        {
            qualified(binder, expr, rest)
        }
        [table, column] => {
            let found = binder.column_of(&folded(table), &folded(column));
            found.map_err(|it| it.at(table.span.start.column))
        }
        _ => Err(unsupported!("the name {expr}")),
    }
}

fn name_alone(binder: &mut Binder, name: &ast::Ident) -> Result<Typed> {
    let folded = folded(name);
    let found = binder.column(&folded).map_err(|it| it.at(name.span.start.column));
    match (&found, folded.as_str(), name.quote_style) {
        (Err(error), _, _) if error.code != code::UNDEFINED_COLUMN => found,
        (Err(_), "current_timestamp" | "current_date" | "localtimestamp", None) => {
            calls::current(&folded)
        }
        (Err(_), word, None) if is_reserved(word) => Err(unsupported!("the expression {word}")),
        (Err(_), table, _) if binder.has_table(table) => Err(unsupported!("a whole row: {table}")),
        _ => found,
    }
}

fn literal(binder: &mut Binder, literal: &ast::Value) -> Result<Typed> {
    let constant = |value, base| Ok(Typed::new(Expr::Constant(value, base), base));
    match literal {
        ast::Value::Null => constant(Value::Null, Type::Unknown),
        ast::Value::Boolean(on) => constant(Value::Bool(*on), Type::Bool),
        ast::Value::Number(digits, _) => number(digits),
        ast::Value::SingleQuotedString(text)
        | ast::Value::EscapedStringLiteral(text)
        | ast::Value::DollarQuotedString(ast::DollarQuotedString { value: text, .. }) => {
            constant(Value::Text(text.clone()), Type::Unknown)
        }
        ast::Value::Placeholder(name) => parameter(binder, name),
        other => Err(unsupported!("the literal {other}")),
    }
}

/// The smallest type that holds a number.
fn number(digits: &str) -> Result<Typed> {
    let constant = |value, base| Ok(Typed::new(Expr::Constant(value, base), base));
    match digits.parse::<i64>() {
        Ok(number) if Type::Int4.holds(number) => constant(Value::Int(number), Type::Int4),
        Ok(number) => constant(Value::Int(number), Type::Int8),
        Err(_) => match numeric::parse(digits)? {
            Some(number) => constant(number.into(), Type::Numeric),
            None => Err(unsupported!("the literal {digits}")),
        },
    }
}

fn parameter(binder: &mut Binder, name: &str) -> Result<Typed> {
    let number = name.strip_prefix('$').filter(|_| binder.level().detached.is_none());
    let number = number.and_then(|digits| digits.parse::<u16>().ok());
    let position = number.and_then(|it| usize::from(it).checked_sub(1)).ok_or_else(|| {
        SqlError::new(code::UNDEFINED_PARAMETER, format!("there is no parameter {name}"))
    })?;
    if binder.parameters.len() <= position {
        binder.parameters.resize(position + 1, None);
    }
    let base = binder.parameters[position].unwrap_or(Type::Unknown);
    Ok(Typed::new(Expr::Parameter(position, base), base))
}

/// `-x`: a negative literal, or the operator.
fn negative(binder: &mut Binder, expr: &ast::Expr) -> Result<Typed> {
    if let Some(digits) = signed_digits(expr) {
        return number(&opposite(&digits));
    }
    if let Some(power) = with_sign(UnaryOperator::Minus, expr) {
        return expression(binder, &power);
    }
    let inner = expression(binder, expr)?;
    operator(binder, "-", vec![inner])
}

/// A number with all its signs, which have no limit: `- -2147483648` is a bigint (`doNegate`).
fn signed_digits(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::Value(ast::ValueWithSpan { value: ast::Value::Number(digits, _), .. }) => {
            Some(digits.clone())
        }
        ast::Expr::Nested(inner) => signed_digits(inner),
        ast::Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            signed_digits(expr).as_deref().map(opposite)
        }
        _ => None,
    }
}

fn opposite(digits: &str) -> String {
    digits.strip_prefix('-').map_or_else(|| format!("-{digits}"), str::to_owned)
}

/// The parser takes `- -x ^ 2` for `-(-(x ^ 2))`: moves signs before a power to its base.
fn with_sign(sign: UnaryOperator, expr: &ast::Expr) -> Option<ast::Expr> {
    match expr {
        ast::Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr } => {
            with_sign(sign, &with_sign(*op, expr)?)
        }
        ast::Expr::BinaryOp { left, op: op @ BinaryOperator::PGExp, right } => {
            let left = Box::new(ast::Expr::UnaryOp { op: sign, expr: left.clone() });
            Some(ast::Expr::BinaryOp { left, op: op.clone(), right: right.clone() })
        }
        _ => None,
    }
}

fn truth(
    binder: &mut Binder,
    inner: &ast::Expr,
    wanted: Option<bool>,
    is_negated: bool,
) -> Result<Typed> {
    let what = wanted.map_or("UNKNOWN", |it| if it { "TRUE" } else { "FALSE" });
    let of = format!("IS {}{what}", if is_negated { "NOT " } else { "" });
    let inner = boolean(binder, inner, &of)?;
    Ok(Typed::new(Expr::IsTruth(Box::new(inner), wanted, is_negated), Type::Bool))
}

/// NOT of a condition.
pub fn negated(typed: Typed) -> Result<Typed> {
    Ok(Typed::new(Expr::Not(Box::new(typed.expr)), Type::Bool))
}

fn binary(
    binder: &mut Binder,
    left: &ast::Expr,
    op: &BinaryOperator,
    right: &ast::Expr,
) -> Result<Typed> {
    if let BinaryOperator::And | BinaryOperator::Or = op {
        let name = op.to_string();
        let (left, right) = (boolean(binder, left, &name)?, boolean(binder, right, &name)?);
        // `a AND b AND c` is one list, not a tree.
        let bound = match (op, left) {
            (BinaryOperator::And, Expr::And(all)) => Expr::And([all, vec![right]].concat()),
            (BinaryOperator::Or, Expr::Or(all)) => Expr::Or([all, vec![right]].concat()),
            (BinaryOperator::And, left) => Expr::And(vec![left, right]),
            (_, left) => Expr::Or(vec![left, right]),
        };
        return Ok(Typed::new(bound, Type::Bool));
    }
    if let (ast::Expr::Tuple(left), ast::Expr::Tuple(right)) = (left, right) {
        return rows(binder, left, op, right);
    }
    let left = expression(binder, left)?;
    let right = expression(binder, right)?;
    let name = operator_name(op)?;
    operator(binder, &name, vec![left, right])
}

/// `(a, b) = (c, d)`
fn rows(
    binder: &mut Binder,
    left: &[ast::Expr],
    op: &BinaryOperator,
    right: &[ast::Expr],
) -> Result<Typed> {
    if !matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) || left.len() != right.len() {
        return Err(unsupported!("the operator {op} of rows"));
    }
    let mut equal = Vec::new();
    for (left, right) in left.iter().zip(right) {
        let (left, right) = (expression(binder, left)?, expression(binder, right)?);
        equal.push(operator(binder, "=", vec![left, right])?.expr);
    }
    let all = Expr::all(equal).unwrap_or(Expr::Constant(Value::Bool(true), Type::Bool));
    let typed = Typed::new(all, Type::Bool);
    if *op == BinaryOperator::Eq { Ok(typed) } else { negated(typed) }
}

fn operator_name(op: &BinaryOperator) -> Result<String> {
    Ok(match op {
        BinaryOperator::NotEq => "<>".to_owned(),
        BinaryOperator::PGLikeMatch => "~~".to_owned(),
        BinaryOperator::PGCustomBinaryOperator(parts) => match &parts[..] {
            [schema, name] if schema == "pg_catalog" => name.clone(),
            _ => return Err(unsupported!("the operator {op}")),
        },
        op => op.to_string(),
    })
}

/// Returns true if PostgreSQL may have the operator: one of arrays, or of times and intervals.
fn needs_other_types(name: &str, types: &[Type]) -> bool {
    let are = |of: &[Category]| types.iter().all(|it| of.contains(&it.category()));
    let is_any = |of: Category| types.iter().any(|it| it.category() == of);
    let is_time = match name {
        "-" => are(&[Category::DateTime, Category::Unknown]),
        "+" => are(&[Category::DateTime, Category::Unknown]) && is_any(Category::Unknown),
        _ => false,
    };
    is_any(Category::Array) || is_time && types.len() == 2
}

/// An operator of bound operands.
///
/// # Errors
/// `0A000`, `42883` or `42725` if there is not exactly one for their types.
pub fn operator(binder: &mut Binder, name: &str, operands: Vec<Typed>) -> Result<Typed> {
    let operands = if name == "||" { as_text(binder, operands)? } else { operands };
    let types: Vec<Type> = operands.iter().map(Typed::base).collect();
    let described = || match types[..] {
        [left, right] => format!("{} {name} {}", left.name(), right.name()),
        _ => format!("{name} {}", types[0].name()),
    };
    // PostgreSQL has these for intervals, money and points too, so two literals could be any of
    // them.
    let is_open =
        ["+", "-", "*", "/", "%"].contains(&name) && types.iter().all(|it| *it == Type::Unknown);
    let found = if is_open { Found::Several } else { find_operator(name, &types) };
    let row = match found {
        Found::One(row) => row,
        Found::None if needs_other_types(name, &types) => {
            return Err(unsupported!("the operator {}", described()));
        }
        Found::None => return Err(no_operator(&described(), types.len() == 1)),
        Found::Several => return Err(ambiguous_operator(&described())),
    };
    let mut arguments = Vec::with_capacity(operands.len());
    for (operand, to) in operands.into_iter().zip(&row.arguments) {
        arguments.push(implicit(binder, operand, *to)?);
    }
    if let Some(comparison) = Comparison::named(name) {
        let is_padded = row.arguments[0] == Type::Bpchar;
        let right = Box::new(arguments.pop().expect("two operands"));
        let left = Box::new(arguments.pop().expect("two operands"));
        return Ok(Typed::new(Expr::Compare(comparison, left, right, is_padded), Type::Bool));
    }
    Ok(Typed::new(Expr::Call(row, arguments), row.result))
}

/// If one operand of `||` is text, casts the other one to text.
fn as_text(binder: &mut Binder, operands: Vec<Typed>) -> Result<Vec<Typed>> {
    let is_string = |it: &Typed| it.base().category() == Category::String;
    let is_unknown = |it: &Typed| it.base() == Type::Unknown;
    let has_bytes = operands.iter().any(|it| it.base() == Type::Bytea);
    let is_wanted = |it: &Typed| is_string(it) || is_unknown(it) && !has_bytes;
    if !operands.iter().any(is_wanted) {
        return Ok(operands);
    }
    let cast = |it: Typed| match is_string(&it) || is_unknown(&it) {
        true => Ok(it),
        false => explicit(binder, it, Type::Text.plain()),
    };
    operands.into_iter().map(cast).collect()
}

fn distinct(binder: &mut Binder, left: &ast::Expr, right: &ast::Expr) -> Result<Typed> {
    let (left, right) = (expression(binder, left)?, expression(binder, right)?);
    match operator(binder, "=", vec![left, right])?.expr {
        Expr::Compare(_, left, right, is_padded) => {
            Ok(Typed::new(Expr::IsDistinct(left, right, is_padded), Type::Bool))
        }
        _ => unreachable!("= is a comparison"),
    }
}

fn between(
    binder: &mut Binder,
    expr: &ast::Expr,
    low: &ast::Expr,
    high: &ast::Expr,
    is_negated: bool,
) -> Result<Typed> {
    // `minibtree/grammar` makes a call of SYMMETRIC.
    if let ast::Expr::Function(call) = low
        && call.name.to_string().eq_ignore_ascii_case("symmetric")
        && let ast::FunctionArguments::List(arguments) = &call.args
        && let [argument] = &arguments.args[..]
    {
        let low = from::argument(argument)?;
        let first = between(binder, expr, low, high, is_negated)?.expr;
        let both = vec![first, between(binder, expr, high, low, is_negated)?.expr];
        let found = if is_negated { Expr::And(both) } else { Expr::Or(both) };
        return Ok(Typed::new(found, Type::Bool));
    }
    let value = expression(binder, expr)?;
    let (low, high) = (expression(binder, low)?, expression(binder, high)?);
    let (low_name, high_name) = if is_negated { ("<", ">") } else { (">=", "<=") };
    let low = operator(binder, low_name, vec![value.clone(), low])?.expr;
    let high = operator(binder, high_name, vec![value, high])?.expr;
    let both = vec![low, high];
    Ok(Typed::new(if is_negated { Expr::Or(both) } else { Expr::And(both) }, Type::Bool))
}

/// `x IN (a, b)`. If all have one type, the value is evaluated once.
fn in_list(binder: &mut Binder, expr: &ast::Expr, list: &[ast::Expr]) -> Result<Typed> {
    if let ast::Expr::Tuple(left) = expr {
        let mut equal = Vec::new();
        for item in list {
            let ast::Expr::Tuple(right) = item else { return Err(unsupported(item)) };
            equal.push(rows(binder, left, &BinaryOperator::Eq, right)?.expr);
        }
        return Ok(any(equal));
    }
    let value = expression(binder, expr)?;
    let items = list.iter().map(|it| expression(binder, it)).collect::<Result<_, _>>()?;
    one_of(binder, value, items)
}

/// Returns true for a value that equals any of the items.
pub fn one_of(binder: &mut Binder, value: Typed, items: Vec<Typed>) -> Result<Typed> {
    let mut equal = Vec::new();
    for item in items {
        match operator(binder, "=", vec![value.clone(), item])?.expr {
            Expr::Compare(_, left, right, is_padded) => equal.push((left, right, is_padded)),
            _ => unreachable!("= compares"),
        }
    }
    let (left, _, is_padded) = equal.first().cloned().expect("an empty list is no SQL");
    if equal.len() > 1 && equal.iter().all(|it| it.0 == left && it.2 == is_padded) {
        let values = equal.into_iter().map(|it| *it.1).collect();
        return Ok(Typed::new(Expr::InList(left, values, is_padded), Type::Bool));
    }
    let compared = |(left, right, padded)| Expr::Compare(Comparison::Eq, left, right, padded);
    Ok(any(equal.into_iter().map(compared).collect()))
}

/// `OR` of any number of conditions.
fn any(mut conditions: Vec<Expr>) -> Typed {
    let is_one = conditions.len() == 1;
    Typed::new(if is_one { conditions.remove(0) } else { Expr::Or(conditions) }, Type::Bool)
}

/// `x = ANY (query)`, `x < ALL (query)`, `x IN (query)`.
pub fn quantified(
    binder: &mut Binder,
    left: &ast::Expr,
    op: &BinaryOperator,
    query: &ast::Query,
    kind: fn(Vec<(Comparison, bool)>) -> SubqueryKind,
) -> Result<Typed> {
    let left: Vec<&ast::Expr> = match left {
        ast::Expr::Tuple(all) => all.iter().collect(),
        one => vec![one],
    };
    let left: Vec<Typed> =
        left.into_iter().map(|it| expression(binder, it)).collect::<Result<_, _>>()?;
    let mut query = select::subquery(binder, query)?;
    if query.columns.len() != left.len() {
        let how = if query.columns.len() < left.len() { "few" } else { "many" };
        return Err(error!(SYNTAX_ERROR, "subquery has too {how} columns"));
    }
    if left.len() > 1 && *op != BinaryOperator::Eq {
        return Err(unsupported!("the operator {op} of rows"));
    }

    // Find the comparison with a stand-in for the column. If it needs a cast of the column, move
    // the cast into the query.
    let name = operator_name(op)?;
    let (mut values, mut comparisons) = (Vec::new(), Vec::new());
    for (position, left) in left.into_iter().enumerate() {
        let column_type = query.columns[position].column_type;
        let expr = Expr::Aggregate(position, column_type.base);
        let stand_in = Typed { expr, column_type, start: 0 };
        match operator(binder, &name, vec![left, stand_in])?.expr {
            Expr::Compare(comparison, left, right, is_padded) => {
                select::cast_column(&mut query, position, *right)?;
                values.push(*left);
                comparisons.push((comparison, is_padded));
            }
            _ => return Err(unsupported!("the operator {op} of a subquery")),
        }
    }
    let subquery = Subquery { kind: kind(comparisons), left: values, query };
    Ok(Typed::new(Expr::Subquery(Box::new(subquery)), Type::Bool))
}

fn exists(mut query: Query) -> Typed {
    // Neither the order of rows nor equal ones matter, so do not compute what they depend on.
    if let (Body::Select(select), None, None) = (&mut query.body, &query.limit, &query.offset) {
        select.distinct = false;
        query.order.clear();
    }
    let subquery = Subquery { kind: SubqueryKind::Exists, left: Vec::new(), query };
    Typed::new(Expr::Subquery(Box::new(subquery)), Type::Bool)
}

/// A subquery that is a value.
fn scalar(query: Query) -> Result<Typed> {
    let [column] = &query.columns[..] else {
        return Err(SqlError::new(code::SYNTAX_ERROR, "subquery must return only one column"));
    };
    let column_type = column.column_type;
    let subquery = Subquery { kind: SubqueryKind::Scalar, left: Vec::new(), query };
    Ok(Typed { expr: Expr::Subquery(Box::new(subquery)), column_type, start: 0 })
}

fn case(
    binder: &mut Binder,
    operand: Option<&ast::Expr>,
    conditions: &[ast::CaseWhen],
    otherwise: Option<&ast::Expr>,
) -> Result<Typed> {
    let operand = operand.map(|it| expression(binder, it)).transpose()?;
    let operand = operand.map(|it| unknown_to_text(binder, it)).transpose()?;
    // It is evaluated for each WHEN.
    if operand.as_ref().is_some_and(|it| it.expr.is_volatile()) && conditions.len() > 1 {
        return Err(SqlError::unsupported("CASE of a value that is another one each time"));
    }
    let (mut tests, mut results) = (Vec::new(), Vec::new());
    for when in conditions {
        tests.push(match &operand {
            None => boolean(binder, &when.condition, "CASE/WHEN")?,
            Some(operand) => {
                let value = expression(binder, &when.condition)?;
                operator(binder, "=", vec![operand.clone(), value])?.expr
            }
        });
        results.push(expression(binder, &when.result)?);
    }
    // PostgreSQL looks at ELSE first when it chooses the type.
    let otherwise = match otherwise {
        Some(expr) => expression(binder, expr)?,
        None => Typed::new(Expr::null(Type::Unknown), Type::Unknown),
    };
    results.insert(0, otherwise);
    let (mut results, column_type) = unify(binder, results, "CASE")?;
    let otherwise = results.remove(0);
    let cases = tests.into_iter().zip(results).collect();
    Ok(Typed { expr: Expr::Case(cases, Box::new(otherwise)), column_type, start: 0 })
}

fn like(
    binder: &mut Binder,
    name: &str,
    expr: &ast::Expr,
    pattern: &ast::Expr,
    escape: Option<&ast::Expr>,
) -> Result<Typed> {
    let (value, mut pattern) = (expression(binder, expr)?, expression(binder, pattern)?);
    if let Some(escape) = escape {
        let escape = expression(binder, escape)?;
        pattern = calls::named(binder, "like_escape", vec![pattern, escape])?;
    }
    operator(binder, name, vec![value, pattern])
}
