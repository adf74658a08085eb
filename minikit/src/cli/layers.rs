//! Four sources of an option: flag over environment over file over default.
//!
//! All four know the same options, so there is one list of them: the clap arguments of `serve`.
//! The option `--drain-timeout` of the engine `minicache` is also the variable
//! `MINICACHE_DRAIN_TIMEOUT` and the key `drain-timeout` of the file, with the same values and the
//! same errors.
//!
//! ```text
//! file:     threads = 2           flags:  serve --config f.toml --admin 127.0.0.1:9100
//!           listen = "[::1]:0"    env:    MINICACHE_LISTEN=127.0.0.1:7000
//!
//! option      flag             environment      file      default          outcome
//! --admin     127.0.0.1:9100   -                -         off              127.0.0.1:9100
//! --listen    -                127.0.0.1:7000   [::1]:0   127.0.0.1:6379   127.0.0.1:7000
//! --threads   -                -                2         0                2
//! ```
//!
//! **How does the file get between environment and default?** The command line is parsed twice. The
//! first pass shows which file is named and which options were given by flag or variable. Every
//! other key of the file is then appended to the line as a flag, and the second pass gives the
//! result. Because the first pass succeeded, an error of the second is the file's, and the message
//! says so.
//!
//! An unknown key is an error that suggests the nearest option: a setting that is silently ignored
//! would be noticed in production. (Redis does the same without the suggestion,
//! `loadServerConfigFromString` in `config.c`.)

use std::ffi::OsString;
use std::path::Path;

use clap::error::{Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Parser};
use toml::{Table, Value};

use super::Engine;

/// The subcommand with the four sources. The others only have their command line.
const SERVE: &str = "serve";

/// Reads `args` (program name first), the environment and the file.
///
/// # Errors
/// A request for help or version, or a message that says what is wrong and where, ready to print.
pub fn parse<C: Parser>(engine: &Engine, args: Vec<OsString>) -> Result<C, Error> {
    let mut command = with_layers(engine, C::command());
    let mut matches = command.try_get_matches_from_mut(&args)?;
    if let Some(file) = config_file(&matches) {
        let mut args = args;
        args.extend(flags_from_file(engine, &command, &matches, &file)?);
        matches = command.try_get_matches_from_mut(args).map_err(|error| blame(&file, &error))?;
    }
    C::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Gives `serve` the engine's default address, and every option its environment variable.
fn with_layers(engine: &Engine, command: Command) -> Command {
    let listen_by_default = |arg: Arg| match arg.get_id() == "listen" {
        true => arg.required(false).default_value(engine.listen),
        false => arg,
    };
    let variable_too = |arg: Arg| match variable(engine, &arg) {
        // Values are hidden in the help: some are passwords.
        Some(name) => arg.env(name).hide_env_values(true),
        None => arg,
    };
    command
        .mut_subcommand(SERVE, |serve| serve.mut_args(|arg| variable_too(listen_by_default(arg))))
}

/// `MINICACHE_DRAIN_TIMEOUT` for `--drain-timeout`.
fn variable(engine: &Engine, arg: &Arg) -> Option<String> {
    let long = arg.get_long()?;
    Some(format!("{}_{}", engine.name, long.replace('-', "_")).to_uppercase())
}

fn config_file(matches: &ArgMatches) -> Option<std::path::PathBuf> {
    matches.subcommand_matches(SERVE)?.get_one("config").cloned()
}

/// The keys of the file that no flag and no variable overrides, as flags.
fn flags_from_file(
    engine: &Engine,
    command: &Command,
    matches: &ArgMatches,
    file: &Path,
) -> Result<Vec<OsString>, Error> {
    let complain = |text: String| complaint(ErrorKind::InvalidValue, file, &text);
    let text = std::fs::read_to_string(file).map_err(|error| complain(error.to_string()))?;
    let table = text.parse::<Table>().map_err(|error| complain(error.to_string()))?;
    let serve = command.find_subcommand(SERVE).expect("matched, so it is there");
    let given = matches.subcommand_matches(SERVE).expect("the file was named by it");
    let mut flags = Vec::new();
    for (key, value) in table.iter().filter(|(key, _)| !engine.sections.contains(&key.as_str())) {
        let arg = option_named(serve, key).ok_or_else(|| complain(unknown(serve, key)))?;
        let overridden = matches!(
            given.value_source(arg.get_id().as_str()),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        );
        if !overridden {
            push_flags(&mut flags, arg, key, value).map_err(complain)?;
        }
    }
    Ok(flags)
}

/// The options a file may set: every long option except the file's own name.
fn options(serve: &Command) -> impl Iterator<Item = &Arg> {
    let not_for_files = ["config", "help", "version"];
    serve
        .get_arguments()
        .filter(move |arg| arg.get_long().is_some_and(|long| !not_for_files.contains(&long)))
}

fn option_named<'a>(serve: &'a Command, key: &str) -> Option<&'a Arg> {
    options(serve).find(|arg| arg.get_long() == Some(key))
}

fn unknown(serve: &Command, key: &str) -> String {
    let known = options(serve).filter_map(Arg::get_long).collect::<Vec<_>>();
    match nearest(key, &known) {
        Some(near) => format!("unknown key `{key}`; did you mean `{near}`?"),
        None => format!("unknown key `{key}`; the keys are {}", known.join(", ")),
    }
}

