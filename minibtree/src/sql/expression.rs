//! Expressions: from the syntax tree to a tree that can be evaluated.
//!
//! Binding finds columns and types once, so that evaluating looks nothing up:
//!
//! ```text
//! abalance + $1                      aid = $2
//! Arithmetic(Add, Int4,              Compare(Eq,
//!   Column(2), Parameter(0))           Column(0), Parameter(1))
//! ```
//!
//! **What type has `$1`?** Nobody says: pgbench prepares its statements without types. The other
//! side of the operator decides, as in PostgreSQL (`parse_oper.c`, `parse_param.c`); so does the
//! column that a value is inserted into. A quoted literal is typed the same way.
//!
//! NULL: every operator but AND, OR, IS NULL returns NULL for a NULL. `false AND NULL` is false.

use super::statement::folded;
use super::types::{Type, Value, compare};
use super::{ColumnType, Table};
use crate::wire::{SqlError, code};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator};
use std::cmp::Ordering;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// An integer operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, which cuts towards zero.
    Divide,
    /// `%`
    Remainder,
}

/// A bound expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// A literal.
    Constant(Value),
    /// A parameter, counted from 0.
    Parameter(usize),
    /// A column of the row, counted from 0.
    Column(usize),
    /// `CURRENT_TIMESTAMP`: when the transaction began.
    Now,
    /// Two values of comparable types; the last field: trailing spaces do not count.
    Compare(Comparison, Box<Expr>, Box<Expr>, bool),
    /// Two integers; the result must fit the type.
    Arithmetic(Operator, Type, Box<Expr>, Box<Expr>),
    /// `AND`
    And(Box<Expr>, Box<Expr>),
    /// `OR`
    Or(Box<Expr>, Box<Expr>),
    /// `NOT`
    Not(Box<Expr>),
    /// `IS NULL`
    IsNull(Box<Expr>),
    /// Makes a value fit a type: range, length, padding.
    Fit(ColumnType, Box<Expr>),
}

/// What an expression is bound in.
pub struct Binder<'a> {
    /// The table whose columns can be named.
    pub table: Option<&'a Table>,
    /// Another name for it.
    pub alias: Option<String>,
    /// Types of the parameters, as far as they are known.
    pub parameters: &'a mut Vec<Option<Type>>,
}

