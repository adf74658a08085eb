//! Where the real system comes from, and how a system is started.
//!
//! The order is: an address given by flag or environment, Docker through
//! `comparisons/docker-compose.yml`, a server installed on this machine. A given address means that
//! server and no other; we never start, stop or pin it. Failed attempts are kept with their reason,
//! because a comparison that could not be made must say how to make it.
//!
//! ```text
//! --redis 10.0.0.7:6379     Given(10.0.0.7:6379)
//! docker info answers       Docker { compose: "docker compose", image: "redis:8" }
//! redis-server on the PATH  Program(/usr/bin/redis-server)
//! KAFKA_HOME=/opt/kafka     Program(/opt/kafka/bin/kafka-server-start.sh)
//! Debian's postgresql-15    Program(/usr/lib/postgresql/15/bin/postgres)
//! nothing                   None, "no Docker engine answers", "redis-server is neither in ..."
//! ```
//!
//! Our own engine is started through the same [`Side`] as the real one (its source is a program
//! that cargo just built), so neither is treated better than the other.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use minikit::harness::{free_port, tail};

use crate::Result;
use crate::cores::{self, Cores};
use crate::process::{self, Child, Scratch, Undo};

/// How long a server may take until it answers: one that was killed has its data to check.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// How long pulling an image may take before the next provider is tried. A slow network must not
/// cost the whole run when the server is also installed.
const PULL_LIMIT: Duration = Duration::from_secs(90);

/// Which provider the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The address if given, else docker, else installed (the default)
    Auto,
    /// Only the address given
    Address,
    /// Only Docker
    Docker,
    /// Only a server installed on this machine
    Installed,
}

/// What is needed to start a system and to see that it answers.
pub struct System {
    /// For people: `Redis`.
    pub name: &'static str,
    /// For the command line: `--redis ADDR` and `COMPARISONS_REDIS` name an address of it.
    pub flag: &'static str,
    /// The program on the PATH.
    pub program: &'static str,
    /// Folders to look in if it is not there, the first match wins.
    pub folders: &'static [&'static str],
    /// The user of the program if this program runs as root, for systems that refuse to run as
    /// root.
    pub user: Option<&'static str>,
    /// Its arguments for a given place, without anything that would persist data.
    pub arguments: fn(&Place) -> Vec<String>,
    /// What has to be done in a given place before the program can start there, for systems that
    /// need it. It is not part of the time of a start.
    pub prepare: Option<fn(&Path, &Place) -> Result<()>>,
    /// Returns true if the server at an address answers a real request correctly.
    pub answers: fn(SocketAddr) -> bool,
    /// The container, for systems that come in one.
    pub container: Option<Container>,
    /// The command that gets it where it is missing.
    pub install: &'static str,
}

/// A service of `docker-compose.yml`.
pub struct Container {
    /// The service's name; `NAME_PORT` in upper case reaches it as environment.
    pub service: &'static str,
    /// The environment variable that overrides the image.
    pub image_variable: &'static str,
    /// The image otherwise, as the compose file has it.
    pub image: &'static str,
}

/// Where a server is started, with how many threads.
pub struct Place {
    /// A port that was free a moment ago.
    pub port: u16,
    /// A scratch directory, removed with the server.
    pub directory: PathBuf,
    /// Threads that execute commands; `None` leaves it to the system's own default.
    pub threads: Option<usize>,
}

impl Place {
    /// The path of the Unix socket, for systems that can listen on one.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("server.sock")
    }
}

/// A provider that was found to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A server that runs already.
    Given(SocketAddr),
    /// A container; `compose` is the words that call Compose (two words or one).
    Docker { compose: Vec<String>, image: String },
    /// A program on this machine.
    Program(PathBuf),
}

/// Tries one provider, given the system and the address from the command line.
type Attempt = fn(&System, Option<&str>) -> Result<Source>;

/// Looks for `system` as `choice` says. The second part holds the reasons of the attempts that
/// failed, also printed to standard error.
///
/// # Errors
/// If `choice` names a provider and that one fails. The message says how to get the system.
pub fn find(
    system: &System,
    choice: Choice,
    given: Option<&str>,
) -> Result<(Option<Source>, Vec<String>)> {
    let (found, misses) = search(system, choice, given);
    if found.is_none() && choice != Choice::Auto {
        let System { name, install, .. } = system;
        return Err(format!("{}. To get {name}: {install}", misses.join("; ")).into());
    }
    misses.iter().for_each(|miss| eprintln!("looking for {}: {miss}", system.name));
    Ok((found, misses))
}

