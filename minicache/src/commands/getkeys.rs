//! The keys of a command line, found by the command's key specs.
//!
//! ```text
//! MSET k1 v1 k2 v2              key_run(1, -1, 2)            arguments 1 and 3
//! ZUNIONSTORE dst 2 k1 k2       key(1), counted(2)           arguments 1, 3 and 4
//! SORT k BY w_* STORE dst       key(1), unknown, stored      arguments 1 and 5
//! ```
//!
//! Shard locks, `EXEC`, client-side caching and `COMMAND GETKEYS` all ask here. The usual run, one
//! key at a fixed place, costs two comparisons. The counterpart in Redis is
//! `getKeysFromCommandWithSpecs` in `db.c`.

use super::Command;
use super::catalogue::key_specs::{Access, KeySpec, Run};
use crate::format::number::parse_i64;
use crate::wire::request::Args;

/// Calls `use_index` with the index of every key of a command line.
///
/// A run that the arguments do not complete is skipped; the command will refuse such arguments.
/// Does not allocate.
pub fn for_each_key(command: &Command, args: Args, mut use_index: impl FnMut(usize)) {
    for spec in command.keys.0 {
        indexes(spec, args).into_iter().flatten().for_each(&mut use_index);
    }
}

/// Returns every key of a command line with what happens to it, or `None` if the arguments do not
/// complete a run: the answer of `COMMAND GETKEYS`. Allocates.
pub fn locate_keys(command: &Command, args: Args) -> Option<Vec<(usize, Access)>> {
    let mut found = Vec::new();
    for spec in command.keys.0 {
        let access = resolve_access(command, spec.access, args);
        match indexes(spec, args) {
            Some(indexes) => found.extend(indexes.map(|index| (index, access))),
            None if matches!(spec.run, Run::Stored | Run::Unknown) => {}
            None => return None,
        }
    }
    Some(found)
}

/// The indexes of a run; `None` if the arguments do not complete it.
fn indexes(
    spec: &KeySpec,
    args: Args,
) -> Option<std::iter::StepBy<std::ops::RangeInclusive<usize>>> {
    let first = usize::from(spec.first);
    let (first, last, step) = match spec.run {
        Run::To { last, step } if last < 0 => {
            (first, args.len().checked_sub(usize::from(last.unsigned_abs()))?, step)
        }
        Run::To { last, step } => (first, first + usize::from(last.unsigned_abs()), step),
        Run::Counted => {
            let count = usize::try_from(parse_i64(args.get(first)?)?).ok()?;
            (first + 1, first.checked_add(count)?, 1)
        }
        Run::Stored => {
            let at = store_destination(args)?;
            (at, at, 1)
        }
        Run::Unknown => return None,
    };

    let complete = first <= last && last < args.len();
    complete.then(|| (first..=last).step_by(usize::from(step)))
}

/// The argument after the last `STORE` of a `SORT`, skipping the operands of other options.
fn store_destination(args: Args) -> Option<usize> {
    let mut found = None;
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        at += match () {
            () if is("limit") => 3,
            () if is("get") || is("by") => 2,
            () if is("store") && at + 1 < args.len() => {
                found = Some(at + 1);
                1
            }
            () => 1,
        };
    }
    found
}

/// Resolves variable access: `SET` without `GET` only replaces.
fn resolve_access(command: &Command, access: Access, args: Args) -> Access {
    if !access.has(Access::VARIABLE_FLAGS) {
        return access;
    }
    let says = |from: usize, options: &[&str]| {
        let mut words = args.from(from).iter();
        words.any(|word| options.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes())))
    };
    match command.name {
        "set" if !says(3, &["get"]) => const { Access::of("OW update") },
        _ => const { Access::of("RW access update") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::catalogue::find;
    use crate::commands::testing::words;

    fn split(line: &str) -> crate::wire::request::OwnedArgs {
        words(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>())
    }

    fn keys_of(line: &str) -> Option<String> {
        let args = split(line);
        let args = args.as_args();
        let mut command = find(args.at(0)).expect("a command");
        if command.is_container() {
            command = command.subcommand(args.at(1)).expect("a subcommand");
        }
        let mut indexes = Vec::new();
        for_each_key(command, args, |index| indexes.push(index));
        let located = locate_keys(command, args)?;
        assert_eq!(indexes, located.iter().map(|(index, _)| *index).collect::<Vec<_>>());
        let shown = located.iter().map(|(index, access)| {
            let access: Vec<&str> = access.names().collect();
            format!("{index}:{}", access.join("+"))
        });
        Some(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn keys_are_found_where_redis_finds_them() {
        for (line, keys) in [
            ("get a", "1:RO+access"),
            ("mset a 1 b 2", "1:OW+update 3:OW+update"),
            ("del a b c", "1:RM+delete 2:RM+delete 3:RM+delete"),
            ("blpop a b 0", "1:RW+access+delete 2:RW+access+delete"),
            ("set a 1", "1:OW+update"),
            ("set a 1 EX 5 GET", "1:RW+access+update"),
            ("set a get", "1:OW+update"),
            ("lmove a b left right", "1:RW+access+delete 2:RW+insert"),
            ("zunionstore d 2 a b weights 1 2", "1:OW+update 3:RO+access 4:RO+access"),
            ("lmpop 2 a b left", "2:RW+access+delete 3:RW+access+delete"),
            ("blmpop 0 1 a left", "3:RW+access+delete"),
            ("sintercard 1 a limit 1", "2:RO+access"),
            ("sort a by x get y limit 0 5 store d", "1:RO+access 10:OW+update"),
            ("sort a get store", "1:RO+access"),
            ("sort a store b store c", "1:RO+access 5:OW+update"),
            ("sort a store", "1:RO+access"),
            ("object encoding a", "2:RO"),
            ("memory usage a", "2:RO"),
            ("ping", ""),
            ("publish a b", ""),
        ] {
            assert_eq!(keys_of(line).as_deref(), Some(keys), "{line}");
        }
        for line in [
            "zunionstore d x a",
            "zunionstore d 3 a b",
            "zunionstore d -1 a",
            "zunionstore d 9223372036854775807 a",
            "zinter 0 a",
            "lmpop",
            "get",
            "blpop a",
        ] {
            let args = split(line);
            let command = find(args.as_args().at(0)).unwrap();
            assert!(locate_keys(command, args.as_args()).is_none(), "{line}");
            for_each_key(command, args.as_args(), |index| assert!(index < args.as_args().len()));
        }
    }
}
