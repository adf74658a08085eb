//! Records that a hash table has no room for, in files by the hash of their key.
//!
//! All records with one key are in one partition, so each partition can be joined or grouped on its
//! own, in a fraction of the memory. A partition that is still too large is divided again. The
//! level is part of the hash; otherwise all of its records would go to one partition again.
//!
//! ```text
//! level 0   a b c d e f g h
//! level 1   a d e | b g | c f h         the third is too large
//! level 2                 c h | f
//! ```

use crate::file::{Reader, Writer};
use minikit::storage::Disk;
use std::hash::{DefaultHasher, Hasher};
use std::io::Result;

/// Records that are divided into partitions.
pub struct Partitions {
    files: Vec<Writer>,
    level: u32,
}

impl Partitions {
    /// Creates empty partitions.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn create(disk: &dyn Disk, count: usize, level: u32) -> Result<Partitions> {
        let files = (0..count).map(|_| Writer::create(disk)).collect::<Result<_>>()?;
        Ok(Partitions { files, level })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn add(&mut self, key: &[u8], payload: &[u8]) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        hasher.write_u32(self.level);
        hasher.write(key);
        let count = self.files.len() as u64;
        self.files[(hasher.finish() % count) as usize].add(key, payload)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(Writer::bytes).sum()
    }

    /// A reader for each partition.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn finish(mut self) -> Result<Vec<Reader>> {
        let read = |file: &mut Writer| file.read(0..file.bytes());
        self.files.iter_mut().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minikit::storage::SimulatedDisk;

    /// The keys of each partition.
    fn divided(keys: &[u32], level: u32) -> Vec<Vec<u32>> {
        let disk = SimulatedDisk::new(1);
        let mut partitions = Partitions::create(&disk, 4, level).unwrap();
        keys.iter().for_each(|it| partitions.add(&it.to_le_bytes(), b"payload").unwrap());
        let mut all = Vec::new();
        for mut reader in partitions.finish().unwrap() {
            let mut keys = Vec::new();
            while let Some((key, payload)) = reader.next_record().unwrap() {
                assert_eq!(payload, b"payload");
                keys.push(u32::from_le_bytes(key.try_into().unwrap()));
            }
            all.push(keys);
        }
        all
    }

    #[test]
    fn each_level_divides_the_partitions_of_the_one_before() {
        let keys: Vec<u32> = (0..10_000).collect();
        let parts = divided(&keys, 0);
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, keys);
        for again in divided(&parts[0], 1) {
            assert!((500..800).contains(&again.len()), "{}", again.len());
        }
    }
}
