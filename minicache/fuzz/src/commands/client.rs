//! A client without a socket: does what `server/connection.rs` does, and checks every reply.
//!
//! ```text
//! packet "GET k\r\nGE"     pending: GE      reply: one value; none for the incomplete request
//! packet "T k\r\n"         pending:         reply: one value
//! ```
//!
//! Counterpart: `networking.c`.

use super::host::Host;
use crate::value::{Speech, split};
use minicache::commands::messages;
use minicache::commands::run::run;
use minicache::commands::session::{Replies, Session};
use minicache::commands::transactions::unwatch_all;
use minicache::engine::blocking::Withdrawal;
use minicache::engine::mailbox::Message;
use minicache::wire::reply::{Protocol, Reply};
use minicache::wire::request::{Args, Found, Limits, Parser};
use std::task::{Context, Poll, Waker};

/// A client and its connection.
pub struct Client {
    session: Session,
    parser: Parser,
    pending: Vec<u8>,
    /// True once it has subscribed, tracked or monitored: messages may arrive at any time.
    listens: bool,
}

/// The number of values in the reply to a command.
#[derive(Clone, Copy, Debug)]
enum Expected {
    One,
    AtMostOne,
    Any,
}

impl Client {
    /// A client that has just connected.
    pub fn new(host: &Host) -> Client {
        let config = host.cache.config.snapshot();
        let client = host.cache.registry.clients.enter(String::new(), String::new(), host.now.ms);
        Client {
            session: Session::new(client, config.settings.requirepass.is_empty()),
            parser: Parser::default(),
            pending: Vec::new(),
            listens: false,
        }
    }

    /// Returns true after it quit or was killed.
    pub fn is_done(&self) -> bool {
        self.session.closing
    }

    /// Executes bytes that arrive from it.
    pub fn receive(&mut self, host: &Host, packet: &[u8]) {
        self.pending.extend_from_slice(packet);

        // Scripts have a target of their own, which ends the endless ones.
        if self.pending.windows(4).any(|word| word.eq_ignore_ascii_case(b"eval")) {
            self.pending.clear();
        }
        while self.session.waiting.is_none() && !self.pending.is_empty() && !self.is_done() {
            let limits = self.limits(host);
            let mut probe = Parser::default();
            let (length, expected) = match probe.next(&self.pending, limits) {
                Found::Request { length } => {
                    (length, self.expected(probe.args(&self.pending[..length])))
                }
                Found::Incomplete => (self.pending.len(), Expected::AtMostOne),
                Found::Invalid(_) => (self.pending.len(), Expected::One),
            };
            let done = self.run(host, length, expected);
            self.pending.drain(..done);
            if done < length {
                break;
            }
        }
    }

    fn limits(&self, host: &Host) -> Limits {
        let bulk_max = host.cache.config.snapshot().settings.proto_max_bulk_len as i64;
        Limits { bulk_max, authenticated: self.session.authenticated }
    }

    /// Executes the first `length` pending bytes, at most one request.
    fn run(&mut self, host: &Host, length: usize, expected: Expected) -> usize {
        let config = host.config();
        let before = (self.session.replies, self.session.protocol);
        let Session { subscriptions, tracking, monitor, .. } = &self.session;
        self.listens |= !subscriptions.is_empty() || tracking.is_some() || *monitor;
        let mut out = Reply::new(self.session.protocol);
        let mut executor = host.executor(&config);
        let input = &self.pending[..length];
        let done = run(&mut executor, &mut self.session, &mut self.parser, input, &mut out);
        drop(executor);
        let shown = || self.pending[..length].escape_ascii().to_string();
        let values = split(out.bytes(), self.speech(before.1));
        // A reply over the limit is cut off, and the connection is closed.
        let cut_off = self.is_done() && out.len() >= config.settings.reply_bytes_max();
        let count = match values {
            Err(_) if cut_off => 0,
            values => values.unwrap_or_else(|why| panic!("{why}, reply to {}", shown())).len(),
        };
        let silent = self.session.waiting.is_some() || self.session.held_until_ms.is_some();
        let all = before.0 == Replies::On && self.session.replies == Replies::On;
        let good = match expected {
            // Messages that arrived meanwhile follow the reply.
            _ if self.listens || !all => true,
            _ if silent => count == 0,
            Expected::One if !self.is_done() => count == 1,
            Expected::One | Expected::AtMostOne => count <= 1,
            Expected::Any => true,
        };
        assert!(good, "{count} values, not {expected:?}, in reply to {}", shown());
        done
    }

