//! `x = ANY (array)`: takes the elements out of an array that is written out in the statement. The
//! binder then treats them like the list of `x IN (..)`.
//!
//! ```text
//! ARRAY[1, y + 2]             1, y + 2
//! '{1, 2, NULL}'              '1', '2', NULL
//! '{1, 2}'::bigint[]          '1'::bigint, '2'::bigint
//! ```
//!
//! Elements with quotes or backslashes, arrays in arrays and empty arrays are refused. PostgreSQL's
//! `array_in` (`arrayfuncs.c`) and `transformArrayExpr` (`parse_expr.c`).

use minibtree_types::error::{Result, SqlError};
use minibtree_types::{error, unsupported};
use sqlparser::ast::{self, DataType, Expr};

/// The elements of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Elements {
    /// Each as an expression.
    pub exprs: Vec<Expr>,
    /// They decide the type of the array, as in `ARRAY[1, 2]`; else they have one, or take that of
    /// what they are compared with.
    pub decide_type: bool,
}

/// The elements of an array; `None` for an expression that is not written as one.
///
/// # Errors
/// `22P02` for a malformed literal, `0A000`.
pub fn elements(array: &Expr) -> Result<Option<Elements>> {
    let exprs = match array {
        Expr::Nested(inner) => return elements(inner),
        Expr::Array(ast::Array { elem, named: _ }) => elem.clone(),
        Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => of_literal(text)?,
            _ => return Ok(None),
        },
        Expr::Cast {
            kind: kind @ (ast::CastKind::Cast | ast::CastKind::DoubleColon),
            expr,
            data_type: DataType::Array(ast::ArrayElemTypeDef::SquareBracket(element, None)),
            format: None,
        } => {
            let Some(inner) = elements(expr)? else { return Ok(None) };
            let cast = |expr| Expr::Cast {
                kind: kind.clone(),
                expr: Box::new(expr),
                data_type: (**element).clone(),
                format: None,
            };
            inner.exprs.into_iter().map(cast).collect()
        }
        _ => return Ok(None),
    };
    if exprs.is_empty() || exprs.iter().any(|it| matches!(it, Expr::Array(_))) {
        return Err(unsupported!("the array {array}"));
    }
    Ok(Some(Elements { exprs, decide_type: matches!(array, Expr::Array(_)) }))
}

/// `{1, 2, NULL}`
fn of_literal(text: &str) -> Result<Vec<Expr>> {
    let inner = text.trim().strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    let malformed = || error!(INVALID_TEXT_REPRESENTATION, "malformed array literal: \"{text}\"");
    let inner = inner.ok_or_else(malformed)?;
    if inner.contains(['"', '\\', '{', '}']) || inner.trim().is_empty() {
        return Err(unsupported!("the array '{text}'"));
    }
    let element = |it: &str| match it.trim() {
        "" => Err(malformed()),
        null if null.eq_ignore_ascii_case("null") => Ok(Expr::value(ast::Value::Null)),
        it => Ok(Expr::value(ast::Value::SingleQuotedString(it.to_owned()))),
    };
    inner.split(',').map(element).collect::<Result<_, SqlError>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_postgresql_reads_them() {
        let texts = |text: &str| -> Vec<String> {
            of_literal(text).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(texts("{1, 2,null , a b}"), ["'1'", "'2'", "NULL", "'a b'"]);
        for (text, code) in
            [("1,2", "22P02"), ("{1,,2}", "22P02"), ("{\"a\"}", "0A000"), ("{{1}}", "0A000")]
        {
            assert_eq!(of_literal(text).unwrap_err().code, code, "{text}");
        }
    }
}
