//! The search for a period in the values themselves.

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::threshold::within;

/// The last values at an even pace, from the pace of the metric on and then twice as slow each time that the ring is
/// full: a period of so many values is found within a few of its repetitions, whether these take a minute or days.
///
/// A period shows as a hill of the autocorrelation that comes again at twice the lag (the hills of AUTOPERIOD: Vlachos,
/// Yu & Castelli, SDM 2005; theirs are proposed by a periodogram, for which there are too few values here to be of
/// use). What is found is only proposed: whether it explains the metric shows in its forecasts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Search {
    ring: Vec<f32>,
    /// How long a bin of the ring takes, and when the present one is over.
    width: f64,
    ends: f64,
    sum: f64,
    values: f64,
    /// How often the pace was halved, and whether the search goes on to periods of weeks this time.
    halved: u8,
    long: bool,
}

const RING: usize = 256;
/// The ring is looked at whenever it has so many bins more.
const EVERY: usize = 64;
const SHORTEST: usize = 3;
/// After so many bins without a value it starts again.
const EMPTY: u32 = 16;
/// Periods of up to so many values are looked for whatever they mean on the clock.
const HALVED: u8 = 3;
const DAY: f64 = 86_400.0;
const TWO_DAYS: f64 = 2.0 * DAY;
const THREE_WEEKS: f64 = 21.0 * DAY;
/// The autocorrelation at a period, and how far it falls before.
const HILL: f64 = 0.35;
const VALLEY: f64 = 0.2;
/// The autocorrelation at a period of which there was no time to come again.
const PLAIN: f64 = 0.7;
/// A value counts as at most so many mean distances: as much as it takes for a job of a minute every hour to show.
const CLIP: f64 = 10.0;

impl Search {
    /// Takes in a value, `interval` seconds being usual between two, and says what period was found, in seconds.
    pub(super) fn push(&mut self, seconds: f64, value: f64, interval: f64) -> Option<f64> {
        if self.ring.capacity() == 0 {
            self.ring.reserve_exact(RING);
        }
        if self.width == 0.0 {
            (self.width, self.ends) = (interval, seconds + 0.5 * interval);
        }
        if seconds < self.ends - 2.0 * self.width {
            // The clock was wrong before.
            self.restart();
            return None;
        }
        let mut found = None;
        if seconds >= self.ends {
            if self.values > 0.0 {
                found = self.close(self.sum / self.values, interval);
            }
            (self.sum, self.values) = (0.0, 0.0);
            let mut repeated = 0;
            while seconds >= self.ends {
                self.ends += self.width;
                repeated += 1;
                if repeated > EMPTY {
                    self.restart();
                    return None;
                }
                if let (true, Some(last), None) = (repeated > 1, self.ring.last().copied(), found) {
                    found = self.close(f64::from(last), interval);
                }
            }
        }
        self.sum += value;
        self.values += 1.0;
        found
    }

    fn close(&mut self, value: f64, interval: f64) -> Option<f64> {
        if self.ring.len() < RING {
            self.ring.push(within(value, -1e30, 1e30) as f32);
        }
        if !self.ring.len().is_multiple_of(EVERY) {
            return None;
        }
        let found = self.look(interval);
        if self.ring.len() >= RING {
            self.halve();
        }
        found
    }

    fn halve(&mut self) {
        let span = self.width * RING as f64;
        let enough = if self.long { THREE_WEEKS } else { TWO_DAYS };
        if self.halved >= HALVED && span >= enough {
            self.long = !self.long;
            self.restart();
            return;
        }
        self.ring = self
            .ring
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[a, b]| 0.5 * (a + b))
            .collect();
        self.ring.reserve_exact(RING - self.ring.len());
        self.width *= 2.0;
        self.ends += 0.5 * self.width;
        self.halved = self.halved.saturating_add(1);
    }

    fn restart(&mut self) {
        self.ring.clear();
        (self.width, self.halved, self.values) = (0.0, 0, 0.0);
    }

    /// The values of the ring, with the times of their middles.
    pub(super) fn history(&self) -> impl Iterator<Item = (f64, f64)> {
        let first = self.ends - self.width * (self.ring.len() as f64 + 0.5);
        let times = (0..self.ring.len()).map(move |n| first + self.width * n as f64);
        times.zip(self.ring.iter().map(|value| f64::from(*value)))
    }

    fn look(&self, interval: f64) -> Option<f64> {
        let rest = without_trend(&self.ring)?;
        let most = rest.len() * 2 / 3;
        let mut hills = vec![0.0; most + 2];
        let power: f64 = rest.iter().map(|x| x * x).sum::<f64>() / rest.len() as f64;
        for (lag, hill) in hills.iter_mut().enumerate().skip(1) {
            let (a, b) = (rest.get(..rest.len() - lag)?, rest.get(lag..)?);
            *hill = a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / (a.len() as f64 * power);
        }
        let at = |lag: usize| hills.get(lag).copied().unwrap_or(0.0);
        let top = |lag: usize| at(lag) >= at(lag - 1) && at(lag) > at(lag + 1);
        let mut best: f64 = 0.0;
        let mut valley: f64 = 1.0;
        let mut candidates = Vec::new();
        for lag in 1..=most {
            valley = valley.at_most(at(lag));
            if lag >= SHORTEST && top(lag) && at(lag) >= HILL && at(lag) - valley >= VALLEY {
                best = best.at_least(at(lag));
                candidates.push(lag);
            }
        }
        // The first that is nearly the best: those after it are its multiples.
        let first = candidates.into_iter().find(|lag| at(*lag) >= 0.85 * best)?;
        let (period, times) = follow(first, most, &at)?;
        // A hill is known to half a bin, of as many periods as there are up to it.
        let period = round(period * self.width, interval, 0.5 * self.width / times);
        // The day is tried anyway.
        ((period / DAY - 1.0).abs() > 0.05).then_some(period)
    }
}

