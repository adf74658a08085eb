//! Conversations with clients that track, as Redis 7.0.15 has them (`tests/unit/tracking.tcl`).

use crate::commands::{messages::write_pending, testing::Fixture};
use crate::wire::reply::Reply;

/// Client `a`, whose id is 1, speaks RESP3 and tracks with these options.
fn tracking(options: &str) -> Fixture {
    let mut server = Fixture::new();
    server.run_as("a", "HELLO 3");
    assert_eq!(server.run_as("a", &format!("CLIENT TRACKING ON {options}")), "OK");
    server
}

/// Client `b` listens where RESP2 clients are told; its id.
fn listener(server: &mut Fixture) -> u64 {
    server.converse("b", b"SUBSCRIBE __redis__:invalidate\r\n", 100);
    server.session("b").client.id
}

/// A row of `INFO` as a number.
fn figure(server: &mut Fixture, name: &str) -> i64 {
    let page = server.run("INFO");
    let (_, rest) = page.split_once(&format!("\\n{name}:")).expect("there is such a row");
    let digits = rest.split('\\').next().and_then(|number| number.parse().ok());
    digits.expect("it is a number")
}

#[test]
fn what_was_read_is_told_of_once() {
    tracking("").check(
        r#"
        a> MGET k none
        1) (nil)
        2) (nil)
        > SET other 1
        OK
        > SET k 1
        OK
        a< 1) "invalidate"
        2) 1) "k"
        > SET k 2
        OK
        > DEL k
        (integer) 1
        > RPUSH none x
        (integer) 1
        a< 1) "invalidate"
        2) 1) "none"
        "#,
    );
}

#[test]
fn what_a_client_changes_itself_it_hears_behind_the_reply() {
    tracking("").check(
        r#"
        a> GET k
        (nil)
        a> SET k 1
        OK
        1) "invalidate"
        2) 1) "k"
        a> GET k
        "1"
        a> MULTI
        OK
        a> INCR k
        QUEUED
        a> FLUSHDB
        QUEUED
        a> EXEC
        1) (integer) 2
        2) OK
        1) "invalidate"
        2) 1) "k"
        1) "invalidate"
        2) (nil)
        "#,
    );
}

#[test]
fn what_others_changed_is_heard_before_the_reply() {
    let mut server = tracking("");
    server.run_as("a", "GET k");
    server.run("SET k 1");
    assert_eq!(server.run_as("a", "PING"), "1) \"invalidate\"\n2) 1) \"k\"\nPONG");
}

/// What is read back within a transaction must be remembered behind the change, or the next change
/// would find nobody.
#[test]
fn no_loop_spares_a_client_its_own_changes_only() {
    tracking("NOLOOP").check(
        r#"
        a> MULTI
        OK
        a> SET k 1
        QUEUED
        a> GET k
        QUEUED
        a> EXEC
        1) OK
        2) "1"
        > SET k 2
        OK
        a< 1) "invalidate"
        2) 1) "k"
        "#,
    );
}

#[test]
fn opting_in_and_out_is_for_the_next_command_or_transaction() {
    let mut server = tracking("OPTIN");
    server.run_as("a", "GET k");
    assert_eq!(figure(&mut server, "tracking_total_keys"), 0);
    server.run_as("a", "CLIENT CACHING YES");
    server.run_as("a", "CLIENT ID");
    server.run_as("a", "GET k");
    server.run_as("a", "GET other");
    assert_eq!(figure(&mut server, "tracking_total_keys"), 1);
    for line in ["CLIENT CACHING YES", "MULTI", "GET one", "GET two", "EXEC", "GET three"] {
        server.run_as("a", line);
    }
    assert_eq!(figure(&mut server, "tracking_total_keys"), 3);
    let mut server = tracking("OPTOUT");
    for line in ["CLIENT CACHING NO", "GET one", "GET two"] {
        server.run_as("a", line);
    }
    assert_eq!(figure(&mut server, "tracking_total_keys"), 1);
}

#[test]
fn prefixes_are_told_in_one_message_each() {
    let mut server = tracking("BCAST PREFIX a: PREFIX b: NOLOOP");
    server.check(
        r#"
        > MSET a:2 x b:1 x c:1 x a:1 x
        OK
        a< 1) "invalidate"
        2) 1) "a:1"
           2) "a:2"
        a< 1) "invalidate"
        2) 1) "b:1"
        a> SET a:1 y
        OK
        a> CLIENT TRACKING OFF
        OK
        > SET a:1 z
        OK
        a> CLIENT TRACKING ON BCAST
        OK
        > SET c:1 z
        OK
        a< 1) "invalidate"
        2) 1) "c:1"
        "#,
    );
}

