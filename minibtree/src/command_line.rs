//! The command line of minibtree.
//!
//! ```text
//! minibtree serve --listen 127.0.0.1:5432 --data-dir DIR     then psql -h 127.0.0.1
//! minibtree serve --unix /tmp                                then psql -h /tmp
//! minibtree sql -c "select 1"                                as psql, but small
//! minibtree explain DIR/base/16385                           a table or an index, its pages
//! ```
//!
//! PostgreSQL's counterpart is `main` of `postgres`; its `initdb` is not needed, a directory that
//! is empty becomes a database.

use clap::Parser;
use minibtree::engine::Options;
use minibtree::server::{self, Start};
use minibtree_shell::SqlArgs;
use minikit::cli::{Engine, ServeArgs, main_with, print_ready};
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const ENGINE: Engine = Engine { name: "minibtree", listen: "127.0.0.1:5432", sections: &[] };

/// A PostgreSQL small enough to read in an evening
#[derive(Parser)]
#[command(name = "minibtree", version)]
enum Command {
    /// Run the server
    Serve(Serve),
    /// Execute SQL on a server: from a terminal, a file or -c
    Sql(SqlArgs),
    /// Show a tree, a hash directory, a page or log records: what a file of the database holds
    Explain(Explain),
}

#[derive(clap::Args)]
struct Explain {
    /// The database's directory, or a file of it: base/NUMBER, wal/NUMBER or control
    file: PathBuf,
    /// A page of the file, to see each of its bytes
    page: Option<u32>,
    /// Lines of each list
    #[arg(long, value_name = "N", default_value_t = 40)]
    count: usize,
}

/// `--unix` names the directory of the socket, as `unix_socket_directories` does, or the socket.
#[derive(clap::Args)]
struct Serve {
    #[command(flatten)]
    common: ServeArgs,
    /// Where the database is; created if it is missing
    #[arg(long, value_name = "DIR", default_value = "minibtree-data")]
    data_dir: PathBuf,
    /// Memory for pages, in MiB; PostgreSQL's shared_buffers
    #[arg(long, value_name = "MIB", default_value_t = 128,
        value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    shared_buffers: u64,
    /// A file with `name:password` lines; without it, any client is let in
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Clients at a time
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_connections: usize,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let mut succeeded = true;
    let code = main_with(&ENGINE, std::env::args_os(), |command| match command {
        Command::Serve(serve) => serve.run(),
        Command::Sql(args) => minibtree_shell::run(args).map(|ok| succeeded = ok),
        Command::Explain(Explain { file, page, count }) => {
            let text = minibtree_inspect::explain_path(&file, page, count)?;
            match io::stdout().write_all(text.as_bytes()) {
                // The reader, `head` for instance, has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => Ok(written?),
            }
        }
    });
    if succeeded { code } else { ExitCode::FAILURE }
}

impl Serve {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let mut options = self.common.options();
        if let Some(directory) = options.unix.iter_mut().find(|path| path.is_dir()) {
            if self.common.listen.port() == 0 {
                return Err("--unix needs the path of a socket if the port is 0".into());
            }
            *directory = directory.join(format!(".s.PGSQL.{}", self.common.listen.port()));
        }
        let pool_pages = (self.shared_buffers << 20) as usize / minibtree::format::PAGE_SIZE;
        let start = Start {
            options,
            admin: self.common.admin,
            data_dir: self.data_dir,
            engine: Options { pool_pages, ..Options::default() },
            max_connections: self.max_connections,
            password_file: self.password_file,
        };
        server::run(start, |bound| print_ready(&ENGINE, bound))
    }
}
