//! Without faults and crashes the simulated disk is a real one: random operations on both.

use minikit::storage::{Disk, DiskFile, RealDisk, SimulatedDisk};
use proptest::prelude::*;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// One call; files and names are numbers modulo what there is.
#[derive(Clone, Debug)]
enum Call {
    Open(usize),
    Create(usize),
    CreateDir(usize),
    Rename(usize, usize),
    Remove(usize),
    List(usize),
    SyncDir(usize),
    Write(usize, Vec<u8>, u64),
    Append(usize, Vec<u8>),
    Read(usize, usize, u64),
    Truncate(usize, u64),
    Sync(usize),
    Len(usize),
}

const NAMES: [&str; 8] = ["a", "b", "c", "a/x", "a/y", "b/x", "b/y", "c/x/z"];

fn call() -> impl Strategy<Value = Call> {
    let name = 0..NAMES.len();
    let file = 0..4_usize;
    let bytes = proptest::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        name.clone().prop_map(Call::Open),
        name.clone().prop_map(Call::Create),
        name.clone().prop_map(Call::CreateDir),
        (name.clone(), name.clone()).prop_map(|(from, to)| Call::Rename(from, to)),
        name.clone().prop_map(Call::Remove),
        (0..=NAMES.len()).prop_map(Call::List),
        (0..=NAMES.len()).prop_map(Call::SyncDir),
        (file.clone(), bytes.clone(), 0..40_u64)
            .prop_map(|(file, it, at)| Call::Write(file, it, at)),
        (file.clone(), bytes).prop_map(|(file, bytes)| Call::Append(file, bytes)),
        (file.clone(), 0..30_usize, 0..50_u64).prop_map(|(file, n, at)| Call::Read(file, n, at)),
        (file.clone(), 0..50_u64).prop_map(|(file, length)| Call::Truncate(file, length)),
        file.clone().prop_map(Call::Sync),
        file.prop_map(Call::Len),
    ]
}

/// Does a call and returns all that a caller can see of it; errors by kind.
fn answer(disk: &dyn Disk, files: &mut Vec<Box<dyn DiskFile>>, call: &Call) -> String {
    let name = |index: usize| NAMES.get(index).copied().unwrap_or("");
    let text = match call {
        Call::Open(index) => disk.open(name(*index)).map(|file| files.push(file)).map(shown),
        Call::Create(index) => disk.create(name(*index)).map(|file| files.push(file)).map(shown),
        Call::CreateDir(index) => disk.create_dir(name(*index)).map(shown),
        Call::Rename(from, to) => disk.rename(name(*from), name(*to)).map(shown),
        Call::Remove(index) => disk.remove(name(*index)).map(shown),
        Call::List(index) => disk.list(name(*index)).map(shown),
        // Only the real disk would sync a file here.
        Call::SyncDir(index) => {
            disk.list(name(*index)).and_then(|_| disk.sync_dir(name(*index))).map(shown)
        }
        Call::Write(file, ..)
        | Call::Append(file, _)
        | Call::Read(file, ..)
        | Call::Truncate(file, _)
        | Call::Sync(file)
        | Call::Len(file) => match files.len() {
            0 => return "no file".into(),
            count => on_file(&*files[file % count], call),
        },
    };
    text.unwrap_or_else(|error| format!("{:?}", error.kind()))
}

fn on_file(file: &dyn DiskFile, call: &Call) -> io::Result<String> {
    match call {
        Call::Write(_, bytes, at) => file.write_at(bytes, *at).map(shown),
        Call::Append(_, bytes) => file.append(bytes).map(shown),
        Call::Read(_, length, at) => {
            let mut bytes = vec![0; *length];
            file.read_at(&mut bytes, *at).map(|count| shown((count, bytes)))
        }
        Call::Truncate(_, length) => file.truncate(*length).map(shown),
        Call::Sync(_) => file.sync().map(shown),
        _ => file.len().map(shown),
    }
}

fn shown(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

/// A directory that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("minikit-storage-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_faults_it_is_a_real_disk(calls in proptest::collection::vec(call(), 1..60)) {
        let scratch = Scratch::new();
        let real = RealDisk::new(&scratch.0);
        let simulated = SimulatedDisk::new(1);
        let (mut real_files, mut simulated_files) = (Vec::new(), Vec::new());
        for call in &calls {
            let expected = answer(&real, &mut real_files, call);
            let got = answer(&simulated, &mut simulated_files, call);
            prop_assert_eq!(got, expected, "{:?} of {:?}", call, &calls);
        }
    }

    /// Invariants 1 and 3: of one file, written and synced at random, then the power fails.
    #[test]
    fn synced_bytes_survive_and_none_are_invented(
        seed: u64,
        writes in proptest::collection::vec((0..30_u64, 1..20_usize, any::<bool>()), 1..12),
    ) {
        let disk = SimulatedDisk::new(seed);
        let file = disk.create("file").unwrap();
        disk.sync_dir("").unwrap();

        // What the byte at each place may be: the synced one, or one written since.
        let mut allowed: Vec<Vec<u8>> = vec![Vec::new(); 50];
        let mut synced_length = 0;
        for (number, (at, length, sync)) in writes.into_iter().enumerate() {
            let byte = number as u8 + 1;
            file.write_all_at(&vec![byte; length], at).unwrap();
            for place in &mut allowed[at as usize..at as usize + length] {
                place.push(byte);
            }
            if sync {
                file.sync().unwrap();
                synced_length = file.len().unwrap() as usize;
                for place in &mut allowed {
                    place.drain(..place.len().saturating_sub(1));
                    // Below the synced length a place without a byte is a gap.
                    if place.is_empty() {
                        place.push(0);
                    }
                }
                allowed.iter_mut().skip(synced_length).for_each(Vec::clear);
            }
        }

        disk.crash();
        prop_assert!(file.len().is_err(), "invariant 7");
        let file = disk.open("file").unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        prop_assert!(bytes.len() >= synced_length);
        for (place, byte) in bytes.iter().enumerate() {
            let zero = *byte == 0 && place >= synced_length;
            prop_assert!(zero || allowed[place].contains(byte), "byte {} is {}", place, byte);
        }
    }
}
