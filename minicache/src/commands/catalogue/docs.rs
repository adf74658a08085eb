//! The documentation of commands: the lines of `docs.tsv`, one a command in the order of the rows.
//!
//! ```text
//! command  since  deprecated since  use instead  tips  complexity  usage                summary
//! getset   1.0.0  6.2.0             SET with GET       O(1)        key value            Replaces …
//! mget     1.0.0                                 …     O(N), N …   key [key ...]        Gives …
//! ```
//!
//! Columns are separated by tabs, and may be empty. *Usage* is a small language
//! ([`synopsis`](super::synopsis)); *tips* are advice to clients of a cluster, in Redis's words.
//! `COMMAND DOCS`, `HELP`, the client and `explain` show these lines. The file is read on the first
//! request, because no command needs it to run. In Redis the same texts are in
//! `src/commands/*.json`.

use super::spec::Command;
use std::sync::LazyLock;

pub struct Docs {
    name: &'static str,
    /// The version of Redis that introduced the command.
    pub since: &'static str,
    /// The version of Redis that deprecated it, or an empty text.
    pub deprecated_since: &'static str,
    /// The command to use instead of a deprecated one.
    pub replaced_by: &'static str,
    tips: &'static str,
    /// Its cost, in O notation.
    pub complexity: &'static str,
    /// Its arguments, in the language of [`synopsis`](super::synopsis).
    pub usage: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
}

impl Docs {
    /// The documentation of `command`. The first call reads the file, in about 0.1 ms.
    pub fn of(command: &Command) -> &'static Docs {
        static DOCS: LazyLock<Vec<Docs>> =
            LazyLock::new(|| include_str!("docs.tsv").lines().skip(1).map(Docs::parse).collect());
        let docs = &DOCS[command.id()];
        debug_assert_eq!(docs.name, command.name, "docs.tsv has the order of the rows");
        docs
    }

    fn parse(line: &'static str) -> Docs {
        let mut columns = line.split('\t');
        let mut next = || columns.next().expect("the tests read all lines of the file");
        Docs {
            name: next(),
            since: next(),
            deprecated_since: next(),
            replaced_by: next(),
            tips: next(),
            complexity: next(),
            usage: next(),
            summary: next(),
        }
    }

    /// Advice to clients of a cluster, in Redis's words.
    pub fn tips(&self) -> impl Iterator<Item = &'static str> {
        self.tips.split_whitespace()
    }
}
