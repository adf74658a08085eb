//! Single-flight: one load of a key at a time, whose result all readers share.
//!
//! ```text
//! reader 1  join "user:7"   leads, and loads
//! reader 2  join "user:7"   waits for the flight
//! reader 1  land "Ada"      both have "Ada"; a third reader finds it in the store
//! ```
//!
//! If the leader is canceled or panics, dropping [`Lead`] lands the flight without a result, and
//! each waiting reader starts over: one of them leads. If the key is invalidated while it is
//! loaded, readers that come later must not get what the leader read before:
//! after [`Flights::close`] they do not join. Go's `singleflight` is the counterpart.

use super::Loaded;
use minikit::sync::{Arc, Mutex};
use std::collections::HashMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// The loads in progress, by key.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<Vec<u8>, Arc<Flight>>>);

/// A load in progress: its result, which is `Some(None)` if readers have to look again, and those
/// that wait for it.
#[derive(Default)]
pub struct Flight(Mutex<(Option<Option<Loaded>>, Vec<Waker>)>);

/// The duty to land a flight.
pub struct Lead<'a> {
    flights: &'a Flights,
    key: Vec<u8>,
    /// The flight.
    pub flight: Arc<Flight>,
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

    /// Lets no further reader join the flight of a key, if it is this one, or whichever it is.
    pub fn close(&self, key: &[u8], flight: Option<&Arc<Flight>>) {
        let mut flights = self.0.lock();
        let found = flights.get(key);
        if flight.is_none_or(|it| found.is_some_and(|found| Arc::ptr_eq(it, found))) {
            flights.remove(key);
        }
    }
}

impl Flight {
    /// Waits for the result; `None` if the reader must look again.
    pub async fn landed(&self) -> Option<Loaded> {
        let poll = poll_fn(|context| {
            let (result, waiting) = &mut *self.0.lock();
            if result.is_none() {
                waiting.push(context.waker().clone());
            }
            result.clone().map_or(Poll::Pending, Poll::Ready)
        });
        poll.await
    }
}

impl Lead<'_> {
    /// Gives the result to the waiting readers; with `None` they look again.
    pub fn land(&self, new: Option<Loaded>) {
        self.flights.close(&self.key, Some(&self.flight));
        let waiting = {
            let (result, waiting) = &mut *self.flight.0.lock();
            result.get_or_insert(new);
            std::mem::take(waiting)
        };
        // The readers take that lock.
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.land(None);
    }
}
