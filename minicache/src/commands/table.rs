//! The table.
use super::spec::{Command, Flags, Keys};
use super::strings;

static TABLE: [Command; 2] = [
    Command {
        name: "get",
        arity: 2,
        flags: Flags::NONE,
        keys: Keys::Range(1, 1, 1),
        handler: strings::get,
        subcommands: &[],
        number: 0,
    },
    Command {
        name: "set",
        arity: -3,
        flags: Flags::DENYOOM,
        keys: Keys::Range(1, 1, 1),
        handler: strings::set,
        subcommands: &[],
        number: 1,
    },
];

/// Finds.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    TABLE.iter().find(|c| c.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Count.
pub fn count() -> usize {
    2
}
