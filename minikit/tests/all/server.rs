//! The life cycle from inside: addresses, limits, cores, ends.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::client::Client;
use minikit::connections::Connections;
use minikit::server::{Bound, Doors, Options, ServerError, Service, Shutdown, Stream, run};
use minikit::sync::Arc;
use minikit::wait::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers each line by what it is told in it: `core`, `peer`, `local`, `stop`, `panic`; anything
/// else comes back. When told to end it says `bye` and goes, unless it was told to `stay`.
struct Oracle {
    connections: Connections,
    limit: AtomicUsize,
    backgrounds: AtomicUsize,
    bad_core: Option<usize>,
}

impl Oracle {
    fn new() -> Oracle {
        let (limit, backgrounds) = (AtomicUsize::new(1000), AtomicUsize::new(0));
        Oracle { connections: Connections::new(), limit, backgrounds, bad_core: None }
    }
}

/// What one core of the oracle owns; `Rc` and no `Send` anywhere.
struct Core {
    index: usize,
}

impl Service for Oracle {
    type Core = Core;

    fn core(&self, index: usize) -> Core {
        assert_ne!(Some(index), self.bad_core, "a core that cannot be made");
        Core { index }
    }

    async fn connection(self: Arc<Self>, core: Rc<Core>, mut stream: Stream, shutdown: Shutdown) {
        let mut buffer = [0; 1000];
        let mut stay = false;
        loop {
            let read = tokio::select! {
                () = shutdown.requested(), if !stay => {
                    let _ = stream.write_all(b"bye\n").await;
                    return;
                }
                read = stream.read(&mut buffer) => read,
            };
            let Ok(count @ 1..) = read else { return };
            let line = str::from_utf8(&buffer[..count]).expect("tests send text").trim_end();
            let answer = match line {
                "core" => core.index.to_string(),
                "peer" => stream.peer(),
                "local" => stream.local(),
                "panic" => panic!("on purpose, in one connection"),
                other => other.to_owned(),
            };
            stay |= line == "stay";
            if line == "stop" {
                shutdown.request();
            }
            stream.write_all(format!("{answer}\n").as_bytes()).await.expect("it is read");
        }
    }

    async fn background(self: Arc<Self>, _core: Rc<Core>, shutdown: Shutdown) {
        self.backgrounds.fetch_add(1, SeqCst);
        shutdown.requested().await;
        self.backgrounds.fetch_add(100, SeqCst);
    }

    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        self.limit.load(SeqCst)
    }

    fn refusal(&self) -> Vec<u8> {
        b"full up\n".to_vec()
    }
}

/// A server in this process.
struct Running {
    service: Arc<Oracle>,
    bound: Bound,
    doors: Doors,
    shutdown: Shutdown,
    thread: JoinHandle<Result<(), ServerError>>,
}

impl Running {
    fn start(options: Options) -> Running {
        let service = Arc::new(Oracle::new());
        let shutdown = Shutdown::new();
        let (ready, readiness) = mpsc::channel();
        let (inside, until) = (Arc::clone(&service), shutdown.clone());
        let thread = std::thread::spawn(move || {
            let told = |bound: &Bound, doors| ready.send((bound.clone(), doors)).expect("awaited");
            run(options, inside, until, told)
        });
        let (bound, doors) = readiness.recv().expect("the server becomes ready");
        Running { service, bound, doors, shutdown, thread }
    }

    fn connect(&self) -> Client {
        let address = self.bound.tcp.expect("it listens on TCP");
        Client::new(TcpStream::connect(address).expect("it is ready"))
    }

    fn end(self) {
        self.shutdown.request();
        self.thread.join().expect("no panic").expect("a good end");
    }
}

fn any_port() -> Options {
    Options { listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))], ..Options::default() }
}

/// A path for a socket that no other test, and no other run, uses.
fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("minikit-{name}-{}.sock", std::process::id()))
}

fn on_unix(path: &std::path::Path) -> Options {
    Options { unix: Some(path.to_owned()), threads: 2, ..Options::default() }
}

#[test]
fn port_0_becomes_one_port_that_all_cores_share() {
    let server = Running::start(Options { threads: 3, ..any_port() });
    assert_ne!(server.bound.tcp.expect("bound").port(), 0);
    let mut clients = (0..200).map(|_| server.connect()).collect::<Vec<_>>();
    let mut seen = [0; 3];
    for client in &mut clients {
        let core = client.ask("core").expect("an answer");
        seen[core.parse::<usize>().expect("a number")] += 1;
        assert_eq!(client.ask("core"), Some(core), "a client stays on its core");
    }
    assert!(seen.iter().all(|count| *count > 0), "200 clients, dealt out {seen:?}");
    assert_eq!(server.service.connections.current(), 200);
    server.end();
}

