//! Any order of requests, timeouts and disconnections: a group keeps its invariants, answers every
//! request once, and is empty after all clients have gone silent.
#![cfg(not(loom))]

use minilog::engine::group::coordinator::{Coordinator, GroupConfig};
use minilog::engine::group::events::{
    Effects, GroupError, Identity, Join, Now, Reply, Sync, Ticket,
};
use minilog::engine::group::group::{Group, State};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

const CLIENTS: usize = 4;

#[derive(Clone, Debug)]
enum Event {
    /// A client joins with the assignors whose bits are set in `protocols`.
    Join {
        client: usize,
        version: i16,
        is_static: bool,
        protocols: u8,
    },
    Sync {
        client: usize,
    },
    Heartbeat {
        client: usize,
    },
    Leave {
        client: usize,
    },
    Commit {
        client: usize,
    },
    Disconnect {
        client: usize,
    },
    /// Time passes.
    Wait {
        ms: i64,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let client = 0..CLIENTS;
    let version = prop_oneof![Just(0), Just(3), Just(5), Just(9)];
    let join = (client.clone(), version, any::<bool>(), 1..4_u8);
    let join = join.prop_map(|(client, version, is_static, protocols)| {
        let is_static = is_static && version >= 5;
        Event::Join { client, version, is_static, protocols }
    });
    let event = prop_oneof![
        4 => join,
        4 => client.clone().prop_map(|client| Event::Sync { client }),
        2 => client.clone().prop_map(|client| Event::Heartbeat { client }),
        1 => client.clone().prop_map(|client| Event::Leave { client }),
        2 => client.clone().prop_map(|client| Event::Commit { client }),
        1 => client.prop_map(|client| Event::Disconnect { client }),
        2 => (0..8000_i64).prop_map(|ms| Event::Wait { ms }),
    ];
    vec(event, 0..80)
}

#[derive(Clone, Default)]
struct Client {
    identity: Identity,
    waiting: Option<Ticket>,
}

struct World {
    coordinator: Coordinator,
    now: Now,
    clients: Vec<Client>,
    tickets: u64,
    answered: BTreeSet<Ticket>,
    generation: i32,
}

impl World {
    fn new(initial_delay_ms: i64) -> World {
        let config = GroupConfig { initial_delay_ms, ..GroupConfig::default() };
        World {
            coordinator: Coordinator::new(config),
            now: Now::default(),
            clients: vec![Client::default(); CLIENTS],
            tickets: 0,
            answered: BTreeSet::new(),
            generation: 0,
        }
    }

    fn ticket(&mut self, client: usize) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.clients[client].waiting = Some(ticket);
        ticket
    }

    fn on_group<T>(
        &mut self,
        handle: impl FnOnce(&mut Group, Now) -> Result<T, GroupError>,
    ) -> Result<T, GroupError> {
        self.coordinator.with_group(self.now, "g", handle)
    }

