//! The one shape of a result, whatever was measured: a run holds pairs, a pair holds comparisons,
//! a comparison holds rows, and a row holds every round of both sides. The terminal table, the JSON
//! file and the page are three views of it, and a new engine only has to fill it.
//!
//! ```text
//! Run  machine, command
//! └ Pair  minicache 0.1.0 against Redis 7.0.15, settings of both
//!   └ Comparison  "Server CPU per operation", ns, lower is better
//!     ├ Row  SET P16   ours [1102, 1098, 1130]  theirs [2214, 2230, 2190]  ratio 0.50, bar 0.55
//!     └ Row  GET P16   …
//! ```
//!
//! A ratio is always ours / theirs. Whether 0.5 is good depends on [`Better`], and only
//! [`Comparison::advantage`] needs to know.

use serde::{Deserialize, Serialize};

use crate::stats;

/// Ratios closer to 1 than this are called level: interleaved rounds of one and the same server
/// against itself differ by about as much.
pub const LEVEL: f64 = 0.05;

/// Everything one call of the harness found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it began, UTC: `2026-11-22 15:55`.
    pub began: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The command line that repeats it.
    pub command: String,
    /// The machine, one fact a line: processor, cores, memory, kernel.
    pub machine: Vec<String>,
    /// One entry for each engine.
    pub pairs: Vec<Pair>,
}

/// One engine of ours against the system it explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Ours.
    pub ours: Identity,
    /// Theirs; `None` if no real system was to be found.
    pub theirs: Option<Identity>,
    /// Placement, load tools, durability: what holds for both.
    pub settings: Vec<String>,
    /// What was left out and how to get it.
    pub notes: Vec<String>,
    /// The results.
    pub comparisons: Vec<Comparison>,
}

/// What ran, in which version, started how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// `minicache`
    pub name: String,
    /// `0.1.0`
    pub version: String,
    /// `libc`, `jemalloc-5.3.0`
    pub allocator: String,
    /// `installed: /usr/bin/redis-server --port …`
    pub started: String,
}

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Time, memory.
    Lower,
    /// Throughput.
    Higher,
}

impl Better {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Better::Lower => "less is better",
            Better::Higher => "more is better",
        }
    }
}

/// One question asked of both systems in many variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Stable name for links and for finding it in JSON: `cpu-pipelined`.
    pub id: String,
    /// Heading: `Server CPU per operation`.
    pub title: String,
    /// Under which load, without a full stop: `50 connections, 3 B values`.
    pub detail: String,
    /// What is measured and what it means, a sentence or two.
    pub meaning: String,
    /// The command of one round, or the nearest thing to it.
    pub command: String,
    /// Whom ours is compared with; the pair's rival unless said otherwise.
    pub against: String,
    /// `ns`, `requests/s`, `bytes`
    pub unit: String,
    /// Which direction is good.
    pub better: Better,
    /// The variants.
    pub rows: Vec<Row>,
    /// Latency distributions, where the comparison is one of latency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
}

/// One variant: every round of both sides, in the order taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `SET P16 c50 3 B`
    pub name: String,
    /// Ours, round by round.
    pub ours: Vec<f64>,
    /// Theirs, round by round.
    pub theirs: Vec<f64>,
    /// The command of one round to the last number, but for the server's address; empty if the
    /// comparison's says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Where we want to be, if anywhere in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<Bar>,
}

/// A goal set before measuring.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bar {
    /// For ours / theirs.
    Ratio(f64),
    /// For ours alone, in the comparison's unit.
    Value(f64),
}

/// A latency distribution of both at one load, all rounds together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// `20,000 requests/s`
    pub name: String,
    /// Ours: (percentile, value in the comparison's unit), ascending.
    pub ours: Vec<(f64, f64)>,
    /// Theirs.
    pub theirs: Vec<(f64, f64)>,
}

/// How a row came out for ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ours is better.
    Ahead,
    /// No side is better beyond the noise.
    Level,
    /// Theirs is better.
    Behind,
}

impl Row {
    /// The median of the pairwise ratios, and from where to where they go.
    pub fn ratio(&self) -> Ratio {
        let all = stats::pairwise_ratios(&self.ours, &self.theirs);
        Ratio {
            median: stats::median(&all),
            least: stats::least(&all),
            greatest: stats::greatest(&all),
        }
    }
}

/// Ours / theirs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The figure to quote.
    pub median: f64,
    /// The smallest of any round.
    pub least: f64,
    /// The largest of any round.
    pub greatest: f64,
}

