//! A map and a sort as the oracle, and the places where Redis decides something.

use super::*;
use crate::engine::rng::Rng;
use std::collections::BTreeMap;

type Model = Vec<(f64, Vec<u8>)>;

fn sorted(scores: &BTreeMap<Vec<u8>, f64>) -> Model {
    let mut model: Model = scores.iter().map(|(m, s)| (*s, m.clone())).collect();
    model.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    model
}

fn owned<'a>(iter: impl Iterator<Item = (Element<'a>, f64)>) -> Model {
    iter.map(|(member, score)| (score, member.to_vec())).collect()
}

fn random_score(rng: &mut Rng) -> f64 {
    match rng.below(20) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2..6 => rng.below(100) as f64 / 7.0,
        _ => rng.below(20) as f64 - 10.0,
    }
}

fn random_bound(rng: &mut Rng) -> Bound {
    let score = random_score(rng);
    if rng.below(2) == 0 { Bound::Incl(score) } else { Bound::Excl(score) }
}

fn is_between(score: f64, min: Bound, max: Bound) -> bool {
    let above = match min {
        Bound::Incl(min) => score >= min,
        Bound::Excl(min) => score > min,
    };
    let below = match max {
        Bound::Incl(max) => score <= max,
        Bound::Excl(max) => score < max,
    };
    above && below
}

fn check(set: &ZSet, model: &Model, rng: &mut Rng) {
    assert_eq!(owned(set.iter()), *model);
    for (rank, (score, member)) in model.iter().enumerate() {
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.rank(member, false), Some(rank));
        assert_eq!(set.rank(member, true), Some(model.len() - 1 - rank));
    }
    for _ in 0..10 {
        let ranks = rng.below(model.len() + 2)..rng.below(model.len() + 2);
        let clipped = ranks.start.min(model.len())..ranks.end.min(model.len());
        let mut expected = model.get(clipped).unwrap_or_default().to_vec();
        assert_eq!(owned(set.range(ranks.clone())), expected);
        expected.reverse();
        assert_eq!(owned(set.range_rev(ranks)), expected);

        let (min, max) = (random_bound(rng), random_bound(rng));
        let expected: Model =
            model.iter().filter(|(score, _)| is_between(*score, min, max)).cloned().collect();
        assert_eq!(owned(set.range(set.ranks_by_score(min, max))), expected);
    }
}

fn delete_something(set: &mut ZSet, scores: &mut BTreeMap<Vec<u8>, f64>, rng: &mut Rng) {
    let model = sorted(scores);
    let gone: Model = match rng.below(40) {
        0 => {
            let (min, max) = (random_bound(rng), random_bound(rng));
            let ranks = set.ranks_by_score(min, max);
            let ranks = ranks.start..ranks.end.min(ranks.start + 20);
            assert_eq!(set.remove_range(ranks.clone()), ranks.len());
            model[ranks].to_vec()
        }
        _ if model.is_empty() => return,
        1..9 => {
            let rank = if rng.below(2) == 0 { 0 } else { model.len() - 1 };
            assert_eq!(set.remove_range(rank..rank + 1), 1);
            vec![model[rank].clone()]
        }
        _ => {
            let (score, member) = model[rng.below(model.len())].clone();
            assert_eq!(set.remove(&member), Some(score));
            assert_eq!(set.remove(&member), None);
            vec![(score, member)]
        }
    };
    gone.iter().for_each(|(score, member)| assert_eq!(scores.remove(member), Some(*score)));
}

/// Packed all along, crossing into the skip list, and in it from the start; growing and
/// shrinking.
#[test]
fn follows_a_map_through_random_changes() {
    for (members, packed_max, encoding) in
        [(100, 128, "listpack"), (400, 128, "skiplist"), (400, 0, "skiplist")]
    {
        let limits = Limits { zset_max_listpack_entries: packed_max, ..Limits::default() };
        let mut rng = Rng::new(71);
        let (mut set, mut scores) = (ZSet::default(), BTreeMap::new());
        for step in 0..8000 {
            if rng.below(10) < if step % 4000 < 2000 { 8 } else { 3 } {
                let number = rng.below(members);
                let prefix = if number.is_multiple_of(2) { "m" } else { "" };
                let member = format!("{prefix}{number}").into_bytes();
                let score = random_score(&mut rng);
                let old = set.insert(score, &member, &limits);
                assert_eq!(old, scores.insert(member, score));
            } else {
                delete_something(&mut set, &mut scores, &mut rng);
            }
            assert_eq!(set.len(), scores.len());
            if step % 200 == 0 {
                check(&set, &sorted(&scores), &mut rng);
            }
        }
        check(&set, &sorted(&scores), &mut rng);
        assert_eq!(set.encoding(), encoding);
    }
}