fn search(system: &System, choice: Choice, given: Option<&str>) -> (Option<Source>, Vec<String>) {
    let mut misses = Vec::new();
    let attempts: &[Attempt] = match choice {
        Choice::Auto => &[in_docker, installed],
        Choice::Address => &[at_address],
        Choice::Docker => &[in_docker],
        Choice::Installed => &[installed],
    };
    for attempt in attempts {
        match attempt(system, given) {
            Ok(source) => return (Some(source), misses),
            Err(error) => misses.push(error.to_string()),
        }
    }
    (None, misses)
}

fn at_address(system: &System, given: Option<&str>) -> Result<Source> {
    let missing = || format!("no address was given (--{} ADDRESS:PORT)", system.flag);
    let text = given.ok_or_else(missing)?;
    let address = text
        .to_socket_addrs()
        .map_err(|error| format!("{text} is no ADDRESS:PORT: {error}"))?
        .find(|address| (system.answers)(*address))
        .ok_or_else(|| format!("no {} answers at {text}", system.name))?;
    Ok(Source::Given(address))
}

fn in_docker(system: &System, _: Option<&str>) -> Result<Source> {
    let container = system.container.as_ref().ok_or("it does not come in a container")?;
    if !succeeds(&["docker", "info"]) {
        return Err("no Docker engine answers".into());
    }
    let spellings: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
    let compose = spellings
        .into_iter()
        .find(|words| succeeds(&[words, &["version"][..]].concat()))
        .ok_or("Docker answers, but there is no Compose (docker-compose-plugin)")?;

    let image = std::env::var(container.image_variable).unwrap_or(container.image.into());
    if !succeeds(&["docker", "image", "inspect", &image]) {
        eprintln!("pulling {image} (at most {} s) …", PULL_LIMIT.as_secs());
        let pulled = process::run(Command::new("docker").args(["pull", "-q", &image]), PULL_LIMIT);
        if !pulled.is_ok_and(|output| output.success) {
            return Err(format!("Docker answers, but `docker pull {image}` did not work").into());
        }
    }
    Ok(Source::Docker { compose: compose.iter().map(|word| word.to_string()).collect(), image })
}

fn installed(system: &System, _: Option<&str>) -> Result<Source> {
    let missing = || {
        let System { program, flag, .. } = system;
        let variable = flag.to_uppercase();
        format!("{program} is neither in ${variable}_HOME/bin nor on the PATH")
    };
    Ok(Source::Program(system.tool(system.program).ok_or_else(missing)?))
}

impl System {
    /// A program of the system: its server, or a tool that comes with it.
    pub fn tool(&self, name: &str) -> Option<PathBuf> {
        let in_folders = || self.folders.iter().map(|folder| Path::new(folder).join(name));
        in_home(self.flag, name)
            .or_else(|| on_path(name))
            .or_else(|| in_folders().find(|path| path.is_file()))
    }

    /// A command that runs `program` in a scratch directory, as the system's own user if it refuses
    /// to run as root. The directory is given to that user.
    ///
    /// # Errors
    /// If the user does not exist.
    pub fn command(&self, program: &Path, directory: &Path) -> Result<Command> {
        let mut command = Command::new(program);
        command.current_dir(directory);
        if let Some(user) = self.user.filter(|_| rustix::process::geteuid().is_root()) {
            let (uid, gid) = user_ids(user).ok_or_else(|| format!("no user {user}"))?;
            std::os::unix::fs::chown(directory, Some(uid), Some(gid))?;
            command.uid(uid).gid(gid);
        }
        Ok(command)
    }
}

/// The numbers of a user and of its group.
fn user_ids(name: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = users
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
        .split(':')
        .skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The file called `name` in the `bin` of an unpacked download: `$KAFKA_HOME/bin`.
pub fn in_home(flag: &str, name: &str) -> Option<PathBuf> {
    let home = std::env::var_os(format!("{}_HOME", flag.to_uppercase()))?;
    Some(Path::new(&home).join("bin").join(name)).filter(|path| path.is_file())
}

/// The first file called `name` in the directories of `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories).map(|path| path.join(name)).find(|path| path.is_file())
}

fn succeeds(words: &[&str]) -> bool {
    let limit = Duration::from_secs(20);
    process::run(Command::new(words[0]).args(&words[1..]), limit).is_ok_and(|output| output.success)
}

/// One of the two systems of a pair. It can be started as often as needed.
pub struct Side {
    /// What it is.
    pub system: &'static System,
    /// Where it comes from.
    pub source: Source,
}

