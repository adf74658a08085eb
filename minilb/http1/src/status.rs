//! Statuses: their reasons, and the pages that NGINX sends with them.
//!
//! ```text
//! 413     "413 Request Entity Too Large" in the status line and twice in the page
//! 494     a page of its own, sent with status 400: the headers are too large
//! 497     the same: HTTP where TLS is expected
//! ```
//!
//! The pages are NGINX's byte for byte, except for the name at the bottom. Their lines end with
//! CRLF.
//!
//! NGINX counterpart: `ngx_http_error_pages` (`ngx_http_special_response.c`) and
//! `ngx_http_status_lines` (`ngx_http_header_filter_module.c`), which say `302 Moved Temporarily`,
//! `405 Not Allowed`, `503 Service Temporarily Unavailable` and `504 Gateway Time-out`.

/// What stands in `Server` and at the bottom of pages.
pub const SERVER: &str = concat!("minilb/", env!("CARGO_PKG_VERSION"));

/// The reason of a status in NGINX's words; empty if NGINX has none.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

/// Returns true if NGINX has a page for the status.
pub fn has_page(status: u16) -> bool {
    matches!(status, 300..)
        && !matches!(status, 304 | 418 | 431 | 451)
        && !reason(status).is_empty()
}

/// Appends the page of a status.
pub fn page(status: u16, out: &mut Vec<u8>) {
    // The page disagrees with the status line here, for historical reasons.
    let reason = if status == 302 { "Found" } else { reason(status) };
    let title = format!("{status} {reason}");
    append(out, &title, &title, "");
}

/// Appends the page of a request whose headers are too large.
pub fn too_large_page(out: &mut Vec<u8>) {
    bad_request_page("Request Header Or Cookie Too Large", out);
}

/// Appends the page of a request without TLS where it is expected.
pub fn plain_page(out: &mut Vec<u8>) {
    bad_request_page("The plain HTTP request was sent to HTTPS port", out);
}

fn bad_request_page(text: &str, out: &mut Vec<u8>) {
    let line = format!("<center>{text}</center>\r\n");
    append(out, &format!("400 {text}"), "400 Bad Request", &line);
}

fn append(out: &mut Vec<u8>, title: &str, heading: &str, line: &str) {
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
         <center><h1>{heading}</h1></center>\r\n{line}\
         <hr><center>{SERVER}</center>\r\n</body>\r\n</html>\r\n"
    );
    out.extend_from_slice(page.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Content-Length` of NGINX 1.22.1's pages, which has a name of the same length.
    #[test]
    fn pages_are_as_long_as_those_of_nginx() {
        for (status, length) in [(400, 157), (501, 165), (505, 187), (414, 177), (413, 183)] {
            let mut out = Vec::new();
            page(status, &mut out);
            assert_eq!(out.len() - SERVER.len() + "nginx/1.22.1".len(), length, "{status}");
        }
        let mut out = Vec::new();
        too_large_page(&mut out);
        assert_eq!(out.len() - SERVER.len() + "nginx/1.22.1".len(), 233);
    }
}