    fn run(&mut self, event: Event) {
        let mut effects = Effects::default();
        match event {
            Event::Join { client, version, is_static, protocols } => {
                let ticket = self.ticket(client);
                let identity = &mut self.clients[client].identity;
                identity.instance_id = is_static.then(|| format!("static-{client}"));
                let names = ["range", "sticky"].into_iter().enumerate();
                let names = names.filter(|(bit, _)| protocols >> bit & 1 == 1);
                let join = Join {
                    member_id: identity.member_id.clone(),
                    new_member_id: format!("{client}-{}", ticket.0),
                    requires_member_id: version >= 4,
                    can_skip_assignment: version >= 9,
                    instance_id: identity.instance_id.clone(),
                    session_timeout_ms: 6000,
                    rebalance_timeout_ms: 9000,
                    protocol_type: "consumer".into(),
                    protocols: names.map(|(_, name)| (name.into(), vec![])).collect(),
                    ..Join::default()
                };
                let joined = self.coordinator.join(self.now, "g", join, ticket, &mut effects);
                effects.replies.extend(joined.err().map(|error| (ticket, Err(error))));
            }
            Event::Sync { client } => {
                let ticket = self.ticket(client);
                let member = self.clients[client].identity.clone();
                let assignments = vec![(member.member_id.clone(), vec![1])];
                let sync = Sync { member, assignments, ..Sync::default() };
                let synced =
                    self.on_group(|group, now| group.sync(now, sync, ticket, &mut effects));
                effects.replies.extend(synced.err().map(|error| (ticket, Err(error))));
            }
            Event::Heartbeat { client } => {
                let identity = self.clients[client].identity.clone();
                let _ = self.on_group(|group, now| group.heartbeat(now, &identity));
            }
            Event::Leave { client } => {
                let identity = self.clients[client].identity.clone();
                let _ = self.on_group(|group, now| group.leave(now, &identity, &mut effects));
            }
            Event::Commit { client } => {
                let identity = self.clients[client].identity.clone();
                let checked = self.coordinator.check_commit(self.now, "g", &identity);
                if checked.is_ok() && identity.generation >= 0 {
                    assert_eq!(identity.generation, self.generation, "a zombie has committed");
                }
            }
            Event::Disconnect { client } => {
                if let Some(ticket) = self.clients[client].waiting.take() {
                    let _ = self.on_group(|group, now| {
                        group.disconnect(now, ticket);
                        Ok(())
                    });
                }
            }
            Event::Wait { ms } => {
                self.now.monotonic += ms;
                self.coordinator.tick(self.now, 0, &mut effects);
            }
        }
        self.receive(effects);
        self.check();
    }

    fn receive(&mut self, effects: Effects) {
        for (ticket, reply) in effects.replies {
            assert!(self.answered.insert(ticket), "{ticket:?} was answered twice");
            let waits = |it: &&mut Client| it.waiting == Some(ticket);
            let Some(client) = self.clients.iter_mut().find(waits) else { continue };
            client.waiting = None;
            match reply {
                Ok(Reply::Joined(joined)) => {
                    client.identity.member_id = joined.member_id;
                    client.identity.generation = joined.generation;
                }
                Err(GroupError::MemberIdRequired(id)) => client.identity.member_id = id,
                Err(GroupError::UnknownMemberId) => client.identity.member_id.clear(),
                _ => {}
            }
        }
    }

    fn check(&mut self) {
        let Some(group) = self.coordinator.group("g") else { return };
        assert!(group.generation >= self.generation, "the generation goes back");
        self.generation = group.generation;

        // Invariants 1 and 2 in the head of `group.rs`.
        let leader = group.leader.as_ref();
        assert_eq!(leader.is_some(), !group.members.is_empty());
        assert!(leader.is_none_or(|it| group.members.contains_key(it)));
        let supports = |name: &str| {
            let mut members = group.members.values();
            members.all(|it| it.join.protocols.iter().any(|(other, _)| other == name))
        };
        assert!(supports("range") || supports("sticky"));

        // A group with members is not empty.
        assert!(!matches!(group.state, State::Empty { .. }) || group.members.is_empty());
        // No request waits for something that has happened already.
        if matches!(group.state, State::Stable { .. }) {
            assert!(group.members.values().all(|it| it.waiting.is_none()));
        }
    }
}

proptest! {
    #[test]
    fn any_order_of_events(events in events(), delay in prop_oneof![Just(0), Just(3000)]) {
        let mut world = World::new(delay);
        events.into_iter().for_each(|event| world.run(event));

        // All clients stay connected but silent. After a while each request has been answered, and
        // the group is empty.
        for _ in 0..40 {
            world.run(Event::Wait { ms: 1000 });
        }
        prop_assert!(world.clients.iter().all(|it| it.waiting.is_none()));
        if let Some(group) = world.coordinator.group("g") {
            prop_assert!(matches!(group.state, State::Empty { .. }), "{group:?}");
            prop_assert!(group.pending.is_empty());
        }
    }
}
