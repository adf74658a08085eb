//! Golden scripts of consumer groups: one phenomenon per file, with the reply to each member.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minilog --test golden_groups` updates the outputs. Check `git
//! diff` afterwards: every change needs an explanation.
//!
//! | command | what it does |
//! |---|---|
//! | `config NAME VALUE` | changes the configuration; only before the first join |
//! | `at MS` | advances the clock in steps of 100 ms, with a tick each, like the server |
//! | `stall MS` | the process is stopped for this time, then ticks late |
//! | `join NAME [OPTION=VALUE]...` | JoinGroup of a client with its member id, if it has one |
//! | `sync NAME [MEMBER=ASSIGNMENT]...` | SyncGroup |
//! | `heartbeat NAME`, `leave NAME` | Heartbeat, LeaveGroup |
//! | `commit NAME PARTITION OFFSET` | OffsetCommit for the topic `orders` |
//! | `disconnect NAME` | the connection ends while a request waits |
//! | `offsets`, `group` | shows the committed offsets, the group |
//! | `delete` | DeleteGroups |
//! | `expire` | deletes expired offsets |
//! | `restart` | restarts the broker, which reads the log |
//!
//! Options of `join`: `protocols=a,b` (default `range`), `topics=TEXT` (the metadata), `session=MS`
//! (10,000), `rebalance=MS` (60,000), `instance=ID`, `version=N` (9), `new` (without member id).
//!
//! A line `name <- ...` is a reply to a request of that client, possibly an earlier one. A line
//! `log ...` is a record of `__consumer_offsets`.
#![cfg(not(loom))]

use minilog::engine::group::coordinator::{Coordinator, GroupConfig};
use minilog::engine::group::events::{
    Effects, GroupError, Identity, Join, Now, Record, Reply, Sync, Ticket,
};
use minilog::engine::group::group::{Group, State};
use minilog::engine::group::offsets::Committed;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;

const GROUP: &str = "billing";

#[test]
fn groups() {
    let scripts = format!("{}/tests/golden/group", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        let mut lab = Lab::new();
        move |line: &str| lab.run(line).unwrap_or_else(|error| format!("error: {error}"))
    });
}

struct Lab {
    config: GroupConfig,
    coordinator: Coordinator,
    now: Now,
    clients: BTreeMap<String, Client>,
    tickets: BTreeMap<Ticket, String>,
    last: u64,
    /// The log, compacted: the last record of each key.
    groups: BTreeMap<String, Option<Group>>,
    offsets: BTreeMap<(String, i32), Record>,
}

#[derive(Clone, Default)]
struct Client {
    member_id: String,
    instance_id: Option<String>,
    generation: i32,
    waiting: Option<Ticket>,
}

type Answer = Result<String, Box<dyn Error>>;

impl Lab {
    fn new() -> Lab {
        let config = GroupConfig { initial_delay_ms: 0, ..GroupConfig::default() };
        Lab {
            config,
            coordinator: Coordinator::new(config),
            now: Now::default(),
            clients: BTreeMap::new(),
            tickets: BTreeMap::new(),
            last: 0,
            groups: BTreeMap::new(),
            offsets: BTreeMap::new(),
        }
    }

    fn run(&mut self, line: &str) -> Answer {
        let words = line.split(' ').collect::<Vec<_>>();
        match words[..] {
            ["config", name, value] => self.configure(name, value.parse()?),
            ["at", time] => self.advance(time.parse()?),
            ["stall", time] => {
                let late_by = time.parse()?;
                self.set_clock(self.now.monotonic + late_by);
                let mut effects = Effects::default();
                self.coordinator.tick(self.now, late_by, &mut effects);
                Ok(self.carry_out(effects))
            }
            ["join", name, ref options @ ..] => self.join(name, options),
            ["sync", name, ref assignments @ ..] => self.sync(name, assignments),
            ["heartbeat", name] => {
                let identity = self.identity(name)?;
                let heartbeat = |group: &mut Group, now| group.heartbeat(now, &identity);
                let result = self.coordinator.with_group(self.now, GROUP, heartbeat);
                Ok(format!("{name} <- {}", outcome(result)))
            }
            ["leave", name] => {
                let (identity, mut effects) = (self.identity(name)?, Effects::default());
                let leave = |group: &mut Group, now| group.leave(now, &identity, &mut effects);
                let result = self.coordinator.with_group(self.now, GROUP, leave);
                self.clients.remove(name);
                let text = format!("{name} <- {}\n", outcome(result));
                Ok(text + &self.carry_out(effects))
            }
            ["commit", name, partition, offset] => {
                self.commit(name, partition.parse()?, offset.parse()?)
            }
            ["disconnect", name] => {
                let client = self.clients.get_mut(name).ok_or("no such client")?;
                let ticket = client.waiting.take().ok_or("nothing waits")?;
                self.tickets.remove(&ticket);
                let disconnect = |group: &mut Group, now| {
                    group.disconnect(now, ticket);
                    Ok(())
                };
                let result = self.coordinator.with_group(self.now, GROUP, disconnect);
                Ok(result.map_or_else(|error| format!("{error:?}"), |()| String::new()))
            }
            ["offsets"] => {
                let offsets = self.coordinator.group(GROUP).into_iter();
                let offsets = offsets.flat_map(|it| it.offsets.iter());
                let line = |(topic, partition, it): (&str, i32, &Committed)| {
                    format!("{topic} {partition}: {}\n", it.offset)
                };
                Ok(offsets.map(line).collect())
            }
            ["group"] => Ok(self.coordinator.group(GROUP).map_or("none".to_owned(), show)),
            ["delete"] => {
                let mut effects = Effects::default();
                let result = self.coordinator.delete(GROUP, &mut effects);
                Ok(format!("{}\n", outcome(result)) + &self.carry_out(effects))
            }
            ["expire"] => {
                let mut effects = Effects::default();
                self.coordinator.expire_offsets(self.now, &mut effects);
                Ok(self.carry_out(effects))
            }
            ["restart"] => self.restart(),
            _ => Err(format!("unknown command {line}").into()),
        }
    }

