//! The smallest engine: it sends back what it is sent.
//!
//! ```text
//! $ cargo run -p minikit --example echo -- serve --listen 127.0.0.1:7007
//! miniecho listening on 127.0.0.1:7007
//! $ printf 'hello\n' | nc -q 1 127.0.0.1 7007
//! hello
//! ```
//!
//! What every engine has, in miniature: its arguments, its [`Service`], and a `main` that joins the two. Ctrl-C
//! sends every client `bye` and waits until they have hung up.

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use minikit::cli::{Engine, ServeArgs, main_with, print_ready};
use minikit::connections::Connections;
use minikit::server::{Options, Service, Shutdown, Stream, run};
use minikit::sync::Arc;

const ENGINE: Engine = Engine { name: "miniecho", listen: "127.0.0.1:7007" };

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
    /// Clients at a time
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_clients: usize,
    /// Seconds to wait for clients at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    drain_timeout: u64,
}

struct Echo {
    connections: Connections,
    max_clients: usize,
}

impl Service for Echo {
    type Core = ();

    fn core(&self, _index: usize) {}

    async fn connection(self: Arc<Self>, _core: Rc<()>, stream: Stream, shutdown: Shutdown) {
        // Both ways to end mean the same: this client is done.
        let _ = echo(&stream, &shutdown).await;
    }

    async fn background(self: Arc<Self>, _core: Rc<()>, _shutdown: Shutdown) {}

    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        self.max_clients
    }

    fn refusal(&self) -> Vec<u8> {
        b"full\n".to_vec()
    }
}

async fn echo(stream: &Stream, shutdown: &Shutdown) -> io::Result<()> {
    tokio::select! {
        ended = echo_until_end(stream) => return ended,
        () = shutdown.requested() => {}
    }
    write_all(stream, b"bye\n").await?;
    echo_until_end(stream).await
}

/// May be dropped at any `await` without losing a byte that was read: reading and the first attempt to write
/// have none between them. A slow client can lose the rest of a partial write at shutdown.
async fn echo_until_end(stream: &Stream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => write_all(stream, &buffer[..count]).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(stream: &Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    main_with(&ENGINE, std::env::args_os(), |Cli::Serve(args)| {
        let echo = Echo { connections: Connections::new(), max_clients: args.max_clients };
        let options = Options {
            drain_timeout: Duration::from_secs(args.drain_timeout),
            ..args.common.options()
        };
        run(options, Arc::new(echo), Shutdown::new(), |bound| print_ready(&ENGINE, bound))?;
        Ok(())
    })
}
