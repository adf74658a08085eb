//! What a decision was made of, in words: for `minigateway why` and the header `X-Explain`.
//!
//! | module | what it is |
//! |---|---|
//! | [`arithmetic`] | one limit: its state and the comparison that decided |
//! | [`request`] | a request: its route, and each of its limits |
//! | [`why`] | a burst of the same request, in a gateway that has just started |

pub mod arithmetic;
pub mod request;
pub mod why;
