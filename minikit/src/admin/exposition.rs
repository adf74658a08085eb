//! Metrics as Prometheus reads them: the text format, version 0.0.4.
//!
//! ```text
//! # HELP minicache_commands_total Commands executed.
//! # TYPE minicache_commands_total counter
//! minicache_commands_total{command="get"} 1027
//! minicache_commands_total{command="set"} 3
//! ```
//!
//! A family (one name) has one HELP and one TYPE line, and its samples follow each other. A scraper
//! rejects the whole page otherwise, so [`Exposition`] takes a whole family at a time. Debug builds
//! check that a name is well-formed, is used once, and ends in `_total` if and only if it is a
//! counter. Names are constants of the program, so the first test that requests the page finds a
//! bad one.
//!
//! # Why not a library
//!
//! `prometheus-client` 0.26 writes OpenMetrics, not this format, and wants metrics to be objects in
//! a registry, while our engines read counters they have anyway when the page is requested. Its
//! `Collector` does allow that, in about as many lines as are here, for 82 kB of program and 7 s of
//! CPU time in a release build (measured alone, x86-64).
//!
//! Source: "Text-based format" in Prometheus' exposition formats. Redis has no such page; an
//! exporter beside it turns `INFO` into one.

use crate::process::Process;
use std::fmt::Write;

use crate::value::Number;

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// The content type the text goes with.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// An empty page.
    pub fn new() -> Exposition {
        Exposition::default()
    }

    /// Adds a number that only grows. The name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Into<Number>) {
        self.counters(name, help).sample(&[], value);
    }

    /// Adds a number that goes up and down. The name ends in its unit (`_bytes`, `_seconds`) if it
    /// has one.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Into<Number>) {
        self.gauges(name, help).sample(&[], value);
    }

    /// Begins a family of counters that differ in their labels.
    pub fn counters<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        debug_assert!(name.ends_with("_total"), "the counter {name} does not end in _total");
        self.family(name, "counter", help)
    }

    /// Begins a family of gauges that differ in their labels.
    pub fn gauges<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        debug_assert!(!name.ends_with("_total"), "the gauge {name} ends like a counter");
        self.family(name, "gauge", help)
    }

    fn family<'a>(&'a mut self, name: &'a str, kind: &str, help: &str) -> Family<'a> {
        debug_assert!(is_name(name, ":"), "{name:?} is not a metric name");
        let head = format!("# TYPE {name} ");
        debug_assert!(!self.text.contains(&head), "the family {name} is written twice");
        self.text.push_str(&format!("# HELP {name} "));
        escape(&mut self.text, help, false);
        self.text.push_str(&format!("\n{head}{kind}\n"));
        Family { text: &mut self.text, name }
    }

    /// Adds the metrics of the process, under the names that all of Prometheus' client libraries
    /// use.
    pub fn process(&mut self, now: &Process) {
        let cpu = now.user_cpu_seconds + now.system_cpu_seconds;
        self.counter("process_cpu_seconds_total", "Processor time used.", cpu);
        self.gauge("process_resident_memory_bytes", "Memory in use.", now.resident_bytes);
        self.gauge("process_virtual_memory_bytes", "Address space reserved.", now.virtual_bytes);
        self.gauge("process_open_fds", "Files and sockets open.", now.open_files);
        self.gauge("process_max_fds", "Files and sockets that may be open.", now.max_files);
        self.gauge("process_threads", "Threads alive.", now.threads);
        let help = "Start of the process, seconds since 1970.";
        self.gauge("process_start_time_seconds", help, now.start_time_seconds);
    }

    /// The page so far.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// The samples of one family.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Family<'_> {
    /// Writes one sample. Within a family, no two have the same labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) -> &mut Self {
        self.text.push_str(self.name);
        for (index, (label, value)) in labels.iter().enumerate() {
            debug_assert!(is_name(label, ""), "{label:?} is not a label name");
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(self.text, value, true);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        match value.into() {
            Number::Real(f64::INFINITY) => self.text.push_str(" +Inf\n"),
            Number::Real(f64::NEG_INFINITY) => self.text.push_str(" -Inf\n"),
            other => writeln!(self.text, " {other}").expect("a String takes every text"),
        }
        self
    }
}

/// Returns true for letters, digits, `_` and `also`, with no digit first.
fn is_name(name: &str, also: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(allowed)
}

/// Escapes backslashes and line ends, and in the values of labels also quotes.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_at_the_head_of_the_file() {
        let mut page = Exposition::new();
        page.counters("minicache_commands_total", "Commands executed.")
            .sample(&[("command", "get")], 1027u64)
            .sample(&[("command", "set")], 3u64);
        let expected = "\
# HELP minicache_commands_total Commands executed.
# TYPE minicache_commands_total counter
minicache_commands_total{command=\"get\"} 1027
minicache_commands_total{command=\"set\"} 3
";
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn escapes_and_odd_numbers() {
        let mut page = Exposition::new();
        page.gauges("g", "back\\slash, \"quotes\",\nline")
            .sample(&[("a", "\\ \" \n"), ("b", "é")], f64::INFINITY)
            .sample(&[], f64::NEG_INFINITY)
            .sample(&[("a", "")], f64::NAN)
            .sample(&[("a", "x")], 0.1 + 0.2);
        let expected = "\
# HELP g back\\\\slash, \"quotes\",\\nline
# TYPE g gauge
g{a=\"\\\\ \\\" \\n\",b=\"é\"} +Inf
g -Inf
g{a=\"\"} NaN
g{a=\"x\"} 0.30000000000000004
";
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn names() {
        for good in ["a", "_a9", "minicache:rate"] {
            assert!(is_name(good, ":"), "{good}");
        }
        for bad in ["", "9a", "a-b", "a b", "é", "a{"] {
            assert!(!is_name(bad, ":"), "{bad}");
        }
        assert!(!is_name("minicache:rate", ""), "no colon in labels");
    }

    #[test]
    #[should_panic(expected = "does not end in _total")]
    fn a_counter_without_its_ending() {
        Exposition::new().counter("commands", "Commands executed.", 1u64);
    }

    #[test]
    #[should_panic(expected = "written twice")]
    fn a_family_in_two_places() {
        let mut page = Exposition::new();
        page.gauge("clients", "Clients inside.", 1u64);
        page.gauge("clients", "Clients inside.", 2u64);
    }

    #[test]
    fn every_process_metric_is_well_formed() {
        let mut page = Exposition::new();
        page.process(&Process::look());
        let text = page.into_text();
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 7);
        assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
    }
}
