//! How often something happens, in windows of a minute.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::number::Bounded;
use crate::series::WRONG_CLOCK;

/// A count a minute, with its usual mean and variance.
///
/// Counts of log lines are overdispersed (they come in bursts), so the model is a Poisson rate that itself varies
/// by a Gamma distribution: a negative binomial. Its tail is bounded by Chernoff's inequality, which errs on the
/// side of silence.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Rate {
    minute: i64,
    count: u32,
    mean: f64,
    variance: f64,
    minutes: f64,
}

/// Minutes that are remembered: four hours.
const MEMORY: f64 = 240.0;
/// What a rate of which nothing is known is taken to be, and how many minutes that assumption weighs.
const PRIOR_MEAN: f64 = 1.0;
const PRIOR_MINUTES: f64 = 2.0;

impl Rate {
    /// A rate that is zero since `since`.
    pub(crate) fn since(since: Timestamp, now: Timestamp) -> Self {
        let mut rate = Rate {
            minute: minute(since),
            ..Rate::default()
        };
        rate.advance(now);
        rate
    }

    /// Counts one, and returns how many there were in this minute.
    pub(crate) fn count(&mut self, now: Timestamp) -> u32 {
        self.advance(now);
        self.count = self.count.saturating_add(1);
        self.count
    }

    /// Nominal surprise of the count of this minute so far.
    ///
    /// Decades of a Chernoff bound are compressed logarithmically: the bound believes in its distribution far
    /// beyond what was ever measured.
    pub(crate) fn nominal(&self) -> f64 {
        let count = f64::from(self.count);
        let mean = self.usual();
        if count <= mean + 1.0 {
            return 0.0;
        }
        // The dispersion that explains the variance; that of a geometric distribution until it is known.
        let excess = (self.variance - self.mean).at_least(0.05 * mean);
        let shape = if self.minutes < 10.0 {
            1.0
        } else {
            (mean * mean / excess).clamp(0.2, 50.0)
        };
        let nats = count * libm::log(count / mean) - (count + shape) * libm::log((count + shape) / (mean + shape));
        // In the first minutes everything is a burst.
        let known = self.minutes / (self.minutes + 10.0);
        known * 2.0 * libm::log10(1.0 + (nats / std::f64::consts::LN_10).at_least(0.0))
    }

    /// How many there were in this minute so far.
    pub(crate) fn so_far(&self) -> u32 {
        self.count
    }

    /// The usual count a minute.
    pub(crate) fn usual(&self) -> f64 {
        (self.mean * self.minutes + PRIOR_MEAN * PRIOR_MINUTES / 2.0) / (self.minutes + PRIOR_MINUTES)
    }

    fn advance(&mut self, now: Timestamp) {
        let now = minute(now);
        // Late lines count for the minute that is open.
        if now <= self.minute && self.minute - now <= WRONG_CLOCK as i64 / 60 {
            return;
        }
        if self.minute != 0 || self.count > 0 || self.minutes > 0.0 {
            self.close(f64::from(self.count));
            // What is older than memory makes no difference any more.
            let empty = (now - self.minute - 1).min(2 * MEMORY as i64);
            for _ in 0..empty {
                self.close(0.0);
            }
        }
        self.minute = now;
        self.count = 0;
    }

    fn close(&mut self, count: f64) {
        self.minutes = (self.minutes + 1.0).at_most(MEMORY);
        let away = count - self.mean;
        self.mean += away / self.minutes;
        self.variance += (away * (count - self.mean) - self.variance) / self.minutes;
    }
}

fn minute(time: Timestamp) -> i64 {
    time.nanos().div_euclid(60_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64, second: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 * 60 + minute * 60 + second)
    }

    #[test]
    fn a_burst_is_surprising_and_a_usual_minute_is_not() {
        let mut rate = Rate::since(at(0, 0), at(0, 0));
        for minute in 0..120 {
            for n in 0..10 + minute % 5 {
                rate.count(at(minute, n));
            }
            assert!(
                minute < 5 || rate.nominal() < 1.0,
                "minute {minute}: {}",
                rate.nominal()
            );
        }
        for _ in 0..100 {
            rate.count(at(120, 0));
        }
        assert!(rate.nominal() > 1.5, "{}", rate.nominal());
    }

    #[test]
    fn the_first_minutes_say_little() {
        let mut rate = Rate::since(at(0, 0), at(0, 0));
        for _ in 0..20 {
            rate.count(at(0, 1));
        }
        assert!(rate.nominal() < 1.6, "{}", rate.nominal());
    }
}
