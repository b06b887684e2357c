//! How often something happens: lines of a template in a minute, and errors among the lines.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::gamma_poisson::Rate as Known;
use crate::number::Bounded;
use crate::series::WRONG_CLOCK;

/// A count a minute, with its usual mean and variance.
///
/// Counts of log lines are overdispersed (they come in bursts), so the model is a Poisson rate that itself varies
/// by a Gamma distribution: a negative binomial (Greenwood and Yule 1920). Rates of a few minutes are known badly, and
/// that makes the distribution wider still.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Rate {
    minute: i64,
    count: u32,
    mean: f64,
    variance: f64,
    minutes: f64,
    burst: Burst,
}

/// What the count of a minute is worth so far. It is worked out anew when the count has grown by an eighth: of a million
/// lines in a minute a hundred are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Burst {
    next: u32,
    nominal: f64,
}

/// Minutes that are remembered: four hours.
const MEMORY: f64 = 240.0;
/// What a rate of which nothing is known is taken to be, and how many minutes that assumption weighs.
const PRIOR_MEAN: f64 = 1.0;
const PRIOR_MINUTES: f64 = 2.0;
/// Counts vary by at least this share of their square beyond what a Poisson process does.
const LEAST_VARIATION: f64 = 0.05;
/// In the first minutes everything is a burst.
const FIRST_MINUTES: f64 = 10.0;

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

    /// Counts one.
    pub(crate) fn count(&mut self, now: Timestamp) {
        self.advance(now);
        self.count = self.count.saturating_add(1);
        if self.burst.is_due(self.count) {
            self.burst = Burst::new(self.count, self.surprise());
        }
    }

    /// Nominal surprise of the count of this minute so far.
    pub(crate) fn nominal(&self) -> f64 {
        self.burst.nominal
    }

    /// How many there were in this minute so far.
    pub(crate) fn so_far(&self) -> u32 {
        self.count
    }

    /// The usual count a minute.
    pub(crate) fn usual(&self) -> f64 {
        (self.mean * self.minutes + PRIOR_MEAN * PRIOR_MINUTES / 2.0) / (self.minutes + PRIOR_MINUTES)
    }

    fn surprise(&self) -> f64 {
        let count = f64::from(self.count);
        let mean = self.usual();
        if count <= mean + 1.0 {
            return 0.0;
        }
        let varies = ((self.variance - self.mean) / (mean * mean)).at_least(LEAST_VARIATION);
        let shape = 1.0 / (varies + 1.0 / (self.minutes * self.mean + 0.5));
        let rate = Known {
            events: shape,
            exposure: shape / mean,
        };
        self.minutes / (self.minutes + FIRST_MINUTES) * compressed(rate.at_least(count, 1.0))
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
        self.burst = Burst::default();
    }

    fn close(&mut self, count: f64) {
        self.minutes = (self.minutes + 1.0).at_most(MEMORY);
        let away = count - self.mean;
        self.mean += away / self.minutes;
        self.variance += (away * (count - self.mean) - self.variance) / self.minutes;
    }
}

/// How many of the lines are errors: more lines have more errors, and that is no news.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Share {
    minute: i64,
    /// Errors and lines of this minute.
    errors: u32,
    lines: u32,
    /// Errors and lines of the minutes before, forgotten slowly.
    usual_errors: f64,
    usual_lines: f64,
    minutes: f64,
    burst: Burst,
}

/// Fewer errors than this say nothing of their share.
const FEWEST_ERRORS: u32 = 3;
/// What the share of errors is taken to be before any line was seen, in errors and lines.
const PRIOR_ERRORS: f64 = 0.5;
const PRIOR_LINES: f64 = 50.0;

