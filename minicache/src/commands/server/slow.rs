//! What took long: `SLOWLOG` (`slowlog.c`) and `LATENCY` (`latency.c`).

use super::{Call, catalogue, shown};
use crate::commands::Command;
use crate::commands::latency::{Distribution, Moments};
use crate::engine::error::{Answer, Error};
use crate::format::number::parse_i64;

/// `SLOWLOG GET [count]`
pub fn slowlog_get(c: &mut Call) -> Answer {
    if c.args.len() > 3 {
        return Err(c.wrong_subcommand());
    }
    let count = match c.args.get(2).map(parse_i64) {
        None => 10,
        Some(Some(-1)) => usize::MAX,
        Some(Some(count)) if count >= 0 => count as usize,
        Some(_) => {
            return Err(Error::new("ERR count should be greater than or equal to -1"));
        }
    };
    let entries = c.cache.stats.slow_log.latest(count);
    c.out.array(entries.len());
    for entry in entries {
        c.out.array(6);
        c.out.int(entry.id as i64);
        c.out.int(entry.at);
        c.out.int(entry.took_us as i64);
        c.out.array(entry.args.len());
        entry.args.iter().for_each(|argument| c.out.bulk(argument));
        c.out.text(&entry.address);
        c.out.bulk(&entry.name);
    }
    Ok(())
}

pub fn slowlog_len(c: &mut Call) -> Answer {
    c.out.answer_count(c.cache.stats.slow_log.len())
}

pub fn slowlog_reset(c: &mut Call) -> Answer {
    c.cache.stats.slow_log.clear();
    c.out.answer_ok()
}

pub fn latency_doctor(c: &mut Call) -> Answer {
    let events = c.cache.stats.latency.all();
    let threshold_ms = c.settings.latency_monitor_threshold;
    let mut report = match (threshold_ms, events.is_empty()) {
        (0, _) => "Nothing is recorded: latency-monitor-threshold is 0 milliseconds.\n".into(),
        (_, true) => format!("Nothing took {threshold_ms} ms or longer.\n"),
        (_, false) => format!("These took {threshold_ms} ms or longer:\n"),
    };
    for (event, moments) in &events {
        let (times, longest_ms) = (moments.latest.len(), moments.longest_ms);
        report += &format!("{event}: in {times} seconds, {longest_ms} ms at worst.\n");
    }
    c.out.verbatim(&report);
    Ok(())
}

/// `LATENCY GRAPH event`
pub fn latency_graph(c: &mut Call) -> Answer {
    let event = shown(c.arg(2), 128);
    let Some(moments) = c.cache.stats.latency.of(c.arg(2)) else {
        return Err(Error::text(format!("ERR No samples available for event '{event}'")));
    };
    c.out.verbatim(&graph(&event, &moments, c.keyspace.now.ms / 1000));
    Ok(())
}

/// A bar for each moment, the oldest first. Redis draws the same numbers upright.
fn graph(event: &str, moments: &Moments, now_s: i64) -> String {
    const WIDTH: u64 = 60;
    let took = || moments.latest.iter().map(|(_, took_ms)| *took_ms);
    let (high, low) = (took().max().unwrap_or(0), took().min().unwrap_or(0));
    let longest = moments.longest_ms;
    let mut text = format!("{event} - high {high} ms, low {low} ms (all time high {longest} ms)\n");
    text += &("-".repeat(80) + "\n");
    for (at_s, took_ms) in &moments.latest {
        let bar = "#".repeat((took_ms * WIDTH / high.max(1)).max(1) as usize);
        text += &format!("{:>8}s ago {bar} {took_ms}\n", now_s - at_s);
    }
    text
}

/// `LATENCY HISTORY event`
pub fn latency_history(c: &mut Call) -> Answer {
    let moments = c.cache.stats.latency.of(c.arg(2)).unwrap_or_default();
    c.out.array(moments.latest.len());
    for (at_s, took_ms) in moments.latest {
        c.out.array(2);
        c.out.int(at_s);
        c.out.int(took_ms as i64);
    }
    Ok(())
}

pub fn latency_latest(c: &mut Call) -> Answer {
    let events = c.cache.stats.latency.all();
    c.out.array(events.len());
    for (event, moments) in events {
        let (at_s, took_ms) = moments.latest.back().copied().unwrap_or_default();
        c.out.array(4);
        c.out.text(event);
        c.out.int(at_s);
        c.out.int(took_ms as i64);
        c.out.int(moments.longest_ms as i64);
    }
    Ok(())
}

/// `LATENCY RESET [event …]`
pub fn latency_reset(c: &mut Call) -> Answer {
    let events: Vec<&[u8]> = c.args.from(2).iter().collect();
    c.out.answer_count(c.cache.stats.latency.reset(&events))
}

/// `LATENCY HISTOGRAM [command …]`: of quick commands a sample is timed, and the numbers are those
/// of all calls in proportion.
pub fn latency_histogram(c: &mut Call) -> Answer {
    let rows: Vec<&Command> = match c.args.len() {
        2 => catalogue::COMMANDS.iter().collect(),
        _ => c.args.from(2).iter().filter_map(catalogue::find_any).flat_map(with_parts).collect(),
    };
    let found: Vec<(&str, u64, Distribution)> = rows
        .into_iter()
        .map(|row| {
            (row.name, c.cache.stats.of_command(row.id(), |it| &it.calls), latencies(c, row))
        })
        .filter(|(_, calls, distribution)| *calls > 0 && !distribution.is_empty())
        .collect();
    c.out.map(found.len());
    for (name, calls, distribution) in found {
        let buckets = distribution.cumulative(calls);
        c.out.text(name);
        c.out.map(2);
        c.out.text("calls");
        c.out.int(calls as i64);
        c.out.text("histogram_usec");
        c.out.map(buckets.len());
        for (us, count) in buckets {
            c.out.int(us as i64);
            c.out.int(count as i64);
        }
    }
    Ok(())
}

/// A command; of a container, its subcommands.
fn with_parts(row: &'static Command) -> impl Iterator<Item = &'static Command> {
    let parts = row.subcommands();
    let itself = parts.is_empty().then_some(row);
    itself.into_iter().chain(parts)
}

/// How long calls of a command took, on all cores.
pub(super) fn latencies(c: &Call, row: &Command) -> Distribution {
    Distribution::of(c.cache.stats.counters.iter().map(|core| &core.of(row.id()).latency))
}
