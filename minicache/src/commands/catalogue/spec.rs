//! The row of a command: its name, arity, flags, keys and documentation.
//!
//! A row says everything about a command except its code. Dispatch, `COMMAND`, the client's help
//! and the documentation read the same row, so they cannot disagree:
//!
//! ```text
//! row("getex", -2, &[WRITE, FAST])                   name, arity, flags
//!     .keys(&[key(1, &[RW, ACCESS, UPDATE])])        argument 1 is a key, and what happens to it
//!     .doc("6.2.0", "O(1)", "key [EX seconds | …]",  since, cost, usage
//!         "Gives the string …")                      help
//! ```
//!
//! *Arity* counts the name; -2 means two or more. *Usage* is a small language
//! ([`synopsis`](super::synopsis)). A subcommand is a row of its own, named `config|get`, directly
//! after its container. Redis has the same rows in `src/commands/*.json`, from which a script
//! generates `struct redisCommand` (`server.h`); there the row also holds the handler. Here the
//! handlers are in `commands/handlers.rs`, so that everything in this folder is data.

use super::COMMANDS;
use super::key_specs::{KeySpec, Keys};

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
    /// The access list categories that do not follow from its flags.
    own_categories: Categories,
    /// Its place in the table.
    pub(super) id: u16,
    /// How many rows behind it are its subcommands.
    pub(in crate::commands) subcommands: u16,
}

impl Command {
    /// A row without keys and documentation.
    pub(super) const fn new(
        group: Group,
        name: &'static str,
        arity: i8,
        flags: &[Flags],
    ) -> Command {
        Command {
            name,
            arity,
            flags: Flags::all_of(flags),
            keys: Keys(&[]),
            group,
            since: "",
            replaced: ("", ""),
            complexity: "",
            summary: "",
            arguments: "",
            tips: &[],
            own_categories: group.category(),
            id: 0,
            subcommands: 0,
        }
    }

    /// With keys at these places. Keys that only the arguments can tell make it `movablekeys`.
    pub(super) const fn keys(self, specs: &'static [KeySpec]) -> Command {
        let keys = Keys(specs);
        let movable = if keys.are_movable() { Flags::MOVABLE_KEYS } else { Flags::NONE };
        Command { keys, flags: self.flags.with(movable), ..self }
    }

    /// With documentation. A constant or logarithmic cost makes it quick, as `FAST` does.
    pub(super) const fn doc(
        self,
        since: &'static str,
        complexity: &'static str,
        arguments: &'static str,
        summary: &'static str,
    ) -> Command {
        let flat = matches!(complexity.as_bytes(), [b'O', b'(', b'1' | b'l', ..]);
        let quick = if flat || self.flags.has(Flags::FAST) { Flags::QUICK } else { Flags::NONE };
        Command { since, complexity, arguments, summary, flags: self.flags.with(quick), ..self }
    }

    /// With these categories instead of that of the group.
    pub(super) const fn in_categories(self, categories: &[Categories]) -> Command {
        Command { own_categories: Categories::all_of(categories), ..self }
    }