/// A server that runs. Dropping it stops what was started for it: process or container first, the
/// scratch directory after.
pub struct Server {
    /// The system's name.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its Unix socket, if it listens on one.
    pub socket: Option<PathBuf>,
    /// Its process id on this machine; `None` for a server elsewhere.
    pub pid: Option<u32>,
    /// The first twelve digits of the container's id, as Docker shows it.
    pub container: Option<String>,
    _process: Option<Child>,
    _container: Option<Undo>,
    _scratch: Option<Scratch>,
}

impl Side {
    /// Returns true if starting it gives a fresh server: not for a given address.
    pub fn is_ours_to_start(&self) -> bool {
        !matches!(self.source, Source::Given(_))
    }

    /// Starts a server with `threads` on its core (or any), and waits until it answers.
    pub fn start(&self, threads: Option<usize>, cores: Option<Cores>) -> Result<Server> {
        self.wait(self.launch(threads, cores)?, Duration::from_millis(1))
    }

    /// Starts a server and measures until it answers.
    pub fn time_start(
        &self,
        threads: Option<usize>,
        cores: Option<Cores>,
    ) -> Result<(Server, Duration)> {
        let start = std::time::Instant::now();
        let server = self.wait(self.launch(threads, cores)?, Duration::from_micros(50))?;
        Ok((server, start.elapsed()))
    }

    fn wait(&self, mut server: Server, pause: Duration) -> Result<Server> {
        let name = server.name;
        let answer = process::until(READY_LIMIT, pause, || {
            if let Some(status) = server._process.as_mut().and_then(Child::ended) {
                return Some(Err(format!("{name} ended at once ({status}){}", log(&server))));
            }
            (self.system.answers)(server.address).then_some(Ok(()))
        });
        let silent = || format!("{name} does not answer at {}{}", server.address, log(&server));
        answer.ok_or_else(silent)??;
        Ok(server)
    }

    fn launch(&self, threads: Option<usize>, cores: Option<Cores>) -> Result<Server> {
        match &self.source {
            Source::Given(address) => Ok(Server::bare(self.system.name, *address)),
            Source::Program(program) => self.launch_program(program, threads, cores),
            Source::Docker { compose, image } => self.launch_container(compose, image, cores),
        }
    }

    /// Kills a server as `kill -9` does, and starts it again with the same data and on the same
    /// port. Returns it when it answers, and when it was started.
    pub fn restart_killed(
        &self,
        server: Server,
        threads: Option<usize>,
        cores: Option<Cores>,
    ) -> Result<(Server, std::time::Instant)> {
        let Server { address, _process, _scratch, .. } = server;
        let (Source::Program(program), Some(scratch)) = (&self.source, _scratch) else {
            return Err("only a program that was started here can be killed".into());
        };
        drop(_process);
        let place = Place { port: address.port(), directory: scratch.path().into(), threads };
        let start = std::time::Instant::now();
        let server = self.launch_in(program, &place, scratch, cores)?;
        Ok((self.wait(server, Duration::from_micros(50))?, start))
    }

    fn launch_program(
        &self,
        program: &Path,
        threads: Option<usize>,
        cores: Option<Cores>,
    ) -> Result<Server> {
        let scratch = Scratch::new(self.system.program)?;
        let place = Place { port: free_port(), directory: scratch.path().into(), threads };
        if let Some(prepare) = self.system.prepare {
            prepare(program, &place)?;
        }
        self.launch_in(program, &place, scratch, cores)
    }

    fn launch_in(
        &self,
        program: &Path,
        place: &Place,
        scratch: Scratch,
        cores: Option<Cores>,
    ) -> Result<Server> {
        let log = std::fs::File::create(scratch.path().join("log"))?;
        let mut command = self.system.command(program, scratch.path())?;
        command.args((self.system.arguments)(place));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let cores = cores.map(|cores| vec![cores.server]).unwrap_or(cores::all().to_vec());
        let child = Child::spawn_on(&mut command, Some(&cores))?;
        Ok(Server {
            socket: Some(place.socket()),
            pid: Some(child.pid()),
            _process: Some(child),
            _scratch: Some(scratch),
            ..Server::bare(self.system.name, ([127, 0, 0, 1], place.port).into())
        })
    }

