//! The table against what a Redis 7.0.15 says about the same commands.

use super::*;
use spec::Flags;
use std::collections::BTreeSet;
use synopsis::{Argument, ArgumentKind};

/// What `COMMAND` of Redis 7.0.15 answers about the commands here, a row a line: name, arity,
/// flags, first key, last key, step, categories, tips.
const REDIS: &str = include_str!("redis_7_0_15.txt");

fn row(command: &Command) -> String {
    let (first, last, step) = command.keys.legacy_range();
    let sorted = |names: Vec<&str>| {
        let names: BTreeSet<&str> = names.into_iter().collect();
        names.into_iter().collect::<Vec<_>>().join(",")
    };
    let row = format!(
        "{} {} [{}] {first} {last} {step} [{}] [{}]",
        command.name,
        command.arity,
        sorted(command.flag_names().collect()),
        sorted(command.categories().names().collect()),
        command.docs().tips().collect::<Vec<_>>().join(","),
    );
    let specs = command.keys.0.iter().map(|spec| {
        let access: Vec<&str> = spec.access.names().collect();
        format!(" {}:{:?}:{}", spec.first, spec.run, access.join("+"))
    });
    row + &specs.collect::<String>()
}

#[test]
fn rows_are_those_of_redis() {
    let theirs: BTreeSet<&str> = REDIS.lines().collect();
    let ours: Vec<String> = COMMANDS.iter().map(row).collect();
    let only_ours: Vec<&String> =
        ours.iter().filter(|row| !theirs.contains(row.as_str())).collect();
    // CACHE is ours. SETINFO is from 7.2, because every client of today sends it.
    let expected = [
        "cache -2 [] 0 0 0 [slow] []",
        "cache|advise -2 [admin,noscript] 0 0 0 [admin,dangerous,slow] []",
        "cache|help 2 [loading,stale] 0 0 0 [slow] []",
        "client|setinfo 4 [loading,noscript,stale] 0 0 0 [connection,slow] []",
    ];
    assert_eq!(only_ours.iter().map(|row| row.as_str()).collect::<BTreeSet<_>>(), expected.into());
    assert_eq!(ours.len(), theirs.len() + expected.len());
}

#[test]
fn names_are_found_in_any_case() {
    for command in iter() {
        let found = find(command.name.to_uppercase().as_bytes()).expect("every name is found");
        assert_eq!(found.name, command.name);
        assert_eq!(COMMANDS[found.id()].name, command.name);
        for subcommand in command.subcommands() {
            assert_eq!(subcommand.name, format!("{}|{}", command.name, subcommand.own_name()));
            let found = command.subcommand(subcommand.own_name().to_uppercase().as_bytes());
            assert_eq!(found.map(Command::id), Some(subcommand.id()));
            assert!(find(subcommand.name.as_bytes()).is_none(), "{}", subcommand.name);
        }
    }
    let near = ["gett", "ge", "set\0", "s%t", "sort\u{7f}ro", "get\u{12}ange", "zremrangebyscorex"];
    for name in near.iter().chain(&["", "x", "\u{e9}"]) {
        assert!(find(name.as_bytes()).is_none(), "{name}");
    }
    assert!(find(&vec![b'a'; 100_000]).is_none());
}

#[test]
fn most_names_are_where_their_hash_says() {
    let placed = |command: &&Command| {
        let place = Folded::new(command.name.as_bytes()).unwrap().place();
        INDEX[place].is_some_and(|(_, there)| there.id() == command.id())
    };
    let displaced = iter().count() - iter().filter(placed).count();
    assert!(displaced <= 45, "{displaced} names are not at their slot");
}

#[test]
fn every_row_is_documented() {
    let lines = include_str!("docs.tsv").lines();
    assert_eq!(lines.clone().count(), COUNT + 1);
    assert!(lines.clone().all(|line| line.split('\t').count() == 8));

    for command in &COMMANDS {
        let name = command.name;
        let docs = command.docs();
        assert!(docs.summary.ends_with('.') && docs.summary.len() < 90, "{name}");
        assert!(!docs.complexity.is_empty() && !docs.since.is_empty(), "{name}");
        assert_eq!(docs.deprecated_since.is_empty(), docs.replaced_by.is_empty(), "{name}");

        let flat = docs.complexity.starts_with("O(1") || docs.complexity.starts_with("O(l");
        assert_eq!(
            !command.flags.has(Flags::QUICK),
            !flat && !command.flags.has(Flags::FAST),
            "{name}"
        );
        assert_eq!(command.own_name(), command.own_name().to_lowercase());
        assert_eq!(command.id(), COMMANDS.iter().position(|row| row.name == name).unwrap());
    }
}

/// The least number of arguments a usage line allows.
fn least(arguments: &[Argument]) -> usize {
    let one = |argument: &Argument| {
        let inside = match &argument.kind {
            _ if argument.optional => return 0,
            ArgumentKind::Token => return 1,
            ArgumentKind::Value(_) => 1,
            ArgumentKind::Block(several) => least(several),
            ArgumentKind::OneOf(several) => {
                let each = several.iter().map(|one| least(std::slice::from_ref(one)));
                each.min().unwrap_or(0)
            }
        };
        inside + usize::from(!argument.token.is_empty())
    };
    arguments.iter().map(one).sum()
}

#[test]
fn usage_lines_agree_with_arities() {
    let mut differing = Vec::new();
    for command in COMMANDS.iter().filter(|command| !command.is_container()) {
        let arguments = synopsis::parse(command.docs().usage);
        let words = least(&arguments) + command.name.split('|').count();
        let open = |argument: &Argument| argument.optional || argument.multiple;
        let arity = if arguments.iter().any(open) { -(words as i64) } else { words as i64 };
        if arity != i64::from(command.arity) {
            differing.push(command.name);
        }
    }
    // KILL wants one of its options, none in particular; QUIT takes anything and ignores it.
    assert_eq!(differing, ["client|kill", "quit"]);
}
