//! The server: the only part with sockets, threads and files.
//!
//! ```text
//! Start ─> data directory, locked ─> Database (recovers) ─> Shared
//!       ─> threads "checkpoint", "cleaner" and "timeouts"
//!       ─> admin endpoint
//!       ─> sockets, a thread for each client ─> ready
//! ```
//!
//! A shutdown ends with a checkpoint, so that the next start has nothing to replay. If the log
//! cannot be written, the process ends at once with status 1: it could not commit anything any
//! more, and recovery finds out what is really on disk.
//!
//! PostgreSQL's `postmaster.c` (a process per client) and `checkpointer.c`.

mod connection;
mod inspect;

use crate::engine::{Database, Error as EngineError, Options as EngineOptions, Vacuumed};
use crate::sql::{Cleaned, Shared, clean_tables};
use crate::wire::{Replies, Severity, SqlError, code};
use connection::Connection;
use minibtree_auth::{CancelKeys, Passwords};
use minibtree_upkeep::Upkeep;
use minikit::connections::Connections;
use minikit::server::Shutdown;
use minikit::server::{BlockingService, BlockingStream, Bound, Hooks, Options, PerConnection};
use minikit::storage::DataDir;
use minikit::sync::Mutex;
use std::error::Error;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The options of a server.
pub struct Start {
    /// Where to listen.
    pub options: Options,
    /// The address of the admin endpoint; `None` for no endpoint.
    pub admin: Option<SocketAddr>,
    /// The directory of the database.
    pub data_dir: PathBuf,
    /// Sizes of the engine.
    pub engine: EngineOptions,
    /// How many clients may be connected at once.
    pub max_connections: usize,
    /// Lines of `name:password`. Without the file, the server trusts every client.
    pub password_file: Option<PathBuf>,
}

/// The server, as its threads share it.
pub(crate) struct Server {
    shared: Arc<Shared>,
    /// All that have connected.
    connections: Connections,
    /// Those of them that have logged in.
    sessions: Connections,
    cancel_keys: CancelKeys,
    passwords: Option<Passwords>,
    max_connections: usize,
    cleaned: Mutex<CleanedTables>,
}

/// What the cleaner has done since the start.
#[derive(Default)]
struct CleanedTables {
    vacuums: u64,
    analyzes: u64,
    dead_rows: u64,
}

/// Runs a server until it is told to stop. Calls `ready` once clients are accepted.
///
/// # Errors
/// If another process uses the directory, the database is damaged, an address cannot be bound, or a
/// thread cannot be started.
pub fn run(start: Start, ready: impl FnOnce(&Bound)) -> Result<(), Box<dyn Error>> {
    let directory = DataDir::lock(&start.data_dir)
        .map_err(|error| format!("{}: {error}", start.data_dir.display()))?;
    let database = Database::open(Arc::new(directory.disk()), start.engine)?;
    let shared = Arc::new(Shared::new(database, minibtree_upkeep::now)?);
    let read = |path: &PathBuf| {
        Passwords::read(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let passwords = start.password_file.as_ref().map(read).transpose()?;
    let server = Arc::new(Server {
        shared: Arc::clone(&shared),
        connections: Connections::default(),
        sessions: Connections::default(),
        cancel_keys: CancelKeys::default(),
        passwords,
        max_connections: start.max_connections,
        cleaned: Mutex::default(),
    });

    let admin = start.admin.map(|it| minikit::admin::start(it, Arc::clone(&server))).transpose()?;
    if let Some(admin) = &admin {
        tracing::info!("state page on http://{}/", admin.address());
    }
    let upkeep = start_upkeep(&server)?;
    let shape = PerConnection(server);
    minikit::server::run(start.options, shape, Shutdown::new(), |bound, _| ready(bound))?;

    upkeep.stop();
    Ok(shared.database.checkpoint()?)
}

impl Hooks for Server {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Twice as many as may log in. The others are told why they may not after they have said who
    /// they are: a client that has asked for TLS expects no other answer than that to its question.
    fn max_connections(&self) -> usize {
        2 * self.max_connections
    }

    fn refusal(&self) -> Vec<u8> {
        let mut replies = Replies::default();
        replies.error(&too_many_clients().severity(Severity::Fatal));
        replies.bytes().to_vec()
    }
}

impl BlockingService for Server {
    /// Enough for the deepest expression that the parser lets through, in a debug build.
    const STACK_BYTES: usize = 8 << 20;

    fn connection(&self, stream: BlockingStream, shutdown: Shutdown) {
        // An I/O error means that the client is gone, so there is nobody to report it to.
        let _ = Connection::new(self, stream, shutdown).serve();
    }
}

fn too_many_clients() -> SqlError {
    SqlError::new(code::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
}

/// Starts the checkpoints and the cleaner.
fn start_upkeep(server: &Arc<Server>) -> std::io::Result<Upkeep> {
    let (shared, server) = (Arc::clone(&server.shared), Arc::clone(server));
    let timeouts = Arc::clone(&shared.timeouts);
    let checkpoint = move || {
        let is_needed = shared.database.needs_checkpoint();
        match is_needed.then(|| shared.database.checkpoint()) {
            Some(Err(EngineError::Io(error))) if error.kind() == ErrorKind::StorageFull => {
                tracing::warn!("the checkpoint failed, a later one may not: {error}");
            }
            Some(Err(error)) => end_process(&error),
            Some(Ok(())) | None => {}
        }
    };
    Upkeep::start(&timeouts, checkpoint, move |rest| match clean_tables(&server.shared, rest) {
        Ok(cleaned) => cleaned.into_iter().for_each(|it| server.cleaned.lock().count(it)),
        Err(error) if error.severity == Severity::Panic => end_process(&error),
        Err(error) if error.code == code::QUERY_CANCELED => {}
        Err(error) => tracing::warn!("the cleaner stopped, and will retry: {error}"),
    })
}

impl CleanedTables {
    fn count(&mut self, Cleaned { table, vacuumed, is_analyzed }: Cleaned) {
        self.analyzes += u64::from(is_analyzed);
        if let Some(Vacuumed { pages, rows, index_entries }) = vacuumed {
            self.vacuums += 1;
            self.dead_rows += rows as u64;
            tracing::info!(
                "cleaner: vacuumed \"{table}\": {pages} pages, {rows} dead rows and \
                 {index_entries} index entries removed"
            );
        }
    }
}

/// Ends the process, because it can make nothing durable any more.
fn end_process(error: &dyn Error) -> ! {
    tracing::error!("{error}; the server ends, restart it to recover");
    std::process::exit(1)
}
