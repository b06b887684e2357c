//! How new a kind of line is.

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::threshold::ALIKE;

/// How often a line is the first of its kind.
///
/// The probability that the next line is of a kind that was never seen is about the share of lines that were the first
/// of their kind (Good 1953, after Turing). It is measured over all lines and over the last ones, and the greater share
/// counts: at the start, and after a deploy, everything is new, and the first of many new kinds is all the news.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Novelty {
    lines: f64,
    first: f64,
    /// The share among the last lines.
    lately: f64,
}

/// Lines that are remembered; then they all count half.
const MEMORY: f64 = 1e6;
/// How many lines the last ones are.
const LATELY: f64 = 32.0;

impl Novelty {
    pub(crate) fn new() -> Self {
        Novelty {
            lines: 0.0,
            first: 0.0,
            lately: 1.0,
        }
    }

    /// How surprising it is that the next line is of a new kind. Lines come in groups that are alike, of which the
    /// budget of false alarms takes each for one chance of an alarm: a line of a new kind is a group of its own.
    pub(crate) fn nominal(&self) -> f64 {
        let share = (self.first + 1.0) / (self.lines + 1.0);
        0.0 - libm::log10((ALIKE * share.at_least(self.lately)).at_most(1.0))
    }

    pub(crate) fn learn(&mut self, new: bool) {
        let first = f64::from(u8::from(new));
        self.lines += 1.0;
        self.first += first;
        self.lately += (first - self.lately) * (1.0 / self.lines).at_least(1.0 / LATELY);
        if self.lines > MEMORY {
            self.lines *= 0.5;
            self.first *= 0.5;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_news_once() {
        let mut novelty = Novelty::new();
        assert_eq!(novelty.nominal(), 0.0);
        for _ in 0..10_000 {
            novelty.learn(false);
        }
        // A kind that was never seen, after ten thousand lines.
        assert!(novelty.nominal() > 2.5, "{}", novelty.nominal());
        // A deploy brings thirty more.
        for n in 0..30 {
            novelty.learn(true);
            assert!(novelty.nominal() < 0.6, "{n}: {}", novelty.nominal());
        }
        assert!(novelty.nominal() < 0.3);
        for _ in 0..1_000 {
            novelty.learn(false);
        }
        // It has had new kinds before, so that another is less of a surprise.
        assert!((1.0..2.0).contains(&novelty.nominal()), "{}", novelty.nominal());
    }
}
