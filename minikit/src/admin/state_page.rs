//! The state page: the inside of a running engine as tables.
//!
//! An engine fills a [`StatePage`] with sections: tables, or lists of names and values.
//!
//! ```
//! # use minikit::admin::StatePage;
//! let mut page = StatePage::new("minicache");
//! page.list("Memory", "What the allocator gave.").row(["used_bytes".into(), 1024.into()]);
//! let shards = page.table("Shards", "One lock each.", &["shard", "keys"]);
//! shards.row([0.into(), 17.into()]).row([1.into(), 9.into()]);
//! ```
//!
//! The same content is served as one HTML page, as JSON, and as text for a terminal. The page loads
//! nothing from elsewhere, follows the browser's light or dark scheme, fits a phone, and refreshes
//! itself every two seconds without losing the scroll position. Without JavaScript it reloads.
//!
//! Counterparts in Redis: `INFO`, `MEMORY STATS`, `DEBUG HTSTATS`. They need a client and the right
//! command; this needs a browser.

use serde::Serialize;

use crate::value::Value;

/// The state of an engine at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StatePage {
    title: String,
    sections: Vec<Section>,
}

/// A titled table, or a list if it has no columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Section {
    title: String,
    note: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl StatePage {
    /// A page without sections.
    pub fn new(title: impl Into<String>) -> StatePage {
        StatePage { title: title.into(), sections: Vec::new() }
    }

    /// Adds a section of names and values: rows of two cells. `note` is a sentence that explains
    /// the section; it may be empty.
    pub fn list(&mut self, title: &str, note: &str) -> &mut Section {
        self.table(title, note, &[])
    }

    /// Adds a table with `columns` as its heading.
    pub fn table(&mut self, title: &str, note: &str, columns: &[&str]) -> &mut Section {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        let (title, note) = (title.to_owned(), note.to_owned());
        self.sections.push(Section { title, note, columns, rows: Vec::new() });
        self.sections.last_mut().expect("just pushed")
    }

    /// `{"title":…,"sections":[{"title":…,"note":…,"columns":[…],"rows":[[…],…]},…]}`
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are JSON")
    }

    /// The page for a terminal: columns padded with spaces, numbers aligned to the right.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n", self.title);
        for section in &self.sections {
            section.write_text(&mut out);
        }
        out
    }

    /// The whole page.
    pub(super) fn to_html(&self) -> String {
        let mut sections = String::new();
        for section in &self.sections {
            section.write_html(&mut sections);
        }
        format!(
            include_str!("state_page.html"),
            title = escaped(&self.title),
            sections = sections,
            style = include_str!("state_page.css"),
            script = include_str!("state_page.js"),
        )
    }
}