impl Share {
    /// Counts a line.
    pub(crate) fn count(&mut self, now: Timestamp, error: bool) {
        let now = minute(now);
        if now > self.minute || self.minute - now > WRONG_CLOCK as i64 / 60 {
            self.minutes = (self.minutes + 1.0).at_most(MEMORY);
            let kept = 1.0 - 1.0 / MEMORY;
            self.usual_errors = kept * self.usual_errors + f64::from(self.errors);
            self.usual_lines = kept * self.usual_lines + f64::from(self.lines);
            (self.minute, self.errors, self.lines) = (now, 0, 0);
            self.burst = Burst::default();
        }
        self.lines = self.lines.saturating_add(1);
        if !error {
            return;
        }
        self.errors = self.errors.saturating_add(1);
        if self.errors >= FEWEST_ERRORS && self.burst.is_due(self.errors) {
            let rate = Known {
                events: self.usual_errors + PRIOR_ERRORS,
                exposure: self.usual_lines + PRIOR_LINES,
            };
            // Errors come in clusters as well: an old log knows its rate better than how much that varies.
            let dispersion = 1.0 + LEAST_VARIATION * rate.events;
            // The errors of a minute may come first in it.
            let lines = f64::from(self.lines).at_least(self.usual_lines / self.minutes);
            let nominal = rate.widened(dispersion).at_least(f64::from(self.errors), lines);
            let known = self.minutes / (self.minutes + FIRST_MINUTES);
            self.burst = Burst::new(self.errors, known * compressed(nominal));
        }
    }

    /// Nominal surprise of the errors of this minute so far, given its lines.
    pub(crate) fn nominal(&self) -> f64 {
        self.burst.nominal
    }

    /// Errors of this minute so far.
    pub(crate) fn so_far(&self) -> u32 {
        self.errors
    }

    /// Errors that are usual among so many lines.
    pub(crate) fn usual(&self) -> f64 {
        (self.usual_errors + PRIOR_ERRORS) / (self.usual_lines + PRIOR_LINES) * f64::from(self.lines)
    }
}

impl Burst {
    fn new(count: u32, nominal: f64) -> Self {
        Burst {
            next: count.saturating_add((count / 8).max(1)),
            nominal,
        }
    }

    fn is_due(&self, count: u32) -> bool {
        count >= self.next
    }
}

/// Decades are compressed logarithmically: the distribution is believed far beyond what was ever measured.
fn compressed(decades: f64) -> f64 {
    2.0 * libm::log10(1.0 + decades.at_least(0.0))
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
        // Another minute is another count.
        rate.count(at(121, 0));
        assert_eq!(rate.nominal(), 0.0);
    }

    #[test]
    fn the_first_minutes_say_little() {
        let mut rate = Rate::since(at(0, 0), at(0, 0));
        for _ in 0..20 {
            rate.count(at(0, 1));
        }
        assert!(rate.nominal() < 1.6, "{}", rate.nominal());
    }

    #[test]
    fn a_longer_burst_is_never_less_surprising() {
        let mut rate = Rate::since(at(0, 0), at(60, 0));
        let mut last = 0.0;
        for _ in 0..100_000 {
            rate.count(at(60, 1));
            assert!(rate.nominal() >= last, "{} after {last}", rate.nominal());
            last = rate.nominal();
        }
    }

    /// An hour of a hundred lines a minute of which two are errors, and then one minute.
    fn share(errors: u32, lines: u32) -> f64 {
        let mut share = Share::default();
        for minute in 0..60 {
            for n in 0..100 {
                share.count(at(minute, 0), n % 50 == 7);
            }
        }
        for n in 0..lines {
            share.count(at(60, 0), n % (lines / errors) == 0);
        }
        share.nominal()
    }

    #[test]
    fn errors_are_judged_by_the_lines_that_there_are() {
        assert!(share(20, 1000) < 0.5, "ten times the lines: {}", share(20, 1000));
        assert!(share(20, 100) > 1.2, "ten times the share: {}", share(20, 100));
        assert!(share(40, 100) > share(20, 100));
    }
}
