//! COPY.
//!
//! ```text
//! COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER)    since 9.0
//! COPY t FROM STDIN WITH DELIMITER ',' CSV HEADER       since 7.3
//! COPY t FROM STDIN USING DELIMITERS ','                before
//! COPY (SELECT ..) TO STDOUT
//! ```
//!
//! `copy_options` in PostgreSQL's `gram.y`.

use crate::parse_sql;
use crate::words::Words;
use minibtree_copy::{Argument, Columns, Direction, Options};
use minibtree_types::error::{Result, SqlError, code};
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// A COPY.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Where the data comes from, or goes to.
    pub source: Source,
    /// What it looks like.
    pub options: Options,
}

/// What is copied.
#[derive(Clone, Debug)]
pub enum Source {
    /// `COPY t (columns) FROM STDIN`; no columns means all.
    Table(String, Vec<String>),
    /// `COPY .. TO STDOUT`: the result of a statement.
    Query(Box<ast::Statement>),
}

pub fn copy(mut words: Words<'_>) -> Result<Copy> {
    if words.accept("binary") {
        return Err(SqlError::unsupported("COPY in binary format"));
    }
    let source = match words.symbol(&Token::LParen) {
        true => Source::Query(Box::new(query(&mut words)?)),
        false => {
            let table = words.table()?;
            let mut columns = Vec::new();
            if words.symbol(&Token::LParen) {
                columns = words.names()?;
                words.expect(&Token::RParen)?;
            }
            Source::Table(table, columns)
        }
    };

    let direction = match (words.accept("from"), &source) {
        (true, Source::Table(..)) => Direction::From,
        (false, _) if words.accept("to") => Direction::To,
        _ => return Err(words.unexpected()),
    };
    // PostgreSQL takes either word for either direction.
    if !(words.accept("stdin") || words.accept("stdout")) {
        let is_file = words.string().is_some() || words.accept("program");
        let text = "COPY of files and programs on the server (psql has \\copy)";
        return Err(if is_file { SqlError::unsupported(text) } else { words.unexpected() });
    }

    let options = Options::new(&options(&mut words)?, direction)?;
    if direction == Direction::From && words.accept("where") {
        return Err(SqlError::unsupported("COPY FROM with WHERE"));
    }
    words.end()?;
    let source = match source {
        Source::Table(table, columns) => {
            options.check_listed(&columns)?;
            match direction {
                Direction::From => Source::Table(table, columns),
                Direction::To => Source::Query(Box::new(whole_table(&table, &columns)?)),
            }
        }
        query => query,
    };
    Ok(Copy { source, options })
}

/// The statement up to the parenthesis that ends it.
fn query(words: &mut Words<'_>) -> Result<ast::Statement> {
    let mut depth = 0;
    let end = words.tokens.iter().position(|it| {
        depth += i32::from(it.token == Token::LParen) - i32::from(it.token == Token::RParen);
        depth < 0
    });
    let (inside, rest) = words.tokens.split_at(end.unwrap_or(words.tokens.len()));
    words.tokens = rest;
    words.expect(&Token::RParen)?;
    match parse_sql(inside)? {
        it @ (ast::Statement::Query(_)
        | ast::Statement::Insert(_)
        | ast::Statement::Update { .. }
        | ast::Statement::Delete(_)) => Ok(it),
        _ => Err(Words { tokens: inside }.unexpected()),
    }
}

/// The query that a COPY of a table stands for.
fn whole_table(table: &str, columns: &[String]) -> Result<ast::Statement> {
    if let Some(twice) = (1..columns.len()).find(|it| columns[..*it].contains(&columns[*it])) {
        let text = format!("column \"{}\" specified more than once", columns[twice]);
        return Err(SqlError::new(code::DUPLICATE_COLUMN, text));
    }
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns = match columns {
        [] => "*".to_owned(),
        columns => columns.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", "),
    };
    let sql = format!("SELECT {columns} FROM {}", quoted(table));
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, &sql).tokenize_with_location();
    let tokens = tokens.map_err(|it| SqlError::new(code::SYNTAX_ERROR, it.message))?;
    parse_sql(&tokens)
}

