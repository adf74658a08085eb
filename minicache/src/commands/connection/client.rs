//! `CLIENT`: names, lists, kills, unblocks and pauses clients (`clientCommand` in `networking.c`).
//!
//! ```text
//! CLIENT LIST        id=7 addr=127.0.0.1:54668 ... flags=b db=0 ... cmd=blpop ... resp=2
//! CLIENT UNBLOCK 7   client 7's BLPOP replies null, as after a timeout
//! CLIENT KILL ID 7   client 7's mailbox receives Close
//! ```
//!
//! Fields of `CLIENT LIST` that we do not have (`qbuf-free`, `argv-mem`, `obl`, ...) are constant.

use super::{Call, shown, tracking::redirect_id};
use crate::commands::{cache::Cache, catalogue, session::Replies};
use crate::engine::clients::{Client, Figures};
use crate::engine::error::{Answer, Error};
use crate::engine::{blocking::Withdrawal, counter::add, mailbox::Message, tracking::Wanted};
use crate::format::number::parse_i64;
use crate::wire::reply::Reply;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt::Write, sync::Arc};

pub fn client_id(c: &mut Call) -> Answer {
    c.out.answer_int(c.session.client.id as i64)
}

pub fn client_getname(c: &mut Call) -> Answer {
    let name = c.session.client.about().name;
    if name.is_empty() {
        c.out.null()
    } else {
        c.out.bulk(&name)
    }
    Ok(())
}

/// `CLIENT SETNAME connection-name`
pub fn client_setname(c: &mut Call) -> Answer {
    set_name(c, c.arg(2))?;
    c.out.answer_ok()
}

