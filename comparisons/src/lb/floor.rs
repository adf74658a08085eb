//! The least that forwarding bulk data can cost: a thread that splices and does nothing else.
//!
//! ```text
//! origin ── splice ──> pipe of 256 KiB ── splice ──> client        blocking, one connection
//! ```
//!
//! What it takes is the kernel's TCP: receiving from the origin, and sending, which on loopback is
//! also receiving for the client. Other sizes of the pipe (64 KiB to 4 MiB) and `SPLICE_F_MORE`
//! cost the same within the noise.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::conversation::download;
use super::load::{self, BULK_CPU, DOWNLOADS, TCP};
use super::systems::{Layer, Proxies};
use crate::Result;
use crate::cores::{Cores, cpu_of_this_thread};
use crate::model::Comparison;
use crate::rounds::Rounds;

/// What the comparison is against.
const NAME: &str = "a bare splice loop";
/// What the pipe holds, as in minilb.
const PIPE_BYTES: usize = 256 * 1024;

/// Planned seconds of one side.
pub const SECONDS: f64 = 1.0;

/// minilb and the loop, in turns.
///
/// # Errors
/// If bytes are lost.
pub fn compare(
    rounds: &mut Rounds,
    cores: Option<Cores>,
    proxies: &Proxies,
    origin: SocketAddr,
) -> Result<Comparison> {
    let mut comparison = load::heading(NAME, BULK_CPU, "s/GB");
    let measured = rounds.all(&format!("bulk, {NAME}"), SECONDS, |side| match side {
        0 => load::per_gigabyte(&proxies.start(Layer::Tcp, 0, cores)?),
        _ => splice_loop(origin, cores),
    })?;
    comparison.rows.push(load::row(TCP, measured));
    Ok(comparison)
}

/// CPU seconds of the thread per GB.
fn splice_loop(origin: SocketAddr, cores: Option<Cores>) -> Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let forwarder = thread::spawn(move || -> Result<u64> {
        if let Some(cores) = cores {
            cores.take_server_core();
        }
        let before = cpu_of_this_thread()?;
        for _ in 0..DOWNLOADS {
            forward(listener.accept()?.0, TcpStream::connect(origin)?)?;
        }
        Ok(cpu_of_this_thread()? - before)
    });
    for _ in 0..DOWNLOADS {
        download(address)?;
    }
    let spent = forwarder.join().map_err(|_| "the forwarder panicked")??;
    Ok(load::per_gb(Duration::from_nanos(spent)))
}

/// One request and its response.
fn forward(mut client: TcpStream, mut origin: TcpStream) -> Result<()> {
    let mut request = [0; 1024];
    let count = client.read(&mut request)?;
    origin.write_all(&request[..count])?;

    let (output, input) = pipe_with(PipeFlags::CLOEXEC)?;
    // Without it the pipe has its default size, and the loop more system calls.
    let _ = fcntl_setpipe_size(&input, PIPE_BYTES);
    loop {
        let mut filled = splice(&origin, None, &input, None, PIPE_BYTES, SpliceFlags::MOVE)?;
        if filled == 0 {
            return Ok(());
        }
        while filled > 0 {
            filled -= splice(&output, None, &client, None, filled, SpliceFlags::MOVE)?;
        }
    }
}
