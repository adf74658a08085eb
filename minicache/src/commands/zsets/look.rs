//! What can be asked about one sorted set without a range: size, scores, ranks, random members, a
//! walk through all.
//!
//! ```text
//! ZMSCORE board ada bob eve       310, 250, (nil)
//! ZREVRANK board ada              0: no member has more
//! ZRANDMEMBER board 2             two different members
//! ZSCAN board 0 MATCH a*          cursor 0, that is all; ada 310
//! ```

use crate::commands::{Call, draw::Draw, handlers::variants, scan};
use crate::engine::error::Answer;
use crate::engine::values::zset::ZSet;
use crate::format::number::DtoaBuf;
use crate::wire::reply::Reply;

/// `ZCARD key`
pub fn zcard(c: &mut Call) -> Answer {
    let zset = c.keyspace.get::<ZSet>(c.key(1))?;
    c.out.answer_count(zset.map_or(0, ZSet::len))
}

/// `ZSCORE key member`
pub fn zscore(c: &mut Call) -> Answer {
    let zset = c.keyspace.get::<ZSet>(c.key(1))?;
    score_or_null(c.out, zset.and_then(|zset| zset.score(c.args.at(2))));
    Ok(())
}

/// `ZMSCORE key member [member ...]`
pub fn zmscore(c: &mut Call) -> Answer {
    let zset = c.keyspace.get::<ZSet>(c.key(1))?;
    let members = c.args.from(2);
    c.out.array(members.len());
    for member in members.iter() {
        score_or_null(c.out, zset.and_then(|zset| zset.score(member)));
    }
    Ok(())
}

variants! {
    zrank = rank(false);    // key member
    zrevrank = rank(true);  // key member
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`
pub fn zrandmember(c: &mut Call) -> Answer {
    if c.args.len() == 2 {
        let mut rng = c.cache.shards.rng();
        let drawn =
            c.keyspace.get::<ZSet>(c.key(1))?.and_then(|zset| zset.nth(rng.below(zset.len())));
        c.out.element_or_null(drawn.map(|(member, _)| member));
        return Ok(());
    }
    let (draw, listing) = Draw::parse_with_option(c, "withscores")?;
    let (mut rng, bytes_max) = (c.cache.shards.rng(), c.reply_bytes_max());
    let Some(zset) = c.keyspace.get::<ZSet>(c.key(1))? else { return c.out.answer_empty() };
    listing.header(c.out, draw.len(zset.len()));
    // Finding a rank in a packed set is a walk; it is walked once, not once for each draw.
    let listed: Vec<_> = match zset {
        ZSet::Packed(_) => zset.iter().collect(),
        ZSet::Indexed(_) => Vec::new(),
    };
    let whole = draw.all(zset.len(), &mut rng, |place| {
        // All members, where all are wanted, come from the end as in Redis.
        let rank = zset.len() - 1 - place;
        if let Some((member, score)) = listed.get(rank).copied().or_else(|| zset.nth(rank)) {
            listing.pair(c.out, member, |out| out.double(score));
        }
        c.out.len() < bytes_max
    });
    c.session.closing |= !whole;
    Ok(())
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn zscan(c: &mut Call) -> Answer {
    scan::container(c, 2, |zset: &ZSet, cursor, page| {
        zset.scan(cursor, |member, score| {
            if page.lists(member) {
                page.out.element(member);
                scanned_score(page.out, zset, score);
            }
        })
    })
}

/// A score as `ZSCAN` shows it: packed ones that are whole are integers, without an exponent
/// however large they are.
fn scanned_score(out: &mut Reply, zset: &ZSet, score: f64) {
    const WHOLE_BELOW: f64 = (1u64 << 62) as f64;
    match zset {
        ZSet::Packed(_) if score.fract() == 0.0 && score.abs() < WHOLE_BELOW => {
            out.bulk_int(score as i64);
        }
        _ => out.bulk(DtoaBuf::new().format(score)),
    }
}

fn rank(c: &mut Call, reverse: bool) -> Answer {
    let zset = c.keyspace.get::<ZSet>(c.key(1))?;
    match zset.and_then(|zset| zset.rank(c.args.at(2), reverse)) {
        Some(rank) => c.out.count(rank),
        None => c.out.null(),
    }
    Ok(())
}

fn score_or_null(out: &mut Reply, score: Option<f64>) {
    match score {
        Some(score) => out.double(score),
        None => out.null(),
    }
}
