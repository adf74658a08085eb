//! Usage lines: the little language in which a command's arguments are written down.
//!
//! ```text
//! key [NX | XX] [EX seconds | PX milliseconds] [GET pattern [GET pattern ...]]
//! │    │           │                             └ a word that comes with every repetition
//! │    │           └ a word in capitals is typed as it is, and leads what follows it
//! │    └ [ ] may be left out; < > may not; | parts alternatives
//! └ a lower-case name stands for a value
//!
//! key [key ...]                    what is before it, again as often as one likes
//! [<GET encoding | SET value> ...]   the same where writing it twice would be long
//! ```
//!
//! [`parse`] makes the tree of it that `COMMAND DOCS` shows and that clients make hints from. Types
//! are guessed from names, which is why names are chosen from a small stock: `seconds` is an
//! integer everywhere. Redis goes the other way and keeps the tree, in JSON of ten lines an
//! argument (`src/commands/*.json`).

/// One argument, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    pub kind: ArgumentKind,
    /// The word typed before it; for [`ArgumentKind::Token`], the argument itself. Often empty.
    pub token: &'static str,
    pub optional: bool,
    pub multiple: bool,
    /// True if `token` is repeated with it.
    pub multiple_token: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A value, of the type named in `COMMAND DOCS`.
    Value(&'static str),
    Token,
    OneOf(Vec<Argument>),
    Block(Vec<Argument>),
}

impl Argument {
    fn is_word_in_capitals(&self) -> bool {
        self.kind == ArgumentKind::Token && !self.optional && !self.multiple
    }
}

impl ArgumentKind {
    /// The type in `COMMAND DOCS`.
    pub fn name(&self) -> &'static str {
        match self {
            ArgumentKind::Value(name) => name,
            ArgumentKind::Token => "pure-token",
            ArgumentKind::OneOf(_) => "oneof",
            ArgumentKind::Block(_) => "block",
        }
    }
}

/// The arguments of a usage line. Lines come from the table, whose test reads them all; of a line
/// that is not in the language the rest from the first mistake is left out.
pub fn parse(usage: &'static str) -> Vec<Argument> {
    let mut reader = Reader { words: words(usage), at: 0 };
    reader.sequence()
}

/// One argument of several parts: a word in capitals leads all that follow it.
fn together(mut parts: Vec<Argument>) -> Argument {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    if parts.first().is_some_and(Argument::is_word_in_capitals) {
        let token = parts.remove(0).token;
        let led = together(parts);
        let name = match led.kind {
            ArgumentKind::Value(_) => led.name,
            _ => token.to_lowercase(),
        };
        return Argument { name, token, ..led };
    }
    plain("group", ArgumentKind::Block(parts))
}

/// One argument of several alternatives.
fn choice(mut alternatives: Vec<Vec<Argument>>) -> Argument {
    match alternatives.len() {
        1 => together(alternatives.remove(0)),
        _ => plain("choice", ArgumentKind::OneOf(alternatives.into_iter().map(together).collect())),
    }
}

fn repeated(argument: Argument) -> Argument {
    let multiple_token = !argument.token.is_empty();
    Argument { multiple: true, multiple_token, ..argument }
}

fn single(word: &'static str) -> Argument {
    if is_token(word) {
        return Argument { token: word, ..plain(&word.to_lowercase(), ArgumentKind::Token) };
    }
    let known = TYPES.iter().find(|(_, names)| names.split(' ').any(|name| name == word));
    plain(word, ArgumentKind::Value(known.map_or("string", |(kind, _)| kind)))
}

fn plain(name: &str, kind: ArgumentKind) -> Argument {
    let name = name.to_string();
    Argument { name, kind, token: "", optional: false, multiple: false, multiple_token: false }
}

