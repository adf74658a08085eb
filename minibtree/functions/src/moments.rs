//! Statistics of a column, and of pairs of columns: variance, correlation, regression.
//!
//! ```text
//! integers, numerics   count, sum, sum of squares: exact, divided at the end
//! floats               count, sum, sum of squared distances from the mean (Youngs and Cramer)
//! pairs of floats      the same for both, and the sum of the products of the distances
//! ```
//!
//! The order of the operations on floats is that of PostgreSQL's `float8_accum` and
//! `float8_regr_accum`, so that the last digit is the same.

use Statistic::*;
use bigdecimal::{BigDecimal, Signed};
use minibtree_numeric::powers::sqrt_to;
use minibtree_types::error::Result;
use minibtree_types::values::{Type, Value, numeric};

/// What is computed of the moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    VarPop,
    VarSamp,
    StddevPop,
    StddevSamp,
    RegrCount,
    RegrSxx,
    RegrSyy,
    RegrSxy,
    RegrAvgx,
    RegrAvgy,
    RegrR2,
    RegrSlope,
    RegrIntercept,
    CovarPop,
    CovarSamp,
    Corr,
}

/// The statistics of one column.
pub const OF_ONE: [(&str, Statistic); 6] = [
    ("var_pop", VarPop),
    ("var_samp", VarSamp),
    ("variance", VarSamp),
    ("stddev_pop", StddevPop),
    ("stddev_samp", StddevSamp),
    ("stddev", StddevSamp),
];

/// The statistics of two columns, Y and X.
pub const OF_TWO: [(&str, Statistic); 12] = [
    ("regr_count", RegrCount),
    ("regr_sxx", RegrSxx),
    ("regr_syy", RegrSyy),
    ("regr_sxy", RegrSxy),
    ("regr_avgx", RegrAvgx),
    ("regr_avgy", RegrAvgy),
    ("regr_r2", RegrR2),
    ("regr_slope", RegrSlope),
    ("regr_intercept", RegrIntercept),
    ("covar_pop", CovarPop),
    ("covar_samp", CovarSamp),
    ("corr", Corr),
];

/// The moments of the rows so far.
#[derive(Clone, Debug)]
pub enum Moments {
    /// Of integers and numerics.
    Exact {
        /// The rows.
        count: i64,
        /// Of the values.
        sum: BigDecimal,
        /// Of their squares.
        squares: BigDecimal,
        /// NaN or an infinity is among them.
        is_special: bool,
    },
    /// Of floats, in one or two columns.
    Floats(Floats),
}

/// The moments of floats: X, and Y if there are two columns.
#[derive(Clone, Debug, Default)]
pub struct Floats {
    is_pair: bool,
    count: f64,
    sum: [f64; 2],
    /// Sums of squared distances: XX, YY; and the products XY.
    squares: [f64; 2],
    products: f64,
}

impl Moments {
    /// Of no rows; the types are those of the columns.
    pub fn start(types: &[Type]) -> Moments {
        match types {
            [Type::Float8, rest @ ..] => {
                Moments::Floats(Floats { is_pair: !rest.is_empty(), ..Floats::default() })
            }
            _ => {
                let (sum, squares) = (BigDecimal::default(), BigDecimal::default());
                Moments::Exact { count: 0, sum, squares, is_special: false }
            }
        }
    }

    /// Adds the values of a row, none of them NULL: X, or Y and X.
    ///
    /// # Errors
    /// `22003` if a sum of floats overflows.
    pub fn add(&mut self, values: &[Value]) -> Result<()> {
        let float = |value: &Value| match value {
            Value::Float(number) => number.0,
            _ => unreachable!("floats are added to floats"),
        };
        match (self, values) {
            (Moments::Exact { count, is_special, .. }, [Value::Float(_)]) => {
                (*count, *is_special) = (*count + 1, true);
                Ok(())
            }
            (Moments::Exact { count, sum, squares, .. }, [value]) => {
                let number = match value {
                    Value::Int(number) => BigDecimal::from(*number),
                    Value::Numeric(number) => (**number).clone(),
                    _ => unreachable!("the argument is a number"),
                };
                *squares = numeric::add(squares, &product(&number, &number));
                *sum = numeric::add(sum, &number);
                *count += 1;
                Ok(())
            }
            (Moments::Floats(floats), [x]) => floats.add([float(x), 0.0]),
            (Moments::Floats(floats), [y, x]) => floats.add([float(x), float(y)]),
            _ => unreachable!("one column, or two of floats"),
        }
    }

