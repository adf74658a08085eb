//! The terminal's view of a run: one table for each comparison, then the verdicts.
//!
//! ```text
//! Server CPU per operation (ns, less is better)
//!   P requests in flight on each of c connections
//!                         minicache      Redis   ratio   rounds
//!   SET P16 c50 3 B           1,102      2,214   0.50x   0.49-0.52  ahead
//! ```

use crate::model::{Comparison, Pair, Run, Verdict, figure};
use crate::stats::median;

/// Writes the whole run as text, with colours if `colour`.
pub fn render(run: &Run, colour: bool) -> String {
    run.pairs.iter().map(|pair| render_pair(pair, colour)).collect()
}

fn render_pair(pair: &Pair, colour: bool) -> String {
    let rival =
        pair.theirs.as_ref().map(|theirs| format!(" against {} {}", theirs.name, theirs.version));
    let mut text =
        format!("\n{} {}{}\n", pair.ours.name, pair.ours.version, rival.unwrap_or_default());
    pair.settings.iter().for_each(|setting| text += &format!("  {setting}\n"));
    for comparison in &pair.comparisons {
        text += &render_comparison(pair, comparison, colour);
    }
    if pair.theirs.is_some() {
        text += "\nWho won\n";
        for comparison in &pair.comparisons {
            text += &format!("  {}\n", summary(&pair.ours.name, comparison));
        }
    }
    let bars: Vec<_> = pair.comparisons.iter().flat_map(Comparison::bar_sentences).collect();
    if !bars.is_empty() {
        text += "\nGoals, set before measuring\n";
    }
    for (met, sentence) in bars {
        let verdict = if met { Verdict::Ahead } else { Verdict::Behind };
        text += &format!("  {}\n", paint(&sentence, verdict, colour));
    }
    pair.notes.iter().for_each(|note| text += &format!("\nNote: {note}\n"));
    text
}

fn render_comparison(pair: &Pair, comparison: &Comparison, colour: bool) -> String {
    let ours = &pair.ours.name;
    let better = comparison.better.words();
    let width =
        comparison.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(24);
    let Comparison { title, detail, unit, .. } = comparison;
    let mut text = format!("\n{title} ({unit}, {better})\n  {detail}\n");
    text += &format!(
        "  {:width$}  {ours:>11}  {:>11}  {:>7}  {}\n",
        "", comparison.against, "ratio", "rounds"
    );
    for row in &comparison.rows {
        let ratio = row.ratio();
        // Without a real system it is no race.
        let verdict = pair.theirs.as_ref().map(|_| comparison.verdict(row));
        let line = format!(
            "  {:width$}  {:>11}  {:>11}  {:>6.2}x  {:<11}  {}",
            row.name,
            figure(median(&row.ours)),
            figure(median(&row.theirs)),
            ratio.median,
            format!("{:.2}-{:.2}", ratio.least, ratio.greatest),
            verdict.map_or("", Verdict::word),
        );
        text += &paint(line.trim_end(), verdict.unwrap_or(Verdict::Level), colour);
        text.push('\n');
    }
    text
}

/// One sentence: by how much and on how many rows.
pub fn summary(ours: &str, comparison: &Comparison) -> String {
    let [ahead, level, behind] = comparison.tally();
    format!(
        "{}: {ours} at {:.2}x of {} over all rows ({}); ahead on {ahead}, \
         level on {level}, behind on {behind}",
        comparison.title,
        comparison.overall_ratio(),
        comparison.against,
        comparison.better.words(),
    )
}

impl Verdict {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ahead => "ahead",
            Verdict::Level => "level",
            Verdict::Behind => "behind",
        }
    }
}

fn paint(text: &str, verdict: Verdict, colour: bool) -> String {
    match verdict {
        Verdict::Ahead if colour => format!("\x1b[32m{text}\x1b[0m"),
        Verdict::Behind if colour => format!("\x1b[31m{text}\x1b[0m"),
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::sample;

    #[test]
    fn the_table_holds_both_figures_the_ratio_and_the_verdict() {
        let text = render(&sample(), false);
        let line = text.lines().find(|line| line.trim_start().starts_with("SET")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["SET", "1,111", "2,222", "0.50x", "0.50-0.50", "ahead"]);
        assert!(text.contains("ahead on 1, level on 1, behind on 1"));
        assert!(text.contains("Note: a note") && !text.contains('\x1b'));
    }

    #[test]
    fn a_run_without_a_rival_has_no_verdicts() {
        let mut run = sample();
        run.pairs[0].theirs = None;
        let text = render(&run, true);
        assert!(text.contains("1,111"));
        for word in ["Who won", "ahead", "behind", "level"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}
