//! The modules of one crate, and what each of them names of the others.
//!
//! Every path counts: the leaves of `use` lists and the paths inside code. A path is followed
//! through `use` and `pub use` to the module that defines the item, so a re-export hides nothing:
//!
//! ```text
//! engine/mod.rs    pub use store::Shard;
//! commands/get.rs  use crate::engine::{Shard, clock};   -> Shard of engine::store, engine::clock
//!                  clock::now()                         -> now of engine::clock
//! ```
//!
//! Comments and tests do not count. Names that only a macro makes are taken to be items of the
//! module in which they are named. A module is written as its path, `engine::store`; the root of
//! the crate is the empty string.

use std::collections::BTreeMap;

use crate::source::{Source, is_in_name, name_at};
use crate::workspace::Workspace;

/// Longer chains of re-exports than this are circular.
const CHAIN_MAX: usize = 16;

pub struct Crate<'a> {
    name: &'a str,
    modules: BTreeMap<String, Module<'a>>,
}

pub struct Module<'a> {
    pub source: &'a Source,
    pub paths: Vec<Named>,
}

/// A path as it is written in a module.
pub struct Named {
    /// Where in the code.
    place: usize,
    pub line: usize,
    /// `["crate", "engine", "Shard"]`
    pub path: Vec<String>,
    binds: Binds,
    is_public: bool,
}

/// The name that a path gives to what it names.
enum Binds {
    Nothing,
    Name(String),
    /// `use super::*`
    All,
}

/// What a path means: an item of a module, or the module itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub module: String,
    pub item: Option<String>,
}

/// A path that stays in the crate.
pub struct Import<'a> {
    pub from: &'a str,
    pub source: &'a Source,
    pub line: usize,
    /// From the root of the crate, as written: `engine::Shard`.
    pub written: String,
    pub target: Target,
    /// False if the path only names a module, as `use super::store` does, or hands on what a module
    /// below has, as the `pub use` of a `mod.rs` does.
    pub is_dependency: bool,
}

impl<'a> Crate<'a> {
    pub fn read(workspace: &'a Workspace, name: &'a str) -> Crate<'a> {
        // `main.rs` is a crate of its own, and nothing can import it.
        let sources = workspace.sources_of(name).into_iter();
        let sources = sources.filter(|it| !it.path.ends_with("/src/main.rs"));
        let module = |source: &'a Source| {
            let path = source.path.trim_start_matches(name).trim_start_matches("/src/");
            let path = path.trim_end_matches(".rs").replace('/', "::");
            let path = path.strip_suffix("::mod").unwrap_or(&path);
            let path = if path == "lib" { "" } else { path };
            (path.to_owned(), Module { source, paths: paths_of(source) })
        };
        Crate { name, modules: sources.map(module).collect() }
    }

    pub fn modules(&self) -> impl Iterator<Item = (&str, &Module<'a>)> {
        self.modules.iter().map(|(path, module)| (path.as_str(), module))
    }

    /// The folder of a module: its own path if it has modules below it, its parent's otherwise.
    pub fn folder_of<'m>(&self, module: &'m str) -> &'m str {
        let below = format!("{module}::");
        let has_children = self.modules.keys().any(|it| it.starts_with(&below));
        if has_children || module.is_empty() { module } else { parent(module) }
    }

    pub fn imports(&self) -> Vec<Import<'_>> {
        let modules = self.modules.iter();
        modules
            .flat_map(|(from, it)| it.paths.iter().filter_map(|it| self.import(from, it)))
            .collect()
    }

    fn import<'s>(&'s self, from: &'s str, named: &Named) -> Option<Import<'s>> {
        let source = self.modules[from].source;
        let scope = scope(from, source, named.place);
        let target = self.resolve(&scope, &named.path, CHAIN_MAX)?;

        let is_way_up = |it: &&String| ["self", "super"].contains(&it.as_str());
        let way_up = named.path.iter().take_while(is_way_up).count().max(1);
        let head = self.resolve(&scope, &named.path[..way_up], CHAIN_MAX)?;
        let rest = named.path[way_up..].iter().cloned();
        let written = [head.module].into_iter().chain(head.item).chain(rest);
        let written = written.filter(|it| !it.is_empty()).collect::<Vec<_>>().join("::");

        let hands_on = named.is_public && is_below(&target.module, from);
        let names_item = target.item.is_some() || matches!(named.binds, Binds::All);
        let is_dependency = names_item && !hands_on && target.module != from;
        Some(Import { from, source, line: named.line, written, target, is_dependency })
    }

    /// What `path` means in the module `from`; `None` if it leads out of the crate.
    pub fn resolve(&self, from: &str, path: &[String], chain: usize) -> Option<Target> {
        let module = |module: &str| Some(Target { module: module.to_owned(), item: None });
        let mut at = match path.first()?.as_str() {
            "crate" => module(""),
            "self" => module(from),
            "super" => module(parent(from)),
            name if name == self.name => module(""),
            name => self.lookup(from, name, chain.checked_sub(1)?),
        }?;
        for name in &path[1..] {
            // What follows an item is a variant or an associated function.
            if at.item.is_some() {
                break;
            }
            at = match name.as_str() {
                "self" => at,
                "super" => module(parent(&at.module))?,
                name => self.lookup(&at.module, name, chain.checked_sub(1)?).unwrap_or_else(|| {
                    Target { module: at.module.clone(), item: Some(name.to_owned()) }
                }),
            };
        }
        Some(at)
    }

    /// What `name` means in a module: a child, what a `use` brings, an item, or what a `use` with
    /// an asterisk brings.
    fn lookup(&self, module: &str, name: &str, chain: usize) -> Option<Target> {
        let child = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        if self.modules.contains_key(&child) {
            return Some(Target { module: child, item: None });
        }
        let Module { source, paths } = self.modules.get(module)?;
        let bound =
            paths.iter().filter(|it| matches!(&it.binds, Binds::Name(bound) if bound == name));
        let mut bound = bound.map(|it| (it, scope(module, source, it.place)));
        if let Some((named, scope)) = bound.next() {
            return self.resolve(&scope, &named.path, chain);
        }
        if defines(&source.code, name) {
            return Some(Target { module: module.to_owned(), item: Some(name.to_owned()) });
        }
        let all = paths.iter().filter(|it| matches!(it.binds, Binds::All));
        let mut all = all.filter_map(|it| self.resolve(module, &it.path, chain));
        all.find_map(|it| self.lookup(&it.module, name, chain.checked_sub(1)?))
    }
}