    /// A statistic of the rows; NULL if there are too few.
    ///
    /// # Errors
    /// `22003` if it has too many digits.
    pub fn finish(&self, statistic: Statistic) -> Result<Value> {
        match self {
            Moments::Floats(floats) if statistic == RegrCount => {
                Ok(Value::Int(floats.count as i64))
            }
            Moments::Floats(floats) => {
                Ok(floats.finish(statistic).map_or(Value::Null, Value::from))
            }
            Moments::Exact { count, sum, squares, is_special } => {
                let divisor = match statistic {
                    VarSamp | StddevSamp => count - 1,
                    _ => *count,
                };
                if divisor < 1 {
                    return Ok(Value::Null);
                }
                if *is_special {
                    return Ok(f64::NAN.into());
                }
                // N * sum(x^2) - sum(x)^2, over N^2 or N * (N - 1)
                let rows = BigDecimal::from(*count);
                let spread = numeric::add(&product(&rows, squares), &-product(sum, sum));
                if !spread.is_positive() {
                    return Ok(BigDecimal::from(0).into());
                }
                let divisor = product(&rows, &divisor.into());
                let variance = numeric::divide(&spread, &divisor)?;
                Ok(match statistic {
                    StddevPop | StddevSamp => {
                        let (_, scale) = variance.as_bigint_and_exponent();
                        sqrt_to(&variance, scale).into()
                    }
                    _ => variance.into(),
                })
            }
        }
    }
}

/// A product with all of its digits, more of them than a numeric may have.
fn product(left: &BigDecimal, right: &BigDecimal) -> BigDecimal {
    let (left, left_scale) = left.as_bigint_and_exponent();
    let (right, right_scale) = right.as_bigint_and_exponent();
    BigDecimal::new(left * right, left_scale + right_scale)
}

impl Floats {
    fn add(&mut self, values: [f64; 2]) -> Result<()> {
        let before = self.clone();
        self.count += 1.0;
        let mut distances = [0.0; 2];
        for (axis, value) in values.into_iter().enumerate() {
            self.sum[axis] += value;
            distances[axis] = value * self.count - self.sum[axis];
        }

        if before.count == 0.0 {
            // A distance from a mean that is no number is none either.
            let is_bad = values.map(|it| !it.is_finite());
            self.squares = is_bad.map(|it| if it { f64::NAN } else { 0.0 });
            self.products = self.squares[0] + self.squares[1];
            return Ok(());
        }
        // PostgreSQL divides for one column, and multiplies by the inverse for two.
        let scale = self.count * before.count;
        let scaled = |product: f64| match self.is_pair {
            true => product * (1.0 / scale),
            false => product / scale,
        };
        for (axis, value) in values.into_iter().enumerate() {
            self.squares[axis] += scaled(distances[axis] * distances[axis]);
            if self.sum[axis].is_infinite() || self.squares[axis].is_infinite() {
                if before.sum[axis].is_finite() && value.is_finite() {
                    return Err(Type::Float8.out_of_range());
                }
                self.squares[axis] = f64::NAN;
            }
        }
        self.products += scaled(distances[0] * distances[1]);
        if self.products.is_infinite() {
            self.products = f64::NAN;
        }
        Ok(())
    }

    fn finish(&self, statistic: Statistic) -> Option<f64> {
        let Floats { is_pair: _, count, sum: [x, y], squares: [xx, yy], products: xy } = *self;
        let over = |number: f64, divisor: f64| (divisor > 0.0).then(|| number / divisor);
        let needs_spread = matches!(statistic, RegrR2 | RegrSlope | RegrIntercept | Corr);
        if count < 1.0 || needs_spread && xx == 0.0 {
            return None;
        }
        match statistic {
            VarPop => over(xx, count),
            VarSamp => over(xx, count - 1.0),
            StddevPop => over(xx, count).map(f64::sqrt),
            StddevSamp => over(xx, count - 1.0).map(f64::sqrt),
            RegrCount => Some(count),
            RegrSxx => Some(xx),
            RegrSyy => Some(yy),
            RegrSxy => Some(xy),
            RegrAvgx => over(x, count),
            RegrAvgy => over(y, count),
            CovarPop => over(xy, count),
            CovarSamp => over(xy, count - 1.0),
            Corr => (yy != 0.0).then(|| xy / (xx * yy).sqrt()),
            RegrR2 if yy == 0.0 => Some(1.0),
            RegrR2 => Some(xy * xy / (xx * yy)),
            RegrSlope => Some(xy / xx),
            RegrIntercept => Some((y - x * xy / xx) / count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_have_no_spread() {
        let mut moments = Moments::start(&[Type::Int4]);
        assert_eq!(moments.finish(VarPop), Ok(Value::Null));
        moments.add(&[Value::Int(7)]).expect("small");
        assert_eq!(moments.finish(VarPop), Ok(BigDecimal::from(0).into()));
        assert_eq!(moments.finish(VarSamp), Ok(Value::Null));

        // Asked of PostgreSQL 15.
        moments.add(&[Value::Int(8)]).expect("small");
        let value = moments.finish(StddevSamp).expect("short");
        assert_eq!(Type::Numeric.text_of(&value), "0.70710678118654752440");
    }

    #[test]
    fn a_line_is_found() {
        let mut moments = Moments::start(&[Type::Float8; 2]);
        for x in 0..10 {
            let (x, y) = (f64::from(x), 3.0 + 2.0 * f64::from(x));
            moments.add(&[y.into(), x.into()]).expect("small");
        }
        assert_eq!(moments.finish(RegrSlope), Ok(2.0.into()));
        assert_eq!(moments.finish(RegrIntercept), Ok(3.0.into()));
        assert_eq!(moments.finish(Corr), Ok(1.0.into()));
        assert_eq!(moments.finish(RegrCount), Ok(Value::Int(10)));
    }
}
