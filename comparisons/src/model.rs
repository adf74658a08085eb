//! The shape of a result: a run holds pairs, a pair holds comparisons, a comparison holds rows, and
//! a row holds every round of both sides. Terminal table, JSON file and page are three views of it.
//! A new engine only fills it in.
//!
//! ```text
//! Run  machine, command
//! └ Pair  minicache 0.1.0 against Redis 7.0.15, settings of both
//!   └ Comparison  "Server CPU per operation", ns, lower is better
//!     ├ Row  SET P16   ours [1102, 1098, 1130]  theirs [2214, 2230, 2190]  ratio 0.50, bar 0.55
//!     └ Row  GET P16   …
//! ```
//!
//! A ratio is always ours / theirs. [`Better`] says which direction is good. Goals are kept beside
//! the comparisons, not in them, so that a goal nobody measured is still printed.

use serde::{Deserialize, Serialize};

use crate::stats;

/// Ratios closer to 1 than this are called level: interleaved rounds of one and the same server
/// against itself differ by about as much.
pub const LEVEL: f64 = 0.05;

/// Everything one run found out.
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
    /// Theirs; `None` if no real system was found.
    pub theirs: Option<Identity>,
    /// What holds for both: placement, load tools, durability.
    pub settings: Vec<String>,
    /// What was left out and how to get it.
    pub notes: Vec<String>,
    /// The results.
    pub comparisons: Vec<Comparison>,
    /// What was wanted, measured or not.
    pub goals: Vec<Goal>,
}

/// A goal set before measuring, for one row of one comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The title of the comparison.
    pub comparison: String,
    /// The name of the row.
    pub row: String,
    /// Which direction is good.
    pub better: Better,
    /// The comparison's unit.
    pub unit: String,
    /// The figure to reach.
    pub bar: Bar,
}

/// What became of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every row reached it.
    Reached,
    /// A row missed it.
    Missed,
    /// No row missed it, but some were not measured.
    NotMeasured,
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
    /// The load, without a full stop: `50 connections, 3 B values`.
    pub detail: String,
    /// What is measured and what it means, a sentence or two.
    pub meaning: String,
    /// The command of one round, or the nearest thing to it.
    pub command: String,
    /// The other side: the real system, or an embedded peer.
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
    /// The command of one round without the server's address; empty if that of the comparison is
    /// complete.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The goal, if there is one ([`Pair::apply_goals`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<Bar>,
}

/// The figure of a goal.
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
    /// The median and the range of the pairwise ratios.
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

    /// How a row came out. A side is ahead if its median is better by more than [`LEVEL`] and five
    /// out of six rounds agree (all of five; coin tosses would agree in one of sixteen rows). A
    /// server against itself then comes out level.
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

    /// The geometric mean of the rows' ratios. A ratio of zero (a TTL that costs no byte) counts as
    /// 0.01, because a geometric mean cannot hold a zero.
    pub fn overall_ratio(&self) -> f64 {
        stats::geometric_mean(self.rows.iter().map(|row| row.ratio().median.max(0.01)))
    }
}

impl Pair {
    /// Copies every goal to the row it speaks of, where the charts find it.
    pub fn apply_goals(&mut self) {
        let Pair { goals, comparisons, .. } = self;
        for goal in goals {
            let mut of_title = comparisons.iter_mut().filter(|it| it.title == goal.comparison);
            let row = of_title.find_map(|it| it.rows.iter_mut().find(|row| row.name == goal.row));
            if let Some(row) = row {
                row.bar = Some(goal.bar);
            }
        }
    }

    /// A sentence for all goals of a comparison with the same figure: what was wanted, which rows
    /// reached it, which missed it, which were not measured. In the order of [`Pair::goals`].
    pub fn goal_sentences(&self) -> Vec<(Outcome, String)> {
        let mut groups: Vec<Vec<&Goal>> = Vec::new();
        for goal in &self.goals {
            let same = |group: &&mut Vec<&Goal>| {
                group[0].comparison == goal.comparison && group[0].bar == goal.bar
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(goal),
                None => groups.push(vec![goal]),
            }
        }
        groups.iter().map(|group| self.goal_sentence(group)).collect()
    }

