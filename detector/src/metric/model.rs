//! The model of one metric: seven looks at it, each calibrated on the metric's own past.

mod judge;
#[cfg(test)]
mod tests;
mod told;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::channel::{Channel, Look};
use super::counts::Counts;
use super::forecast::{Forecast, Forecasters, TimeOfDay};
use super::novelty::{self, Novelty, Shape};
use super::unit;
use crate::event::{Finite, Timestamp};
use crate::feature::Point;
use crate::number::Bounded;
use crate::series::WRONG_CLOCK;
use crate::threshold::{PRIOR_EVENTS, Tail, within};

/// One metric of one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Metric {
    pub(super) name: String,
    counter: bool,
    last_raw: f64,
    last_time: Timestamp,
    /// Values seen, not counting the first of a counter.
    seen: u64,
    last: f64,
    forecasters: Option<Forecasters>,
    /// Usual distance from the level of the last hundred values: the scale of everything this metric does.
    wide: f64,
    /// The smallest change that was ever seen: what the metric is measured in. Zero before the first change.
    resolution: f64,
    /// The least and the greatest value that was ever seen.
    least: f64,
    most: f64,
    /// The level of the last ten and of the last hundred values, with the time of the day taken away.
    quick: f64,
    steady: f64,
    /// The level of the last half hour and of the last day, likewise; the day is zero until one was seen.
    half_hour: f64,
    day: f64,
    /// Whether the time of the day was taken away from these levels.
    seasonal: bool,
    drifting: bool,
    /// How far the values are from the level of the last ten: of the last few, and usually.
    near_scatter: f64,
    scatter: f64,
    /// Of how many values that is known.
    scattered: u32,
    /// Set as long as every value was a count.
    counts: Option<Counts>,
    first: Timestamp,
    /// How often a value equals the one before, and for how many values it has now.
    same: f64,
    run: u32,
    looks: [Channel; LOOKS],
    /// What has added up; the greatest sum since it was zero, and for how long; and how often that was reached.
    sum: f64,
    greatest_sum: f64,
    excursion: f64,
    sums: Tail,
    /// The greatest surprise of the last values.
    told: f64,
    /// Whether the shape of the last values is looked at.
    shapes: bool,
    novelty: Option<Box<Novelty>>,
    /// The last values that were learned, for the features of an explanation; of a counter the rates.
    recent: VecDeque<Point>,
}

/// What one value looks like, before anything is learned from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// The value; of a counter the rate per second.
    pub(super) value: f64,
    pub(super) surprise: f64,
    /// What of it was not told by the values before.
    pub(super) news: f64,
    /// The look that found it strangest.
    pub(super) look: Look,
    deviations: [f64; LOOKS],
    floors: [f64; LOOKS],
    /// Nominal surprises, as far as anybody asked.
    nominals: [Option<f64>; LOOKS],
    /// The surprise of the value as a count, where it is one.
    count: Option<f64>,
    /// What the season says of its time.
    range: Option<Forecast>,
    shape: Shape,
    sum: f64,
    pub(super) forecast: f64,
    /// What of the value was taken away as the time of the day.
    season: f64,
}

/// The last ten and the last hundred values.
const QUICK: f64 = 1.0 / 8.0;
const STEADY: f64 = 1.0 / 128.0;
const HALF_HOUR: f64 = 1800.0;
const DAY: f64 = 86_400.0;
/// How much faster than assumed a measured tail may fall: a Gaussian metric needs about three.
const STEEPEST: f32 = 4.0;
/// From so many values on there is something to say at all, and from so many on about their level.
const FIRST_VALUES: u64 = 16;
const SHIFT_VALUES: u64 = 64;

/// A value by itself can be so many decades stranger than there were values to tell: more than that is a claim about
/// something that was never seen.
const MOST_BEYOND: f64 = 2.0;

/// What the shape has of the probability that one of the looks is wrong. All shares together are two: looks find much
/// the same strange, and with shares that sum to one half as many values are strange as is claimed (measured).
const SHARE_OF_SHAPE: f64 = 1.0;
/// What a change of variance has of it: little, since most of what scatters otherwise has a strange shape as well.
const SHARE_OF_VARIANCE: f64 = 0.1;

/// The spread of each look forgets with so many deviations. That is long on purpose: a spread that follows a bad week
/// finds nothing in it.
const MEMORY: f64 = 4096.0;
/// What is stranger by less than this is as strange.
const SAYS_MORE: f64 = 0.1;
/// What was told is news again when it comes again after some hundred values.
const FORGETS_WHAT_WAS_TOLD: f64 = 1.0 - 1.0 / 200.0;