#[test]
fn prefixes_of_a_client_do_not_overlap() {
    tracking("BCAST PREFIX foo PREFIX bar").check(
        r#"
        a> CLIENT TRACKING ON BCAST PREFIX fo
        (error) ERR Prefix 'fo' overlaps with an existing prefix 'foo'. Prefixes for a single \
        client must not overlap.
        a> CLIENT TRACKING ON BCAST PREFIX x PREFIX zed PREFIX z
        (error) ERR Prefix 'zed' overlaps with another provided prefix 'z'. Prefixes for a single \
        client must not overlap.
        a> CLIENT TRACKING ON BCAST PREFIX zed
        OK
        a> CLIENT TRACKINGINFO
        1# "flags" =>
           1~ "on"
           2~ "bcast"
        2# "redirect" => (integer) 0
        3# "prefixes" =>
           1) "bar"
           2) "foo"
           3) "zed"
        "#,
    );
}

#[test]
fn another_client_is_told_instead() {
    let mut server = Fixture::new();
    server.run("SET k 1");
    let id = listener(&mut server);
    assert_eq!(server.run_as("a", &format!("CLIENT TRACKING ON REDIRECT {id}")), "OK");
    assert_eq!(server.run_as("a", "CLIENT GETREDIR"), format!("(integer) {id}"));
    server.check(
        r#"
        a> GET k
        "1"
        > SET k 2
        OK
        b< 1) "message"
        2) "__redis__:invalidate"
        3) 1) "k"
        > FLUSHALL ASYNC
        OK
        b< 1) "message"
        2) "__redis__:invalidate"
        3) (nil)
        "#,
    );
}

/// The bytes are those of Redis 7.0.15 if both clients speak the same protocol. If they do not,
/// Redis sends the null of the client that tracks; here the receiver can always read it.
#[test]
fn a_flush_sends_the_null_of_the_receiving_client() {
    let resp2 = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n";
    let resp3 = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
    for (tracker, receiver) in [("2", "2"), ("2", "3"), ("3", "2"), ("3", "3")] {
        let mut server = Fixture::new();
        server.run_as("a", &format!("HELLO {tracker}"));
        server.run_as("b", &format!("HELLO {receiver}"));
        let id = listener(&mut server);
        server.run_as("a", &format!("CLIENT TRACKING ON REDIRECT {id}"));
        server.run("FLUSHALL");

        let mut out = Reply::default();
        write_pending(server.session("b"), &mut out);
        let expected = if receiver == "3" { resp3 } else { resp2 };
        assert_eq!(String::from_utf8_lossy(out.bytes()), expected, "{tracker} to {receiver}");
    }
}

#[test]
fn a_client_hears_that_its_stand_in_is_gone() {
    let mut server = Fixture::new();
    let id = listener(&mut server);
    server.run_as("a", "HELLO 3");
    server.run_as("a", &format!("CLIENT TRACKING ON NOLOOP REDIRECT {id}"));
    server.run_as("a", "GET k");
    server.cache.registry.clients.leave(id);
    server.run("SET k 1");
    let told = format!("1) \"tracking-redir-broken\"\n2) (integer) {id}");
    assert_eq!(server.run_as("a", "PING"), format!("{told}\nPONG"));
    let line = server.run_as("a", "CLIENT INFO");
    assert!(line.contains(" flags=tR ") && line.contains(&format!(" redir={id} ")), "{line}");
    let info = server.run_as("a", "CLIENT TRACKINGINFO");
    assert!(info.contains("noloop\"\n   3~ \"broken_redirect\""), "{info}");
}

#[test]
fn what_nobody_did_is_told_too() {
    let mut server = tracking("NOLOOP");
    server.run("SET k 1 PX 10");
    server.run_as("a", "GET k");
    server.now.ms += 20;
    assert_eq!(server.run_as("a", "GET k"), "(nil)\n1) \"invalidate\"\n2) 1) \"k\"");
    assert_eq!(figure(&mut server, "tracking_total_keys"), 1, "that it is gone is remembered");

    let mut server = tracking("NOLOOP");
    server.run("SET k 1");
    server.run_as("a", "GET k");
    server.run("CONFIG SET maxmemory-policy allkeys-lru maxmemory 1");
    assert_eq!(server.run_as("a", "PING"), "1) \"invalidate\"\n2) 1) \"k\"\nPONG");
}

#[test]
fn a_full_table_forgets_keys_and_says_so() {
    let mut server = tracking("");
    server.run_as("a", "MGET one two three");
    server.run("CONFIG SET tracking-table-max-keys 1");
    let told = server.run_as("a", "MULTI");
    assert_eq!(told.matches("invalidate").count(), 2, "{told}");
    assert!(told.ends_with("OK"), "{told}");
    assert_eq!(figure(&mut server, "tracking_total_keys"), 1);
    server.run("CONFIG SET tracking-table-max-keys 0");
    for line in ["DISCARD", "MGET one two three four"] {
        server.run_as("a", line);
    }
    assert_eq!(figure(&mut server, "tracking_total_keys"), 4);
}

