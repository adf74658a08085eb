//! Parameters with a grammar of their own: `save`, `client-output-buffer-limit`, `bind` …
//!
//! Each function takes the words of a directive and returns the text that `CONFIG GET` shows, or
//! the text of the error reply:
//!
//! ```text
//! output_limits  "replica 1kb 0 0", on "normal … slave 4 5 6 …"  ->  "normal … slave 1024 0 0 …"
//! replica_of     "no one"                                      ->  ""
//! percentiles    "50 99.90"                                    ->  "50 99.9"
//! ```
//!
//! The counterparts in Redis are the `setConfig…Option` functions of `config.c`.

use super::kind::{Kind, memory, must_be_one_of};
use crate::engine::events::Events;
use crate::format::number::parse_i64;
use crate::format::words::{join, split};

/// A class of clients in `client-output-buffer-limit`, in the order in which it is shown.
const CLIENT_CLASSES: [&[u8]; 3] = [b"normal", b"slave", b"pubsub"];
const BIND_MOST: usize = 16;
/// How often per second background work may run at least and at most.
const HZ: (i64, i64) = (1, 500);

/// The grammar that the table of parameters calls `name`.
///
/// # Panics
/// If there is none, as [`Kind::parse`].
pub(super) fn grammar(name: &str) -> Kind {
    match name {
        "addresses" => Kind::Words(addresses),
        "appenddirname" => Kind::Word(|word| base_name("appenddirname", "dirname", false, word)),
        "appendfilename" => Kind::Word(|word| base_name("appendfilename", "filename", false, word)),
        "bindings" => Kind::Words(|_, words| Ok(join(unless_empty(words).iter().copied()))),
        "backlog-bytes" => Kind::Word(backlog_bytes),
        "dbfilename" => Kind::Word(|word| base_name("dbfilename", "filename", true, word)),
        "event-classes" => Kind::Word(event_classes),
        "hz" => Kind::Word(hz),
        "oom-scores" => Kind::Words(oom_scores),
        "output-limits" => Kind::Words(output_limits),
        "percentiles" => Kind::Words(percentiles),
        "replica-of" => Kind::Words(replica_of),
        "save" => Kind::Words(save),
        "shutdown-flags" => Kind::Words(shutdown_flags),
        _ => panic!("no parameter has the grammar {name}"),
    }
}

/// Pairs of seconds and changes. One empty word means "never".
fn save(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    let words = unless_empty(words);
    let is_pair = |pair: &[&[u8]]| match pair {
        [seconds, changes] => parse_i64(seconds) >= Some(1) && parse_i64(changes) >= Some(0),
        _ => false,
    };
    match words.chunks(2).all(is_pair) {
        true => Ok(join(words.iter().copied())),
        false => Err("Invalid save parameters".into()),
    }
}

/// Groups of class, hard limit, soft limit and soft seconds. Classes not named keep their limits.
fn output_limits(current: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut shown: Vec<Vec<u8>> = current.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
    for group in words.chunks_exact(4) {
        let name = if group[0].eq_ignore_ascii_case(b"replica") { b"slave" } else { group[0] };
        let class = CLIENT_CLASSES.iter().position(|class| class.eq_ignore_ascii_case(name));
        let class = class.ok_or("Invalid client class specified in buffer limit configuration.")?;
        let seconds = parse_i64(group[3]).and_then(|seconds| u64::try_from(seconds).ok());
        for (offset, number) in [memory(group[1]), memory(group[2]), seconds].iter().enumerate() {
            let number = number.ok_or(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            )?;
            shown[class * 4 + 1 + offset] = number.to_string().into_bytes();
        }
    }
    Ok(join(shown.iter().map(Vec::as_slice)))
}

/// Three numbers between -2000 and 2000: for a primary, a replica and a background child.
fn oom_scores(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let valid = |word: &&[u8]| parse_i64(word).is_some_and(|score| (-2000..=2000).contains(&score));
    if !words.iter().all(valid) {
        let bounds = "elements must be between -2000 and 2000.";
        return Err(format!("Invalid oom-score-adj-values, {bounds}"));
    }
    Ok(join(words.iter().copied()))
}

/// Addresses to listen on. One empty word means none.
fn addresses(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    if words.len() > BIND_MOST {
        return Err("Too many bind addresses specified.".into());
    }
    Ok(join(hosts(unless_empty(words))?.iter().copied()))
}

/// The same words, if each can be a host. A name that is empty, or has a space, a quote or a
/// control character, could not be read back from a text of several words.
fn hosts<'a, 'w>(words: &'w [&'a [u8]]) -> Result<&'w [&'a [u8]], String> {
    let odd = |word: &[u8]| {
        word.iter().any(u8::is_ascii_control)
            || split(word).is_none_or(|words| words.concat() != word || words.len() != 1)
    };
    match words.iter().find(|word| odd(word)) {
        Some(word) => Err(format!("Invalid host name '{}'", word.escape_ascii())),
        None => Ok(words),
    }
}

/// A host and a port, or `no one`.
fn replica_of(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    let [host, port] = words else { return Err("wrong number of arguments".into()) };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Vec::new());
    }
    match parse_i64(port) {
        Some(0..=65535) => Ok(join([*host, *port])),
        _ => Err("Invalid master port".into()),
    }
}

