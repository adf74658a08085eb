//! Consumer groups: passing requests to the coordinator, writing its effects to the log, and
//! sending its replies to the connections that wait for them.
//!
//! # The life of a request that waits
//!
//! 1. [`Groups::request`] gives it a ticket and a slot, and passes it to the coordinator.
//! 2. Under the lock of the coordinator, the records of the effects are appended to
//!    `__consumer_offsets`. Then each reply is put into the slot of its ticket.
//! 3. If the request's own slot is still empty, the connection's task waits in [`Delayed::poll`].
//!    This needs no extra task and no timer.
//! 4. A later event, caused by another client or a tick, fills the slot and wakes the task.
//! 5. With `--sync always` the request then waits until the records are durable.
//!
//! If the client disconnects, the request is dropped and the coordinator forgets the ticket.
//!
//! There is one lock for all groups. It is held during the writes to the page cache, so that the
//! records in the log have the same order as the events in memory. Kafka spreads groups over 50
//! partitions of the topic and 4 threads.

use super::{Broker, Delayed, Step, group_log};
use crate::engine::group::coordinator::{Coordinator, GroupConfig};
use crate::engine::group::events::{Effects, GroupError, Handled, Now, Reply, Ticket};
use crate::engine::group::group::Group;
use crate::engine::log::partition::Partition;
use crate::wire::ErrorCode;
use crate::wire::codec::Frame;
use minikit::sync::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The groups of a broker.
pub struct Groups {
    state: Mutex<State>,
    pub(super) now: fn() -> Now,
}

/// The state that the lock protects.
pub struct State {
    /// The groups.
    pub coordinator: Coordinator,
    /// The slots of the requests that wait for a reply.
    slots: HashMap<Ticket, Arc<Slot>>,
    tickets: u64,
}

/// Holds the reply for a connection, or the waker of the connection that waits for it.
#[derive(Default)]
struct Slot(Mutex<(Option<Answer>, Option<Waker>)>);

/// A reply, and the records that must be durable before it is sent.
type Answer = Result<(Option<Reply>, Written), Refusal>;

/// The reason why a request is refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The error.
    pub error_code: ErrorCode,
    /// The new member's id if the error is `MEMBER_ID_REQUIRED`.
    pub member_id: Option<String>,
}

/// The partition and the end offset of records that are not durable yet; none if nothing waits.
#[derive(Clone)]
pub struct Written(pub(super) Option<(Arc<Partition>, i64)>);

/// Encodes a reply as a response.
type Encode = Box<dyn FnOnce(Result<Option<Reply>, Refusal>) -> Frame + Send>;

/// A request that waits for its reply, and then for the disk.
struct DelayedReply {
    broker: Arc<Broker>,
    /// The group and the ticket, if the request can wait for other members.
    ticket: Option<(String, Ticket)>,
    slot: Arc<Slot>,
    answer: Option<Answer>,
    encode: Option<Encode>,
}

impl Groups {
    /// A broker without groups. `now` returns the current time.
    pub fn new(config: GroupConfig, now: fn() -> Now) -> Groups {
        let coordinator = Coordinator::new(config);
        let state = State { coordinator, slots: HashMap::new(), tickets: 0 };
        Groups { state: Mutex::new(state), now }
    }

    /// Locks the coordinator. Also returns the current time.
    pub(super) fn lock(&self) -> (MutexGuard<'_, State>, Now) {
        let state = self.state.lock();
        // Read the clock after locking, so that time never goes back between two events.
        (state, (self.now)())
    }

    /// Calls `read` with the coordinator.
    pub fn with<T>(&self, read: impl FnOnce(&Coordinator) -> T) -> T {
        read(&self.lock().0.coordinator)
    }

    /// Handles a request whose reply may have to wait for other members.
    pub(super) fn request(
        broker: &Arc<Broker>,
        group: String,
        event: impl FnOnce(&mut Coordinator, Now, &str, Ticket, &mut Effects) -> Handled,
        encode: impl FnOnce(Result<Option<Reply>, Refusal>) -> Frame + Send + 'static,
    ) -> Step {
        let (slot, mut effects) = (Arc::new(Slot::default()), Effects::default());
        let (ticket, handled) = {
            let (mut state, now) = broker.groups.lock();
            state.tickets += 1;
            let ticket = Ticket(state.tickets);
            let handled = event(&mut state.coordinator, now, &group, ticket, &mut effects);
            if handled.is_ok() {
                state.slots.insert(ticket, Arc::clone(&slot));
            }
            // If the append fails, the slots of all requests that it concerns get the error.
            let _ = state.carry_out(broker, now, effects);
            (ticket, handled)
        };
        let answer = handled.err().map(|error| Err(Refusal::from(error)));
        let (broker, ticket) = (Arc::clone(broker), Some((group, ticket)));
        DelayedReply { broker, ticket, slot, answer, encode: Some(Box::new(encode)) }.step()
    }

    /// The step of a request that waits only for the disk.
    pub(super) fn respond(
        broker: &Arc<Broker>,
        written: Result<Written, Refusal>,
        encode: impl FnOnce(Result<(), ErrorCode>) -> Frame + Send + 'static,
    ) -> Step {
        let answer = Some(written.map(|written| (None, written)));
        let encode: Encode =
            Box::new(|answer| encode(answer.map(drop).map_err(|it| it.error_code)));
        let (broker, slot) = (Arc::clone(broker), Arc::default());
        DelayedReply { broker, ticket: None, slot, answer, encode: Some(encode) }.step()
    }

