//! What PostgreSQL's grammar has and `sqlparser`'s has not.
//!
//! Some of it is written in other words before the parser reads it:
//!
//! ```text
//! TABLE t                          SELECT * FROM t
//! FOR UPDATE OF a, b NOWAIT        FOR UPDATE OF a NOWAIT FOR UPDATE OF b NOWAIT
//! FOR NO KEY UPDATE OF a           FOR UPDATE OF `key`.a: see `table_of_lock`
//! FOR KEY SHARE                    FOR SHARE OF `key`
//! x BETWEEN SYMMETRIC 5 AND 1      x BETWEEN SYMMETRIC (5) AND 1, a call as the parser sees it
//! ON CONFLICT (a, lower(b))        ON CONFLICT (`a, lower ( b )`), where the parser reads names
//! ```
//!
//! The rest is refused when the parser stops at it. A client must not take a statement that works
//! in PostgreSQL for one with a mistake.
//!
//! ```
//! use minibtree_grammar::{refusal, rewritten};
//! use sqlparser::dialect::PostgreSqlDialect;
//! use sqlparser::tokenizer::{Token, Tokenizer};
//!
//! let tokens = |sql: &str| {
//!     let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
//!     let mut tokens = tokens.expect("SQL");
//!     tokens.retain(|it| !matches!(it.token, Token::Whitespace(_)));
//!     tokens
//! };
//! let words = rewritten(&tokens("TABLE t")).into_iter().map(|it| it.token.to_string());
//! assert_eq!(words.collect::<Vec<_>>(), ["SELECT", "*", "FROM", "t"]);
//! assert!(refusal(&tokens("ALTER TABLE t CLUSTER ON i"), Some(3)).is_some());
//! assert!(refusal(&tokens("ALTER TABLE t FROBNICATE"), Some(3)).is_none());
//! ```

use minibtree_types::error::{Result, SqlError, code};
use sqlparser::ast::{LockClause, ObjectName, ObjectNamePart};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Words near which the parser may stop at something that PostgreSQL reads.
const PHRASES: &str = "similar,recursive,variadic,current of,deferrable,concurrently,cycle,search,\
    attach partition,as execute,on conflict (,on conflict on constraint,create or replace,\
    create view,fetch first,uescape,all ( values,any ( values,\
    for read only,group by distinct,group by all,rows from,collation for,xmlelement,xmlforest,\
    xmlpi,xmlroot,xmlparse,xmlserialize,xmlexists,operator (,table only,using index tablespace,\
    tablespace,including,excluding,compression,with (,on only,set statistics,set (,reset (,\
    set storage,drop expression,drop identity,set compression,alter constraint,not deferrable,\
    cluster on,set without,not of,set schema,set access method,set xml,set constraints,\
    set catalog,reset time zone,prepare transaction,commit prepared,\
    rollback prepared";

/// How many tokens after such words the parser may have gone on.
const NEAR: usize = 8;

/// The first words of statements that we do not have in any form.
const STATEMENTS: &str = "alter aggregate,alter collation,alter conversion,alter database,\
    alter default,alter domain,alter event,alter extension,alter foreign,alter function,\
    alter group,alter index,alter language,alter large,alter materialized,alter operator,\
    alter policy,alter procedure,alter publication,alter role,alter routine,alter rule,\
    alter schema,alter sequence,alter server,alter statistics,alter subscription,alter system,\
    alter tablespace,alter text,alter trigger,alter type,alter user,alter view,checkpoint,\
    create access,create aggregate,create cast,create collation,create conversion,\
    create default,create domain,create event,create extension,create foreign,create function,\
    create group,create language,create operator,create policy,create procedure,\
    create publication,create role,create rule,create server,create statistics,\
    create subscription,create tablespace,create text,create transform,create trigger,\
    create type,create user,drop access,drop aggregate,drop cast,drop collation,drop conversion,\
    drop event,drop foreign,drop group,drop language,drop operator,drop owned,drop publication,\
    drop routine,drop rule,drop server,drop statistics,drop subscription,drop tablespace,\
    drop text,drop transform,drop user,import foreign,security label";

