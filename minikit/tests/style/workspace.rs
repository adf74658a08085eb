//! The files of the workspace, read once. A rule's own test makes a small workspace from text:
//!
//! ```text
//! Workspace::of(&[("minicache/src/engine/a.rs", "use crate::wire::Reply;")])
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::source::Source;

/// The crates that have floors, an evening path and POCs.
const ENGINES: [&str; 5] = ["minilog", "minibtree", "minicache", "minilb", "minigateway"];

/// Every file below the root by its path, except what is built, fetched or hidden.
pub struct Workspace {
    files: BTreeMap<String, Source>,
}

impl Workspace {
    pub fn load() -> Workspace {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = BTreeMap::new();
        walk(&root, "", &mut files);
        Workspace { files }
    }

    /// What a rule's own test works on.
    pub fn of(files: &[(&str, &str)]) -> Workspace {
        let files = files.iter().map(|(path, text)| (path.to_string(), Source::new(path, text)));
        Workspace { files: files.collect() }
    }

    pub fn file(&self, path: &str) -> Option<&Source> {
        self.files.get(path)
    }

    pub fn files(&self) -> impl Iterator<Item = &Source> {
        self.files.values()
    }

    /// Returns true if a file or a directory has this path.
    pub fn exists(&self, path: &str) -> bool {
        let directory = format!("{path}/");
        self.files.contains_key(path) || self.files.keys().any(|it| it.starts_with(&directory))
    }

    /// The directories at the root that contain Rust sources.
    pub fn crates(&self) -> Vec<&str> {
        let names = self.files.keys().filter_map(|path| path.split_once("/src/"));
        let names = names.map(|(name, _)| name).filter(|name| !name.contains('/'));
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The engines that exist so far.
    pub fn engines(&self) -> Vec<&str> {
        self.crates().into_iter().filter(|it| ENGINES.contains(it)).collect()
    }

    /// The Rust sources of a crate, tests left out: files that are tests by name, and modules that
    /// are declared for tests only.
    pub fn sources_of(&self, name: &str) -> Vec<&Source> {
        let below = format!("{name}/src/");
        let sources = self.files.values().filter(|it| it.path.starts_with(&below) && it.is_rust());
        let sources = sources.filter(|it| !it.is_test()).collect::<Vec<_>>();

        let for_tests = sources.iter().flat_map(|source| {
            let folder = folder_of_children(&source.path);
            source.test_modules().map(move |module| format!("{folder}/{module}"))
        });
        let for_tests = for_tests.collect::<Vec<_>>();
        let is_for_tests = |path: &str| {
            let rest = for_tests.iter().filter_map(|it| path.strip_prefix(it.as_str()));
            rest.into_iter().any(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        sources.into_iter().filter(|it| !is_for_tests(&it.path)).collect()
    }
}

/// The directory that has the child modules of the module in the file `path`.
fn folder_of_children(path: &str) -> &str {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mapped = ["/mod", "/lib", "/main"].iter().find_map(|it| path.strip_suffix(it));
    mapped.unwrap_or(path)
}

/// `above` is the path of `directory` below the root, with a slash at the end if it is not empty.
fn walk(directory: &Path, above: &str, files: &mut BTreeMap<String, Source>) {
    for entry in fs::read_dir(directory).expect("a directory of the workspace is readable") {
        let entry = entry.expect("no entry vanishes during the test").path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || ["target", "node_modules"].contains(&name.as_ref()) {
            continue;
        }
        let path = format!("{above}{name}");
        if entry.is_dir() {
            walk(&entry, &format!("{path}/"), files);
        } else {
            let bytes = fs::read(&entry).unwrap_or_else(|error| panic!("{path}: {error}"));
            let source = Source::new(&path, &String::from_utf8(bytes).unwrap_or_default());
            files.insert(path, source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_for_tests_are_no_sources() {
        let workspace = Workspace::of(&[
            ("minilb/src/lib.rs", "mod a;\n#[cfg(test)]\nmod model;\n"),
            ("minilb/src/a.rs", "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod play;\n"),
            ("minilb/src/a/play/mod.rs", ""),
            ("minilb/src/a/tests.rs", ""),
            ("minilb/src/model.rs", ""),
            ("minilb/src/models.rs", ""),
        ]);
        let paths = workspace.sources_of("minilb").into_iter().map(|it| it.path.as_str());
        let expected = ["minilb/src/a.rs", "minilb/src/lib.rs", "minilb/src/models.rs"];
        assert_eq!(paths.collect::<Vec<_>>(), expected);
        assert_eq!((workspace.engines(), workspace.exists("minilb/src/a")), (vec!["minilb"], true));
    }
}