    fn configure(&mut self, name: &str, value: i64) -> Answer {
        match name {
            "initial_delay_ms" => self.config.initial_delay_ms = value,
            "members_max" => self.config.members_max = value as usize,
            "offsets_retention_ms" => self.config.offsets_retention_ms = value,
            _ => return Err(format!("unknown parameter {name}").into()),
        }
        self.coordinator = Coordinator::new(self.config);
        Ok(String::new())
    }

    fn set_clock(&mut self, monotonic: i64) {
        self.now = Now { monotonic, timestamp: monotonic };
    }

    fn advance(&mut self, time: i64) -> Answer {
        let mut text = String::new();
        while self.now.monotonic < time {
            self.set_clock((self.now.monotonic + 100).min(time));
            let mut effects = Effects::default();
            self.coordinator.tick(self.now, 0, &mut effects);
            let news = self.carry_out(effects);
            if !news.is_empty() {
                write!(text, "at {}:\n{news}", self.now.monotonic)?;
            }
        }
        Ok(text)
    }

    fn join(&mut self, name: &str, options: &[&str]) -> Answer {
        let mut client = self.clients.get(name).cloned().unwrap_or_default();
        let mut join = Join {
            client_id: name.to_owned(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".to_owned(),
            ..Join::default()
        };
        let (mut protocols, mut topics, mut version) = ("range", "orders", 9);
        for option in options {
            match option.split_once('=').unwrap_or((option, "")) {
                ("protocols", list) => protocols = list,
                ("topics", text) => topics = text,
                ("session", ms) => join.session_timeout_ms = ms.parse()?,
                ("rebalance", ms) => join.rebalance_timeout_ms = ms.parse()?,
                ("instance", id) => client.instance_id = Some(id.to_owned()),
                ("version", number) => version = number.parse()?,
                ("type", name) => join.protocol_type = name.to_owned(),
                ("new", _) => client.member_id.clear(),
                _ => return Err(format!("unknown option {option}").into()),
            }
        }
        if version == 0 {
            join.rebalance_timeout_ms = join.session_timeout_ms;
        }
        let with_topics = |it: &str| (it.to_owned(), topics.as_bytes().to_vec());
        join.protocols = protocols.split(',').map(with_topics).collect();
        join.member_id = client.member_id.clone();
        join.instance_id = client.instance_id.clone();
        join.requires_member_id = version >= 4;
        join.can_skip_assignment = version >= 9;

        let ticket = self.ticket(name, client);
        join.new_member_id = format!("{name}-{}", self.last);
        let mut effects = Effects::default();
        let joined = self.coordinator.join(self.now, GROUP, join, ticket, &mut effects);
        effects.replies.extend(joined.err().map(|error| (ticket, Err(error))));
        Ok(self.carry_out(effects))
    }

    fn sync(&mut self, name: &str, assignments: &[&str]) -> Answer {
        let member = self.identity(name)?;
        let client = self.clients[name].clone();
        let assignments = assignments.iter().filter_map(|it| it.split_once('='));
        let assignments = assignments.map(|(member, assignment)| {
            let id = self.clients.get(member).map(|it| it.member_id.clone());
            (id.unwrap_or(member.to_owned()), assignment.as_bytes().to_vec())
        });
        let assignments = assignments.collect();
        let sync = Sync { member, protocol_type: None, protocol: None, assignments };
        let ticket = self.ticket(name, client);
        let mut effects = Effects::default();
        let handle = |group: &mut Group, now| group.sync(now, sync, ticket, &mut effects);
        let synced = self.coordinator.with_group(self.now, GROUP, handle);
        effects.replies.extend(synced.err().map(|error| (ticket, Err(error))));
        Ok(self.carry_out(effects))
    }

    fn commit(&mut self, name: &str, partition: i32, offset: i64) -> Answer {
        // A commit from outside has no member id.
        let from =
            self.identity(name).unwrap_or(Identity { generation: -1, ..Identity::default() });
        if let Err(error) = self.coordinator.check_commit(self.now, GROUP, &from) {
            return Ok(format!("{name} <- {error:?}"));
        }
        let timestamp = self.now.timestamp;
        let record = Record::Offset {
            group: GROUP.to_owned(),
            topic: "orders".to_owned(),
            partition,
            committed: Some(Committed { offset, timestamp, ..Committed::default() }),
        };
        Ok(self.carry_out(Effects { records: vec![record], replies: Vec::new() }))
    }

    fn restart(&mut self) -> Answer {
        self.coordinator = Coordinator::new(self.config);
        self.tickets.clear();
        self.set_clock(0);
        for (id, group) in &self.groups {
            self.coordinator.restore(self.now, id, group.clone());
        }
        for record in self.offsets.values() {
            self.coordinator.apply(self.now, record.clone());
        }
        Ok(String::new())
    }

    fn ticket(&mut self, name: &str, client: Client) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.tickets.insert(ticket, name.to_owned());
        self.clients.insert(name.to_owned(), Client { waiting: Some(ticket), ..client });
        ticket
    }

