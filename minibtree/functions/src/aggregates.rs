//! Aggregate functions.
//!
//! ```text
//! sum(int4) -> int8      sum(int8) -> numeric     avg(int4) -> numeric     avg(float8) -> float8
//! ```
//!
//! NULLs do not count. The state of a sum of integers has 128 bits, as PostgreSQL's has
//! (`int8_avg_accum`), so that it cannot overflow before the result does.

use crate::casts::is_implicit;
use crate::moments::{Moments, OF_ONE, OF_TWO, Statistic};
use Type::*;
use bigdecimal::{BigDecimal, Zero};
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{Type, Value, compare, numeric};

/// What an aggregate computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `count(*)`, `count(x)`
    Count,
    /// `sum(x)`
    Sum,
    /// `avg(x)`
    Average,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `bool_and(x)`, `every(x)`
    BoolAnd,
    /// `bool_or(x)`
    BoolOr,
    /// `string_agg(x, separator)`
    StringAgg,
    /// `bit_and(x)`
    BitAnd,
    /// `bit_or(x)`
    BitOr,
    /// `bit_xor(x)`
    BitXor,
    /// `stddev(x)`, `corr(y, x)` and so on.
    Statistic(Statistic),
}

/// An aggregate for arguments of certain types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// As it is called.
    pub name: &'static str,
    /// What it computes.
    pub kind: Kind,
    /// The types that arguments are cast to.
    pub arguments: Vec<Type>,
    /// The type of the result.
    pub result: Type,
}

/// The names of all aggregates that we have.
const NAMES: [(&str, Kind); 12] = [
    ("count", Kind::Count),
    ("sum", Kind::Sum),
    ("avg", Kind::Average),
    ("min", Kind::Min),
    ("max", Kind::Max),
    ("bool_and", Kind::BoolAnd),
    ("every", Kind::BoolAnd),
    ("bool_or", Kind::BoolOr),
    ("string_agg", Kind::StringAgg),
    ("bit_and", Kind::BitAnd),
    ("bit_or", Kind::BitOr),
    ("bit_xor", Kind::BitXor),
];

/// Returns true if it is the name of an aggregate.
pub fn is_aggregate(name: &str) -> bool {
    named(name).is_some()
}

fn named(name: &str) -> Option<(&'static str, Kind)> {
    let statistics = OF_ONE.iter().chain(&OF_TWO).map(|it| (it.0, Kind::Statistic(it.1)));
    NAMES.into_iter().chain(statistics).find(|it| it.0 == name)
}

/// The aggregate of this name for arguments of these types; none are those of `count(*)`.
pub fn find(name: &str, types: &[Type]) -> Option<Aggregate> {
    let (name, kind) = named(name)?;
    let row = |arguments: &[Type], result| {
        Some(Aggregate { name, kind, arguments: arguments.to_vec(), result })
    };
    match (kind, types) {
        (Kind::Count, []) => row(&[], Int8),
        (Kind::Count, [Unknown]) => row(&[Text], Int8),
        (Kind::Count, [base]) => row(&[*base], Int8),
        (Kind::Sum, [Int2 | Int4]) => row(types, Int8),
        (Kind::Sum, [Int8]) => row(types, Numeric),
        (Kind::Sum, [base @ (Numeric | Float4 | Float8)]) => row(types, *base),
        (Kind::Average, [Int2 | Int4 | Int8 | Numeric]) => row(types, Numeric),
        (Kind::Average, [Float4 | Float8]) => row(types, Float8),
        (Kind::Min | Kind::Max, [Varchar | Text | Unknown]) => row(&[Text], Text),
        // PostgreSQL has no min and max of bool, bytea and uuid.
        (
            Kind::Min | Kind::Max,
            [
                base @ (Int2 | Int4 | Int8 | Oid | Float4 | Float8 | Numeric | Bpchar | Date
                | Timestamp | TimestampTz),
            ],
        ) => row(types, *base),
        (Kind::BitAnd | Kind::BitOr | Kind::BitXor, [base]) if base.is_integer() => {
            row(types, *base)
        }
        (Kind::Statistic(_), [base]) if is_of_one(name) => match base {
            Int2 | Int4 | Int8 | Numeric => row(types, Numeric),
            Float4 | Float8 => row(&[Float8], Float8),
            _ => None,
        },
        (Kind::Statistic(statistic), [y, x]) if !is_of_one(name) => {
            let result = if statistic == Statistic::RegrCount { Int8 } else { Float8 };
            let fits = [y, x].iter().all(|it| is_implicit(**it, Float8));
            if fits { row(&[Float8, Float8], result) } else { None }
        }
        (Kind::BoolAnd | Kind::BoolOr, [base]) if is_implicit(*base, Bool) => row(&[Bool], Bool),
        (Kind::StringAgg, [base, separator])
            if is_implicit(*base, Text) && is_implicit(*separator, Text) =>
        {
            row(&[Text, Text], Text)
        }
        _ => None,
    }
}

fn is_of_one(name: &str) -> bool {
    OF_ONE.iter().any(|it| it.0 == name)
}