/// The path of the module around `module`.
fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// Returns true if `module` is somewhere below `above`.
pub fn is_below(module: &str, above: &str) -> bool {
    above.is_empty() || module.strip_prefix(above).is_some_and(|it| it.starts_with("::"))
}

/// The module that `super` and `self` start from at a place: that of the file, or one inside of it.
fn scope(module: &str, source: &Source, place: usize) -> String {
    let mut scope = module.to_owned();
    for start in source.words("mod") {
        let has_body = |end: &usize| source.code[*end..].starts_with('}');
        let end = source.end_of_item(start).filter(has_body).unwrap_or(start);
        if (start..end).contains(&place) {
            scope = format!("{scope}::{}", name_at(source.code[start + 3..].trim_start()));
        }
    }
    scope
}

fn defines(code: &str, name: &str) -> bool {
    let keywords =
        ["struct", "enum", "union", "trait", "type", "fn", "const", "static", "mod", "!"];
    let is_definition = |(place, _): (usize, &str)| {
        let before = code[..place].trim_end();
        let whole = !code[place + name.len()..].starts_with(is_in_name);
        whole && before.len() < place && keywords.iter().any(|it| before.ends_with(it))
    };
    code.match_indices(name).any(is_definition)
}

/// Every path in a file, tests left out.
fn paths_of(source: &Source) -> Vec<Named> {
    let code = source.code.as_str();
    let mut paths = Vec::new();
    let mut statements = Vec::new();
    for start in source.words("use") {
        // `impl Trait + use<'a>` imports nothing.
        let tree = start + "use".len();
        let end = tree + code[tree..].find(';').unwrap_or(0);
        if end > tree && !code[tree..].trim_start().starts_with('<') {
            let is_public = code[..start].trim_end().ends_with(['b', ')']);
            leaves(code, tree..end, &[], is_public, &mut paths);
            statements.push(start..end);
        }
    }
    let inside = paths_inside(code).into_iter();
    paths.extend(inside.filter(|it| !statements.iter().any(|range| range.contains(&it.place))));
    paths.retain(|it| !source.is_in_tests(it.place));
    paths.iter_mut().for_each(|it| it.line = source.line_of(it.place));
    paths
}

