//! The smallest engine: it sends back what it is sent.
//!
//! ```text
//! $ cargo run -p minikit --example echo -- serve --listen 127.0.0.1:7007
//! miniecho listening on 127.0.0.1:7007
//! $ printf 'hello\n' | nc -q 1 127.0.0.1 7007
//! hello
//! ```
//!
//! What every engine has, in miniature: its arguments, its service, and a `main` that joins the
//! two. An engine picks one shape and implements one of [`Service`] and [`BlockingService`]; this
//! one has both, to compare them: `--shape per-core`, `spread` or `per-connection`.
//!
//! Ctrl-C sends every client `bye`. The asynchronous shapes then echo until the client closes;
//! `per-connection` closes each client that is not in the middle of a line.

use std::io::{self, Read, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use minikit::admin::{self, Exposition, Inspect, StatePage};
use minikit::cli::{Engine, ServeArgs, main_with, print_ready};
use minikit::connections::Connections;
use minikit::server::{
    BlockingService, BlockingStream, Hooks, PerConnection, PerCore, Service, Shutdown, Spread,
    Stream, run,
};
use minikit::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ENGINE: Engine = Engine { name: "miniecho", listen: "127.0.0.1:7007", sections: &[] };

/// Sends back what it is sent
#[derive(Parser)]
#[command(name = "miniecho", version)]
enum Cli {
    /// Run the server
    Serve(Serve),
}

#[derive(clap::Args)]
struct Serve {
    #[command(flatten)]
    common: ServeArgs,
    /// How connections meet threads
    #[arg(long, value_enum, default_value = "per-core")]
    shape: Shape,
    /// Clients at a time
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_clients: usize,
    /// Seconds to wait for clients at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    drain_timeout: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shape {
    PerCore,
    Spread,
    PerConnection,
}

struct Echo {
    connections: Connections,
    max_clients: usize,
    drain_timeout: Duration,
}

impl Hooks for Echo {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        self.max_clients
    }

    fn refusal(&self) -> Vec<u8> {
        b"full\n".to_vec()
    }

    fn drain_timeout(&self) -> Duration {
        self.drain_timeout
    }
}

impl Service for Echo {
    type Core = ();

    fn core(&self, _index: usize) {}

    async fn connection(self: Arc<Self>, _core: Rc<()>, stream: Stream, shutdown: Shutdown) {
        // Both ways to end mean the same: this client is done.
        let _ = echo(stream, shutdown).await;
    }

    async fn background(self: Arc<Self>, _core: Rc<()>, _shutdown: Shutdown) {}
}

impl BlockingService for Echo {
    fn connection(&self, stream: BlockingStream, shutdown: Shutdown) {
        let _ = echo_blocking(stream, &shutdown);
    }
}

impl Inspect for Echo {
    fn metrics(&self, out: &mut Exposition) {
        let counts = &self.connections;
        out.gauge("miniecho_clients", "Clients connected.", counts.current());
        out.counter("miniecho_clients_accepted_total", "Clients let in.", counts.accepted());
        out.counter("miniecho_clients_refused_total", "Clients turned away.", counts.refused());
    }

    fn state_page(&self) -> StatePage {
        let mut page = StatePage::new("miniecho");
        page.list("Clients", "Beyond the limit they are told `full`.")
            .row(["connected".into(), self.connections.current().into()])
            .row(["limit".into(), self.max_clients.into()]);
        page
    }

    fn healthy(&self) -> Result<(), String> {
        match self.connections.current() < self.max_clients {
            true => Ok(()),
            false => Err("full".to_owned()),
        }
    }
}

async fn echo(mut stream: Stream, shutdown: Shutdown) -> io::Result<()> {
    let mut requested = pin!(shutdown.requested());
    let mut told = false;
    let mut buffer = [0; 4096];
    loop {
        let count = tokio::select! {
            () = &mut requested, if !told => {
                told = true;
                stream.write_all(b"bye\n").await?;
                continue;
            }
            count = stream.read(&mut buffer) => count?,
        };
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

/// A request is a line. Inside of one, shutdown must not interrupt the read; between two, it may.
fn echo_blocking(mut stream: BlockingStream, shutdown: &Shutdown) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let mut inside_line = false;
    loop {
        let count = match inside_line {
            true => stream.read(&mut buffer)?,
            false => stream.read_or_shutdown(&mut buffer)?,
        };
        if count == 0 && shutdown.is_requested() {
            stream.write_all(b"bye\n")?;
        }
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
        inside_line = buffer[count - 1] != b'\n';
    }
}

fn main() -> ExitCode {
    main_with(&ENGINE, std::env::args_os(), |Cli::Serve(args)| {
        let max_clients = args.max_clients;
        let drain_timeout = Duration::from_secs(args.drain_timeout);
        let echo = Echo { connections: Connections::new(), max_clients, drain_timeout };
        let echo = Arc::new(echo);
        let admin = args.common.admin.map(|address| admin::start(address, Arc::clone(&echo)));
        let _admin = admin.transpose()?;
        let options = args.common.options();
        let (shutdown, ready) = (Shutdown::new(), |bound: &_, _| print_ready(&ENGINE, bound));
        match args.shape {
            Shape::PerCore => run(options, PerCore(echo), shutdown, ready)?,
            Shape::Spread => run(options, Spread(echo), shutdown, ready)?,
            Shape::PerConnection => run(options, PerConnection(echo), shutdown, ready)?,
        }
        Ok(())
    })
}
