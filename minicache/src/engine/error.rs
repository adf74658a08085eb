//! Error replies.
//!
//! ```text
//! LPUSH text x    -WRONGTYPE Operation against a key holding the wrong kind of value
//!                  code      message
//! ```
//!
//! Client libraries map the code to an exception, and test suites compare messages, so both are
//! those of Redis (`shared` in `server.c`).

use std::borrow::Cow;

/// An error reply: its code and text, without the leading `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub Cow<'static, str>);

/// What a command handler returns: the reply is in the buffer, or this error is the reply.
pub type Answer = Result<(), Error>;

impl Error {
    /// The key holds another type.
    pub const WRONG_TYPE: Error =
        Error::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// An argument or value should be a 64-bit integer.
    pub const NOT_AN_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
    /// An argument or value should be a floating-point number.
    pub const NOT_A_FLOAT: Error = Error::new("ERR value is not a valid float");
    /// A sum beyond 64 bits.
    pub const WOULD_OVERFLOW: Error = Error::new("ERR increment or decrement would overflow");
    /// The options do not fit together.
    pub const SYNTAX: Error = Error::new("ERR syntax error");
    /// The key has to exist.
    pub const NO_SUCH_KEY: Error = Error::new("ERR no such key");
    /// An index beyond the list.
    pub const INDEX_OUT_OF_RANGE: Error = Error::new("ERR index out of range");
    /// A count that must not be negative.
    pub const MUST_BE_POSITIVE: Error = Error::new("ERR value is out of range, must be positive");
    /// Memory is short and nothing may be evicted.
    pub const OUT_OF_MEMORY: Error =
        Error::new("OOM command not allowed when used memory > 'maxmemory'.");
    /// The client has not authenticated.
    pub const NO_AUTH: Error = Error::new("NOAUTH Authentication required.");

    /// A script is running and has taken too long.
    pub const BUSY: Error = Error::new(
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    );

    /// An error whose text is known at compile time.
    pub const fn new(text: &'static str) -> Error {
        Error(Cow::Borrowed(text))
    }

    /// An error whose text names what was wrong.
    #[cold]
    pub fn text(text: String) -> Error {
        Error(Cow::Owned(text))
    }

    /// The wrong number of arguments for this command (`get`, or `client|list`).
    #[cold]
    pub fn arity(command: &str) -> Error {
        Error::text(format!("ERR wrong number of arguments for '{command}' command"))
    }
}
