//! Random choice, and the better one of two random choices.
//!
//! # Why two?
//!
//! The server with the fewest connections is the best choice, if the numbers are right. With many
//! load balancers, or with numbers that are a moment old, all of them choose the same server at
//! once ("herding"). Comparing two random ones needs no look at all servers, never herds, and comes
//! close:
//!
//! ```text
//! 1,000 connections to 100 servers     most on one server
//! one random choice                    about 21
//! the better of two                    about 12
//! the least loaded                     10
//! ```
//!
//! Servers are drawn by their weight. `random two` compares connections per weight, as `least_conn`
//! does, and `random two least_time=header` the [time](super::least_time) that requests take.
//!
//! Paper: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001. NGINX
//! counterpart: `ngx_http_upstream_get_random_peer` and `…_random2_peer`
//! (`ngx_http_upstream_random_module.c`).

use super::balancer::{Balancer, Choice, STEPS_MAX, by_weight};
use super::least_time::{load, lowest};
use super::round_robin::RoundRobin;
use crate::engine::peer::Peer;

/// The balancer of the directive `random`.
#[derive(Debug)]
pub struct Random {
    /// `random two`: what the two are compared by.
    pub two: Option<Compare>,
}

/// What `random two` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Connections per weight, as `least_conn` does.
    Connections,
    /// The time of the open requests, as [`least_time`](super::least_time) does.
    Time,
}

impl Balancer for Random {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        if peers.len() < 2 || choice.walk.steps > STEPS_MAX {
            return RoundRobin.pick(peers, choice);
        }
        let drawn = draw(peers, choice, None).and_then(|first| match self.two {
            None => Some(first),
            Some(compare) => {
                let second = draw(peers, choice, Some(first))?;
                Some(match compare {
                    Compare::Connections => less_loaded(peers, first, second),
                    Compare::Time => faster(peers, first, second, choice.now_ms),
                })
            }
        });
        drawn.or_else(|| RoundRobin.pick(peers, choice))
    }

    fn explain(&self, peers: &[Peer], choice: &mut Choice<'_>) -> Option<String> {
        let first = draw(peers, choice, None).filter(|_| self.two.is_some())?;
        let second = draw(peers, choice, Some(first))?;
        Some(format!("drawn were {} and {}", peers[first].address, peers[second].address))
    }
}

/// Draws a candidate that is not `other`. Returns `None` after too many that cannot be used.
fn draw(peers: &[Peer], choice: &mut Choice<'_>, other: Option<usize>) -> Option<usize> {
    loop {
        let index = by_weight(peers, choice.walk.next_random());
        if other != Some(index) && choice.is_candidate(&peers[index]) {
            return Some(index);
        }
        if !choice.may_step() {
            return None;
        }
    }
}

/// Of two peers, the one with fewer connections per weight; the second one if they are equal.
fn less_loaded(peers: &[Peer], first: usize, second: usize) -> usize {
    let load = |one: usize, other: usize| i64::from(peers[one].conns) * peers[other].params.weight;
    if load(second, first) > load(first, second) { first } else { second }
}

/// Of two peers, the one whose requests take less time; the second one if they are equal.
fn faster(peers: &[Peer], first: usize, second: usize, now_ms: u64) -> usize {
    let unknown = lowest([&peers[first], &peers[second]].into_iter(), now_ms);
    let load = |index: usize| load(&peers[index], unknown, now_ms);
    if load(second) > load(first) { first } else { second }
}