/// The refusal of a statement that the parser cannot read, if PostgreSQL might. `at` is the token
/// where it stopped; `None` if it did not say so.
pub fn refusal(tokens: &[TokenWithSpan], at: Option<usize>) -> Option<SqlError> {
    let words: Vec<String> = tokens.iter().map(|it| it.token.to_string().to_lowercase()).collect();
    let is_at = |start: usize, phrase: &str| {
        let mut all = phrase.split(' ').enumerate();
        all.all(|(index, it)| words.get(start + index).is_some_and(|word| word == it))
    };
    if let Some(statement) = STATEMENTS.split(',').find(|it| is_at(0, it)) {
        return Some(SqlError::unsupported(statement.to_uppercase()));
    }
    // A query with an operator like UNION where the parser expects an expression.
    let stopped = at.and_then(|it| words.get(it)).map_or("", String::as_str);
    if ["union", "intersect", "except"].contains(&stopped) {
        return Some(SqlError::unsupported(format!("{} in this place", stopped.to_uppercase())));
    }
    let feature = match (words[0].as_str(), words.get(1).map_or("", String::as_str), stopped) {
        ("insert" | "update", _, "[") => Some("a change of an element of an array"),
        ("create" | "alter", "table", "of") => Some("a table OF a type"),
        ("create", "table", "using") => Some("CREATE TABLE ... USING"),
        ("create", "table", ")") if is_at(at.unwrap_or(0), ") as") => Some("CREATE TABLE (...) AS"),
        _ => None,
    };
    if let Some(feature) = feature {
        return Some(SqlError::unsupported(feature));
    }

    let is_near = |start: usize| at.is_none_or(|at| (start..=start + NEAR).contains(&at));
    let mut starts = (0..words.len()).filter(|it| is_near(*it));
    let found = starts.find_map(|start| PHRASES.split(',').find(|it| is_at(start, it)))?;
    let found = found.trim_end_matches(" (").to_uppercase();
    Some(SqlError::unsupported(format!("this form of {found}")))
}

/// Refuses and rejects what the parser would misread.
///
/// # Errors
/// `0A000`, or `42601` where PostgreSQL has it too.
pub fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    // As `x AS isnull`.
    if tokens.iter().any(|it| is_word(it, "isnull")) {
        return Err(SqlError::unsupported("ISNULL (use IS NULL)"));
    }
    // As an alias, if letters follow the digits of a number.
    let is_junk = |it: &&[TokenWithSpan]| {
        let is_word = matches!(&it[1].token, Token::Word(word) if word.quote_style.is_none());
        let end = it[0].span.start.column + it[0].token.to_string().len() as u64;
        is_word && matches!(it[0].token, Token::Number(..)) && it[1].span.start.column == end
    };
    if let Some([number, word]) = tokens.windows(2).find(is_junk) {
        let near = format!("{}{:.1}", number.token, word.token.to_string());
        let text = format!("trailing junk after numeric literal at or near \"{near}\"");
        return Err(SqlError::new(code::SYNTAX_ERROR, text).at(number.span.start.column));
    }
    // As a setting of this name.
    let first: Vec<String> =
        tokens.iter().take(3).map(|it| it.token.to_string().to_lowercase()).collect();
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    match first[..] {
        ["set", _, "."] => return Err(SqlError::unsupported("a setting with a dot in its name")),
        ["show", "all"] | ["show", "session", "authorization"] | ["set", "seed", _] => {
            return Err(SqlError::unsupported(first[..2].join(" ").to_uppercase()));
        }
        _ => {}
    }
    // As no columns.
    let is_empty = |it: &[TokenWithSpan]| {
        is_word(&it[0], "select") && is_word(&it[1], "distinct") && is_word(&it[2], "from")
    };
    let error = |text: &str| SqlError::new(code::SYNTAX_ERROR, format!("syntax error {text}"));
    if let Some(words) = tokens.windows(3).find(|it| is_empty(it)) {
        return Err(error("at or near \"from\"").at(words[2].span.start.column));
    }
    // As a name.
    if first == ["show"] && tokens.len() == 1 { Err(error("at end of input")) } else { Ok(()) }
}

