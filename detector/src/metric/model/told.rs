//! What is told of a reading: what was seen, what was expected, and what kind of thing that is.

use std::collections::BTreeMap;

use super::super::channel::Look;
use super::super::forecast::TimeOfDay;
use super::{ALLOWANCE, Metric, QUICK, RECENT, Reading};
use crate::event::Timestamp;
use crate::feature::{self, Point};
use crate::number::Bounded;
use crate::threshold::within;
use crate::verdict::Kind;

impl Metric {
    /// What the last values are like, this one included, in numbers that people know.
    pub(in crate::metric) fn features(&self, time: Timestamp, value: f64) -> BTreeMap<String, f64> {
        let before = self.recent.len().saturating_sub(RECENT - 1);
        let window: Vec<Point> = self
            .recent
            .iter()
            .skip(before)
            .copied()
            .chain([(time, value)])
            .collect();
        feature::of_window(&self.name, &window)
    }

    /// The range in which nine of ten normal values lie.
    pub(in crate::metric) fn usual_range(&self, reading: &Reading) -> (f64, f64) {
        let nominal = self.looks[0].tail.nominal_at(0.1);
        let reach = self.looks[0].deviation_at(nominal, reading.floors[0]);
        let forecast = self.believable(reading.forecast);
        let low = forecast - reach;
        // There are no negative counts, and nothing comes a negative number of times in a second.
        let never_negative = self.counter || self.counts.is_some();
        let low = if never_negative { low.at_least(0.0) } else { low };
        (low, forecast + reach)
    }

    /// What is expected, brought to where values have been: a model may have found it in shapes or levels of a time when
    /// the season was not yet known, and a metric that was never above 86 is not expected to be at 143. As far beyond as
    /// values usually are from their level it may go on rising.
    fn believable(&self, expected: f64) -> f64 {
        if self.least > self.most {
            return expected;
        }
        within(expected, self.least - self.wide, self.most + self.wide)
    }

    /// What was seen and what was expected, as the look that found it strangest sees it.
    pub(in crate::metric) fn seen_and_expected(&self, reading: &Reading) -> (f64, f64) {
        let k = reading.look as usize;
        match reading.look {
            Look::Point => (reading.value, self.believable(reading.forecast)),
            Look::Stuck => (f64::from(self.run + 1), 1.0),
            // The level now, and where it would be without the deviation.
            Look::Shift | Look::Drift => {
                let level = self.level_now(reading);
                (level, self.believable(level - reading.deviations[k]))
            }
            // How far the values are from their level, and how far they usually are.
            Look::Variance => (self.scatter * libm::exp(reading.deviations[k]), self.scatter),
            Look::Lasting | Look::Shape => (reading.value, self.unremarkable(reading)),
        }
    }

    /// The value that would have been least remarkable to the look that found the value strangest.
    pub(in crate::metric) fn unremarkable(&self, reading: &Reading) -> f64 {
        self.believable(match reading.look {
            Look::Point => reading.forecast,
            Look::Shape => self.of_like_shapes(reading),
            _ => self.level(reading),
        })
    }

    /// What came at this place of the shape that is most like this one but for this value.
    fn of_like_shapes(&self, reading: &Reading) -> f64 {
        let rest = self
            .novelty
            .as_ref()
            .and_then(|novelty| novelty.expected(&reading.shape));
        match rest {
            Some(rest) => rest + reading.season,
            None => reading.forecast,
        }
    }

    /// The value farthest from unremarkable that would have been enough for the look that found it strangest, where
    /// that can be said without trying.
    pub(in crate::metric) fn enough(&self, reading: &Reading) -> Option<f64> {
        match reading.look {
            Look::Point | Look::Shape | Look::Variance => None,
            Look::Shift | Look::Drift | Look::Stuck | Look::Lasting => Some(self.not_adding(reading)),
        }
    }

