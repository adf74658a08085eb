//! Head-to-heads against the real servers.
fn main() {}
