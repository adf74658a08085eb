//! What a command is: the types of the command table.
//!
//! A row says everything about a command that is not its code. Dispatch, `COMMAND`, the client's help and the
//! documentation read the same row, so none of them can differ from the others:
//!
//! ```text
//! row("getex", -2, WRITE | FAST, strings::getex)     name, arity, flags, code
//!     .keys(&[key(1, RW | ACCESS | UPDATE)])         argument 1 is a key, and this happens to it
//!     .doc("6.2.0", "O(1)", "key [EX seconds | …]",  since, cost, usage
//!         "Gives the string …")                      help
//! ```
//!
//! *Arity* counts the name; -2 means two or more. *Usage* is a little language (see
//! [`synopsis`](super::synopsis)). A subcommand is a row of its own, named `config|get`, behind its container.
//! The counterpart in Redis are the JSON files of `src/commands/` and `struct redisCommand` in `server.h`.

use super::{Handler, table};
use crate::engine::number::parse_i64;
use crate::wire::request::Args;
use std::ops::BitOr;

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Command {
    /// In lower case; a subcommand is `container|name`.
    pub name: &'static str,
    /// Arguments with the name (and container): exactly so many, or if negative at least so many.
    pub arity: i8,
    /// What the command is like.
    pub flags: Flags,
    /// Where its keys are.
    pub keys: Keys,
    /// What it is about.
    pub group: Group,
    /// The version of Redis that had it first.
    pub since: &'static str,
    /// The version of Redis that advised against it and what to use instead, or two empty texts.
    pub replaced: (&'static str, &'static str),
    /// What it costs.
    pub complexity: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Its arguments, as [`synopsis`](super::synopsis) reads them.
    pub arguments: &'static str,
    /// What clients of a cluster may want to know, in Redis's words.
    pub tips: &'static [&'static str],
    /// Its code.
    pub handler: Handler,
    /// Access list categories that follow neither from flags nor, unless given, from the group.
    categories: Categories,
    /// Its place in the table.
    pub(super) id: u16,
    /// How many rows behind it are its subcommands.
    pub(super) subcommands: u16,
}

impl Command {
    /// A row without keys and documentation.
    pub(super) const fn new(
        group: Group,
        name: &'static str,
        arity: i8,
        flags: Flags,
        handler: Handler,
    ) -> Command {
        Command {
            name,
            arity,
            flags,
            keys: Keys(&[]),
            group,
            since: "",
            replaced: ("", ""),
            complexity: "",
            summary: "",
            arguments: "",
            tips: &[],
            handler,
            categories: group.categories(),
            id: 0,
            subcommands: 0,
        }
    }

    pub(super) const fn keys(self, keys: &'static [KeySpec]) -> Command {
        Command { keys: Keys(keys), ..self }
    }

    pub(super) const fn doc(
        self,
        since: &'static str,
        complexity: &'static str,
        arguments: &'static str,
        summary: &'static str,
    ) -> Command {
        Command { since, complexity, arguments, summary, ..self }
    }

    pub(super) const fn categories(self, categories: Categories) -> Command {
        Command { categories, ..self }
    }

    pub(super) const fn tips(self, tips: &'static [&'static str]) -> Command {
        Command { tips, ..self }
    }

    pub(super) const fn replaced(self, since: &'static str, by: &'static str) -> Command {
        Command { replaced: (since, by), ..self }
    }

    /// Its number, below [`table::count`]: for counters per command.
    pub fn id(&self) -> usize {
        usize::from(self.id)
    }

    /// Whether a request of `arguments`, the name included, has the right number of them.
    pub fn accepts(&self, arguments: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= wanted } else { arguments == wanted }
    }

    /// The rows of its subcommands.
    pub fn subcommands(&self) -> &'static [Command] {
        &table::COMMANDS[self.id() + 1..][..usize::from(self.subcommands)]
    }

    /// The subcommand of this name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands().iter().find(|row| row.own_name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name without that of the container.
    pub fn own_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, name)| name)
    }

    /// Whether its time depends on the data or the arguments rather than being always about the same.
    pub fn may_be_slow(&self) -> bool {
        !self.flags.has(Flags::QUICK)
    }

    /// Its flags as `COMMAND INFO` lists them: only those that Redis knows.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        let flags = self.flags;
        let movable = (Flags::MOVABLE_KEYS, "movablekeys");
        let named = Flags::NAMES.iter().filter(move |(flag, _)| flags.has(*flag));
        let first = named.clone().filter(move |(flag, _)| flag.0 < movable.0.0);
        let last = named.filter(move |(flag, _)| flag.0 >= movable.0.0);
        first.chain(last).map(|(_, name)| *name)
    }

    /// Its access list categories, without the `@`, in the order of `ACL CAT`.
    pub fn category_names(&self) -> impl Iterator<Item = &'static str> {
        let all = self.all_categories();
        Categories::NAMES.iter().filter(move |(one, _)| all.0 & one.0 != 0).map(|(_, name)| *name)
    }

    /// What the row says, and what Redis reads out of the flags: an admin command is dangerous, and whatever
    /// is not fast is slow.
    fn all_categories(&self) -> Categories {
        let rules = [
            (Flags::WRITE, Categories::WRITE),
            (Flags::READONLY, Categories::READ),
            (Flags::ADMIN, Categories::ADMIN.or(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::BLOCKING, Categories::BLOCKING),
        ];
        let fast = self.flags.has(Flags::FAST);
        let speed = if fast { Categories::FAST } else { Categories::SLOW };
        rules
            .into_iter()
            .filter(|(flag, _)| self.flags.has(*flag))
            .fold(self.categories.or(speed), |sum, (_, more)| sum.or(more))
    }
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Strings.
    String,
    /// Bits of strings.
    Bitmap,
    /// Lists.
    List,
    /// Hashes.
    Hash,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Keys of any type.
    Generic,
    /// Channels.
    PubSub,
    /// Transactions.
    Transactions,
    /// The connection itself.
    Connection,
    /// The server itself.
    Server,
    /// Scripts, of which there are none.
    Scripting,
}