    fn launch_container(
        &self,
        compose: &[String],
        image: &str,
        cores: Option<Cores>,
    ) -> Result<Server> {
        let container = self.system.container.as_ref().ok_or("it does not come in a container")?;
        let port = free_port();
        // One project name, not one per run: the next run replaces the container that a killed run
        // left behind.
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docker-compose.yml");
        let project = format!("comparisons-{}", container.service);
        let base: Vec<String> =
            compose.iter().cloned().chain(["-f", file, "-p", &project].map(String::from)).collect();
        let words = |more: &[&str]| -> Vec<String> {
            base.iter().cloned().chain(more.iter().map(|word| word.to_string())).collect()
        };
        let undo = Undo::with(words(&["down", "-v", "-t", "2"]));
        let variable = container.service.to_uppercase();
        let mut up = command(&words(&["up", "-d", "--force-recreate", container.service]));
        up.env(container.image_variable, image);
        up.env(format!("{variable}_PORT"), port.to_string());
        checked(&mut up)?;
        let id = checked(&mut command(&words(&["ps", "-q", container.service])))?;
        let inspect = ["inspect", "-f", "{{.State.Pid}}", id.trim()];
        let pid = checked(Command::new("docker").args(inspect))?;
        let pid = pid.trim().parse().ok().filter(|pid| *pid > 0);
        if let (Some(pid), Some(cores)) = (pid, cores) {
            cores.pin_server(pid);
        }
        Ok(Server {
            pid,
            container: Some(id.trim().chars().take(12).collect()),
            _container: Some(undo),
            ..Server::bare(self.system.name, ([127, 0, 0, 1], port).into())
        })
    }
}

impl Server {
    /// Process and container, for the line that says that it listens.
    pub fn describe(&self) -> String {
        match (self.pid, &self.container) {
            (Some(pid), Some(id)) => format!("(pid {pid}, container {id})"),
            (Some(pid), None) => format!("(pid {pid})"),
            (None, _) => "(not a process of this machine)".into(),
        }
    }

    /// If this server has ended, adds that and the last lines of its log to `error`, which
    /// otherwise only says that a connection broke.
    pub fn explain(&mut self, error: crate::Error) -> crate::Error {
        // A process that ends closes its sockets a moment before it is gone.
        let ended = process::until(Duration::from_millis(300), Duration::from_millis(5), || {
            self._process.as_mut().and_then(Child::ended)
        });
        match ended {
            Some(status) => {
                format!("{error}; {} has ended ({status}){}", self.name, log(self)).into()
            }
            None => error,
        }
    }

    fn bare(name: &'static str, address: SocketAddr) -> Server {
        Server {
            name,
            address,
            socket: None,
            pid: None,
            container: None,
            _process: None,
            _container: None,
            _scratch: None,
        }
    }
}

/// The last lines of a server's log, for the message that it failed.
fn log(server: &Server) -> String {
    let path = server._scratch.as_ref().map(|scratch| scratch.path().join("log"));
    let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    tail(&text, 5)
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Runs a command that must succeed. Returns its standard output.
fn checked(command: &mut Command) -> Result<String> {
    let output = process::run(command, Duration::from_secs(60))?;
    if output.success {
        return Ok(output.stdout);
    }
    Err(format!("{} failed: {}", command.get_program().display(), output.stderr.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: System = System {
        name: "Nowhere",
        flag: "nowhere",
        program: "no-such-program-anywhere",
        folders: &[],
        user: None,
        arguments: |_| Vec::new(),
        prepare: None,
        answers: |_| false,
        container: None,
        install: "wish for it",
    };

    #[test]
    fn failed_attempts_are_named() {
        let (found, misses) = search(&NOWHERE, Choice::Installed, None);
        assert_eq!(found, None);
        assert_eq!(
            misses,
            ["no-such-program-anywhere is neither in $NOWHERE_HOME/bin nor on the PATH"]
        );
        let (found, misses) = search(&NOWHERE, Choice::Address, Some("127.0.0.1:1"));
        assert_eq!(found, None);
        assert_eq!(misses, ["no Nowhere answers at 127.0.0.1:1"]);
        let error = find(&NOWHERE, Choice::Address, None).err().unwrap().to_string();
        let expected = "no address was given (--nowhere ADDRESS:PORT). To get Nowhere: wish for it";
        assert_eq!(error, expected);
    }

    #[test]
    fn an_address_is_taken_if_something_answers_there() {
        let system = System { answers: |address| address.port() == 7, ..NOWHERE };
        let (found, misses) = search(&system, Choice::Address, Some("127.0.0.1:7"));
        assert_eq!(found, Some(Source::Given(([127, 0, 0, 1], 7).into())));
        assert!(misses.is_empty());
    }

    #[test]
    fn a_server_that_ends_at_once_is_reported_with_its_last_words() {
        let system: &'static System = Box::leak(Box::new(System {
            name: "Quitter",
            arguments: |_| vec!["-c".into(), "echo cannot bind; exit 1".into()],
            ..NOWHERE
        }));
        let side = Side { system, source: Source::Program("/bin/sh".into()) };
        let error = side.start(Some(1), None).err().unwrap().to_string();
        assert!(
            error.contains("Quitter ended at once") && error.contains("cannot bind"),
            "{error}"
        );
    }
}
