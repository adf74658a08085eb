//! The one call that needs `unsafe`: registering a socket for reading or writing alone.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::net::UnixStream;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a non-blocking socket with the runtime of the calling thread.
///
/// # Errors
/// If the runtime's event queue takes no more sockets.
pub fn register(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    // SAFETY: a `UnixStream` owns its descriptor, never changes it, and closes it when it is
    // dropped. The `AsyncFd` owns the stream and lends it only by shared reference.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}
