//! Bytes between sockets and an exchange: reads into its input buffers, writes from its output
//! buffers, and the deadline of each.
//!
//! ```text
//! client socket  ──read──> from_client   exchange   to_upstream ──write──> server socket
//! client socket <──write── to_client                from_upstream <──read── server socket
//! ```
//!
//! All reads of a core go through one scratch buffer, within one poll. It is larger than most
//! messages: a read that does not fill it tells the runtime that nothing more is there, which saves
//! the read that would find nothing.
//!
//! NGINX counterpart: `ngx_unix_recv`, `ngx_linux_sendfile_chain`, without a chain of buffers.

use crate::wire::buffer::Buffer;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads once and appends to `into`. Ready with the number of bytes; 0 at the end.
pub fn poll_read(
    cx: &mut Context<'_>,
    from: &mut (impl AsyncRead + Unpin),
    scratch: &RefCell<Box<[u8]>>,
    into: &mut Buffer,
) -> Poll<io::Result<usize>> {
    let mut scratch = scratch.borrow_mut();
    let mut read = ReadBuf::new(&mut scratch);
    ready!(Pin::new(from).poll_read(cx, &mut read))?;
    into.append(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

/// Writes until `from` is empty. Ready with the number of bytes, which is 0 if there were none.
pub fn poll_write(
    cx: &mut Context<'_>,
    to: &mut (impl AsyncWrite + Unpin),
    from: &mut Buffer,
) -> Poll<io::Result<usize>> {
    let mut total = 0;
    while !from.is_empty() {
        let written = match Pin::new(&mut *to).poll_write(cx, from.filled()) {
            Poll::Ready(written) => written?,
            Poll::Pending if total > 0 => return Poll::Ready(Ok(total)),
            Poll::Pending => return Poll::Pending,
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        from.consume(written);
        total += written;
    }
    Poll::Ready(Ok(total))
}
