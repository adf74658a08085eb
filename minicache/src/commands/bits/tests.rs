//! Conversations about bits, every reply that of Redis 7.0.15, and counting and searching against
//! the plain way.

use super::{first, ones};
use crate::commands::testing::Fixture;
use crate::engine::rng::Rng;

#[test]
fn the_conversations_of_the_heads() {
    Fixture::new().check(
        r#"
        > SETBIT seen 1 1
        (integer) 0
        > SETBIT seen 15 1
        (integer) 0
        > GET seen
        "@\x01"
        > BITCOUNT seen
        (integer) 2
        > BITPOS seen 1 2 -1 BIT
        (integer) 15
        > BITOP NOT rest seen
        (integer) 2
        > GET rest
        "\xbf\xfe"
        "#,
    );
}

#[test]
fn single_bits() {
    Fixture::new().check(
        r#"
        > SET n 1
        OK
        > GETBIT n 7
        (integer) 1
        > GETBIT n 8
        (integer) 0
        > SETBIT n 6 1
        (integer) 0
        > GET n
        "3"
        > SETBIT n 6 2
        (error) ERR bit is not an integer or out of range
        > SETBIT n -1 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT n 4294967296 1
        (error) ERR bit offset is not an integer or out of range
        > GETBIT n 9223372036854775807
        (error) ERR bit offset is not an integer or out of range
        > GETBIT none 4294967295
        (integer) 0
        > RPUSH l a
        (integer) 1
        > SETBIT l 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GETBIT l 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn ranges_are_of_bytes_or_bits() {
    Fixture::new().check(
        r#"
        > SET k foobar
        OK
        > BITCOUNT k
        (integer) 26
        > BITCOUNT k 1 1
        (integer) 6
        > BITCOUNT k 5 30 BIT
        (integer) 17
        > BITCOUNT k -2 -1
        (integer) 7
        > BITCOUNT k -1 -2 nonsense
        (integer) 0
        > BITCOUNT k 1 2 nonsense
        (error) ERR syntax error
        > BITCOUNT k 1
        (error) ERR syntax error
        > BITCOUNT none 1
        (integer) 0
        > SET k "\xff\xf0\x00"
        OK
        > BITPOS k 0
        (integer) 12
        > BITPOS k 1 2
        (integer) -1
        > BITPOS k 1 -100 -200
        (integer) 0
        > BITPOS k 0 7 11 bit
        (integer) -1
        > BITPOS k 0 7 12 BIT
        (integer) 12
        > SET k "\xff\xff"
        OK
        > BITPOS k 0
        (integer) 16
        > BITPOS k 0 1
        (integer) 16
        > BITPOS k 0 0 -1
        (integer) -1
        > BITPOS k 0 5
        (integer) -1
        > BITPOS none 0 x
        (integer) 0
        > BITPOS none 1
        (integer) -1
        > BITPOS k 2
        (error) ERR The bit argument must be 1 or 0.
        > BITPOS k 1 0 1 word
        (error) ERR syntax error
        > BITPOS k 1 x
        (error) ERR value is not an integer or out of range
        "#,
    );
}

#[test]
fn strings_are_combined() {
    Fixture::new().check(
        r#"
        > MSET a "\xff\x0f\xff" b "\x0f\xf0"
        OK
        > BITOP AND r a b
        (integer) 3
        > GET r
        "\x0f\x00\x00"
        > BITOP or r a b none
        (integer) 3
        > GET r
        "\xff\xff\xff"
        > BITOP XOR r b a
        (integer) 3
        > GET r
        "\xf0\xff\xff"
        > BITOP AND r none other
        (integer) 0
        > EXISTS r
        (integer) 0
        > BITOP NOT r a b
        (error) ERR BITOP NOT must be called with a single source key.
        > BITOP NAND r a b
        (error) ERR syntax error
        > RPUSH l a
        (integer) 1
        > BITOP OR r a l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITOP OR l a
        (integer) 3
        > TYPE l
        string
        "#,
    );
}

#[test]
fn every_change_is_announced() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "EA")]);
    let mut expect = |command: &str, announced: &str| {
        assert_eq!(t.events(command), announced, "{command}");
    };
    expect("SETBIT k 7 0", "setbit k");
    expect("SETBIT k 7 0", "");
    expect("SETBIT k 7 1", "setbit k");
    expect("BITOP NOT r k", "set r");
    expect("BITOP OR r none", "del r");
    assert_eq!(t.encoding("k"), Some("raw"));
}

#[test]
fn counting_and_searching_agree_with_looking_at_each_bit() {
    let mut rng = Rng::new(5);
    for _ in 0..3000 {
        let fill = [0x00, 0xFF][rng.below(2)];
        let mut text = vec![fill; rng.below(60)];
        (0..rng.below(3).min(text.len())).for_each(|_| {
            let at = rng.below(text.len());
            text[at] ^= 1 << rng.below(8);
        });
        let total = text.len() * 8;
        let start = rng.below(total + 1);
        let bits = start..start + rng.below(total - start + 1);
        let bit = |at: &usize| text[at / 8] & (0x80 >> (at % 8)) != 0;
        assert_eq!(ones(&text, bits.clone()), bits.clone().filter(bit).count());
        assert_eq!(first(&text, bits.clone(), true), bits.clone().find(bit));
        assert_eq!(first(&text, bits.clone(), false), bits.clone().find(|at| !bit(at)));
    }
}
