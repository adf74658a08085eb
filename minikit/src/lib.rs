//! What all the engines stand on.
