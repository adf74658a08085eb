//! The purgatory: timers for the requests that wait on one core, in a timing wheel.
//!
//! A fetch that finds no records waits for an append, at most `max_wait_ms`. A produce request may
//! wait for a flush, at most `timeout_ms`. The task of the connection does the waiting, until the
//! partition or the wheel wakes it:
//!
//! ```text
//! 0 ms     the fetch finds nothing. Its waker is in the partition and, for 500 ms, in the wheel
//! 120 ms   append: the partition wakes the task, which answers and cancels its timer
//! ```
//!
//! One task per core drives the wheel ([`timing_wheel`]) and sleeps until its next event, so a
//! waiting request needs no task and no runtime timer of its own. Joins wait without a timer: the
//! coordinator's ticks end them.
//!
//! Kafka counterpart: `DelayedOperationPurgatory.java`, `SystemTimer.java`. Kafka has one purgatory
//! per kind of request, each with a thread that advances its timers. A request that is due is
//! completed by another thread.

pub mod timing_wheel;

use self::timing_wheel::{Timer, TimingWheel};
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep_until;

/// The timers of the requests that wait on one core.
pub struct Purgatory {
    start: Instant,
    /// In milliseconds since `start`.
    wheel: RefCell<TimingWheel<Waker>>,
    /// Notified when a new timer is due before all others.
    sooner: Notify,
}

impl Default for Purgatory {
    fn default() -> Purgatory {
        let wheel = RefCell::new(TimingWheel::new(0));
        Purgatory { start: Instant::now(), wheel, sooner: Notify::new() }
    }
}

impl Purgatory {
    /// A future that is ready after `time`, within a millisecond; never for [`Duration::MAX`].
    pub fn timer(&self, time: Duration) -> WaitTimer<'_> {
        let deadline = self.start.elapsed().checked_add(time);
        let deadline = deadline.map(|it| it.as_millis() as u64 + 1);
        WaitTimer { purgatory: self, deadline, timer: None }
    }

    /// Wakes the tasks whose timers are due. Runs until the end of the process.
    pub async fn run(&self) {
        loop {
            let due = self.wheel.borrow_mut().advance(self.start.elapsed().as_millis() as u64);
            due.into_iter().for_each(Waker::wake);

            let next = self.wheel.borrow().next_event();
            let sooner = self.sooner.notified();
            match next.map(|it| self.start + Duration::from_millis(it)) {
                None => sooner.await,
                Some(next) => tokio::select! {
                    () = sooner => {}
                    () = sleep_until(next.into()) => {}
                },
            }
        }
    }
}

/// A timer that is on the wheel from the first poll until it is due or dropped.
pub struct WaitTimer<'a> {
    purgatory: &'a Purgatory,
    deadline: Option<u64>,
    timer: Option<Timer>,
}

impl Future for WaitTimer<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if self.purgatory.start.elapsed().as_millis() as u64 >= deadline {
            return Poll::Ready(());
        }
        // Only the first poll inserts the timer: later ones come from the same task.
        if self.timer.is_none() {
            let purgatory = self.purgatory;
            let mut wheel = purgatory.wheel.borrow_mut();
            if wheel.next_event().is_none_or(|next| deadline < next) {
                purgatory.sooner.notify_one();
            }
            self.timer = Some(wheel.insert(deadline, context.waker().clone()));
        }
        Poll::Pending
    }
}

impl Drop for WaitTimer<'_> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.purgatory.wheel.borrow_mut().remove(timer);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn timers_end_in_the_order_of_their_deadlines() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (purgatory, ended) = (Purgatory::default(), RefCell::new(Vec::new()));
        let wait = async |name: &'static str, time| {
            purgatory.timer(Duration::from_millis(time)).await;
            ended.borrow_mut().push(name);
        };
        runtime.block_on(async {
            let all = async { tokio::join!(wait("late", 80), wait("early", 2)) };
            tokio::select! {
                () = purgatory.run() => {}
                ((), ()) = all => {}
            }
        });
        assert_eq!(*ended.borrow(), ["early", "late"]);
        assert_eq!(purgatory.wheel.borrow().next_event(), None);
    }

    #[test]
    fn an_answered_request_cancels_its_timer() {
        let purgatory = Purgatory::default();
        let context = &mut Context::from_waker(Waker::noop());
        let mut fetch = purgatory.timer(Duration::from_secs(3600));
        assert!(Pin::new(&mut fetch).poll(context).is_pending());
        assert!(purgatory.wheel.borrow().next_event().is_some());
        drop(fetch);
        assert_eq!(purgatory.wheel.borrow().next_event(), None);

        let mut join = purgatory.timer(Duration::MAX);
        assert!(Pin::new(&mut join).poll(context).is_pending());
        assert_eq!(purgatory.wheel.borrow().next_event(), None);
    }
}
