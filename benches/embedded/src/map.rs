//! `BTreeMap`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use crate::{Key, ROW_BYTES, SCANNED, Store, row};

pub type Map = BTreeMap<Key, [u8; ROW_BYTES]>;

impl Store for Map {
    fn load(_: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Map {
        let mut map = Map::new();
        keys.for_each(|key| Store::put(&mut map, key));
        map
    }

    fn get(&mut self, key: Key) -> u8 {
        BTreeMap::get(self, &key).expect("every key is there")[0]
    }

    fn scan(&mut self, from: Key) -> usize {
        self.range(from..).take(SCANNED).inspect(|(_, row)| _ = black_box(**row)).count()
    }

    fn put(&mut self, key: Key) {
        self.insert(key, row(key));
    }

    fn commit(&mut self, _: Key) {
        unreachable!("a map is not durable");
    }
}
