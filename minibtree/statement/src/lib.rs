//! From text to statements.
//!
//! `sqlparser` does most of it; `minibtree/grammar` and `minibtree/commands` do the rest:
//!
//! ```
//! use minibtree_statement::{Command, Statement, parse};
//!
//! let statements = parse("begin;; vacuum analyze t")?;
//! let [Statement::Sql(_), Statement::Command(Command::Vacuum(vacuum))] = &statements[..] else {
//!     panic!("two statements")
//! };
//! assert_eq!(vacuum.tables, ["t"]);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! # Why is the number of tokens bounded?
//!
//! `1+1+1+...` becomes a tree as deep as it is long, and a tree is planned, executed and dropped
//! by recursion. PostgreSQL measures its stack (`check_stack_depth`). We refuse a statement with
//! more than [`RUN_MAX`] tokens between two commas, which bounds the depth of any tree and leaves
//! long lists of rows alone.

use minibtree_commands as commands;
use minibtree_commands::parse_sql;
use minibtree_grammar as grammar;
use minibtree_places::placed;
use minibtree_places::syntax::{at_end, syntax};
use minibtree_types::error::{Result, SqlError, code};
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

mod data_type;
mod definitions;
mod pretty;

pub use commands::{Command, Copy, Fetch, Path, Reindex, Source, Vacuum};
pub use data_type::column_type;
pub use definitions::{check_actions, check_hash, check_understood, first_words, serial_type};
pub use minibtree_names::{folded, is_reserved, new_name, position_of, table_name};
pub use pretty::pretty;

const DIALECT: PostgreSqlDialect = PostgreSqlDialect {};
/// The most tokens between two commas of a statement.
const RUN_MAX: usize = 2_000;

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// What `sqlparser` reads.
    Sql(Box<ast::Statement>),
    /// What it does not.
    Command(Command),
}

impl Statement {
    /// What may have a plan: of COPY TO, its query.
    pub fn sql(&self) -> Option<&ast::Statement> {
        match self {
            Statement::Sql(sql) => Some(sql),
            Statement::Command(Command::Copy(Copy { source: Source::Query(sql), .. })) => Some(sql),
            Statement::Command(_) => None,
        }
    }
}

/// Reads statements separated by semicolons. Empty ones are left out.
///
/// # Errors
/// `42601` if it is not SQL, `54001` if it is too deep.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    // With UESCAPE, a backslash in U&'..' may mean itself.
    let failed = |message: &str| match sql.to_ascii_lowercase().contains("uescape") {
        true => SqlError::unsupported("UESCAPE"),
        false => syntax(message),
    };
    let tokens = Tokenizer::new(&DIALECT, sql).tokenize_with_location();
    let tokens = without_whitespace(tokens.map_err(|it| failed(&it.message))?)?;
    let tokens = placed(sql, tokens);
    let statements = tokens.split_inclusive(|it| it.token == Token::SemiColon);
    let statements = statements.map(|all| match all.split_last() {
        Some((end, tokens)) if end.token == Token::SemiColon => (tokens, Some(end)),
        _ => (all, None),
    });
    let statements = statements.filter(|it| !it.0.is_empty());
    statements.map(|(tokens, end)| parse_one(tokens).map_err(|it| at_end(it, end))).collect()
}

/// Leaves out whitespace. String constants with a new line between them are one, without a block
/// comment. Refuses `U&"name"`, which would be an operator between two columns.
fn without_whitespace(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let is_unicode_name = |it: &[TokenWithSpan]| match [&it[0].token, &it[1].token, &it[2].token] {
        [Token::Word(first), Token::Ampersand, Token::Word(name)] => {
            first.value.eq_ignore_ascii_case("u") && name.quote_style.is_some()
        }
        _ => false,
    };
    if tokens.windows(3).any(is_unicode_name) {
        return Err(SqlError::unsupported("U& before a name"));
    }

    let (mut kept, mut has_line): (Vec<TokenWithSpan>, _) = (Vec::new(), Some(false));
    for token in tokens {
        match (token.token, kept.last_mut().map(|it| &mut it.token), has_line) {
            (Token::Whitespace(it), ..) => {
                has_line = match it {
                    Whitespace::Space | Whitespace::Tab => has_line,
                    Whitespace::MultiLineComment(_) => None,
                    _ => has_line.map(|_| true),
                };
                continue;
            }
            (Token::SingleQuotedString(b), Some(Token::SingleQuotedString(a)), Some(true)) => {
                a.push_str(&b);
            }
            (other, ..) => kept.push(TokenWithSpan { token: other, span: token.span }),
        }
        has_line = Some(false);
    }
    Ok(kept)
}

