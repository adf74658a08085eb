//! `minibtree sql`: a small psql.
//!
//! ```text
//! $ minibtree sql -c "select 1 as one"           one Query; -c may be repeated
//! $ minibtree sql schema.sql                     a file, or standard input
//! $ minibtree sql -h /tmp                        a terminal; \q ends it
//! postgres=> select name, price
//! postgres-> from t;
//!  name | price
//! ------+-------
//!  tea  |  1.50
//! (1 row)
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `split.rs` | from lines to statements |
//! | `table.rs` | rows as an aligned table |
//! | `report.rs` | errors, with a caret |
//! | `client.rs` | the connection |
//! | `scram.rs` | the password |
//!
//! Tables, tags and errors are those of psql 15 with its defaults, byte by byte, and it works with
//! a PostgreSQL too. Two things differ: the exit status is 1 if a statement has failed, which psql
//! does only for the last `-c`, and an error in a file begins with `minibtree:`. It knows no other
//! commands than `\q` and `\?`, no variables and no editing of lines; psql has them.

mod client;
mod report;
mod scram;
mod split;
mod table;

use client::{Client, Refused, Reply, Target};
use report::Report;
use split::{Input, Splitter};
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use table::table;

/// What `\?` shows.
const HELP: &str = "A statement ends with a semicolon, and may have several lines.\n  \\q  quit\n  \
    \\?  this\npsql has more commands, and works with this server: \\d shows tables.\n";

/// The options of `minibtree sql`; psql's names and variables.
#[derive(clap::Args, Clone, Debug)]
#[command(disable_help_flag = true)]
pub struct SqlArgs {
    /// Host of the server, or the directory of its Unix socket
    #[arg(short = 'h', long, value_name = "HOST", env = "PGHOST", default_value = "127.0.0.1")]
    host: String,
    /// Port of the server
    #[arg(short, long, value_name = "PORT", env = "PGPORT", default_value_t = 5432)]
    port: u16,
    /// User; a password is read from PGPASSWORD, which `ps` does not show
    #[arg(short = 'U', long, value_name = "NAME", env = "PGUSER", default_value = "postgres")]
    username: String,
    /// Database
    #[arg(short, long, value_name = "NAME", env = "PGDATABASE", default_value = "postgres")]
    dbname: String,
    /// Statements to execute, as one transaction; may be repeated
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    command: Vec<String>,
    /// A file with statements; without it, they are read from standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Runs the shell. Returns false if a statement or a command has failed.
///
/// # Errors
/// If the server cannot be reached or closes the connection, or the file cannot be read.
pub fn run(args: SqlArgs) -> Result<bool, Box<dyn Error>> {
    let SqlArgs { host, port, username: user, dbname: database, command, file, .. } = args;
    let password = std::env::var("PGPASSWORD").ok();
    let target = Target { host, port, user, database, password };
    let client = Client::connect(&target).map_err(|refused| cannot_connect(&target, refused))?;
    let mut shell = Shell { client, database: target.database, place: None, is_well: true };

    let done = match file {
        Some(path) if path.as_os_str() != "-" => {
            let shown = path.display().to_string();
            let file = File::open(&path).map_err(|error| format!("{shown}: {error}"))?;
            shell.place = Some((shown, 0));
            shell.run_lines(&mut BufReader::new(file), false)
        }
        _ if !command.is_empty() => {
            let input = &mut io::stdin().lock();
            command.iter().try_for_each(|sql| match sql.strip_prefix('\\') {
                Some(command) => shell.command(command).map(drop),
                None => shell.execute(sql, input),
            })
        }
        _ => shell.run_lines(&mut io::stdin().lock(), io::stdin().is_terminal()),
    };
    match done {
        // The reader, `head` for instance, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(shell.is_well),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err("the server closed the connection".into())
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(shell.is_well),
    }
}

fn cannot_connect(target: &Target, refused: Refused) -> String {
    let Target { host, port, .. } = target;
    match refused {
        Refused::Server(report) => report.text("").trim_end().to_owned(),
        Refused::Io(error) => format!(
            "no connection to {host}, port {port}: {error}; is the server running there? Start it \
             with minibtree serve, or see --host and --port"
        ),
    }
}

struct Shell {
    client: Client,
    /// For the prompt.
    database: String,
    /// The name of the file and the line that is read, for errors.
    place: Option<(String, usize)>,
    is_well: bool,
}

impl Shell {
    /// Executes statements as they are completed. An error does not end it.
    fn run_lines(&mut self, input: &mut dyn BufRead, is_terminal: bool) -> io::Result<()> {
        let mut splitter = Splitter::default();
        loop {
            if is_terminal {
                let (mark, more) = (self.client.transaction_mark(), splitter.prompt());
                print!("{}{more}{mark}> ", self.database);
                io::stdout().flush()?;
            }
            let Some(line) = self.line(input)? else { break };
            if is_terminal && splitter.prompt() == '=' && ["quit", "exit"].contains(&line.trim()) {
                return Ok(());
            }
            for complete in splitter.line(&line) {
                match complete {
                    Input::Statement(sql) => self.execute(&sql, input)?,
                    Input::Command(command) if self.command(&command)? => return Ok(()),
                    Input::Command(_) => {}
                }
            }
        }

        // The last statement of a file needs no semicolon.
        match splitter.finish().filter(|_| !is_terminal) {
            Some(sql) => self.execute(&sql, input),
            None => Ok(()),
        }
    }

