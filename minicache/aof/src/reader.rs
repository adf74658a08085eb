//! Reads the commands of a file (`loadSingleAppendOnlyFile` in `aof.c`).
//!
//! ```text
//! *3 $3 SET $1 a $1 1       passed to `apply`
//! *1 $5 MULTI               passed to `apply`, which queues commands until EXEC
//! *2 $4 INCR $1 a
//! *1 $4 EX                  the file ends here: everything from MULTI on is cut off
//! ```
//!
//! Commands after `MULTI` are passed on one by one, like those of a client, so a damaged `EXEC` is
//! an error. Otherwise everything after it would be taken for an unfinished transaction.
//!
//! A crash leaves a command that is cut off at the end, possibly followed by zeros from the file
//! system. Anything else that is not a command is damage: an error with its offset.

use minikit::storage::DiskFile;
use std::ops::Range;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;
/// The most arguments of a command, and the most bytes of an argument.
const LENGTH_MAX: usize = 1 << 31;
/// The start of an RDB snapshot.
const RDB: &[u8] = b"REDIS";

/// The ends of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// The end of the last complete command or transaction.
    pub end: u64,
    /// The end of the file.
    pub len: u64,
}

/// The ranges of a command's arguments, and its length; `None` if it is cut off.
type Found = Option<(Vec<Range<usize>>, usize)>;

/// Passes the commands of a file to `apply`, which must execute transactions at `EXEC`.
///
/// # Errors
/// The offset of a damaged command, or of one that `apply` refuses, and the reason.
pub fn read(
    file: &dyn DiskFile,
    mut apply: impl FnMut(&[&[u8]]) -> Result<(), String>,
) -> Result<Read, String> {
    let len = file.len().map_err(|error| error.to_string())?;
    // The bytes in memory, the offset of the first of them, and how many of them are done.
    let (mut bytes, mut offset, mut done) = (Vec::new(), 0, 0);
    // The offset of MULTI, until EXEC.
    let mut open = None;
    loop {
        let (at, rest) = (offset + done as u64, &bytes[done..]);
        let failed = |why: String| format!("byte {at}: {why}");
        match find(rest) {
            Ok(Some((places, length))) => {
                let args: Vec<&[u8]> = places.into_iter().map(|place| &rest[place]).collect();
                let is = |word: &[u8]| args.len() == 1 && args[0].eq_ignore_ascii_case(word);
                if is(b"multi") || is(b"exec") {
                    open = is(b"multi").then_some(at);
                }
                if !args.is_empty() {
                    apply(&args).map_err(failed)?;
                }
                done += length;
                continue;
            }
            Ok(None) => {}
            Err(_) if is_blank_after_cut(file, at, len) => {
                return Ok(Read { end: open.unwrap_or(at), len });
            }
            Err(why) => return Err(failed(why.to_string())),
        }

        // Double the buffer, so that a long command is not parsed too often.
        bytes.drain(..done);
        (offset, done) = (at, 0);
        let held = bytes.len();
        bytes.resize(held + CHUNK.max(held), 0);
        let read = file.read_at(&mut bytes[held..], offset + held as u64);
        let read = read.map_err(|error| error.to_string())?;
        bytes.truncate(held + read);
        if read == 0 {
            return Ok(Read { end: open.unwrap_or(at), len });
        }
    }
}

/// Finds the command at the start of some bytes. A line that begins with `#` is a comment, which
/// counts as a command without arguments.
fn find(bytes: &[u8]) -> Result<Found, &'static str> {
    match bytes.first() {
        Some(b'*') => {}
        Some(b'#') => {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            return Ok(end.map(|end| (Vec::new(), end + 1)));
        }
        _ if RDB.starts_with(bytes) && bytes != RDB => return Ok(None),
        _ if bytes.starts_with(RDB) => {
            return Err("an RDB snapshot, which cannot be loaded here: let Redis write commands \
                        (CONFIG SET aof-use-rdb-preamble no, then BGREWRITEAOF)");
        }
        _ => return Err("not the start of a command"),
    }
    let Some((count, mut at)) = number(bytes, 0, b'*')? else { return Ok(None) };
    if count == 0 {
        return Err("a command without arguments");
    }
    let mut places = Vec::new();
    for _ in 0..count {
        let Some((length, start)) = number(bytes, at, b'$')? else { return Ok(None) };
        match bytes.get(start + length..start + length + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err("a damaged command"),
            None => return Ok(None),
        }
        places.push(start..start + length);
        at = start + length + 2;
    }
    Ok(Some((places, at)))
}

/// Reads the number in the line at `at`, which begins with `mark`, and the offset after the line.
fn number(bytes: &[u8], at: usize, mark: u8) -> Result<Option<(usize, usize)>, &'static str> {
    let line = &bytes[at..];
    if line.first().is_some_and(|byte| *byte != mark) {
        return Err("a damaged command");
    }
    let digits = line.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    match line.get(1 + digits..3 + digits) {
        _ if digits > 10 => Err("a damaged command"),
        None if matches!(line.get(1 + digits..), None | Some([] | [b'\r'])) => Ok(None),
        Some(b"\r\n") => {
            let text = str::from_utf8(&line[1..1 + digits]).unwrap_or_default();
            let number = text.parse().ok().filter(|number| *number <= LENGTH_MAX);
            number.map(|number| Some((number, at + digits + 3))).ok_or("a damaged command")
        }
        _ => Err("a damaged command"),
    }
}

/// Returns true if the rest of a file is the start of a command followed by zeros: the file system
/// had extended the file, but not written the data, before the crash.
fn is_blank_after_cut(file: &dyn DiskFile, at: u64, len: u64) -> bool {
    let mut rest = vec![0; usize::try_from(len - at).unwrap_or(0).min(CHUNK)];
    if (rest.len() as u64) < len - at || file.read_exact_at(&mut rest, at).is_err() {
        return false;
    }
    let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    written < rest.len() && matches!(find(&rest[..written]), Ok(None))
}
