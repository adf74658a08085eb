//! Reads statements by `sqlparser`, and refuses what it does not read everywhere.

use minibtree_grammar::refusal;
use minibtree_places::syntax::{syntax, syntax_at};
use minibtree_types::error::{Result, SqlError, code};
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Reads a statement by `sqlparser`.
///
/// # Errors
/// `42601` if it is none, `54001` if it is too deep.
pub fn parse_sql(tokens: &[TokenWithSpan]) -> Result<ast::Statement> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens.to_vec());
    let statement = parser.parse_statement().map_err(|error| match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            let at = match text.rsplit_once(" at Line: 1, Column: ") {
                Some((_, column)) => {
                    let column = column.parse();
                    tokens.iter().position(|it| column == Ok(it.span.start.column))
                }
                None => text.ends_with("EOF").then_some(tokens.len()),
            };
            refusal(tokens, at).unwrap_or_else(|| syntax(&text))
        }
        ParserError::RecursionLimitExceeded => {
            SqlError::new(code::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        }
    })?;
    // sqlparser reads `CREATE TABLE t` as if parentheses followed.
    if let ast::Statement::CreateTable(it) = &statement
        && it.query.is_none()
        && tokens.last().map(|it| it.token.to_string()) == it.name.0.last().map(|it| it.to_string())
    {
        return Err(syntax_at(None));
    }
    match parser.peek_token() {
        it if it.token == Token::EOF => Ok(statement),
        more => {
            let at = tokens.iter().position(|it| it.span == more.span);
            Err(refusal(tokens, at).unwrap_or_else(|| syntax_at(Some(&more))))
        }
    }
}