#[test]
fn ipv6_and_addresses_as_redis_prints_them() {
    let listen = vec!["[::1]:0".parse().expect("an address")];
    let server = Running::start(Options { listen, threads: 2, ..Options::default() });
    let mut client = server.connect();
    assert!(client.ask("peer").expect("an answer").starts_with("[::1]:"));
    assert_eq!(client.ask("local"), Some(server.bound.to_string()));
    server.end();

    let server = Running::start(any_port());
    assert!(server.connect().ask("peer").expect("an answer").starts_with("127.0.0.1:"));
    server.end();
}

#[test]
fn an_ipv4_client_of_an_ipv6_listener_is_shown_as_ipv4() {
    let listen = vec!["[::]:0".parse().expect("an address")];
    let server = Running::start(Options { listen, threads: 1, ..Options::default() });
    let port = server.bound.tcp.expect("bound").port();
    let mut client = Client::new(TcpStream::connect(("127.0.0.1", port)).expect("dual stack"));
    assert!(client.ask("peer").expect("an answer").starts_with("127.0.0.1:"));
    server.end();
}

#[test]
fn beyond_the_limit_clients_are_told_and_closed() {
    let server = Running::start(Options { threads: 2, ..any_port() });
    server.service.limit.store(2, SeqCst);
    let (mut a, mut b) = (server.connect(), server.connect());
    assert_eq!((a.ask("1"), b.ask("2")), (Some("1".into()), Some("2".into())));
    let mut refused = server.connect();
    assert_eq!(refused.line().as_deref(), Some("full up"));
    assert_eq!(refused.line(), None);
    assert_eq!(server.service.connections.current(), 2);
    assert_eq!(server.service.connections.refused(), 1);

    server.service.limit.store(3, SeqCst);
    assert_eq!(server.connect().ask("raised").as_deref(), Some("raised"));
    drop(a);
    wait_until("two have left", || server.service.connections.current() == 1);
    server.service.limit.store(2, SeqCst);
    assert_eq!(server.connect().ask("room").as_deref(), Some("room"));
    server.end();
}

#[test]
fn a_panic_costs_one_connection_and_no_place() {
    let server = Running::start(Options { threads: 1, ..any_port() });
    server.service.limit.store(1, SeqCst);
    for _ in 0..3 {
        let mut client = server.connect();
        assert_eq!(client.ask("panic"), None);
        wait_until("its place is free", || server.service.connections.current() == 0);
    }
    assert_eq!(server.connect().ask("alive").as_deref(), Some("alive"));
    server.end();
}

#[test]
fn a_core_that_panics_ends_the_server_with_an_error() {
    let mut oracle = Oracle::new();
    oracle.bad_core = Some(1);
    let options = Options { threads: 3, ..any_port() };
    let end = run(options, Arc::new(oracle), Shutdown::new(), |_, _| panic!("it is not ready"));
    assert!(matches!(end, Err(ServerError::Core { index: 1 })), "{end:?}");
}

#[test]
fn shutdown_reaches_everyone_and_waits_for_those_who_stay() {
    let server = Running::start(Options { threads: 2, ..any_port() });
    let mut clients = (0..8).map(|_| server.connect()).collect::<Vec<_>>();
    for client in &mut clients {
        assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    }
    wait_until("both have begun", || server.service.backgrounds.load(SeqCst) == 2);
    let mut staying = server.connect();
    assert_eq!(staying.ask("stay").as_deref(), Some("stay"));
    // The request comes from a client here, as the command SHUTDOWN would make it.
    let mut first = clients.remove(0);
    assert_eq!(first.ask("stop").as_deref(), Some("stop"));
    assert_eq!(first.line().as_deref(), Some("bye"));
    for client in &mut clients {
        assert_eq!(client.line().as_deref(), Some("bye"));
        assert_eq!(client.line(), None);
    }
    assert_eq!(staying.ask("still here").as_deref(), Some("still here"));
    assert!(!server.thread.is_finished(), "it waits for the last client");
    drop(staying);
    server.thread.join().expect("no panic").expect("a good end");
    assert_eq!(
        server.service.backgrounds.load(SeqCst),
        202,
        "one for each core, and alive to be told"
    );
    assert_eq!(server.service.connections.current(), 0);
}

#[test]
fn those_who_never_end_are_cut_and_it_is_a_good_end() {
    let options = Options { drain_timeout: Duration::from_millis(1), threads: 1, ..any_port() };
    let server = Running::start(options);
    let mut client = server.connect();
    assert_eq!(client.ask("stay").as_deref(), Some("stay"));
    let service = Arc::clone(&server.service);
    server.end();
    assert_eq!(client.line(), None);
    assert_eq!(service.connections.current(), 0, "also a cut client gives back its place");
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("any port");
    let listen = holder.local_addr().expect("bound");
    let options = Options { listen: vec![listen], threads: 2, ..Options::default() };
    let end = run(options, Arc::new(Oracle::new()), Shutdown::new(), |_, _| panic!("it is taken"));
    let text = end.expect_err("taken").to_string();
    assert!(text.contains(&listen.to_string()), "{text}");
    assert!(text.contains("--listen") && text.contains("ss -ltnp"), "{text}");
}