/// The period in bins, from the farthest of its multiples that has a hill, and how many of them that is.
fn follow(first: usize, most: usize, at: &impl Fn(usize) -> f64) -> Option<(f64, f64)> {
    // By chance a hill has several tops: its place is that of the parabola that is nearest to its upper half.
    let upper = |lag: usize| at(lag) > 0.5 * at(first);
    let near = (1..=first / 8)
        .take_while(|n| upper(first - n) && upper(first + n))
        .count()
        .max(1);
    let summit = |lag: usize| {
        let (mut all, mut along, mut curved) = (0.0, 0.0, 0.0);
        let (mut squares, mut fourths) = (0.0, 0.0);
        for (n, lag) in (lag.checked_sub(near)?..=lag + near).enumerate() {
            let (x, y) = (n as f64 - near as f64, at(lag));
            all += y;
            along += x * y;
            curved += x * x * y;
            squares += x * x;
            fourths += x * x * x * x;
        }
        let count = 2.0 * near as f64 + 1.0;
        let bend = (count * curved - squares * all) / (count * fourths - squares * squares);
        let away = -along / squares / (2.0 * bend);
        (bend < 0.0 && away.abs() <= near as f64 + 0.5).then_some(lag as f64 + away)
    };
    let mut period = summit(first)?;
    let mut times = 1.0;
    loop {
        let lag = (period * (times + 1.0) + 0.5) as usize;
        if lag + near > most || at(lag) < 0.6 * HILL {
            break;
        }
        let Some(top) = summit(lag) else { break };
        times += 1.0;
        period = top / times;
    }
    // It has to come again, or to be plain.
    (times > 1.0 || at(first) > PLAIN).then_some((period, times))
}

/// The values without their level and trend, bounded so that one outlier is not all there is; `None` where nothing
/// is left.
fn without_trend(ring: &[f32]) -> Option<Vec<f64>> {
    let n = ring.len() as f64;
    let values = || ring.iter().map(|value| f64::from(*value));
    let middle = 0.5 * (n - 1.0);
    let mean = values().sum::<f64>() / n;
    let (mut along, mut square) = (0.0, 0.0);
    for (position, value) in values().enumerate() {
        let x = position as f64 - middle;
        along += x * (value - mean);
        square += x * x;
    }
    let slope = along / square;
    let rest: Vec<f64> = values()
        .enumerate()
        .map(|(position, value)| value - mean - slope * (position as f64 - middle))
        .collect();
    let usual = rest.iter().map(|x| x.abs()).sum::<f64>() / n;
    if usual.is_nan() || usual <= 1e-6 * mean.abs() {
        return None;
    }
    let bounded = rest.iter().map(|x| within(*x, -CLIP * usual, CLIP * usual));
    let centre = bounded.clone().sum::<f64>() / n;
    Some(bounded.map(|x| x - centre).collect())
}

/// Periods are mostly made by clocks: a part of a day in whole minutes, where one is near enough, and otherwise a
/// whole number of intervals.
fn round(period: f64, interval: f64, tolerance: f64) -> f64 {
    let parts = (DAY / period + 0.5) as u32;
    if parts >= 1 {
        let part = DAY / f64::from(parts);
        if (part - period).abs() <= tolerance && part % 60.0 == 0.0 {
            return part;
        }
    }
    let whole = ((period / interval + 0.5) as u64) as f64 * interval;
    if (whole - period).abs() <= tolerance {
        whole
    } else {
        period
    }
}
