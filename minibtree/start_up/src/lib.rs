//! Settings in the first packet of a client, which hold as if it began with SET.
//!
//! They are parameters of their own or flags of `options`, which libpq fills in from `PGOPTIONS`:
//!
//! ```
//! let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
//! let packet = [
//!     parameter("user", "ada"),
//!     parameter("lock_timeout", "5s"),
//!     parameter("options", r"-c default_transaction_isolation=repeatable\ read --work-mem=1MB"),
//! ];
//! assert_eq!(minibtree_start_up::settings(&packet)?, [
//!     parameter("lock_timeout", "5s"),
//!     parameter("default_transaction_isolation", "repeatable read"),
//!     parameter("work_mem", "1MB"),
//! ]);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! A time zone is left out: JDBC always sends that of its machine. The server reports its own, UTC,
//! and values of `timestamptz` have it in their text.
//!
//! PostgreSQL's `process_startup_options` (`postinit.c`) and `pg_split_opts`.

use minibtree_types::error::Result;
use minibtree_types::{error, unsupported};

/// The settings, with their values, in the order in which they are to be set.
///
/// # Errors
/// `0A000` for a replication connection, `42601` for flags that set nothing.
pub fn settings(packet: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    for (name, value) in packet {
        match name.to_lowercase().as_str() {
            "user" | "database" | "timezone" => {}
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            "replication" => return Err(unsupported!("a replication connection")),
            // asyncpg writes 'utf-8' with the quotes.
            "client_encoding" => {
                settings.push((name.clone(), value.trim_matches('\'').to_lowercase()));
            }
            "options" => flags(value, &mut settings)?,
            extension if extension.starts_with("_pq_.") => {}
            _ => settings.push((name.clone(), value.clone())),
        }
    }
    Ok(settings)
}

/// Reads `-c name=value`, `-cname=value` and `--name=value`.
fn flags(options: &str, settings: &mut Vec<(String, String)>) -> Result<()> {
    let words = words(options);
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let assignment = match word {
            "-c" => words.next(),
            _ => word.strip_prefix("--").or_else(|| word.strip_prefix("-c")),
        };
        let Some((name, value)) = assignment.and_then(|it| it.split_once('=')) else {
            return Err(error!(
                SYNTAX_ERROR,
                "invalid command-line argument for server process: {word}"
            ));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(())
}

/// Splits at white space, unless a backslash precedes it.
fn words(options: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = options.chars();
    while let Some(next) = characters.next() {
        let literal = if next == '\\' { characters.next() } else { Some(next) };
        match words.last_mut() {
            Some(word) if next == '\\' || !next.is_ascii_whitespace() => word.extend(literal),
            _ => words.push(String::new()),
        }
    }
    words.retain(|it| !it.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use minibtree_types::error::code;

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (name, value, wanted) in [
            ("replication", "database", code::FEATURE_NOT_SUPPORTED),
            ("options", "-c", code::SYNTAX_ERROR),
            ("options", "-x 1", code::SYNTAX_ERROR),
        ] {
            let error = settings(&[(name.to_owned(), value.to_owned())]).expect_err(name);
            assert_eq!(error.code, wanted, "{name}={value}");
        }
    }
}
