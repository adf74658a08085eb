//! What is not here, and is asked about all the same: harnesses send `FUNCTION FLUSH` and
//! `REPLICAOF NO ONE` before every test, tools list users and modules, and clients that can use a
//! cluster ask for one.
//!
//! Where the true answer is that there is none, it is given; where something would have to be done,
//! it is refused. The counterparts in Redis are `acl.c`, `function.c`, `module.c`, `replication.c`
//! and `cluster.c`.

use super::{Call, catalogue, shown};
use crate::commands::catalogue::spec::Categories;
use crate::engine::error::{Answer, Error};

pub fn acl_whoami(c: &mut Call) -> Answer {
    c.out.text("default");
    Ok(())
}

/// `ACL CAT [category]`
pub fn acl_cat(c: &mut Call) -> Answer {
    let Some(wanted) = c.args.get(2) else {
        c.out.array(Categories::NAMES.len());
        Categories::NAMES.iter().for_each(|name| c.out.text(name));
        return Ok(());
    };
    let Some(category) = Categories::named(wanted) else {
        return Err(Error::text(format!("ERR Unknown category '{}'", shown(wanted, 128))));
    };
    let rows: Vec<_> =
        catalogue::COMMANDS.iter().filter(|row| row.categories().has(category)).collect();
    c.out.array(rows.len());
    rows.iter().for_each(|row| c.out.text(row.name));
    Ok(())
}

/// `FUNCTION FLUSH [ASYNC | SYNC]`: there are no functions, so all of them are gone.
pub fn function_flush(c: &mut Call) -> Answer {
    match c.args.len() {
        2 => {}
        3 if c.is(2, "async") || c.is(2, "sync") => {}
        3 => return Err(Error::new("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
        _ => return Err(c.wrong_subcommand()),
    }
    c.out.answer_ok()
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`
pub fn function_list(c: &mut Call) -> Answer {
    let mut at = 2;
    while let Some(option) = c.args.get(at) {
        at += match option.to_ascii_lowercase().as_slice() {
            b"withcode" => 1,
            b"libraryname" if at + 1 < c.args.len() => 2,
            b"libraryname" => {
                return Err(Error::new("ERR library name argument was not given"));
            }
            _ => {
                let option = shown(option, 128);
                return Err(Error::text(format!("ERR Unknown argument {option}")));
            }
        };
    }
    c.out.answer_empty()
}

pub fn acl_users(c: &mut Call) -> Answer {
    c.out.array(1);
    c.out.text("default");
    Ok(())
}

pub fn module_list(c: &mut Call) -> Answer {
    c.out.answer_empty()
}

/// `REPLICAOF host port`, and `REPLICAOF NO ONE`, which is how things are.
pub fn replicaof(c: &mut Call) -> Answer {
    if c.is(1, "no") && c.is(2, "one") {
        return c.out.answer_ok();
    }
    Err(Error::new("ERR this server cannot be a replica: it has no replication"))
}

/// `CLUSTER subcommand`, `READONLY`, `READWRITE` and `ASKING`, in a Redis that is not in a cluster.
pub fn cluster(_: &mut Call) -> Answer {
    Err(Error::new("ERR This instance has cluster support disabled"))
}
