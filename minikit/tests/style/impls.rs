//! The methods of a type are in one file: the inherent `impl` blocks of a type, whatever its
//! parameters. Implementations of traits may be elsewhere.
//!
//! ```text
//! log/mod.rs    impl<T> Log<T> { fn append(..) }
//! log/read.rs   impl Log<u8> { fn read(..) }            fails
//! log/print.rs  impl fmt::Display for Log<u8> { .. }    fine
//! ```

use std::collections::BTreeMap;

use crate::imports::{CHAIN_MAX, Crate, Target};
use crate::rules::Finding;
use crate::source::{Source, is_in_name, name_at};
use crate::workspace::Workspace;

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in workspace.crates() {
        let crate_ = Crate::read(workspace, name);
        let mut files = BTreeMap::<Target, &str>::new();
        for (module, source) in crate_.modules().map(|(path, module)| (path, module.source)) {
            for (place, path) in inherent_impls(source) {
                let unknown = || Target { module: module.to_owned(), item: path.last().cloned() };
                let of = crate_.resolve(module, &path, CHAIN_MAX).unwrap_or_else(unknown);
                let first = *files.entry(of).or_insert(&source.path);
                if first != source.path {
                    let text =
                        format!("impl {}: its other methods are in {first}", path.join("::"));
                    findings.push(Finding::new(&source.path, source.line_of(place), text));
                }
            }
        }
    }
    findings
}

/// Where an `impl` begins, and the path of its type.
fn inherent_impls(source: &Source) -> Vec<(usize, Vec<String>)> {
    let places = source.words("impl").into_iter().filter(|it| !source.is_in_tests(*it));
    let inherent = |place: usize| {
        // An item, not the `impl Trait` of a signature.
        let before = source.code[..place].trim_end();
        let is_item = before.is_empty() || before.ends_with(['}', '{', ';', ']']);
        let header = source.code[place + "impl".len()..].split('{').next()?;
        let header = without_parameters(header);
        let header = header.split(" where").next()?.trim();
        let is_name = |it: char| is_in_name(it) || it == ':';
        let is_inherent = is_item && !header.is_empty() && header.chars().all(is_name);
        let path = header.split("::").map(|it| name_at(it).to_owned()).collect();
        is_inherent.then_some((place, path))
    };
    places.filter_map(inherent).collect()
}

/// The text without what is in angle brackets; the arrow of a closure closes none.
fn without_parameters(text: &str) -> String {
    let mut depth = 0;
    let mut last = ' ';
    let mut is_outside = |character: char| {
        let closes = character == '>' && last != '-';
        depth += i32::from(character == '<');
        let outside = depth == 0;
        depth -= i32::from(closes);
        last = character;
        outside
    };
    text.chars().map(|it| if it == '\n' { ' ' } else { it }).filter(|it| is_outside(*it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::as_text;

    fn found(second: &str) -> Vec<String> {
        let first =
            "pub struct Log<T>(T);\nimpl<F: Fn() -> u8> Log<F>\nwhere\n    F: Copy,\n{\n}\n";
        let files = [
            ("minilog/src/engine/log.rs", first),
            ("minilog/src/engine/mod.rs", "pub use log::Log;\n"),
            ("minilog/src/engine/read.rs", second),
        ];
        as_text(check(&Workspace::of(&files)))
    }

    #[test]
    fn a_type_with_methods_in_two_files_fails() {
        let second = |path| {
            let (first, second) = ("minilog/src/engine/log.rs", "minilog/src/engine/read.rs");
            format!("{second}:2 impl {path}: its other methods are in {first}")
        };
        assert_eq!(found("use crate::engine::Log;\nimpl Log<u8> {}\n"), [second("Log")]);
        assert_eq!(found("\nimpl super::Log<u8> {}\n"), [second("super::Log")]);
    }

    #[test]
    fn traits_namesakes_tests_and_signatures_are_fine() {
        for text in [
            "use super::Log;\nimpl<T> Drop for Log<T> {}\n",
            "struct Log;\nimpl Log {}\n",
            "use super::Log;\n#[cfg(test)]\nimpl Log<u8> {}\n",
            "use super::Log;\nfn f() -> impl Log {}\n",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
