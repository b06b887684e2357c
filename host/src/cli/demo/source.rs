//! Where the events of a demonstration come from: the simulated shop, or the recorded one.

use std::io::{self, BufRead};

use watchpost::recording::{self, Truth};
use watchpost::simulate::{Plan, Simulation};

/// Lines of NDJSON, in the order of time, of which the first are history.
pub(super) trait Source {
    /// Whether what comes next is history.
    fn is_history(&self) -> bool;

    /// Appends some lines, or returns false at the end.
    fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool>;

    /// The part that has passed, from 0 to 1.
    fn progress(&self) -> f64;
}

/// The simulated shop, whose second day is scored.
pub(super) struct Shop {
    simulation: Simulation,
    tuesday: i64,
}

const DAY: i64 = 86_400;

impl Shop {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            tuesday: plan.start + DAY,
            simulation: Simulation::new(plan),
        }
    }
}

impl Source for Shop {
    fn is_history(&self) -> bool {
        self.simulation.now() < self.tuesday
    }

    fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        Ok(self.simulation.tick(bytes))
    }

    fn progress(&self) -> f64 {
        self.simulation.progress()
    }
}

/// The recording that is built in.
///
/// # Errors
/// When it cannot be unpacked.
pub(super) fn recorded(truth: &Truth) -> io::Result<impl Source> {
    Ok(Recorded {
        lines: recording::lines()?,
        passed: 0,
        history: truth.history_lines,
        all: truth.lines,
    })
}

struct Recorded<R> {
    lines: R,
    passed: u64,
    history: u64,
    all: u64,
}

/// So many lines are handed over at once.
const AT_ONCE: u64 = 500;

impl<R: BufRead> Source for Recorded<R> {
    fn is_history(&self) -> bool {
        self.passed < self.history
    }

    fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let until = if self.is_history() { self.history } else { u64::MAX };
        for n in 0..AT_ONCE.min(until - self.passed) {
            if self.lines.read_until(b'\n', bytes)? == 0 {
                return Ok(n > 0);
            }
            self.passed += 1;
        }
        Ok(true)
    }

    fn progress(&self) -> f64 {
        self.passed as f64 / self.all.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_ends_where_the_truth_says() {
        let truth = Truth::built_in().unwrap();
        let mut source = recorded(&truth).unwrap();
        let (mut history, mut all) = (0, 0);
        let mut bytes = Vec::new();
        loop {
            let is_history = source.is_history();
            bytes.clear();
            if !source.next(&mut bytes).unwrap() {
                break;
            }
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            all += lines;
            if is_history {
                history += lines;
            }
        }
        assert_eq!((history, all), (truth.history_lines, truth.lines));
    }
}