    fn goal_sentence(&self, group: &[&Goal]) -> (Outcome, String) {
        let (mut reached, mut missed, mut unmeasured) = (Vec::new(), Vec::new(), Vec::new());
        for goal in group {
            match self.row_of(goal) {
                None => unmeasured.push(goal.row.clone()),
                Some(row) => {
                    let figure = goal.bar.figure(row);
                    let list = if goal.is_reached_by(figure) { &mut reached } else { &mut missed };
                    list.push(format!("{} {}", row.name, goal.shown(figure)));
                }
            }
        }

        let count = reached.len() + missed.len();
        let measured = match (reached.len(), missed.len()) {
            (0, 0) => None,
            (1, 0) => Some(format!("reached: {}", reached[0])),
            (_, 0) => Some(format!("reached on all {count} rows")),
            (0, 1) => Some(format!("missed: {}", missed[0])),
            (some, _) => {
                Some(format!("reached on {some} of {count} rows, not on {}", missed.join(", ")))
            }
        };
        let not_measured =
            (!unmeasured.is_empty()).then(|| format!("not measured: {}", unmeasured.join(", ")));
        let outcome = match (missed.is_empty(), unmeasured.is_empty()) {
            (false, _) => Outcome::Missed,
            (true, false) => Outcome::NotMeasured,
            (true, true) => Outcome::Reached,
        };

        let goal = group[0];
        let sign = match goal.better {
            Better::Lower => "at most",
            Better::Higher => "at least",
        };
        let wanted = goal.shown(goal.bar.wanted());
        let found = measured.into_iter().chain(not_measured).collect::<Vec<_>>().join("; ");
        (outcome, format!("{}, wanted {sign} {wanted}: {found}", goal.comparison))
    }

    fn row_of(&self, goal: &Goal) -> Option<&Row> {
        let of_title = self.comparisons.iter().filter(|it| it.title == goal.comparison);
        of_title.flat_map(|it| &it.rows).find(|row| row.name == goal.row)
    }
}

impl Goal {
    /// Judged to two decimals, as the figures are printed.
    fn is_reached_by(&self, figure: f64) -> bool {
        let [figure, wanted] = [figure, self.bar.wanted()].map(|value| (value * 100.0).round());
        match self.better {
            Better::Lower => figure <= wanted,
            Better::Higher => figure >= wanted,
        }
    }

    fn shown(&self, figure: f64) -> String {
        match self.bar {
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

    /// The figure of a row that is compared with it.
    fn figure(self, row: &Row) -> f64 {
        match self {
            Bar::Ratio(_) => row.ratio().median,
            Bar::Value(_) => stats::median(&row.ours),
        }
    }
}

/// A figure with its unit: `1,102 ns`, `1.24 M requests/s`.
pub fn quantity(value: f64, unit: &str) -> String {
    format!("{} {unit}", figure(value))
}

/// A figure with three or four significant digits.
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
        let goal = |row: &str, bar| Goal {
            comparison: "Server CPU per operation".into(),
            row: row.into(),
            better: Better::Lower,
            unit: "ns".into(),
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
                goals: vec![
                    goal("SET", Bar::Ratio(0.55)),
                    goal("GET <b>", Bar::Value(700.0)),
                    goal("PING", Bar::Ratio(0.55)),
                    goal("LPUSH", Bar::Ratio(0.55)),
                    goal("MSET", Bar::Ratio(0.8)),
                ],
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
    fn every_goal_gets_its_sentence_measured_or_not() {
        let mut pair = sample().pairs.remove(0);
        let prefix = "Server CPU per operation, wanted at most ";
        let sentences = |pair: &Pair| -> Vec<(Outcome, String)> {
            let strip = |text: String| text.strip_prefix(prefix).unwrap().to_string();
            pair.goal_sentences().into_iter().map(|(it, text)| (it, strip(text))).collect()
        };
        let mixed = "0.55x: reached on 1 of 2 rows, not on PING 1.01x; not measured: LPUSH";
        let expected = [
            (Outcome::Missed, mixed.to_string()),
            (Outcome::Missed, "700 ns: missed: GET <b> 900 ns".to_string()),
            (Outcome::NotMeasured, "0.80x: not measured: MSET".to_string()),
        ];
        assert_eq!(sentences(&pair), expected);
        pair.goals.truncate(1);
        assert_eq!(sentences(&pair), [(Outcome::Reached, "0.55x: reached: SET 0.50x".to_string())]);
    }

    #[test]
    fn goals_reach_the_rows_they_speak_of() {
        let mut pair = sample().pairs.remove(0);
        pair.comparisons[0].rows.iter_mut().for_each(|row| row.bar = None);
        pair.apply_goals();
        let bars = pair.comparisons[0].rows.iter().map(|row| row.bar).collect::<Vec<_>>();
        let expected = [Bar::Ratio(0.55), Bar::Value(700.0), Bar::Ratio(0.55)].map(Some);
        assert_eq!(bars, expected);
    }

    #[test]
    fn figures_are_short() {
        let shown = [0.123, 9.87, 45.67, 999.4, 1234.4, 65432.0, 1_234_567.0].map(figure);
        assert_eq!(shown, ["0.12", "9.87", "45.7", "999", "1,234", "65,430", "1.23 M"]);
        assert_eq!(thousands(-1234567.0), "-1,234,567");
    }
}
