//! Write-behind in a server: keys bound to tables, a thread that syncs the journal, and one that
//! writes to the database.
//!
//! ```text
//! bound         user: -> users
//! core thread   SET user:1 Ada ─> the queue    the reply waits for the journal
//! journal       append, sync                   the reply is sent
//! worker        next_batch ─> PostgreSQL       the row is there
//! ```
//!
//! A server that stops leaves in the journal what the database does not take at once; it is written
//! after the next start. Above the high-water mark of the queue, replies to commands that write
//! bound keys wait for the database, too. Redis has nothing like it.

use crate::WriteBehind;
use std::sync::Arc;
#[cfg(feature = "postgres")]
pub use threads::{Threads, start};

/// What is bound, and the queue.
pub struct Bound {
    /// What bound keys begin with.
    pub prefixes: Vec<Vec<u8>>,
    /// Their changes that the tables do not have yet.
    pub queue: Arc<WriteBehind>,
}

impl Bound {
    /// Returns true if a key is bound.
    pub fn binds(&self, key: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

#[cfg(feature = "postgres")]
mod threads {
    use super::Bound;
    use crate::postgres::Postgres;
    use crate::{Options, WriteBehind};
    use minikit::storage::DataDir;
    use std::thread::{Builder, JoinHandle};
    use std::time::{SystemTime, UNIX_EPOCH};
    use std::{error::Error, io, path::PathBuf, process, sync::Arc};

    /// The two threads. Dropping it ends them.
    pub struct Threads {
        queue: Arc<WriteBehind>,
        threads: Vec<JoinHandle<()>>,
        /// Held until the last byte is written.
        _data: DataDir,
    }

    /// Opens the journal in a folder and starts the threads. `words` are prefixes, each with its
    /// table in the database of `url`.
    ///
    /// # Errors
    /// If the folder is in use or unreadable, `url` is none, or `words` are no such pairs.
    pub fn start(
        folder: PathBuf,
        url: &str,
        words: &[String],
    ) -> Result<(Bound, Threads), Box<dyn Error>> {
        if !words.chunks(2).all(|pair| is_binding(pair, words)) {
            return Err("write-behind takes pairs of a prefix, in no other one, and a table".into());
        }
        let table = |pair: &[String]| (pair[0].clone().into_bytes(), pair[1].clone());
        let tables = words.chunks_exact(2).map(table).collect::<Vec<_>>();
        let prefixes = tables.iter().map(|(prefix, _)| prefix.clone()).collect();
        let mut database = Postgres::new(url, tables)?;

        let data = DataDir::lock(folder)?;
        // Higher than the numbers of a journal that was lost.
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
        let queue = WriteBehind::open(Arc::new(data.disk()), Options::default(), now_us)?;
        let (ignored, queue) = (queue.ignored(), Arc::new(queue));
        if ignored > 0 {
            tracing::warn!("{ignored} bytes are ignored, see write-behind.journal.damaged-*");
        }

        let (journal, worker) = (Arc::clone(&queue), Arc::clone(&queue));
        let thread = |name: &str| Builder::new().name(name.to_owned());
        let threads = vec![
            thread("minicache-journal").spawn(move || end_if_failed(journal.keep_journal()))?,
            thread("minicache-behind")
                .spawn(move || end_if_failed(worker.work(|batch| database.write(batch))))?,
        ];
        let bound = Bound { prefixes, queue: Arc::clone(&queue) };
        Ok((bound, Threads { queue, threads, _data: data }))
    }

    /// Returns true for a prefix that begins with no other one, and a table.
    fn is_binding(pair: &[String], words: &[String]) -> bool {
        let [prefix, table] = pair else { return false };
        let is_letter = |it: char| it.is_ascii_alphanumeric() || "_.".contains(it);
        let is_name = table.chars().all(is_letter) && !table.starts_with(char::is_numeric);
        is_name && words.chunks(2).filter(|it| prefix.starts_with(&it[0])).count() == 1
    }

    /// A journal that failed has lost nothing acknowledged, and can promise nothing any more.
    fn end_if_failed(outcome: io::Result<()>) {
        if let Err(error) = outcome {
            tracing::error!("write-behind: cannot write the journal. Exiting... ({error})");
            process::exit(1);
        }
    }

    impl Drop for Threads {
        fn drop(&mut self) {
            self.queue.stop();
            // A panic of a thread has been printed.
            self.threads.drain(..).for_each(|thread| drop(thread.join()));
        }
    }
}