    fn identity(&self, name: &str) -> Result<Identity, Box<dyn Error>> {
        let client = self.clients.get(name).ok_or("no such client")?;
        Ok(Identity {
            member_id: client.member_id.clone(),
            instance_id: client.instance_id.clone(),
            generation: client.generation,
        })
    }

    fn carry_out(&mut self, effects: Effects) -> String {
        let mut text = String::new();
        for record in effects.records {
            text += &self.write(&record);
            self.coordinator.apply(self.now, record);
        }
        for (ticket, reply) in effects.replies {
            let Some(name) = self.tickets.remove(&ticket) else { continue };
            text += &format!("{name} <- {}\n", self.receive(&name, &reply));
        }
        text
    }

    /// Writes a record to the log, and returns the line that describes it.
    fn write(&mut self, record: &Record) -> String {
        match record {
            Record::Group(id) => {
                let group = self.coordinator.group(id).cloned();
                let text = format!("log {id}: {}", group.as_ref().map_or("tombstone".into(), show));
                self.groups.insert(id.clone(), group);
                text.trim_end().to_owned() + "\n"
            }
            Record::Offset { group, topic, partition, committed } => {
                let key = (topic.clone(), *partition);
                let value = committed.as_ref().map(|it| it.offset.to_string());
                self.offsets.insert(key, record.clone());
                let value = value.unwrap_or("tombstone".to_owned());
                format!("log {group} {topic} {partition}: {value}\n")
            }
        }
    }

    /// Updates a client from a reply, and returns the line that describes it.
    fn receive(&mut self, name: &str, reply: &Result<Reply, GroupError>) -> String {
        let client = self.clients.entry(name.to_owned()).or_default();
        client.waiting = None;
        match reply {
            Ok(Reply::Joined(joined)) => {
                client.member_id.clone_from(&joined.member_id);
                client.generation = joined.generation;
                let mut text = format!("generation {}, {}", joined.generation, joined.protocol);
                write!(text, ", leader {}", joined.leader).expect("a string");
                let members = joined
                    .members
                    .iter()
                    .map(|(id, _, metadata)| format!("{id}:{}", String::from_utf8_lossy(metadata)));
                let members = members.collect::<Vec<_>>().join(" ");
                if !members.is_empty() {
                    write!(text, ", members {members}").expect("a string");
                }
                text + if joined.skip_assignment { ", skip the assignment" } else { "" }
            }
            Err(GroupError::MemberIdRequired(id)) => {
                client.member_id.clone_from(id);
                format!("MemberIdRequired {id}")
            }
            Ok(Reply::Synced(assignment)) => {
                format!("assignment [{}]", String::from_utf8_lossy(assignment))
            }
            Err(error) => format!("{error:?}"),
        }
    }
}

fn outcome<E: std::fmt::Debug>(result: Result<(), E>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |()| "ok".to_owned())
}

fn show(group: &Group) -> String {
    let state = match group.state {
        State::Empty { .. } => "Empty",
        State::PreparingRebalance { .. } => "PreparingRebalance",
        State::CompletingRebalance { .. } => "CompletingRebalance",
        State::Stable { .. } => "Stable",
    };
    let mut text = format!("{state}, generation {}", group.generation);
    for (id, member) in &group.members {
        let assignment = String::from_utf8_lossy(&member.assignment);
        text += &format!(", {id} [{assignment}]");
    }
    text + "\n"
}
