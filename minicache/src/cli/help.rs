//! `help`: the documentation in the command table.
//!
//! ```text
//! > help getdel
//!
//!   GETDEL key
//!   summary: Gives the string value of a key after deleting the key
//!   since: 6.2.0
//!   group: string
//!   complexity: O(1)
//! ```
//!
//! `help @list` shows a group, `help config` a command and its subcommands. The table is the one in
//! this program; `redis-cli` asks the server (`COMMAND DOCS`), which may have other commands.

use crate::commands::{Command, catalogue};
use minikit::cli::layers::nearest;

/// The text of `help` and these words.
pub fn help<W: AsRef<str>>(words: &[W]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let Some(first) = words.first() else { return GENERAL.to_string() };
    let all = catalogue::COMMANDS.iter();
    let rows: Vec<&Command> = match first.strip_prefix('@') {
        Some(group) => all.filter(|row| row.group.eq_ignore_ascii_case(group)).collect(),
        None => named(&words),
    };
    if rows.is_empty() {
        return unknown(&words);
    }
    let show_group = !first.starts_with('@');
    let mut text: String = rows.iter().map(|row| describe(row, show_group)).collect();
    text.push('\n');
    text
}

const GENERAL: &str = "\
minicache cli
To get help about commands type:
      \"help @<group>\" to get a list of commands in <group>
      \"help <command>\" for help on <command>
      \"help <tab>\" to get a list of possible help topics
      \"quit\" to exit
";

/// The topics of `help`: groups with an `@`, and commands with their subcommands, in capitals.
pub fn topics() -> Vec<String> {
    let mut groups: Vec<String> =
        catalogue::COMMANDS.iter().map(|row| format!("@{}", row.group)).collect();
    groups.sort();
    groups.dedup();
    groups.extend(catalogue::COMMANDS.iter().map(spoken));
    groups
}

/// The name as one types it: `CONFIG GET`.
pub fn spoken(row: &Command) -> String {
    row.name.replace('|', " ").to_uppercase()
}

/// The commands whose names begin with these words.
fn named(words: &[&str]) -> Vec<&'static Command> {
    let begins = |row: &&Command| {
        let name: Vec<&str> = row.name.split('|').collect();
        words.len() <= name.len() && words.iter().zip(name).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    catalogue::COMMANDS.iter().filter(begins).collect()
}

fn describe(row: &Command, show_group: bool) -> String {
    let docs = row.docs();
    let mut text = format!("\n  {}\n", format!("{} {}", spoken(row), docs.usage).trim_end());
    let deprecated = match docs.deprecated_since {
        "" => String::new(),
        since => format!("{since}; use {}", docs.replaced_by),
    };
    for (name, value) in [
        ("summary", docs.summary),
        ("since", docs.since),
        ("group", if show_group { row.group } else { "" }),
        ("complexity", docs.complexity),
        ("deprecated since", &deprecated),
    ] {
        if !value.is_empty() {
            text += &format!("  {name}: {value}\n");
        }
    }
    text
}

fn unknown(words: &[&str]) -> String {
    let asked = words.join(" ");
    let topics = topics();
    let alike = |topic: &&String| topic.starts_with('@') == asked.starts_with('@');
    let alike: Vec<&str> = topics.iter().filter(alike).map(String::as_str).collect();
    let near = match asked.starts_with('@') {
        true => nearest(&asked.to_lowercase(), &alike),
        false => nearest(&asked.to_uppercase(), &alike),
    };
    let advice = match near {
        Some(near) => format!("did you mean {near}?"),
        None => "`help <tab>` lists the topics".to_string(),
    };
    format!("no help for {asked}: {advice}\n")
}
