//! Where the parts of a statement are in its text, so that a client can show what is wrong:
//!
//! ```text
//! LINE 1: select length('abc') + true, abs('x') from t
//!                              ^           ^
//!                              place_of    start_of the argument
//! ```
//!
//! The parser keeps the places of names and constants, but not those of operators. So
//! `minibtree/statement` lets each token end where the next one begins, and an operator is where
//! its left operand ends. Where this is not enough, the place is 0: unknown.
//!
//! PostgreSQL's `exprLocation` (`nodeFuncs.c`).

pub mod syntax;

use minibtree_names::position_of;
use sqlparser::ast::{self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

/// Gives tokens their places in the text: as the protocol does, this counts characters of the whole
/// text, from 1 on, so that all are in the first line. Each token ends where the next one begins
/// that is no closing parenthesis, nor a pair of parentheses.
pub fn placed(sql: &str, tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let ends = sql.chars().zip(1..).filter(|it| it.0 == '\n').map(|it| it.1);
    let starts: Vec<u64> = std::iter::once(0).chain(ends).collect();
    let (mut end, mut is_closed) = (Location { line: 1, column: 0 }, false);
    let mut placed = Vec::with_capacity(tokens.len());
    for TokenWithSpan { token, span } in tokens.into_iter().rev() {
        let column = starts[span.start.line as usize - 1] + span.start.column;
        let start = Location { line: 1, column };
        let is_pair = is_closed && token == Token::LParen;
        is_closed = token == Token::RParen;
        let is_passed = is_pair || is_closed;
        placed.push(TokenWithSpan { token, span: Span { start, end } });
        if !is_passed {
            end = start;
        }
    }
    placed.reverse();
    placed
}

/// The character that an error about an expression points to: its operator or function.
pub fn place_of(expr: &Expr) -> u64 {
    match expr {
        Expr::Nested(inner) => place_of(inner),
        Expr::Function(call) => position_of(&call.name),
        Expr::BinaryOp { left, .. }
        | Expr::AnyOp { left, .. }
        | Expr::AllOp { left, .. }
        | Expr::Cast { kind: ast::CastKind::DoubleColon, expr: left, .. }
        | Expr::In { expr: left, negated: false, .. }
        | Expr::Like { expr: left, negated: false, .. }
        | Expr::ILike { expr: left, negated: false, .. } => end_of(left),
        other => start_of(other),
    }
}

/// The first character of an expression.
pub fn start_of(expr: &Expr) -> u64 {
    match expr {
        Expr::Nested(inner) => start_of(inner),
        Expr::Identifier(name) => name.span.start.column,
        Expr::CompoundIdentifier(names) => names.first().map_or(0, |it| it.span.start.column),
        Expr::Value(literal) => literal.span.start.column,
        Expr::Case { case_token, .. } => case_token.0.span.start.column,
        Expr::BinaryOp { left, .. }
        | Expr::Cast { kind: ast::CastKind::DoubleColon, expr: left, .. } => start_of(left),
        Expr::Function(call) => position_of(&call.name),
        _ => 0,
    }
}

/// Where the next token after an expression and its parentheses begins.
fn end_of(expr: &Expr) -> u64 {
    match expr {
        Expr::Nested(inner) => end_of(inner),
        Expr::Identifier(name) => name.span.end.column,
        Expr::CompoundIdentifier(names) => names.last().map_or(0, |it| it.span.end.column),
        Expr::Value(literal) => literal.span.end.column,
        Expr::BinaryOp { right, .. } => end_of(right),
        Expr::UnaryOp { expr, .. } => end_of(expr),
        Expr::Function(ast::Function { name, args, over: None, filter: None, .. }) => {
            let FunctionArguments::List(list) = args else { return 0 };
            match list.args.last() {
                None => {
                    name.0.last().and_then(|it| it.as_ident()).map_or(0, |it| it.span.end.column)
                }
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(last))) => end_of(last),
                Some(_) => 0,
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;
    use sqlparser::tokenizer::Tokenizer;

    #[test]
    fn operators_and_functions_are_where_postgresql_sees_them() {
        // `^` is below the place, `*` below the start.
        for (sql, below) in [
            ("a + true", "* ^"),
            ("(a)\n + f( )", " *   ^"),
            ("(a.b + 'x') * 2 = c", " *              ^"),
            ("f(a, (b)) || c", "*         ^"),
            ("now() < 5", "*     ^"),
            ("'a'::int", "*  ^"),
            ("x::int + 5", "*"),
            ("f(g(1))", "^"),
            ("case when a then 1 end", "^"),
            ("- a", ""),
        ] {
            let dialect = PostgreSqlDialect {};
            let tokens = Tokenizer::new(&dialect, sql).tokenize_with_location().expect(sql);
            let is_space = |it: &TokenWithSpan| matches!(it.token, Token::Whitespace(_));
            let tokens = placed(sql, tokens.into_iter().filter(|it| !is_space(it)).collect());
            let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
            let expr = parser.parse_expr().expect(sql);
            let column = |mark| below.find(mark).map_or(0, |it| it as u64 + 1);
            assert_eq!(place_of(&expr), column('^'), "{sql}");
            assert_eq!(start_of(&expr), column('*').max(if below == "^" { 1 } else { 0 }), "{sql}");
        }
    }
}
