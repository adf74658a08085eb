//! What took long: `SLOWLOG` (`slowlog.c`) and `LATENCY` (`latency.c`).

use super::Call;
use crate::commands::Command;
use crate::commands::latency::Distribution;
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

/// How long calls of a command took, on all cores.
pub(super) fn latencies(c: &Call, row: &Command) -> Distribution {
    Distribution::of(c.cache.stats.counters.iter().map(|core| &core.of(row.id()).latency))
}
