//! The page: one self-contained HTML file.
//!
//! From the top down it answers: which side is ahead, on which rows, by how much, is that noise,
//! which goals were reached, under which conditions. The style is in `report.html`, the drawings
//! are in `charts.rs`; this file turns a [`Run`] into text.
//!
//! ```text
//! report.html   … <main> {{body}} </main> …
//! body          headline, tally, cards, a section for each comparison, goals, conditions
//! ```

use crate::charts::{self, RatioAxis};
use crate::model::{Comparison, Identity, Outcome, Pair, Row, Run, Verdict, figure};
use crate::stats::median;

/// The whole page for `run`.
pub fn render(run: &Run) -> String {
    let bodies: String = run.pairs.iter().map(|pair| pair_body(run, pair)).collect();
    let title = run.pairs.iter().map(headline).collect::<Vec<_>>().join(", ");
    include_str!("report.html").replace("{{title}}", &escape(&title)).replace("{{body}}", &bodies)
}

fn pair_body(run: &Run, pair: &Pair) -> String {
    let mut body = format!("<h1>{}</h1>\n{}", escape(&headline(pair)), verdict(pair));
    body += &format!(
        "<p class=\"soft small\">{} UTC, {:.0} s. Repeat with <code>{}</code></p>\n",
        escape(&run.began),
        run.seconds,
        escape(&run.command),
    );
    body += "<div class=\"cards\">\n";
    pair.comparisons.iter().for_each(|comparison| body += &card(comparison));
    body += "</div>\n";
    pair.comparisons.iter().for_each(|comparison| body += &section(pair, comparison));
    body + &goals(pair) + &conditions(run, pair)
}

fn headline(pair: &Pair) -> String {
    match &pair.theirs {
        Some(theirs) => format!("{} against {} {}", pair.ours.name, theirs.name, theirs.version),
        None => format!("{} alone", pair.ours.name),
    }
}

/// The sentence and the bar that sum up all comparisons.
fn verdict(pair: &Pair) -> String {
    let mut sums = [0; 3];
    for comparison in pair.comparisons.iter().filter(|_| pair.theirs.is_some()) {
        comparison.tally().iter().zip(&mut sums).for_each(|(count, sum)| *sum += count);
    }
    let [ahead, level, behind] = sums;
    if ahead + level + behind == 0 {
        return "<p class=\"lead\">No real system was found to compare with; see below how to get \
                one.</p>"
            .into();
    }
    let name = escape(&pair.ours.name);
    let part = |class: &str, count: usize| match count {
        0 => String::new(),
        count => format!("<i class=\"{class}\" style=\"flex:{count}\"></i>"),
    };
    format!(
        "<p class=\"lead\">{name} is <b class=\"ours\">ahead on {ahead}</b>, level on {level} and \
         <b class=\"theirs\">behind on {behind}</b> of {} measurements.</p>\n\
         <div class=\"tally\" role=\"img\" aria-label=\"ahead {ahead}, level {level}, behind \
         {behind}\">{}{}{}</div>\n",
        ahead + level + behind,
        part("ahead", ahead),
        part("levelled", level),
        part("behind", behind),
    )
}

/// A comparison in one number, with a link to its section.
fn card(comparison: &Comparison) -> String {
    let ratio = comparison.overall_ratio();
    let [ahead, level, behind] = comparison.tally();
    let edge = match (ahead, behind) {
        _ if 2 * ahead > comparison.rows.len() => "ahead-edge",
        _ if 2 * behind > comparison.rows.len() => "behind-edge",
        _ => "",
    };
    format!(
        "<a class=\"card {edge}\" href=\"#{}\">{}<strong>{ratio:.2}×</strong>\
         <span class=\"soft small\">of {}, {}<br>\
         ahead {ahead}, level {level}, behind {behind}</span></a>\n",
        escape(&comparison.id),
        escape(&comparison.title),
        escape(&comparison.against),
        comparison.better.words(),
    )
}

fn section(pair: &Pair, comparison: &Comparison) -> String {
    let axis = RatioAxis::new(comparison);
    let mut text = format!(
        "<section id=\"{}\"><h2>{}</h2>\n<p class=\"soft small\">{}. {}</p>\n",
        escape(&comparison.id),
        escape(&comparison.title),
        escape(&comparison.detail),
        escape(&comparison.meaning),
    );
    if !comparison.curves.is_empty() {
        text += &curves(pair, comparison);
    }
    text += &format!(
        "<div class=\"row head\"><span class=\"name\">{}, {}</span><div class=\"strip\">{}</div>\
         <div class=\"figures\"><span class=\"ours-ink\">{}</span>\
         <span class=\"theirs-ink\">{}</span><span>ratio</span></div></div>\n",
        escape(&comparison.unit),
        comparison.better.words(),
        axis.header(),
        escape(&pair.ours.name),
        escape(&comparison.against),
    );
    comparison.rows.iter().for_each(|row| text += &row_line(comparison, &axis, row));
    text + &legend(pair, comparison) + &raw_rounds(pair, comparison) + "</section>\n"
}

