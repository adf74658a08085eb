//! The two systems: how each is started and identified.
//!
//! ```text
//! minilog serve --listen 127.0.0.1:40001 --data-dir DIR/data --threads 1
//! kafka-storage.sh format -c DIR/server.properties …        not part of a start
//! kafka-server-start.sh DIR/server.properties
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use minikit::harness::free_port;

use crate::Result;
use crate::model::Identity;
use crate::process;
use crate::provider::{Place, Side, Source, System};

/// Ours.
pub const MINILOG: System = System {
    name: "minilog",
    flag: "minilog",
    program: "minilog",
    folders: &[],
    user: None,
    arguments: |place| {
        let listen = format!("127.0.0.1:{}", place.port);
        let data = place.directory.join("data").display().to_string();
        let mut words =
            ["serve", "--listen", &listen, "--data-dir", &data].map(String::from).to_vec();
        words.extend(place.threads.iter().flat_map(|n| ["--threads".into(), n.to_string()]));
        words
    },
    prepare: None,
    answers,
    container: None,
    install: "cargo build --release -p minilog",
};

/// Theirs.
pub const KAFKA: System = System {
    name: "Kafka",
    flag: "kafka",
    program: "kafka-server-start.sh",
    folders: &[],
    user: None,
    arguments: |place| vec![properties(place).display().to_string()],
    prepare: Some(format),
    answers,
    container: None,
    install: "unpack kafka_2.13-4.3.0.tgz of https://kafka.apache.org/downloads, set KAFKA_HOME \
              to the folder and install Java 17; or give --kafka ADDRESS:PORT as well",
};

/// How long `kafka-storage.sh` may take: it is a Java program.
const FORMAT_LIMIT: Duration = Duration::from_secs(60);

fn properties(place: &Place) -> std::path::PathBuf {
    place.directory.join("server.properties")
}

/// Writes the configuration of one broker that is its own controller, and formats its directory.
fn format(program: &Path, place: &Place) -> Result<()> {
    let (port, controller) = (place.port, free_port());
    let listener = format!("PLAINTEXT://127.0.0.1:{port}");
    let text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners={listener},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={listener}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n",
        place.directory.join("data").display(),
    );
    let file = properties(place);
    std::fs::write(&file, text)?;

    let mut command = Command::new(program.with_file_name("kafka-storage.sh"));
    command.args(["format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"]).arg(&file);
    let output = process::run(&mut command, FORMAT_LIMIT)?;
    match output.success {
        true => Ok(()),
        false => Err(format!("kafka-storage.sh: {}{}", output.stdout, output.stderr).into()),
    }
}

/// Returns true if a broker answers an ApiVersions request of version 0 without error.
fn answers(address: SocketAddr) -> bool {
    /// Size, key 18, version 0, correlation id 7, no client id.
    const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    let ask = || -> std::io::Result<[u8; 10]> {
        let limit = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(&REQUEST)?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    // After the size: the correlation id, and no error.
    ask().is_ok_and(|answer| answer[4..] == [0, 0, 0, 7, 0, 0])
}

/// Name, version and origin of a side.
pub fn identify(side: &Side) -> Identity {
    let (version, started) = match &side.source {
        Source::Given(address) => {
            ("unknown".into(), format!("found at {address}, with the settings of its owner"))
        }
        Source::Program(path) => {
            let version = if side.system.name == KAFKA.name {
                kafka_version(path)
            } else {
                own_version(path)
            };
            (version.unwrap_or("unknown".into()), path.display().to_string())
        }
        Source::Docker { image, .. } => (image.clone(), format!("Docker image {image}")),
    };
    let allocator = if side.system.name == KAFKA.name { "JVM" } else { "libc" };
    Identity { name: side.system.name.into(), version, allocator: allocator.into(), started }
}

/// The version of Kafka, from the name of a jar: `libs/kafka-clients-4.3.0.jar`.
fn kafka_version(program: &Path) -> Option<String> {
    let libs = program.parent()?.parent()?.join("libs");
    let names = std::fs::read_dir(libs).ok()?.flatten().map(|file| file.file_name());
    names.filter_map(|name| version_of_jar(name.to_str()?)).next()
}

fn version_of_jar(name: &str) -> Option<String> {
    Some(name.strip_prefix("kafka-clients-")?.strip_suffix(".jar")?.to_owned())
}

/// What `minilog --version` prints after the name.
fn own_version(program: &Path) -> Option<String> {
    let output = process::run(Command::new(program).arg("--version"), FORMAT_LIMIT).ok()?;
    output.stdout.split_whitespace().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_in_the_name_of_the_jar() {
        assert_eq!(version_of_jar("kafka-clients-4.3.0.jar").as_deref(), Some("4.3.0"));
        assert_eq!(version_of_jar("kafka-streams-4.3.0.jar"), None);
    }

    #[test]
    fn nobody_answers_at_a_free_port() {
        assert!(!answers(([127, 0, 0, 1], free_port()).into()));
    }
}