impl Section {
    /// Adds a row: one cell for each column, or a name and a value.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Value>) -> &mut Section {
        self.rows.push(cells.into_iter().collect());
        self
    }

    fn write_text(&self, out: &mut String) {
        *out += &format!("\n{}\n", self.title.to_uppercase());
        if !self.note.is_empty() {
            *out += &format!("{}\n", self.note);
        }

        // The heading, if there is one, is a line like the rows.
        let heading = (!self.columns.is_empty()).then(|| self.columns.clone());
        let rows = self.rows.iter().map(|row| row.iter().map(Value::to_string).collect());
        let lines = heading.into_iter().chain(rows).collect::<Vec<Vec<String>>>();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        for line in &lines {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let width = width(column);
                text += &match self.is_numeric(column) {
                    true => format!("  {cell:>width$}"),
                    false => format!("  {cell:<width$}"),
                };
            }
            *out += &format!("{}\n", text.trim_end());
        }
    }

    fn write_html(&self, out: &mut String) {
        *out += &format!("<section>\n<h2>{}</h2>\n", escaped(&self.title));
        if !self.note.is_empty() {
            *out += &format!("<p>{}</p>\n", escaped(&self.note));
        }
        let kind = if self.columns.is_empty() { "list" } else { "table" };
        *out += &format!("<div class=\"wide\"><table class=\"{kind}\">\n");
        if !self.columns.is_empty() {
            out.push_str("<thead><tr>");
            for (index, column) in self.columns.iter().enumerate() {
                let class = if self.is_numeric(index) { " class=\"n\"" } else { "" };
                *out += &format!("<th scope=\"col\"{class}>{}</th>", escaped(column));
            }
            out.push_str("</tr></thead>\n");
        }
        out.push_str("<tbody>\n");
        self.rows.iter().for_each(|row| self.write_html_row(out, row));
        out.push_str("</tbody></table></div>\n</section>\n");
    }

    fn write_html_row(&self, out: &mut String, row: &[Value]) {
        out.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let text = escaped(&cell.to_string());
            match cell {
                _ if index == 0 && self.columns.is_empty() => {
                    *out += &format!("<th scope=\"row\">{text}</th>");
                }
                Value::Number(_) => *out += &format!("<td class=\"n\">{text}</td>"),
                Value::Text(_) => *out += &format!("<td>{text}</td>"),
            }
        }
        out.push_str("</tr>\n");
    }

    /// Returns true if a column holds numbers. They and their heading are aligned to the right.
    fn is_numeric(&self, column: usize) -> bool {
        matches!(self.rows.first().and_then(|row| row.get(column)), Some(Value::Number(_)))
    }
}

/// Escapes text for HTML, also within quotes.
fn escaped(text: &str) -> String {
    let steps = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
    steps.iter().fold(text.to_owned(), |text, (from, to)| text.replace(*from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specimen() -> StatePage {
        let mut page = StatePage::new("mini <cache>");
        page.list("Memory", "What the allocator \"really\" gave.")
            .row(["used_bytes".into(), 1024u64.into()])
            .row(["policy".into(), "noeviction".into()]);
        page.table("Shards", "", &["shard", "name"])
            .row([0u64.into(), "<script>alert('x')</script>".into()]);
        page
    }

    #[test]
    fn json_has_everything_in_order() {
        assert_eq!(
            specimen().to_json(),
            concat!(
                r#"{"title":"mini <cache>","sections":["#,
                r#"{"title":"Memory","note":"What the allocator \"really\" gave.","columns":[],"#,
                r#""rows":[["used_bytes",1024],["policy","noeviction"]]},"#,
                r#"{"title":"Shards","note":"","columns":["shard","name"],"#,
                r#""rows":[[0,"<script>alert('x')</script>"]]}]}"#
            )
        );
    }

    #[test]
    fn text_is_aligned_in_columns() {
        let mut page = specimen();
        let numbers = page.table("Levels", "", &["level", "spans", "keys"]);
        numbers.row([0u64.into(), "16 ms".into(), 12_000u64.into()]);
        numbers.row([1u64.into(), "1 s".into(), 7u64.into()]);
        let expected = "\
mini <cache>

MEMORY
What the allocator \"really\" gave.
  used_bytes        1024
  policy      noeviction

SHARDS
  shard  name
      0  <script>alert('x')</script>

LEVELS
  level  spans   keys
      0  16 ms  12000
      1  1 s        7
";
        assert_eq!(page.to_text(), expected);
    }

    #[test]
    fn html_shows_everything_and_runs_nothing_of_it() {
        let page = specimen().to_html();
        for part in [
            "<title>mini &lt;cache&gt;</title>",
            "<h2>Memory</h2>\n<p>What the allocator &quot;really&quot; gave.</p>",
            "<tr><th scope=\"row\">used_bytes</th><td class=\"n\">1024</td></tr>",
            "<th scope=\"col\" class=\"n\">shard</th><th scope=\"col\">name</th>",
            "<td>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</td>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    }

    #[test]
    fn the_page_needs_nothing_from_outside() {
        let page = specimen().to_html();
        assert!(!page.contains("http:") && !page.contains("https:"), "{page}");
        assert!(!page.contains("src="), "{page}");
    }
}