/// What lasts adds up (a CUSUM, Page 1954, of calibrated surprise): of every value's surprise, `ALLOWANCE` is normal and
/// the rest is summed, as long as the sum is positive. One value counts for at most `MOST_OF_A_VALUE`, so that a single
/// spike is no trouble that lasts, and the sum is bounded, so that it is over soon after the trouble.
const ALLOWANCE: f64 = 1.5;
const MOST_OF_A_VALUE: f64 = 4.0;
const MOST_SUM: f64 = 24.0;

/// For independent values the sum exceeds x with a probability that falls as 10^(−θx), where θ solves
/// E[10^(θ(s − 1.5))] = 1 for calibrated surprise s, that is 10^(−1.5 θ) = 1 − θ: 0.96. Values are not independent;
/// half of it is assumed, and what it really is gets measured.
const SUM_SLOPE: f64 = 0.25;
/// How far values are apart is followed over the last thirty, and over half a thousand.
const NEAR_SCATTER: f64 = 1.0 / 16.0;
const SCATTER: f64 = 1.0 / 512.0;
/// A value counts for the level of several as if it were at most so many usual distances away.
const OUTLIER: f64 = 6.0;

/// Less than log10(1 + 16) is less than is known of any value that is judged.
const LEAST_KNOWN: f64 = 1.2;
/// What is as likely as this is less surprising than the allowance.
const UNREMARKABLE: f64 = 0.032;

/// Values are taken to be at most this large, either way: beyond it their differences would overflow.
const LARGEST: f64 = 1e30;

/// So many values, the newest included, have features.
const RECENT: usize = 16;
/// What a metric's share in the row's forest is bounded by, in usual distances.
const FARTHEST: f64 = 1e6;

/// A shape that is as near to the one before as shapes usually are is not looked at any closer.
const ORDINARY: f64 = 1.0;

/// A metric that stays the same for so many values is looked at for that, and not for scattering less.
const ALIKE: u32 = 4;
/// Half as much again or less by a third is the least change of how far values scatter that counts for anything.
const LEAST_CHANGE_OF_SCATTER: f64 = 0.1;
const LEAST_SCATTER: f64 = 0.01;
const REACH_OF_SCATTER: f64 = 4.0;

const LOOKS: usize = Look::ALL.len();

/// A metric that equals its last value less often than this always varies.
const VARIES: f64 = 0.05;

impl Metric {
    /// A metric that was never seen; `shapes` says whether the shape of its last values is looked at.
    pub(super) fn new(name: &str, shapes: bool) -> Self {
        Metric {
            shapes,
            name: name.to_owned(),
            counter: unit::is_counter(name),
            last_raw: f64::NAN,
            last_time: Timestamp::default(),
            seen: 0,
            last: 0.0,
            forecasters: None,
            wide: 0.0,
            resolution: 0.0,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            quick: 0.0,
            steady: 0.0,
            half_hour: 0.0,
            day: 0.0,
            seasonal: false,
            drifting: false,
            near_scatter: 0.0,
            scatter: 0.0,
            scattered: 0,
            counts: None,
            first: Timestamp::default(),
            same: 0.5,
            run: 0,
            looks: [
                Channel::new(MEMORY, STEEPEST),
                Channel::new(MEMORY, STEEPEST),
                // Half hours: about two weeks.
                Channel::new(700.0, STEEPEST),
                // Runs of equal values that are no fault fall off as a geometric distribution does.
                Channel::new(512.0, 1.0),
                Channel::new(MEMORY, STEEPEST),
                Channel::new(MEMORY, STEEPEST),
                Channel::new(MEMORY, STEEPEST),
            ],
            sum: 0.0,
            greatest_sum: 0.0,
            excursion: 0.0,
            sums: Tail::new(3.0, PRIOR_EVENTS),
            told: 0.0,
            novelty: None,
            recent: VecDeque::with_capacity(RECENT),
        }
    }

    /// How far the value is from the level of the last hundred, in units of what is usual, with the time of the day
    /// taken away.
    pub(super) fn away(&self, reading: &Reading) -> Option<Finite> {
        let k = Look::Lasting as usize;
        let (look, deviation, floor) = (self.looks.get(k)?, *reading.deviations.get(k)?, *reading.floors.get(k)?);
        // The first change of a metric that never varied is as far as can be told.
        let usual = look.spread.at_least(floor).at_least(f64::MIN_POSITIVE);
        Finite::new(within(deviation / usual, -FARTHEST, FARTHEST))
    }