/// The statement in words that the parser reads.
pub fn rewritten(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut out = Vec::new();
    let mut at = 0;
    // Where the bound after SYMMETRIC ends, of those that have not ended.
    let mut bounds = Vec::new();
    while let Some(token) = tokens.get(at) {
        let put = |out: &mut Vec<TokenWithSpan>, it: Token| {
            out.push(TokenWithSpan { token: it, span: token.span });
        };
        if bounds.last() == Some(&at) {
            bounds.pop();
            put(&mut out, Token::RParen);
        }
        let is_after_conflict = at > 0 && is_word(&tokens[at - 1], "conflict");
        let is_after_between = at > 0 && is_word(&tokens[at - 1], "between");
        match () {
            () if is_word(token, "table") && is_query(tokens, at) => {
                put(&mut out, Token::make_keyword("SELECT"));
                put(&mut out, Token::Mul);
                put(&mut out, Token::make_keyword("FROM"));
            }
            () if is_after_between && is_word(token, "asymmetric") => {}
            () if is_after_between && is_word(token, "symmetric") => {
                out.push(token.clone());
                if let Some(end) = end_of_bound(&tokens[at + 1..]) {
                    put(&mut out, Token::LParen);
                    bounds.push(at + 1 + end);
                }
            }
            () if token.token == Token::LParen && is_after_conflict => {
                out.push(token.clone());
                if let Some((text, end)) = text_inside(&tokens[at..]) {
                    put(&mut out, Token::make_word(&text, Some(QUOTE)));
                    at += end - 1;
                }
            }
            () if is_word(token, "for") => match locked(&tokens[at..]) {
                Some((clauses, count)) => {
                    out.extend(clauses);
                    at += count - 1;
                }
                None => out.push(token.clone()),
            },
            () => out.push(token.clone()),
        }
        at += 1;
    }
    out
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(it)
        if it.quote_style.is_none() && it.value.eq_ignore_ascii_case(word))
}

fn is_any(token: Option<&TokenWithSpan>, words: &str) -> bool {
    token.is_some_and(|token| words.split(' ').any(|it| is_word(token, it)))
}

/// Returns true for a TABLE that begins a query, and not the name of what CREATE or DROP changes.
fn is_query(tokens: &[TokenWithSpan], at: usize) -> bool {
    const BEFORE: &str = "union intersect except all distinct as for explain analyze verbose";
    const AFTER: &str = "order limit offset fetch for union intersect except with returning on";
    let before = at.checked_sub(1).map(|it| &tokens[it]);
    let begins = match before.map(|it| &it.token) {
        None | Some(Token::LParen) => true,
        Some(Token::RParen) => !is_any(tokens.first(), "reindex"),
        Some(_) => {
            let is_source = is_any(tokens.first(), "insert") && !is_any(before, "into");
            is_source || is_any(before, BEFORE)
        }
    };
    let mut end = at + 2;
    while tokens.get(end).is_some_and(|it| it.token == Token::Period) {
        end += 2;
    }
    let after = tokens.get(end);
    let ends = after.is_none_or(|it| it.token == Token::RParen) || is_any(after, AFTER);
    begins && ends && matches!(tokens.get(at + 1).map(|it| &it.token), Some(Token::Word(_)))
}

/// The AND that ends the first bound of a BETWEEN. A CASE in the bound may have others.
fn end_of_bound(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth -= 1,
            _ if is_word(token, "case") => depth += 1,
            _ if is_word(token, "end") => depth -= 1,
            _ if depth == 0 && is_word(token, "and") => return Some(at),
            _ => {}
        }
    }
    None
}

/// The text in the parentheses that begin here, and where they end, if it is not a list of names.
fn text_inside(tokens: &[TokenWithSpan]) -> Option<(String, usize)> {
    let mut depth = 0;
    let end = tokens.iter().position(|it| {
        depth += i32::from(it.token == Token::LParen) - i32::from(it.token == Token::RParen);
        depth == 0
    })?;
    let texts: Vec<String> = tokens[1..end].iter().map(|it| it.token.to_string()).collect();
    let is_name = |it: &TokenWithSpan| matches!(it.token, Token::Word(_) | Token::Comma);
    (!tokens[1..end].iter().all(is_name)).then(|| (texts.join(" "), end))
}

