//! The terminal's view of a run: one table for each comparison, then the verdicts.
//!
//! ```text
//! Server CPU per operation (ns, less is better)
//!   P requests in flight on each of c connections
//!                         minicache      Redis   ratio   rounds
//!   SET P16 c50 3 B           1,102      2,214   0.50x   0.49-0.52  ahead
//! ```

use comfy_table::{CellAlignment, Table};

use crate::model::{Comparison, Outcome, Pair, Run, Verdict, figure};
use crate::stats::median;

/// The whole run as text, with colors if `color`.
pub fn render(run: &Run, color: bool) -> String {
    run.pairs.iter().map(|pair| render_pair(pair, color)).collect()
}

fn render_pair(pair: &Pair, color: bool) -> String {
    let rival =
        pair.theirs.as_ref().map(|theirs| format!(" against {} {}", theirs.name, theirs.version));
    let mut text =
        format!("\n{} {}{}\n", pair.ours.name, pair.ours.version, rival.unwrap_or_default());
    pair.settings.iter().for_each(|setting| text += &format!("  {setting}\n"));
    for comparison in &pair.comparisons {
        text += &render_comparison(pair, comparison, color);
    }
    if pair.theirs.is_some() {
        text += "\nSummary\n";
        for comparison in &pair.comparisons {
            text += &format!("  {}\n", summary(&pair.ours.name, comparison));
        }
    }
    let goals = pair.goal_sentences();
    if !goals.is_empty() {
        text += "\nGoals, set before measuring\n";
    }
    for (outcome, sentence) in goals {
        let verdict = match outcome {
            Outcome::Reached => Some(Verdict::Ahead),
            Outcome::Missed => Some(Verdict::Behind),
            Outcome::NotMeasured => None,
        };
        text += &format!("  {}\n", paint(&sentence, verdict, color));
    }
    pair.notes.iter().for_each(|note| text += &format!("\nNote: {note}\n"));
    text
}

fn render_comparison(pair: &Pair, comparison: &Comparison, color: bool) -> String {
    let Comparison { title, detail, unit, better, .. } = comparison;
    let mut text = format!("\n{title} ({unit}, {})\n  {detail}\n", better.words());

    // Without a real system there is nothing to be ahead of.
    let verdict = |row| pair.theirs.as_ref().map(|_| comparison.verdict(row));
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["", &pair.ours.name, &comparison.against, "ratio", "rounds", ""]);
    for row in &comparison.rows {
        let ratio = row.ratio();
        table.add_row([
            row.name.clone(),
            figure(median(&row.ours)),
            figure(median(&row.theirs)),
            format!("{:.2}x", ratio.median),
            format!("{:.2}-{:.2}", ratio.least, ratio.greatest),
            verdict(row).map_or("", Verdict::word).to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }

    // The header has no verdict; each line after it belongs to a row.
    let verdicts = [None].into_iter().chain(comparison.rows.iter().map(verdict));
    for (line, verdict) in table.to_string().lines().zip(verdicts) {
        text += &paint(&format!(" {}", line.trim_end()), verdict, color);
        text.push('\n');
    }
    text
}

/// One sentence: the overall ratio, and on how many rows each side is ahead.
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

fn paint(text: &str, verdict: Option<Verdict>, color: bool) -> String {
    match verdict {
        Some(Verdict::Ahead) if color => format!("\x1b[32m{text}\x1b[0m"),
        Some(Verdict::Behind) if color => format!("\x1b[31m{text}\x1b[0m"),
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
    fn a_run_without_a_real_system_has_no_verdicts() {
        let mut run = sample();
        run.pairs[0].theirs = None;
        let text = render(&run, true);
        assert!(text.contains("1,111"));
        for word in ["Summary", "ahead", "behind", "level"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}
