//! What a reader sees of a configuration: `minilb why`.
//!
//! | module | what it is |
//! |---|---|
//! | [`why`] | a burst of the same request, in a proxy that has just started |

pub mod why;
