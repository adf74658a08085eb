//! The proxies, and the origin behind them.
//!
//! ```text
//! origin          127.0.0.1:40001      /        13 bytes
//!                                      /file    64 MiB
//! minilb -c DIR/proxy.conf             `http` or `stream`, to the origin
//! nginx -c DIR/proxy.conf              the same file
//! haproxy -f DIR/proxy.conf
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use minikit::harness::free_port;

use crate::Result;
use crate::model::Identity;
use crate::process::{self, Child, Scratch};
use crate::provider::{Place, Side, Source, System};

/// What the origin answers on `/`.
pub const SHORT: &str = "hello, world\n";
/// Bytes of `/file`.
pub const FILE_BYTES: u64 = 64 << 20;

/// How long a version may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The port of the origin, for configurations of proxies.
static ORIGIN: OnceLock<u16> = OnceLock::new();

/// Ours, with `http`.
pub const MINILB: System = System {
    name: "minilb",
    flag: "minilb",
    program: "minilb",
    folders: &[],
    user: None,
    arguments: |place| words(&["-c", &conf(place)]),
    prepare: Some(|_, place| write(place, &nginx_conf(place, Layer::Http))),
    answers,
    container: None,
    install: "cargo build --release -p minilb",
};

/// Ours, with `stream`.
pub const MINILB_TCP: System =
    System { prepare: Some(|_, place| write(place, &nginx_conf(place, Layer::Tcp))), ..MINILB };

/// Theirs, with `http`. One process, so that its CPU time is that of the whole.
pub const NGINX: System = System {
    name: "NGINX",
    flag: "nginx",
    program: "nginx",
    folders: &["/usr/sbin"],
    user: None,
    arguments: |place| {
        let alone = "daemon off; master_process off;";
        words(&["-p", &place.directory.display().to_string(), "-c", &conf(place), "-g", alone])
    },
    prepare: Some(|_, place| write(place, &nginx_conf(place, Layer::Http))),
    answers,
    container: None,
    install: "apt-get install nginx libnginx-mod-stream wrk",
};

/// Theirs, with `stream`.
pub const NGINX_TCP: System =
    System { prepare: Some(|_, place| write(place, &nginx_conf(place, Layer::Tcp))), ..NGINX };

/// The other one, with `mode http`.
pub const HAPROXY: System = System {
    name: "HAProxy",
    flag: "haproxy",
    program: "haproxy",
    folders: &["/usr/sbin"],
    user: None,
    arguments: |place| words(&["-db", "-f", &conf(place)]),
    prepare: Some(|_, place| write(place, &haproxy_conf(place, Layer::Http))),
    answers,
    container: None,
    install: "apt-get install haproxy",
};

/// The other one, with `mode tcp`.
pub const HAPROXY_TCP: System =
    System { prepare: Some(|_, place| write(place, &haproxy_conf(place, Layer::Tcp))), ..HAPROXY };

#[derive(Clone, Copy)]
enum Layer {
    Http,
    Tcp,
}

/// The running origin.
pub struct Origin {
    _process: Child,
    _scratch: Scratch,
}

impl Origin {
    /// Starts it on any port, which the proxies started later use.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(nginx: &Path) -> Result<Origin> {
        let scratch = Scratch::new("origin")?;
        let directory = scratch.path().display();
        let port = *ORIGIN.get_or_init(free_port);
        std::fs::write(scratch.path().join("file"), vec![b'x'; FILE_BYTES as usize])?;
        let text = format!(
            "daemon off; master_process off; pid {directory}/pid; error_log {directory}/log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 1000000000;\n\
             server {{ listen 127.0.0.1:{port}; root {directory};\n\
             location = / {{ return 200 \"{}\"; }} }} }}\n",
            SHORT.replace('\n', "\\n")
        );
        let file = scratch.path().join("origin.conf");
        std::fs::write(&file, text)?;
        // Its workers may not read a directory that belongs to another user.
        let mut command = Command::new(nginx);
        command.arg("-p").arg(scratch.path()).arg("-c").arg(&file);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Child::spawn(&mut command)?;
        let address = ([127, 0, 0, 1], port).into();
        let ready =
            process::until(LIMIT, Duration::from_millis(5), || answers(address).then_some(()));
        ready.ok_or("the origin does not answer")?;
        Ok(Origin { _process: process, _scratch: scratch })
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|it| (*it).to_owned()).collect()
}

fn conf(place: &Place) -> String {
    place.directory.join("proxy.conf").display().to_string()
}

fn write(place: &Place, text: &str) -> Result<()> {
    Ok(std::fs::write(place.directory.join("proxy.conf"), text)?)
}

fn origin() -> u16 {
    *ORIGIN.get().expect("the origin is started first")
}

fn nginx_conf(place: &Place, layer: Layer) -> String {
    let (port, origin, directory) = (place.port, origin(), place.directory.display());
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let stream_module = match layer {
        Layer::Tcp if Path::new(module).is_file() => format!("load_module {module};\n"),
        _ => String::new(),
    };
    let head = format!(
        "{stream_module}worker_processes 1; pid {directory}/pid; error_log {directory}/log;\n\
         events {{ worker_connections 4096; }}\n"
    );
    let upstream = format!("server 127.0.0.1:{origin};");
    match layer {
        Layer::Http => format!(
            "{head}http {{ access_log off; keepalive_requests 1000000000;\n\
             upstream origin {{ {upstream} keepalive 256; keepalive_requests 1000000000; }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://origin;\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n"
        ),
        Layer::Tcp => format!(
            "{head}stream {{ upstream origin {{ {upstream} }}\n\
             server {{ listen 127.0.0.1:{port}; proxy_pass origin; }} }}\n"
        ),
    }
}

fn haproxy_conf(place: &Place, layer: Layer) -> String {
    let (port, origin) = (place.port, origin());
    let options = match layer {
        Layer::Http => "mode http\n http-reuse always",
        Layer::Tcp => "mode tcp\n option splice-auto",
    };
    format!(
        "global\n nbthread 1\n maxconn 4096\ndefaults\n timeout connect 5s\n timeout client 60s\n \
         timeout server 60s\nlisten proxy\n {options}\n bind 127.0.0.1:{port}\n \
         server origin 127.0.0.1:{origin}\n"
    )
}

/// Returns true if the short text comes back.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let limit = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("200 OK") && answer.ends_with(SHORT))
}

/// Name, version and origin of a side.
pub fn identify(side: &Side) -> Identity {
    let started = match &side.source {
        Source::Given(address) => format!("found at {address}, with the settings of its owner"),
        Source::Program(path) => path.display().to_string(),
        Source::Docker { image, .. } => format!("Docker image {image}"),
    };
    let version = match &side.source {
        Source::Program(path) => version(path),
        _ => None,
    };
    let version = version.unwrap_or("unknown".into());
    Identity { name: side.system.name.into(), version, allocator: "libc".into(), started }
}

/// What `-v` prints after the slash: `nginx version: nginx/1.22.1`.
fn version(program: &Path) -> Option<String> {
    let output = process::run(Command::new(program).arg("-v"), LIMIT).ok()?;
    let text = format!("{}{}", output.stdout, output.stderr);
    Some(text.lines().next()?.rsplit_once('/')?.1.split(' ').next()?.to_owned())
}
