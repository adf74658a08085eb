//! Golden scripts: a test, a transcript and a figure in one file.
//!
//! A script is prose, commands, and the answers of the commands when they were last reviewed:
//!
//! ```text
//! # A key is gone as soon as its time is over, even before the expiry cycle has removed it.
//! SET ticket 1 PX 100
//! TTL ticket
//! ---
//! OK
//! (integer) 0
//! ```
//!
//! Lines that begin with `#` are prose. A block is one or more commands, then `---`, then their
//! answers one after another, then an empty line or the end of the file. An empty line *within* an
//! answer is recorded as `¶`, since an empty line ends the block.
//!
//! A run replays the script: prose and commands are copied, the commands run again. If the copy
//! differs from the file, the test fails with the difference. With `UPDATE_GOLDEN=1` in the
//! environment the copy replaces the file; review `git diff`. New scripts are written the same way:
//! commands without `---` get it with their answers.
//!
//! ```no_run
//! // Every file of the directory is a script; each gets an engine of its own.
//! minikit::golden::run_dir("tests/scripts", |_script| {
//!     let mut sum = 0;
//!     move |command: &str| {
//!         sum += command.parse::<i64>().expect("scripts of this engine hold numbers");
//!         sum.to_string()
//!     }
//! });
//! ```
//!
//! The idea is CockroachDB's `datadriven` and toydb's `goldenscript`. The crate `goldenscript` 0.8
//! does not fit: it parses commands by a grammar of its own (`name arg key=value`, quoting, `!`
//! and `>` prefixes), and our lines are shell commands, SQL, raw protocol bytes and configuration.
//! Replaying lines verbatim takes sixty lines; the difference is drawn by `similar`. Redis tests in
//! TCL (`tests/unit`), where the expected answer is part of the code.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use similar::TextDiff;

/// What separates commands from answers.
const SEPARATOR: &str = "---";
/// How an empty line of an answer is recorded.
const EMPTY: &str = "¶";

/// Replays every script in the directory `path`, in the order of their names. `runner` receives a
/// script's name (its file name without extension) and returns a closure that runs one command: a
/// line in, an answer out.
///
/// # Panics
/// If answers differ from those recorded: after all scripts have run, with all differences. If a
/// file cannot be read or written, or the directory holds no script.
pub fn run_dir<R: FnMut(&str) -> String>(
    path: impl AsRef<Path>,
    mut runner: impl FnMut(&str) -> R,
) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let path = path.as_ref();
    let scripts = scripts(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!scripts.is_empty(), "no script in {}", path.display());
    let differences = scripts.iter().filter_map(|script| {
        let name = script.file_stem().unwrap_or_default().to_string_lossy();
        run_file(script, update, runner(&name))
            .unwrap_or_else(|error| panic!("{}: {error}", script.display()))
    });
    let differences = differences.collect::<String>();
    let hint = "`UPDATE_GOLDEN=1` with the same command records the new answers";
    assert!(differences.is_empty(), "\n{differences}\n{hint}\n");
}

