//! Values, and which of two comes first.
//!
//! `Eq` and `Hash` of a value are those of SQL: `1.0` and `1.00` are one numeric, zero and minus
//! zero one float, and NaN equals itself. That is what GROUP BY and unique keys need.

use bigdecimal::BigDecimal;
use minibtree_datetime::DAY_US;
use std::cmp::Ordering;
use std::sync::Arc;

/// A float with PostgreSQL's order: NaN equals itself and is greater than all others.
#[derive(Clone, Copy, Debug)]
pub struct Float(pub f64);

/// A value, or NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Unknown.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int2`, `int4`, `int8`, `oid`.
    Int(i64),
    /// `float4`, `float8`; NaN and the infinities of `numeric`.
    Float(Float),
    /// Any other `numeric`.
    Numeric(Box<BigDecimal>),
    /// `text`, `varchar`, `char`, `name`.
    Text(String),
    /// `bytea`.
    Bytes(Vec<u8>),
    /// Days since 2000.
    Date(i32),
    /// Microseconds since 2000.
    Timestamp(i64),
    /// `uuid`.
    Uuid([u8; 16]),
    /// The elements of an array.
    Array(Arc<[Value]>),
}

impl Value {
    /// Returns true for NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Bytes that it takes in memory, about.
    pub fn memory(&self) -> usize {
        let more = match self {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Numeric(_) => 64,
            Value::Array(elements) => elements.iter().map(Value::memory).sum(),
            _ => 0,
        };
        size_of::<Value>() + more
    }
}

impl From<BigDecimal> for Value {
    fn from(number: BigDecimal) -> Value {
        Value::Numeric(Box::new(number))
    }
}

impl From<Vec<Value>> for Value {
    fn from(elements: Vec<Value>) -> Value {
        Value::Array(elements.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(Float(number))
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Float {}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Float) -> Ordering {
        let by_nan = || self.0.is_nan().cmp(&other.0.is_nan());
        self.0.partial_cmp(&other.0).unwrap_or_else(by_nan)
    }
}

/// A day as a moment. Days go on after moments have ended; infinity is after both.
fn moment_of(days: i32) -> i128 {
    match days {
        i32::MAX => i64::MAX.into(),
        i32::MIN => i64::MIN.into(),
        days => (i128::from(days) * i128::from(DAY_US)).min(i128::from(i64::MAX) - 1),
    }
}

/// Compares two values of comparable types, neither of them NULL. `padded`: trailing spaces do not
/// count, as for `char(n)`.
pub fn compare(left: &Value, right: &Value, padded: bool) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) if padded => {
            left.trim_end_matches(' ').cmp(right.trim_end_matches(' '))
        }
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => left.cmp(right),
        (Value::Numeric(left), Value::Numeric(right)) => left.cmp(right),
        (Value::Float(special), Value::Numeric(_)) => special.cmp(&Float(0.0)),
        (Value::Numeric(_), Value::Float(special)) => Float(0.0).cmp(special),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Date(left), Value::Timestamp(right)) => moment_of(*left).cmp(&(*right).into()),
        (Value::Timestamp(left), Value::Date(right)) => i128::from(*left).cmp(&moment_of(*right)),
        (Value::Bytes(left), Value::Bytes(right)) => left.cmp(right),
        (Value::Uuid(left), Value::Uuid(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => {
            let pairs = left.iter().zip(&**right);
            let mut orders = pairs.map(|it| compare_with_nulls(it.0, it.1, padded, false, false));
            orders.find(|it| it.is_ne()).unwrap_or(left.len().cmp(&right.len()))
        }
        _ => unreachable!("only values of comparable types are compared"),
    }
}

/// The same for values that may be NULL, as ORDER BY sorts them.
pub fn compare_with_nulls(
    left: &Value,
    right: &Value,
    padded: bool,
    descending: bool,
    nulls_first: bool,
) -> Ordering {
    let nulls = |is_left| if is_left == nulls_first { Ordering::Less } else { Ordering::Greater };
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => nulls(true),
        (false, true) => nulls(false),
        (false, false) if descending => compare(right, left, padded),
        (false, false) => compare(left, right, padded),
    }
}