impl Comparison {
    /// How many times better ours is: a ratio turned so that more than 1 is always good.
    pub fn advantage(&self, ratio: f64) -> f64 {
        match self.better {
            Better::Higher => ratio,
            Better::Lower => 1.0 / ratio,
        }
    }

    /// How a row came out: a side is ahead if its median is, by more than [`LEVEL`], and five out
    /// of six rounds agree: all of five, where tossing a coin would have them agree in one of
    /// sixteen rows. One and the same server against itself then comes out level.
    pub fn verdict(&self, row: &Row) -> Verdict {
        let all = stats::pairwise_ratios(&row.ours, &row.theirs);
        let advantages: Vec<f64> = all.into_iter().map(|ratio| self.advantage(ratio)).collect();
        let median = stats::median(&advantages);
        let enough = |count: usize| 6 * count >= 5 * advantages.len();
        let better = advantages.iter().filter(|advantage| **advantage > 1.0).count();
        let worse = advantages.iter().filter(|advantage| **advantage < 1.0).count();
        match median {
            _ if median > 1.0 + LEVEL && enough(better) => Verdict::Ahead,
            _ if median < 1.0 / (1.0 + LEVEL) && enough(worse) => Verdict::Behind,
            _ => Verdict::Level,
        }
    }

    /// How many rows are ahead, level, behind.
    pub fn tally(&self) -> [usize; 3] {
        let count = |wanted| self.rows.iter().filter(|row| self.verdict(row) == wanted).count();
        [count(Verdict::Ahead), count(Verdict::Level), count(Verdict::Behind)]
    }

    /// The geometric mean of the rows' ratios. One that is nothing (a time to live that costs no
    /// byte more) counts as a hundredth, because a geometric mean cannot hold a zero.
    pub fn overall_ratio(&self) -> f64 {
        stats::geometric_mean(self.rows.iter().map(|row| row.ratio().median.max(0.01)))
    }

    /// A sentence for every bar: what was wanted, and which rows reached it.
    pub fn bar_sentences(&self) -> Vec<(bool, String)> {
        let mut bars: Vec<Bar> = Vec::new();
        for bar in self.rows.iter().filter_map(|row| row.bar) {
            if !bars.contains(&bar) {
                bars.push(bar);
            }
        }
        bars.into_iter().map(|bar| self.bar_sentence(bar)).collect()
    }

    fn bar_sentence(&self, bar: Bar) -> (bool, String) {
        let sign = match self.better {
            Better::Lower => "at most",
            Better::Higher => "at least",
        };
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.bar == Some(bar)).collect();
        let missed: Vec<&Row> =
            rows.iter().copied().filter(|row| !self.reaches(row, bar)).collect();
        let wanted = self.shown(bar, bar.wanted());
        let figures = |rows: &[&Row]| -> String {
            let one = |row: &&Row| format!("{} {}", row.name, self.shown(bar, bar.figure(row)));
            rows.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let outcome = match (rows.len(), missed.len()) {
            (1, 0) => format!("reached: {}", figures(&rows)),
            (count, 0) => format!("reached on all {count} rows"),
            (1, _) => format!("missed: {}", figures(&missed)),
            (count, missing) => {
                format!(
                    "reached on {} of {count} rows, not on {}",
                    count - missing,
                    figures(&missed)
                )
            }
        };
        (missed.is_empty(), format!("{}, wanted {sign} {wanted}: {outcome}", self.title))
    }

    /// Judged to two decimals, as the figures are printed.
    fn reaches(&self, row: &Row, bar: Bar) -> bool {
        let [figure, wanted] = [bar.figure(row), bar.wanted()].map(|value| (value * 100.0).round());
        match self.better {
            Better::Lower => figure <= wanted,
            Better::Higher => figure >= wanted,
        }
    }

    fn shown(&self, bar: Bar, figure: f64) -> String {
        match bar {
            Bar::Ratio(_) => format!("{figure:.2}x"),
            Bar::Value(_) => quantity(figure, &self.unit),
        }
    }
}

impl Bar {
    /// The number to reach.
    pub fn wanted(self) -> f64 {
        match self {
            Bar::Ratio(wanted) | Bar::Value(wanted) => wanted,
        }
    }

    /// What a row has to hold against it.
    fn figure(self, row: &Row) -> f64 {
        match self {
            Bar::Ratio(_) => row.ratio().median,
            Bar::Value(_) => stats::median(&row.ours),
        }
    }
}

/// A figure with its unit, as short as it may be: `1,102 ns`, `1.24 M requests/s`.
pub fn quantity(value: f64, unit: &str) -> String {
    format!("{} {unit}", figure(value))
}

