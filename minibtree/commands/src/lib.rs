//! A parser for statements whose PostgreSQL syntax `sqlparser` does not parse: COPY, VACUUM,
//! ANALYZE, REINDEX, FETCH.
//!
//! | file | what it is |
//! |---|---|
//! | `copy.rs` | COPY, with the options of PostgreSQL 15 and those from before 9.0 |
//! | `cursor.rs` | FETCH and MOVE |
//! | `words.rs` | tokens, taken one by one |
//! | `syntax.rs` | statements that `sqlparser` reads |
//!
//! ```
//! use minibtree_commands::{Command, Direction, read};
//! use sqlparser::dialect::PostgreSqlDialect;
//! use sqlparser::tokenizer::{Token, Tokenizer};
//!
//! let tokens = Tokenizer::new(&PostgreSqlDialect {}, "fetch -2 from c").tokenize_with_location();
//! let mut tokens = tokens.expect("SQL");
//! tokens.retain(|it| !matches!(it.token, Token::Whitespace(_)));
//! let Some(Command::Fetch(fetch)) = read(&tokens)? else { panic!("a FETCH") };
//! assert_eq!((fetch.direction, fetch.count), (Direction::Forward, -2));
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

use minibtree_types::error::{Result, SqlError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

mod copy;
mod cursor;
mod syntax;
mod words;

pub use copy::{Copy, Source};
pub use cursor::{Direction, Fetch, Path};
pub use syntax::parse_sql;
use words::Words;

/// Commands of PostgreSQL that are neither `sqlparser`'s nor ours.
const UNREAD: [&str; 3] = ["cluster", "do", "reassign"];

/// A statement that is read here.
#[derive(Clone, Debug)]
pub enum Command {
    /// `COPY`.
    Copy(Copy),
    /// `VACUUM`.
    Vacuum(Vacuum),
    /// `FETCH`, or `MOVE`.
    Fetch(Fetch),
    /// `ANALYZE` of these tables; none means all.
    Analyze(Vec<String>),
    /// `REINDEX`.
    Reindex(Reindex),
}

/// `VACUUM (VERBOSE, ANALYZE) t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vacuum {
    /// The tables; none means all.
    pub tables: Vec<String>,
    /// Tell the client what was done.
    pub verbose: bool,
    /// Collect statistics too.
    pub analyze: bool,
}

/// `REINDEX TABLE t`: what is built anew, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reindex {
    /// One index.
    Index(String),
    /// The indexes of a table.
    Table(String),
    /// The indexes of all tables of a schema.
    Schema(String),
    /// The indexes of all tables.
    Database(String),
}

/// Reads a command; `None` if the statement is another one.
///
/// # Errors
/// `42601` if it is malformed, `0A000` for what we do not do.
pub fn read(tokens: &[TokenWithSpan]) -> Result<Option<Command>> {
    let mut words = Words { tokens };
    let command = if words.accept("copy") {
        Command::Copy(copy::copy(words)?)
    } else if words.accept("vacuum") {
        Command::Vacuum(vacuum(words)?)
    } else if words.accept("fetch") {
        Command::Fetch(cursor::fetch(words, false)?)
    } else if words.accept("move") {
        Command::Fetch(cursor::fetch(words, true)?)
    } else if words.accept("reindex") {
        Command::Reindex(reindex(words)?)
    } else if words.accept("analyze") {
        words.accept("verbose");
        Command::Analyze(tables(words)?)
    } else if let Some(verb) = UNREAD.iter().find(|it| words.accept(it)) {
        return Err(SqlError::unsupported(verb.to_uppercase()));
    } else {
        return Ok(None);
    };
    Ok(Some(command))
}

fn vacuum(mut words: Words<'_>) -> Result<Vacuum> {
    let (mut verbose, mut analyze) = (false, false);
    let mut options = |words: &mut Words<'_>| {
        let (is_verbose, is_analyze) = (words.accept("verbose"), words.accept("analyze"));
        (verbose, analyze) = (verbose | is_verbose, analyze | is_analyze);
        is_verbose || is_analyze
    };
    if words.symbol(&Token::LParen) {
        while options(&mut words) || words.symbol(&Token::Comma) {}
        if !words.symbol(&Token::RParen) {
            return Err(SqlError::unsupported("this VACUUM option"));
        }
    } else {
        if words.accept("full") || words.accept("freeze") {
            return Err(SqlError::unsupported("VACUUM FULL or FREEZE"));
        }
        while options(&mut words) {}
    }

    Ok(Vacuum { tables: tables(words)?, verbose, analyze })
}

fn reindex(mut words: Words<'_>) -> Result<Reindex> {
    let kinds = ["index", "table", "schema", "database"];
    let Some(kind) = kinds.into_iter().find(|word| words.accept(word)) else {
        let is_known = words.symbol(&Token::LParen) || words.accept("system");
        let refused = || SqlError::unsupported("REINDEX with options, or of the system catalog");
        return Err(if is_known { refused() } else { words.unexpected() });
    };
    if words.accept("concurrently") {
        return Err(SqlError::unsupported("REINDEX CONCURRENTLY"));
    }
    let name = words.table()?;
    words.end()?;
    Ok(match kind {
        "index" => Reindex::Index(name),
        "table" => Reindex::Table(name),
        "schema" => Reindex::Schema(name),
        _ => Reindex::Database(name),
    })
}

/// The rest: names of tables.
fn tables(mut words: Words<'_>) -> Result<Vec<String>> {
    let mut tables = Vec::new();
    if words.tokens.iter().any(|it| it.token == Token::LParen) {
        return Err(SqlError::unsupported("ANALYZE with options or columns"));
    }
    while !words.tokens.is_empty() {
        tables.push(words.table()?);
        if !words.tokens.is_empty() {
            words.expect(&Token::Comma)?;
        }
    }
    Ok(tables)
}