    /// The next line without its end.
    fn line(&mut self, input: &mut dyn BufRead) -> io::Result<Option<String>> {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some((_, number)) = &mut self.place {
            *number += 1;
        }
        if line.ends_with('\n') {
            line.pop();
        }
        Ok(Some(line))
    }

    /// Executes what a backslash begins. Returns true at the end.
    fn command(&mut self, line: &str) -> io::Result<bool> {
        match line.split_whitespace().next().unwrap_or_default() {
            "q" => return Ok(true),
            "?" => io::stdout().write_all(HELP.as_bytes())?,
            other => {
                self.is_well = false;
                let text = format!("invalid command \\{other}: try \\? here, or psql\n");
                self.print_error(&text)?;
            }
        }
        Ok(false)
    }

    /// Sends statements, and prints what comes back. The data of a COPY comes from the input.
    fn execute(&mut self, sql: &str, input: &mut dyn BufRead) -> io::Result<()> {
        self.client.query(sql)?;
        let mut result = None;
        let mut has_copied = false;
        let mut out = io::stdout().lock();
        loop {
            match self.client.reply()? {
                Reply::Columns(columns) => result = Some((columns, Vec::new())),
                Reply::Row(row) => {
                    if let Some((_, rows)) = &mut result {
                        rows.push(row);
                    }
                }
                Reply::Done(tag) => {
                    let is_change =
                        ["INSERT", "UPDATE", "DELETE"].iter().any(|it| tag.starts_with(it));
                    let is_shown = is_change || result.is_none() && !has_copied;
                    if let Some((columns, rows)) = result.take() {
                        out.write_all(table(&columns, &rows).as_bytes())?;
                    }
                    if is_shown {
                        writeln!(out, "{tag}")?;
                    }
                    has_copied = false;
                }
                Reply::Report(report) => {
                    out.flush()?;
                    self.report(&report, sql)?;
                    result = result.filter(|_| !report.is_error());
                }
                Reply::CopyIn => self.copy_in(input)?,
                Reply::CopyData(data) => {
                    has_copied = true;
                    out.write_all(&data)?;
                }
                Reply::Ready => return out.flush(),
            }
        }
    }

    /// Sends the lines up to `\.` or the end.
    fn copy_in(&mut self, input: &mut dyn BufRead) -> io::Result<()> {
        while let Some(line) = self.line(input)?.filter(|it| it.trim_end() != "\\.") {
            self.client.copy_data(format!("{line}\n").as_bytes())?;
        }
        self.client.copy_done()
    }

    fn report(&mut self, report: &Report, sql: &str) -> io::Result<()> {
        self.is_well &= !report.is_error();
        self.print_error(&report.text(sql))
    }

    fn print_error(&self, text: &str) -> io::Result<()> {
        let place = self.place.as_ref().map(|(file, line)| format!("minibtree:{file}:{line}: "));
        io::stderr().write_all(format!("{}{text}", place.unwrap_or_default()).as_bytes())
    }
}
