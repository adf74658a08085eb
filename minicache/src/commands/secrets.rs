//! What logs may not show: `MONITOR` and `SLOWLOG` get `(redacted)` in place of passwords
//! (`redactClientCommandArgument` in `networking.c`).
//!
//! ```text
//! AUTH s3cret                                  AUTH (redacted)
//! HELLO 3 AUTH default s3cret                  HELLO 3 AUTH (redacted) (redacted)
//! CONFIG SET requirepass s3cret timeout 5      CONFIG SET requirepass (redacted) timeout 5
//! ```

use crate::conf::is_secret;
use crate::wire::request::{Args, OwnedArgs};

/// The arguments of a command as a log may show them.
pub fn redacted(args: Args) -> OwnedArgs {
    let is = |index: usize, word: &str| {
        args.get(index).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    };
    let hidden = |index: usize| match index {
        0 => false,
        _ if is(0, "auth") => true,
        _ if is(0, "hello") => index >= 3 && (is(index - 1, "auth") || is(index - 2, "auth")),
        _ if is(0, "config") && is(1, "set") => {
            index >= 3 && index % 2 == 1 && is_secret(args.at(index - 1))
        }
        _ => false,
    };
    let shown = |(index, argument)| if hidden(index) { &b"(redacted)"[..] } else { argument };
    args.iter().enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_nothing_else() {
        for (line, shown) in [
            ("AUTH s3cret", "AUTH (redacted)"),
            ("auth default s3cret", "auth (redacted) (redacted)"),
            ("HELLO 3 AUTH default s3cret", "HELLO 3 AUTH (redacted) (redacted)"),
            ("HELLO 3 SETNAME auth", "HELLO 3 SETNAME auth"),
            ("CONFIG SET requirepass a timeout 5", "CONFIG SET requirepass (redacted) timeout 5"),
            ("CONFIG SET timeout 5 masterauth a", "CONFIG SET timeout 5 masterauth (redacted)"),
            ("SET auth s3cret", "SET auth s3cret"),
        ] {
            let words: OwnedArgs = line.split(' ').collect();
            let redacted = redacted(words.as_args());
            let text: Vec<_> = redacted.as_args().iter().map(String::from_utf8_lossy).collect();
            assert_eq!(text.join(" "), shown);
        }
    }
}
