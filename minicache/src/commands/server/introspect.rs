//! `COMMAND`: what the command table says, in the forms clients ask for it (`commandCommand` and
//! its subcommands in `server.c`).
//!
//! ```text
//! COMMAND INFO get      1) "get"  2) (integer) 2  3) readonly, fast  4) 1  5) 1  6) 1 …
//! COMMAND DOCS get      "get" -> summary, since, group, complexity, arguments
//! COMMAND GETKEYS MSET a 1 b 2      1) "a"  2) "b"
//! ```
//!
//! redis-cli asks for `COMMAND DOCS` when it starts, and makes its hints of the arguments.

use super::Call;
use crate::commands::catalogue::key_specs::{KeySpec, Run};
use crate::commands::catalogue::spec::{Categories, Command};
use crate::commands::catalogue::synopsis::{self, Argument, ArgumentKind};
use crate::commands::{catalogue, getkeys::locate_keys};
use crate::engine::error::{Answer, Error};
use crate::engine::glob;
use crate::wire::reply::Reply;

pub fn command(c: &mut Call) -> Answer {
    let rows: Vec<&Command> = catalogue::iter().collect();
    c.out.array(rows.len());
    rows.iter().for_each(|row| describe(c.out, row));
    Ok(())
}

pub fn command_count(c: &mut Call) -> Answer {
    c.out.answer_count(catalogue::iter().count())
}