/// Names a connection; an empty name removes the name.
pub fn set_name(c: &Call, name: &[u8]) -> Answer {
    if !is_printable(name) {
        return Err(Error::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    c.session.client.about.lock().get_or_insert_default().name = name.into();
    Ok(())
}

/// `CLIENT SETINFO LIB-NAME libname | LIB-VER libver`
pub fn client_setinfo(c: &mut Call) -> Answer {
    let (name, value) = (c.arg(2), c.arg(3));
    if !is_printable(value) {
        return Err(Error::text(format!(
            "ERR {} cannot contain spaces, newlines or special characters.",
            shown(name, 128).to_ascii_lowercase()
        )));
    }
    let mut about = c.session.client.about.lock();
    let about = about.get_or_insert_default();
    if name.eq_ignore_ascii_case(b"lib-name") {
        about.library = value.into();
    } else if name.eq_ignore_ascii_case(b"lib-ver") {
        about.library_version = value.into();
    } else {
        return Err(Error::text(format!("ERR Unrecognized option '{}'", shown(name, 128))));
    }
    c.out.answer_ok()
}

fn is_printable(name: &[u8]) -> bool {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

pub fn client_info(c: &mut Call) -> Answer {
    c.session.publish_figures();
    let line = describe(c.cache, &c.session.client, c.keyspace.now.ms) + "\n";
    c.out.verbatim(&line);
    Ok(())
}

/// `CLIENT LIST [TYPE type] [ID client-id …]`
pub fn client_list(c: &mut Call) -> Answer {
    c.session.publish_figures();
    let mut clients = c.cache.registry.clients.all();
    if c.args.len() == 4 && c.is(2, "type") {
        let kind = Kind::named(c.arg(3))?;
        clients.retain(|client| Kind::of(client) == kind);
    } else if c.args.len() > 3 && c.is(2, "id") {
        const NOT_AN_ID: Error = Error::new("ERR Invalid client ID");
        let id = |text| parse_i64(text).ok_or(NOT_AN_ID);
        let ids = c.args.from(3).iter().map(id).collect::<Result<Vec<i64>, Error>>()?;
        clients = ids.iter().filter_map(|id| c.cache.registry.clients.get(*id as u64)).collect();
    } else if c.args.len() > 2 {
        return Err(Error::SYNTAX);
    }
    let (cache, now_ms) = (c.cache, c.keyspace.now.ms);
    let line = |client: &Arc<Client>| describe(cache, client, now_ms) + "\n";
    let lines: String = clients.iter().map(line).collect();
    c.out.verbatim(&lines);
    Ok(())
}

fn describe(cache: &Cache, client: &Client, now_ms: i64) -> String {
    let about = client.about();
    let Figures { db, channels, patterns, queued, .. } = &client.figures;
    let figures = &client.figures;
    let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    let [input, output, queued_bytes] =
        [&figures.input_bytes, &figures.output_bytes, &figures.queued_bytes]
            .map(|bytes| bytes.load(Ordering::Relaxed));
    let last = figures.last_command.load(Ordering::Relaxed) as usize;
    let command = last.checked_sub(1).and_then(|id| catalogue::COMMANDS.get(id));
    let tracks = cache.registry.tracking.inspect(client.id, |tracker| {
        let letters =
            [('t', true), ('R', tracker.broken), ('B', tracker.wanted == Wanted::Broadcast)];
        (letters, redirect_id(tracker))
    });
    let redirect = tracks.map_or(-1, |(_, id)| id);
    let mut line = format!("id={} addr={}", client.id, client.address);
    let rest = write!(
        line,
        " laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub=0 \
         multi={} qbuf={input} qbuf-free=0 argv-mem=0 multi-mem={queued_bytes} rbs=0 rbp=0 obl=0 \
         oll={} omem={output} tot-mem={} events={} cmd={} user=default redir={redirect} \
         resp={} \
         lib-name={} lib-ver={}",
        client.local_address,
        figures.file.load(Ordering::Relaxed),
        String::from_utf8_lossy(&about.name),
        (now_ms - client.since_ms) / 1000,
        (now_ms - figures.active_ms.load(Ordering::Relaxed)).max(0) / 1000,
        flags(client, tracks.map(|(letters, _)| letters)),
        db.load(Ordering::Relaxed),
        channels.load(Ordering::Relaxed),
        patterns.load(Ordering::Relaxed),
        queued.load(Ordering::Relaxed),
        u8::from(output > 0),
        client.memory(),
        if output > 0 { "rw" } else { "r" },
        command.map_or("NULL", |command| command.name),
        if is(&figures.resp3) { 3 } else { 2 },
        String::from_utf8_lossy(&about.library),
        String::from_utf8_lossy(&about.library_version),
    );
    rest.expect("writing to a string cannot fail");
    line
}

fn flags(client: &Client, tracks: Option<[(char, bool); 3]>) -> String {
    let figures = &client.figures;
    let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    let letters: String = [
        ('O', is(&figures.monitor)),
        ('P', client.is_subscriber()),
        ('x', figures.queued.load(Ordering::Relaxed) >= 0),
        ('b', is(&figures.blocked)),
    ]
    .into_iter()
    .chain(tracks.into_iter().flatten())
    .chain([
        ('d', is(&figures.dirty)),
        ('U', client.address.ends_with(":0")),
        ('e', is(&figures.no_evict)),
    ])
    .filter_map(|(letter, holds)| holds.then_some(letter))
    .collect();
    if letters.is_empty() { "N".to_string() } else { letters }
}

/// The types of `CLIENT KILL TYPE` and `CLIENT LIST TYPE`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    PubSub,
    /// Masters and replicas; there are none.
    Replication,
}

impl Kind {
    fn named(name: &[u8]) -> Result<Kind, Error> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Kind::Normal),
            b"pubsub" => Ok(Kind::PubSub),
            b"master" | b"replica" | b"slave" => Ok(Kind::Replication),
            _ => Err(Error::text(format!("ERR Unknown client type '{}'", shown(name, 128)))),
        }
    }

    fn of(client: &Client) -> Kind {
        if client.is_subscriber() { Kind::PubSub } else { Kind::Normal }
    }
}

/// The filters of `CLIENT KILL`. A client is killed if it passes all of them.
#[derive(Default)]
struct Filters<'a> {
    id: Option<u64>,
    kind: Option<Kind>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    me_too: bool,
}