    /// How far the value is from the same time of the days before, or from the last hundred values before there were
    /// such days.
    pub(super) fn beside_the_days(&self, reading: &Reading) -> f64 {
        match reading.range {
            Some(range) => reading.value - range.nearest(reading.value),
            None => self.beside_the_last(reading),
        }
    }

    /// How far the value is from the level of the last hundred, with the time of the day taken away.
    pub(super) fn beside_the_last(&self, reading: &Reading) -> f64 {
        reading.deviations[Look::Lasting as usize]
    }

    pub(super) fn is_counter(&self) -> bool {
        self.counter
    }

    pub(super) fn is_learning(&self) -> bool {
        self.seen < FIRST_VALUES
    }

    /// What a value looks like; `None` when there is nothing to compare it with yet.
    pub(super) fn read(&self, at: &TimeOfDay, raw: f64) -> Option<Reading> {
        let time = at.time;
        let raw = within(raw, -LARGEST, LARGEST);
        let value = self.value(time, raw)?;
        let forecasters = self.forecasters.as_ref()?;
        let seconds = self.seconds(time);
        let range = forecasters.season.range(at);
        let forecast = forecasters.forecast(range).nearest(value);
        let (rest, seasonal) = match range {
            Some(range) if forecasters.season.explains() => (value - range.nearest(value), true),
            _ => (value, false),
        };
        let restarted = seasonal != self.seasonal;
        let steady = if restarted { rest } else { self.steady };
        // One outlier must not look like a level.
        let level = within(rest, steady - OUTLIER * self.wide, steady + OUTLIER * self.wide);
        let quick = if restarted {
            rest
        } else {
            self.quick + QUICK * (level - self.quick)
        };
        let half_hour = if restarted {
            rest
        } else {
            self.half_hour + seconds / (HALF_HOUR + seconds) * (level - self.half_hour)
        };
        let run = if value == self.last { self.run + 1 } else { 0 };
        let shape = self.novelty.as_ref().map_or_else(Shape::default, |novelty| {
            novelty.read(rest, ORDINARY * self.looks[Look::Shape as usize].spread)
        });
        let point_floor = (0.05 * self.wide).at_least(0.5 * self.resolution);
        let deviations = [
            value - forecast,
            if self.seen >= SHIFT_VALUES { quick - steady } else { 0.0 },
            half_hour - self.day,
            // The nominal surprise of a run is that of a geometric distribution; expressed as a deviation
            // of a spread of one, so that it takes the way of the others.
            if self.same < VARIES && value != 0.0 {
                run_deviation(run, self.same)
            } else {
                0.0
            },
            rest - steady,
            if run >= ALIKE || u64::from(self.scattered) < SHIFT_VALUES {
                0.0
            } else {
                self.change_of_scatter(rest - quick, point_floor)
            },
            shape.novelty(),
        ];
        let floors = [
            point_floor,
            // What the mean of ten values of this spread wanders by.
            (0.25 * self.looks[0].spread).at_least(0.5 * point_floor),
            0.25 * self.wide,
            1.0,
            point_floor,
            LEAST_CHANGE_OF_SCATTER,
            novelty::FLOOR,
        ];
        let mut reading = Reading {
            value,
            surprise: 0.0,
            news: 0.0,
            look: Look::Point,
            deviations,
            floors,
            nominals: [None; LOOKS],
            count: None,
            range,
            shape,
            sum: 0.0,
            forecast,
            season: value - rest,
        };
        if let Some(counts) = &self.counts {
            reading.count = counts.nominal(value, self.usual(at));
            reading.nominals[Look::Point as usize] = reading.count;
            reading.nominals[Look::Lasting as usize] = reading.count;
        }
        if !self.is_learning() {
            self.judge(&mut reading);
        }
        Some(reading)
    }

    /// How much wider or narrower the values scatter now, with one more that is so far from their level: a logarithm,
    /// so that both are alike. What is less than `floor` is nothing.
    fn change_of_scatter(&self, away: f64, floor: f64) -> f64 {
        let usual = self.scatter.at_least(floor);
        if usual <= 0.0 {
            return 0.0;
        }
        let near = self.near_scatter + NEAR_SCATTER * (self.bounded_scatter(away) - self.near_scatter);
        libm::log((near.at_least(floor) / usual).at_least(LEAST_SCATTER))
    }