fn is_token(word: &str) -> bool {
    !word.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Names and the types they stand for; all other names are `string`.
const TYPES: [(&str, &str); 5] = [
    ("key", "key source destination destkey newkey key1 key2 dst src"),
    ("pattern", "pattern"),
    ("unix-time", "unix-time-seconds unix-time-milliseconds"),
    ("double", "score timeout weight"),
    (
        "integer",
        "bit client-id count cursor db decrement destination-db end increment index index1 index2 \
         len limit milliseconds num-matches numkeys numreplicas offset protover rank seconds start \
         stop version",
    ),
];

/// The words of a usage line; each bracket and bar is one.
fn words(usage: &'static str) -> Vec<&'static str> {
    let is_mark = |at: char| matches!(at, '[' | ']' | '<' | '>' | '|');
    let mut words = Vec::new();
    for text in usage.split_whitespace() {
        let mut rest = text;
        while !rest.is_empty() {
            let end = if rest.starts_with(is_mark) { Some(1) } else { rest.find(is_mark) };
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            words.push(word);
            rest = after;
        }
    }
    words
}

struct Reader {
    words: Vec<&'static str>,
    at: usize,
}

impl Reader {
    /// Arguments up to a bar, a closing bracket or the end.
    fn sequence(&mut self) -> Vec<Argument> {
        let mut parts = Vec::new();
        while let Some(word) = self.words.get(self.at).copied() {
            if matches!(word, "|" | "]" | ">") {
                break;
            }
            self.at += 1;
            match word {
                "[" => self.optional(&mut parts),
                "<" => parts.push(choice(self.alternatives())),
                "..." => {
                    let again = parts.pop().map(repeated);
                    parts.extend(again);
                }
                word => parts.push(single(word)),
            }
        }
        parts
    }

    /// The argument in brackets. If the brackets repeat what is before them and end in dots, the
    /// arguments before them may come again.
    fn optional(&mut self, parts: &mut Vec<Argument>) {
        let alternatives = self.alternatives();
        if let [only] = alternatives.as_slice()
            && let [led @ .., last] = only.as_slice()
            && last.multiple
        {
            let last = Argument { multiple: false, multiple_token: false, ..last.clone() };
            let again = [led, &[last]].concat();
            if parts.ends_with(&again) {
                parts.truncate(parts.len() - again.len());
                parts.push(repeated(together(again)));
                return;
            }
        }
        parts.push(Argument { optional: true, ..choice(alternatives) });
    }

    /// Sequences with bars between, up to and with the closing bracket.
    fn alternatives(&mut self) -> Vec<Vec<Argument>> {
        let mut alternatives = vec![self.sequence()];
        while self.words.get(self.at) == Some(&"|") {
            self.at += 1;
            alternatives.push(self.sequence());
        }
        self.at += 1;
        alternatives
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A short form of the tree: type, token, name and marks.
    fn shown(argument: &Argument) -> String {
        let inside = match &argument.kind {
            ArgumentKind::OneOf(several) | ArgumentKind::Block(several) => {
                let several: Vec<String> = several.iter().map(shown).collect();
                format!("({})", several.join(" "))
            }
            ArgumentKind::Value(kind) => format!(":{kind}"),
            ArgumentKind::Token => ":token".into(),
        };
        let group = match argument.kind {
            ArgumentKind::OneOf(_) => "one-of",
            ArgumentKind::Block(_) => "all-of",
            _ => &argument.name,
        };
        let token = if argument.token.is_empty() { "" } else { &format!("{} ", argument.token) };
        let marks = [argument.optional, argument.multiple, argument.multiple_token];
        let marks: String = marks
            .iter()
            .zip("?+!".chars())
            .filter(|(set, _)| **set)
            .map(|(_, mark)| mark)
            .collect();
        format!("{token}{group}{inside}{marks}")
    }

    #[test]
    fn usage_lines_become_trees() {
        for (usage, tree) in [
            ("", ""),
            ("key value", "key:key value:string"),
            ("key [key ...]", "key:key+"),
            ("[pattern [pattern ...]]", "pattern:pattern?+"),
            ("key field value [field value ...]", "key:key all-of(field:string value:string)+"),
            ("[NX | XX] [GET]", "one-of(NX nx:token XX xx:token)? GET get:token?"),
            ("<LEFT | RIGHT>", "one-of(LEFT left:token RIGHT right:token)"),
            ("[EX seconds]", "EX seconds:integer?"),
            ("[LIMIT offset count]", "LIMIT all-of(offset:integer count:integer)?"),
            ("[WEIGHTS weight [weight ...]]", "WEIGHTS weight:double?+"),
            ("[GET pattern [GET pattern ...]]", "GET pattern:pattern?+!"),
            ("[AGGREGATE <SUM | MIN>]", "AGGREGATE one-of(SUM sum:token MIN min:token)?"),
            ("[count [WITHVALUES]]", "all-of(count:integer WITHVALUES withvalues:token?)?"),
            (
                "[<GET encoding offset | SET value> ...]",
                "one-of(GET all-of(encoding:string offset:integer) SET value:string)?+",
            ),
        ] {
            let parsed: Vec<String> = parse(usage).iter().map(shown).collect();
            assert_eq!(parsed.join(" "), tree, "{usage}");
        }
    }

    #[test]
    fn unfinished_lines_end() {
        for usage in ["[", "<a", "a ]", "|", "...", "[a ...", "[ ]", "[|]"] {
            parse(usage);
        }
    }
}
