//! How far a row is from others, calibrated on how far rows usually are.

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::threshold::{PRIOR_EVENTS, Tail, within};

/// What distances usually are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Evidence {
    seen: f64,
    /// The usual logarithm of a distance, and by how much the larger ones exceed it.
    usual: f64,
    excess: f64,
    tail: Tail,
}

/// Distances are remembered for about as long as the rows that they are measured from.
const MEMORY: f64 = 65_536.0;
/// From so many distances on it is known what is usual.
const FIRST: f64 = 64.0;
/// Distances wander by so much because the rows that are kept are random ones.
const LEAST_EXCESS: f64 = 0.02;
/// What a greater excess counts as when it is learned, in usual ones.
const REACH: f64 = 6.0;
/// How much faster than assumed the measured tail may fall.
const STEEPEST: f32 = 4.0;
const LN_10: f64 = std::f64::consts::LN_10;

impl Evidence {
    pub(super) fn new() -> Self {
        Evidence {
            seen: 0.0,
            usual: 0.0,
            excess: 0.0,
            tail: Tail::new(STEEPEST, PRIOR_EVENTS),
        }
    }

    /// The surprise of a distance, which is told up to `beyond` decades more than there were distances to tell.
    pub(super) fn surprise(&self, distance: f64, beyond: f64) -> f64 {
        if self.seen < FIRST {
            return 0.0;
        }
        let nominal = self.nominal(distance);
        let known = libm::log10(self.seen + 1.0);
        self.tail.surprise(nominal).at_most(known + beyond)
    }

    pub(super) fn learn(&mut self, distance: f64, weight: f64) {
        self.seen += weight;
        let rate = (weight / self.seen.at_least(weight)).at_least(weight / MEMORY);
        if self.seen > FIRST / 2.0 {
            self.tail.learn(self.nominal(distance), weight);
        }
        let reach = if self.seen > FIRST / 2.0 {
            REACH * self.excess.at_least(LEAST_EXCESS)
        } else {
            f64::INFINITY
        };
        let from_usual = within(distance - self.usual, -reach, reach);
        // The mean excess is over those that exceed, about half of all.
        if from_usual > 0.0 {
            self.excess += 2.0 * rate.at_most(0.5) * (from_usual - self.excess);
        }
        self.usual += rate * from_usual;
    }

    /// As if excesses were exponential: distances fall off as a power does.
    fn nominal(&self, distance: f64) -> f64 {
        (distance - self.usual).at_least(0.0) / (self.excess.at_least(LEAST_EXCESS) * LN_10)
    }
}
