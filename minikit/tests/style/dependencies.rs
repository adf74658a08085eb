//! Pure Rust: the engines and minikit need no C compiler, and the heart of an engine builds alone.
//!
//! `cargo tree` answers both, for the target that the engines are made for. It needs no network:
//! what it lists was fetched before this test could be built.

use std::process::Command;

use crate::rules::Finding;
use crate::workspace::Workspace;

/// Crates that build or bind C or assembly.
const NOT_PURE: [&str; 5] = ["cc", "cmake", "ring", "psm", "stacker"];
/// What the heart and the wire protocol do without.
const NOT_IN_HEART: [&str; 3] = ["tokio", "clap", "tracing"];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut check = |name: &str, flags: &[&str], rule: fn(&str) -> Vec<String>| {
        let manifest = format!("{name}/Cargo.toml");
        let complaints = rule(&tree(name, flags)).into_iter();
        findings.extend(complaints.map(|it| Finding::new(&manifest, 1, it)));
    };
    check("minikit", &["-e", "normal,build"], impure);
    for name in workspace.engines() {
        check(name, &["-e", "normal,build"], impure);
        check(name, &["-e", "normal", "--no-default-features"], too_much_for_a_heart);
    }
    findings
}

/// What `cargo tree` prints about a crate, a package on each line.
fn tree(name: &str, flags: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["tree", "--locked", "--prefix", "none"]);
    cargo.args(["--target", "x86_64-unknown-linux-gnu", "-p", name]).args(flags);
    let output = cargo.output().expect("cargo, which built this test, still starts");
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn packages(tree: &str) -> Vec<&str> {
    let mut packages =
        tree.lines().filter_map(|it| it.split_whitespace().next()).collect::<Vec<_>>();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn impure(tree: &str) -> Vec<String> {
    let is_impure = |it: &&str| {
        let is_binding = it.ends_with("-sys") && *it != "linux-raw-sys";
        NOT_PURE.contains(it) || it.starts_with("aws-lc") || is_binding
    };
    let impure = packages(tree).into_iter().filter(is_impure);
    impure.map(|it| format!("depends on {it}, which is not pure Rust")).collect()
}

fn too_much_for_a_heart(tree: &str) -> Vec<String> {
    let is_or_belongs_to = |package: &str, name: &str| {
        package.strip_prefix(name).is_some_and(|it| it.is_empty() || it.starts_with(['-', '_']))
    };
    let found = packages(tree).into_iter();
    let found = found.filter(|package| NOT_IN_HEART.iter().any(|it| is_or_belongs_to(package, it)));
    found.map(|it| format!("depends on {it} with --no-default-features")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_c_dependency_fails() {
        let tree = "minilb v0.1.0 (minilb)\nrustix v1.0.0\nlinux-raw-sys v0.9.0\nring v0.17.8\n\
                    cc v1.2.0\nlz4-sys v1.0.0\naws-lc-rs v1.0.0\ncc v1.2.0 (*)\n";
        let expected = ["aws-lc-rs", "cc", "lz4-sys", "ring"];
        assert_eq!(
            impure(tree),
            expected.map(|it| format!("depends on {it}, which is not pure Rust"))
        );
    }

    #[test]
    fn a_heart_with_a_runtime_fails() {
        let tree =
            "minilb v0.1.0\nclap_derive v4.0.0\ntokio v1.0.0\ntracing-core v0.1.0\ntokiote v1.0.0";
        let expected = ["clap_derive", "tokio", "tracing-core"];
        let expected = expected.map(|it| format!("depends on {it} with --no-default-features"));
        assert_eq!(too_much_for_a_heart(tree), expected);
    }

    #[test]
    fn the_tree_of_a_crate_names_the_crate() {
        assert!(packages(&tree("minikit", &["-e", "normal"])).contains(&"minikit"));
    }
}
