//! Conversations with clients that track.
