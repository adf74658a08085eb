//! Conversations about channels. Every reply is that of Redis 7.0.15.

use crate::commands::testing::Fixture;

#[test]
fn messages_reach_those_who_listen() {
    Fixture::new().check(
        r#"
        a> SUBSCRIBE news jobs
        1) "subscribe"
        2) "news"
        3) (integer) 1
        1) "subscribe"
        2) "jobs"
        3) (integer) 2
        b> PSUBSCRIBE n*
        1) "psubscribe"
        2) "n*"
        3) (integer) 1
        > PUBLISH news hi
        (integer) 2
        a< 1) "message"
        2) "news"
        3) "hi"
        b< 1) "pmessage"
        2) "n*"
        3) "news"
        4) "hi"
        b> SUBSCRIBE news
        1) "subscribe"
        2) "news"
        3) (integer) 2
        > PUBLISH news again
        (integer) 3
        a< 1) "message"
        2) "news"
        3) "again"
        b< 1) "message"
        2) "news"
        3) "again"
        b< 1) "pmessage"
        2) "n*"
        3) "news"
        4) "again"
        > PUBLISH other nobody
        (integer) 0
        "#,
    );
}

#[test]
fn subscriptions_end_in_the_order_they_began() {
    Fixture::new().check(
        r#"
        a> PSUBSCRIBE z* b* z* m*
        1) "psubscribe"
        2) "z*"
        3) (integer) 1
        1) "psubscribe"
        2) "b*"
        3) (integer) 2
        1) "psubscribe"
        2) "z*"
        3) (integer) 2
        1) "psubscribe"
        2) "m*"
        3) (integer) 3
        > PUBSUB NUMPAT
        (integer) 3
        a> PUNSUBSCRIBE b* none
        1) "punsubscribe"
        2) "b*"
        3) (integer) 2
        1) "punsubscribe"
        2) "none"
        3) (integer) 2
        a> PUNSUBSCRIBE
        1) "punsubscribe"
        2) "z*"
        3) (integer) 1
        1) "punsubscribe"
        2) "m*"
        3) (integer) 0
        a> UNSUBSCRIBE
        1) "unsubscribe"
        2) (nil)
        3) (integer) 0
        > PUBSUB NUMPAT
        (integer) 0
        "#,
    );
}

#[test]
fn a_listener_of_resp2_only_listens() {
    Fixture::new().check(
        r#"
        > SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        > PING
        1) "pong"
        2) ""
        > UNSUBSCRIBE a
        1) "unsubscribe"
        2) "a"
        3) (integer) 0
        > GET k
        (nil)
        > SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        > RESET
        RESET
        b> PUBLISH a x
        (integer) 0
        > GET k
        (nil)
        "#,
    );
}

#[test]
fn a_listener_of_resp2_is_told_what_it_may_say() {
    let mut t = Fixture::new();
    t.run("SUBSCRIBE a");
    let allowed = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                   this context";
    assert_eq!(t.run("GET k"), format!("(error) ERR Can't execute 'get': {allowed}"));
    let name = t.run("CLIENT SETNAME x");
    assert_eq!(name, format!("(error) ERR Can't execute 'client|setname': {allowed}"));
    let aborted = "(error) EXECABORT Transaction discarded because of: ";
    assert_eq!(t.run("EXEC"), format!("{aborted}Can't execute 'exec': {allowed}"));
}

#[test]
fn under_resp3_a_client_hears_itself_before_the_reply() {
    let mut t = Fixture::new();
    t.run("HELLO 3");
    t.check(
        r#"
        > SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        > PUBLISH a x
        1) "message"
        2) "a"
        3) "x"
        (integer) 1
        > GET k
        (nil)
        > UNSUBSCRIBE a a
        1) "unsubscribe"
        2) "a"
        3) (integer) 0
        1) "unsubscribe"
        2) "a"
        3) (integer) 0
        > UNSUBSCRIBE
        1) "unsubscribe"
        2) (nil)
        3) (integer) 0
        "#,
    );
}

/// Had the message stayed in the mailbox, it would follow the confirmation that there will be none.
#[test]
fn no_message_follows_the_end_of_its_subscription() {
    let mut t = Fixture::new();
    t.run("SUBSCRIBE a");
    t.cache.registry.pubsub.lock().publish(b"a", b"x");
    t.check(
        r#"
        > UNSUBSCRIBE a
        1) "message"
        2) "a"
        3) "x"
        1) "unsubscribe"
        2) "a"
        3) (integer) 0
        "#,
    );
}

#[test]
fn messages_are_sent_where_replies_are_not() {
    let mut t = Fixture::new();
    t.run("HELLO 3");
    t.check(
        r#"
        > CLIENT REPLY OFF
        (waits)
        > GET k
        (waits)
        > SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        > PUBLISH a x
        1) "message"
        2) "a"
        3) "x"
        > UNSUBSCRIBE a
        1) "unsubscribe"
        2) "a"
        3) (integer) 0
        > CLIENT REPLY ON
        OK
        > CLIENT REPLY SKIP
        (waits)
        > SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        > PING
        PONG
        "#,
    );
}

#[test]
fn what_is_asked_about_channels_is_answered() {
    Fixture::new().check(
        r#"
        a> SUBSCRIBE b a
        1) "subscribe"
        2) "b"
        3) (integer) 1
        1) "subscribe"
        2) "a"
        3) (integer) 2
        > PUBSUB CHANNELS
        1) "a"
        2) "b"
        > PUBSUB CHANNELS [b-z]
        1) "b"
        > PUBSUB NUMSUB
        (empty array)
        > PUBSUB NUMSUB a none
        1) "a"
        2) (integer) 1
        3) "none"
        4) (integer) 0
        > PUBSUB channels a b
        (error) ERR unknown subcommand or wrong number of arguments for 'channels'. Try PUBSUB HELP.
        > PUBSUB nonsense
        (error) ERR unknown subcommand 'nonsense'. Try PUBSUB HELP.
        "#,
    );
}
