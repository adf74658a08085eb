//! From text to statements.
//!
//! `sqlparser` does most of it. Some statements are read here, because it does not know
//! PostgreSQL's form of them:
//!
//! ```
//! use minibtree_statement::{Statement, parse};
//!
//! let statements = parse("begin; copy t from stdin with (freeze on);; vacuum analyze t")?;
//! let [Statement::Sql(_), Statement::CopyFrom(copy), Statement::Vacuum(vacuum)] = &statements[..]
//! else {
//!     panic!("three statements")
//! };
//! assert_eq!(copy.table, "t");
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

use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::unsupported;
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word};

mod data_type;
mod pretty;

pub use data_type::column_type;
pub use minibtree_names::{folded, is_reserved, new_name, position_of, table_name};
pub use pretty::pretty;

const DIALECT: PostgreSqlDialect = PostgreSqlDialect {};
/// The most tokens between two commas of a statement.
const RUN_MAX: usize = 2_000;

/// Commands of PostgreSQL that are neither `sqlparser`'s nor ours.
const UNREAD: [&str; 3] = ["cluster", "do", "reassign"];

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// What `sqlparser` reads.
    Sql(Box<ast::Statement>),
    /// `COPY t FROM STDIN`.
    CopyFrom(CopyFrom),
    /// `VACUUM`.
    Vacuum(Vacuum),
    /// `FETCH`, or `MOVE`.
    Fetch(Fetch),
    /// `ANALYZE` of these tables; none means all.
    Analyze(Vec<String>),
    /// `REINDEX`.
    Reindex(Reindex),
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

/// `COPY t (columns) FROM STDIN`, in text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFrom {
    /// The table.
    pub table: String,
    /// The columns in the order of the data; none means all.
    pub columns: Vec<String>,
}

/// `FETCH FORWARD count FROM cursor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The cursor.
    pub cursor: String,
    /// How many rows; `None`: all that are left.
    pub count: Option<u64>,
    /// `MOVE`: they are not returned.
    pub is_move: bool,
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

/// Reads statements separated by semicolons. Empty ones are left out.
///
/// # Errors
/// `42601` if it is not SQL, `54001` if it is too deep.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let tokens = Tokenizer::new(&DIALECT, sql).tokenize_with_location();
    let tokens = tokens.map_err(|it| syntax(&it.message))?.into_iter();
    let tokens = tokens.filter(|it| !matches!(it.token, Token::Whitespace(_)));

    // The protocol counts characters of the whole text, so that is the column from here on.
    let ends = sql.chars().zip(1..).filter(|it| it.0 == '\n').map(|it| it.1);
    let starts: Vec<u64> = std::iter::once(0).chain(ends).collect();
    let tokens = tokens.map(|TokenWithSpan { token, span: Span { start, end } }| {
        let column = starts[start.line as usize - 1] + start.column;
        TokenWithSpan { token, span: Span { start: Location { line: 1, column }, end } }
    });
    let tokens: Vec<TokenWithSpan> = tokens.collect();
    let statements = tokens.split(|it| it.token == Token::SemiColon);
    statements.filter(|tokens| !tokens.is_empty()).map(parse_one).collect()
}

