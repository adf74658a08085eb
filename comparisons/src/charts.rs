//! The drawings of the page, as SVG without a fixed width.
//!
//! Scaling a drawing down to a phone would scale its text too. So these have no `viewBox`:
//! horizontal positions are in percent, and what must keep its size (dots, text, strokes) is in
//! pixels. The ratio axis is logarithmic and oriented so that right is better for ours, whichever
//! direction is good for the unit:
//!
//! ```text
//! CPU per operation       2x        1x       0.5x          smaller is better, so 0.5x is right
//!   SET P16                         ├────────────●         bar to the median of the ratios
//!                                             ○ ○  ○       a ring for each round
//!                                              ┆           the goal
//! ```

use crate::model::{Comparison, Curve, Row, Verdict, figure};

/// Ratios beyond this factor are drawn at the edge.
const FACTOR_MAX: f64 = 16.0;

/// Ratios that get a grid line and a number, for axes of less than one octave, of less than three,
/// and of more.
const TICKS: [&[f64]; 3] = [
    &[0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6],
    &[0.25, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0],
    &[0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0],
];

/// Maps a comparison's ratios to percent from the left.
pub struct RatioAxis<'a> {
    comparison: &'a Comparison,
    low: f64,
    high: f64,
}

impl RatioAxis<'_> {
    /// An axis that covers every round and every goal of `comparison`, and 1.
    pub fn new(comparison: &Comparison) -> RatioAxis<'_> {
        let mut axis = RatioAxis { comparison, low: -0.3, high: 0.3 };
        for row in &comparison.rows {
            let rounds = row.ours.iter().zip(&row.theirs).map(|(ours, theirs)| ours / theirs);
            for ratio in rounds.chain(goal(row)) {
                let position = axis.position(ratio);
                axis.low = axis.low.min(position);
                axis.high = axis.high.max(position);
            }
        }
        let margin = 0.04 * (axis.high - axis.low);
        RatioAxis { low: axis.low - margin, high: axis.high + margin, ..axis }
    }

    /// Octaves to the right of 1.
    fn position(&self, ratio: f64) -> f64 {
        let bounded = ratio.clamp(1.0 / FACTOR_MAX, FACTOR_MAX);
        self.comparison.advantage(bounded).log2()
    }

    fn percent(&self, ratio: f64) -> f64 {
        100.0 * (self.position(ratio) - self.low) / (self.high - self.low)
    }

    /// The ticks within the axis.
    fn ticks(&self) -> Vec<f64> {
        let octaves = self.high - self.low;
        let ticks = TICKS[usize::from(octaves > 1.0) + usize::from(octaves > 3.0)];
        let inside = |tick: &f64| (self.low..=self.high).contains(&self.position(*tick));
        ticks.iter().copied().filter(inside).collect()
    }

    /// The numbers above the strips.
    pub fn header(&self) -> String {
        let label = |tick: &f64| {
            let x = self.percent(*tick);
            // A number centered at the edge would be cut off.
            let anchor = match x {
                ..4.0 => "start",
                96.0.. => "end",
                _ => "middle",
            };
            format!(r#"<text x="{x:.1}%" y="13" text-anchor="{anchor}">{tick}×</text>"#)
        };
        let labels: String = self.ticks().iter().map(label).collect();
        format!(r#"<svg height="17" aria-hidden="true">{labels}</svg>"#)
    }

    /// One row: the bar from 1 to the median, a ring for each round, the goal.
    pub fn strip(&self, row: &Row) -> String {
        let line = |class: &str, ratio: f64, from: u32, to: u32| {
            let x = self.percent(ratio);
            format!(r#"<line class="{class}" x1="{x:.2}%" x2="{x:.2}%" y1="{from}" y2="{to}"/>"#)
        };
        let mut parts: Vec<String> =
            self.ticks().iter().map(|tick| line("grid", *tick, 0, 26)).collect();
        let (one, median) = (self.percent(1.0), self.percent(row.ratio().median));
        let class = match self.comparison.verdict(row) {
            Verdict::Ahead => "bar-ahead",
            Verdict::Level => "bar-level",
            Verdict::Behind => "bar-behind",
        };
        parts.push(format!(
            r#"<rect class="{class}" x="{:.2}%" width="{:.2}%" y="7" height="12" rx="2"/>"#,
            one.min(median),
            (one - median).abs().max(0.3),
        ));
        parts.push(line("one", 1.0, 0, 26));
        parts.extend(goal(row).map(|ratio| line("goal", ratio, 1, 25)));
        parts.extend(row.ours.iter().zip(&row.theirs).map(|(ours, theirs)| {
            let (x, unit) = (self.percent(ours / theirs), &self.comparison.unit);
            let title = format!("{} against {} {unit}", figure(*ours), figure(*theirs));
            format!(
                r#"<circle class="dot" cx="{x:.2}%" cy="13" r="3"><title>{title}</title></circle>"#
            )
        }));
        format!(
            r#"<svg height="26" role="img" aria-label="{}">{}</svg>"#,
            aria(row),
            parts.concat()
        )
    }
}

/// The goal of a row as a ratio to the median of theirs.
fn goal(row: &Row) -> impl Iterator<Item = f64> {
    use crate::model::Bar;
    let theirs = crate::stats::median(&row.theirs);
    row.bar.into_iter().map(move |bar| match bar {
        Bar::Ratio(ratio) => ratio,
        Bar::Value(value) => value / theirs,
    })
}

fn aria(row: &Row) -> String {
    let ratio = row.ratio();
    format!("ratio {:.2}, rounds from {:.2} to {:.2}", ratio.median, ratio.least, ratio.greatest)
}

/// Height of the drawing area of a latency chart, and room below it for numbers, in pixels.
const CURVE_HEIGHT: f64 = 210.0;
const CURVE_FOOT: f64 = 22.0;

/// Latency over percentiles. Horizontally each further nine (90, 99, 99.9 %) is equally wide;
/// vertically the axis is logarithmic.
pub fn curve(curve: &Curve) -> String {
    let all = || curve.ours.iter().chain(&curve.theirs);
    let low = all().map(|point| point.1).fold(f64::INFINITY, f64::min).max(0.1).log10();
    let high = all().map(|point| point.1).fold(1.0, f64::max).log10();
    let (low, high) = (low.floor(), (high + 0.05).max(low.floor() + 1.0));
    let right = all().map(|point| nines(point.0)).fold(1.0, f64::max);
    let x = |percentile: f64| 100.0 * nines(percentile) / right;
    let y = |value: f64| 100.0 * (1.0 - (value.max(0.1).log10() - low) / (high - low));
    let line = |class: &str, points: &[(f64, f64)]| {
        let path: Vec<String> =
            points.iter().map(|point| format!("{:.2},{:.2}", x(point.0), y(point.1))).collect();
        format!(r#"<polyline class="curve {class}" points="{}"/>"#, path.join(" "))
    };
    let lines = line("theirs", &curve.theirs) + &line("ours", &curve.ours);
    let stretch = r#"viewBox="0 0 100 100" preserveAspectRatio="none""#;
    let inner = format!(r#"<svg {stretch} height="{CURVE_HEIGHT}">{lines}</svg>"#);
    let (rules, height) = (curve_rules(low, high, right), CURVE_HEIGHT + CURVE_FOOT);
    // The page leaves space for the numbers to the left of `plot`.
    let class = r#"class="plot" role="img" aria-label="latency curves""#;
    format!(r#"<svg {class} height="{height}">{rules}{inner}</svg>"#)
}

/// How many nines a percentile has: 90 % is 1, 99 % is 2.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).max(1e-9).log10()
}

/// The grid of a latency chart with its numbers.
fn curve_rules(low: f64, high: f64, right: f64) -> String {
    let mut parts = Vec::new();
    for decade in low as i32..=high as i32 {
        let y = CURVE_HEIGHT * (1.0 - (f64::from(decade) - low) / (high - low));
        let microseconds = 10f64.powi(decade);
        let label = match decade {
            ..3 => format!("{microseconds} µs"),
            3..6 => format!("{} ms", microseconds / 1e3),
            _ => format!("{} s", microseconds / 1e6),
        };
        parts.push(format!(
            r#"<line class="grid" x1="0" x2="100%" y1="{y:.1}" y2="{y:.1}"/>
<text x="-8" y="{:.1}" text-anchor="end">{label}</text>"#,
            y + 4.0
        ));
    }
    for (percentile, label) in
        [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9"), (99.99, "p99.99")]
    {
        let x = 100.0 * nines(percentile) / right;
        if x <= 100.0 {
            parts.push(format!(
                r#"<line class="grid" x1="{x:.1}%" x2="{x:.1}%" y1="0" y2="{CURVE_HEIGHT}"/>
<text x="{x:.1}%" y="{:.0}" text-anchor="middle">{label}</text>"#,
                CURVE_HEIGHT + 16.0
            ));
        }
    }
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Better;
    use crate::model::tests::sample;

    #[test]
    fn right_is_better_in_either_direction() {
        let mut comparison = sample().pairs.remove(0).comparisons.remove(0);
        let axis = RatioAxis::new(&comparison);
        assert!(axis.percent(0.5) > axis.percent(1.0));
        comparison.better = Better::Higher;
        let axis = RatioAxis::new(&comparison);
        assert!(axis.percent(0.5) < axis.percent(1.0));
    }

    #[test]
    fn every_round_is_on_the_strip() {
        let comparison = sample().pairs.remove(0).comparisons.remove(0);
        let strip = RatioAxis::new(&comparison).strip(&comparison.rows[0]);
        assert_eq!(strip.matches("<circle").count(), 3);
        assert!(strip.contains("1,111 against 2,222 ns") && strip.contains("bar-ahead"));
        assert_eq!(strip.matches("class=\"goal\"").count(), 1);
    }

    #[test]
    fn ratios_out_of_bounds_stay_on_the_page() {
        let mut comparison = sample().pairs.remove(0).comparisons.remove(0);
        comparison.rows[0].ours = vec![0.0, -5.0, 1e9];
        let axis = RatioAxis::new(&comparison);
        for ratio in [0.0, -1.0, 1e9, f64::INFINITY] {
            assert!((0.0..=100.0).contains(&axis.percent(ratio)), "{ratio}");
        }
    }
}