/// A figure with three or four digits that say something.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2} M", value / 1e6),
        size if size >= 1e4 => thousands((value / 10.0).round() * 10.0),
        size if size >= 100.0 => thousands(value.round()),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with commas.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    format!("{sign}{}", groups.join(","))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run with everything in it, for the tests of the views.
    pub fn sample() -> Run {
        let identity = |name: &str| Identity {
            name: name.into(),
            version: "1.2.3".into(),
            allocator: "libc".into(),
            started: "installed".into(),
        };
        let row = |name: &str, ours: [f64; 3], theirs: [f64; 3], bar| Row {
            name: name.into(),
            ours: ours.into(),
            theirs: theirs.into(),
            command: format!("redis-benchmark -t {name}"),
            bar,
        };
        let cpu = Comparison {
            id: "cpu".into(),
            title: "Server CPU per operation".into(),
            detail: "50 connections".into(),
            meaning: "Nanoseconds of one core.".into(),
            command: "redis-benchmark -P 16".into(),
            against: "Redis".into(),
            unit: "ns".into(),
            better: Better::Lower,
            rows: vec![
                row(
                    "SET",
                    [1111.0, 1000.0, 1234.0],
                    [2222.0, 2000.0, 2468.0],
                    Some(Bar::Ratio(0.55)),
                ),
                row("GET <b>", [900.0; 3], [800.0; 3], Some(Bar::Value(700.0))),
                row("PING", [101.0; 3], [100.0; 3], None),
            ],
            curves: vec![Curve {
                name: "20,000 requests/s".into(),
                ours: vec![(50.0, 40.0), (99.0, 80.0), (99.9, 300.0)],
                theirs: vec![(50.0, 50.0), (99.0, 120.0), (99.9, 900.0)],
            }],
        };
        Run {
            began: "2026-11-22 15:55".into(),
            seconds: 61.0,
            command: "cargo run --release -p comparisons".into(),
            machine: vec!["2 cores".into()],
            pairs: vec![Pair {
                ours: identity("minicache"),
                theirs: Some(identity("Redis")),
                settings: vec!["no persistence on either side".into()],
                notes: vec!["a note".into()],
                comparisons: vec![cpu],
            }],
        }
    }

    #[test]
    fn json_brings_back_what_went_in() {
        let run = sample();
        let text = serde_json::to_string_pretty(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
    }

    #[test]
    fn verdicts_follow_the_direction_that_is_good() {
        let mut cpu = sample().pairs.remove(0).comparisons.remove(0);
        assert_eq!(cpu.tally(), [1, 1, 1]);
        assert_eq!(cpu.verdict(&cpu.rows[0]), Verdict::Ahead);
        cpu.better = Better::Higher;
        assert_eq!(cpu.verdict(&cpu.rows[0]), Verdict::Behind);
    }

    #[test]
    fn rounds_that_disagree_are_level() {
        let mut cpu = sample().pairs.remove(0).comparisons.remove(0);
        cpu.rows[0].theirs = vec![10.0; 6];
        cpu.rows[0].ours = vec![8.0, 8.0, 8.0, 8.0, 11.0, 11.0];
        assert_eq!(cpu.verdict(&cpu.rows[0]), Verdict::Level);
        cpu.rows[0].ours[4] = 8.0;
        assert_eq!(cpu.verdict(&cpu.rows[0]), Verdict::Ahead);
    }

    #[test]
    fn every_bar_gets_its_sentence() {
        let mut cpu = sample().pairs.remove(0).comparisons.remove(0);
        cpu.rows[2].bar = cpu.rows[0].bar;
        let expected = [
            (false, "wanted at most 0.55x: reached on 1 of 2 rows, not on PING 1.01x"),
            (false, "wanted at most 700 ns: missed: GET <b> 900 ns"),
        ];
        for ((met, sentence), (wanted, end)) in cpu.bar_sentences().into_iter().zip(expected) {
            assert_eq!((met, sentence.as_str().split_once(", ").unwrap().1), (wanted, end));
        }
        cpu.rows.truncate(1);
        assert!(cpu.bar_sentences()[0].1.ends_with("at most 0.55x: reached: SET 0.50x"));
    }

    #[test]
    fn figures_are_short() {
        let shown = [0.123, 9.87, 45.67, 999.4, 1234.4, 65432.0, 1_234_567.0].map(figure);
        assert_eq!(shown, ["0.12", "9.87", "45.7", "999", "1,234", "65,430", "1.23 M"]);
        assert_eq!(thousands(-1234567.0), "-1,234,567");
    }
}
