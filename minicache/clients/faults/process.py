"""Configurations, signals, and the memory of the process."""

import os
import signal
import socket
import subprocess
import tempfile

from wire import Client, Failed, equal, eventually, fails, free_port, launch, server

STOCK = "/etc/redis/redis.conf"


def ends(*arguments, text=None):
    """Starts a server that must refuse to. Returns what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        given = ["--port", str(free_port()), "--save", "", *arguments]
        process, log = launch(folder, *given, text=text)
        try:
            assert process.wait(timeout=10) != 0, "it ended with code 0"
        finally:
            process.kill()
        with open(log) as file:
            return file.read()


def asks_for_a_password(*arguments, text=None):
    """Fails unless a server with this configuration asks for a password or does not start."""
    try:
        with server(*arguments, text=text) as running:
            fails(Client(running.port)("GET", "k"), "NOAUTH")
    except AssertionError as error:
        assert "access lists" in str(error) or "not supported" in str(error), error


def check_security_settings_are_obeyed_or_refused():
    asks_for_a_password("--requirepass", "s3cret")
    asks_for_a_password(text="user default on >s3cret ~* &* +@all\n")
    with tempfile.NamedTemporaryFile("w", suffix=".acl") as file:
        file.write("user default on >s3cret ~* &* +@all\n")
        file.flush()
        asks_for_a_password("--aclfile", file.name)
    asks_for_a_password(text="user default off\n")
    asks_for_a_password(text='requirepass "two words"\n')
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("requirepass s3cret\n")
        file.flush()
        asks_for_a_password(text=f"include {file.name}\n")
        asks_for_a_password(text=f"include {file.name[:-6]}*.conf\n")

    # What only matters to a replica, a cluster or TLS may be set as long as these are off.
    settings = ["--masterauth", "s", "--masteruser", "u", "--replica-priority", "5"]
    settings += ["--tls-auth-clients", "no", "--cluster-node-timeout", "99", "--protected-mode", "no"]
    with server(*settings) as running:
        equal(Client(running.port)("SET", "k", "v"), "OK")


def check_without_a_password_only_this_machine_is_let_in():
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    if not addresses:
        print("this machine has no address but loopback: protected-mode cannot be checked")
        return
    address = addresses[0]
    settings = (("", "DENIED"), ("requirepass x", "NOAUTH"), ("protected-mode no", None))
    for setting, reply in settings:
        with server(text=f"bind *\n{setting}\n") as running:
            client = Client(running.port, address)
            equal((client("GET", "k") or "").split(" ")[0] or None, reply)
    with server(text="bind 127.0.0.1\n") as running:
        try:
            Client(running.port, address)
        except ConnectionRefusedError:
            pass
        else:
            assert False, "it listens on an address that bind does not name"


def check_another_kind_of_server_is_not_started_as_this_one():
    renamed = "rename-command FLUSHALL \"\"\n"
    for arguments, text, command, word in (
        (["--slaveof", "127.0.0.1", "1"], None, ["SET", "k", "v"], "READONLY"),
        (["--min-slaves-to-write", "1"], None, ["SET", "k", "v"], "NOREPLICAS"),
        ([], "rename-command FLUSHALL HIDDEN\n", ["FLUSHALL"], "unknown command"),
        ([], "user default on nopass ~* -@all\n", ["GET", "k"], "NOPERM"),
        (["--cluster-enabled", "yes"], None, ["CLUSTER", "INFO"], "cluster_enabled"),
        (["--replicaof", "127.0.0.1", "1"], None, ["SET", "k", "v"], "READONLY"),
        (["--min-replicas-to-write", "1"], None, ["SET", "k", "v"], "NOREPLICAS"),
        ([], renamed, ["FLUSHALL"], "unknown command"),
    ):
        try:
            with server(*arguments, text=text) as running:
                answer = Client(running.port)(*command)
        except AssertionError as error:
            assert "not supported" in str(error), error
        else:
            assert word in answer or "cluster_state" in answer, (arguments, answer)
    for setting in ("tls-port", "tls-replication", "tls-cluster"):
        assert ends(f"--{setting}", str(free_port()) if setting == "tls-port" else "yes")
    with server() as running:
        client = Client(running.port)
        for name in ("aclfile", "cluster-enabled", "replicaof"):
            fails(client("CONFIG", "SET", name, "yes"), "immutable")
        fails(client("CONFIG", "SET", "tls-port", free_port()), "CONFIG SET failed")


def check_the_stock_file_starts_in_the_background():
    with open(STOCK) as file:
        lines = file.read().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        port, pidfile = free_port(), f"{folder}/run.pid"
        own = {
            "port": port,
            "pidfile": pidfile,
            "logfile": f"{folder}/log",
            "dir": folder,
        }
        text = [f"{word} {own[word]}" if word in own else line
                for line in lines for word in [line.split(" ")[0]]]
        process, _ = launch(folder, text="\n".join(text))
        equal(process.wait(timeout=10), 0)
        eventually(lambda: os.path.exists(pidfile) and open(pidfile).read().endswith("\n"))
        pid = int(open(pidfile).read())
        try:
            eventually(lambda: "eady to accept connections" in open(f"{folder}/log").read())
            equal(Client(port)("PING"), "PONG")
            equal(os.getsid(pid), pid)
            equal(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
            equal(os.readlink(f"/proc/{pid}/cwd"), os.path.realpath(folder))
        finally:
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: not os.path.exists(pidfile))


def check_systemd_is_told():
    """Debian starts the stock file with `--supervised systemd --daemonize no`."""
    for supervised, daemonize in (("systemd", "no"), ("auto", "no"), ("systemd", "yes")):
        with tempfile.TemporaryDirectory() as folder, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(f"{folder}/notify")
            supervisor.settimeout(10)
            own = ["--port", str(free_port()), "--dir", folder, "--logfile", ""]
            own += ["--pidfile", f"{folder}/pid"]
            process, log = launch(
                folder, STOCK, *own, "--supervised", supervised, "--daemonize", daemonize,
                environment={"NOTIFY_SOCKET": f"{folder}/notify"},
            )
            try:
                told = ""
                while "READY=1" not in told:
                    told += supervisor.recv(1000).decode()
                equal(process.poll(), None)
                process.send_signal(signal.SIGTERM)
                equal(supervisor.recv(1000), b"STOPPING=1\n")
                equal(process.wait(timeout=10), 0)
            finally:
                process.kill()


def check_a_hangup_is_ignored():
    with server() as running:
        running.process.send_signal(signal.SIGHUP)
        client = Client(running.port)
        for _ in range(100):
            equal(client("PING"), "PONG")
        equal(running.process.poll(), None)


def check_memory_returns_to_the_system_after_a_flush():
    with server() as running:
        client = Client(running.port)
        for first in range(0, 400_000, 4000):
            client.pipeline([("SET", f"key:{n}", "x" * 400) for n in range(first, first + 4000)])
        full = running.resident()
        equal(client("FLUSHALL"), "OK")

        # Redis frees in a thread of its own, which a busy machine may run late.
        eventually(lambda: running.resident() < full / 4, 20)


def check_a_small_budget_evicts_and_never_refuses():
    with server("--maxmemory-policy", "allkeys-random") as running:
        client = Client(running.port)
        client.pipeline([("SET", f"key:{n}", "x" * 200) for n in range(500)])
        for budget in (50_000, 300_000):
            used = int(client.info("memory")["used_memory"])
            client("CONFIG", "SET", "maxmemory", used + budget)
            for batch in range(10):
                requests = [("SET", f"key:{batch}:{n}", "x" * 200) for n in range(500)]
                errors = [reply for reply in client.pipeline(requests) if isinstance(reply, Failed)]
                equal(errors, [])
            assert client("DBSIZE") > 100
            client("CONFIG", "SET", "maxmemory", 0)
