//! What took long: `SLOWLOG` (`slowlog.c`), and `LATENCY`, which answers that nothing was recorded.

use super::{Call, shown, table};
use crate::engine::error::{Answer, Error};
use crate::format::number::parse_i64;
use std::sync::atomic::Ordering;

/// `SLOWLOG GET [count]`
pub fn slowlog_get(c: &mut Call) -> Answer {
    let count = match c.args.get(2).map(parse_i64) {
        None => 10,
        Some(Some(-1)) => usize::MAX,
        Some(Some(count)) if count >= 0 => count as usize,
        Some(_) => {
            return Err(Error::new("ERR count should be greater than or equal to -1"));
        }
    };
    let entries = c.store.cache.slow_log.latest(count);
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

/// `SLOWLOG LEN`
pub fn slowlog_len(c: &mut Call) -> Answer {
    c.out.count(c.store.cache.slow_log.len());
    Ok(())
}

/// `SLOWLOG RESET`
pub fn slowlog_reset(c: &mut Call) -> Answer {
    c.store.cache.slow_log.clear();
    c.out.ok();
    Ok(())
}

/// `LATENCY DOCTOR`
pub fn latency_doctor(c: &mut Call) -> Answer {
    c.out.verbatim(
        "Latency events are not recorded here. Look at SLOWLOG and at INFO commandstats.\n",
    );
    Ok(())
}

/// `LATENCY GRAPH event`
pub fn latency_graph(c: &mut Call) -> Answer {
    let event = shown(c.arg(2), 128);
    Err(Error::text(format!("ERR No samples available for event '{event}'")))
}

/// `LATENCY HISTORY event`
pub fn latency_history(c: &mut Call) -> Answer {
    c.out.array(0);
    Ok(())
}

/// `LATENCY LATEST`
pub fn latency_latest(c: &mut Call) -> Answer {
    c.out.array(0);
    Ok(())
}

/// `LATENCY RESET [event …]`
pub fn latency_reset(c: &mut Call) -> Answer {
    c.out.int(0);
    Ok(())
}

/// `LATENCY HISTOGRAM [command …]`: calls without buckets, for no latency distribution is kept.
pub fn latency_histogram(c: &mut Call) -> Answer {
    let wanted = |name: &str| {
        c.args.len() == 2
            || c.args.from(2).iter().any(|arg| arg.eq_ignore_ascii_case(name.as_bytes()))
    };
    let calls = |id: usize| -> u64 {
        c.store.cache.counters.iter().map(|core| core.of(id).calls.load(Ordering::Relaxed)).sum()
    };
    let rows = table::COMMANDS.iter().filter(|row| wanted(row.name) && calls(row.id()) > 0);
    let rows: Vec<(&str, u64)> = rows.map(|row| (row.name, calls(row.id()))).collect();
    c.out.map(rows.len());
    for (name, calls) in rows {
        c.out.text(name);
        c.out.map(2);
        c.out.text("calls");
        c.out.int(calls as i64);
        c.out.text("histogram_usec");
        c.out.map(0);
    }
    Ok(())
}
