//! A Rust file in the form that the rules look at: its text, and its code alone.
//!
//! "Code alone" is the text with comments and literals blanked, so that a rule can
//! look for `.unwrap()` or a brace and find only real ones:
//!
//! ```text
//! text   let a = "x.unwrap()"; // not } here
//! code   let a =             ;
//! ```
//!
//! Every character keeps its line and column. This is no parser: it knows comments (nested ones
//! too), strings (raw ones too), characters and lifetimes, and counts braces. Real Rust passes;
//! macros that unbalance braces would not, and rustc does not let them either.

/// One file of the workspace.
pub struct Source {
    /// Relative to the workspace.
    pub path: String,
    /// What the file contains.
    pub text: String,
    /// The code alone, character for character; empty for files that are not Rust.
    pub code: Vec<char>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// The line of `fn`, counted from 1.
    pub line: usize,
    /// From there to the closing brace, both included.
    pub lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let code = if path.ends_with(".rs") { code_alone(text) } else { Vec::new() };
        Source { path: path.to_owned(), text: text.to_owned(), code }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Whether the whole file is test, benchmark or example.
    pub fn is_test(&self) -> bool {
        let test = |part: &str| {
            ["tests", "tests.rs", "benches", "examples", "fuzz"].contains(&part)
                || part.ends_with("_tests.rs")
        };
        self.path.split('/').any(test)
    }

    /// Whether the file belongs to a crate's sources.
    pub fn is_below_src(&self) -> bool {
        self.path.split('/').any(|part| part == "src")
    }

    /// The line of a place in the code, counted from 1.
    pub fn line_of(&self, place: usize) -> usize {
        1 + self.code[..place].iter().filter(|it| **it == '\n').count()
    }

    /// Where `needle` begins in the code, each time.
    pub fn places_of(&self, needle: &str) -> Vec<usize> {
        let needle = needle.chars().collect::<Vec<_>>();
        let windows = self.code.windows(needle.len()).enumerate();
        windows.filter(|(_, window)| *window == needle).map(|(place, _)| place).collect()
    }

    /// Where `word` stands by itself.
    pub fn words(&self, word: &str) -> Vec<usize> {
        let part_of_word = |place: usize| {
            self.code.get(place).is_some_and(|it| it.is_alphanumeric() || *it == '_')
        };
        let mut places = self.places_of(word);
        places.retain(|place| {
            !part_of_word(place + word.len()) && !place.checked_sub(1).is_some_and(part_of_word)
        });
        places
    }

    pub fn functions(&self) -> Vec<Function> {
        self.words("fn").into_iter().filter_map(|place| self.function_at(place)).collect()
    }

    fn function_at(&self, place: usize) -> Option<Function> {
        let after = self.code[place + 2..].iter().skip_while(|it| it.is_whitespace());
        let name = after.take_while(|it| it.is_alphanumeric() || **it == '_').collect::<String>();
        let end = self.end_of_item(place)?;
        let line = self.line_of(place);
        (!name.is_empty()).then(|| Function { name, line, lines: self.line_of(end) - line + 1 })
    }