fn row_line(comparison: &Comparison, axis: &RatioAxis, row: &Row) -> String {
    let class = match comparison.verdict(row) {
        Verdict::Ahead => "ours-ink",
        Verdict::Level => "",
        Verdict::Behind => "theirs-ink",
    };
    format!(
        "<div class=\"row\"><span class=\"name\">{}</span><div class=\"strip\">{}</div>\
         <div class=\"figures\"><span>{}</span><span>{}</span>\
         <b class=\"{class}\">{:.2}×</b></div></div>\n",
        escape(&row.name),
        axis.strip(row),
        figure(median(&row.ours)),
        figure(median(&row.theirs)),
        row.ratio().median,
    )
}

fn legend(pair: &Pair, comparison: &Comparison) -> String {
    let [ours, theirs] = [&pair.ours.name, &comparison.against].map(|name| escape(name));
    let has_goals = comparison.rows.iter().any(|row| row.bar.is_some());
    let goal = if has_goals { "<span>┆ goal</span>" } else { "" };
    format!(
        "<p class=\"legend\"><span><i class=\"ahead\"></i>{ours} better</span>\
         <span><i class=\"levelled\"></i>within the noise</span>\
         <span><i class=\"behind\"></i>{theirs} better</span>\
         <span>○ a round</span>{goal}</p>\n"
    )
}

fn curves(pair: &Pair, comparison: &Comparison) -> String {
    let one = |curve: &crate::model::Curve| {
        format!(
            "<figure><figcaption>{}: <span class=\"ours-ink\">{} ━</span> \
             <span class=\"theirs-ink\">{} ╍</span></figcaption>{}</figure>\n",
            escape(&curve.name),
            escape(&pair.ours.name),
            escape(&comparison.against),
            charts::curve(curve),
        )
    };
    let all: String = comparison.curves.iter().map(one).collect();
    format!("<div class=\"curves\">{all}</div>\n")
}

fn raw_rounds(pair: &Pair, comparison: &Comparison) -> String {
    let cells = |values: &[f64]| -> String {
        values.iter().map(|value| format!("<td>{}</td>", figure(*value))).collect()
    };
    let mut rows = String::new();
    for row in &comparison.rows {
        if !row.command.is_empty() {
            let (columns, command) = (2 + row.ours.len(), escape(&row.command));
            rows += &format!("<tr><td colspan=\"{columns}\"><code>{command}</code></td></tr>\n");
        }
        for (name, values) in [(&pair.ours.name, &row.ours), (&comparison.against, &row.theirs)] {
            let (label, name) = (escape(&row.name), escape(name));
            rows += &format!("<tr><td>{label}</td><td>{name}</td>{}</tr>\n", cells(values));
        }
    }
    format!(
        "<details><summary>Every round, and its command</summary><p><code>{}</code></p>\
         <div class=\"scroll\"><table>{rows}</table></div></details>\n",
        escape(&comparison.command),
    )
}

fn goals(pair: &Pair) -> String {
    let items: String = pair
        .goal_sentences()
        .into_iter()
        .map(|(outcome, text)| {
            let class = match outcome {
                Outcome::Reached => "met",
                Outcome::Missed => "missed",
                Outcome::NotMeasured => "unmeasured",
            };
            format!("<li class=\"{class}\">{}</li>\n", escape(&text))
        })
        .collect();
    if items.is_empty() {
        return items;
    }
    format!(
        "<section id=\"goals\"><h2>Goals, set before measuring</h2><ul>\n{items}</ul></section>\n"
    )
}

fn conditions(run: &Run, pair: &Pair) -> String {
    let system = |identity: &Identity| {
        let Identity { name, version, allocator, started } = identity;
        format!("{name} {version}, allocator {allocator}: {started}")
    };
    let lines = [system(&pair.ours)]
        .into_iter()
        .chain(pair.theirs.as_ref().map(system))
        .chain(pair.settings.iter().cloned())
        .chain(run.machine.iter().cloned())
        .chain(pair.notes.iter().map(|note| format!("note: {note}")));
    let items: String = lines.map(|line| format!("<li>{}</li>\n", escape(&line))).collect();
    format!("<section id=\"conditions\"><h2>Conditions</h2><ul>\n{items}</ul></section>\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::sample;

    #[test]
    fn the_page_holds_the_figures_and_needs_nothing_from_elsewhere() {
        let page = render(&sample());
        for text in [
            "1,111",
            "2,222",
            "0.50×",
            "ahead on 1",
            "GET &lt;b&gt;",
            "p99.9",
            "a note",
            "not measured: MSET",
        ] {
            assert!(page.contains(text), "{text}");
        }
        for outside in ["http:", "https:", "<script", "<b>", "{{", "src="] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_run_without_a_rival_is_no_victory() {
        let mut run = sample();
        run.pairs[0].theirs = None;
        let page = render(&run);
        assert!(page.contains("No real system was found"));
        assert!(!page.contains("ahead on 1<"));
    }
}
