//! What a configuration does, in words: `minigateway why`.
//!
//! | module | what it is |
//! |---|---|
//! | [`why`] | a burst of the same request, in a gateway that has just started |

pub mod why;
