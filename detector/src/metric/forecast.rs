//! What the next value should be, from several simple forecasts of which the one that errs least is believed.

use serde::{Deserialize, Serialize};

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

    /// The expected value that is nearest to what was seen.
    pub(super) fn nearest(&self, value: f64) -> f64 {
        value.at_least(self.low).at_most(self.high)
    }
}

const FORECASTERS: usize = 4;
const FAST: usize = 0;
const SLOW: usize = 1;
const TREND: usize = 2;
const SEASON: usize = 3;

/// Exponential smoothing of the level at two speeds, with a damped trend (Holt 1957; Gardner & McKenzie 1985),
/// and the same time of the days before. Nobody says which one fits a metric: each is tried on every value,
/// and the one with the least recent error forecasts the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Forecasters {
    fast: f64,
    slow: f64,
    trend_level: f64,
    trend: f64,
    /// How far today is above the same times of the days before.
    offset: f64,
    pub(super) season: Season,
    /// Recent mean absolute error of each; negative while it has made no forecast.
    errors: [f64; FORECASTERS],
}

const FAST_RATE: f64 = 0.4;
const SLOW_RATE: f64 = 0.08;
const TREND_RATE: f64 = 0.05;
const TREND_LEVEL_RATE: f64 = 0.3;
const DAMPING: f64 = 0.9;
/// Errors are remembered for about so many values.
const ERROR_MEMORY: f64 = 128.0;
/// Today's distance from the days before is followed within about two hours.
const OFFSET_SECONDS: f64 = 7200.0;

impl Forecasters {
    pub(super) fn new(first: f64) -> Self {
        Forecasters {
            fast: first,
            slow: first,
            trend_level: first,
            trend: 0.0,
            offset: 0.0,
            season: Season::default(),
            errors: [-1.0; FORECASTERS],
        }
    }

    /// The forecast of the best forecaster.
    pub(super) fn forecast(&self, range: Option<Forecast>) -> Forecast {
        let mut best = (f64::INFINITY, Forecast::exactly(self.fast));
        for (error, forecast) in self.errors.iter().zip(self.all(range)) {
            if let Some(forecast) = forecast
                && *error >= 0.0
                && *error < best.0
            {
                best = (*error, forecast);
            }
        }
        best.1
    }

    fn all(&self, range: Option<Forecast>) -> [Option<Forecast>; FORECASTERS] {
        let mut all = [None; FORECASTERS];
        all[FAST] = Some(Forecast::exactly(self.fast));
        all[SLOW] = Some(Forecast::exactly(self.slow));
        all[TREND] = Some(Forecast::exactly(self.trend_level + DAMPING * self.trend));
        all[SEASON] = range.map(|range| Forecast {
            low: range.low + self.offset,
            high: range.high + self.offset,
        });
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
        let expected = self.trend_level + DAMPING * self.trend;
        let step = weight * TREND_LEVEL_RATE * toward(expected);
        self.trend = DAMPING * self.trend + weight * TREND_RATE * toward(expected);
        self.trend_level = expected + step;
        let usual = self.season.usual(at);
        if let Some(usual) = usual {
            let share = seconds / (OFFSET_SECONDS + seconds);
            self.offset += weight * share * toward(usual + self.offset);
        }
        self.season.learn(at, usual, seconds, value, weight);
    }

    /// A new level is accepted: everything but the shape of the day starts again from here.
    pub(super) fn restart(&mut self, time: Timestamp, value: f64) {
        self.fast = value;
        self.slow = value;
        self.trend_level = value;
        self.trend = 0.0;
        let usual = self.season.usual(&TimeOfDay::of(time));
        self.offset = usual.map_or(0.0, |usual| value - usual);
    }
}

const SLOT_SECONDS: f64 = 300.0;
const SLOTS: usize = 288;
const DAY: f64 = 86_400.0;
/// A slot remembers about so many days.
const DAYS: f32 = 6.0;

/// The day in slots of five minutes: what is usual at each time of the day. It is kept from the first value on
/// and used from the second day on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Season {
    means: Vec<f32>,
    /// For how many days each slot was seen.
    days: Vec<f32>,
    first: Option<Timestamp>,
    /// Mean distance of values from the usual value of their time, and from the mean of all times, over a day.
    with: f64,
    without: f64,
    mean: f64,
    explains: bool,
}

