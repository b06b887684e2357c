//! The verdict on a request as text. Writing two numbers in full precision takes longer than scoring the request, and
//! the same numbers come again and again: durations are compared by bins.

use std::fmt::Write as _;

use watchpost_detector::{RowVerdict, State, Verdict};

/// Texts that are kept.
const KEPT: usize = 1024;

/// The texts of the verdicts that came last.
#[derive(Default)]
pub(crate) struct Lines {
    kept: Vec<Kept>,
    line: String,
}

#[derive(Default, Clone)]
struct Kept {
    surprise: u64,
    state: Option<State>,
    /// From the score on.
    rest: String,
}

impl Lines {
    /// The line of a verdict, as the detector itself writes it, and the score in it.
    pub(crate) fn of(&mut self, row: u64, verdict: &Verdict) -> (&str, &str) {
        if self.kept.is_empty() {
            self.kept.resize(KEPT, Kept::default());
        }
        let surprise = verdict.surprise.to_bits();
        // The high bits of a product depend on all bits of its factors (Fibonacci hashing, Knuth 1973).
        let place = (surprise.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % KEPT;
        self.line.clear();
        let Some(kept) = self.kept.get_mut(place) else {
            return ("", "");
        };
        if kept.surprise != surprise || kept.state != Some(verdict.state) {
            let whole = serde_json::to_string(&RowVerdict::new(row, verdict)).unwrap_or_default();
            let from = whole.find(",\"score\":").unwrap_or(0);
            kept.rest.clear();
            kept.rest.push_str(whole.get(from..).unwrap_or_default());
            kept.surprise = surprise;
            kept.state = Some(verdict.state);
        }
        // Writing to a string cannot fail.
        let _ = write!(self.line, "{{\"row\":{row}{}", kept.rest);
        let score = kept
            .rest
            .strip_prefix(",\"score\":")
            .and_then(|rest| rest.split(',').next());
        (&self.line, score.unwrap_or("0"))
    }
}
