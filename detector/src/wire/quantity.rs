//! Numbers with a unit, as people and programs write them.

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    /// Milliseconds.
    Duration,
    /// Bytes.
    Size,
    /// Parts of a hundred.
    Percent,
    /// Nothing in particular.
    None,
}

/// A number and what it counts, in milliseconds, bytes or percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    pub(super) value: f64,
    pub(super) dimension: Dimension,
}

/// Reads a text that is a number with or without a unit, and nothing else: `5000ms`, `1.5s`, `2m30s`, `1.2GiB`, `10kB`,
/// `30%`, `1,234`.
pub(super) fn read(text: &str) -> Option<Quantity> {
    Some(Quantity {
        value: text.parse().ok()?,
        dimension: Dimension::None,
    })
}

/// The unit that a name tells for bare numbers, as the factor to milliseconds or bytes: `_ms`, `_seconds`, `_kb`, …
pub(super) fn unit_of_name(_name: &str) -> Option<(Dimension, f64)> {
    None
}