impl Binder<'_> {
    /// Binds an expression. `wanted` is the type for parameters and quoted literals.
    ///
    /// # Errors
    /// `42703`, `42804`, `42883` for what does not exist or does not match, `0A000`.
    pub fn bind(
        &mut self,
        expr: &ast::Expr,
        wanted: Option<Type>,
    ) -> Result<(Expr, Type), SqlError> {
        use ast::Expr::*;

        match expr {
            Nested(inner) => self.bind(inner, wanted),
            Identifier(name) => self.column(&folded(name)),
            CompoundIdentifier(parts) => match &parts[..] {
                [table, column] if self.is_named(&folded(table)) => self.column(&folded(column)),
                _ => Err(SqlError::unsupported(format!("the name {expr}"))),
            },
            Value(literal) => self.literal(&literal.value, wanted),
            IsNull(inner) => {
                let (inner, _) = self.bind(inner, None)?;
                Ok((Expr::IsNull(Box::new(inner)), Type::Bool))
            }
            IsNotNull(inner) => {
                let (inner, _) = self.bind(inner, None)?;
                Ok((Expr::Not(Box::new(Expr::IsNull(Box::new(inner)))), Type::Bool))
            }
            UnaryOp { op: UnaryOperator::Not, expr } => {
                let inner = self.boolean(expr, "NOT")?;
                Ok((Expr::Not(Box::new(inner)), Type::Bool))
            }
            UnaryOp { op: UnaryOperator::Plus, expr } => self.bind(expr, wanted),
            UnaryOp { op: UnaryOperator::Minus, expr } => self.negative(expr, wanted),
            BinaryOp { left, op, right } => self.binary(left, op, right),
            Function(call) if is_current_timestamp(call) => Ok((Expr::Now, Type::TimestampTz)),
            _ => Err(SqlError::unsupported(format!("the expression {expr}"))),
        }
    }

    /// Binds a condition.
    pub fn boolean(&mut self, expr: &ast::Expr, of: &str) -> Result<Expr, SqlError> {
        let (bound, base) = self.bind(expr, Some(Type::Bool))?;
        if base != Type::Bool {
            let text = format!("argument of {of} must be type boolean, not type {}", base.name());
            return Err(SqlError::new(code::DATATYPE_MISMATCH, text));
        }
        Ok(bound)
    }

    /// Binds a value for a column, with PostgreSQL's assignment casts.
    pub fn assigned(
        &mut self,
        expr: &ast::Expr,
        column: &str,
        to: ColumnType,
    ) -> Result<Expr, SqlError> {
        let (bound, base) = self.bind(expr, Some(to.base))?;
        let is_null = bound == Expr::Constant(Value::Null);
        // A moment becomes a date and time in UTC, the only time zone, by changing nothing; text is
        // padded by `fit`.
        let is_assignable = base.is_comparable(to.base)
            || to.base == Type::Bpchar && matches!(base, Type::Text | Type::Varchar);
        if !is_null && !is_assignable {
            let text = format!(
                "column \"{column}\" is of type {} but expression is of type {}",
                to.base.name(),
                base.name()
            );
            return Err(SqlError::new(code::DATATYPE_MISMATCH, text));
        }
        Ok(Expr::Fit(to, Box::new(bound)))
    }

    fn is_named(&self, name: &str) -> bool {
        match (&self.alias, self.table) {
            (Some(alias), _) => alias == name,
            (None, Some(table)) => table.name == name,
            (None, None) => false,
        }
    }

    fn column(&self, name: &str) -> Result<(Expr, Type), SqlError> {
        let columns = self.table.map_or(&[][..], |table| &table.columns);
        let position = columns.iter().position(|column| column.name == name);
        let position = position.ok_or_else(|| {
            SqlError::new(code::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
        })?;
        Ok((Expr::Column(position), columns[position].column_type.base))
    }

    fn literal(
        &mut self,
        literal: &ast::Value,
        wanted: Option<Type>,
    ) -> Result<(Expr, Type), SqlError> {
        let constant = |value, base| Ok((Expr::Constant(value), base));
        match literal {
            ast::Value::Null => constant(Value::Null, wanted.unwrap_or(Type::Text)),
            ast::Value::Boolean(on) => constant(Value::Bool(*on), Type::Bool),
            ast::Value::Number(digits, _) => number(digits),
            ast::Value::SingleQuotedString(text) => {
                let base = wanted.unwrap_or(Type::Text);
                constant(base.parse(text)?, base)
            }
            ast::Value::Placeholder(name) => self.parameter(name, wanted),
            other => Err(SqlError::unsupported(format!("the literal {other}"))),
        }
    }

    fn parameter(&mut self, name: &str, wanted: Option<Type>) -> Result<(Expr, Type), SqlError> {
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<u16>().ok());
        let position = number.and_then(|it| usize::from(it).checked_sub(1)).ok_or_else(|| {
            SqlError::new(code::UNDEFINED_PARAMETER, format!("there is no parameter {name}"))
        })?;
        if self.parameters.len() <= position {
            self.parameters.resize(position + 1, None);
        }
        let known = self.parameters[position].or(wanted).unwrap_or(Type::Text);
        self.parameters[position] = Some(known);
        Ok((Expr::Parameter(position), known))
    }

    /// `-x`: a negative literal, or zero minus x.
    fn negative(
        &mut self,
        expr: &ast::Expr,
        wanted: Option<Type>,
    ) -> Result<(Expr, Type), SqlError> {
        if let ast::Expr::Value(literal) = expr
            && let ast::Value::Number(digits, _) = &literal.value
        {
            return number(&format!("-{digits}"));
        }
        let (inner, base) = self.bind(expr, wanted)?;
        if !base.is_integer() {
            return Err(no_operator("-", None, base));
        }
        let zero = Box::new(Expr::Constant(Value::Int(0)));
        Ok((Expr::Arithmetic(Operator::Subtract, base, zero, Box::new(inner)), base))
    }

    fn binary(
        &mut self,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
    ) -> Result<(Expr, Type), SqlError> {
        if let BinaryOperator::And | BinaryOperator::Or = op {
            let name = op.to_string();
            let (left, right) = (self.boolean(left, &name)?, self.boolean(right, &name)?);
            let (left, right) = (Box::new(left), Box::new(right));
            let is_and = *op == BinaryOperator::And;
            let bound = if is_and { Expr::And(left, right) } else { Expr::Or(left, right) };
            return Ok((bound, Type::Bool));
        }

        // The side with a type of its own goes first, and decides that of the other.
        let ((left, left_type), (right, right_type)) = if is_untyped(left) {
            let right = self.bind(right, None)?;
            (self.bind(left, Some(right.1))?, right)
        } else {
            let left = self.bind(left, None)?;
            let right = self.bind(right, Some(left.1))?;
            (left, right)
        };
        let (left, right) = (Box::new(left), Box::new(right));

        if let Some(comparison) = comparison(op) {
            if !left_type.is_comparable(right_type) {
                return Err(no_operator(&op.to_string(), Some(left_type), right_type));
            }
            let padded = left_type == Type::Bpchar;
            return Ok((Expr::Compare(comparison, left, right, padded), Type::Bool));
        }
        let operator =
            arithmetic(op).ok_or_else(|| SqlError::unsupported(format!("the operator {op}")))?;
        if !(left_type.is_integer() && right_type.is_integer()) {
            return Err(no_operator(&op.to_string(), Some(left_type), right_type));
        }
        let wider = if left_type.size() >= right_type.size() { left_type } else { right_type };
        Ok((Expr::Arithmetic(operator, wider, left, right), wider))
    }
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Eq,
        BinaryOperator::NotEq => Comparison::Ne,
        BinaryOperator::Lt => Comparison::Lt,
        BinaryOperator::LtEq => Comparison::Le,
        BinaryOperator::Gt => Comparison::Gt,
        BinaryOperator::GtEq => Comparison::Ge,
        _ => return None,
    })
}

