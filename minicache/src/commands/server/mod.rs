//! The server itself: what it is, how it is doing, and how it is set (`server.c`, `config.c`,
//! `debug.c`).
//!
//! * [`info`][]: `INFO`, section by section.
//! * [`config`][]: `CONFIG`.
//! * [`introspect`][]: `COMMAND`, out of the command table.
//! * [`memory`][]: `MEMORY`.
//! * [`debug`][]: `DEBUG`.
//! * [`absent`]: users, scripts, modules, replication: what harnesses ask of it all the same.
//!
//! Some answers are given for the sake of clients that ask: there is nothing to save. Each says so
//! in its row of the table.

mod absent;
mod config;
mod debug;
mod info;
mod introspect;
mod keyspace;
mod memory;
mod slow;

pub use super::advise::cache_advise;
pub use absent::replicaof as slaveof;
pub use absent::*;
pub use absent::{cluster as asking, cluster as readonly, cluster as readwrite};
pub use config::*;
pub use debug::debug;
pub use info::info;
pub use introspect::*;
pub use keyspace::*;
pub use memory::*;
pub use slow::*;

use super::{Call, Mode, catalogue, catalogue::spec::Command, shown};
use crate::engine::error::{Answer, Error};
use std::sync::atomic::Ordering;

/// A container command without its subcommand.
pub fn container(c: &mut Call) -> Answer {
    Err(Error::arity(c.command.name))
}

pub fn help(c: &mut Call) -> Answer {
    let name = c.command.name.split('|').next().unwrap_or_default();
    let container = catalogue::find(name.as_bytes()).map_or(&[][..], Command::subcommands);
    let others = container.iter().filter(|row| row.own_name() != "help");
    let usage = |row: &Command| format!("{} {}", row.own_name().to_uppercase(), row.docs().usage);
    help_lines(c, others.map(|row| (usage(row), row.docs().summary)));
    Ok(())
}

/// Usages and what they are for, between the lines that every `HELP` has.
fn help_lines<'a>(c: &mut Call, usages: impl Iterator<Item = (String, &'a str)>) {
    let name = shown(c.arg(0), 128).to_ascii_uppercase();
    let mut lines =
        vec![format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    for (usage, text) in usages {
        lines.extend([usage.trim_end().to_string(), format!("    {text}")]);
    }
    lines.extend(["HELP".to_string(), "    Prints this help.".to_string()]);
    c.out.array(lines.len());
    lines.iter().for_each(|line| c.out.simple(line));
}

pub fn time(c: &mut Call) -> Answer {
    let now = c.keyspace.now;
    c.out.array(2);
    c.out.bulk_int(now.ms / 1000);
    c.out.bulk_int((now.ms % 1000) * 1000 + i64::from(now.us));
    Ok(())
}

pub fn role(c: &mut Call) -> Answer {
    c.out.array(3);
    c.out.text("master");
    c.out.int(0);
    c.out.answer_empty()
}

pub fn lastsave(c: &mut Call) -> Answer {
    c.out.answer_int(c.cache.stats.last_save_s())
}

pub fn save(c: &mut Call) -> Answer {
    c.cache.stats.saves.count.fetch_add(1, Ordering::Relaxed);
    c.cache.stats.note_save(c.keyspace.now.ms);
    c.out.answer_ok()
}

/// `BGSAVE [SCHEDULE]`
pub fn bgsave(c: &mut Call) -> Answer {
    if c.args.len() > 2 || (c.args.len() == 2 && !c.is(1, "schedule")) {
        return Err(Error::SYNTAX);
    }
    c.cache.stats.saves.count.fetch_add(1, Ordering::Relaxed);
    c.cache.stats.note_save(c.keyspace.now.ms);
    c.out.simple("Background saving started");
    Ok(())
}

pub fn bgrewriteaof(c: &mut Call) -> Answer {
    let log = &c.cache.shards.log;
    if log.is_on() && log.rewriting.swap(true, Ordering::Relaxed) {
        return Err(Error::new("ERR Background append only file rewriting already in progress"));
    }
    c.out.simple("Background append only file rewriting started");
    Ok(())
}

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
pub fn shutdown(c: &mut Call) -> Answer {
    let options = ["nosave", "save", "now", "force", "abort"];
    let given = options.map(|option| (1..c.args.len()).any(|at| c.is(at, option)));
    let known = |at: usize| options.iter().any(|option| c.is(at, option));
    let [nosave, save, now, force, abort] = given;
    if !(1..c.args.len()).all(known) || nosave && save || abort && (nosave || save || now || force)
    {
        return Err(Error::SYNTAX);
    }
    if abort {
        return Err(Error::new("ERR No shutdown in progress."));
    }
    // A script that is not done may have written half of what it will.
    if c.cache.shards.is_busy() && !nosave {
        return Err(Error::BUSY);
    }
    c.cache.stop.store(true, Ordering::Relaxed);
    c.session.closing = true;
    Ok(())
}

pub fn monitor(c: &mut Call) -> Answer {
    if c.mode == Mode::Transaction {
        return Err(Error::new("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // A client that monitors already gets no second reply.
    if std::mem::replace(&mut c.session.monitor, true) {
        return Ok(());
    }
    c.cache.registry.monitors.add(&c.session.client);
    c.out.answer_ok()
}

#[cfg(test)]
mod tests;