    /// The closing brace of the item that begins at `place`; `None` where it ends in a semicolon.
    fn end_of_item(&self, place: usize) -> Option<usize> {
        let mut depth = 0;
        for (end, character) in self.code.iter().enumerate().skip(place) {
            match character {
                '(' | '[' | '{' => depth += 1,
                '}' if depth == 1 => return Some(end),
                ')' | ']' | '}' => depth -= 1,
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }

    /// Whether a place lies in an item that only tests are built with.
    pub fn is_in_tests(&self, place: usize) -> bool {
        self.is_test() || self.test_items().iter().any(|(from, to)| (*from..*to).contains(&place))
    }

    /// Items under `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
    fn test_items(&self) -> Vec<(usize, usize)> {
        let starts = ["#[cfg(test)]", "#[cfg(all(test,"].map(|it| self.places_of(it)).concat();
        let item = |start: usize| {
            let attribute = self.code[start..].iter().position(|it| *it == ']')?;
            self.end_of_item(start + attribute + 1).map(|end| (start, end))
        };
        starts.into_iter().filter_map(item).collect()
    }
}

/// The text with comments and literals blanked.
fn code_alone(text: &str) -> Vec<char> {
    let text = text.chars().collect::<Vec<_>>();
    let mut code = text.clone();
    let mut place = 0;
    while place < text.len() {
        let end = place + length_of_blank(&text, place);
        code[place..end].iter_mut().filter(|it| **it != '\n').for_each(|it| *it = ' ');
        place = end.max(place + 1);
    }
    code
}

/// How many characters from `place` on are one comment or one literal; 0 where none begins.
fn length_of_blank(text: &[char], place: usize) -> usize {
    let rest = &text[place..];
    let inside_word = place > 0 && (text[place - 1].is_alphanumeric() || text[place - 1] == '_');
    match rest {
        ['/', '/', ..] => rest.iter().position(|it| *it == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['r', '"' | '#', ..] if !inside_word => raw_string(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !inside_word => raw_string(rest, 2),
        ['"', ..] => 1 + quoted(&rest[1..], '"'),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => 1 + quoted(&rest[1..], '\''),
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut place) = (0, 0);
    while place < rest.len() {
        match &rest[place..] {
            ['/', '*', ..] => (depth, place) = (depth + 1, place + 2),
            ['*', '/', ..] if depth == 1 => return place + 2,
            ['*', '/', ..] => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
    }
    rest.len()
}

/// `prefix` letters, some `#`, a quote, and all up to the quote with as many `#`. A raw identifier
/// (`r#type`) is none.
fn raw_string(rest: &[char], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|it| **it == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        return 0;
    }
    let end = [vec!['"'], vec!['#'; hashes]].concat();
    let from = prefix + hashes + 1;
    let inside = rest[from..].windows(end.len()).position(|window| window == end);
    inside.map_or(rest.len(), |inside| from + inside + end.len())
}

/// Up to and with the closing quote that no backslash escapes.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut escaped = false;
    for (place, character) in rest.iter().enumerate() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            it if *it == quote => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        code_alone(text).into_iter().collect::<String>()
    }

    #[test]
    fn comments_and_literals_are_blank() {
        for (text, expected) in [
            ("a(); // b } \nc", "a();        \nc"),
            ("/* a /* { */ } */ b", "                  b"),
            ("a /* {\n} */ b", "a     \n     b"),
            (r#"x("}\"{", 1)"#, "x(      , 1)"),
            (r###"x(r#"}"{"#, b"{")"###, "x(        , b   )"),
            (r"match c { '{' => '\'', _ => 'a' }", "match c {     =>     , _ =>     }"),
            ("fn f<'a>(r#type: &'a str) {}", "fn f<'a>(r#type: &'a str) {}"),
        ] {
            assert_eq!(code(text), expected);
            assert_eq!(code(text).chars().count(), text.chars().count(), "{text}");
        }
    }

    #[test]
    fn functions_have_their_lines() {
        let text = "\
fn short() {}
trait T {
    fn no_body(&self, it: [u8; 4]) -> u8;
    const fn long<F: Fn(u8) -> u8>(f: F)
    where
        F: Copy,
    {
        let g: fn(u8) = |_| {};
    }
}
";
        let function = |name: &str, line, lines| Function { name: name.to_owned(), line, lines };
        let expected = [function("short", 1, 1), function("long", 4, 6)];
        assert_eq!(Source::new("a.rs", text).functions(), expected);
    }

    #[test]
    fn test_items_are_known() {
        let text = "fn a() { x }\n#[cfg(test)]\nmod tests { fn b() { x } }\nfn c() { x }\n\
                    #[cfg(all(test, not(loom)))]\n#[allow(dead_code)]\nfn d() { x }\n";
        let source = Source::new("src/a.rs", text);
        let places = source.words("x");
        let in_tests = places.iter().map(|it| source.is_in_tests(*it)).collect::<Vec<_>>();
        assert_eq!(in_tests, [false, true, false, true]);
    }

    #[test]
    fn files_have_their_kind() {
        for (path, is_test, below_src) in [
            ("minikit/src/sync.rs", false, true),
            ("minikit/tests/all/main.rs", true, false),
            ("minicache/src/engine/config/tests.rs", true, true),
            ("minicache/fuzz/fuzz_targets/resp.rs", true, false),
        ] {
            let source = Source::new(path, "");
            assert_eq!((source.is_test(), source.is_below_src()), (is_test, below_src), "{path}");
        }
    }
}