    /// One outlier does not scatter.
    fn bounded_scatter(&self, away: f64) -> f64 {
        let size = away.abs();
        if self.scatter > 0.0 {
            size.at_most(REACH_OF_SCATTER * self.scatter)
        } else {
            size
        }
    }

    /// What the season expects, where it explains the metric.
    fn usual(&self, at: &TimeOfDay) -> Option<f64> {
        let season = self.forecasters.as_ref().map(|f| &f.season)?;
        if season.explains() { season.usual(at) } else { None }
    }

    /// Learns a value. `weight` below 1 learns less of it; `reading` is what was read from it.
    pub(super) fn learn(&mut self, at: &TimeOfDay, raw: f64, reading: Option<&Reading>, weight: f64) {
        let time = at.time;
        let raw = within(raw, -LARGEST, LARGEST);
        if self.last_time.seconds_since(time) > WRONG_CLOCK {
            // The value before had a wrong clock: time goes on from here, and a counter has nothing to compare with.
            self.last_time = time;
            self.last_raw = f64::NAN;
        }
        let value = self.value(time, raw);
        let seconds = self.seconds(time);
        if self.counter && !self.last_raw.is_nan() && seconds == 0.0 {
            // A late count of a counter says nothing that later ones have not said.
            return;
        }
        self.last_raw = raw;
        self.last_time = self.last_time.max(time);
        let Some(value) = value else {
            return;
        };
        self.least = self.least.at_most(value);
        self.most = self.most.at_least(value);
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((time, value));
        if self.forecasters.is_none() {
            let mut forecasters = Forecasters::new(value);
            forecasters.learn(at, None, 0.0, value, f64::INFINITY, 1.0);
            self.forecasters = Some(forecasters);
            self.first = time;
            self.last_time = time;
            (self.last, self.quick, self.steady, self.half_hour) = (value, value, value, value);
            self.seen = 1;
            self.novelty = self.shapes.then(|| Box::new(Novelty::new(value)));
            self.counts = if self.counter { None } else { Counts::new(value) };
            return;
        }
        let Some(reading) = reading else {
            return;
        };
        self.seen += 1;
        let change = (value - self.last).abs();
        if change > 0.0 && (self.resolution == 0.0 || change < self.resolution) {
            self.resolution = change;
        }
        let usual = self.counts.and_then(|_| self.usual(at));
        if let Some(counts) = &mut self.counts
            && !counts.learn(value, usual, weight)
        {
            self.counts = None;
        }
        self.same += (1.0 / 256.0) * (f64::from(u8::from(change == 0.0)) - self.same);
        self.run = if change == 0.0 { self.run + 1 } else { 0 };
        self.last = value;
        if reading.surprise < 0.5 * self.told {
            self.told *= FORGETS_WHAT_WAS_TOLD;
        }
        self.told = self.told.at_least(reading.surprise);

        let reach = if self.seen < FIRST_VALUES {
            f64::INFINITY
        } else {
            4.0 * self.looks[0].spread.at_least(reading.floors[0])
        };
        // A metric that never varied has no spread to bound its first change by.
        let reach = if reach == 0.0 { f64::INFINITY } else { reach };
        if let Some(forecasters) = &mut self.forecasters {
            forecasters.learn(at, reading.range, seconds, value, reach, weight);
        }

        // Deviations of smoothed levels are alike from one value to the next: only each tenth, or each half
        // hour, is news.
        let news = [
            1.0,
            QUICK,
            seconds / (HALF_HOUR + seconds),
            QUICK,
            QUICK,
            NEAR_SCATTER,
            1.0,
        ];
        for (k, channel) in self.looks.iter_mut().enumerate() {
            let known = k == 0 || k == Look::Shape as usize || reading.deviations[k] != 0.0;
            if known {
                let (deviation, floor) = (reading.deviations[k], reading.floors[k]);
                let nominal = reading.nominals[k].unwrap_or_else(|| channel.nominal(deviation, floor));
                channel.learn_read(deviation, nominal, floor, news[k] * weight);
            }
        }
        if self.seen > FIRST_VALUES {
            self.sum = reading.sum;
            self.greatest_sum = self.greatest_sum.at_least(self.sum);
            self.excursion += QUICK * weight;
            // An excursion is learned when it is over: it must not become usual while it lasts.
            if self.sum == 0.0 {
                self.sums.learn(SUM_SLOPE * self.greatest_sum, self.excursion);
                (self.greatest_sum, self.excursion) = (0.0, 0.0);
            }
        }
        let away = (value - self.steady_level(at)).abs();
        let wide_rate = weight * (1.0 / self.seen as f64).at_least(1.0 / 512.0);
        let bound = if self.wide > 0.0 {
            10.0 * self.wide
        } else {
            f64::INFINITY
        };
        self.wide += wide_rate * (away.at_most(bound) - self.wide);

        let (rest, seasonal) = self.without_season(at, value);
        if let Some(novelty) = &mut self.novelty {
            novelty.learn(rest, &reading.shape);
        }
        if seasonal == self.seasonal {
            let rate = weight * QUICK;
            let level = within(
                rest,
                self.steady - OUTLIER * self.wide,
                self.steady + OUTLIER * self.wide,
            );
            let level = if self.seen < FIRST_VALUES { rest } else { level };
            self.quick += rate * (level - self.quick);
            let away = self.bounded_scatter(rest - self.quick);
            self.scattered = self.scattered.saturating_add(1);
            let early = 1.0 / f64::from(self.scattered);
            self.near_scatter += weight * early.at_least(NEAR_SCATTER) * (away - self.near_scatter);
            self.scatter += weight * early.at_least(SCATTER) * (away - self.scatter);
            let early = (1.0 / self.seen as f64).at_least(STEADY);
            self.steady += weight * early * (rest - self.steady).clamp(-reach, reach);
            let share = |time_constant: f64| weight * seconds / (time_constant + seconds);
            self.half_hour += share(HALF_HOUR) * (level - self.half_hour);
            self.day += share(DAY).at_least(weight / self.seen as f64) * (level - self.day);
        } else {
            self.seasonal = seasonal;
            self.scattered = 0;
            (self.quick, self.steady, self.half_hour, self.day) = (rest, rest, rest, rest);
        }
        self.drifting = self.drifting || time.seconds_since(self.first) >= DAY;
    }