fn scripts(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type()?.is_file() && !hidden {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Replays one file. Returns the difference, unless there is none or `update` records it.
fn run_file(
    file: &Path,
    update: bool,
    run: impl FnMut(&str) -> String,
) -> io::Result<Option<String>> {
    let recorded = fs::read_to_string(file)?;
    let actual = replay(&recorded, run);
    if recorded == actual {
        return Ok(None);
    }
    if update {
        fs::write(file, actual)?;
        return Ok(None);
    }
    let name = file.display().to_string();
    let difference = TextDiff::from_lines(&recorded, &actual);
    Ok(Some(difference.unified_diff().context_radius(3).header(&name, "this run").to_string()))
}

/// The script with the answers of this run.
fn replay(script: &str, mut run: impl FnMut(&str) -> String) -> String {
    let mut copy = String::new();
    let mut answers: Option<String> = None;
    let mut past_separator = false;
    for line in script.lines() {
        match line {
            "" => {
                record(&mut copy, answers.take());
                past_separator = false;
            }
            SEPARATOR => past_separator = true,
            _ if past_separator => continue,
            prose if prose.starts_with('#') => {}
            command => answers.get_or_insert_default().push_str(&answer(&run(command))),
        }
        if !past_separator {
            copy.push_str(line);
            copy.push('\n');
        }
    }
    record(&mut copy, answers);
    copy
}

/// Ends a block.
fn record(copy: &mut String, answers: Option<String>) {
    if let Some(answers) = answers {
        copy.push_str(SEPARATOR);
        copy.push('\n');
        copy.push_str(&answers);
    }
}

/// An answer as whole lines, none of them empty. An empty answer has no lines.
fn answer(text: &str) -> String {
    text.lines().flat_map(|line| [if line.is_empty() { EMPTY } else { line }, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers `add N` with the sum so far, `lines` with three lines, `quiet` with nothing.
    fn adder() -> impl FnMut(&str) -> String {
        let mut sum = 0;
        move |command| match command.split_once(' ') {
            Some(("add", number)) => {
                sum += number.parse::<i32>().expect("a number");
                sum.to_string()
            }
            None if command == "lines" => "one\n\nthree\n".to_owned(),
            None if command == "quiet" => String::new(),
            _ => format!("unknown: {command}"),
        }
    }

    const SCRIPT: &str = "\
# Prose, and an empty line after it.

# The state lasts from block to block.
add 1
add 2
---
1
3

add 4
---
7

lines
quiet
---
one
¶
three
";

    #[test]
    fn a_true_script_replays_to_itself() {
        assert_eq!(replay(SCRIPT, adder()), SCRIPT);
    }

    #[test]
    fn commands_alone_get_their_answers() {
        let commands = "add 1\nadd 2\n\n\n# more\nadd 4\n";
        let full = "add 1\nadd 2\n---\n1\n3\n\n\n# more\nadd 4\n---\n7\n";
        assert_eq!(replay(commands, adder()), full);
    }

    #[test]
    fn a_silent_command_replays_to_itself_as_well() {
        let script = "quiet\n---\n\nadd 1\n---\n1\n";
        assert_eq!(replay(script, adder()), script);
    }

    /// A scratch directory with one script, removed afterwards.
    fn with_script(name: &str, text: &str, test: impl FnOnce(&Path, &Path)) {
        let directory = std::env::temp_dir().join(format!("minikit-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        let file = directory.join("sums");
        fs::write(&file, text).expect("just made");
        test(&directory, &file);
        fs::remove_dir_all(&directory).expect("ours");
    }

    #[test]
    fn a_false_answer_is_shown_with_its_place() {
        with_script("golden-false", "add 1\nadd 2\n---\n1\n4\n", |_, file| {
            let difference = run_file(file, false, adder()).expect("readable").expect("different");
            let name = format!("--- {}\n", file.display());
            assert!(difference.starts_with(&name), "{difference}");
            assert!(difference.contains("-4\n+3\n"), "{difference}");
            let untouched = fs::read_to_string(file).expect("still there");
            assert_eq!(untouched, "add 1\nadd 2\n---\n1\n4\n");
        });
    }

    #[test]
    fn an_update_rewrites_and_is_then_true() {
        with_script("golden-update", "add 1\n---\nwrong\n", |_, file| {
            assert_eq!(run_file(file, true, adder()).expect("writable"), None);
            assert_eq!(fs::read_to_string(file).expect("still there"), "add 1\n---\n1\n");
            assert_eq!(run_file(file, false, adder()).expect("readable"), None);
        });
    }

    #[test]
    fn a_directory_is_run_by_name() {
        with_script("golden-dir", "add 1\n---\n1\n", |directory, _| {
            let mut names = Vec::new();
            run_dir(directory, |name| {
                names.push(name.to_owned());
                adder()
            });
            assert_eq!(names, ["sums"]);
        });
    }

    #[test]
    #[should_panic(expected = "no script in")]
    fn an_empty_directory_tests_nothing_and_fails() {
        let directory = std::env::temp_dir().join("minikit-no-scripts");
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        run_dir(directory, |_| adder());
    }
}