    fn speech(&self, before: Protocol) -> Speech {
        match (before, self.session.protocol) {
            _ if self.listens => Speech::Either,
            (Protocol::Resp2, Protocol::Resp2) => Speech::Resp2,
            (Protocol::Resp3, Protocol::Resp3) => Speech::Resp3,
            _ => Speech::Either,
        }
    }

    /// The number of values in the reply to a request. Subscriptions reply once per channel, also
    /// inside a transaction.
    fn expected(&self, args: Args) -> Expected {
        let subscribes = |name: &[u8]| name.to_ascii_lowercase().ends_with(b"subscribe");
        let Some(name) = args.get(0) else { return Expected::AtMostOne };
        let queued = self.session.transaction.iter().flat_map(|open| &open.commands);
        let mut queued = queued.map(|queued| queued.command.name.as_bytes());
        match name.eq_ignore_ascii_case(b"exec") {
            true if queued.any(subscribes) => Expected::Any,
            false if subscribes(name) => Expected::Any,
            _ => Expected::One,
        }
    }

    /// Takes messages from its mailbox, and ends a wait that has timed out.
    pub fn attend(&mut self, host: &Host) {
        let mailbox = &self.session.client.mailbox;
        if let Poll::Ready(messages) = mailbox.poll_collect(&Context::from_waker(Waker::noop())) {
            messages.into_iter().for_each(|message| self.open(message));
        }
        let is_past = |until: Option<i64>| until.is_some_and(|until| until <= host.now.ms);
        if is_past(self.session.wait_until_ms)
            && let Some(ticket) = self.session.waiting
            && matches!(host.cache.registry.blocked.withdraw(ticket), Withdrawal::Canceled)
        {
            self.wait_no_longer();
        }
        if is_past(self.session.held_until_ms) {
            self.session.held_until_ms = None;
        }
        self.receive(host, &[]);
    }

    fn open(&mut self, message: Message) {
        match message {
            Message::Close => self.session.closing = true,
            Message::Unblocked(reply) => {
                whole(&reply, self.speech(self.session.protocol));
                assert!(self.session.waiting.is_some(), "no command waits for this reply");
                self.wait_no_longer();
            }
            push => {
                let mut out = Reply::default();
                messages::write(&push, &self.session, &mut out);
                if !out.is_empty() {
                    whole(out.bytes(), Speech::Either);
                }
            }
        }
    }

    fn wait_no_longer(&mut self) {
        self.session.waiting = None;
        self.session.wait_until_ms = None;
    }

    /// Disconnects, in any state.
    pub fn disconnect(mut self, host: &Host) {
        let cache = &host.cache;
        if let Some(ticket) = self.session.waiting {
            cache.registry.blocked.finish(ticket);
        }
        let id = self.session.client.id;
        cache.registry.pubsub.lock().unsubscribe_all(&self.session.subscriptions, id);
        unwatch_all(&mut host.executor(&host.config()).keyspace, &mut self.session);
        cache.registry.monitors.remove(id);
        cache.registry.clients.leave(id);
    }
}

fn whole(message: &[u8], speech: Speech) {
    let values = split(message, speech).unwrap_or_else(|why| panic!("{why}, in a message"));
    assert_eq!(values.len(), 1, "{}", message.escape_ascii());
}
