//! Types of the command table.

use super::Handler;
use crate::wire::request::Args;

/// Flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

#[allow(missing_docs)]
impl Flags {
    pub const WRITE: Flags = Flags(1);
    pub const DENYOOM: Flags = Flags(2);
    pub const NO_AUTH: Flags = Flags(4);
    pub const NO_MULTI: Flags = Flags(8);
    pub const RUNS_IN_MULTI: Flags = Flags(16);
    pub const WHILE_LISTENING: Flags = Flags(32);
    pub const ALL_KEYS: Flags = Flags(64);
    pub const NONE: Flags = Flags(0);
    /// Has.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Keys.
pub enum Keys {
    /// None.
    None,
    /// Range.
    Range(i32, i32, i32),
}

impl Keys {
    /// Each key index.
    pub fn for_each(&self, args: Args, mut f: impl FnMut(usize)) {
        if let Keys::Range(first, last, step) = *self {
            let last = if last < 0 { args.len() as i32 + last } else { last };
            let mut at = first;
            while at <= last {
                f(at as usize);
                at += step;
            }
        }
    }
}

/// A command.
pub struct Command {
    /// Name.
    pub name: &'static str,
    /// Arity.
    pub arity: i32,
    /// Flags.
    pub flags: Flags,
    /// Keys.
    pub keys: Keys,
    /// Handler.
    pub handler: Handler,
    /// Subcommands.
    pub subcommands: &'static [Command],
    /// Number.
    pub number: usize,
}

impl Command {
    /// id
    pub fn id(&self) -> usize {
        self.number
    }
    /// slow
    pub fn may_be_slow(&self) -> bool {
        false
    }
    /// sub
    pub fn subcommand(&self, _name: &[u8]) -> Option<&'static Command> {
        None
    }
    /// arity
    pub fn accepts(&self, n: usize) -> bool {
        if self.arity >= 0 { n == self.arity as usize } else { n >= (-self.arity) as usize }
    }
    /// full
    pub fn full_name(&self) -> String {
        self.name.to_string()
    }
}
