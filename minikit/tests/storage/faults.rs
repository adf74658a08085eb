//! Each fault of the simulated disk, and what an engine sees of it.

use minikit::storage::{Disk, DiskFile, Faults, SimulatedDisk, Survivors};
use std::collections::BTreeSet;
use std::io::ErrorKind;

fn disk_with_file(seed: u64) -> (SimulatedDisk, Box<dyn DiskFile>) {
    let disk = SimulatedDisk::new(seed);
    let file = disk.create("file").unwrap();
    disk.sync_dir("").unwrap();
    (disk, file)
}

fn contents(disk: &SimulatedDisk) -> Vec<u8> {
    let file = disk.open("file").unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// All that one crash may leave of `change`, over many seeds.
fn outcomes(change: impl Fn(&dyn DiskFile)) -> BTreeSet<Vec<u8>> {
    (0..400)
        .map(|seed| {
            let (disk, file) = disk_with_file(seed);
            file.write_all_at(b"abc", 0).unwrap();
            file.sync().unwrap();
            change(&*file);
            disk.crash();
            contents(&disk)
        })
        .collect()
}

#[test]
fn a_write_survives_is_lost_or_torn_at_any_byte() {
    let overwritten = outcomes(|file| file.write_all_at(b"XYZ", 0).unwrap());
    let expected = ["XYZ", "XYc", "Xbc", "abc", "abZ", "aYZ"];
    assert_eq!(overwritten, expected.iter().map(|it| it.as_bytes().to_vec()).collect());

    // Beyond the old end also zeros: the length was written and the bytes were not.
    let appended = outcomes(|file| file.write_all_at(b"de", 3).unwrap());
    let expected = [&b"abc"[..], b"abcd", b"abcde", b"abc\0e", b"abc\0\0"];
    assert_eq!(appended, expected.iter().map(|it| it.to_vec()).collect());
}

#[test]
fn a_later_write_may_survive_an_earlier_one() {
    let found = outcomes(|file| {
        file.write_all_at(b"X", 0).unwrap();
        file.write_all_at(b"Y", 1).unwrap();
    });
    assert_eq!(found.len(), 4);
    assert!(found.contains(&b"aYc"[..]) && found.contains(&b"Xbc"[..]));
}

#[test]
fn names_need_a_sync_of_their_directory() {
    let disk = SimulatedDisk::new(1);
    disk.create_dir("dir").unwrap();
    disk.create("dir/old").unwrap().sync().unwrap();
    disk.crash_with(Survivors::None);
    assert!(disk.list("").unwrap().is_empty(), "the sync of the file was not enough");

    disk.create_dir("dir").unwrap();
    disk.create("dir/old").unwrap();
    disk.sync_dir("dir").unwrap();
    disk.sync_dir("").unwrap();
    disk.rename("dir/old", "dir/new").unwrap();
    let mut seen = BTreeSet::new();
    disk.crash_with(Survivors::None);
    seen.extend(disk.list("dir").unwrap());
    disk.rename("dir/old", "dir/new").unwrap();
    disk.crash_with(Survivors::All);
    seen.extend(disk.list("dir").unwrap());
    assert_eq!(seen, ["new".to_owned(), "old".to_owned()].into());
}

#[test]
fn a_failed_sync_loses_writes_for_good() {
    let lost = (0..50).filter(|&seed| {
        let (disk, file) = disk_with_file(seed);
        file.write_all_at(b"x", 0).unwrap();
        disk.set_faults(Faults { fail_sync: 1, ..Faults::default() });
        assert!(file.sync().is_err());
        disk.set_faults(Faults::default());
        file.sync().unwrap();
        assert_eq!(contents(&disk), b"x", "reads come from the page cache");
        disk.crash_with(Survivors::All);
        contents(&disk) != b"x"
    });
    assert!((5..45).contains(&lost.count()), "some reach the disk and some do not");
}

#[test]
fn a_full_disk_takes_what_fits_and_then_fails() {
    let (disk, file) = disk_with_file(1);
    disk.set_faults(Faults { capacity: Some(10), ..Faults::default() });
    assert_eq!(file.write_at(&[1; 8], 0).unwrap(), 8);
    assert_eq!(file.write_at(&[2; 8], 8).unwrap(), 2);
    let error = file.write_at(&[3; 8], 10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(
        error.to_string(),
        "cannot write file: No space left on device (os error 28); free some space or choose \
         another directory"
    );
    assert_eq!(file.write_at(&[4; 8], 2).unwrap(), 8, "overwriting needs no room");
    disk.remove("file").unwrap();
    disk.create("next").unwrap().write_all_at(&[5; 10], 0).unwrap();
}

#[test]
fn short_writes_are_finished_by_write_all() {
    let (disk, file) = disk_with_file(3);
    disk.set_faults(Faults { short_write: 2, ..Faults::default() });
    let bytes: Vec<u8> = (0..200).collect();
    let counts: Vec<_> = (0..20).map(|_| file.write_at(&bytes, 0).unwrap()).collect();
    assert!(counts.iter().any(|&count| count < 200) && counts.contains(&200), "{counts:?}");
    assert_eq!(file.append(&bytes).unwrap(), 200);
    assert_eq!(contents(&disk), [&bytes[..], &bytes].concat());
}

#[test]
fn a_flipped_bit_is_one_bit_of_one_read() {
    let (disk, file) = disk_with_file(1);
    file.write_all_at(&[0; 16], 0).unwrap();
    disk.set_faults(Faults { flip_bit: 1, ..Faults::default() });
    let ones: u32 = contents(&disk).iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(ones, 1);
    disk.set_faults(Faults::default());
    assert_eq!(contents(&disk), [0; 16]);
}

#[test]
fn a_read_only_disk_refuses_changes() {
    let (disk, file) = disk_with_file(1);
    disk.set_faults(Faults { read_only: true, ..Faults::default() });
    let refused = [
        file.write_at(b"x", 0).map(drop),
        file.truncate(1),
        disk.create("other").map(drop),
        disk.create_dir("other"),
        disk.rename("file", "other"),
        disk.remove("file"),
        disk.open("file").map(drop),
    ];
    assert!(refused.iter().all(|it| {
        it.as_ref().is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem)
    }));
    assert_eq!(file.len().unwrap() as usize + disk.list("").unwrap().len(), 1);
}

#[test]
fn one_seed_is_one_history() {
    let history = |seed| {
        let (disk, file) = disk_with_file(seed);
        disk.set_faults(Faults { short_write: 3, flip_bit: 3, fail_sync: 3, ..Faults::default() });
        let mut seen = Vec::new();
        for number in 0..50_u8 {
            seen.push(file.write_at(&[number; 9], number.into()).unwrap());
            seen.push(file.sync().is_ok().into());
        }
        disk.crash();
        seen.extend(contents(&disk).into_iter().map(usize::from));
        seen
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7), history(8));
}
