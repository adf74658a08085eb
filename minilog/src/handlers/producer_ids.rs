//! InitProducerId: assigning a unique id to each idempotent producer.
//!
//! If two producers had the same id, the broker would take batches of one for duplicates of the
//! other and lose records. So no id may be assigned again after a crash. Writing each id to the
//! disk would cost a sync per producer, so the broker reserves blocks of 1,000 ids:
//!
//! ```text
//! start      the file has 2000: write 3000, sync, assign 2000, 2001, ..
//! crash      the file has 3000: unused ids up to 2999 are lost, but none is assigned twice
//! ```
//!
//! Kafka counterpart: `ProducerIdManager.java`; there the controller assigns blocks to brokers.

use super::storage_error;
use crate::engine::log::batches::invalid_data;
use crate::engine::log::directory::Directory;
use crate::wire::ErrorCode;
use crate::wire::produce::{InitProducerIdRequest, InitProducerIdResponse};
use minikit::storage::Disk;
use minikit::sync::Mutex;
use std::io;
use std::ops::Range;
use std::sync::Arc;

const FILE: &str = "producer-ids";
/// The number of ids in a block (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const BLOCK: i64 = 1000;

/// The ids of idempotent producers.
pub struct ProducerIds {
    directory: Directory,
    reserved: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// The ids of a data directory. Reserves no block yet.
    pub fn new(disk: Arc<dyn Disk>) -> ProducerIds {
        ProducerIds { directory: Directory::new(disk, ""), reserved: Mutex::new(0..0) }
    }

    /// Returns a new id. Blocks on the disk once in a thousand calls.
    pub fn next(&self) -> io::Result<i64> {
        let mut reserved = self.reserved.lock();
        if reserved.is_empty() {
            let text = self.directory.read(FILE)?.unwrap_or(b"0".to_vec());
            let first = String::from_utf8_lossy(&text).trim().parse::<i64>();
            let first = first.map_err(|_| invalid_data("producer-ids is damaged"))?;
            let end = first + BLOCK;
            self.directory.replace(FILE, format!("{end}\n").as_bytes())?;
            self.directory.sync()?;
            *reserved = first..end;
        }
        Ok(reserved.next().expect("it is not empty"))
    }

    /// Handles InitProducerId.
    pub(super) fn assign(&self, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        let assigned = match request.transactional_id {
            Some(_) => Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
            None => self.next().map_err(|error| storage_error(&error)),
        };
        match assigned {
            Ok(producer_id) => InitProducerIdResponse { producer_id, ..Default::default() },
            Err(error_code) => InitProducerIdResponse { error_code, ..Default::default() },
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use minikit::storage::{SimulatedDisk, every_cut};

    #[test]
    fn no_id_is_assigned_twice() {
        let cuts = every_cut(
            1,
            |disk, given: &mut Vec<i64>| {
                for _ in 0..3 {
                    let ids = ProducerIds::new(Arc::new(disk.clone()));
                    given.push(ids.next()?);
                    given.push(ids.next()?);
                }
                Ok(())
            },
            |disk: &SimulatedDisk, given| {
                let next = ProducerIds::new(Arc::new(disk.clone())).next();
                let next = next.map_err(|error| error.to_string())?;
                if given.contains(&next) { Err(format!("{next} again")) } else { Ok(()) }
            },
        );
        cuts.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