/// Options with columns, without their underscores in the older form.
const FORCED: [&str; 3] = ["force_not_null", "force_null", "force_quote"];
/// Options with a text.
const TEXTS: [&str; 5] = ["delimiter", "null", "quote", "escape", "encoding"];

/// The options in either form, as names and arguments.
fn options(words: &mut Words<'_>) -> Result<Vec<(String, Argument)>> {
    let mut options = Vec::new();
    if words.accept("using") && words.accept("delimiters") {
        let text = words.string().ok_or_else(|| words.unexpected())?;
        options.push(("delimiter".to_owned(), Argument::Text(text)));
    }
    words.accept("with");
    if words.symbol(&Token::LParen) {
        loop {
            options.push((words.name()?, argument(words)?));
            if !words.symbol(&Token::Comma) {
                break;
            }
        }
        words.expect(&Token::RParen)?;
        return Ok(options);
    }

    loop {
        let mut is_next = |it: &&str| words.accept_all(&it.replace('_', " "));
        let (name, argument) =
            if let Some(format) = ["csv", "binary"].into_iter().find(&mut is_next) {
                ("format", Argument::Text(format.to_owned()))
            } else if let Some(name) = ["header", "freeze"].into_iter().find(&mut is_next) {
                (name, Argument::None)
            } else if let Some(name) = FORCED.into_iter().find(&mut is_next) {
                let is_all = words.symbol(&Token::Mul);
                let columns = if is_all { Columns::All } else { Columns::Named(words.names()?) };
                (name, Argument::Columns(columns))
            } else if let Some(name) = TEXTS.into_iter().find(&mut is_next) {
                words.accept("as");
                (name, Argument::Text(words.string().ok_or_else(|| words.unexpected())?))
            } else {
                return Ok(options);
            };
        options.push((name.to_owned(), argument));
    }
}

/// What follows the name of an option in parentheses.
fn argument(words: &mut Words<'_>) -> Result<Argument> {
    if words.symbol(&Token::LParen) {
        let names = words.names()?;
        words.expect(&Token::RParen)?;
        return Ok(Argument::Columns(Columns::Named(names)));
    }
    if words.symbol(&Token::Mul) {
        return Ok(Argument::Columns(Columns::All));
    }
    if let Some(text) = words.string() {
        return Ok(Argument::Text(text));
    }
    match words.next() {
        Some(Token::Word(_)) => words.name().map(Argument::Text),
        _ => Ok(words.number()?.map_or(Argument::None, |it| Argument::Text(it.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Result<Copy> {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
        let mut tokens = tokens.expect(sql);
        tokens.retain(|it| !matches!(it.token, Token::Whitespace(_)));
        copy(Words { tokens: &tokens[1..] })
    }

    #[test]
    fn all_forms_are_read() {
        for sql in [
            "copy t from stdin",
            "copy public.\"T\" (a, b) from stdin with (format csv, header, delimiter E'\\t')",
            "copy t from stdin with (freeze on, null '', force_null (a, b), format 'csv')",
            "copy t from stdin with delimiter as ',' null as 'x' csv header quote '\"' escape '~'",
            "copy t from stdin csv force not null a, b",
            "copy t to stdout using delimiters '|' with null ''",
            "copy t to stdout csv force quote *",
            "copy (select (1), 2) to stdout (header match)",
            "copy (delete from t returning a) to stdout",
        ] {
            let read = read(sql);
            let is_match = sql.contains("match");
            assert_eq!(read.is_err(), is_match, "{sql}: {read:?}");
        }
    }

    #[test]
    fn what_is_no_copy_is_refused() {
        for (sql, expected) in [
            ("copy t", "42601"),
            ("copy t from stdin x", "42601"),
            ("copy (select 1) from stdin", "42601"),
            ("copy (begin) to stdout", "42601"),
            ("copy t from '/etc/passwd'", "0A000"),
            ("copy t to program 'x'", "0A000"),
            ("copy t from stdin where a > 1", "0A000"),
            ("copy binary t to stdout", "0A000"),
            ("copy t to stdout (format binary)", "0A000"),
            ("copy x.t to stdout", "0A000"),
        ] {
            assert_eq!(read(sql).expect_err(sql).code, expected, "{sql}");
        }
    }
}