/// `FOR UPDATE OF a, b SKIP LOCKED` as a clause for each table, and how many tokens it has.
fn locked(tokens: &[TokenWithSpan]) -> Option<(Vec<TokenWithSpan>, usize)> {
    let is_at = |at: usize, words: &str| {
        (0..).zip(words.split(' ')).all(|(index, word)| is_any(tokens.get(at + index), word))
    };
    let modes = ["no key update", "key share", "update", "share"];
    let mode = modes.into_iter().find(|it| is_at(1, it))?;
    let mut end = 1 + mode.split(' ').count();
    let mut names = Vec::new();
    if is_at(end, "of") {
        names.push(tokens.get(end + 1)?);
        end += 2;
        while tokens.get(end).is_some_and(|it| it.token == Token::Comma) {
            names.push(tokens.get(end + 1)?);
            end += 2;
        }
    }
    let start = end;
    end += usize::from(is_at(end, "nowait"));
    end += if is_at(end, "skip locked") { 2 } else { 0 };
    let word = |token: Token| TokenWithSpan { token, span: tokens[0].span };
    let has_key = mode.contains("key");
    let clause = |name: Option<&TokenWithSpan>| -> Vec<TokenWithSpan> {
        let of = (has_key || name.is_some()).then(|| word(Token::make_keyword("OF")));
        let key = has_key.then(|| word(Token::make_word(KEY, Some(QUOTE))));
        let dot = (has_key && name.is_some()).then(|| word(Token::Period));
        let table = of.into_iter().chain(key).chain(dot).chain(name.cloned());
        let lock = [&tokens[0], &tokens[mode.split(' ').count()]].into_iter().cloned();
        lock.chain(table).chain(tokens[start..end].iter().cloned()).collect()
    };
    let clauses = match &names[..] {
        [] => clause(None),
        names => names.iter().flat_map(|it| clause(Some(it))).collect(),
    };
    Some((clauses, end))
}

/// What stands before the table of a lock with KEY in its name.
const KEY: &str = "key";
/// The quotes of what only looks like a name to the parser. No statement has them.
pub const QUOTE: char = '`';

/// Returns true if KEY belongs to the name of a row lock, and the table after OF.
pub fn table_of_lock(clause: &LockClause) -> (bool, Option<ObjectName>) {
    let mut parts = clause.of.iter().flat_map(|it| it.0.clone()).collect::<Vec<_>>();
    let is_marker =
        |it: &ObjectNamePart| it.as_ident().is_some_and(|it| it.quote_style == Some(QUOTE));
    let has_key = parts.first().is_some_and(is_marker);
    parts.drain(..usize::from(has_key));
    (has_key, Some(parts).filter(|it| !it.is_empty()).map(ObjectName))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::tokenizer::Tokenizer;

    fn tokens(sql: &str) -> Vec<TokenWithSpan> {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
        let mut tokens = tokens.expect("SQL");
        tokens.retain(|it| !matches!(it.token, Token::Whitespace(_)));
        tokens
    }

    fn text(tokens: &[TokenWithSpan]) -> String {
        tokens.iter().map(|it| it.token.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_the_parser_does_not_read_is_rewritten() {
        for (sql, expected) in [
            ("table t", "SELECT * FROM t"),
            ("table s.t order by 1", "SELECT * FROM s . t order by 1"),
            ("insert into t (a) table u", "insert into t ( a ) SELECT * FROM u"),
            ("explain (verbose) table t", "explain ( verbose ) SELECT * FROM t"),
            ("select 1 union all table t", "select 1 union all SELECT * FROM t"),
            ("a between asymmetric 1 and 2", "a between 1 and 2"),
            ("a between symmetric 1 + 1 and 2", "a between symmetric ( 1 + 1 ) and 2"),
            (
                "a between symmetric case when b and c then 1 end and (2)",
                "a between symmetric ( case when b and c then 1 end ) and ( 2 )",
            ),
            ("for update of a, b", "for update OF a for update OF b"),
            (
                "for share of a, b skip locked",
                "for share OF a skip locked for share OF b skip locked",
            ),
            ("for update nowait", "for update nowait"),
            ("for no key update", "for update OF `key`"),
            ("for key share of a, b", "for share OF `key` . a for share OF `key` . b"),
        ] {
            assert_eq!(text(&rewritten(&tokens(sql))), expected);
        }
        for sql in [
            "create table t ( )",
            "drop table t",
            "reindex ( verbose ) table t",
            "table t where a",
            "table t , u",
            "table",
            "select \"table\" from t",
            "a between symmetric 1",
            "for update of",
            "for update of a ,",
        ] {
            assert_eq!(text(&rewritten(&tokens(sql))), sql);
        }
    }

    #[test]
    fn mistakes_are_no_refusals() {
        for (sql, at) in [
            ("select * form t", 2),
            ("insert into t values (1) on conflict do nothign", 9),
            ("create index on t ()", 5),
            ("alter table t", 3),
        ] {
            assert!(refusal(&tokens(sql), Some(at)).is_none(), "{sql}");
        }
        for sql in ["select distinct from t", "show"] {
            assert_eq!(check(&tokens(sql)).expect_err(sql).code, code::SYNTAX_ERROR);
        }
    }
}
