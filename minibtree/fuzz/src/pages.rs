//! A database whose files are damaged while it is closed.
//!
//! The input is a list of damages: a byte that chooses the file, three bytes of position, a length
//! and that many bytes. Each file can be explained. The database opens with an error, or it opens
//! and each query returns rows that were inserted, or an error.

use crate::server::{Client, FILES, disk_of, open, rows};

/// Damages the files, opens the database and reads everything.
pub fn check(mut input: &[u8]) {
    let mut files = FILES.clone();
    while let [choice, a, b, c, length, rest @ ..] = input {
        let (bytes, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        let choice = usize::from(*choice) % files.len();
        let file = &mut files[choice].1;
        let at = u32::from_be_bytes([0, *a, *b, *c]) as usize % file.len().max(1);
        for (old, new) in file[at..].iter_mut().zip(bytes) {
            *old = *new;
        }
    }

    let disk = disk_of(&files);
    for (name, _) in &files {
        for block in [None, Some(0), Some(1)] {
            _ = minibtree_inspect::explain(&disk, name, block, 20);
        }
    }

    let Ok(shared) = open(&disk) else { return };
    let mut client = Client::new(&shared);
    for sql in [
        "SELECT name FROM t ORDER BY id",
        "SELECT name FROM t WHERE id = 3",
        "SELECT count(*) FROM u WHERE t_id = 1",
        "INSERT INTO t VALUES (4, 'four', 4, NULL)",
        "UPDATE u SET ok = false",
        "VACUUM",
    ] {
        let replies = client.query(sql);
        // Every row is a name that was inserted.
        if sql.starts_with("SELECT name") {
            let names =
                [&b"\0\x01\0\0\0\x03one"[..], b"\0\x01\0\0\0\x05three", b"\0\x01\xff\xff\xff\xff"];
            for row in rows(&replies) {
                assert!(names.contains(&row), "{}", row.escape_ascii());
            }
        }
    }
}
