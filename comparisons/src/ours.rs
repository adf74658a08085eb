//! Our engine, built the way a user builds it.
//!
//! This program is part of the same workspace, so the cargo that started it builds the engine too:
//! release profile, same target directory, same compiler.
//!
//! ```text
//! target/release/comparisons                             this program
//! cargo build --release -p minicache --target-dir target
//! target/release/minicache                               what gets measured
//! ```

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::process::Child;

/// Builds `package` and returns the path of its program.
///
/// # Errors
/// If cargo fails; its output is on standard error.
pub fn build(package: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program
        .parent()
        .and_then(Path::parent)
        .ok_or("this program is not where cargo puts programs")?;
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(&cargo);
    command.args(["build", "--release", "-p", package, "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    command.arg("--target-dir").arg(target).stdin(Stdio::null());
    eprintln!("building ours: cargo build --release -p {package}");
    let mut child = Child::spawn(&mut command)?;
    if !child.wait()?.success() {
        return Err(format!("cargo build -p {package} failed, see above").into());
    }
    Ok(target.join("release").join(package))
}