/// `COMMAND INFO [name …]`
pub fn command_info(c: &mut Call) -> Answer {
    if c.args.len() == 2 {
        return command(c);
    }
    let names = c.args.from(2);
    c.out.array(names.len());
    for name in names.iter() {
        match catalogue::find_any(name) {
            Some(row) => describe(c.out, row),
            None => c.out.null(),
        }
    }
    Ok(())
}

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`
pub fn command_list(c: &mut Call) -> Answer {
    let mut rows: Vec<&Command> = catalogue::COMMANDS.iter().collect();
    match c.args.len() {
        2 => {}
        5 if c.is(2, "filterby") => {
            let value = c.arg(4);
            let category = Categories::named(value);
            match c.arg(3).to_ascii_lowercase().as_slice() {
                b"module" => rows.clear(),
                b"aclcat" => rows.retain(|row| category.is_some_and(|it| row.categories().has(it))),
                b"pattern" => rows.retain(|row| glob::matches_any_case(value, row.name.as_bytes())),
                _ => return Err(Error::SYNTAX),
            }
        }
        _ => return Err(Error::SYNTAX),
    }
    c.out.array(rows.len());
    rows.iter().for_each(|row| c.out.text(row.name));
    Ok(())
}

/// `COMMAND GETKEYS command argument …`
pub fn command_getkeys(c: &mut Call) -> Answer {
    let line = c.args.from(2);
    let row = catalogue::find(line.at(0)).and_then(|row| match line.get(1) {
        Some(name) if !row.subcommands().is_empty() => row.subcommand(name),
        _ => Some(row),
    });
    let row = row.ok_or(Error::new("ERR Invalid command specified"))?;
    if row.keys.0.is_empty() {
        return Err(Error::new("ERR The command has no key arguments"));
    }
    if !row.accepts(line.len()) {
        return Err(Error::new("ERR Invalid number of arguments specified for command"));
    }
    let keys =
        locate_keys(row, line).ok_or(Error::new("ERR Invalid arguments specified for command"))?;
    c.out.array(keys.len());
    keys.iter().for_each(|(index, _)| c.out.bulk(line.at(*index)));
    Ok(())
}

/// `COMMAND DOCS [name …]`
pub fn command_docs(c: &mut Call) -> Answer {
    let rows: Vec<&Command> = match c.args.len() {
        2 => catalogue::iter().collect(),
        _ => c.args.from(2).iter().filter_map(catalogue::find_any).collect(),
    };
    c.out.map(rows.len());
    rows.iter().for_each(|row| document(c.out, row));
    Ok(())
}

fn describe(out: &mut Reply, row: &Command) {
    let (first, last, step) = row.keys.legacy_range();
    out.array(10);
    out.text(row.name);
    out.int(i64::from(row.arity));
    simple_set(out, row.flag_names());
    [first, last, step].into_iter().for_each(|number| out.int(number));
    let categories: Vec<String> = row.categories().names().map(|name| format!("@{name}")).collect();
    simple_set(out, categories.iter().map(String::as_str));
    let tips: Vec<&str> = row.docs().tips().collect();
    out.set(tips.len());
    tips.iter().for_each(|tip| out.text(tip));
    out.set(row.keys.0.len());
    row.keys.0.iter().for_each(|spec| key_spec(out, spec));
    out.set(row.subcommands().len());
    row.subcommands().iter().for_each(|row| describe(out, row));
}

fn simple_set<'a>(out: &mut Reply, words: impl Iterator<Item = &'a str>) {
    let words: Vec<&str> = words.collect();
    out.set(words.len());
    words.iter().for_each(|word| out.simple(word));
}

/// A key spec: where its keys begin, and how to find the others from there.
fn key_spec(out: &mut Reply, spec: &KeySpec) {
    let begin = ("index", vec![("index", i64::from(spec.first))]);
    let (begin, find) = match spec.run {
        Run::Stored | Run::Unknown => (("unknown", vec![]), ("unknown", vec![])),
        Run::To { last, step } => {
            let range = vec![("lastkey", last.into()), ("keystep", step.into()), ("limit", 0)];
            (begin, ("range", range))
        }
        Run::Counted => {
            (begin, ("keynum", vec![("keynumidx", 0), ("firstkey", 1), ("keystep", 1)]))
        }
    };

    out.map(3);
    out.text("flags");
    simple_set(out, spec.access.names());
    for (name, (kind, numbers)) in [("begin_search", begin), ("find_keys", find)] {
        out.text(name);
        out.map(2);
        out.pair("type", kind);
        out.text("spec");
        out.map(numbers.len());
        for (name, number) in numbers {
            out.text(name);
            out.int(number);
        }
    }
}

fn document(out: &mut Reply, row: &Command) {
    let docs = row.docs();
    let arguments = synopsis::parse(docs.usage);
    out.text(row.name);
    let mark = out.mark();
    let mut pairs = 4;
    out.pair("summary", docs.summary);
    out.pair("since", docs.since);
    out.pair("group", row.group);
    out.pair("complexity", docs.complexity);
    if !docs.deprecated_since.is_empty() {
        pairs += 3;
        out.text("doc_flags");
        simple_set(out, ["deprecated"].into_iter());
        out.pair("deprecated_since", docs.deprecated_since);
        out.pair("replaced_by", docs.replaced_by);
    }
    if !arguments.is_empty() {
        pairs += 1;
        out.text("arguments");
        out.array(arguments.len());
        arguments.iter().for_each(|argument| describe_argument(out, argument));
    }
    if !row.subcommands().is_empty() {
        pairs += 1;
        out.text("subcommands");
        out.map(row.subcommands().len());
        row.subcommands().iter().for_each(|row| document(out, row));
    }
    out.map_at(mark, pairs);
}

fn describe_argument(out: &mut Reply, argument: &Argument) {
    let mark = out.mark();
    let mut pairs = 2;
    out.pair("name", &argument.name);
    out.pair("type", argument.kind.name());
    if !argument.token.is_empty() {
        pairs += 1;
        out.pair("token", argument.token);
    }
    let flags = [
        ("optional", argument.optional),
        ("multiple", argument.multiple),
        ("multiple_token", argument.multiple_token),
    ];
    if flags.iter().any(|(_, holds)| *holds) {
        pairs += 1;
        out.text("flags");
        simple_set(out, flags.iter().filter(|(_, holds)| *holds).map(|(name, _)| *name));
    }
    if let ArgumentKind::OneOf(parts) | ArgumentKind::Block(parts) = &argument.kind {
        pairs += 1;
        out.text("arguments");
        out.array(parts.len());
        parts.iter().for_each(|part| describe_argument(out, part));
    }
    out.map_at(mark, pairs);
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Fixture;
    use crate::wire::reply::Protocol;

    #[test]
    fn keys_are_found_in_command_lines() {
        Fixture::new().check(
            r#"
            > COMMAND GETKEYS MSET a 1 b 2
            1) "a"
            2) "b"
            > COMMAND GETKEYS OBJECT ENCODING k
            1) "k"
            > COMMAND GETKEYS OBJECT NOSUCH k
            (error) ERR Invalid command specified
            > COMMAND GETKEYS PING x
            (error) ERR The command has no key arguments
            > COMMAND GETKEYS GET
            (error) ERR wrong number of arguments for 'command|getkeys' command
            > COMMAND GETKEYS ZUNION 3 a b
            (error) ERR Invalid arguments specified for command
            "#,
        );
    }

    #[test]
    fn what_is_not_there_is_nil_and_what_has_no_order_a_set() {
        let mut t = Fixture::new();
        let info = |t: &mut Fixture| t.run("COMMAND INFO nosuch object|nosuch object|encoding");
        let before = info(&mut t);
        assert!(before.starts_with("1) (nil)\n2) (nil)\n3)  1) \"object|encoding\""), "{before}");
        t.session("").protocol = Protocol::Resp3;
        let marks = info(&mut t).matches('~').count();
        assert_eq!(marks, 7, "a flag, three categories, a tip, a key spec and its flag");
    }

    #[test]
    fn lists_name_subcommands_too() {
        let mut t = Fixture::new();
        let all = t.run("COMMAND LIST");
        assert!(all.contains("\"client\"") && all.contains("\"client|list\""));
        assert_eq!(t.run("COMMAND LIST FILTERBY PATTERN CLIENT|GETN*"), "1) \"client|getname\"");
    }
}
