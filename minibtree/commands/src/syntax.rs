//! Syntax errors in PostgreSQL's words.

use minibtree_grammar::refusal;
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
    match parser.peek_token() {
        it if it.token == Token::EOF => Ok(statement),
        more => {
            let at = tokens.iter().position(|it| it.span == more.span);
            Err(refusal(tokens, at).unwrap_or_else(|| syntax_at(Some(&more))))
        }
    }
}

/// The error of the parser or tokenizer in PostgreSQL's words, as far as it names a token:
/// `Expected: an expression, found: from at Line: 1, Column: 8`
pub fn syntax(text: &str) -> SqlError {
    let found = text.rsplit_once(", found: ").map(|it| it.1);
    let (found, column) = match found.map(|it| it.rsplit_once(" at Line: 1, Column: ")) {
        Some(Some((token, column))) => (format!(" at or near \"{token}\""), column.parse().ok()),
        Some(None) if found == Some("EOF") => (" at end of input".to_owned(), None),
        _ => (format!(": {text}"), None),
    };
    SqlError::new(code::SYNTAX_ERROR, format!("syntax error{found}")).at(column.unwrap_or(0))
}

/// The error for a token that does not belong there; `None` is the end.
pub fn syntax_at(found: Option<&TokenWithSpan>) -> SqlError {
    let (text, column) = match found {
        Some(it) if it.token != Token::EOF => {
            (format!("at or near \"{}\"", it.token), it.span.start.column)
        }
        _ => ("at end of input".to_owned(), 0),
    };
    SqlError::new(code::SYNTAX_ERROR, format!("syntax error {text}")).at(column)
}
