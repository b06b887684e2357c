//! What a row held, and what is said of a line that is a row whatever it holds.

use super::line::{Line, RowVerdict};
use super::write;
use crate::verdict::Fingerprint;

/// What a row held.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    Event(Fingerprint),
    /// More of the event of this row.
    Continues(u64),
    /// No event, and why.
    Nothing(&'static str),
}

impl Default for Held {
    fn default() -> Self {
        Held::Nothing("the row is blank")
    }
}

impl Held {
    pub(super) fn write(self, row: &RowVerdict<'_>, out: &mut Vec<u8>) {
        match self {
            Held::Continues(continues) => write(
                out,
                &Line::Continues {
                    row: row.row,
                    continues,
                },
            ),
            Held::Event(_) | Held::Nothing(_) => write(out, row),
        }
    }
}

/// What is said of a line, of what it held the strangest.
#[derive(Debug, Default)]
pub(super) struct LineRow {
    /// Some of the line has come, and its end has not.
    pub(super) begun: bool,
    pub(super) rows: u32,
    anomaly: bool,
    surprise: f64,
    pub(super) held: Held,
    /// As it is written.
    pub(super) said: Vec<u8>,
}

impl LineRow {
    pub(super) fn take(&mut self, row: &RowVerdict<'_>, held: Held) {
        self.rows += 1;
        if self.rows > 1 && (row.anomaly, row.surprise) <= (self.anomaly, self.surprise) {
            return;
        }
        self.anomaly = row.anomaly;
        self.surprise = row.surprise;
        self.held = held;
        self.said.clear();
        held.write(row, &mut self.said);
    }
}
