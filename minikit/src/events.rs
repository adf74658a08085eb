//! What happens inside an engine, told while it happens.
//!
//! An engine's core says things like "evicted user:7, it had been idle for 1200 ms" to an
//! [`Observer`] that it is given. One type for all engines, and several ways to read the same run:
//!
//! ```text
//! text   0.001234500 minicache evicted user:7 policy=allkeys-lru idle_ms=1200
//! JSON   {"at_ns":1234500,"engine":"minicache","kind":"evicted","name":"user:7",
//!         "fields":{"policy":"allkeys-lru","idle_ms":1200}}                          (in one line)
//! ```
//!
//! **What does it cost when nobody listens?** Nothing. An engine is generic over its observer and
//! hands [`Observer::observe`] a closure that builds the event. [`NoObserver`] has `ON = false`, a
//! constant, so the compiler removes the call together with the closure and whatever it would have
//! formatted.
//!
//! Redis counterparts: keyspace notifications (`notify.c`), the latency monitor (`latency.c`),
//! `MONITOR`; three streams of three shapes, each checked at run time.

use std::fmt;
use std::io;

use crate::value::{Value, push, write_json_list, write_json_text};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Which engine tells it.
    pub engine: &'static str,
    /// When, in nanoseconds of the engine's own clock.
    pub at_ns: u64,
    /// What happened, from a small vocabulary: `evicted`, `expired`, `split`.
    pub kind: &'static str,
    /// To what: a key, a page, a client.
    pub name: String,
    /// What else there is to know, in the order of telling.
    pub fields: Vec<(&'static str, Value)>,
}

impl Event {
    /// An event without fields.
    pub fn new(
        engine: &'static str,
        at_ns: u64,
        kind: &'static str,
        name: impl Into<String>,
    ) -> Event {
        Event { engine, at_ns, kind, name: name.into(), fields: Vec::new() }
    }

    /// The same event with one field more.
    pub fn with(mut self, field: &'static str, value: impl Into<Value>) -> Event {
        self.fields.push((field, value.into()));
        self
    }

    /// The event as one line of JSON, without the line end.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        push(&mut out, format_args!("{{\"at_ns\":{},\"engine\":", self.at_ns));
        write_json_text(&mut out, self.engine);
        out.push_str(",\"kind\":");
        write_json_text(&mut out, self.kind);
        out.push_str(",\"name\":");
        write_json_text(&mut out, &self.name);
        out.push_str(",\"fields\":");
        write_json_list(&mut out, ['{', '}'], &self.fields, |out, (field, value)| {
            write_json_text(out, field);
            out.push(':');
            value.write_json(out);
        });
        out.push('}');
        out
    }
}

impl fmt::Display for Event {
    /// The event as one line of text, for people. Names and values that hold blanks, quotes or
    /// control characters are quoted, so that the line can be taken apart again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.at_ns / 1_000_000_000, self.at_ns % 1_000_000_000);
        write!(f, "{seconds}.{rest:09} {} {} ", self.engine, self.kind)?;
        write_word(f, &self.name)?;
        for (field, value) in &self.fields {
            write!(f, " {field}=")?;
            write_word(f, &value.to_string())?;
        }
        Ok(())
    }
}

fn write_word(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
    match !word.is_empty() && word.chars().all(plain) {
        true => f.write_str(word),
        false => write!(f, "{word:?}"),
    }
}

/// Someone whom an engine tells what happens.
pub trait Observer {
    /// Whether anyone listens. Known at compile time: `false` removes the telling from the program.
    const ON: bool;

    /// Takes one event. Engines call [`observe`](Observer::observe) instead.
    fn event(&mut self, event: Event);

    /// Builds the event and takes it, if anyone listens.
    fn observe(&mut self, build: impl FnOnce() -> Event) {
        if Self::ON {
            self.event(build());
        }
    }
}

/// Nobody listens: no size, no code.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    const ON: bool = false;

    fn event(&mut self, _event: Event) {}
}

/// Keeps all events, in order.
impl Observer for Vec<Event> {
    const ON: bool = true;

    fn event(&mut self, event: Event) {
        self.push(event);
    }
}

/// How [`Lines`] writes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Writes every event as a line.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    form: Form,
    failed: Option<io::Error>,
}

impl<W: io::Write> Lines<W> {
    /// Writes to `out`, which should be buffered where events are many.
    pub fn new(out: W, form: Form) -> Lines<W> {
        Lines { out, form, failed: None }
    }

    /// Flushes, and returns the writer.
    ///
    /// # Errors
    /// The first error of any write. Nothing was written after it; the engine was not troubled with
    /// it.
    pub fn finish(mut self) -> io::Result<W> {
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }
}

impl<W: io::Write> Observer for Lines<W> {
    const ON: bool = true;

    fn event(&mut self, event: Event) {
        if self.failed.is_none() {
            self.failed = match self.form {
                Form::Text => writeln!(self.out, "{event}"),
                Form::Json => writeln!(self.out, "{}", event.to_json()),
            }
            .err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evicted() -> Event {
        Event::new("minicache", 1_234_500, "evicted", "user:7")
            .with("policy", "allkeys-lru")
            .with("idle_ms", 1200u64)
    }

    #[test]
    fn the_lines_at_the_head_of_the_file() {
        assert_eq!(
            evicted().to_string(),
            "0.001234500 minicache evicted user:7 policy=allkeys-lru idle_ms=1200"
        );
        assert_eq!(
            evicted().to_json(),
            "{\"at_ns\":1234500,\"engine\":\"minicache\",\"kind\":\"evicted\",\"name\":\"user:7\",\
             \"fields\":{\"policy\":\"allkeys-lru\",\"idle_ms\":1200}}"
        );
    }

    #[test]
    fn whatever_a_key_contains_it_stays_one_line() {
        let event =
            Event::new("minicache", 0, "expired", "a b\n\"c\"").with("x", "k=v").with("y", "");
        assert_eq!(event.to_string(), r#"0.000000000 minicache expired "a b\n\"c\"" x="k=v" y="""#);
        assert_eq!(
            event.to_json(),
            concat!(
                r#"{"at_ns":0,"engine":"minicache","kind":"expired","name":"a b\n\"c\"","#,
                r#""fields":{"x":"k=v","y":""}}"#
            )
        );
    }

    /// An engine as they all are: generic over who listens.
    fn work<O: Observer>(observer: &mut O, build: impl Fn() -> Event) {
        observer.observe(&build);
        observer.observe(&build);
    }

    #[test]
    fn without_an_observer_no_event_is_even_built() {
        work(&mut NoObserver, || panic!("nobody asked for this event"));
        assert_eq!(size_of::<NoObserver>(), 0);
    }

    #[test]
    fn a_vector_keeps_and_lines_write() {
        let mut kept = Vec::new();
        work(&mut kept, evicted);
        assert_eq!(kept, [evicted(), evicted()]);

        let mut lines = Lines::new(Vec::new(), Form::Json);
        work(&mut lines, evicted);
        let written = lines.finish().expect("a vector takes everything");
        let expected = format!("{0}\n{0}\n", evicted().to_json());
        assert_eq!(String::from_utf8(written).expect("JSON is text"), expected);
    }

    #[test]
    fn a_writer_that_fails_is_reported_at_the_end() {
        let mut full = [0u8; 10];
        let mut lines = Lines::new(&mut full[..], Form::Text);
        work(&mut lines, evicted);
        assert_eq!(lines.finish().expect_err("10 bytes").kind(), io::ErrorKind::WriteZero);
    }
}
