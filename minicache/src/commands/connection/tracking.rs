//! `CLIENT TRACKING`: the options of client-side caching (`networking.c`). The table and the
//! messages are in [`crate::engine::tracking`].
//!
//! ```text
//! CLIENT TRACKING ON                       invalidate keys that I read
//! CLIENT TRACKING ON OPTIN                 … only right after CLIENT CACHING YES
//! CLIENT TRACKING ON BCAST PREFIX user:    invalidate every key with this prefix
//! CLIENT TRACKING ON REDIRECT 7 NOLOOP     send to client 7, but not my own changes
//! ```

use super::{Call, shown};
use crate::engine::clients::Client;
use crate::engine::error::{Answer, Error};
use crate::engine::tracking::{Tracker, Wanted};
use crate::format::number::parse_i64;
use std::{collections::BTreeSet, sync::Arc};

#[derive(Default)]
struct Options<'a> {
    redirect: Option<Arc<Client>>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

/// `CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT]
/// [NOLOOP]`
pub fn client_tracking(c: &mut Call) -> Answer {
    let options = Options::parse(c)?;
    if c.is(2, "on") {
        let wanted = options.wanted(c.session.tracking)?;
        check_overlaps(c, &options.prefixes)?;
        c.session.tracking = Some(wanted);
        c.cache.registry.tracking.enable(options.tracker(&c.session.client, wanted));
    } else if c.is(2, "off") {
        c.session.caching = false;
        if c.session.tracking.take().is_some() {
            c.cache.registry.tracking.disable(c.session.client.id);
        }
    } else {
        return Err(Error::SYNTAX);
    }
    c.out.answer_ok()
}

