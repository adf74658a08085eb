//! Conversations about scripts. Every reply is that of Redis 7.0.15, except where a comment says
//! otherwise; `clients/scripts.py` compares thousands more with a running Redis.

use crate::commands::testing::Fixture;

#[test]
fn a_script_is_run_and_cached() {
    Fixture::new().check(
        r#"
        > EVAL "return {KEYS[1], ARGV[1], #ARGV}" 1 k a b
        1) "k"
        2) "a"
        3) (integer) 2
        > EVAL "redis.call('set', KEYS[1], 5) return redis.call('incrby', 'undeclared', 7)" 1 k
        (integer) 7
        > GET k
        "5"
        > SCRIPT LOAD "return 1"
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db abc
        1) (integer) 1
        2) (integer) 0
        > EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
        (integer) 1
        > SCRIPT FLUSH
        OK
        > EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
        (error) NOSCRIPT No matching script. Please use EVAL.
        > EVAL "return 1" 1
        (error) ERR Number of keys can't be greater than number of args
        > EVAL "return 1" -1
        (error) ERR Number of keys can't be negative
        > SCRIPT KILL
        (error) NOTBUSY No scripts in execution right now.
        "#,
    );
}

#[test]
fn errors_say_where() {
    Fixture::new().check(
        r#"
        > EVAL "x=1" 0
        (error) ERR user_script:1: Attempt to modify a readonly table \
            script: 7caf6056913504f0508c65faf2dc3f94ff65bcfd, on @user_script:1.
        > EVAL "return redis.call('nope')" 0
        (error) ERR Unknown Redis command called from script \
            script: f01f0776df71cc5b400c2268135aa7f30dce2e53, on @user_script:1.
        > EVAL "return redis.call('multi')" 0
        (error) ERR This Redis command is not allowed from script \
            script: c329a1a294be6bf95b44144f7502610661ae925a, on @user_script:1.
        > EVAL "return 1 2" 0
        (error) ERR Error compiling script (new function): \
            user_script:1: '<eof>' expected near '2'
        > EVAL "error({err='ERR boo',x=1})" 0
        (error) ERR boo script: d6bd57506c0981ce20b8a260eab28157d50f453e, on @user_script:1.
        > EVAL "return pcall(function() return nope end)" 0
        (nil)
        "#,
    );
    let read_only = Fixture::new().run(r#"EVAL_RO "return redis.call('set', 'k', 1)" 0"#);
    assert!(read_only.starts_with("(error) ERR Write commands are not allowed from read-only"));
}

/// A script is in the cache once it is compiled, even if it may not run.
#[test]
fn a_refused_script_is_cached() {
    let mut fixture = Fixture::new();
    let script = r##""#!lua\nreturn 7" 0"##;
    let sha = minicache_lua::sha1_hex(b"#!lua\nreturn 7");
    let refused = fixture.run(&format!("EVAL_RO {script}"));
    assert!(refused.contains("Can not execute a script with write flag"), "{refused}");
    assert_eq!(fixture.run(&format!("EVALSHA {sha} 0")), "(integer) 7");
    assert!(fixture.run("EVAL_RO \"redis.call('publish', 'c', 'm')\" 0").contains("read-only"));
}

#[test]
fn values_keep_their_types() {
    Fixture::new().check(
        r#"
        > EVAL "return {1, 2.9, 'a', true, false, {3, {4}}, nil, 5}" 0
        1) (integer) 1
        2) (integer) 2
        3) "a"
        4) (integer) 1
        5) (nil)
        6) 1) (integer) 3
           2) 1) (integer) 4
        > EVAL "return redis.call('get', 'none') == false" 0
        (integer) 1
        > EVAL "return {redis.call('ping').ok, redis.REDIS_VERSION}" 0
        1) "PONG"
        2) "7.0.15"
        > EVAL "return cjson.encode({1, {a=cjson.null}, 'b/c', {}})" 0
        "[1,{\"a\":null},\"b\\/c\",{}]"
        > EVAL "return cjson.decode('{\"a\":[1,2,\"x\"]}').a" 0
        1) (integer) 1
        2) (integer) 2
        3) "x"
        > EVAL "return cmsgpack.pack({1, 'a', -33})" 0
        "\x93\x01\xa1a\xd0\xdf"
        > EVAL "return {struct.unpack('>I2c0', struct.pack('>I2c0', 3, 'abc'))}" 0
        1) "abc"
        2) (integer) 6
        > EVAL "return {bit.band(255, 15), bit.lshift(1, 31), bit.tohex(255)}" 0
        1) (integer) 15
        2) (integer) -2147483648
        3) "000000ff"
        "#,
    );
}

#[test]
fn a_transaction_may_contain_scripts() {
    Fixture::new().check(
        r#"
        > MULTI
        OK
        > EVAL "return redis.call('incr', 'n')" 0
        QUEUED
        > EXEC
        1) (integer) 1
        > EVAL "redis.call('select', 3) redis.call('set', 'there', 1)" 0
        (nil)
        > GET there
        (nil)
        > SELECT 3
        OK
        > GET there
        "1"
        "#,
    );
}

/// Redis has no limit on the memory of a script.
#[test]
fn memory_and_stack_are_bounded() {
    let mut fixture = Fixture::new();
    for script in [
        "return string.rep('x', 1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local s = string.rep('x', 1e6) return s:gsub('x', function() return s end)",
    ] {
        let reply = fixture.run(&format!("EVAL \"{script}\" 0"));
        assert!(reply.contains("not enough memory"), "{script}: {reply}");
    }
    for script in [
        "local function f() return f() + 1 end return f()",
        "local function f() return coroutine.wrap(f)() end return f()",
        "local function f(s) return s:gsub('.', f) end return f('x')",
    ] {
        let reply = fixture.run(&format!("EVAL \"{script}\" 0"));
        assert!(reply.contains("stack overflow"), "{script}: {reply}");
    }
    let long = format!("EVAL \"return 1{}\" 0", "+1".repeat(10_000));
    assert!(fixture.run(&long).contains("too many syntax levels"));
    assert_eq!(fixture.run("EVAL \"return 1\" 0"), "(integer) 1");
}

/// `scriptPrepareForRun` in `script.c`: a script that writes nothing takes no memory.
#[test]
fn a_script_without_writes_runs_when_memory_is_short() {
    let mut fixture = Fixture::with(&[("maxmemory", "1")]);
    for (flags, reply) in [
        ("no-writes", "(integer) 1"),
        ("allow-oom", "(integer) 1"),
        ("allow-stale", "(error) OOM command not allowed when used memory > 'maxmemory'."),
    ] {
        let script = format!("EVAL \"#!lua flags={flags}\\nreturn 1\" 0");
        assert_eq!(fixture.run(&script), reply, "{flags}");
    }
}
