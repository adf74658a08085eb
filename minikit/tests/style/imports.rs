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

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, is_in_name, name_at};
use crate::workspace::Workspace;

/// Longer chains of re-exports than this are circular.
pub const CHAIN_MAX: usize = 16;

pub struct Crate<'a> {
    name: &'a str,
    modules: BTreeMap<String, Module<'a>>,
}

pub struct Module<'a> {
    pub source: &'a Source,
    pub paths: Vec<Named>,
    definitions: BTreeSet<&'a str>,
}

/// A path as it is written in a module.
pub struct Named {
    /// Where in the code.
    place: usize,
    pub line: usize,
    /// The modules inside of the file around the place: empty, or `::tables`.
    inside: String,
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
    /// False if the path only names a module, as in `use super::store`, or if it re-exports an item
    /// of a module below, as the `pub use` of a `mod.rs` does.
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
            let (paths, definitions) = (paths_of(source), definitions(source));
            (path.to_owned(), Module { source, paths, definitions })
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
        let paths = self.modules.iter();
        let paths = paths.flat_map(|(from, module)| module.paths.iter().map(move |it| (from, it)));
        paths.filter_map(|(from, named)| self.import(from, named)).collect()
    }

    fn import<'s>(&'s self, from: &'s str, named: &Named) -> Option<Import<'s>> {
        let source = self.modules[from].source;
        let scope = format!("{from}{}", named.inside);
        let target = self.resolve(&scope, &named.path, CHAIN_MAX)?;

        // As written: the module that `crate`, `super` or a name leads to, and the rest.
        let is_relative = |it: &&String| ["self", "super"].contains(&it.as_str());
        let start = named.path.iter().take_while(is_relative).count().max(1);
        let head = self.resolve(&scope, &named.path[..start], CHAIN_MAX)?;
        let rest = named.path[start..].iter().cloned();
        let written = [head.module].into_iter().chain(head.item).chain(rest);
        let written = written.filter(|it| !it.is_empty()).collect::<Vec<_>>().join("::");

        let is_re_export = named.is_public && is_below(&target.module, from);
        let names_item = target.item.is_some() || matches!(named.binds, Binds::All);
        let is_dependency = names_item && !is_re_export && target.module != from;
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

        let Module { paths, definitions, .. } = self.modules.get(module)?;
        let binds_name = |it: &&Named| matches!(&it.binds, Binds::Name(bound) if bound == name);
        if let Some(named) = paths.iter().find(binds_name) {
            return self.resolve(&format!("{module}{}", named.inside), &named.path, chain);
        }
        if definitions.contains(name) {
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
fn is_below(module: &str, above: &str) -> bool {
    above.is_empty() || module.strip_prefix(above).is_some_and(|it| it.starts_with("::"))
}

/// The names of the items, methods and macros of a file.
fn definitions(source: &Source) -> BTreeSet<&str> {
    let keywords = "struct enum union trait type fn const static mod macro_rules".split(' ');
    let places = keywords.flat_map(|it| source.words(it).into_iter().map(|at| at + it.len()));
    places.map(|at| name_at(source.code[at..].trim_start_matches(['!', ' ']))).collect()
}

/// Every path in a file, tests left out.
fn paths_of(source: &Source) -> Vec<Named> {
    let mut paths = Vec::new();
    let mut statements = Vec::new();
    for start in source.words("use") {
        let tree = start + "use".len();
        // `impl Trait + use<'a>` imports nothing.
        if !source.code[tree..].trim_start().starts_with('<') {
            let end = source.code[tree..].find(';').map_or(tree, |it| tree + it);
            let is_public = source.code[..start].trim_end().ends_with(['b', ')']);
            paths.extend(leaves(&source.code[..end], tree, is_public));
            statements.push(start..end);
        }
    }

    let inside = paths_inside(&source.code).into_iter();
    paths.extend(inside.filter(|it| !statements.iter().any(|range| range.contains(&it.place))));
    paths.retain(|it| !source.is_in_tests(it.place));
    for start in source.words("mod") {
        let end = source.end_of_item(start).unwrap_or(start);
        let name = name_at(source.code[start + "mod".len()..].trim_start());
        let inside = paths.iter_mut().filter(|it| (start..end).contains(&it.place));
        inside.for_each(|it| it.inside += &format!("::{name}"));
    }
    paths.iter_mut().for_each(|it| it.line = source.line_of(it.place));
    paths
}

/// The leaves of the tree of a `use`, which begins at `start` and reaches to the end of `code`.
fn leaves(code: &str, start: usize, is_public: bool) -> Vec<Named> {
    let mut leaves = Vec::new();
    // The paths in front of the braces that are open, and the leaf that is being read.
    let mut open = vec![Vec::new()];
    let (mut path, mut alias, mut first) = (Vec::<String>::new(), None, None);
    for (place, token) in tokens(code, start).chain([(code.len(), ",")]) {
        match token {
            ":" => {}
            "as" => alias = Some(""),
            "{" => {
                open.push(path.clone());
                first = None;
            }
            "," | "}" => {
                if let Some(place) = first.take() {
                    leaves.push(leaf(place, path, alias.take(), is_public));
                }
                if token == "}" {
                    open.pop();
                }
                path = open.last().cloned().unwrap_or_default();
            }
            name => {
                first.get_or_insert(place);
                match &mut alias {
                    Some(alias) => *alias = name,
                    None => path.push(name.to_owned()),
                }
            }
        }
    }
    leaves
}

fn leaf(place: usize, mut path: Vec<String>, alias: Option<&str>, is_public: bool) -> Named {
    // `a::{self}` is `a`.
    if path.len() > 1 {
        path.pop_if(|it| it == "self");
    }
    let binds = match path.pop_if(|it| it == "*") {
        Some(_) => Binds::All,
        None => Binds::Name(alias.or(path.last().map(String::as_str)).unwrap_or("").to_owned()),
    };
    Named { place, line: 0, inside: String::new(), path, binds, is_public }
}

/// The names and the other characters from `start` on, without white space.
fn tokens(code: &str, start: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut place = start;
    std::iter::from_fn(move || {
        place += code[place..].len() - code[place..].trim_start().len();
        let other = code[place..].chars().next()?.len_utf8();
        let length = name_at(&code[place..]).len().max(other);
        place += length;
        Some((place - length, &code[place - length..place]))
    })
}

/// The paths of two names and more that occur anywhere in the code.
fn paths_inside(code: &str) -> Vec<Named> {
    let mut paths = Vec::new();
    let mut place = 0;
    while let Some(offset) = code[place..].find(is_in_name) {
        let start = place + offset;
        let mut path = vec![name_at(&code[start..]).to_owned()];
        place = start + path[0].len();
        while let Some(rest) = code[place..].strip_prefix("::") {
            let name = name_at(rest);
            if name.is_empty() {
                break;
            }
            path.push(name.to_owned());
            place += "::".len() + name.len();
        }

        // Not the end of `<T as Trait>::A::b`, and not the range of a `pub(in crate::engine)`.
        let is_whole = !code[..start].ends_with("::") && !code[..start].ends_with("(in ");
        if path.len() > 1 && is_whole {
            let (inside, binds) = (String::new(), Binds::Nothing);
            paths.push(Named { place: start, line: 0, inside, path, binds, is_public: false });
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