    /// What kind of thing a reading is: the look that found it strangest says what it looked at, and for looks at
    /// several values these say by what they have changed.
    pub(in crate::metric) fn kind(&self, reading: &Reading) -> Kind {
        let side = |from: f64| {
            if reading.value >= from { Kind::Spike } else { Kind::Dip }
        };
        match reading.look {
            Look::Point => side(reading.forecast),
            Look::Drift => Kind::Drift,
            Look::Stuck => Kind::Stuck,
            Look::Variance => Kind::VarianceChange,
            Look::Shift | Look::Lasting => match self.change(reading) {
                Change::Slope => Kind::TrendChange,
                Change::Level | Change::Value => Kind::LevelShift,
            },
            Look::Shape => match self.change(reading) {
                Change::Slope => Kind::TrendChange,
                Change::Level => Kind::LevelShift,
                Change::Value => side(self.of_like_shapes(reading)),
            },
        }
    }

    /// What fits the last values best: one level and another one, or a level and a slope that begins there.
    fn change(&self, reading: &Reading) -> Change {
        let before = self.recent.len().saturating_sub(RECENT - 1);
        let values: Vec<f64> = self
            .recent
            .iter()
            .skip(before)
            .map(|(time, value)| self.without_season(&TimeOfDay::of(*time), *value).0)
            .chain([reading.value - reading.season])
            .collect();
        if values.len() < 2 * LEAST_RUN {
            return Change::Value;
        }
        let whole = left_of_level(&values);
        // A level that has only just begun is not called one, but a slope has to be better than that as well.
        let (mut level, mut begun, mut slope) = (whole, whole, whole);
        for from in LEAST_RUN..values.len() {
            let (Some(before), Some(after)) = (values.get(..from), values.get(from..)) else {
                continue;
            };
            let first = left_of_level(before);
            let left = first + left_of_level(after);
            begun = begun.at_most(left);
            if after.len() >= LEAST_RUN {
                level = level.at_most(left);
                slope = slope.at_most(first + left_of_slope(before, after));
            }
        }
        // A slope all along.
        slope = slope.at_most(left_of_slope(&[], &values));
        if slope < CLEARLY * begun && slope < EXPLAINED * whole {
            Change::Slope
        } else if level < EXPLAINED * whole {
            Change::Level
        } else {
            Change::Value
        }
    }

    /// The level of the last hundred values, with the time of the day.
    pub(in crate::metric) fn level(&self, reading: &Reading) -> f64 {
        reading.value - reading.deviations[Look::Lasting as usize]
    }

    /// The value farthest from unremarkable that would not have added to what lasts.
    fn not_adding(&self, reading: &Reading) -> f64 {
        let away = &self.looks[Look::Lasting as usize];
        let nominal = away.tail.nominal_at(libm::exp10(-ALLOWANCE));
        let reach = away.deviation_at(nominal, reading.floors[Look::Lasting as usize]);
        let deviation = reading.deviations[Look::Lasting as usize];
        reading.value - deviation + within(deviation, -reach, reach)
    }

    fn level_now(&self, reading: &Reading) -> f64 {
        let rest = match reading.look {
            Look::Shift => self.quick + QUICK * (reading.value - self.season_now() - self.quick),
            _ => self.half_hour,
        };
        rest + self.season_now()
    }

    fn season_now(&self) -> f64 {
        let season = self.forecasters.as_ref().map(|f| &f.season);
        match season {
            Some(season) if self.seasonal => season.usual(&TimeOfDay::of(self.last_time)).unwrap_or(0.0),
            _ => 0.0,
        }
    }
}

/// By what the last values have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Level,
    Slope,
    /// By none of these: it is this value, or a few.
    Value,
}

/// So many values at least are a level, or a slope.
const LEAST_RUN: usize = 4;
/// A change explains the values when it leaves less than this share of their squares, and a slope is what it is when it
/// leaves less than this share of what a level leaves.
const EXPLAINED: f64 = 0.25;
const CLEARLY: f64 = 0.5;

/// The squares that are left when values are at their mean.
fn left_of_level(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean) * (value - mean)).sum()
}

/// The squares that are left when values rise evenly from the mean of those before; where there are none, from anywhere.
fn left_of_slope(before: &[f64], values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let (middle, level) = if before.is_empty() {
        (0.5 * (n - 1.0), mean(values))
    } else {
        (-1.0, mean(before))
    };
    let (mut along, mut squares) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let x = index as f64 - middle;
        along += x * (value - level);
        squares += x * x;
    }
    let slope = if squares > 0.0 { along / squares } else { 0.0 };
    values
        .iter()
        .enumerate()
        .map(|(index, value)| value - level - slope * (index as f64 - middle))
        .map(|left| left * left)
        .sum()
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}