#[test]
fn a_blocked_client_hears_behind_its_reply() {
    let mut server = tracking("");
    server.run_as("a", "LRANGE list 0 -1");
    server.run_as("a", "BLMOVE source list LEFT LEFT 0");
    server.check(
        r#"
        > RPUSH source x
        (integer) 1
        a< "x"
        a< 1) "invalidate"
        2) 1) "list"
        "#,
    );
}

#[test]
fn messages_are_sent_where_replies_are_not() {
    let mut server = tracking("");
    server.run_as("a", "GET k");
    server.run_as("a", "CLIENT REPLY OFF");
    server.run("SET k 1");
    assert_eq!(server.run_as("a", "GET k"), "1) \"invalidate\"\n2) 1) \"k\"");
    assert_eq!(server.run_as("a", "SET k 2"), "1) \"invalidate\"\n2) 1) \"k\"");
}

#[test]
fn counts_are_those_of_info() {
    let mut server = tracking("");
    server.run_as("b", "CLIENT TRACKING ON BCAST PREFIX x");
    server.run_as("c", "CLIENT TRACKING ON");
    server.run_as("a", "MGET k other");
    server.run_as("c", "GET k");
    let rows = ["clients", "total_keys", "total_items", "total_prefixes"];
    let counts = |server: &mut Fixture| rows.map(|row| figure(server, &format!("tracking_{row}")));
    assert_eq!(counts(&mut server), [3, 2, 3, 1]);
    server.run_as("c", "RESET");
    assert_eq!(server.run_as("c", "CLIENT GETREDIR"), "(integer) -1");
    server.run_as("b", "CLIENT TRACKING OFF");
    assert_eq!(counts(&mut server), [1, 2, 3, 0]);
    server.run("SET k 1");
    assert_eq!(counts(&mut server), [1, 1, 1, 0]);
    server.run_as("a", "CLIENT TRACKING OFF");
    assert_eq!(counts(&mut server), [0, 0, 0, 0]);
}

/// Clients that come, read and go must not make the table grow for ever.
#[test]
fn who_tracks_no_more_is_dropped_from_a_list_that_grows() {
    let mut server = tracking("");
    server.run_as("a", "GET k");
    for _ in 0..100 {
        for line in ["CLIENT TRACKING ON", "GET k", "RESET"] {
            server.run_as("z", line);
        }
        server.sessions.remove("z");
    }
    assert!(figure(&mut server, "tracking_total_items") <= 8);
    server.run("SET k 1");
    assert_eq!(server.run_as("a", "PING"), "1) \"invalidate\"\n2) 1) \"k\"\nPONG");
}

#[test]
fn options_have_to_go_together() {
    let mut server = Fixture::new();
    server.check(
        r#"
        > CLIENT TRACKING maybe
        (error) ERR syntax error
        > CLIENT TRACKING ON PREFIX
        (error) ERR syntax error
        > CLIENT TRACKING ON PREFIX a
        (error) ERR PREFIX option requires BCAST mode to be enabled
        > CLIENT TRACKING ON BCAST OPTIN
        (error) ERR OPTIN and OPTOUT are not compatible with BCAST
        > CLIENT TRACKING ON OPTIN OPTOUT
        (error) ERR You can't specify both OPTIN mode and OPTOUT mode
        > CLIENT TRACKING ON REDIRECT x
        (error) ERR value is not an integer or out of range
        > CLIENT TRACKING ON REDIRECT 99
        (error) ERR The client ID you want redirect to does not exist
        > CLIENT TRACKING ON REDIRECT 1 REDIRECT 1
        (error) ERR A client can only redirect to a single other client
        > CLIENT CACHING YES
        (error) ERR CLIENT CACHING can be called only when the client is in tracking mode with \
        OPTIN or OPTOUT mode enabled
        > CLIENT TRACKING ON OPTOUT
        OK
        > CLIENT TRACKING ON BCAST
        (error) ERR You can't switch BCAST mode on/off before disabling tracking for this \
        client, and then re-enabling it with a different mode.
        > CLIENT TRACKING ON OPTIN
        (error) ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this \
        client, and then re-enabling it with a different mode.
        > CLIENT CACHING YES
        (error) ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.
        > CLIENT CACHING maybe
        (error) ERR syntax error
        > CLIENT CACHING NO
        OK
        > CLIENT TRACKINGINFO
        1) "flags"
        2) 1) "on"
        2) "optout"
        3) "caching-no"
        3) "redirect"
        4) (integer) 0
        5) "prefixes"
        6) (empty array)
        "#,
    );
}