impl<'a> Filters<'a> {
    fn parse(c: &Call<'a, '_>) -> Result<Filters<'a>, Error> {
        let mut filters = Filters::default();
        if c.args.len() == 3 {
            return Ok(Filters { address: Some(c.arg(2)), me_too: true, ..filters });
        }
        for at in (2..c.args.len()).step_by(2) {
            let value = c.args.get(at + 1).ok_or(Error::SYNTAX)?;
            match c.arg(at).to_ascii_lowercase().as_slice() {
                b"id" => match parse_i64(value) {
                    Some(id) if id > 0 => filters.id = Some(id as u64),
                    _ => return Err(Error::new("ERR client-id should be greater than 0")),
                },
                b"type" => filters.kind = Some(Kind::named(value)?),
                b"addr" => filters.address = Some(value),
                b"laddr" => filters.local_address = Some(value),
                b"user" if value == b"default" => {}
                b"user" => {
                    let user = shown(value, 128);
                    return Err(Error::text(format!("ERR No such user '{user}'")));
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filters.me_too = false,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filters.me_too = true,
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(filters)
    }

    fn include(&self, client: &Client, me: u64) -> bool {
        let wanted = |filter: Option<&[u8]>, address: &str| {
            filter.is_none_or(|filter| filter == address.as_bytes())
        };
        self.id.is_none_or(|id| id == client.id)
            && self.kind.is_none_or(|kind| kind == Kind::of(client))
            && wanted(self.address, &client.address)
            && wanted(self.local_address, &client.local_address)
            && (self.me_too || client.id != me)
    }
}

/// `CLIENT KILL ip:port | [ID id] [TYPE type] [ADDR ip:port] [LADDR ip:port] [USER name] [SKIPME
/// yes/no]`
pub fn client_kill(c: &mut Call) -> Answer {
    let filters = Filters::parse(c)?;
    c.session.publish_figures();
    let me = c.session.client.id;
    let mut clients = c.cache.registry.clients.all();
    clients.retain(|client| filters.include(client, me));
    if c.args.len() == 3 {
        if clients.is_empty() {
            return Err(Error::new("ERR No such client"));
        }
        c.out.ok();
    } else {
        c.out.count(clients.len());
    }
    let others = clients.iter().filter(|client| client.id != me);
    others.for_each(|client| c.cache.registry.clients.dismiss(client));
    c.session.closing |= clients.iter().any(|client| client.id == me);
    Ok(())
}

/// `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
pub fn client_unblock(c: &mut Call) -> Answer {
    let with_error = match c.args.len() {
        3 => false,
        4 if c.is(3, "timeout") => false,
        4 if c.is(3, "error") => true,
        5.. => return Err(c.wrong_subcommand()),
        _ => return Err(Error::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = c.int(2)? as u64;
    let all = &c.cache.registry.blocked;
    let found = all.find(|blocked| blocked.client.id == id);
    let canceled = found.filter(|(at, _)| all.withdraw(*at) == Withdrawal::Canceled);
    c.out.int(i64::from(canceled.is_some()));
    if let Some((_, blocked)) = canceled {
        let mut reply = Reply::new(blocked.protocol);
        if with_error {
            c.cache.stats.totals.count_error("UNBLOCKED");
            add(&c.counters.of(blocked.command.id()).failed, 1);
            reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
        } else {
            reply.null_array();
        }
        blocked.client.mailbox.deliver(Message::Unblocked(std::mem::take(reply.buffer())));
    }
    Ok(())
}

/// `CLIENT REPLY ON | OFF | SKIP`
pub fn client_reply(c: &mut Call) -> Answer {
    if c.is(2, "on") {
        c.session.replies = Replies::On;
        c.out.ok();
    } else if c.is(2, "off") {
        c.session.replies = Replies::Off;
    } else if c.is(2, "skip") {
        // SKIP has no effect while all replies are off.
        if c.session.replies == Replies::On {
            c.session.replies = Replies::SkipNext;
        }
    } else {
        return Err(Error::SYNTAX);
    }
    Ok(())
}

/// `CLIENT NO-EVICT ON | OFF`
pub fn client_no_evict(c: &mut Call) -> Answer {
    let protect = c.is(2, "on");
    if !protect && !c.is(2, "off") {
        return Err(Error::SYNTAX);
    }
    c.session.client.figures.no_evict.store(protect, Ordering::Relaxed);
    c.out.answer_ok()
}

/// `CLIENT PAUSE timeout [WRITE | ALL]`
pub fn client_pause(c: &mut Call) -> Answer {
    const NOT_A_TIMEOUT: Error = Error::new("ERR timeout is not an integer or out of range");
    let writes_only = match c.args.len() {
        3 => false,
        4 if c.is(3, "all") => false,
        4 if c.is(3, "write") => true,
        4 => return Err(Error::new("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(c.wrong_subcommand()),
    };
    let ms = parse_i64(c.arg(2)).ok_or(NOT_A_TIMEOUT)?;
    if ms < 0 {
        return Err(Error::new("ERR timeout is negative"));
    }
    // As in Redis, a number that is too large overflows, and the pause is over at once.
    let until = c.keyspace.now.ms.wrapping_add(ms);
    c.cache.registry.pause.begin(until, writes_only);
    c.out.answer_ok()
}

pub fn client_unpause(c: &mut Call) -> Answer {
    c.cache.registry.pause.end();
    c.out.answer_ok()
}
