//! A forest that follows the deviations of a row's metrics, calibrated on its own past.

use serde::{Deserialize, Serialize};

use crate::event::Finite;
use crate::forest::{MOST_ONLINE_FEATURES, OnlineForest, OnlineOptions};
use crate::metric::channel::Channel;
use crate::number::Bounded;
use crate::threshold::within;

/// The forest of one row of metrics, and what its scores usually are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Following {
    forest: OnlineForest,
    /// The usual score, and how far scores are from it.
    level: f64,
    seen: f64,
    above: Channel,
}

/// What one row looks like to the forest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::metric) struct Sight {
    pub(in crate::metric) surprise: f64,
    /// The score as it is.
    score: f64,
}

const MEMORY: f64 = 512.0;
/// How much faster than assumed the measured tail of scores may fall.
const STEEPEST: f32 = 4.0;
/// Scores wander by so much because trees are random.
const FLOOR: f64 = 0.005;
/// From so many scores on it is known what is usual.
const FIRST_SCORES: f64 = 64.0;
/// A score can be so many decades stranger than there were scores to tell.
const MOST_BEYOND: f64 = 2.0;

impl Following {
    pub(super) fn new(metrics: usize) -> Self {
        Following {
            forest: OnlineForest::new(
                u16::try_from(metrics).unwrap_or(MOST_ONLINE_FEATURES),
                OnlineOptions::default(),
            ),
            level: 0.0,
            seen: 0.0,
            above: Channel::new(MEMORY, STEEPEST),
        }
    }

    /// What a row of deviations looks like; `None` before the forest has grown and knows what is usual.
    pub(super) fn read(&self, deviations: &[Finite]) -> Option<Sight> {
        let score = self.forest.score(deviations)?;
        let surprise = if self.seen < FIRST_SCORES {
            0.0
        } else {
            let known = libm::log10(self.seen + 1.0);
            let nominal = self.above.nominal((score - self.level).at_least(0.0), FLOOR);
            self.above.tail.surprise(nominal).at_most(known + MOST_BEYOND)
        };
        Some(Sight { surprise, score })
    }

    /// By how much the score would fall without the deviation of each metric.
    pub(super) fn influences(&self, deviations: &[Finite]) -> Vec<f64> {
        self.forest.influences(deviations)
    }

    /// Learns the row of which `sight` was read.
    pub(super) fn learn(&mut self, deviations: &[Finite], sight: Option<&Sight>, weight: f64) {
        if deviations.len() != usize::from(self.forest.width()) {
            // The forest is younger than the row.
            return;
        }
        if let Some(sight) = sight {
            self.seen += weight;
            let rate = (weight / self.seen.at_least(weight)).at_least(weight / MEMORY);
            if self.seen > FIRST_SCORES / 2.0 {
                self.above
                    .learn((sight.score - self.level).at_least(0.0), FLOOR, weight);
            }
            let reach = if self.seen > FIRST_SCORES / 2.0 {
                4.0 * self.above.spread.at_least(FLOOR)
            } else {
                1.0
            };
            self.level += rate * within(sight.score - self.level, -reach, reach);
        }
        self.forest.learn(deviations, weight);
    }
}

#[cfg(test)]
mod tests {
    use super::super::FOREST_COUNTS_AS;
    use super::*;

    /// Independent deviations around 0, the same in every run.
    fn row(state: &mut u64, metrics: usize) -> Vec<Finite> {
        let mut next = || {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (*state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        (0..metrics)
            .filter_map(|_| Finite::new(4.0 * (next() + next() + next())))
            .collect()
    }

    #[test]
    fn surprise_is_calibrated_and_finds_what_is_strange_together() {
        let (mut together, mut state) = (Following::new(8), 1);
        let (mut rows, mut reached) = (0.0, [0.0; 3]);
        for n in 0..12_000 {
            let row = row(&mut state, 8);
            let sight = together.read(&row);
            if let Some(sight) = sight
                && n >= 2_000
            {
                rows += 1.0;
                for (decades, reached) in (1..).zip(&mut reached) {
                    *reached += f64::from(u8::from(sight.surprise >= f64::from(decades)));
                }
            }
            together.learn(&row, sight.as_ref(), 1.0);
        }
        for (reached, share) in reached.iter().zip([0.1, 0.01, 0.001]) {
            let measured = reached / rows;
            assert!((share * 0.4..share * 2.5).contains(&measured), "{measured} for {share}");
        }
        // No metric is beyond what was seen of it, but all are at their ends.
        let strange: Vec<_> = [4.0; 8].into_iter().filter_map(Finite::new).collect();
        let sight = together.read(&strange).unwrap();
        assert!(sight.surprise > 2.5, "{sight:?}");
        assert!(together.influences(&strange).iter().all(|influence| *influence > 0.0));
    }

    #[test]
    fn a_forest_needs_no_more_memory_than_the_metrics_that_it_counts_as() {
        let (mut together, mut state) = (Following::new(40), 1);
        for _ in 0..6_000 {
            let row = row(&mut state, 40);
            together.learn(&row, None, 1.0);
        }
        let bytes = together.forest.bytes();
        println!("{bytes} bytes");
        assert!(bytes < FOREST_COUNTS_AS * 6_500 + 40 * 256, "{bytes}");
    }
}
