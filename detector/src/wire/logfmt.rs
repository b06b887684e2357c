//! `key=value` pairs.
