//! Finds out the format of an input from its first lines.

use super::{Format, MAX_LINE_BYTES};
use crate::scorer::Input;

/// Collects the start of an input until its format is clear.
#[derive(Debug)]
pub(super) struct Auto {
    input: Input,
    bytes: Vec<u8>,
}

/// A format, why it was chosen, and the bytes that have been read until then.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) format: Format,
    pub(super) input: Input,
    pub(super) bytes: Vec<u8>,
    reason: &'static str,
}

impl Found {
    pub(super) fn note(&self) -> String {
        format!("read as {:?}: {}", self.format, self.reason)
    }
}

impl Auto {
    pub(super) fn new(input: &Input) -> Self {
        Auto {
            input: input.clone(),
            bytes: Vec::new(),
        }
    }

    pub(super) fn read(&mut self, chunk: &[u8]) -> Option<Found> {
        self.bytes.extend_from_slice(chunk);
        (self.bytes.len() > MAX_LINE_BYTES).then(|| self.finish())
    }

    /// What can be told from the lines that have come so far; nothing when there is none.
    pub(super) fn flush(&mut self) -> Option<Found> {
        self.bytes.contains(&b'\n').then(|| self.finish())
    }

    pub(super) fn finish(&mut self) -> Found {
        let format = Format::Text;
        Found {
            format,
            input: Input { format, ..self.input.clone() },
            bytes: std::mem::take(&mut self.bytes),
            reason: "it fits nothing else",
        }
    }
}
