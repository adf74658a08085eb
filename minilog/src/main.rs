//! The program: its command line, and nothing else.

fn main() {}
