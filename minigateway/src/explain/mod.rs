//! Explains in words what a configuration does: `minigateway why`.
//!
//! | module | what it is |
//! |---|---|
//! | [`why`] | explains a burst of equal requests to a gateway that has just started |

pub mod why;