fn parse_one(tokens: &[TokenWithSpan]) -> Result<Statement> {
    if tokens.split(|it| it.token == Token::Comma).any(|run| run.len() > RUN_MAX) {
        let text = format!("statement too complex: more than {RUN_MAX} tokens without a comma");
        return Err(SqlError::new(code::STATEMENT_TOO_COMPLEX, text));
    }
    let mut words = Words { tokens };
    if words.accept("copy") {
        return copy_from(words).map(Statement::CopyFrom);
    }
    if words.accept("vacuum") {
        return vacuum(words).map(Statement::Vacuum);
    }
    for (verb, is_move) in [("fetch", false), ("move", true)] {
        if words.accept(verb) {
            return fetch(words, is_move).map(Statement::Fetch);
        }
    }
    if words.accept("reindex") {
        return reindex(words).map(Statement::Reindex);
    }
    if let Some(verb) = UNREAD.iter().find(|it| words.accept(it)) {
        return Err(SqlError::unsupported(verb.to_uppercase()));
    }
    if words.accept("analyze") {
        words.accept("verbose");
        return tables(words).map(Statement::Analyze);
    }

    let mut parser = Parser::new(&DIALECT).with_tokens_with_locations(tokens.to_vec());
    let statement = parser.parse_statement().map_err(|error| match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => syntax(&text),
        ParserError::RecursionLimitExceeded => {
            SqlError::new(code::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        }
    })?;
    match parser.peek_token() {
        it if it.token == Token::EOF => Ok(Statement::Sql(Box::new(statement))),
        more => Err(syntax_at(Some(&more))),
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

fn copy_from(mut words: Words<'_>) -> Result<CopyFrom> {
    if words.symbol(&Token::LParen) {
        return Err(SqlError::unsupported("COPY of a query"));
    }
    let table = words.table()?;
    let mut columns = Vec::new();
    if words.symbol(&Token::LParen) {
        loop {
            columns.push(words.name()?);
            if !words.symbol(&Token::Comma) {
                break;
            }
        }
        words.expect(&Token::RParen)?;
    }

    if !(words.accept("from") && words.accept("stdin")) {
        return Err(SqlError::unsupported("COPY other than FROM STDIN"));
    }
    words.accept("with");
    if words.symbol(&Token::LParen) {
        loop {
            copy_option(&mut words)?;
            if !words.symbol(&Token::Comma) {
                break;
            }
        }
        words.expect(&Token::RParen)?;
    } else if ["binary", "csv", "delimiter", "freeze", "null"].iter().any(|it| words.accept(it)) {
        return Err(SqlError::unsupported("this COPY option"));
    }
    words.end()?;
    Ok(CopyFrom { table, columns })
}

/// `FREEZE` asks for less work in a later vacuum that we never have: transaction ids do not wrap.
fn copy_option(words: &mut Words<'_>) -> Result<()> {
    if words.accept("freeze") {
        let _ = ["on", "true", "off", "false"].iter().any(|it| words.accept(it));
        return Ok(());
    }
    if words.accept("format") && words.accept("text") {
        return Ok(());
    }
    Err(SqlError::unsupported("this COPY option"))
}

fn fetch(mut words: Words<'_>, is_move: bool) -> Result<Fetch> {
    let is_forward = words.accept("forward");
    let count = if let Some(Token::Number(digits, _)) = words.next().cloned() {
        words.tokens = &words.tokens[1..];
        let count = digits.parse().ok().filter(|it| *it > 0);
        Some(count.ok_or_else(|| SqlError::unsupported("FETCH of this number of rows"))?)
    } else if words.accept("all") {
        None
    } else if !is_forward && backward(&mut words) {
        return Err(SqlError::unsupported("a cursor that does not go forward"));
    } else {
        words.accept("next");
        Some(1)
    };
    let _ = words.accept("from") || words.accept("in");
    let cursor = words.name()?;
    words.end()?;
    Ok(Fetch { cursor, count, is_move })
}

fn backward(words: &mut Words<'_>) -> bool {
    let ways = ["prior", "first", "last", "absolute", "relative", "backward"];
    words.symbol(&Token::Minus) || ways.iter().any(|it| words.accept(it))
}

fn vacuum(mut words: Words<'_>) -> Result<Vacuum> {
    let (mut verbose, mut analyze) = (false, false);
    let mut options = |words: &mut Words<'_>| {
        let (is_verbose, is_analyze) = (words.accept("verbose"), words.accept("analyze"));
        verbose |= is_verbose;
        analyze |= is_analyze;
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
    while !words.tokens.is_empty() {
        tables.push(words.table()?);
        if !words.tokens.is_empty() {
            words.expect(&Token::Comma)?;
        }
    }
    Ok(tables)
}

/// The rest of a statement that is read here.
struct Words<'a> {
    tokens: &'a [TokenWithSpan],
}

impl Words<'_> {
    fn next(&self) -> Option<&Token> {
        self.tokens.first().map(|it| &it.token)
    }

    /// Takes this word, in any case, if it is next.
    fn accept(&mut self, word: &str) -> bool {
        let is_meant =
            |next: &Word| next.quote_style.is_none() && next.value.eq_ignore_ascii_case(word);
        let is_next = matches!(self.next(), Some(Token::Word(next)) if is_meant(next));
        self.tokens = &self.tokens[usize::from(is_next)..];
        is_next
    }

    fn symbol(&mut self, symbol: &Token) -> bool {
        let is_next = self.next() == Some(symbol);
        self.tokens = &self.tokens[usize::from(is_next)..];
        is_next
    }

    fn expect(&mut self, symbol: &Token) -> Result<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn name(&mut self) -> Result<String> {
        let Some(Token::Word(word)) = self.next() else { return Err(self.unexpected()) };
        let name = match word.quote_style {
            Some(_) => word.value.clone(),
            None => word.value.to_lowercase(),
        };
        self.tokens = &self.tokens[1..];
        Ok(name)
    }

    fn table(&mut self) -> Result<String> {
        let first = self.name()?;
        if !self.symbol(&Token::Period) {
            return Ok(first);
        }
        let second = self.name()?;
        match first.as_str() {
            "public" => Ok(second),
            _ => Err(unsupported!("the name {first}.{second}")),
        }
    }

    fn end(&self) -> Result<()> {
        if self.tokens.is_empty() { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> SqlError {
        syntax_at(self.tokens.first())
    }
}

/// The error of the parser or tokenizer in PostgreSQL's words, as far as it names a token:
/// `Expected: an expression, found: from at Line: 1, Column: 8`
fn syntax(text: &str) -> SqlError {
    let found = text.rsplit_once(", found: ").map(|it| it.1);
    let (found, column) = match found.map(|it| it.rsplit_once(" at Line: 1, Column: ")) {
        Some(Some((token, column))) => (format!(" at or near \"{token}\""), column.parse().ok()),
        Some(None) if found == Some("EOF") => (" at end of input".to_owned(), None),
        _ => (format!(": {text}"), None),
    };
    SqlError::new(code::SYNTAX_ERROR, format!("syntax error{found}")).at(column.unwrap_or(0))
}

fn syntax_at(found: Option<&TokenWithSpan>) -> SqlError {
    let (text, column) = match found {
        Some(it) if it.token != Token::EOF => {
            (format!("at or near \"{}\"", it.token), it.span.start.column)
        }
        _ => ("at end of input".to_owned(), 0),
    };
    SqlError::new(code::SYNTAX_ERROR, format!("syntax error {text}")).at(column)
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
            "copy t to stdout",
            "copy (select 1) to stdout",
            "copy t from stdin with (format csv)",
            "copy t from stdin csv",
            "reindex index concurrently i",
            "reindex (verbose) table t",
            "vacuum full t",
            "vacuum (parallel 2) t",
            "vacuum pg_catalog.pg_class",
        ] {
            assert_eq!(refusal(sql), code::FEATURE_NOT_SUPPORTED, "{sql}");
        }
    }

    #[test]
    fn deep_trees_are_refused_and_long_lists_are_not() {
        assert_eq!(refusal(&format!("select 1{}", "+1".repeat(100_000))), "54001");
        assert_eq!(refusal(&format!("select {}1", "(".repeat(1_000))), "54001");
        let rows = format!("insert into t values (1){}", ",(1)".repeat(10_000));
        assert_eq!(parse(&rows).expect("a list").len(), 1);
    }

    #[test]
    fn copy_has_columns_and_quoted_names() {
        let parsed = parse("COPY public.\"T\" (b, A) FROM STDIN").expect("valid");
        let [Statement::CopyFrom(copy)] = &parsed[..] else { panic!("{parsed:?}") };
        assert_eq!((copy.table.as_str(), copy.columns.join(",")), ("T", "b,a".into()));
    }
}
