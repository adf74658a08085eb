//! Kafka's protocol: requests and responses as values, decoded and encoded without I/O.