    /// Ends sessions and rebalances that are due. Call it ten times a second. `late_by` says how
    /// late this call is, in ms.
    pub fn tick(broker: &Broker, late_by: i64) {
        let _ = Groups::event(broker, |it, now, effects| it.tick(now, late_by, effects));
    }

    /// Deletes expired offsets. Call it every few minutes.
    pub fn expire_offsets(broker: &Broker) -> Result<(), Refusal> {
        Groups::event(broker, |it, now, effects| it.expire_offsets(now, effects)).1.map(drop)
    }

    /// Passes an event without a waiting request to the coordinator, and carries out its effects.
    pub(super) fn event<T>(
        broker: &Broker,
        event: impl FnOnce(&mut Coordinator, Now, &mut Effects) -> T,
    ) -> (T, Result<Written, Refusal>) {
        let (mut state, now) = broker.groups.lock();
        let mut effects = Effects::default();
        let handled = event(&mut state.coordinator, now, &mut effects);
        (handled, state.carry_out(broker, now, effects))
    }
}

impl State {
    /// Appends the records of an event, applies them, and puts its replies into their slots.
    pub(super) fn carry_out(
        &mut self,
        broker: &Broker,
        now: Now,
        effects: Effects,
    ) -> Result<Written, Refusal> {
        let written = group_log::append(broker, &self.coordinator, now, &effects.records);
        let written = written.map_err(Refusal::from);
        if written.is_ok() {
            effects.records.into_iter().for_each(|it| self.coordinator.apply(now, it));
        }
        for (ticket, reply) in effects.replies {
            if let Some(slot) = self.slots.remove(&ticket) {
                slot.fill(written.clone().and_then(|written| Ok((Some(reply?), written))));
            }
        }
        written
    }
}

impl Slot {
    fn fill(&self, answer: Answer) {
        let mut slot = self.0.lock();
        slot.0 = Some(answer);
        if let Some(waker) = slot.1.take() {
            waker.wake();
        }
    }

    /// Takes the answer. If there is none yet, it will wake `waker`.
    fn take(&self, waker: &Waker) -> Option<Answer> {
        let mut slot = self.0.lock();
        if slot.0.is_none() {
            slot.1 = Some(waker.clone());
        }
        slot.0.take()
    }
}

impl Written {
    /// All records appended so far. A response that shows the state in memory must wait for them.
    pub(super) fn so_far(broker: &Broker) -> Written {
        let unflushed = group_log::partition(broker).and_then(|log| {
            let end = log.with_log(|it| it.waits_for_flush().then_some(it.next_offset));
            Some((log, end?))
        });
        Written(unflushed)
    }
}

impl DelayedReply {
    fn step(mut self) -> Step {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => Step::Respond(frame),
            Poll::Pending => Step::Delay(Box::new(self)),
        }
    }
}

impl Delayed for DelayedReply {
    /// Ready once there is a reply and its records are durable.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        if self.answer.is_none() {
            self.answer = self.slot.take(context.waker());
        }
        let answer = match &mut self.answer {
            None => return Poll::Pending,
            Some(Err(refusal)) => Err(refusal.clone()),
            Some(Ok((reply, Written(None)))) => Ok(reply.take()),
            Some(Ok((reply, Written(Some((log, end)))))) => {
                match log.poll_durable(*end, context.waker()) {
                    Poll::Ready(true) => Ok(reply.take()),
                    Poll::Ready(false) => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE.into()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        };
        let encode = self.encode.take().expect("it is ready only once");
        Poll::Ready(encode(answer))
    }

    /// Never: the coordinator's ticks end waits that take too long.
    fn timeout(&self) -> Duration {
        Duration::MAX
    }

    fn finish(&mut self) -> Frame {
        unreachable!("it has no timeout")
    }

    fn needs_flush(&self) -> bool {
        self.answer.is_some()
    }
}

impl Drop for DelayedReply {
    /// If there is no answer yet, the client has disconnected.
    fn drop(&mut self) {
        if let (Some((group, ticket)), None) = (&self.ticket, &self.answer) {
            let (mut state, now) = self.broker.groups.lock();
            if state.slots.remove(ticket).is_some() {
                let disconnect = |group: &mut Group, now| {
                    group.disconnect(now, *ticket);
                    Ok(())
                };
                // If the group is gone, so is the ticket.
                let _ = state.coordinator.with_group(now, group, disconnect);
            }
        }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(error_code: ErrorCode) -> Refusal {
        Refusal { error_code, member_id: None }
    }
}

impl From<GroupError> for Refusal {
    fn from(error: GroupError) -> Refusal {
        let error_code = match error {
            GroupError::MemberIdRequired(id) => {
                let error_code = ErrorCode::MEMBER_ID_REQUIRED;
                return Refusal { error_code, member_id: Some(id) };
            }
            GroupError::UnknownMemberId => ErrorCode::UNKNOWN_MEMBER_ID,
            GroupError::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
            GroupError::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
            GroupError::InconsistentGroupProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            GroupError::FencedInstanceId => ErrorCode::FENCED_INSTANCE_ID,
            GroupError::GroupMaxSizeReached => ErrorCode::GROUP_MAX_SIZE_REACHED,
            GroupError::OutOfMemory => ErrorCode::POLICY_VIOLATION,
            GroupError::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
            GroupError::NonEmptyGroup => ErrorCode::NON_EMPTY_GROUP,
        };
        error_code.into()
    }
}

/// The error code of a result.
pub(super) fn error_code(result: Handled) -> ErrorCode {
    result.map_or_else(|error| Refusal::from(error).error_code, |()| ErrorCode::NONE)
}
