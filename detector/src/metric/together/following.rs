//! A model that follows the deviations of a row's metrics, calibrated on its own past.

use serde::{Deserialize, Serialize};

use crate::event::Finite;
use crate::footprint;
use crate::joint::{Joint, JointModel};
use crate::metric::channel::Channel;
use crate::number::Bounded;
use crate::threshold::within;

/// The model of one row of metrics, and what its scores usually are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Following {
    joint: Joint,
    /// The usual score, and how far scores are from it.
    level: f64,
    seen: f64,
    above: Channel,
}

/// What one row looks like to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sight {
    pub(super) surprise: f64,
    /// The score as it is.
    score: f64,
}

/// All that is random comes from here.
const SEED: u64 = 0;
const MEMORY: f64 = 512.0;
/// How much faster than assumed the measured tail of scores may fall.
const STEEPEST: f32 = 4.0;
/// Scores wander by such a share of what is usual because models are random, and by so much where nothing is usual.
const SHARE: f64 = 0.01;
const FLOOR: f64 = 0.005;
/// From so many scores on it is known what is usual.
const FIRST_SCORES: f64 = 64.0;
/// What a farther score counts as when it is learned, in usual ones.
const REACH: f64 = 4.0;
/// A score can be so many decades stranger than there were scores to tell.
const MOST_BEYOND: f64 = 2.0;
/// What is known of the scores needs so many bytes at most.
const BYTES: usize = 1_000;

/// So many metrics need the memory that a model of so many metrics does at most.
pub(super) fn counts_as(model: JointModel, metrics: usize) -> usize {
    (model.most_bytes(metrics) + BYTES).div_ceil(footprint::USUAL_METRIC)
}

impl Following {
    pub(super) fn new(model: JointModel, metrics: usize) -> Self {
        Following {
            joint: Joint::new(model, metrics, SEED),
            level: 0.0,
            seen: 0.0,
            above: Channel::new(MEMORY, STEEPEST),
        }
    }

    pub(super) fn model(&self) -> JointModel {
        self.joint.model()
    }

    /// What a row of deviations looks like; `None` before the model knows enough.
    pub(super) fn read(&self, deviations: &[Finite]) -> Option<Sight> {
        let score = self.joint.score(deviations)?;
        let surprise = if self.seen < FIRST_SCORES {
            0.0
        } else {
            let known = libm::log10(self.seen + 1.0);
            let nominal = self.above.nominal((score - self.level).at_least(0.0), self.floor());
            self.above.tail.surprise(nominal).at_most(known + MOST_BEYOND)
        };
        Some(Sight { surprise, score })
    }

    /// How much each metric has to do with the score, in units that compare within a row only.
    pub(super) fn parts(&self, deviations: &[Finite]) -> Vec<f64> {
        self.joint.parts(deviations)
    }

    /// Learns the row of which `sight` was read.
    pub(super) fn learn(&mut self, deviations: &[Finite], sight: Option<&Sight>, weight: f64) {
        if let Some(sight) = sight {
            self.seen += weight;
            let rate = (weight / self.seen.at_least(weight)).at_least(weight / MEMORY);
            let (floor, known) = (self.floor(), self.seen > FIRST_SCORES / 2.0);
            if known {
                self.above
                    .learn((sight.score - self.level).at_least(0.0), floor, weight);
            }
            let reach = if known {
                REACH * self.above.spread.at_least(floor)
            } else {
                f64::INFINITY
            };
            self.level += rate * within(sight.score - self.level, -reach, reach);
        }
        self.joint.learn(deviations, weight);
    }

    fn floor(&self) -> f64 {
        (SHARE * self.level).at_least(FLOOR)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Noise around 0, the same in every run.
    fn noise(state: &mut u64) -> f64 {
        let mut sum = -6.0;
        for _ in 0..3 {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += 4.0 * (*state >> 11) as f64 / (1u64 << 53) as f64;
        }
        sum
    }

    /// Deviations of which the later half follows the first.
    pub(in super::super) fn row(state: &mut u64, metrics: usize) -> Vec<Finite> {
        let mut values: Vec<f64> = (0..metrics / 2).map(|_| noise(state)).collect();
        for metric in metrics / 2..metrics {
            let followed = values.get(metric - metrics / 2).copied().unwrap_or_default();
            values.push(followed + 0.2 * noise(state));
        }
        values.into_iter().filter_map(Finite::new).collect()
    }

    #[test]
    fn surprise_is_reached_no_more_often_than_it_says() {
        for model in JointModel::ALL {
            let (mut following, mut state) = (Following::new(model, 8), 1);
            let (mut rows, mut reached) = (0.0, [0.0; 3]);
            for n in 0..10_000 {
                let row = row(&mut state, 8);
                let sight = following.read(&row);
                if let Some(sight) = sight
                    && n >= 2_000
                {
                    rows += 1.0;
                    for (decades, reached) in (1..).zip(&mut reached) {
                        *reached += f64::from(u8::from(sight.surprise >= f64::from(decades)));
                    }
                }
                following.learn(&row, sight.as_ref(), 1.0);
            }
            let shares = reached.map(|reached| reached / rows);
            println!("{model:?}: {shares:?}");
            // A model that gets better with what it has seen is less often strange than it was: only more would be wrong.
            for (measured, most) in shares.iter().zip([0.25, 0.025, 0.003]) {
                assert!(*measured < most, "{model:?}: {shares:?}");
            }
        }
    }
}