/// Percentiles between 0 and 100, shown with at most six decimals.
fn percentiles(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    let mut shown = Vec::new();
    for word in unless_empty(words) {
        let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
        let number = number.filter(|number| !number.is_nan());
        let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            let bounds = "parameters should sit between [0.0,100.0]";
            return Err(format!("latency-tracking-info-percentiles {bounds}"));
        }
        let text = format!("{number:.6}");
        shown.push(text.trim_end_matches('0').trim_end_matches('.').as_bytes().to_vec());
    }
    Ok(join(shown.iter().map(Vec::as_slice)))
}

/// One empty word empties a list.
fn unless_empty<'a, 'b>(words: &'a [&'b [u8]]) -> &'a [&'b [u8]] {
    if words == [b""] { &[] } else { words }
}

/// The letters of `notify-keyspace-events`.
fn event_classes(word: &[u8]) -> Result<Vec<u8>, String> {
    let events = Events::parse(word)
        .ok_or_else(|| format!("Invalid event class character. Use '{}'.", "Ag$lshzxeKEtmdn"))?;
    Ok(events.to_text())
}

/// How often per second. Numbers outside of the bounds become the nearest bound.
fn hz(word: &[u8]) -> Result<Vec<u8>, String> {
    let number = parse_i64(word).ok_or("argument couldn't be parsed into an integer")?;
    if !(0..=i64::from(i32::MAX)).contains(&number) {
        return Err(format!("argument must be between 0 and {} inclusive", i32::MAX));
    }
    Ok(number.clamp(HZ.0, HZ.1).to_string().into_bytes())
}

/// The bytes of `repl-backlog-size`, at least 16 KiB.
fn backlog_bytes(word: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = Kind::Memory(1, i64::MAX as u64).read(b"", &[word])?;
    Ok(if memory(&bytes) < Some(16384) { b"16384".to_vec() } else { bytes })
}

/// A file or directory name without a path.
fn base_name(name: &str, what: &str, may_be_empty: bool, word: &[u8]) -> Result<Vec<u8>, String> {
    if word.is_empty() && !may_be_empty {
        return Err(format!("{name} can't be empty"));
    }
    if word.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
        return Err(format!("{name} can't be a path, just a {what}"));
    }
    Ok(word.to_vec())
}

/// `shutdown-on-sigint` and `shutdown-on-sigterm`: what to do about saving. `default` means none of
/// the other flags. They are shown in this order.
fn shutdown_flags(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    const FLAGS: [&str; 5] = ["default", "save", "nosave", "now", "force"];
    let is_known =
        |word: &&[u8]| FLAGS.iter().any(|flag| flag.as_bytes().eq_ignore_ascii_case(word));
    if words.is_empty() || !words.iter().all(is_known) {
        return Err(must_be_one_of(&FLAGS.join(", ")));
    }
    let given = |flag: &&str| words.iter().any(|word| flag.as_bytes().eq_ignore_ascii_case(word));
    if given(&"save") && given(&"nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    match FLAGS[1..].iter().any(given) {
        true => Ok(join(FLAGS[1..].iter().filter(|flag| given(flag)).map(|flag| flag.as_bytes()))),
        false => Ok(b"default".to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::WordsReader;
    use super::*;

    fn given(read: WordsReader, words: &str) -> Result<String, String> {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let current = b"normal 1 2 3 slave 4 5 6 pubsub 7 8 9";
        read(current, &words).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn limits_change_only_the_classes_named() {
        assert_eq!(
            given(output_limits, "replica 1kb 0 10 PUBSUB 0 1k 0").unwrap(),
            "normal 1 2 3 slave 1024 0 10 pubsub 0 1000 0"
        );
        assert!(given(output_limits, "normal 1 2").unwrap_err().starts_with("Wrong number"));
        assert!(given(output_limits, "master 1 2 3").unwrap_err().contains("client class"));
        assert!(given(output_limits, "normal 1 2 -3").unwrap_err().contains("soft_seconds"));
        assert!(given(output_limits, "normal -1 2 3").unwrap_err().contains("soft_seconds"));
    }

    #[test]
    fn save_wants_pairs_and_empty_means_never() {
        assert_eq!(given(save, "900 1 60 0").as_deref(), Ok("900 1 60 0"));
        assert_eq!(given(save, "").as_deref(), Ok(""));
        for words in ["900", "0 1", "900 -1", "a 1", "900 1 "] {
            assert_eq!(given(save, words).unwrap_err(), "Invalid save parameters", "{words}");
        }
    }

    #[test]
    fn percentiles_lose_trailing_zeros() {
        assert_eq!(given(percentiles, "50 99.90 100 0").as_deref(), Ok("50 99.9 100 0"));
        assert_eq!(given(percentiles, "").as_deref(), Ok(""));
        assert!(given(percentiles, "nan").unwrap_err().starts_with("Invalid"));
        assert!(given(percentiles, "100.1").unwrap_err().contains("[0.0,100.0]"));
    }

    #[test]
    fn replicas_and_scores() {
        assert_eq!(given(replica_of, "no one").as_deref(), Ok(""));
        assert_eq!(given(replica_of, "h 6379").as_deref(), Ok("h 6379"));
        assert_eq!(given(replica_of, "h abc").unwrap_err(), "Invalid master port");
        assert!(given(oom_scores, "1 2 2001").unwrap_err().contains("between -2000 and 2000"));
        assert!(given(oom_scores, "1 2").unwrap_err().contains("wrong number"));
        assert!(given(shutdown_flags, "save nosave").unwrap_err().contains("simultaneously"));
        assert_eq!(given(shutdown_flags, "now nosave").as_deref(), Ok("nosave now"));
    }
}
