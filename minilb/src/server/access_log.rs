//! The files of `access_log`.
//!
//! Each line is one `write(2)` to a file opened with `O_APPEND`, which the kernel keeps whole, so
//! cores need not wait for each other. SIGUSR1 opens the files anew after they were renamed:
//!
//! ```text
//! mv access.log access.log.1; kill -USR1 ...     lines from here on go to a new access.log
//! ```
//!
//! NGINX counterpart: `ngx_http_log_write` and `ngx_reopen_files`.

use crate::conf::reader::open_error;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// Open files by path.
#[derive(Debug, Default)]
pub struct LogFiles(BTreeMap<PathBuf, RwLock<File>>);

impl LogFiles {
    /// Opens files, or creates them.
    ///
    /// # Errors
    /// NGINX's message if one cannot be opened.
    pub fn open<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<LogFiles, String> {
        let mut files = BTreeMap::new();
        for path in paths {
            let file = open(path).map_err(|it| open_error(path, &it))?;
            files.insert(path.to_owned(), RwLock::new(file));
        }
        Ok(LogFiles(files))
    }

    /// Appends a line. A full disk costs the line, and nothing else.
    pub fn write(&self, path: &Path, line: &[u8]) {
        if let Some(file) = self.0.get(path) {
            let file = file.read().unwrap_or_else(PoisonError::into_inner);
            let _ = (&*file).write_all(line);
        }
    }

    /// Opens all files anew. One that cannot be opened stays the old one.
    pub fn reopen(&self) {
        for (path, file) in &self.0 {
            match open(path) {
                Ok(new) => *file.write().unwrap_or_else(PoisonError::into_inner) = new,
                Err(error) => tracing::error!("open() \"{}\" failed ({error})", path.display()),
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}
