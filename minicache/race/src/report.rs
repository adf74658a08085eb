//! Reports results as a table, as JSON, and as a page with curves.
//!
//! ```text
//! policy                 1000    10000
//! allkeys-sieve         60.16    78.05
//! ```
//!
//! The page is one file without scripts: one SVG per trace, with the cache size on a logarithmic
//! axis, a line per policy, and the optimum dashed.

use super::{Lane, Race};
use std::fmt::Write;

/// Returns a text table per trace.
pub fn table(races: &[Race]) -> String {
    let mut out = String::new();
    for race in races {
        let _ = writeln!(
            out,
            "{}: {} requests of {} keys; hit ratio in percent by cache size in keys",
            race.trace, race.requests, race.keys
        );
        let sizes: String = race.sizes.iter().map(|size| format!("{size:>9}")).collect();
        let _ = writeln!(out, "{:<18}{sizes}", "policy");
        for lane in &race.lanes {
            let ratios = race.hit_ratios(lane);
            let ratios: String = ratios.map(|ratio| format!("{:>9.2}", ratio * 100.0)).collect();
            let _ = writeln!(out, "{:<18}{ratios}", lane.policy);
        }
        out.push('\n');
    }
    out
}

/// Returns a JSON array of races with miss counts.
pub fn json(races: &[Race]) -> String {
    let races: Vec<String> = races.iter().map(json_race).collect();
    format!("[\n{}\n]\n", races.join(",\n"))
}

fn json_race(race: &Race) -> String {
    let lane = |lane: &Lane| {
        format!("    {{\"policy\": {:?}, \"misses\": {:?}}}", lane.policy, lane.misses)
    };
    let lanes: Vec<String> = race.lanes.iter().map(lane).collect();
    format!(
        "  {{\"trace\": {}, \"requests\": {}, \"keys\": {}, \"sizes\": {:?},\n   \
         \"policies\": [\n{}\n  ]}}",
        quoted(&race.trace),
        race.requests,
        race.keys,
        race.sizes,
        lanes.join(",\n")
    )
}

fn quoted(text: &str) -> String {
    let escape = |char: char| match char {
        '"' | '\\' => format!("\\{char}"),
        char if (char as u32) < 0x20 => format!("\\u{:04x}", char as u32),
        char => char.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 44.0;
/// The colors of the lines, in order.
const COLORS: [&str; 9] = [
    "#9e9e9e", "#bcaaa4", "#607d8b", "#1e88e5", "#00897b", "#e53935", "#8e24aa", "#fb8c00", "#000",
];

/// Returns an HTML page with the curves.
pub fn page(races: &[Race]) -> String {
    let charts: String = races.iter().map(chart).collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>minicache race</title>\n\
         <style>body{{font:14px sans-serif;margin:2em}}text{{font:11px sans-serif}}</style>\n\
         <h1>Hit ratio by cache size</h1>\n{charts}"
    )
}

fn chart(race: &Race) -> String {
    let title = race.trace.replace('&', "&amp;").replace('<', "&lt;");
    let mut out = format!(
        "<h2>{title}: {} requests of {} keys</h2>\n<svg width={} height={} role=img>\n",
        race.requests,
        race.keys,
        WIDTH + 140.0,
        HEIGHT
    );
    for percent in (0..=100).step_by(20) {
        let y = y(f64::from(percent) / 100.0);
        let _ = writeln!(out, "<path d='M{MARGIN} {y}H{WIDTH}' stroke='#ddd'/>");
        let _ = writeln!(out, "<text x=4 y={y}>{percent} %</text>");
    }
    for size in &race.sizes {
        let (x, y) = (race.x(*size), HEIGHT - MARGIN / 3.0);
        let _ = writeln!(out, "<text x={x} y={y} text-anchor=middle>{size}</text>");
    }
    for (index, lane) in race.lanes.iter().enumerate() {
        let points = race.sizes.iter().zip(race.hit_ratios(lane));
        let points: Vec<String> =
            points.map(|(size, ratio)| format!("{:.1},{:.1}", race.x(*size), y(ratio))).collect();
        let color = COLORS[index % COLORS.len()];
        let dashes = if lane.policy == "belady" { " stroke-dasharray='5 4'" } else { "" };
        let points = points.join(" ");
        let _ = writeln!(
            out,
            "<polyline points='{points}' fill=none stroke='{color}' stroke-width=2{dashes}/>"
        );
        let (x, y) = (WIDTH + 12.0, MARGIN + 18.0 * index as f64);
        let _ = writeln!(out, "<text x={x} y={y} fill='{color}'>{}</text>", lane.policy);
    }
    out + "</svg>\n"
}

fn y(ratio: f64) -> f64 {
    HEIGHT - MARGIN - ratio * (HEIGHT - 2.0 * MARGIN)
}

impl Race {
    fn hit_ratios(&self, lane: &Lane) -> impl Iterator<Item = f64> {
        let requests = self.requests as f64;
        lane.misses.iter().map(move |misses| 1.0 - *misses as f64 / requests)
    }

    /// Returns the position of a cache size on the logarithmic axis.
    fn x(&self, size: usize) -> f64 {
        let log = |size: &usize| (*size as f64).ln();
        let (from, to) =
            (self.sizes.iter().min().map_or(0.0, log), self.sizes.iter().max().map_or(0.0, log));
        let part = if to > from { (log(&size) - from) / (to - from) } else { 0.5 };
        MARGIN + 20.0 + part * (WIDTH - MARGIN - 60.0)
    }
}
