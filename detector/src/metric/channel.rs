//! One way of looking at a metric: a deviation, its usual spread, and how often it was reached.

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::threshold::{PRIOR_EVENTS, Tail, about_deviation, of_deviation};

/// The ways of looking at a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// This value against its forecast.
    Point,
    /// The last ten values against the last hundred.
    Shift,
    /// The last half hour against the same time of the days before.
    Drift,
    /// How long the value has not changed.
    Stuck,
    /// This value against the level of the last hundred, added up over the last values.
    Lasting,
    /// How far the last values are apart, against how far they usually are.
    Variance,
    /// The shape of the last values against every shape that was seen.
    Shape,
}

impl Look {
    pub(super) const ALL: [Look; 7] = [
        Look::Point,
        Look::Shift,
        Look::Drift,
        Look::Stuck,
        Look::Lasting,
        Look::Variance,
        Look::Shape,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Look::Point => "point",
            Look::Shift => "shift",
            Look::Drift => "drift",
            Look::Stuck => "stuck",
            Look::Lasting => "lasting",
            Look::Variance => "variance",
            Look::Shape => "shape",
        }
    }
}

/// The deviation of one look, in units of its own spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Channel {
    /// Usual size of the deviation.
    pub(super) spread: f64,
    seen: f64,
    /// The spread forgets with this many deviations.
    memory: f64,
    pub(super) tail: Tail,
}

/// What a larger deviation counts as when the spread is learned, in spreads.
const REACH: f64 = 4.0;

impl Channel {
    pub(super) fn new(memory: f64, steepest: f32) -> Self {
        Channel {
            spread: 0.0,
            seen: 0.0,
            memory,
            tail: Tail::new(steepest, PRIOR_EVENTS),
        }
    }

    /// Nominal surprise of a deviation. The spread is never taken to be less than `floor`: a spread of zero
    /// would make every change infinitely strange.
    pub(super) fn nominal(&self, deviation: f64, floor: f64) -> f64 {
        let spread = self.spread.at_least(floor);
        if deviation == 0.0 {
            0.0
        } else if spread > 0.0 {
            of_deviation((deviation / spread).abs().at_most(1e6))
        } else {
            // It never deviated at all: who asks has to bound what that is worth.
            of_deviation(1e6)
        }
    }

    /// The nominal surprise of a deviation that is not zero, and the share of deviations that reach it where it is less
    /// than `least`. Most are common by far: these are told by about how far they are, and their nominal surprise is one
    /// that is learned as the same.
    pub(super) fn reached_below(&self, deviation: f64, floor: f64, least: f64) -> (f64, Option<f64>) {
        let spread = self.spread.at_least(floor);
        if spread > 0.0
            && let Some(nominal) = about_deviation((deviation / spread).abs().at_most(1e6))
            && self.tail.is_common(nominal, least)
        {
            return (nominal, None);
        }
        let nominal = self.nominal(deviation, floor);
        (nominal, self.tail.reached_below(nominal, least))
    }

    /// The size of the deviation at which the nominal surprise is reached.
    pub(super) fn deviation_at(&self, nominal: f64, floor: f64) -> f64 {
        2.0 * ((libm::pow(10.0, nominal / 2.0) - 1.0).at_least(0.0)).sqrt() * self.spread.at_least(floor)
    }

    /// Learns a deviation; one that is not independent of the one before carries less `weight`.
    pub(super) fn learn(&mut self, deviation: f64, floor: f64, weight: f64) {
        self.learn_read(deviation, self.nominal(deviation, floor), floor, weight);
    }

    /// The same, where the nominal surprise was asked for before.
    pub(super) fn learn_read(&mut self, deviation: f64, nominal: f64, floor: f64, weight: f64) {
        // The first deviation of all has no spread to be measured in.
        if deviation == 0.0 || self.spread.at_least(floor) > 0.0 {
            self.tail.learn(nominal, weight);
        }
        self.seen += weight;
        let size = deviation.abs();
        // A deviation is bounded before it is learned, but a spread that starts from zero has to begin somewhere.
        let bounded = if self.seen > 8.0 * weight {
            size.at_most(REACH * self.spread.at_least(floor))
        } else {
            size
        };
        let rate = (weight / self.seen).at_least(weight / self.memory).at_most(1.0);
        self.spread += rate * (bounded - self.spread);
    }
}
