//! Syntax errors in PostgreSQL's words.

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
            unread(tokens, &text).unwrap_or_else(|| syntax(&text))
        }
        ParserError::RecursionLimitExceeded => {
            SqlError::new(code::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        }
    })?;
    match parser.peek_token() {
        it if it.token == Token::EOF => Ok(statement),
        more => Err(unread(tokens, "").unwrap_or_else(|| syntax_at(Some(&more)))),
    }
}

/// What `sqlparser` does not read everywhere. A statement with it that cannot be read is refused.
const UNREAD: &str = "similar,recursive,variadic,current of,deferrable,concurrently,attach,cycle,\
    search,as execute,set storage,on conflict,create function,create or replace,create view,\
    alter index,fetch first,no key update,key share,uescape,all ( values,any ( values,\
    found: union,found: intersect,found: except";

fn unread(tokens: &[TokenWithSpan], error: &str) -> Option<SqlError> {
    let words: Vec<String> = tokens.iter().map(|it| it.token.to_string()).collect();
    let text = format!(" {} {error} ", words.join(" ")).to_lowercase();
    let found = UNREAD.split(',').find(|it| text.contains(&format!(" {it} ")))?;
    let words = found.trim_start_matches("found: ").to_uppercase();
    Some(SqlError::unsupported(format!("this form of {words}")))
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
