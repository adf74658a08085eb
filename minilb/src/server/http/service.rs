//! What decides about requests. Everything else in this folder is the same for a load balancer and
//! for a gateway.
//!
//! # The life of a request, seen from here
//!
//! ```text
//! begin             the first byte has come
//! decide            Answer(Answer)    written to the client
//!                   Forward(route)    write_request for each attempt ─> write_response
//! recover           no server answered, or the body was too large: another decision
//! error_answer      the request cannot be understood
//! log               the last byte was sent
//! ```
//!
//! A service has one value per core thread or shares one between them, as it likes. What it needs
//! to remember between these calls is its [`HttpService::Context`], which is reused for the next
//! request, so that it need not allocate.
//!
//! NGINX counterpart: the phases of `ngx_http_core_run_phases` and `ngx_http_upstream_conf_t`.
//! Pingora counterpart: the trait `ProxyHttp`.

pub use super::route::{AttemptTarget, ClientLimits, Retry, Route};
pub use crate::handlers::facts::{AttemptLog, Client, Done};
use crate::wire::http1::exchange::Exchange;
use crate::wire::http1::head::RequestHead;
use crate::wire::http1::refusal::Refusal;
use crate::wire::http1::status;
use crate::wire::http1::writer::HeadWriter;
use minikit::sync::Arc;

/// Decides about requests.
pub trait HttpService: Sized {
    /// What a request carries from its decision to its log line; reused for the next request.
    type Context: Default + 'static;

    /// A request begins on the connection. Prepares the context for it, so that even a request that
    /// cannot be understood gets an answer, and returns the limits that hold for it.
    fn begin(&self, client: &Client, context: &mut Self::Context) -> ClientLimits;

    /// Decides what happens to the request in `exchange.request`. It may wait, for a shared store
    /// or because the request is delayed.
    fn decide(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &mut Self::Context,
    ) -> impl Future<Output = Decision>;

    /// Looks at the request body, as far as it is stored, before the first attempt. May answer it.
    fn check_body(&self, _exchange: &mut Exchange, _context: &mut Self::Context) -> Option<Answer> {
        None
    }

    /// Appends what methods that hash go by. The default is nothing: round robin.
    fn balance_key(
        &self,
        _exchange: &Exchange,
        _client: &Client,
        _context: &Self::Context,
        _key: &mut Vec<u8>,
    ) {
    }

    /// Appends the head for one attempt: [`HeadWriter::request`], headers,
    /// [`HeadWriter::finish`].
    fn write_request(
        &self,
        request: &RequestHead,
        client: &Client,
        context: &Self::Context,
        attempt: &AttemptTarget<'_>,
        out: &mut Vec<u8>,
    );

    /// Adds the headers of the response that the client gets: of `answer` if there is one, or else
    /// of `exchange.response`.
    fn write_response(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &Self::Context,
        answer: Option<&Answer>,
        head: &mut HeadWriter<'_>,
    );

    /// Decides about a request again that has failed with this status before the client was sent
    /// anything. It may be forwarded once more, as long as its body is held.
    fn recover(
        &self,
        status: u16,
        _exchange: &Exchange,
        _client: &Client,
        context: &mut Self::Context,
    ) -> impl Future<Output = Decision> {
        let answer = self.error_answer(status, context);
        async move { Decision::Answer(answer) }
    }

    /// Returns true if the client is to be told how its servers were chosen.
    fn explains(&self, _exchange: &Exchange, _context: &Self::Context) -> bool {
        false
    }

    /// Returns true if the response of the upstream server is a failure, which
    /// [`HttpService::recover`] decides about.
    fn intercepts(&self, _exchange: &Exchange, _context: &Self::Context) -> bool {
        false
    }

    /// Returns true if the response body is held, for [`HttpService::rewrite`].
    fn rewrites(&self, _exchange: &Exchange, _context: &Self::Context) -> bool {
        false
    }

    /// Changes a response body. Returns false if that cannot be done, which is a 502.
    fn rewrite(&self, _context: &mut Self::Context, _body: &mut Vec<u8>) -> bool {
        true
    }

    /// The status that the client gets with the response of an upstream server.
    fn response_status(&self, exchange: &Exchange, _context: &Self::Context) -> u16 {
        exchange.response.status()
    }

    /// Returns true if the connection ends with this answer, or else the response of the upstream
    /// server. After some failures NGINX trusts neither the client's framing nor itself.
    fn ends_connection(&self, _context: &Self::Context, answer: Option<&Answer>) -> bool {
        answer.is_some_and(|it| matches!(it.status, 400 | 413 | 414 | 500 | 501))
    }

    /// The answer to a request that failed with this status.
    fn error_answer(&self, status: u16, _context: &mut Self::Context) -> Answer {
        Answer::page(status)
    }

    /// The answer to a request that cannot be understood. The default is NGINX's, which has status
    /// 400 for headers that are too large, with a page of its own.
    fn refusal_answer(&self, refusal: Refusal, context: &mut Self::Context) -> Answer {
        let mut answer = self.error_answer(refusal.status(), context);
        if refusal == Refusal::HeadersTooLarge {
            answer.body.clear();
            status::too_large_page(&mut answer.body);
        }
        answer
    }

    /// The request is done. Called before the client's next request is looked at.
    fn log(&self, exchange: &Exchange, client: &Client, context: &Self::Context, done: &Done);
}

/// What happens to a request.
#[derive(Debug)]
pub enum Decision {
    /// It is answered here.
    Answer(Answer),
    /// It goes to an upstream server.
    Forward(Arc<Route>),
    /// The connection is closed without a word (NGINX's status 444).
    Close,
}

/// A response of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// For [`HttpService::write_response`].
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// Not sent to `HEAD`.
    pub body: Vec<u8>,
}

impl Answer {
    /// NGINX's page for this status; an empty body if it has none. 497 (HTTP where TLS is expected)
    /// is shown as 400.
    pub fn page(status: u16) -> Answer {
        let mut body = Vec::new();
        if status == 497 {
            status::plain_page(&mut body);
            return Answer::new(400, "text/html", body);
        }
        if !status::has_page(status) {
            return Answer { status, headers: Vec::new(), body };
        }
        status::page(status, &mut body);
        Answer { status, headers: vec![("Content-Type", b"text/html".to_vec())], body }
    }

    /// A body with its type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let headers = vec![("Content-Type", content_type.as_bytes().to_vec())];
        Answer { status, headers, body: body.into() }
    }
}