fn arithmetic(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Plus => Operator::Add,
        BinaryOperator::Minus => Operator::Subtract,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Divide => Operator::Divide,
        BinaryOperator::Modulo => Operator::Remainder,
        _ => return None,
    })
}

/// The smallest integer type that holds a literal.
fn number(digits: &str) -> Result<(Expr, Type), SqlError> {
    let Ok(number) = digits.parse::<i64>() else {
        return Err(SqlError::unsupported(format!("the numeric literal {digits}")));
    };
    let base = if Type::Int4.holds(number) { Type::Int4 } else { Type::Int8 };
    Ok((Expr::Constant(Value::Int(number)), base))
}

/// Returns true for parameters and quoted literals.
fn is_untyped(expr: &ast::Expr) -> bool {
    match expr {
        ast::Expr::Nested(inner) => is_untyped(inner),
        ast::Expr::Value(literal) => matches!(
            literal.value,
            ast::Value::Placeholder(_) | ast::Value::SingleQuotedString(_) | ast::Value::Null
        ),
        _ => false,
    }
}

fn is_current_timestamp(call: &ast::Function) -> bool {
    let name = call.to_string();
    name.eq_ignore_ascii_case("current_timestamp") || name.eq_ignore_ascii_case("now()")
}

fn no_operator(op: &str, left: Option<Type>, right: Type) -> SqlError {
    let left = left.map_or(String::new(), |it| format!("{} ", it.name()));
    let text = format!("operator does not exist: {left}{op} {}", right.name());
    SqlError::new(code::UNDEFINED_FUNCTION, text)
}

/// What an expression is evaluated with.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The parameters.
    pub parameters: &'a [Value],
    /// When the transaction began, in microseconds since 2000.
    pub now: i64,
}

impl Expr {
    /// Evaluates it for a row.
    ///
    /// # Errors
    /// `22003` on overflow, `22012` on division by zero, `22001` if a text is too long.
    pub fn eval(&self, scope: Scope<'_>, row: &[Value]) -> Result<Value, SqlError> {
        Ok(match self {
            Expr::Constant(value) => value.clone(),
            Expr::Parameter(position) => scope.parameters[*position].clone(),
            Expr::Column(position) => row[*position].clone(),
            Expr::Now => Value::Timestamp(scope.now),
            Expr::Compare(comparison, left, right, padded) => {
                match (left.eval(scope, row)?, right.eval(scope, row)?) {
                    (Value::Null, _) | (_, Value::Null) => Value::Null,
                    (left, right) => {
                        Value::Bool(comparison.is_met(compare(&left, &right, *padded)))
                    }
                }
            }
            Expr::Arithmetic(operator, base, left, right) => {
                match (left.eval(scope, row)?, right.eval(scope, row)?) {
                    (Value::Int(left), Value::Int(right)) => {
                        Value::Int(operator.apply(*base, left, right)?)
                    }
                    _ => Value::Null,
                }
            }
            Expr::And(left, right) => match left.eval(scope, row)? {
                Value::Bool(false) => Value::Bool(false),
                left => match (left, right.eval(scope, row)?) {
                    (_, Value::Bool(false)) => Value::Bool(false),
                    (Value::Null, _) => Value::Null,
                    (_, right) => right,
                },
            },
            Expr::Or(left, right) => match left.eval(scope, row)? {
                Value::Bool(true) => Value::Bool(true),
                left => match (left, right.eval(scope, row)?) {
                    (_, Value::Bool(true)) => Value::Bool(true),
                    (Value::Null, _) => Value::Null,
                    (_, right) => right,
                },
            },
            Expr::Not(inner) => match inner.eval(scope, row)? {
                Value::Bool(on) => Value::Bool(!on),
                other => other,
            },
            Expr::IsNull(inner) => Value::Bool(inner.eval(scope, row)? == Value::Null),
            Expr::Fit(column_type, inner) => column_type.fit(inner.eval(scope, row)?)?,
        })
    }

