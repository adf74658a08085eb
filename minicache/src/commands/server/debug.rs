//! `DEBUG`: to fill a store, and stop time (`debug.c`).
//!
//! ```text
//! DEBUG POPULATE 3 user 10      user:0, user:1 and user:2, strings of 10 bytes each
//! DEBUG SET-ACTIVE-EXPIRE 0     expired keys stay in memory until a command asks for them
//! DEBUG SLEEP 0.5               no client is served for half a second, to test timeouts
//! ```
//!
//! Off unless `enable-debug-command` allows it, as in Redis. Redis has fifty more subcommands, for
//! its own test suite; they are refused as unknown.

use super::Call;
use crate::engine::error::{Answer, Error};
use crate::format::number::{parse_f64, parse_i64};
use std::{sync::atomic::Ordering, time::Duration};

/// `DEBUG subcommand [argument …]`
pub fn debug(c: &mut Call) -> Answer {
    if !c.settings.enable_debug_command.allows(c.session.is_local()) {
        return Err(Error::new(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
             \"local\", you can run it from a local connection, otherwise you need to set this \
             option in the configuration file, and then restart the server.",
        ));
    }
    let name = c.arg(1).to_ascii_lowercase();
    match (name.as_slice(), c.args.len()) {
        (b"sleep", 3) => sleep(c),
        (b"set-active-expire", 3) => {
            let active = parse_i64(c.arg(2)).is_some_and(|number| number != 0);
            c.cache.active_expiry.store(active, Ordering::Relaxed);
            c.out.answer_ok()
        }
        (b"populate", 3..=5) => populate(c),
        (b"help", 2) => help(c),
        _ => Err(c.wrong_subcommand()),
    }
}

/// Sleeps with every lock held, so that no other client is served: this is its purpose.
fn sleep(c: &mut Call) -> Answer {
    let seconds = parse_f64(c.arg(2)).unwrap_or(0.0);
    let longest = Duration::from_secs(3600);
    let time = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(longest).min(longest);
    std::thread::sleep(time);
    c.session.ends_batch = true;
    c.out.answer_ok()
}

fn help(c: &mut Call) -> Answer {
    const LINES: [(&str, &str); 3] = [
        ("POPULATE count [prefix] [size]", "Makes keys."),
        ("SET-ACTIVE-EXPIRE 0|1", "Switches the search for dead keys."),
        ("SLEEP seconds", "Holds everything up."),
    ];
    super::help_lines(c, LINES.map(|(usage, text)| (usage.to_string(), text)).into_iter());
    Ok(())
}

/// `DEBUG POPULATE count [prefix] [size]`
fn populate(c: &mut Call) -> Answer {
    let count = c.count(2)?;
    let prefix = c.args.get(3).unwrap_or(b"key").to_vec();
    let size = if c.args.len() == 5 { c.count(4)? } else { 0 };
    for number in 0..count {
        let key = [&prefix[..], format!(":{number}").as_bytes()].concat();
        let key = c.keyspace.key(&key);
        if c.keyspace.exists(key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        c.keyspace.set_string(key, &value, None);
        c.keyspace.signal_modified(key);
    }
    c.out.answer_ok()
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Fixture;

    #[test]
    fn keys_are_made_and_unknown_subcommands_refused() {
        let mut t = Fixture::with(&[("enable-debug-command", "yes")]);
        t.check(
            r#"
            > DEBUG SET-ACTIVE-EXPIRE x
            OK
            > DEBUG SET-ACTIVE-EXPIRE 1
            OK
            > DEBUG POPULATE 2 p 9
            OK
            > MGET p:0 p:1
            1) "value:0\x00\x00"
            2) "value:1\x00\x00"
            > DEBUG POPULATE 1 p -1
            (error) ERR value is out of range, must be positive
            > DEBUG RELOAD
            (error) ERR unknown subcommand or wrong number of arguments for 'RELOAD'. \
            Try DEBUG HELP.
            > DEBUG OBJECT s more
            (error) ERR unknown subcommand or wrong number of arguments for 'OBJECT'. \
            Try DEBUG HELP.
            "#,
        );
    }
}
