//! What a row of the catalogue says: a command's name, arity, flags, categories and keys.
//!
//! ```text
//! row("info", -1, "loading stale all_keys", &[]).in_categories("dangerous")
//! ```
//!
//! `INFO` with any number of arguments is accepted, also while data is being loaded; it names no
//! key but looks at all of them. Most *categories* of access lists follow from the flags and the
//! family. `INFO` is in `@slow`, because it is not `fast`, and in `@dangerous`, because its row
//! says so.
//!
//! Redis has the same fields in `struct redisCommand` (`server.h`), and there the handler as well.
//! Here the handlers are in `commands/handlers.rs`, so that everything in this folder is data.

use super::key_specs::{KeySpec, Keys};
use super::{COMMANDS, docs::Docs, names::named_bits};

#[derive(Clone, Copy)]
pub struct Command {
    /// In lower case; a subcommand is `container|name`.
    pub name: &'static str,
    /// The number of arguments, name and container included; if negative, the least number.
    pub arity: i8,
    pub flags: Flags,
    pub keys: Keys,
    pub group: &'static str,
    /// The access list categories that do not follow from its flags; until the row is numbered,
    /// `None` for those of its family.
    pub(super) own_categories: Option<Categories>,
    pub(super) id: u16,
    /// The number of rows after it that are its subcommands.
    pub(in crate::commands) subcommands: u16,
}

/// A row without group and number, which [`super::COMMANDS`] fills in.
///
/// Keys that only the arguments can tell make it `movablekeys`, and `fast` implies `quick`.
pub(super) const fn row(
    name: &'static str,
    arity: i8,
    flags: &str,
    keys: &'static [KeySpec],
) -> Command {
    let (mut flags, keys) = (Flags::of(flags), Keys(keys));
    if keys.are_movable() {
        flags = flags.with(Flags::of("movablekeys"));
    }
    if flags.has(Flags::FAST) {
        flags = flags.with(Flags::QUICK);
    }
    Command { name, arity, flags, keys, group: "", own_categories: None, id: 0, subcommands: 0 }
}

impl Command {
    /// The row in these categories instead of those of its family.
    pub(super) const fn in_categories(self, categories: &str) -> Command {
        Command { own_categories: Some(Categories::of(categories)), ..self }
    }

    /// Its number, below [`super::COUNT`]: for counters per command.
    pub fn id(&self) -> usize {
        usize::from(self.id)
    }

    /// Returns true if a request may have this number of arguments, the name included.
    pub fn accepts(&self, arguments: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= wanted } else { arguments == wanted }
    }

    pub fn is_container(&self) -> bool {
        self.subcommands > 0
    }

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

    /// Its flags as `COMMAND INFO` lists them: those that Redis knows.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        Flags(self.flags.0 & (Flags::RUNS_IN_MULTI.0 - 1)).names()
    }

    pub fn docs(&self) -> &'static Docs {
        Docs::of(self)
    }

    /// Its access list categories.
    ///
    /// Most follow from the flags: an `admin` command is dangerous, and a command that is not
    /// `fast` is slow. Scripts are not in `read`.
    pub fn categories(&self) -> Categories {
        let speed = if self.flags.has(Flags::FAST) { "fast" } else { "slow" };
        let own = self.own_categories.unwrap_or(Categories::of("")).with(Categories::of(speed));
        [
            (Flags::WRITE, "write"),
            (Flags::READONLY, "read"),
            (Flags::ADMIN, "admin dangerous"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::BLOCKING, "blocking"),
        ]
        .into_iter()
        .filter(|(flag, _)| self.flags.has(*flag))
        .filter(|(flag, _)| *flag != Flags::READONLY || self.group != "scripting")
        .fold(own, |sum, (_, implied)| sum.with(Categories::of(implied)))
    }
}

named_bits! {
    /// How a command behaves. The first eighteen are Redis's, in the order of `COMMAND INFO`.
    Flags:
    "write"             // May change data.
    "readonly"          // Never changes data.
    "denyoom"           // Refused when memory use is above `maxmemory`.
    "admin"             // For operators.
    "pubsub"            // Concerns channels.
    "noscript"          // Not allowed in scripts.
    "blocking"          // May wait for data.
    "loading"           // Allowed while data is being loaded.
    "stale"             // Allowed on a replica that lost its primary.
    "skip_monitor"      // Shows itself to `MONITOR`, before the commands it runs.
    "skip_slowlog"      // Never in the slow log.
    "fast"              // Of constant or logarithmic cost, or nearly so.
    "no_auth"           // Allowed before `AUTH`.
    "no_mandatory_keys" // May be given no key.
    "no_async_loading"  // Refused while data is being loaded in the background.
    "no_multi"          // Refused inside `MULTI`.
    "movablekeys"       // Only its arguments tell where its keys are.
    "allow_busy"        // Allowed while a script takes too long.
    "runs_in_multi"     // Inside `MULTI` it is executed, not queued.
    "subscribed_mode"   // Allowed to a RESP2 client that has subscribed.
    "all_keys"          // Touches keys that its arguments do not name.
    "quick"             // Takes about the same time for all data and arguments.
}

impl Flags {
    pub(crate) const WRITE: Flags = Flags::of("write");
    pub(crate) const READONLY: Flags = Flags::of("readonly");
    pub(crate) const DENYOOM: Flags = Flags::of("denyoom");
    pub(crate) const ADMIN: Flags = Flags::of("admin");
    pub(crate) const NO_SCRIPT: Flags = Flags::of("noscript");
    pub(crate) const ALLOW_BUSY: Flags = Flags::of("allow_busy");
    pub(crate) const SKIP_MONITOR: Flags = Flags::of("skip_monitor");
    const PUBSUB: Flags = Flags::of("pubsub");
    pub const BLOCKING: Flags = Flags::of("blocking");
    pub(crate) const SKIP_SLOWLOG: Flags = Flags::of("skip_slowlog");
    pub(crate) const FAST: Flags = Flags::of("fast");
    pub(crate) const NO_AUTH: Flags = Flags::of("no_auth");
    pub(crate) const NO_MULTI: Flags = Flags::of("no_multi");
    pub(crate) const RUNS_IN_MULTI: Flags = Flags::of("runs_in_multi");
    pub(crate) const SUBSCRIBED_MODE: Flags = Flags::of("subscribed_mode");
    pub(crate) const ALL_KEYS: Flags = Flags::of("all_keys");
    pub(crate) const QUICK: Flags = Flags::of("quick");
}

named_bits! {
    /// Access list categories, in the order of `ACL CAT`. No command is in `hyperloglog`, `geo` or
    /// `stream`, because those types are left out.
    Categories:
    "keyspace" "read" "write" "set" "sortedset" "list" "hash" "string" "bitmap" "hyperloglog" "geo"
    "stream" "pubsub" "admin" "fast" "slow" "blocking" "dangerous" "connection" "transaction"
    "scripting"
}

impl Categories {
    /// The category of this name, in any case.
    pub fn named(name: &[u8]) -> Option<Categories> {
        let known = Categories::NAMES.iter().find(|it| it.as_bytes().eq_ignore_ascii_case(name));
        known.map(|name| Categories::of(name))
    }
}
