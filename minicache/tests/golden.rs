//! Golden scripts: what `minicache explain` and `minicache cli` print, recorded.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minicache --test golden` records anew; read `git diff` before you
//! believe it. The lines of a script are those of a shell, without `minicache` in front.
#![cfg(feature = "server")]

use clap::Parser;
use minicache::cli::assist;
use minicache::engine::timestamp::Timestamp;
use minicache::explain::{ExplainArgs, explain};
use minicache::format::words::split;
use minicache::wire::frame::Frame;
use minicache::wire::print::{Style, print};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// 2026-11-22T16:43:00.123Z, always.
const NOW: Timestamp = Timestamp { ms: 1_795_365_780_123, us: 0 };

fn scripts(name: &str) -> String {
    format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The words of a line, quoted as in a shell.
fn words(line: &str) -> Vec<OsString> {
    let words = split(line.as_bytes()).expect("quotes are closed");
    words.into_iter().map(OsString::from_vec).collect()
}

#[derive(Parser)]
enum Line {
    #[command(subcommand)]
    Explain(ExplainArgs),
}

#[test]
fn explained() {
    minikit::golden::run_dir(scripts("explain"), |_| {
        |line: &str| {
            let program = OsString::from("minicache");
            let Line::Explain(args) =
                Line::try_parse_from([program].into_iter().chain(words(line))).expect("a command");
            explain(args, NOW).unwrap_or_else(|error| format!("error: {error}\n"))
        }
    });
}

#[test]
fn shown_by_the_cli() {
    minikit::golden::run_dir(scripts("cli"), |_| shown);
}

/// `standard BYTES` and `raw BYTES` print replies, `complete` asks the table.
fn shown(line: &str) -> String {
    let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
    match what {
        "standard" => printed(rest, Style::Standard),
        "raw" => printed(rest, Style::Raw),
        "complete" => assist::completions(rest).join("\n"),
        _ => panic!("no such command: {what}"),
    }
}

fn printed(bytes: &str, style: Style) -> String {
    let quoted = format!("\"{bytes}\"");
    let bytes = split(quoted.as_bytes()).expect("quotes are escaped").concat();
    let (reply, _) = Frame::split_first(&bytes).expect("a reply");
    String::from_utf8(print(&reply, style)).expect("scripts hold text")
}