#[test]
fn ranges_of_names() {
    for packed_max in [128, 0] {
        let limits = Limits { zset_max_listpack_entries: packed_max, ..Limits::default() };
        let mut set = ZSet::default();
        ["b", "d", "10", "", "c"].iter().for_each(|m| {
            set.insert(0.0, m.as_bytes(), &limits);
        });
        let names = |min, max| {
            let found = owned(set.range(set.ranks_by_lex(min, max, false)));
            found.into_iter().map(|(_, m)| String::from_utf8(m).unwrap()).collect::<Vec<_>>()
        };
        use LexBound::{Excl, Incl, Max, Min};
        assert_eq!(names(Min, Max), ["", "10", "b", "c", "d"]);
        assert_eq!(names(Incl(b"b"), Excl(b"d")), ["b", "c"]);
        assert_eq!(names(Excl(b""), Incl(b"10")), ["10"]);
        assert_eq!(names(Excl(b"bb"), Max), ["c", "d"]);
        assert!(names(Max, Min).is_empty() && names(Incl(b"d"), Incl(b"b")).is_empty());
    }
}

/// Redis 7.0.15 says the same of `ZADD z 1 c 2 a 3 d 4 b`.
#[test]
fn ranges_of_names_that_are_in_no_order() {
    use LexBound::{Incl, Max, Min};
    let mut set = ZSet::default();
    for (score, member) in [(1.0, b"c"), (2.0, b"a"), (3.0, b"d"), (4.0, b"b")] {
        set.insert(score, member, &Limits::default());
    }
    for (min, max, forward, backward) in [
        (Min, Incl(&b"c"[..]), 0..2, 0..4),
        (Incl(b"b"), Max, 0..4, 2..4),
        (Incl(b"a"), Max, 0..4, 0..4),
        (Min, Incl(b"b"), 0..0, 0..0),
        (Incl(b"c"), Max, 0..0, 0..0),
    ] {
        assert_eq!(set.ranks_by_lex(min, max, false), forward, "{min:?} {max:?}");
        assert_eq!(set.ranks_by_lex(min, max, true), backward, "{min:?} {max:?}");
    }
}

#[test]
fn unpacks_where_redis_does() {
    let limits = Limits::default();
    let mut many = ZSet::default();
    (0..128).for_each(|n| {
        many.insert(1.0, format!("{n}").as_bytes(), &limits);
    });
    assert_eq!(many.encoding(), "listpack");
    many.insert(2.0, b"0", &limits);
    assert_eq!((many.encoding(), many.len()), ("listpack", 128));
    many.insert(1.0, b"one more", &limits);
    assert_eq!((many.encoding(), many.rank(b"0", true)), ("skiplist", Some(0)));

    let mut long = ZSet::default();
    long.insert(1.0, &[b'x'; 64], &limits);
    assert_eq!(long.encoding(), "listpack");
    long.insert(1.0, &[b'x'; 65], &limits);
    assert_eq!((long.encoding(), long.len()), ("skiplist", 2));
}

#[test]
fn is_built_at_once_as_it_is_built_step_by_step() {
    let mut rng = Rng::new(73);
    for (count, packed_max) in [(0, 128), (100, 128), (129, 128), (1000, 5000), (5, 0)] {
        let limits = Limits { zset_max_listpack_entries: packed_max, ..Limits::default() };
        let mut set = ZSet::default();
        let mut members: Vec<Scored> = (0..count)
            .map(|n| (random_score(&mut rng), format!("{n}").into_bytes().into()))
            .collect();
        for (score, member) in &members {
            set.insert(*score, member, &limits);
        }
        sort(&mut members);
        let built = ZSet::from_sorted(members, &limits);
        assert_eq!(owned(built.iter()), owned(set.iter()));
        assert_eq!(built.encoding(), set.encoding());
        check(&built, &owned(set.iter()), &mut rng);
    }
}

/// As Redis answers: packed, a score of -0 loses its sign; in a skip list it keeps it; and it
/// equals 0.
#[test]
fn negative_zero() {
    let limits = Limits::default();
    let (mut packed, mut listed) = (ZSet::default(), ZSet::default());
    listed.insert(1.0, &[b'x'; 65], &limits);
    packed.insert(-0.0, b"m", &limits);
    listed.insert(-0.0, b"m", &limits);
    assert!(packed.score(b"m").is_some_and(f64::is_sign_positive));
    assert!(listed.score(b"m").is_some_and(f64::is_sign_negative));
    assert_eq!(listed.insert(0.0, b"m", &limits), Some(0.0));
    assert!(listed.score(b"m").is_some_and(f64::is_sign_negative));
}

#[test]
fn scans_everything_and_gives_memory_back() {
    let limits = Limits::default();
    let mut set = ZSet::default();
    (0..10_000).for_each(|n| {
        set.insert(f64::from(n % 100), format!("m{n}").as_bytes(), &limits);
    });
    let full = set.bytes();
    assert!(full < 10_000 * 100, "{full}");
    let (mut seen, mut cursor) = (BTreeMap::new(), 0);
    loop {
        cursor = set.scan(cursor, |member, score| {
            seen.insert(member.to_vec(), score);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(sorted(&seen), owned(set.iter()));
    assert_eq!(set.remove_range(50..9_990), 9_940);
    assert_eq!((set.len(), set.rank(b"m9999", true)), (60, Some(0)));
    assert!(set.bytes() * 20 < full, "{} of {full}", set.bytes());
}
