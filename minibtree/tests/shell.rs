//! `minibtree sql` against what psql 15 printed for the same statements on PostgreSQL 15.
//!
//! `shell/script.out` was written by `psql -X < script.sql > script.out 2>&1`. The suite of real
//! clients runs psql on the script too, on both servers (`clients/psql/check`).
#![cfg(all(not(loom), feature = "server"))]

use minikit::harness::{Program, Scratch, Server};
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = include_str!("shell/script.sql");
const PRINTED: &str = include_str!("shell/script.out");

struct Fixture {
    server: Server,
    scratch: Scratch,
}

impl Fixture {
    /// A server with a password and, at a directory of its own, a Unix socket.
    fn start() -> Fixture {
        let scratch = Scratch::new("shell").expect("a writable directory");
        let passwords = scratch.file("passwords", "ada:open sesame\n");
        let mut command = Command::new(env!("CARGO_BIN_EXE_minibtree"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(scratch.path().join("data")).arg("--password-file").arg(passwords);
        command.arg("--unix").arg(scratch.path().join(".s.PGSQL.7"));
        Fixture { server: Server::start("minibtree", command), scratch }
    }

    /// Runs the shell over TCP. Returns both outputs, in their order, and whether it succeeded.
    fn run(&self, arguments: &[&str], input: &str) -> (String, bool) {
        let port = self.server.port().to_string();
        self.run_as("open sesame", &[&["-h", "127.0.0.1", "-p", &port], arguments].concat(), input)
    }

    fn run_as(&self, password: &str, arguments: &[&str], input: &str) -> (String, bool) {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" sql -U ada \"$@\" 2>&1"]);
        command.arg(env!("CARGO_BIN_EXE_minibtree")).args(arguments);
        for variable in ["PGHOST", "PGPORT", "PGDATABASE"] {
            command.env_remove(variable);
        }
        command.env("PGPASSWORD", password);
        let ended = Program::start_with_input(command, input).end();
        (ended.stdout, ended.status.success())
    }
}

#[test]
fn a_script_prints_what_psql_prints() {
    let fixture = Fixture::start();
    let (printed, is_well) = fixture.run(&[], SCRIPT);
    assert_eq!(printed, PRINTED);
    assert!(!is_well, "some of its statements fail");
}

#[test]
fn commands_files_and_sockets() {
    let fixture = Fixture::start();
    let (printed, is_well) = fixture.run(&["-c", "select 1 as a; select 2 as b", "-c", "\\q"], "");
    assert_eq!(printed, " a \n---\n 1\n(1 row)\n\n b \n---\n 2\n(1 row)\n\n");
    assert!(is_well);

    // The transaction of one -c is rolled back by its error.
    let (printed, is_well) = fixture.run(&["-c", "create table t (i int); selec"], "");
    assert_eq!(
        (printed.lines().next(), is_well),
        (Some("ERROR:  syntax error at or near \"selec\""), false)
    );
    let statement = "create table t (i int);\n\nselect\n  j from t;\n\\d t\n";
    let file = fixture.scratch.file("schema.sql", statement);
    let name = shown(&file);
    let (printed, is_well) = fixture.run(&[name], "");
    let expected = format!(
        "CREATE TABLE\nminibtree:{name}:4: ERROR:  column \"j\" does not exist\nLINE 2:   j from \
         t;\n          ^\nminibtree:{name}:5: invalid command \\d: try \\? here, or psql\n"
    );
    assert_eq!((printed, is_well), (expected, false));

    let socket = ["-h", shown(fixture.scratch.path()), "-p", "7", "-c", "insert into t values (1)"];
    assert_eq!(fixture.run_as("open sesame", &socket, ""), ("INSERT 0 1\n".to_owned(), true));
    let (printed, _) = fixture.run_as("wrong", &socket, "");
    assert_eq!(printed, "minibtree: FATAL:  password authentication failed for user \"ada\"\n");
    let (printed, is_well) = fixture.run_as("", &["-p", "1"], "");
    assert!(printed.contains("is the server running there?") && !is_well, "{printed}");
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("ASCII")
}