#[test]
fn several_addresses_share_a_port() {
    let listen = vec![([127, 0, 0, 1], 0).into(), ([127, 0, 0, 2], 0).into()];
    let server = Running::start(Options { listen, threads: 2, ..Options::default() });
    let port = server.bound.tcp.expect("bound").port();
    for host in ["127.0.0.1", "127.0.0.2"] {
        TcpStream::connect((host, port)).expect("it listens there");
    }
    TcpStream::connect(("127.0.0.3", port)).expect_err("it does not listen there");
    server.end();
}

#[test]
fn a_running_server_listens_elsewhere_and_keeps_its_clients() {
    let server = Running::start(Options { threads: 2, ..any_port() });
    let before = server.bound.tcp.expect("bound");
    let mut client = server.connect();
    assert_eq!(client.ask("one").as_deref(), Some("one"));
    let holder = TcpListener::bind("127.0.0.1:0").expect("any port");
    let taken = holder.local_addr().expect("bound");
    server.doors.listen(&[taken]).expect_err("it is taken");
    TcpStream::connect(before).expect("nothing has changed");

    let everywhere = SocketAddr::from(([0, 0, 0, 0], before.port()));
    server.doors.listen(&[everywhere]).expect("its own port is no obstacle");
    TcpStream::connect(("127.0.0.2", before.port())).expect("it listens there");
    server.doors.listen(&[]).expect("no address is no obstacle");
    while TcpStream::connect(before).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(client.ask("two").as_deref(), Some("two"));
    server.end();
}

/// The danger of `SO_REUSEPORT`: a second server could join the first without either noticing.
#[test]
fn two_servers_never_share_a_port() {
    let server = Running::start(Options { threads: 2, ..any_port() });
    for threads in [1, 2] {
        let listen = server.bound.tcp.into_iter().collect();
        let options = Options { listen, threads, ..Options::default() };
        let end = run(options, Arc::new(Oracle::new()), Shutdown::new(), |_, _| panic!("shared"));
        assert!(matches!(end, Err(ServerError::Listen { .. })), "{end:?}");
    }
    server.end();
}

#[test]
fn without_any_address_there_is_no_server() {
    let end = run(Options::default(), Arc::new(Oracle::new()), Shutdown::new(), |_, _| ());
    assert!(matches!(end, Err(ServerError::NoAddress)), "{end:?}");
}

#[test]
fn a_unix_socket_serves_beside_tcp_and_is_removed() {
    let path = socket_path("both");
    let server = Running::start(Options { unix: Some(path.clone()), threads: 2, ..any_port() });
    assert_eq!(server.bound.unix.as_ref(), Some(&path));
    let mut client = Client::new(UnixStream::connect(&path).expect("it is ready"));
    let expected = format!("{}:0", path.display());
    assert_eq!(client.ask("peer"), Some(expected.clone()));
    assert_eq!(client.ask("local"), Some(expected));
    assert_eq!(server.connect().ask("tcp").as_deref(), Some("tcp"));
    server.end();
    assert!(!path.exists());
}

#[test]
fn a_dead_socket_file_is_replaced_and_a_live_one_is_not() {
    let path = socket_path("stale");
    // A listener that is dropped leaves its file behind, like a process that was killed.
    drop(UnixListener::bind(&path).expect("free"));
    // A neighbouring test that starts a process holds a copy of the listener for a moment.
    wait_until("nobody listens", || UnixStream::connect(&path).is_err());
    assert!(path.exists());
    let server = Running::start(on_unix(&path));
    assert_eq!(server.bound.to_string(), path.display().to_string());

    let end =
        run(on_unix(&path), Arc::new(Oracle::new()), Shutdown::new(), |_, _| panic!("shared"));
    let text = end.expect_err("taken").to_string();
    assert!(text.contains("a running server answers there"), "{text}");
    let mut client = Client::new(UnixStream::connect(&path).expect("still there"));
    assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    server.end();
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let path = socket_path("file");
    fs::write(&path, "precious").expect("the temporary directory is writable");
    let end =
        run(on_unix(&path), Arc::new(Oracle::new()), Shutdown::new(), |_, _| panic!("replaced"));
    assert!(matches!(end, Err(ServerError::Unix { .. })), "{end:?}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    fs::remove_file(&path).expect("ours");
}