fn parse_one(tokens: &[TokenWithSpan]) -> Result<Statement> {
    if tokens.split(|it| it.token == Token::Comma).any(|run| run.len() > RUN_MAX) {
        let text = format!("statement too complex: more than {RUN_MAX} tokens without a comma");
        return Err(SqlError::new(code::STATEMENT_TOO_COMPLEX, text));
    }
    grammar::check(tokens)?;
    let tokens = grammar::rewritten(tokens);
    match commands::read(&tokens)? {
        Some(command) => Ok(Statement::Command(command)),
        None => parse_sql(&tokens).map(|it| Statement::Sql(Box::new(it))),
    }
}

/// Reads an expression, as the catalog stores it.
///
/// # Errors
/// `42601` if it is none.
pub fn parse_expression(text: &str) -> Result<ast::Expr> {
    let parser = Parser::new(&DIALECT).try_with_sql(text);
    let parsed = parser.and_then(|mut parser| parser.parse_expr());
    parsed.map_err(|error| syntax(&error.to_string()))
}

/// Reads a query.
///
/// # Errors
/// `42601` if it is none.
pub fn parse_query(text: &str) -> Result<ast::Query> {
    let parser = Parser::new(&DIALECT).try_with_sql(text);
    let parsed = parser.and_then(|mut parser| parser.parse_query());
    parsed.map(|it| *it).map_err(|error| syntax(&error.to_string()))
}

/// The value of a SET as text.
pub fn setting_text(values: &[ast::Expr]) -> String {
    let text = |expr: &ast::Expr| match expr {
        ast::Expr::Value(literal) => match &literal.value {
            ast::Value::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        ast::Expr::Identifier(name) => folded(name),
        other => other.to_string(),
    };
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The name of a variable of SHOW: `TRANSACTION ISOLATION LEVEL` is one too.
pub fn variable_name(words: &[ast::Ident]) -> String {
    let words: Vec<String> = words.iter().map(folded).collect();
    match words.join(" ").as_str() {
        "transaction isolation level" => "transaction_isolation".to_owned(),
        "time zone" => "timezone".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(sql: &str) -> &'static str {
        parse(sql).expect_err(sql).code
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for sql in ["selec 1", "select 1 1 1", "copy", "copy t from stdin x", "reindex t", "'"] {
            assert_eq!(refusal(sql), code::SYNTAX_ERROR, "{sql}");
        }
        for sql in [
            "copy t from stdin with (format binary)",
            "reindex index concurrently i",
            "reindex (verbose) table t",
            "vacuum full t",
            "vacuum (parallel 2) t",
            "vacuum pg_catalog.pg_class",
            "select U&\"a\"",
            "select U&'d!0061' uescape '!'",
            "select ((select 2) union select 2)",
            "select 1 <> all (values (2), (3))",
            "create function f() returns int language sql cost 9 as ''",
            "alter index i set (fillfactor = 10)",
        ] {
            assert_eq!(refusal(sql), code::FEATURE_NOT_SUPPORTED, "{sql}");
        }
    }

    #[test]
    fn string_constants_on_several_lines_are_one() {
        for sql in ["select 'a'\n'b'", "select 'a' -- goes on\n\t'b'"] {
            let parsed = parse(sql).expect(sql);
            assert_eq!(parsed[0].sql().expect("SQL").to_string(), "SELECT 'ab'");
        }
        for sql in ["select 'a' 'b'", "select 'a' /* ends */\n'b'", "select 'a'\n'b' 'c'"] {
            assert_eq!(refusal(sql), code::SYNTAX_ERROR, "{sql}");
        }
    }

    #[test]
    fn deep_trees_are_refused_and_long_lists_are_not() {
        assert_eq!(refusal(&format!("select 1{}", "+1".repeat(100_000))), "54001");
        assert_eq!(refusal(&format!("select {}1", "(".repeat(1_000))), "54001");
        let rows = format!("insert into t values (1){}", ",(1)".repeat(10_000));
        assert_eq!(parse(&rows).expect("a list").len(), 1);
    }
}