impl Group {
    /// The name in `COMMAND DOCS`.
    pub const fn name(self) -> &'static str {
        match self {
            Group::String => "string",
            Group::Bitmap => "bitmap",
            Group::List => "list",
            Group::Hash => "hash",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Generic => "generic",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
        }
    }

    /// The categories of its commands unless their rows give others.
    const fn categories(self) -> Categories {
        match self {
            Group::String => Categories::STRING,
            Group::Bitmap => Categories::BITMAP,
            Group::List => Categories::LIST,
            Group::Hash => Categories::HASH,
            Group::Set => Categories::SET,
            Group::SortedSet => Categories::SORTED_SET,
            Group::Generic => Categories::KEYSPACE,
            Group::Transactions => Categories::TRANSACTION,
            Group::Connection => Categories::CONNECTION,
            Group::Scripting => Categories::SCRIPTING,
            Group::PubSub | Group::Server => Categories::NONE,
        }
    }
}

/// What a command is like, as bits. The first twenty are Redis's, in its order; the rest are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// Nothing special.
    pub const NONE: Flags = Flags(0);
    /// May change data.
    pub const WRITE: Flags = Flags(1 << 0);
    /// Never changes data.
    pub const READONLY: Flags = Flags(1 << 1);
    /// Refused when memory has run out.
    pub const DENYOOM: Flags = Flags(1 << 2);
    /// For operators.
    pub const ADMIN: Flags = Flags(1 << 3);
    /// About channels.
    pub const PUBSUB: Flags = Flags(1 << 4);
    /// Not for scripts.
    pub const NOSCRIPT: Flags = Flags(1 << 5);
    /// May wait.
    pub const BLOCKING: Flags = Flags(1 << 6);
    /// Works while data is loaded.
    pub const LOADING: Flags = Flags(1 << 7);
    /// Works on a replica that lost its primary.
    pub const STALE: Flags = Flags(1 << 8);
    /// Not shown by `MONITOR`.
    pub const SKIP_MONITOR: Flags = Flags(1 << 9);
    /// Not kept in the slow log.
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 10);
    /// Of constant or logarithmic cost.
    pub const FAST: Flags = Flags(1 << 11);
    /// Works before `AUTH`.
    pub const NO_AUTH: Flags = Flags(1 << 12);
    /// Its keys may all be missing.
    pub const NO_MANDATORY_KEYS: Flags = Flags(1 << 13);
    /// Not while data is loaded in the background.
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 14);
    /// Not inside `MULTI`.
    pub const NO_MULTI: Flags = Flags(1 << 15);
    /// Where its keys are depends on its arguments.
    pub const MOVABLE_KEYS: Flags = Flags(1 << 16);
    /// Works while a script takes too long.
    pub const ALLOW_BUSY: Flags = Flags(1 << 17);
    /// Inside `MULTI` it is executed, not queued.
    pub const RUNS_IN_MULTI: Flags = Flags(1 << 20);
    /// Works while the connection listens to channels in RESP2.
    pub const WHILE_LISTENING: Flags = Flags(1 << 21);
    /// Touches keys it does not name.
    pub const ALL_KEYS: Flags = Flags(1 << 22);
    /// Takes about the same time whatever the data: worked out from the other flags and the cost.
    pub(super) const QUICK: Flags = Flags(1 << 23);

    /// The names that `COMMAND INFO` gives, in its order.
    const NAMES: [(Flags, &'static str); 18] = [
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENYOOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NOSCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_MONITOR, "skip_monitor"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::MOVABLE_KEYS, "movablekeys"),
        (Flags::ALLOW_BUSY, "allow_busy"),
    ];

    /// Whether all of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        self.or(other)
    }
}

/// Access list categories, as bits in the order of `ACL CAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categories(u32);