/// One key as flags of the command line: `--key=value`, an array as one flag for each value, a
/// switch as itself if it is true.
fn push_flags(
    flags: &mut Vec<OsString>,
    arg: &Arg,
    key: &str,
    value: &Value,
) -> Result<(), String> {
    let is_switch = !arg.get_action().takes_values();
    let text = match value {
        Value::Boolean(on) if is_switch => {
            flags.extend(on.then(|| format!("--{key}").into()));
            return Ok(());
        }
        _ if is_switch => return Err(format!("`{key}` is true or false")),
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(on) => on.to_string(),
        Value::Array(all) => {
            return all.iter().try_for_each(|one| push_flags(flags, arg, key, one));
        }
        Value::Datetime(_) | Value::Table(_) => {
            return Err(format!("`{key}` is one value or a list of values"));
        }
    };
    flags.push(format!("--{key}={text}").into());
    Ok(())
}

/// An error of the second pass, which only the file can have caused.
fn blame(file: &Path, error: &Error) -> Error {
    let text = error.to_string();
    let first_line = text.lines().next().unwrap_or_default();
    complaint(error.kind(), file, first_line.trim_start_matches("error: "))
}

fn complaint(kind: ErrorKind, file: &Path, text: &str) -> Error {
    Error::raw(kind, format!("{}: {}\n", file.display(), text.trim_end()))
}

/// The word of `known` with the smallest Levenshtein distance to `word`, if that is small for the
/// length of `word`: at most one edit and one more for every three characters.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near_enough = 1 + word.chars().count() / 3;
    let distance = |candidate: &&'a str| (strsim::levenshtein(word, candidate), *candidate);
    let best = known.iter().map(distance).min()?;
    (best.0 <= near_enough).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser, Debug)]
    #[command(name = "engine")]
    enum Cli {
        Serve(Serve),
        #[command(about = "has no layers")]
        Other,
    }

    #[derive(clap::Args, Debug)]
    struct Serve {
        #[command(flatten)]
        common: crate::cli::ServeArgs,
        #[arg(long)]
        rename: Vec<String>,
        #[arg(long)]
        loud: bool,
        #[arg(long, default_value_t = 1.5)]
        ratio: f64,
    }

    /// `serve ARGS --config FILE`, the file containing `text`.
    fn parse_with(name: &str, text: &str, args: &[&str]) -> Result<Serve, String> {
        let sections = &["routes"];
        let engine = Engine { name: "layers-test", listen: "127.0.0.1:6379", sections };
        let path =
            std::env::temp_dir().join(format!("minikit-layers-{name}-{}", std::process::id()));
        std::fs::write(&path, text).expect("the temporary directory is writable");
        let mut line = vec![OsString::from("engine"), "serve".into(), "--config".into()];
        line.push(path.clone().into());
        line.extend(args.iter().map(OsString::from));
        let parsed = parse::<Cli>(&engine, line);
        std::fs::remove_file(&path).expect("ours");
        match parsed {
            Ok(Cli::Serve(serve)) => Ok(serve),
            Ok(Cli::Other) => panic!("not asked for"),
            Err(error) => Err(error.to_string().replace(&path.display().to_string(), "FILE")),
        }
    }

    #[test]
    fn every_kind_of_value() {
        let text = "threads = 3\nrename = [\"a\", \"b\"]\nloud = true\nratio = 2.5\n";
        let serve = parse_with("kinds", text, &[]).expect("all valid");
        assert_eq!((serve.common.threads, serve.loud, serve.ratio), (3, true, 2.5));
        assert_eq!(serve.rename, ["a", "b"]);
        assert_eq!(serve.common.listen.port(), 6379);
        let serve = parse_with("off", "loud = false", &[]).expect("valid");
        assert!(!serve.loud);
    }

    #[test]
    fn a_flag_replaces_the_whole_list_of_the_file() {
        let serve = parse_with("list", "rename = [\"a\", \"b\"]", &["--rename=c"]);
        assert_eq!(serve.expect("valid").rename, ["c"]);
    }

    #[test]
    fn complaints_name_the_file_the_key_and_the_nearest_key() {
        for (name, text, complaint) in [
            ("near", "tread = 3", "error: FILE: unknown key `tread`; did you mean `threads`?"),
            ("config", "config = \"x\"", "unknown key `config`"),
            (
                "far",
                "zzzzzzzz = 3",
                "the keys are listen, unix, admin, threads, rename, loud, ratio",
            ),
            ("value", "threads = \"many\"", "FILE: invalid value 'many' for '--threads <N>'"),
            ("address", "listen = \"127.0.0.1\"", "'--listen <ADDR:PORT>': needs a port"),
            ("switch", "loud = 3", "FILE: `loud` is true or false"),
            ("table", "[threads]\nx = 1", "FILE: `threads` is one value or a list"),
            ("toml", "threads = ", "FILE: TOML parse error at line 1"),
        ] {
            let error = parse_with(name, text, &[]).expect_err(text);
            assert!(error.contains(complaint), "{complaint:?} is not in {error:?}");
        }
    }

    #[test]
    fn tables_of_the_engine_are_left_to_it() {
        let serve = parse_with("sections", "threads = 3\n[[routes]]\npath = 7", &[]);
        assert_eq!(serve.expect("not looked into").common.threads, 3);
        let error = parse_with("no-section", "[[route]]", &[]).expect_err("not the engine's");
        assert!(error.contains("unknown key `route`"), "{error}");
    }

    #[test]
    fn a_bad_value_does_not_matter_if_a_flag_overrules_it() {
        let serve = parse_with("overridden", "threads = \"many\"", &["--threads=2"]);
        assert_eq!(serve.expect("the file's value is not read").common.threads, 2);
    }

    #[test]
    fn the_other_subcommands_have_no_layers() {
        let engine = Engine { name: "layers-test", listen: "127.0.0.1:6379", sections: &[] };
        let parsed = parse::<Cli>(&engine, vec!["engine".into(), "other".into()]);
        assert!(matches!(parsed, Ok(Cli::Other)));
    }

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("maxmemori", &["maxclients", "maxmemory"]), Some("maxmemory"));
        assert_eq!(nearest("x", &["maxmemory"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