/// The leaves of the part of a `use` that is `code[tree]`, which follows the path `above`.
fn leaves(
    code: &str,
    tree: std::ops::Range<usize>,
    above: &[String],
    is_public: bool,
    paths: &mut Vec<Named>,
) {
    let text = &code[tree.clone()];
    let place = tree.start + (text.len() - text.trim_start().len());
    let (text, alias) = text.split_once(" as ").filter(|_| !text.contains('{')).unzip();
    let text = text.unwrap_or(&code[tree.clone()]);
    let (head, list) = text.split_once('{').map_or((text, None), |(head, list)| (head, Some(list)));
    let names = head.split("::").map(str::trim).filter(|it| !it.is_empty());
    let mut path = above.iter().cloned().chain(names.map(str::to_owned)).collect::<Vec<_>>();

    if let Some(list) = list {
        let list = &list[..list.rfind('}').unwrap_or(list.len())];
        let mut start = tree.start + head.len() + 1;
        let (mut depth, end) = (0, start + list.len());
        for (offset, character) in list.char_indices().chain([(list.len(), ',')]) {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    let next = end - list.len() + offset;
                    leaves(code, start..next, &path, is_public, paths);
                    start = (next + 1).min(end);
                }
                _ => {}
            }
        }
    } else if !head.trim().is_empty() {
        path.pop_if(|it| it == "self" && !above.is_empty());
        let is_all = path.pop_if(|it| it == "*").is_some();
        let name = alias.map(str::trim).or(path.last().map(String::as_str)).unwrap_or_default();
        let binds = if is_all { Binds::All } else { Binds::Name(name.to_owned()) };
        paths.push(Named { place, line: 0, path, binds, is_public });
    }
}

/// The paths of two names and more that occur anywhere in the code.
fn paths_inside(code: &str) -> Vec<Named> {
    let mut paths = Vec::new();
    let mut place = 0;
    while let Some(offset) = code[place..].find(is_in_name) {
        let start = place + offset;
        let mut path = vec![name_at(&code[start..]).to_owned()];
        place = start + path[0].len();
        while let Some(rest) =
            code[place..].strip_prefix("::").filter(|it| it.starts_with(is_in_name))
        {
            path.push(name_at(rest).to_owned());
            place += "::".len() + name_at(rest).len();
        }
        // Not the end of `<T as Trait>::A::b`, and not the range of a `pub(in crate::engine)`.
        let is_whole = !code[..start].ends_with("::") && !code[..start].ends_with("(in ");
        if path.len() > 1 && is_whole {
            paths.push(Named {
                place: start,
                line: 0,
                path,
                binds: Binds::Nothing,
                is_public: false,
            });
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The imports of `minilb::a::b`, as `line written -> module item`.
    fn imports(text: &str) -> Vec<String> {
        let workspace = Workspace::of(&[
            ("minilb/src/lib.rs", "pub mod a;\npub mod c;\nmacro_rules! m { () => {} }\n"),
            ("minilb/src/a/mod.rs", "mod b;\npub use crate::c::d::{Deep as Shallow, e::*};\n"),
            ("minilb/src/a/b.rs", text),
            ("minilb/src/c.rs", "pub mod d;\npub fn f() {}\n"),
            ("minilb/src/c/d/mod.rs", "pub struct Deep;\npub mod e;\n"),
            ("minilb/src/c/d/e.rs", "pub enum E { V }\n"),
        ]);
        let crate_ = Crate::read(&workspace, "minilb");
        let imports = crate_.imports().into_iter().filter(|it| it.from == "a::b");
        let as_text = |it: Import| {
            let item = it.target.item.unwrap_or_default();
            format!("{} {} -> {} {item}", it.line, it.written, it.target.module)
        };
        imports.map(as_text).collect()
    }

    #[test]
    fn use_lists_are_taken_apart() {
        let text =
            "use std::{fs, io};\npub use crate::{\n    c::{self, d::{Deep as D, e}},\n    a,\n};\n";
        let expected =
            ["3 c -> c ", "3 c::d::Deep -> c::d Deep", "3 c::d::e -> c::d::e ", "4 a -> a "];
        assert_eq!(imports(text), expected);
    }

    #[test]
    fn paths_in_code_are_followed_through_names_and_re_exports() {
        let text = "use super::super::c as sea;\nuse super::Shallow;\nfn f() -> impl A + use<> {\n\
                    sea::f();\nsuper::E::V;\nminilb::c::d::new::<u8>();\nShallow::new();\n}\n";
        let expected = [
            "1 c -> c ",
            "2 a::Shallow -> c::d Deep",
            "4 c::f -> c f",
            "5 a::E::V -> c::d::e E",
            "6 c::d::new -> c::d new",
            "7 c::d::Deep::new -> c::d Deep",
        ];
        assert_eq!(imports(text), expected);
    }

    #[test]
    fn macros_and_inner_modules_are_read() {
        let text = "mod imp {\nuse super::super::Shallow;\n}\n\
                    macro_rules! n { () => { $crate::c::f() } }\n";
        assert_eq!(imports(text), ["2 a::Shallow -> c::d Deep", "4 c::f -> c f"]);
    }

    #[test]
    fn comments_strings_tests_and_visibility_do_not_count() {
        let text = "//! [c](crate::c)\n/// crate::c::f\npub(in crate::a) fn f() { \"crate::c\" }\n\
                    #[cfg(test)]\nuse crate::c;\n#[cfg(test)]\nmod tests { use crate::c::f; }\n";
        assert_eq!(imports(text), [""; 0]);
    }
}
