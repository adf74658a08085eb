//! The lock on a data directory across processes, and what a refused directory says.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use minikit::harness::{Program, Scratch, Stream};
use minikit::storage::{DataDir, Disk};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// The directory that this test binary locks when another instance of it runs it as a process.
const DIRECTORY: &str = "MINIKIT_TEST_LOCKS_DIRECTORY";

#[test]
fn a_second_process_is_refused_until_the_first_is_killed() {
    if let Some(path) = std::env::var_os(DIRECTORY) {
        hold_lock_until_killed(Path::new(&path));
    }
    let data = Scratch::new("data-dir").expect("the temporary directory is writable");
    let path = data.path().join("made/on/demand");
    let mut owner = Program::start(locker(&path));
    owner.wait_for(Stream::Stdout, "lock taken by");

    let error = DataDir::lock(&path).expect_err("the other process has it");
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    let text = error.to_string();
    assert!(text.contains(&format!("is in use by process {}: stop it", owner.pid())), "{text}");
    assert!(text.contains("--data-dir"), "{text}");

    // kill -9 leaves the lock file behind. Nobody has to remove it.
    owner.kill();
    let lock = DataDir::lock(&path).expect("the kernel has released the lock");
    assert!(path.join("lock").exists());
    drop(lock);

    // A restart after kill -9 takes the lock again, with the new process id in it.
    owner.restart();
    owner.wait_for(Stream::Stdout, "lock taken by");
    owner.restart();
    owner.wait_for(Stream::Stdout, "lock taken by");
    let text = DataDir::lock(&path).expect_err("the restarted process has it").to_string();
    assert!(text.contains(&format!("process {}:", owner.pid())), "{text}");
}

#[test]
fn a_process_is_refused_by_this_one() {
    let data = Scratch::new("data-dir").expect("the temporary directory is writable");
    let _ours = DataDir::lock(data.path()).expect("a new directory");
    let ended = Program::start(locker(data.path())).end();
    assert!(!ended.status.success());
    let owner = format!("is in use by process {}", std::process::id());
    assert!(ended.stdout.contains(&owner) || ended.stderr.contains(&owner), "{ended:?}");
}

#[test]
fn permission_denied_names_the_path_and_what_to_check() {
    let data = Scratch::new("data-dir").expect("the temporary directory is writable");
    let path = data.path().join("locked-away");
    let lock = DataDir::lock(&path).expect("a new directory");
    lock.disk().create("00.log").expect("an empty directory");
    let disk = lock.disk();
    drop(lock);
    fs::set_permissions(path.join("00.log"), Permissions::from_mode(0o000)).expect("our own file");
    fs::set_permissions(path.join("lock"), Permissions::from_mode(0o000)).expect("our own file");

    // The administrator may open everything, so the attempt is made on a thread without
    // capabilities.
    let attempt = move || {
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets { effective: none, permitted: none, inheritable: none },
        )
        .expect("a thread may always drop its capabilities");
        let file = disk.open("00.log").map(drop).expect_err("mode 000");
        let lock = DataDir::lock(&path).map(drop).expect_err("mode 000");
        [(file, path.join("00.log")), (lock, path.join("lock"))]
    };
    for (error, path) in std::thread::spawn(attempt).join().expect("no panic") {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let cause = format!("cannot open {}: Permission denied", path.display());
        let advice = "; check the owner and mode of the file and its directory";
        let text = error.to_string();
        assert!(text.starts_with(&cause) && text.ends_with(advice), "{text}");
    }
}

/// This test binary as a process of its own that locks `path`.
fn locker(path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a running program"));
    let name = "data_dir::a_second_process_is_refused_until_the_first_is_killed";
    command.args(["--nocapture", "--exact", name]).env(DIRECTORY, path);
    command
}

fn hold_lock_until_killed(path: &Path) -> ! {
    let _data = DataDir::lock(path).unwrap_or_else(|error| panic!("{error}"));
    println!("lock taken by {}", std::process::id());
    loop {
        std::thread::park();
    }
}
