//! Single-flight: one load of a key at a time, whose result all readers share.
//!
//! ```text
//! reader 1  join "user:7"   leads, and loads
//! reader 2  join "user:7"   waits for the flight
//! reader 1  land "Ada"      both have "Ada"; a third reader finds it in the store
//! ```
//!
//! **What if the leader is canceled, or panics?** Dropping [`Lead`] lands the flight without a
//! result, and each waiting reader starts over: one of them leads.
//!
//! **What if the key is invalidated while it is loaded?** Readers that come later must not get
//! what the leader read before. [`Flights::abandon`] and [`Lead::close`] end a flight for them;
//! those that wait already started before the invalidation did, or get no result.
//!
//! The counterpart is Go's `singleflight`; Redis has none, because it does not load anything.

use super::Loaded;
use minikit::sync::{Arc, Mutex};
use std::collections::HashMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// The loads in progress, by key.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<Vec<u8>, Arc<Flight>>>);

/// A load in progress.
#[derive(Default)]
pub struct Flight(Mutex<State>);

#[derive(Default)]
struct State {
    /// `Some(None)`: it ended without a result that waiting readers may have.
    landed: Option<Option<Loaded>>,
    waiting: Vec<Waker>,
}

impl Flights {
    /// Leads a new flight, or returns the one in progress.
    pub fn join(&self, key: &[u8]) -> Result<Lead<'_>, Arc<Flight>> {
        let mut flights = self.0.lock();
        if let Some(flight) = flights.get(key) {
            return Err(Arc::clone(flight));
        }
        let flight = Arc::<Flight>::default();
        flights.insert(key.to_vec(), Arc::clone(&flight));
        Ok(Lead { flights: self, key: key.to_vec(), flight })
    }

    /// Ends the flight of a key for readers that have not joined it yet.
    pub fn abandon(&self, key: &[u8]) {
        self.0.lock().remove(key);
    }
}

impl Flight {
    /// Waits for the result; `None` if there is none and the reader must look again.
    pub async fn landed(&self) -> Option<Loaded> {
        let poll = poll_fn(|context| {
            let mut state = self.0.lock();
            if let Some(landed) = &state.landed {
                return Poll::Ready(landed.clone());
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        });
        poll.await
    }

    fn land(&self, result: Option<Loaded>) {
        let mut state = self.0.lock();
        state.landed.get_or_insert(result);
        let waiting = std::mem::take(&mut state.waiting);
        // The readers that wake up take this lock.
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// The duty to land a flight. Dropping it lands the flight without a result.
pub struct Lead<'a> {
    flights: &'a Flights,
    key: Vec<u8>,
    flight: Arc<Flight>,
}

impl Lead<'_> {
    /// Lets no further reader join.
    pub fn close(&self) {
        let mut flights = self.flights.0.lock();
        // After an invalidation another flight of this key may have begun.
        if flights.get(&self.key).is_some_and(|it| Arc::ptr_eq(it, &self.flight)) {
            flights.remove(&self.key);
        }
    }

    /// Gives the result to the waiting readers; with `None` they look again.
    pub fn land(self, result: Option<Loaded>) {
        self.close();
        self.flight.land(result);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.close();
        self.flight.land(None);
    }
}
