//! The range of `width_bucket`, and what is wrong with it.

use minibtree_types::error::{Result, SqlError, code};

/// Checks the number of buckets, and whether the operand and the bounds of their range are numbers.
pub fn check_buckets(count: i64, [operand, low, high]: [f64; 3]) -> Result<()> {
    match () {
        () if count <= 0 => Err(bucket("count must be greater than zero")),
        () if operand.is_nan() || low.is_nan() || high.is_nan() => {
            Err(bucket("operand, lower bound, and upper bound cannot be NaN"))
        }
        () if low.is_infinite() || high.is_infinite() => {
            Err(bucket("lower and upper bounds must be finite"))
        }
        () => Ok(()),
    }
}

/// Checks the range of the buckets.
pub fn check_bounds(is_empty: bool) -> Result<()> {
    if is_empty { Err(bucket("lower bound cannot equal upper bound")) } else { Ok(()) }
}

fn bucket(text: &str) -> SqlError {
    SqlError::new(code::INVALID_ARGUMENT_FOR_WIDTH_BUCKET, text)
}
