//! `minilb diff`: one nginx.conf on a real NGINX and on minilb, the same probes to both, and every
//! difference: status, headers, body, the servers reached, the end of the connection, log lines.
//!
//! ```text
//! nginx.conf ─> case: addresses replaced, probes added ─┬─> nginx, its servers   ─> transcript
//!                                                       └─> minilb, the same     ─> transcript
//! ```
//!
//! The two run one after the other, at the same addresses and with the same files, so nothing in a
//! transcript differs by that. The servers behind them are ours: no request leaves the machine.
//! Not compared are `Date`, the versions of the two, the order of headers, and times in logs.

mod case;
mod server;

use case::{Addresses, Case};
use minilb_probe::{PATIENCE, Result, probe};
use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use server::{Received, Server};
use similar::TextDiff;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Compares files, two at a time, as each waits most of the time. `flatten` returns a configuration
/// with one statement per line, its words in quotes, and included files in their place. Prints the
/// differences and a line for each file; returns true if there is no difference and no error.
pub fn run(
    minilb: &Path,
    files: &[PathBuf],
    flatten: impl Fn(&Path) -> Result<String> + Sync,
) -> bool {
    let work = |first: usize| {
        let every_second = files.iter().enumerate().skip(first).step_by(2);
        let passes = every_second.map(|(number, file)| {
            let (verdict, text) = match compare(minilb, file, number, &flatten) {
                Ok(diff) if diff.is_empty() => ("PASS", diff),
                Ok(diff) => ("DIFF", diff),
                Err(error) => ("FAIL", error.to_string()),
            };
            println!("{verdict} {}\n{text}", file.display());
            verdict == "PASS"
        });
        passes.fold(true, |all, passes| all & passes)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| work(1));
        work(0) & other.join().expect("an error is no panic")
    })
}

/// Returns the differences; empty if there are none.
fn compare(
    minilb: &Path,
    file: &Path,
    number: usize,
    flatten: impl Fn(&Path) -> Result<String>,
) -> Result<String> {
    let name = format!("minilb-diff-{}-{number}", std::process::id());
    let scratch = std::env::temp_dir().join(name);
    fs::create_dir(&scratch)?;
    // The workers of an NGINX that root has started must get in.
    fs::set_permissions(&scratch, Permissions::from_mode(0o755))?;

    let text = fs::read_to_string(file)?;
    let case = match text.contains("$LISTEN") {
        true => Case::new(text),
        false => Case::of(&flatten(file)?, file.parent().unwrap_or(file)),
    };
    let run = Run { addresses: case.addresses(number, &scratch), case, scratch };
    match (run.transcript("nginx", Path::new("nginx")), run.transcript("minilb", minilb)) {
        (Ok(theirs), Ok(ours)) => {
            fs::remove_dir_all(&run.scratch)?;
            let diff = TextDiff::from_lines(&theirs, &ours);
            Ok(diff.unified_diff().context_radius(12).header("nginx", "minilb").to_string())
        }
        // If only one of them refuses the file, the other's opinion matters as well.
        (theirs, ours) => {
            let say = |it: Result<_>| it.map_or_else(|it| it.to_string(), |_| "works".to_owned());
            Err(format!("nginx: {}\nminilb: {}", say(theirs), say(ours)).into())
        }
    }
}

/// A case and where it runs.
struct Run {
    case: Case,
    addresses: Addresses,
    /// Stays there if something fails.
    scratch: PathBuf,
}

impl Run {
    /// Starts servers and proxy, probes, and writes down what happened.
    fn transcript(&self, kind: &str, program: &Path) -> Result<String> {
        let (received, log) = (Received::default(), self.scratch.join("access.log"));
        self.make_certificates()?;
        let servers = self.addresses.servers();
        let servers = servers.map(|it| Server::start(it, &received, &self.scratch));
        let mut servers = servers.collect::<Result<Vec<_>>>()?;
        fs::write(&log, "")?;
        let mut proxy = self.start(kind, program)?;

        let mut out = String::new();
        for step in &self.case.steps {
            out += &format!("{step}\n");
            let Some(text) = step.strip_prefix("> ") else {
                servers.retain(|it| step.strip_prefix("kill ") != Some(&it.name));
                continue;
            };
            let answer = probe(&self.addresses.replace(text), &self.addresses.0)?;
            let reached = std::mem::take(&mut *received.lock().expect("no server panics"));
            out += &format!("{answer}\nservers: {}\n\n", reached.join(", "));
        }
        proxy.stop()?;
        let times = r"(?-u:\b\d+\.\d{3}\b|\d{4}-\d\d-\d\dT[\d:+-]*)|\[[0-9]+/[A-Z][^\]]*\]";
        let log = fs::read_to_string(&log)?;
        Ok(out + "log:\n" + &Regex::new(times)?.replace_all(&log, "TIME"))
    }

    /// Certificates and keys of a.example, b.example and s.example: `a.crt`, `a.key` and so on.
    fn make_certificates(&self) -> Result<()> {
        let script = "for name in a b s; do [ -f $name.key ] || openssl req -x509 -newkey ec \
                      -nodes -pkeyopt ec_paramgen_curve:P-256 -days 30 -subj /CN=$name.example \
                      -addext subjectAltName=DNS:$name.example -out $name.crt -keyout $name.key \
                      || exit; done";
        let made = Command::new("sh").args(["-c", script]).current_dir(&self.scratch).output()?;
        let text = String::from_utf8_lossy(&made.stderr);
        made.status.success().then_some(()).ok_or_else(|| format!("openssl: {text}").into())
    }

    fn start(&self, kind: &str, program: &Path) -> Result<Proxy> {
        let path = |name: &str| self.scratch.join(name);
        let (conf, pid, out) = (path("nginx.conf"), path(&format!("{kind}.pid")), path(kind));
        let mut head = format!("daemon off; pid {}; error_log stderr info;", pid.display());
        // Where Debian has it; other builds of NGINX have it built in.
        let stream = "/usr/lib/nginx/modules/ngx_stream_module.so";
        if self.case.text.contains("stream {") && Path::new(stream).exists() {
            head += &format!(" load_module {stream};");
        }
        fs::write(&conf, head + "\n" + &self.addresses.replace(&self.case.text))?;

        let log = File::create(&out)?;
        let mut command = Command::new(program);
        command.arg("-p").arg(&self.scratch).arg("-c").arg(&conf).stdin(Stdio::null());
        let child = command.stdout(log.try_clone()?).stderr(log).spawn();
        let advice = "on Debian: apt-get install nginx libnginx-mod-stream";
        let mut proxy = Proxy(child.map_err(|it| format!("cannot be started: {it}; {advice}"))?);
        // Both listen before they write the file.
        match proxy.wait_until(|it| Ok(pid.exists() || it.try_wait()?.is_some()))? && pid.exists() {
            true => Ok(proxy),
            false => Err(format!("does not start\n{}", fs::read_to_string(&out)?).into()),
        }
    }
}

/// A running nginx or minilb, which ends with this value.
struct Proxy(Child);

impl Proxy {
    /// Returns false if the condition is still false when patience has run out.
    fn wait_until(&mut self, mut is_met: impl FnMut(&mut Child) -> Result<bool>) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !is_met(&mut self.0)? {
            thread::sleep(Duration::from_millis(10));
        }
        is_met(&mut self.0)
    }

    fn stop(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.0), Signal::TERM)?;
        let ended = self.wait_until(|it| Ok(it.try_wait()?.is_some()))? && self.0.wait()?.success();
        ended.then_some(()).ok_or_else(|| "does not end well on SIGTERM".into())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It has ended, unless something failed before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
