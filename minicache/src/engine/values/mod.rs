//! The five value types.