    /// Returns true if it is a condition that the row meets; NULL is not met.
    pub fn is_met(&self, scope: Scope<'_>, row: &[Value]) -> Result<bool, SqlError> {
        Ok(self.eval(scope, row)? == Value::Bool(true))
    }

    /// Returns true if its value does not depend on the row.
    pub fn is_constant(&self) -> bool {
        matches!(self, Expr::Constant(_) | Expr::Parameter(_) | Expr::Now)
    }
}

impl Comparison {
    fn is_met(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Eq => ordering.is_eq(),
            Comparison::Ne => ordering.is_ne(),
            Comparison::Lt => ordering.is_lt(),
            Comparison::Le => ordering.is_le(),
            Comparison::Gt => ordering.is_gt(),
            Comparison::Ge => ordering.is_ge(),
        }
    }
}

impl Operator {
    fn apply(self, base: Type, left: i64, right: i64) -> Result<i64, SqlError> {
        if right == 0 && matches!(self, Operator::Divide | Operator::Remainder) {
            return Err(SqlError::new(code::DIVISION_BY_ZERO, "division by zero"));
        }
        let result = match self {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            Operator::Divide => left.checked_div(right),
            // The only overflow is the smallest number % -1, which is 0.
            Operator::Remainder => Some(left.wrapping_rem(right)),
        };
        result.filter(|it| base.holds(*it)).ok_or_else(|| {
            let text = format!("{} out of range", base.name());
            SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::statement::{Statement, parse};

    /// Binds and evaluates `SELECT expr`; parameters are NULL.
    fn value_of(expr: &str) -> Result<(Value, Type), SqlError> {
        let parsed = parse(&format!("select {expr}"))?;
        let [Statement::Sql(statement)] = &parsed[..] else { panic!("one statement") };
        let ast::Statement::Query(query) = &**statement else { panic!("a query") };
        let ast::SetExpr::Select(select) = &*query.body else { panic!("a select") };
        let [ast::SelectItem::UnnamedExpr(expr)] = &select.projection[..] else { panic!("one") };

        let mut parameters = Vec::new();
        let mut binder = Binder { table: None, alias: None, parameters: &mut parameters };
        let (bound, base) = binder.bind(expr, None)?;
        let nulls = vec![Value::Null; parameters.len()];
        Ok((bound.eval(Scope { parameters: &nulls, now: 0 }, &[])?, base))
    }

    #[test]
    fn three_valued_logic() {
        for (expr, value) in [
            ("false and null", Value::Bool(false)),
            ("null and false", Value::Bool(false)),
            ("true and null", Value::Null),
            ("null or true", Value::Bool(true)),
            ("null or false", Value::Null),
            ("not null", Value::Null),
            ("1 = null", Value::Null),
            ("null is null", Value::Bool(true)),
            ("1 = 1 and 2 < 1 or 3 >= 3", Value::Bool(true)),
        ] {
            assert_eq!(value_of(expr).expect(expr).0, value, "{expr}");
        }
    }

    #[test]
    fn integers_keep_their_type_and_its_range() {
        for (expr, number) in [("7 / -2", -3), ("-7 % 3", -1), ("2 + 3 * 4", 14), ("- (1)", -1)] {
            assert_eq!(value_of(expr), Ok((Value::Int(number), Type::Int4)), "{expr}");
        }
        let wide = Ok((Value::Int(2_147_483_648), Type::Int8));
        assert_eq!(value_of("2147483648"), wide);
        assert_eq!(value_of("-2147483648").expect("fits").1, Type::Int4);
        for (expr, code) in [
            ("2147483647 + 1", code::NUMERIC_VALUE_OUT_OF_RANGE),
            ("9223372036854775807 + 1", code::NUMERIC_VALUE_OUT_OF_RANGE),
            ("1 / 0", code::DIVISION_BY_ZERO),
            ("1 + 'x'", code::INVALID_TEXT_REPRESENTATION),
            ("1 + true", code::UNDEFINED_FUNCTION),
            ("1 = true", code::UNDEFINED_FUNCTION),
            ("1.5", code::FEATURE_NOT_SUPPORTED),
            ("x", code::UNDEFINED_COLUMN),
            ("$0", code::UNDEFINED_PARAMETER),
            ("1 and true", code::DATATYPE_MISMATCH),
        ] {
            assert_eq!(value_of(expr).expect_err(expr).code, code, "{expr}");
        }
    }

    #[test]
    fn the_other_side_types_a_literal() {
        assert_eq!(value_of("'5' + 1"), Ok((Value::Int(6), Type::Int4)));
        assert_eq!(value_of("5 = '5'"), Ok((Value::Bool(true), Type::Bool)));
        assert_eq!(value_of("$1 + 1"), Ok((Value::Null, Type::Int4)));
    }
}
