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

use crate::engine::{Database, Options as EngineOptions, Vacuumed};
use crate::sql::{Cleaned, Shared, clean_tables};
use crate::wire::{Replies, Severity, SqlError, code};
use connection::Connection;
use minibtree_auth::{CancelKeys, Passwords};
use minibtree_background::Background;
use minikit::connections::Connections;
use minikit::server::Shutdown;
use minikit::server::{BlockingService, BlockingStream, Bound, Hooks, Options, PerConnection};
use minikit::storage::DataDir;
use minikit::sync::Mutex;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the checkpointer checks the length of the log.
const CHECKPOINT_LOOK: Duration = Duration::from_millis(500);
/// How often the cleaner looks for tables that need it. PostgreSQL's `autovacuum_naptime` is a
/// minute, because it starts a process for each look.
const CLEANER_LOOK: Duration = Duration::from_secs(5);
/// How long the cleaner rests after 64 pages, so that it takes little of the disk and of a core.
/// PostgreSQL's `autovacuum_vacuum_cost_delay`.
const CLEANER_REST: Duration = Duration::from_millis(2);

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
    connections: Connections,
    cancel_keys: CancelKeys,
    passwords: Option<Passwords>,
    max_connections: usize,
    upkeep: Mutex<Upkeep>,
}

/// What the cleaner has done since the start.
#[derive(Default)]
struct Upkeep {
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
    let shared = Arc::new(Shared::new(database, microseconds_since_2000)?);
    let passwords = match &start.password_file {
        None => None,
        Some(path) => {
            let read = Passwords::read(path);
            Some(read.map_err(|error| format!("{}: {error}", path.display()))?)
        }
    };
    let server = Arc::new(Server {
        shared: Arc::clone(&shared),
        connections: Connections::default(),
        cancel_keys: CancelKeys::default(),
        passwords,
        max_connections: start.max_connections,
        upkeep: Mutex::default(),
    });

    let _admin = match start.admin {
        None => None,
        Some(address) => {
            let admin = minikit::admin::start(address, Arc::clone(&server))?;
            tracing::info!("state page on http://{}/", admin.address());
            Some(admin)
        }
    };
    let checkpointer = start_checkpointer(Arc::clone(&shared))?;
    let cleaner = start_cleaner(Arc::clone(&server))?;
    let timeouts = Arc::clone(&shared.timeouts);
    let timer = std::thread::Builder::new().name("timeouts".to_owned());
    let timer = timer.spawn(move || timeouts.serve())?;
    let shape = PerConnection(server);
    minikit::server::run(start.options, shape, Shutdown::new(), |bound, _| ready(bound))?;

    shared.timeouts.stop();
    let _ = timer.join();
    cleaner.stop();
    checkpointer.stop();
    Ok(shared.database.checkpoint()?)
}

impl Hooks for Server {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        self.max_connections
    }

    fn refusal(&self) -> Vec<u8> {
        let error = SqlError::new(code::TOO_MANY_CONNECTIONS, "sorry, too many clients already");
        let mut replies = Replies::default();
        replies.error(&error.severity(Severity::Fatal));
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

/// Makes a checkpoint when the log has grown by `checkpoint_wal_bytes`.
fn start_checkpointer(shared: Arc<Shared>) -> std::io::Result<Background> {
    Background::start("checkpoint", CHECKPOINT_LOOK, move |_| {
        if shared.database.needs_checkpoint()
            && let Err(error) = shared.database.checkpoint()
        {
            end_process(&error);
        }
    })
}

/// Vacuums and analyzes tables that have changed.
fn start_cleaner(server: Arc<Server>) -> std::io::Result<Background> {
    Background::start("cleaner", CLEANER_LOOK, move |rest| {
        let cleaned = match clean_tables(&server.shared, &|| rest(CLEANER_REST)) {
            Ok(cleaned) => cleaned,
            Err(error) if error.severity == Severity::Panic => end_process(&error),
            Err(error) if error.code == code::QUERY_CANCELED => return,
            Err(error) => return tracing::warn!("the cleaner stopped, and will retry: {error}"),
        };
        for Cleaned { table, vacuumed, is_analyzed } in cleaned {
            let mut upkeep = server.upkeep.lock();
            upkeep.analyzes += u64::from(is_analyzed);
            if let Some(Vacuumed { pages, rows, index_entries }) = vacuumed {
                upkeep.vacuums += 1;
                upkeep.dead_rows += rows as u64;
                tracing::info!(
                    "cleaner: vacuumed \"{table}\": {pages} pages, {rows} dead rows and \
                     {index_entries} index entries removed"
                );
            }
        }
    })
}

/// Ends the process, because it can make nothing durable any more.
fn end_process(error: &dyn Error) -> ! {
    tracing::error!("{error}; the server ends, restart it to recover");
    std::process::exit(1)
}

/// The current time as PostgreSQL counts it: microseconds since 2000-01-01 UTC.
fn microseconds_since_2000() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_micros() as i64 - 946_684_800_000_000
}