impl<'a> Options<'a> {
    fn parse(c: &Call<'a, '_>) -> Result<Options<'a>, Error> {
        let mut options = Options::default();
        let mut at = 3;
        while let Some(option) = c.args.get(at) {
            at += 1;
            let value = c.args.get(at);
            match (option.to_ascii_lowercase().as_slice(), value) {
                (b"bcast", _) => options.broadcast = true,
                (b"optin", _) => options.opt_in = true,
                (b"optout", _) => options.opt_out = true,
                (b"noloop", _) => options.no_loop = true,
                (b"prefix", Some(prefix)) => {
                    options.prefixes.push(prefix);
                    at += 1;
                }
                (b"redirect", Some(id)) => {
                    options.set_redirect(c, id)?;
                    at += 1;
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }

    fn set_redirect(&mut self, c: &Call, id: &[u8]) -> Answer {
        if self.redirect.is_some() {
            return Err(Error::new("ERR A client can only redirect to a single other client"));
        }
        let id = parse_i64(id).ok_or(Error::NOT_AN_INTEGER)?;
        let client = u64::try_from(id).ok().and_then(|id| c.cache.registry.clients.get(id));
        const NO_SUCH_CLIENT: Error =
            Error::new("ERR The client ID you want redirect to does not exist");
        self.redirect = Some(client.ok_or(NO_SUCH_CLIENT)?);
        Ok(())
    }

    /// Returns the keys that these options mean, or an error if they contradict each other or the
    /// options in force.
    fn wanted(&self, before: Option<Wanted>) -> Result<Wanted, Error> {
        let wanted = match (self.broadcast, self.opt_in, self.opt_out) {
            (true, _, _) => Wanted::Broadcast,
            (_, true, _) => Wanted::OptIn,
            (_, _, true) => Wanted::OptOut,
            _ => Wanted::Read,
        };
        let is_broadcast = |wanted| wanted == Wanted::Broadcast;
        let why = if !self.broadcast && !self.prefixes.is_empty() {
            "ERR PREFIX option requires BCAST mode to be enabled"
        } else if before.is_some_and(|before| is_broadcast(before) != self.broadcast) {
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, \
             and then re-enabling it with a different mode."
        } else if self.broadcast && (self.opt_in || self.opt_out) {
            "ERR OPTIN and OPTOUT are not compatible with BCAST"
        } else if self.opt_in && self.opt_out {
            "ERR You can't specify both OPTIN mode and OPTOUT mode"
        } else if matches!(
            (before, wanted),
            (Some(Wanted::OptIn), Wanted::OptOut) | (Some(Wanted::OptOut), Wanted::OptIn)
        ) {
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, \
             and then re-enabling it with a different mode."
        } else {
            return Ok(wanted);
        };
        Err(Error::new(why))
    }

    /// The whole keyspace is the empty prefix.
    fn tracker(mut self, client: &Arc<Client>, wanted: Wanted) -> Tracker {
        if self.broadcast && self.prefixes.is_empty() {
            self.prefixes.push(b"");
        }
        Tracker {
            client: Arc::clone(client),
            redirect: self.redirect,
            wanted,
            no_loop: self.no_loop,
            prefixes: self.prefixes.into_iter().map(Box::from).collect(),
            broken: false,
        }
    }
}

/// Checks that no key has two prefixes of one client, which would receive it twice. Redis checks
/// the same, but replies twice if the second new prefix or a later one overlaps another.
fn check_overlaps(c: &Call, prefixes: &[&[u8]]) -> Answer {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let id = c.session.client.id;
    let existing = c.cache.registry.tracking.inspect(id, |tracker| tracker.prefixes.clone());
    let existing: BTreeSet<Box<[u8]>> = existing.unwrap_or_default();
    for (index, prefix) in prefixes.iter().enumerate() {
        let others = prefixes[index + 1..].iter().map(|other| ("another provided", *other));
        let existing = existing.iter().map(|other| ("an existing", &**other));
        if let Some((whose, other)) = existing.chain(others).find(|(_, it)| overlap(prefix, it)) {
            return Err(Error::text(format!(
                "ERR Prefix '{}' overlaps with {whose} prefix '{}'. Prefixes for a single client \
                 must not overlap.",
                shown(prefix, 128),
                shown(other, 128)
            )));
        }
    }
    Ok(())
}

/// `CLIENT CACHING YES | NO`
pub fn client_caching(c: &mut Call) -> Answer {
    let Some(wanted) = c.session.tracking else {
        return Err(Error::new(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with \
             OPTIN or OPTOUT mode enabled",
        ));
    };
    let (mode, why) = match () {
        () if c.is(2, "yes") => (
            Wanted::OptIn,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ),
        () if c.is(2, "no") => (
            Wanted::OptOut,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ),
        () => return Err(Error::SYNTAX),
    };
    if wanted != mode {
        return Err(Error::new(why));
    }
    c.session.caching = true;
    c.out.answer_ok()
}

/// `CLIENT GETREDIR`: 0 without a redirection, -1 without tracking.
pub fn client_getredir(c: &mut Call) -> Answer {
    let redirect = c.cache.registry.tracking.inspect(c.session.client.id, redirect_id);
    c.out.answer_int(redirect.unwrap_or(-1))
}

/// The id of the client that receives the invalidations instead, or 0.
pub(super) fn redirect_id(tracker: &Tracker) -> i64 {
    tracker.redirect.as_ref().map_or(0, |other| other.id as i64)
}

pub fn client_trackinginfo(c: &mut Call) -> Answer {
    let caching = c.session.caching;
    let info = c.cache.registry.tracking.inspect(c.session.client.id, |tracker| {
        (flags(tracker, caching), redirect_id(tracker), tracker.prefixes.clone())
    });
    let (flags, redirect, prefixes) = info.unwrap_or((vec!["off"], -1, BTreeSet::new()));
    c.out.map(3);
    c.out.text("flags");
    c.out.set(flags.len());
    flags.into_iter().for_each(|flag| c.out.text(flag));
    c.out.text("redirect");
    c.out.int(redirect);
    c.out.text("prefixes");
    c.out.array(prefixes.len());
    prefixes.iter().for_each(|prefix| c.out.bulk(prefix));
    Ok(())
}

fn flags(tracker: &Tracker, caching: bool) -> Vec<&'static str> {
    let wanted = tracker.wanted;
    let flags = [
        ("on", true),
        ("bcast", wanted == Wanted::Broadcast),
        ("optin", wanted == Wanted::OptIn),
        ("caching-yes", wanted == Wanted::OptIn && caching),
        ("optout", wanted == Wanted::OptOut),
        ("caching-no", wanted == Wanted::OptOut && caching),
        ("noloop", tracker.no_loop),
        ("broken_redirect", tracker.broken),
    ];
    flags.into_iter().filter_map(|(name, holds)| holds.then_some(name)).collect()
}

#[cfg(test)]
mod tests;