    /// With tips.
    pub(super) const fn tips(self, tips: &'static [&'static str]) -> Command {
        Command { tips, ..self }
    }

    /// With advice to use something else.
    pub(super) const fn replaced(self, since: &'static str, by: &'static str) -> Command {
        Command { replaced: (since, by), ..self }
    }

    /// Its number, below [`super::COUNT`]: for counters per command.
    pub fn id(&self) -> usize {
        usize::from(self.id)
    }

    /// Whether a request of `arguments`, the name included, has the right number of them.
    pub fn accepts(&self, arguments: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= wanted } else { arguments == wanted }
    }

    /// Whether it stands for its subcommands.
    pub fn is_container(&self) -> bool {
        self.subcommands > 0
    }

    /// The rows of its subcommands.
    pub fn subcommands(&self) -> &'static [Command] {
        let behind = &COMMANDS[self.id() + 1..];
        &behind[..usize::from(self.subcommands)]
    }

    /// The subcommand of this name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands().iter().find(|row| row.own_name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name without that of the container.
    pub fn own_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, name)| name)
    }

    /// Whether its time depends on the data or the arguments, instead of being about the same
    /// always.
    pub fn may_be_slow(&self) -> bool {
        !self.flags.has(Flags::QUICK)
    }

    /// Its flags as `COMMAND INFO` lists them: those that Redis knows.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        let flags = self.flags;
        Flags::NAMES.iter().filter(move |(flag, _)| flags.has(*flag)).map(|(_, name)| *name)
    }

    /// Its access list categories.
    ///
    /// Most follow from the flags: an `ADMIN` command is dangerous, and whatever is not `FAST` is
    /// slow.
    pub fn categories(&self) -> Categories {
        let implied = [
            (Flags::WRITE, Categories::WRITE),
            (Flags::READONLY, Categories::READ),
            (Flags::ADMIN, Categories::ADMIN.with(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::BLOCKING, Categories::BLOCKING),
        ];
        let fast = self.flags.has(Flags::FAST);
        let speed = if fast { Categories::FAST } else { Categories::SLOW };
        implied
            .iter()
            .filter(|(flag, _)| self.flags.has(*flag))
            .fold(self.own_categories.with(speed), |sum, (_, implied)| sum.with(*implied))
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

    /// The access list category of its commands, unless their rows say otherwise.
    const fn category(self) -> Categories {
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

/// A set of named bits.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident { $($(#[$bit_doc:meta])* $bit:ident = $place:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            /// No bit.
            pub const NONE: $name = $name(0);
            $($(#[$bit_doc])* pub const $bit: $name = $name(1 << $place);)*

            /// The bits of both.
            pub const fn with(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// Whether all bits of `other` are set.
            pub const fn has(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }

            /// The bits of all; a loop because constants cannot use iterators.
            pub(super) const fn all_of(parts: &[$name]) -> $name {
                let mut all = $name::NONE;
                let mut index = 0;
                while index < parts.len() {
                    all = all.with(parts[index]);
                    index += 1;
                }
                all
            }
        }
    };
}
pub(super) use bits;

bits! {
    /// What a command is like. The first are Redis's, in the order of `COMMAND INFO`; the last
    /// four are ours.
    Flags {
        /// May change data.
        WRITE = 0,
        /// Never changes data.
        READONLY = 1,
        /// Refused when memory has run out.
        DENYOOM = 2,
        /// For operators.
        ADMIN = 3,
        /// About channels.
        PUBSUB = 4,
        /// Not for scripts.
        NOSCRIPT = 5,
        /// May wait.
        BLOCKING = 6,
        /// Works while data is being loaded.
        LOADING = 7,
        /// Works on a replica that lost its primary.
        STALE = 8,
        /// Not kept in the slow log.
        SKIP_SLOWLOG = 9,
        /// Of constant or logarithmic cost, or nearly so.
        FAST = 10,
        /// Works before `AUTH`.
        NO_AUTH = 11,
        /// Not while data is being loaded in the background.
        NO_ASYNC_LOADING = 12,
        /// Not inside `MULTI`.
        NO_MULTI = 13,
        /// Only its arguments tell where its keys are.
        MOVABLE_KEYS = 14,
        /// Works while a script takes too long.
        ALLOW_BUSY = 15,
        /// Inside `MULTI` it is executed, not queued.
        RUNS_IN_MULTI = 16,
        /// Works while a RESP2 connection listens to channels.
        WHILE_LISTENING = 17,
        /// Touches keys that its arguments do not name.
        ALL_KEYS = 18,
        /// Takes about the same time whatever the data and the arguments.
        QUICK = 19,
    }
}

impl Flags {
    /// The flags that `COMMAND INFO` knows, in its order.
    const NAMES: [(Flags, &'static str); 16] = [
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENYOOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NOSCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::MOVABLE_KEYS, "movablekeys"),
        (Flags::ALLOW_BUSY, "allow_busy"),
    ];
}

bits! {
    /// Access list categories.
    Categories {
        /// Keys of any type.
        KEYSPACE = 0,
        /// Reads data.
        READ = 1,
        /// Changes data.
        WRITE = 2,
        /// Sets.
        SET = 3,
        /// Sorted sets.
        SORTED_SET = 4,
        /// Lists.
        LIST = 5,
        /// Hashes.
        HASH = 6,
        /// Strings.
        STRING = 7,
        /// Bits of strings.
        BITMAP = 8,
        /// HyperLogLogs, of which there are none.
        HYPERLOGLOG = 9,
        /// Places on earth, of which there are none.
        GEO = 10,
        /// Streams, of which there are none.
        STREAM = 11,
        /// Channels.
        PUBSUB = 12,
        /// For operators.
        ADMIN = 13,
        /// Of constant or logarithmic cost, or nearly so.
        FAST = 14,
        /// All others.
        SLOW = 15,
        /// May wait.
        BLOCKING = 16,
        /// May hurt when used without thought.
        DANGEROUS = 17,
        /// The connection itself.
        CONNECTION = 18,
        /// Transactions.
        TRANSACTION = 19,
        /// Scripts, of which there are none.
        SCRIPTING = 20,
    }
}

impl Categories {
    /// The names of the bits, in the order of `ACL CAT`.
    pub const NAMES: [&'static str; 21] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];

    /// The category of this name, in any case.
    pub fn named(name: &[u8]) -> Option<Categories> {
        let place = Categories::NAMES
            .iter()
            .position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(Categories(1 << place))
    }

    /// The names of the categories set, without the `@`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = Categories::NAMES.iter().enumerate();
        named.filter(move |(place, _)| self.0 & (1 << place) != 0).map(|(_, name)| *name)
    }
}
