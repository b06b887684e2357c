//! What the next value should be, from several simple forecasts of which the one that errs least is believed.

use serde::{Deserialize, Serialize};

use super::season::Season;
pub(super) use super::season::TimeOfDay;
use crate::event::Timestamp;
use crate::number::Bounded;
use crate::threshold::within;

/// A range that is expected, mostly a single value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Forecast {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Forecast {
    fn exactly(value: f64) -> Self {
        Forecast {
            low: value,
            high: value,
        }
    }

    fn above(&self, offset: f64) -> Self {
        Forecast {
            low: self.low + offset,
            high: self.high + offset,
        }
    }

    /// The expected value that is nearest to what was seen.
    pub(super) fn nearest(&self, value: f64) -> f64 {
        value.at_least(self.low).at_most(self.high)
    }
}

const FORECASTERS: usize = 5;
const FAST: usize = 0;
const SLOW: usize = 1;
const TREND: usize = 2;
const SEASON: usize = 3;
const SEASON_TREND: usize = 4;

/// Exponential smoothing of the level at two speeds, with a damped trend (Holt 1957; Gardner & McKenzie 1985),
/// and the season. Nobody says which one fits a metric: each is tried on every value,
/// and the one with the least recent error forecasts the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Forecasters {
    fast: f64,
    slow: f64,
    trend: Trend,
    /// How far the values are above what the season calls usual: a slow level, and a level with a trend.
    offset: f64,
    above: Trend,
    pub(super) season: Season,
    /// Recent mean absolute error of each; negative while it has made no forecast.
    errors: [f64; FORECASTERS],
}

const FAST_RATE: f64 = 0.4;
const SLOW_RATE: f64 = 0.08;
const TREND_RATE: f64 = 0.05;
const TREND_LEVEL_RATE: f64 = 0.3;
const DAMPING: f64 = 0.9;
/// A season that explains a metric is believed when others are about as good: where little changes, as at night, they
/// are, and a morning that does not come is seen by the season alone.
const PREFERRED: f64 = 0.65;
/// Errors are remembered for about so many values.
const ERROR_MEMORY: f64 = 128.0;

impl Forecasters {
    pub(super) fn new(first: f64) -> Self {
        Forecasters {
            fast: first,
            slow: first,
            trend: Trend::at(first),
            offset: 0.0,
            above: Trend::at(0.0),
            season: Season::default(),
            errors: [-1.0; FORECASTERS],
        }
    }

    /// The forecast of the best forecaster.
    pub(super) fn forecast(&self, range: Option<Forecast>) -> Forecast {
        let mut best = (f64::INFINITY, Forecast::exactly(self.fast));
        let mut errors = self.errors;
        if self.season.explains() {
            errors[SEASON] *= PREFERRED;
        }
        for (error, forecast) in errors.into_iter().zip(self.all(range)) {
            if let Some(forecast) = forecast
                && error >= 0.0
                && error < best.0
            {
                best = (error, forecast);
            }
        }
        best.1
    }

    fn all(&self, range: Option<Forecast>) -> [Option<Forecast>; FORECASTERS] {
        let mut all = [None; FORECASTERS];
        all[FAST] = Some(Forecast::exactly(self.fast));
        all[SLOW] = Some(Forecast::exactly(self.slow));
        all[TREND] = Some(Forecast::exactly(self.trend.next()));
        all[SEASON] = range.map(|range| range.above(self.offset));
        all[SEASON_TREND] = range.map(|range| range.above(self.above.next()));
        all
    }

    /// Learns a value that came `seconds` after the last one. The value is brought to within `reach` of each
    /// forecast first, so that one outlier does not carry the level away; `weight` below 1 learns less.
    /// `range` is that of the season at this time.
    pub(super) fn learn(
        &mut self,
        at: &TimeOfDay,
        range: Option<Forecast>,
        seconds: f64,
        value: f64,
        reach: f64,
        weight: f64,
    ) {
        let all = self.all(range);
        for (error, forecast) in self.errors.iter_mut().zip(all) {
            if let Some(forecast) = forecast {
                let now = (value - forecast.nearest(value)).abs().at_most(reach);
                if *error < 0.0 {
                    *error = now;
                } else {
                    *error += weight / ERROR_MEMORY * (now - *error);
                }
            }
        }
        let toward = |from: f64| within(value - from, -reach, reach);
        self.fast += weight * FAST_RATE * toward(self.fast);
        self.slow += weight * SLOW_RATE * toward(self.slow);
        self.trend.learn(toward(self.trend.next()), weight);
        if let Some(usual) = self.season.usual(at) {
            let share = seconds / (self.season.follow() + seconds);
            self.offset += weight * share * toward(usual + self.offset);
            self.above.learn(toward(usual + self.above.next()), weight);
        }
        let before = (self.season.shape(), self.season.explains());
        self.season.learn(at, seconds, value, weight);
        if (self.season.shape(), self.season.explains()) != before {
            // What another season calls usual may be elsewhere as a whole.
            self.start_above(at, value);
        }
    }

    /// A new level is accepted: everything but the shape of the season starts again from here.
    pub(super) fn restart(&mut self, time: Timestamp, value: f64) {
        self.fast = value;
        self.slow = value;
        self.trend = Trend::at(value);
        self.start_above(&TimeOfDay::of(time), value);
    }

    fn start_above(&mut self, at: &TimeOfDay, value: f64) {
        self.offset = self.season.usual(at).map_or(0.0, |usual| value - usual);
        self.above = Trend::at(self.offset);
    }
}

/// A level with a damped trend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Trend {
    level: f64,
    slope: f64,
}

impl Trend {
    fn at(level: f64) -> Self {
        Trend { level, slope: 0.0 }
    }

    fn next(&self) -> f64 {
        self.level + DAMPING * self.slope
    }

    /// Learns how far a value was from the next one that was expected.
    fn learn(&mut self, away: f64, weight: f64) {
        self.level = self.next() + weight * TREND_LEVEL_RATE * away;
        self.slope = DAMPING * self.slope + weight * TREND_RATE * away;
    }
}
