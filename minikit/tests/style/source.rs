//! A file of the workspace in the form that the rules read: its text, and its code alone.
//!
//! "Code alone" is the text with comments and literals blanked, so that a rule can
//! look for `.unwrap()` or a brace and find only real ones:
//!
//! ```text
//! text   let a = "x.unwrap()"; // not } here
//! code   let a =             ;
//! ```
//!
//! Both have the same length, so a byte offset (a "place") is valid in either. This is not a
//! parser: it knows comments (nested ones too), strings (raw ones too), characters and lifetimes,
//! and counts braces. Code that rustc accepts has balanced braces, in macros too.

use std::ops::Range;

/// One file of the workspace.
pub struct Source {
    /// Relative to the workspace.
    pub path: String,
    /// The contents; empty for a file that is not UTF-8.
    pub text: String,
    /// The text with comments and literals blanked; empty for files that are not Rust.
    pub code: String,
    /// The items that only tests are built with.
    test_items: Vec<Range<usize>>,
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
        let code = if path.ends_with(".rs") { code_alone(text) } else { String::new() };
        let (path, text) = (path.to_owned(), text.to_owned());
        let mut source = Source { path, text, code, test_items: Vec::new() };
        source.test_items = source.find_test_items();
        source
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Returns true if the whole file is a test, benchmark or example.
    pub fn is_test(&self) -> bool {
        let test = |part: &str| {
            ["tests", "tests.rs", "benches", "examples", "fuzz"].contains(&part)
                || part.ends_with("_tests.rs")
        };
        self.path.split('/').any(test)
    }

    /// Returns true if the file belongs to a crate's sources.
    pub fn is_below_src(&self) -> bool {
        self.path.split('/').any(|part| part == "src")
    }

    /// The line of a place, counted from 1.
    pub fn line_of(&self, place: usize) -> usize {
        1 + self.code[..place].matches('\n').count()
    }

    /// Where `word` stands in the code by itself.
    pub fn words(&self, word: &str) -> Vec<usize> {
        let alone = |place: &usize| {
            let (before, after) = (&self.code[..*place], &self.code[*place + word.len()..]);
            !before.ends_with(is_in_name) && !after.starts_with(is_in_name)
        };
        self.code.match_indices(word).map(|(place, _)| place).filter(alone).collect()
    }

    pub fn functions(&self) -> Vec<Function> {
        self.words("fn").into_iter().filter_map(|place| self.function_at(place)).collect()
    }

    fn function_at(&self, place: usize) -> Option<Function> {
        let name = name_at(self.code[place + 2..].trim_start());
        let end = self.end_of_item(place).filter(|end| self.code[*end..].starts_with('}'))?;
        let line = self.line_of(place);
        let lines = self.line_of(end) - line + 1;
        (!name.is_empty()).then(|| Function { name: name.to_owned(), line, lines })
    }

    /// The closing brace or the semicolon of the item that begins at `place`.
    pub fn end_of_item(&self, place: usize) -> Option<usize> {
        let mut depth = 0;
        for (offset, character) in self.code[place..].char_indices() {
            match character {
                '(' | '[' | '{' => depth += 1,
                '}' if depth == 1 => return Some(place + offset),
                ')' | ']' | '}' => depth -= 1,
                ';' if depth == 0 => return Some(place + offset),
                _ => {}
            }
            // The item was a field or an arm, and what encloses it ends here.
            if depth < 0 {
                return Some(place + offset);
            }
        }
        None
    }

    /// Returns true if a place lies in an item that only tests are built with.
    pub fn is_in_tests(&self, place: usize) -> bool {
        self.is_test() || self.test_items.iter().any(|it| it.contains(&place))
    }

    /// Items under `#[cfg(test)]` or `#[cfg(all(test, ...))]`, from the attribute to their end.
    fn find_test_items(&self) -> Vec<Range<usize>> {
        let starts = ["#[cfg(test)]", "#[cfg(all(test,"].map(|it| self.code.match_indices(it));
        let item = |(start, _): (usize, &str)| {
            let attribute = start + self.code[start..].find(']')?;
            self.end_of_item(attribute + 1).map(|end| start..end + 1)
        };
        starts.into_iter().flatten().filter_map(item).collect()
    }

    /// The modules that this file declares for tests only and keeps in another file.
    pub fn test_modules(&self) -> impl Iterator<Item = &str> {
        let items = self.test_items.iter().map(|it| &self.code[it.clone()]);
        items.filter_map(|it| Some(name_at(it.strip_suffix(';')?.split_once("mod ")?.1)))
    }