    /// A new level is accepted as normal.
    pub(super) fn restart(&mut self) {
        let (time, last) = (self.last_time, self.last);
        if let Some(forecasters) = &mut self.forecasters {
            forecasters.restart(time, last);
        }
        let (rest, _) = self.without_season(&TimeOfDay::of(time), last);
        (self.quick, self.steady, self.half_hour, self.day) = (rest, rest, rest, rest);
        self.run = 0;
        self.sum = 0.0;
        self.scattered = 0;
    }

    /// The value of a gauge is itself; of a counter it is the rate since the last time, after a reset since zero.
    fn value(&self, time: Timestamp, raw: f64) -> Option<f64> {
        if !self.counter {
            return Some(raw);
        }
        let seconds = time.seconds_since(self.last_time);
        if self.last_raw.is_nan() || seconds <= 0.0 {
            return None;
        }
        let grown = if raw >= self.last_raw { raw - self.last_raw } else { raw };
        let rate = grown / seconds;
        rate.is_finite().then_some(rate)
    }

    /// Event time since the last value; never negative, so that late values do no harm.
    fn seconds(&self, time: Timestamp) -> f64 {
        time.seconds_since(self.last_time).at_least(0.0)
    }

    fn without_season(&self, at: &TimeOfDay, value: f64) -> (f64, bool) {
        let season = self.forecasters.as_ref().map(|f| &f.season).filter(|s| s.explains());
        match season.and_then(|season| season.range(at)) {
            Some(range) => (value - range.nearest(value), true),
            None => (value, false),
        }
    }

    fn steady_level(&self, at: &TimeOfDay) -> f64 {
        let season = self.forecasters.as_ref().map(|f| &f.season);
        match season {
            Some(season) if self.seasonal => self.steady + season.usual(at).unwrap_or(0.0),
            _ => self.steady,
        }
    }
}

fn run_deviation(run: u32, same: f64) -> f64 {
    if run == 0 {
        return 0.0;
    }
    // Rounding makes neighbours alike now and then; only a run says something.
    let nominal = -f64::from(run) * libm::log10(within(same, 0.1, 1.0));
    2.0 * ((libm::pow(10.0, nominal.at_most(12.0) / 2.0) - 1.0).at_least(0.0)).sqrt()
}
