//! HTTP/1.1 as a proxy needs it, without I/O: strict when it reads, and never a copy of what it
//! read.
//!
//! | module | what it is |
//! |---|---|
//! | [`head`] | request line or status line, and headers |
//! | [`framing`] | where a body ends: the closed type that everything else relies on |
//! | [`body`] | bodies decoded from one framing and encoded in another |
//! | [`writer`] | heads written from their parts |
//! | [`refusal`] | what is wrong with a request, and the status that says so |
//! | [`status`] | reasons and pages of statuses |
//! | [`exchange`] | one request and its response, as a machine of bytes in and bytes out |
//! | [`buffer`] | bytes that wait for their receiver |
//!
//! # Why so strict?
//!
//! A proxy and the server behind it must agree where a request ends. If they do not, the rest of
//! one client's request is the beginning of the next client's ("request smuggling"):
//!
//! ```text
//! POST / HTTP/1.1                     a server that believes Content-Length
//! Host: a                             sees one request of 30 bytes;
//! Content-Length: 30                  one that believes Transfer-Encoding
//! Transfer-Encoding: chunked          sees it end after `0`, and then
//!                                     GET /admin
//! 0
//!
//! GET /admin HTTP/1.1
//! ```
//!
//! There are two defenses, and this codec has both. What is ambiguous is refused ([`refusal`]
//! lists it), although NGINX accepts some of it. And no byte of the client's framing is passed on:
//! [`framing::Framing`] is read from one side and written anew to the other by
//! [`writer::HeadWriter`], which has no other way to write `Content-Length`.
//!
//! NGINX counterpart: `ngx_http_parse.c`, `ngx_http_request.c` and `ngx_http_proxy_module.c`.

pub mod body;
pub mod buffer;
pub mod exchange;
pub mod framing;
pub mod head;
pub mod refusal;
pub mod status;
pub mod writer;
