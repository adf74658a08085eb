//! Parameters with a grammar of their own: `save`, `client-output-buffer-limit`, `bind` …
//!
//! Each function takes what somebody wrote and gives the text that `CONFIG GET` shows, or the error
//! text:
//!
//! ```text
//! output_limits  "replica 1kb 0 0", on "normal … slave 4 5 6 …"  ->  "normal … slave 1024 0 0 …"
//! replica_of     "no one"                                      ->  ""
//! percentiles    "50 99.90"                                    ->  "50 99.9"
//! ```
//!
//! The counterpart in Redis are the `setConfig…Option` functions of `config.c`.

use super::kind::{Kind, Names, memory};
use crate::engine::events::Events;
use crate::format::number::parse_i64;
use crate::format::words::{join, split};

/// A class of clients in `client-output-buffer-limit`, in the order in which it is shown.
const CLIENT_CLASSES: [&[u8]; 3] = [b"normal", b"slave", b"pubsub"];
/// Addresses that `bind` takes at most, as in Redis.
const BIND_MOST: usize = 16;
/// A host name is shorter than this.
const HOST_NAME_BYTES: usize = 256;
/// How often per second background work may run at least and at most.
const HZ: (i64, i64) = (1, 500);

/// Pairs of seconds and changes. One empty word means "never".
pub fn save(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    let words = unless_empty(words);
    let at_least = |index: usize| if index.is_multiple_of(2) { 1 } else { 0 };
    let valid = |(index, word): (usize, &&[u8])| {
        parse_i64(word).is_some_and(|number| number >= at_least(index))
    };
    if !words.len().is_multiple_of(2) || !words.iter().enumerate().all(valid) {
        return Err("Invalid save parameters".into());
    }
    Ok(join(words.iter().copied()))
}

/// Groups of class, hard limit, soft limit and soft seconds. Classes not named keep their limits.
pub fn output_limits(current: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut shown: Vec<Vec<u8>> = current.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
    for group in words.chunks_exact(4) {
        let class = client_class(group[0])
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        let numbers = output_limit(&group[1..])
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        for (offset, number) in numbers.iter().enumerate() {
            shown[class * 4 + 1 + offset] = number.to_string().into_bytes();
        }
    }
    Ok(join(shown.iter().map(Vec::as_slice)))
}

fn client_class(word: &[u8]) -> Option<usize> {
    let word = if word.eq_ignore_ascii_case(b"replica") { b"slave" } else { word };
    CLIENT_CLASSES.iter().position(|class| class.eq_ignore_ascii_case(word))
}

fn output_limit(words: &[&[u8]]) -> Option<[u64; 3]> {
    let seconds = parse_i64(words.get(2)?)?;
    Some([memory(words.first()?)?, memory(words.get(1)?)?, u64::try_from(seconds).ok()?])
}

/// Three numbers between -2000 and 2000: for a primary, a replica and a background child.
pub fn oom_scores(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
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
pub fn addresses(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    if words.len() > BIND_MOST {
        return Err("Too many bind addresses specified.".into());
    }
    Ok(join(hosts(unless_empty(words))?.iter().copied()))
}

/// The same words, each of which stands for itself: no host is called nothing, or has a space, a
/// quote or a control character in its name, and in a text of several words such a name would not
/// come back as it was.
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
pub fn replica_of(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    let [host, port] = words else { return Err("wrong number of arguments".into()) };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Vec::new());
    }
    match parse_i64(port) {
        Some(0..=65535) => Ok(join([hosts(&[host])?[0], port])),
        _ => Err("Invalid master port".into()),
    }
}

/// Percentiles between 0 and 100, shown with at most six decimals.
pub fn percentiles(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
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

/// No words when there is only one and it is empty, which is how a list is emptied.
fn unless_empty<'a, 'b>(words: &'a [&'b [u8]]) -> &'a [&'b [u8]] {
    if words == [b""] { &[] } else { words }
}

/// The letters of `notify-keyspace-events`.
pub fn event_classes(word: &[u8]) -> Result<Vec<u8>, String> {
    let events = Events::parse(word)
        .ok_or_else(|| format!("Invalid event class character. Use '{}'.", "Ag$lshzxeKEtmdn"))?;
    Ok(events.to_text())
}

/// How often per second; kept within bounds rather than refused.
pub fn hz(word: &[u8]) -> Result<Vec<u8>, String> {
    let number = parse_i64(word).ok_or("argument couldn't be parsed into an integer")?;
    if !(0..=i64::from(i32::MAX)).contains(&number) {
        return Err(format!("argument must be between 0 and {} inclusive", i32::MAX));
    }
    Ok(number.clamp(HZ.0, HZ.1).to_string().into_bytes())
}

