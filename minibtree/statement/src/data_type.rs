//! Names of types, as in CREATE TABLE and casts.

use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{ColumnType, Type};
use minibtree_types::{error, unsupported};
use sqlparser::ast::{self, DataType, ExactNumberInfo};

/// The longest `char(n)` and `varchar(n)`: PostgreSQL's limit.
const LENGTH_MAX: u64 = 10_485_760;

/// The type of this name.
///
/// # Errors
/// `0A000` for types that we do not have, `22023` for a modifier out of range.
pub fn column_type(name: &DataType) -> Result<ColumnType> {
    use ast::TimezoneInfo::{None as Without, Tz, WithTimeZone, WithoutTimeZone};

    Ok(match name {
        DataType::Bool | DataType::Boolean => Type::Bool.plain(),
        DataType::SmallInt(None) | DataType::Int2(None) => Type::Int2.plain(),
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => Type::Int4.plain(),
        DataType::BigInt(None) | DataType::Int8(None) => Type::Int8.plain(),
        DataType::Real | DataType::Float4 => Type::Float4.plain(),
        DataType::DoublePrecision | DataType::Float8 | DataType::Float(ExactNumberInfo::None) => {
            Type::Float8.plain()
        }
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info)?,
        DataType::Text => Type::Text.plain(),
        DataType::Varchar(length) | DataType::CharacterVarying(length) => {
            with_length(name, Type::Varchar, length, None)?
        }
        DataType::Char(length) | DataType::Character(length) => {
            with_length(name, Type::Bpchar, length, Some(1))?
        }
        DataType::Bytea => Type::Bytea.plain(),
        DataType::Date => Type::Date.plain(),
        DataType::Uuid => Type::Uuid.plain(),
        DataType::Timestamp(None, Without | WithoutTimeZone) => Type::Timestamp.plain(),
        DataType::Timestamp(None, WithTimeZone | Tz) => Type::TimestampTz.plain(),
        DataType::Regclass => Type::Regclass.plain(),
        DataType::Custom(name, modifiers) if modifiers.is_empty() => named(name)?,
        DataType::Array(ast::ArrayElemTypeDef::SquareBracket(element, None)) => {
            let ColumnType { base, modifier } = column_type(element)?;
            let base = Type::array_of(base).ok_or_else(|| unsupported!("the type {name}"))?;
            ColumnType { base, modifier }
        }
        other => return Err(unsupported!("the type {other}")),
    })
}

/// Types that the parser has no word for.
fn named(name: &ast::ObjectName) -> Result<ColumnType> {
    let text = name.to_string().to_lowercase().replace('"', "");
    let text = text.strip_prefix("pg_catalog.").unwrap_or(&text);
    Type::named(text).map(Type::plain).ok_or_else(|| unsupported!("the type {name}"))
}

fn numeric(info: &ExactNumberInfo) -> Result<ColumnType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(Type::Numeric.plain()),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    if !(1..=1_000).contains(&precision) {
        let text = format!("NUMERIC precision {precision} must be between 1 and 1000");
        return Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text));
    }
    if !(0..=precision as i64).contains(&scale) {
        return Err(SqlError::unsupported("a scale that is negative or larger than the precision"));
    }
    let modifier = (precision as i32) << 16 | scale as i32;
    Ok(ColumnType { base: Type::Numeric, modifier: modifier + 4 })
}

fn with_length(
    name: &DataType,
    base: Type,
    length: &Option<ast::CharacterLength>,
    default: Option<u64>,
) -> Result<ColumnType> {
    use ast::CharacterLength::IntegerLength;

    let length = match length {
        None => default,
        Some(IntegerLength { length, unit: None }) => Some(*length),
        Some(_) => return Err(unsupported!("the type {name}")),
    };
    // PostgreSQL names these two types by their short names here.
    let short = if base == Type::Varchar { "varchar" } else { "char" };
    match length {
        None => Ok(base.plain()),
        Some(length) if (1..=LENGTH_MAX).contains(&length) => {
            Ok(ColumnType { base, modifier: length as i32 + 4 })
        }
        Some(0) => {
            Err(error!(INVALID_PARAMETER_VALUE, "length for type {short} must be at least 1"))
        }
        Some(_) => {
            let text = format!("length for type {short} cannot exceed {LENGTH_MAX}");
            Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text))
        }
    }
}