impl Season {
    /// Whether the time of the day explains the metric, so that taking it away leaves less to explain.
    pub(super) fn explains(&self) -> bool {
        self.explains
    }

    /// The usual value at a time of the day, once a day was seen.
    pub(super) fn usual(&self, at: &TimeOfDay) -> Option<f64> {
        self.ready(at.time)?;
        let [before, after] = at.around;
        Some(match (self.slot(before), self.slot(after)) {
            (Some(a), Some(b)) => a + at.part * (b - a),
            (a, b) => a.or(b)?,
        })
    }

    /// The values of the slot and its neighbours: things that happen every day are rarely on time to the minute.
    pub(super) fn range(&self, at: &TimeOfDay) -> Option<Forecast> {
        let usual = self.usual(at)?;
        let near = at.near.into_iter().filter_map(|slot| self.slot(slot));
        Some(near.fold(Forecast::exactly(usual), |range, value| Forecast {
            low: range.low.at_most(value),
            high: range.high.at_least(value),
        }))
    }

    fn ready(&self, time: Timestamp) -> Option<()> {
        (time.seconds_since(self.first?) >= DAY + SLOT_SECONDS).then_some(())
    }

    fn slot(&self, slot: usize) -> Option<f64> {
        (*self.days.get(slot)? > 0.0).then(|| self.means.get(slot).map(|mean| f64::from(*mean)))?
    }

    /// `usual` is what is usual at this time.
    fn learn(&mut self, at: &TimeOfDay, usual: Option<f64>, seconds: f64, value: f64, weight: f64) {
        let share = seconds / (DAY + seconds) * weight;
        if let Some(usual) = usual {
            if self.without == 0.0 {
                // Nothing is explained until it was shown.
                self.with = (value - self.mean).abs();
                self.without = self.with;
            }
            // Bounded, so that an hour of trouble does not decide it, and with some play, so that it stays decided.
            let bound = 4.0 * self.without.at_least(self.with);
            let bound = if bound > 0.0 { bound } else { f64::INFINITY };
            self.with += share * ((value - usual).abs().at_most(bound) - self.with);
            self.without += share * ((value - self.mean).abs().at_most(bound) - self.without);
            self.explains = self.with < if self.explains { 0.9 } else { 0.7 } * self.without;
        }
        if self.first.is_none() {
            self.first = Some(at.time);
            self.mean = value;
            self.means = vec![0.0; SLOTS];
            self.days = vec![0.0; SLOTS];
        }
        self.mean += share * (value - self.mean);
        let [_, slot, _] = at.near;
        if let (Some(mean), Some(days)) = (self.means.get_mut(slot), self.days.get_mut(slot)) {
            let part = (seconds / SLOT_SECONDS).clamp(0.01, 1.0) as f32 * weight as f32;
            *days = (*days + part).min(DAYS);
            *mean += part / days.max(part) * (value as f32 - *mean);
        }
    }
}

/// A moment, and the slots of its time of the day: the same for all metrics of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeOfDay {
    pub(super) time: Timestamp,
    /// Between the middles of which two slots it is, and how far it is from the first to the second.
    around: [usize; 2],
    part: f64,
    /// The slot before, its own and the slot after.
    near: [usize; 3],
}

impl TimeOfDay {
    pub(super) fn of(time: Timestamp) -> Self {
        let slots = time_of_day(time) / SLOT_SECONDS;
        let position = slots + SLOTS as f64 - 0.5;
        let before = position as usize;
        let slot = slots as usize + SLOTS;
        TimeOfDay {
            time,
            around: [before % SLOTS, (before + 1) % SLOTS],
            part: position - before as f64,
            near: [(slot - 1) % SLOTS, slot % SLOTS, (slot + 1) % SLOTS],
        }
    }
}

fn time_of_day(time: Timestamp) -> f64 {
    (time.nanos().rem_euclid(86_400_000_000_000) / 1000) as f64 / 1e6
}
