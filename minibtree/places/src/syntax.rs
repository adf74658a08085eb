//! Syntax errors in PostgreSQL's words.

use minibtree_types::error::{SqlError, code};
use sqlparser::tokenizer::{Token, TokenWithSpan};

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

/// A statement that ends too early may end with a semicolon.
pub fn at_end(error: SqlError, semicolon: Option<&TokenWithSpan>) -> SqlError {
    match semicolon {
        Some(_) if error.message == syntax_at(None).message => syntax_at(semicolon),
        _ => error,
    }
}