/// An aggregate on its way.
#[derive(Clone, Debug)]
pub enum State {
    /// The number of values that are not NULL.
    Count(i64),
    /// Sum and number of integers.
    Integers(i128, i64),
    /// Sum and number of numerics, and the sum of the NaNs and infinities among them.
    Numerics(BigDecimal, i64, f64),
    /// Sum and number of floats.
    Floats(f64, i64),
    /// The smallest, the greatest, or all of them.
    Best(Value),
    /// The bits so far.
    Bits(Option<i64>),
    /// Strings so far, with separators between them.
    Text(Option<String>),
    /// What statistics are computed of.
    Moments(Moments),
}

impl State {
    /// Before the first row.
    pub fn start(aggregate: &Aggregate) -> State {
        match (aggregate.kind, aggregate.arguments.first()) {
            (Kind::Count, _) => State::Count(0),
            (Kind::Sum | Kind::Average, Some(Numeric)) => {
                State::Numerics(BigDecimal::zero(), 0, 0.0)
            }
            (Kind::Sum | Kind::Average, Some(Float4 | Float8)) => State::Floats(0.0, 0),
            (Kind::Sum | Kind::Average, _) => State::Integers(0, 0),
            (Kind::StringAgg, _) => State::Text(None),
            (Kind::BitAnd | Kind::BitOr | Kind::BitXor, _) => State::Bits(None),
            (Kind::Statistic(_), _) => State::Moments(Moments::start(&aggregate.arguments)),
            _ => State::Best(Value::Null),
        }
    }

    /// Adds the arguments of a row.
    ///
    /// # Errors
    /// `22003` if the sum overflows.
    pub fn add(&mut self, aggregate: &Aggregate, arguments: &[Value]) -> Result<()> {
        let value = arguments.first();
        if value.is_some_and(Value::is_null) {
            return Ok(());
        }
        match (&mut *self, value) {
            (State::Count(count), _) => *count += 1,
            (State::Integers(sum, count), Some(Value::Int(number))) => {
                (*sum, *count) = (*sum + i128::from(*number), *count + 1);
            }
            (State::Numerics(sum, count, _), Some(Value::Numeric(number))) => {
                *sum = numeric::add(sum, number);
                *count += 1;
            }
            (State::Numerics(_, count, specials), Some(Value::Float(special))) => {
                *specials += special.0;
                *count += 1;
            }
            (State::Floats(sum, count), Some(Value::Float(number))) => {
                let next = match aggregate.result {
                    Float4 => f64::from((*sum + number.0) as f32),
                    _ => *sum + number.0,
                };
                if next.is_infinite() && sum.is_finite() && number.0.is_finite() {
                    return Err(Float8.out_of_range());
                }
                (*sum, *count) = (next, *count + 1);
            }
            (State::Bits(bits), Some(Value::Int(number))) => {
                *bits = Some(match (*bits, aggregate.kind) {
                    (None, _) => *number,
                    (Some(bits), Kind::BitAnd) => bits & number,
                    (Some(bits), Kind::BitOr) => bits | number,
                    (Some(bits), _) => bits ^ number,
                });
            }
            (State::Moments(_), _) if arguments.iter().any(Value::is_null) => {}
            (State::Moments(moments), _) => moments.add(arguments)?,
            (State::Best(best), Some(value)) => {
                let is_padded = aggregate.arguments[0] == Bpchar;
                let is_better = best.is_null()
                    || match aggregate.kind {
                        Kind::Min | Kind::BoolAnd => compare(value, best, is_padded).is_lt(),
                        _ => compare(value, best, is_padded).is_gt(),
                    };
                if is_better {
                    *best = value.clone();
                }
            }
            (State::Text(texts), Some(Value::Text(text))) => match (texts, &arguments[1]) {
                (texts @ None, _) => *texts = Some(text.clone()),
                (Some(texts), Value::Text(separator)) => *texts += &(separator.clone() + text),
                (Some(texts), _) => *texts += text,
            },
            _ => unreachable!("the argument has the type of the aggregate"),
        }
        Ok(())
    }

    /// After the last row.
    ///
    /// # Errors
    /// `22003` if a sum overflows.
    pub fn finish(self, aggregate: &Aggregate) -> Result<Value> {
        let is_average = aggregate.kind == Kind::Average;
        let count = |count: i64| BigDecimal::from(count);
        Ok(match self {
            State::Count(count) => Value::Int(count),
            State::Integers(_, 0) | State::Numerics(_, 0, _) | State::Floats(_, 0) => Value::Null,
            State::Integers(sum, number) if is_average => {
                numeric::divide(&BigDecimal::from(sum), &count(number))?.into()
            }
            State::Integers(sum, _) if aggregate.result == Numeric => BigDecimal::from(sum).into(),
            State::Integers(sum, _) => {
                let text = "bigint out of range";
                let error = SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text);
                Value::Int(i64::try_from(sum).map_err(|_| error)?)
            }
            State::Numerics(_, _, specials) if specials != 0.0 => specials.into(),
            State::Numerics(sum, number, _) if is_average => {
                numeric::divide(&sum, &count(number))?.into()
            }
            State::Numerics(sum, ..) => sum.into(),
            State::Floats(sum, number) if is_average => (sum / number as f64).into(),
            State::Floats(sum, _) => sum.into(),
            State::Best(best) => best,
            State::Bits(bits) => bits.map_or(Value::Null, Value::Int),
            State::Moments(moments) => match aggregate.kind {
                Kind::Statistic(statistic) => moments.finish(statistic)?,
                _ => unreachable!("moments are those of a statistic"),
            },
            State::Text(texts) => texts.map_or(Value::Null, Value::Text),
        })
    }
}
