//! Commands about the connection: authentication, protocol, database (`networking.c`, `acl.c`).
//!
//! ```text
//! HELLO 3 AUTH default secret     checks the password, switches to RESP3, replies a map
//! SELECT 2                        the session's database is 2
//! RESET                           all of the session back to its start
//! ```
//!
//! * [`client`]: `CLIENT`, about this connection and others.
//! * [`tracking`]: `CLIENT TRACKING` and `CLIENT CACHING`.
//!
//! There is one user, `default`, whose password is `requirepass`. Access lists (`ACL SETUSER`) are
//! left out.

mod client;
mod tracking;

pub use client::*;
pub use tracking::*;

use super::{Call, REDIS_VERSION, shown, transactions::unwatch_all};
use crate::commands::session::{Replies, Session};
use crate::engine::error::{Answer, Error};
use crate::wire::reply::Protocol;

const WRONG_PASSWORD: Error =
    Error::new("WRONGPASS invalid username-password pair or user is disabled.");

/// `PING [message]`
pub fn ping(c: &mut Call) -> Answer {
    if c.args.len() > 2 {
        return Err(Error::arity("ping"));
    }
    match (c.session.in_subscribed_mode(), c.args.get(1)) {
        (true, message) => {
            c.out.array(2);
            c.out.text("pong");
            c.out.bulk(message.unwrap_or_default());
        }
        (false, Some(message)) => c.out.bulk(message),
        (false, None) => c.out.simple("PONG"),
    }
    Ok(())
}

/// `ECHO message`
pub fn echo(c: &mut Call) -> Answer {
    c.out.bulk(c.args.at(1));
    Ok(())
}

/// `SELECT index`
pub fn select(c: &mut Call) -> Answer {
    c.session.db = database_at(c, 1)?;
    c.out.answer_ok()
}

/// Reads the number of a database from the argument at `index`.
pub fn database_at(c: &Call, index: usize) -> Result<usize, Error> {
    let number = c.int(index)?;
    if i32::try_from(number).is_err() {
        return Err(Error::new(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    database(c, number)
}

/// Checks the number of a database.
pub fn database(c: &Call, index: i64) -> Result<usize, Error> {
    let count = i64::from(c.settings.databases);
    if (0..count).contains(&index) {
        Ok(index as usize)
    } else {
        Err(Error::new("ERR DB index is out of range"))
    }
}

pub fn quit(c: &mut Call) -> Answer {
    c.out.ok();
    c.session.closing = true;
    Ok(())
}

pub fn reset(c: &mut Call) -> Answer {
    c.session.transaction = None;
    unwatch_all(c.keyspace, c.session);
    let gone = std::mem::take(&mut c.session.subscriptions);
    c.cache.registry.pubsub.lock().unsubscribe_all(&gone, c.session.client.id);
    let session: &mut Session = c.session;
    session.client.about.lock().get_or_insert_default().name = Box::default();
    session.db = 0;
    session.protocol = Protocol::Resp2;
    session.replies = Replies::On;
    if session.tracking.take().is_some() {
        c.cache.registry.tracking.disable(session.client.id);
    }
    if std::mem::take(&mut session.monitor) {
        c.cache.registry.monitors.remove(session.client.id);
    }
    session.authenticated = c.settings.requirepass.is_empty();
    c.out.protocol = Protocol::Resp2;
    c.out.simple("RESET");
    Ok(())
}

/// `AUTH [username] password`
pub fn auth(c: &mut Call) -> Answer {
    const NO_PASSWORD: Error = Error::new(
        "ERR AUTH <password> called without any password configured for the default user. \
         Are you sure your configuration is correct?",
    );
    match c.args.len() {
        2 if c.settings.requirepass.is_empty() => return Err(NO_PASSWORD),
        2 => log_in(c, b"default", c.arg(1))?,
        3 => log_in(c, c.arg(1), c.arg(2))?,
        _ => return Err(Error::SYNTAX),
    }
    c.out.answer_ok()
}

/// Checks a password and authenticates the session. Without `requirepass` any password will do.
fn log_in(c: &mut Call, user: &[u8], password: &[u8]) -> Answer {
    let wanted = &c.settings.requirepass;
    if user != b"default" || !(wanted.is_empty() || same_secret(wanted, password)) {
        return Err(WRONG_PASSWORD);
    }
    c.session.authenticated = true;
    Ok(())
}

/// Compares all bytes, so that the time taken does not reveal the position of the first difference.
fn same_secret(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`
pub fn hello(c: &mut Call) -> Answer {
    const UNAUTHENTICATED: Error = Error::new(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
         AUTH <user> <pass> option can be used to authenticate the client and select the RESP \
         protocol version at the same time",
    );
    let protocol = match c.args.get(1) {
        None => c.session.protocol,
        Some(_) => match c.int(1) {
            Ok(2) => Protocol::Resp2,
            Ok(3) => Protocol::Resp3,
            Ok(_) => return Err(Error::new("NOPROTO unsupported protocol version")),
            Err(_) => {
                return Err(Error::new("ERR Protocol version is not an integer or out of range"));
            }
        },
    };
    let mut at = 2;
    while let Some(option) = c.args.get(at) {
        at += match c.args.len() - 1 - at {
            2.. if c.is(at, "auth") => {
                log_in(c, c.arg(at + 1), c.arg(at + 2))?;
                3
            }
            1.. if c.is(at, "setname") => {
                client::set_name(c, c.arg(at + 1))?;
                2
            }
            _ => {
                let option = shown(option, 128);
                return Err(Error::text(format!("ERR Syntax error in HELLO option '{option}'")));
            }
        };
    }
    if !c.session.authenticated {
        return Err(UNAUTHENTICATED);
    }
    c.session.protocol = protocol;
    c.session.publish_figures();
    c.out.protocol = protocol;
    greet(c);
    Ok(())
}

fn greet(c: &mut Call) {
    c.out.map(7);
    c.out.pair("server", "redis");
    c.out.pair("version", REDIS_VERSION);
    c.out.text("proto");
    c.out.int(if c.session.protocol == Protocol::Resp3 { 3 } else { 2 });
    c.out.text("id");
    c.out.int(c.session.client.id as i64);
    c.out.pair("mode", "standalone");
    c.out.pair("role", "master");
    c.out.text("modules");
    c.out.array(0);
}