/// The bytes of `repl-backlog-size`; fewer than 16 KiB become so many.
pub fn backlog_bytes(word: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = Kind::Memory(1, i64::MAX as u64).read(b"", &[word])?;
    Ok(if memory(&bytes) < Some(16384) { b"16384".to_vec() } else { bytes })
}

/// A file name without a path; may be empty.
pub fn rdb_file_name(word: &[u8]) -> Result<Vec<u8>, String> {
    base_name("dbfilename", "filename", true, word)
}

/// A file name without a path.
pub fn aof_file_name(word: &[u8]) -> Result<Vec<u8>, String> {
    base_name("appendfilename", "filename", false, word)
}

/// A folder name without a path.
pub fn aof_folder_name(word: &[u8]) -> Result<Vec<u8>, String> {
    base_name("appenddirname", "dirname", false, word)
}

fn base_name(name: &str, what: &str, may_be_empty: bool, word: &[u8]) -> Result<Vec<u8>, String> {
    if word.is_empty() && !may_be_empty {
        return Err(format!("{name} can't be empty"));
    }
    if word.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
        return Err(format!("{name} can't be a path, just a {what}"));
    }
    Ok(word.to_vec())
}

/// A host name to tell others.
pub fn host_name(word: &[u8]) -> Result<Vec<u8>, String> {
    if word.len() >= HOST_NAME_BYTES {
        return Err(format!("Hostnames must be less than {HOST_NAME_BYTES} characters"));
    }
    if !word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into());
    }
    Ok(word.to_vec())
}

/// A process title with known variables in braces; `{{` is a brace.
pub fn title_template(word: &[u8]) -> Result<Vec<u8>, String> {
    const VARIABLES: [&[u8]; 7] = [
        b"title",
        b"listen-addr",
        b"server-mode",
        b"config-file",
        b"port",
        b"tls-port",
        b"unixsocket",
    ];
    let refused = || Err("template format is invalid or contains unknown variables".to_string());
    let mut rest = word;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix(b"{") {
            rest = after;
            continue;
        }
        let Some(close) = rest.iter().position(|byte| *byte == b'}') else { return refused() };
        if !VARIABLES.contains(&&rest[..close]) {
            return refused();
        }
        rest = &rest[close + 1..];
    }
    if word.iter().all(|byte| *byte == b' ') { refused() } else { Ok(word.to_vec()) }
}

/// `no`, because memory here is laid out in slabs that nothing needs to defragment.
pub fn never_defragments(word: &[u8]) -> Result<Vec<u8>, String> {
    off(word, "Active defragmentation cannot be enabled: the slabs of this server do without it")
}

/// `no`, because there is no TLS in this server.
pub fn never_tls(word: &[u8]) -> Result<Vec<u8>, String> {
    off(word, "Unable to update TLS configuration: this server has no TLS")
}

fn off(word: &[u8], reason: &str) -> Result<Vec<u8>, String> {
    if word.eq_ignore_ascii_case(b"yes") {
        return Err(reason.into());
    }
    Kind::Bool.read(b"", &[word])
}

/// Port 0, because there is no TLS in this server.
pub fn no_tls_port(word: &[u8]) -> Result<Vec<u8>, String> {
    match parse_i64(word) {
        Some(0) => Ok(b"0".to_vec()),
        Some(_) => Err("Unable to update TLS configuration: this server has no TLS".into()),
        None => Err("argument couldn't be parsed into an integer".into()),
    }
}

/// `shutdown-on-sigint` and `shutdown-on-sigterm`: what to do about saving.
pub fn shutdown_flags(_: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    const FLAGS: Names = &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4), ("force", 8)];
    let shown = Kind::AnyOf(FLAGS).read(b"", words)?;
    let given = |name: &[u8]| shown.split(|byte| *byte == b' ').any(|word| word == name);
    if given(b"save") && given(b"nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    Ok(shown)
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
    fn templates_know_their_variables() {
        for good in ["{title} {listen-addr} {server-mode}", "x", "{{", "--my--title--template"] {
            assert!(title_template(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["", " ", "{", "{title", "{nothing}", "a {"] {
            assert!(title_template(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_this_server_lacks_stays_off() {
        assert_eq!(never_tls(b"NO"), Ok(b"no".to_vec()));
        assert!(never_tls(b"yes").unwrap_err().contains("no TLS"));
        assert!(no_tls_port(b"6380").unwrap_err().contains("no TLS"));
        assert!(never_defragments(b"yes").unwrap_err().contains("defragmentation"));
        assert!(never_defragments(b"perhaps").unwrap_err().contains("'yes' or 'no'"));
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