    /// The lines that count for a budget, as `(line, text)`: all but the declarations of test
    /// modules, and what follows from the first test module with a body on.
    pub fn lines_without_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_module = |it: &&Range<usize>| self.code[(*it).clone()].contains("mod ");
        let modules = self.test_items.iter().filter(is_module).map(|it| {
            let has_body = self.code[it.clone()].ends_with('}');
            let last = if has_body { usize::MAX } else { self.line_of(it.end) };
            self.line_of(it.start)..=last
        });
        let modules = modules.collect::<Vec<_>>();
        let lines = self.text.lines().enumerate().map(|(index, text)| (index + 1, text));
        lines.filter(move |(line, _)| !modules.iter().any(|it| it.contains(line)))
    }
}

/// Returns true for the characters of names.
pub fn is_in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The name that `code` begins with, or nothing.
pub fn name_at(code: &str) -> &str {
    &code[..code.find(|it| !is_in_name(it)).unwrap_or(code.len())]
}

/// The text with each character of a comment or literal replaced by as many spaces as it has bytes.
fn code_alone(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    while code.len() < text.len() {
        let place = code.len();
        let blank = length_of_blank(text, place);
        for character in text[place..place + blank].chars() {
            match character {
                '\n' => code.push('\n'),
                _ => code.extend(std::iter::repeat_n(' ', character.len_utf8())),
            }
        }
        if blank == 0 {
            code.extend(text[place..].chars().next());
        }
    }
    code
}

/// How many bytes from `place` on are one comment or one literal; 0 if none begins there.
fn length_of_blank(text: &str, place: usize) -> usize {
    let rest = &text[place..];
    let inside_name = text[..place].ends_with(is_in_name);
    let mut characters = rest.chars();
    let first: [Option<char>; 3] = std::array::from_fn(|_| characters.next());
    match first.map(Option::unwrap_or_default) {
        ['/', '/', _] => rest.find('\n').unwrap_or(rest.len()),
        ['/', '*', _] => block_comment(rest),
        ['r', '"' | '#', _] if !inside_name => raw_string(rest, 1),
        ['b' | 'c', 'r', '"' | '#'] if !inside_name => raw_string(rest, 2),
        ['"', ..] => quoted(rest, '"'),
        ['\'', '\\', _] | ['\'', _, '\''] => quoted(rest, '\''),
        _ => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut place) = (0, 0);
    while let Some(offset) = rest[place..].find(['/', '*']) {
        place += offset;
        let mark = &rest.as_bytes()[place..rest.len().min(place + 2)];
        match mark {
            b"/*" => (depth, place) = (depth + 1, place + 2),
            b"*/" if depth == 1 => return place + 2,
            b"*/" => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
    }
    rest.len()
}

/// `prefix` letters, some `#`, a quote, and all up to the quote with as many `#`. 0 for a raw
/// identifier (`r#type`).
fn raw_string(rest: &str, prefix: usize) -> usize {
    let hashes = rest[prefix..].bytes().take_while(|it| *it == b'#').count();
    let from = prefix + hashes + 1;
    if rest.as_bytes().get(from - 1) != Some(&b'"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    rest[from..].find(&end).map_or(rest.len(), |inside| from + inside + end.len())
}

/// From the opening quote through the closing one, which no backslash escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            it if it == quote => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        for (text, expected) in [
            ("a(); // b } \nc", "a();        \nc"),
            ("a('é', b); // é", "a(    , b);      "),
            ("/* a /* { */ } */ b", "                  b"),
            ("a /* {\n} */ b", "a     \n     b"),
            (r#"x("}\"{", 1)"#, "x(      , 1)"),
            (r###"x(r#"}"{"#, b"{")"###, "x(        , b   )"),
            (r"match c { '{' => '\'', _ => 'a' }", "match c {     =>     , _ =>     }"),
            ("fn f<'a>(r#type: &'a str) {}", "fn f<'a>(r#type: &'a str) {}"),
        ] {
            assert_eq!(code_alone(text), expected);
            assert_eq!(code_alone(text).len(), text.len(), "{text}");
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

    #[test]
    fn test_modules_do_not_count() {
        let text =
            "//! A.\n#[cfg(test)]\nmod testing;\nfn f() {}\n#[cfg(test)]\nmod tests {\n}\n//\n";
        let source = Source::new("src/a.rs", text);
        assert_eq!(source.test_modules().collect::<Vec<_>>(), ["testing"]);
        let lines = source.lines_without_tests().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(lines, [1, 4]);
    }
}
