//! Configuration files and `CONFIG SET`.
//!
//! The input is a file; a line of `---` may end it, and lines of a name, a blank and a text follow,
//! all of one `CONFIG SET`:
//!
//! ```text
//! maxmemory 100mb
//! save 900 1
//! ---
//! maxmemory-policy allkeys-lru
//! hz 1000
//! ```
//!
//! Counterpart: `config.c`.

use minicache::conf::{self, Config};
use minicache::conf::table::Change;

/// The body of the fuzz target `conf`.
pub fn check(input: &[u8]) {
    let marker = input.windows(5).position(|bytes| bytes == b"\n---\n");
    let (file, pairs) = match marker {
        Some(at) => (&input[..at], &input[at + 5..]),
        None => (input, &[][..]),
    };
    let mut config = Config::default();
    // A file that includes itself is read seven times.
    let mut includes = 0;
    let loaded = conf::file::load(&mut config, file, &[], &mut |_| {
        includes += 1;
        if includes < 8 { Ok(file.to_vec()) } else { Err("enough".to_string()) }
    });
    if let Err(error) = loaded {
        assert!(!error.to_string().is_empty() && error.line >= 1);
        config = Config::default();
    } else {
        check_rewrite(&config, file);
    }
    set(&mut config, pairs);
}

fn texts(config: &Config) -> Vec<(&'static str, Vec<u8>)> {
    config.iter().map(|(row, text)| (row.name, text.to_vec())).collect()
}

/// `CONFIG REWRITE` and the next start give the same configuration.
fn check_rewrite(config: &Config, file: &[u8]) {
    let rewritten = conf::file::rewritten(config, file);
    let includes = |line: &[u8]| line.to_ascii_lowercase().starts_with(b"include");
    if file.split(|byte| *byte == b'\n').any(|line| includes(line.trim_ascii())) {
        return;
    }
    let mut again = Config::default();
    let include = &mut |_: &[u8]| Err("nothing is included".to_string());
    let read = conf::file::load(&mut again, &rewritten, &[], include);
    let shown = rewritten.escape_ascii();
    assert_eq!(read, Ok(()), "{shown}");
    assert_eq!(texts(&again), texts(config), "{shown}");
    assert_eq!(again.settings(), config.settings(), "{shown}");
}

/// `CONFIG SET` applies all pairs or none, and accepts the values that `CONFIG GET` shows.
fn set(config: &mut Config, pairs: &[u8]) {
    let lines = pairs.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let pair = |line: &'_ [u8]| line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let pairs: Vec<(&[u8], &[u8])> = lines
        .map(|line| line.split_at(pair(line)))
        .map(|(name, text)| (name, text.get(1..).unwrap_or_default()))
        .collect();
    let before = (texts(config), config.settings().clone());
    match config.set_many(&pairs, true) {
        Err(error) => {
            assert!(error.reply().starts_with(b"ERR "));
            assert_eq!((texts(config), config.settings().clone()), before);
        }
        Ok(changed) => {
            let after = texts(config);
            for (index, (name, text)) in after.iter().enumerate() {
                assert_eq!(changed.contains(name), *text != before.0[index].1, "{name}");
            }
        }
    }
    check_set_again(config);
}

/// The current values, set again, change nothing.
fn check_set_again(config: &mut Config) {
    let before = texts(config);
    let shown: Vec<(&'static str, Vec<u8>)> = config
        .iter()
        .filter(|(row, text)| row.change != Change::AtStart && row.default.as_bytes() != *text)
        .map(|(row, text)| (row.name, text.to_vec()))
        .collect();
    let pairs: Vec<(&[u8], &[u8])> =
        shown.iter().map(|(name, text)| (name.as_bytes(), text.as_slice())).collect();
    assert_eq!(config.set_many(&pairs, true), Ok(Vec::new()));
    assert_eq!(texts(config), before);
}
