//! Metrics that count rare things: errors, retries, restarts.

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::threshold::within;

/// What is known of a metric whose values are small whole numbers.
///
/// Between 0 and 4 there is no spread in which a value could be measured. Such values are taken to be Poisson, with a
/// rate that follows a gamma distribution, both as the metric itself shows them: the next value then is negative
/// binomial (Greenwood and Yule, 1920), and its surprise is the tail of that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    seen: f64,
    mean: f64,
    /// Mean square of the distance from what was expected, and of what was expected.
    scatter: f64,
    square: f64,
}

/// Larger counts have a spread like any other metric.
const MOST_MEAN: f64 = 10.0;
/// So many values are needed to tell, and so many are remembered.
const FIRST_VALUES: f64 = 16.0;
const MEMORY: f64 = 4096.0;
/// What scatters less than this share of what a Poisson process does is no count of independent things.
const LEAST_SCATTER: f64 = 0.4;
/// A season knows the rate of a time from a few counts, so that it does not have all the say.
const OF_MEAN: f64 = 0.2;
/// Where the tail is this thin it is summed from its start: one minus the rest would be rounding.
const THIN: f64 = 1e-6;
const MOST_TERMS: u32 = 200;
/// No more is ever said of one value.
const MOST: f64 = 60.0;

impl Counts {
    /// Begins with the first value, where that can be a count.
    pub(super) fn new(first: f64) -> Option<Self> {
        is_count(first).then_some(Counts {
            seen: 0.0,
            mean: 0.0,
            scatter: 0.0,
            square: 0.0,
        })
    }

    /// Nominal surprise of a value, on either side, where it can be judged as a count. `usual` is what the season
    /// expects.
    pub(super) fn nominal(&self, value: f64, usual: Option<f64>) -> Option<f64> {
        let known = self.seen >= FIRST_VALUES
            && self.mean > 0.0
            && self.mean <= MOST_MEAN
            && self.scatter >= LEAST_SCATTER * self.mean;
        if !known || value < 0.0 {
            return None;
        }
        let mean = self.expected(usual);
        // The rate varies by as much as the values scatter beyond Poisson, and is known as well as there were counts.
        let varies = ((self.scatter - self.mean) / self.square.at_least(1e-9)).at_least(0.0);
        let shape = 1.0 / (varies + 1.0 / (self.seen * self.mean + 0.5));
        Some(surprise(libm::floor(value), mean, shape))
    }

    /// Learns a value. What is no count ends it.
    pub(super) fn learn(&mut self, value: f64, usual: Option<f64>, weight: f64) -> bool {
        if !is_count(value) {
            return false;
        }
        self.seen = (self.seen + weight).at_most(MEMORY);
        if self.seen <= 0.0 {
            return true;
        }
        let expected = self.expected(usual);
        // One burst must not make the next one usual.
        let most = if self.seen > FIRST_VALUES {
            self.mean + 6.0 * self.scatter.at_least(self.mean).sqrt() + 3.0
        } else {
            f64::INFINITY
        };
        let value = value.at_most(most);
        let rate = (weight / self.seen).at_most(1.0);
        let away = value - expected;
        self.mean += rate * (value - self.mean);
        self.scatter += rate * (away * away - self.scatter);
        self.square += rate * (expected * expected - self.square);
        true
    }

    fn expected(&self, usual: Option<f64>) -> f64 {
        match usual {
            Some(usual) => OF_MEAN * self.mean + (1.0 - OF_MEAN) * usual.at_least(0.0),
            None => self.mean,
        }
    }
}

fn is_count(value: f64) -> bool {
    (0.0..=1e9).contains(&value) && libm::trunc(value) == value
}

/// Of a value of a negative binomial distribution: the tail of its side, twice.
fn surprise(value: f64, mean: f64, shape: f64) -> f64 {
    let q = mean / (shape + mean);
    let none = libm::exp(-shape * libm::log1p(mean / shape));
    if value > LONGEST_SUM {
        return beyond(value, mean, shape, q);
    }
    // The probability of less than the value, and of exactly it.
    let (mut below, mut exactly, mut k) = (0.0, none, 0.0);
    while k < value {
        below += exactly;
        exactly *= (shape + k) / (k + 1.0) * q;
        k += 1.0;
    }
    let above = 1.0 - below;
    if value > mean && above < THIN {
        return beyond(value, mean, shape, q);
    }
    let tail = if value > mean { above } else { below + exactly };
    -libm::log10(within(2.0 * tail, 1e-60, 1.0))
}

/// Beyond this nothing is summed up to the value.
const LONGEST_SUM: f64 = 64.0;

/// The surprise of a value far above the mean: its probability, and that of what is beyond it as far as that counts.
fn beyond(value: f64, mean: f64, shape: f64, q: f64) -> f64 {
    let log = libm::lgamma(shape + value)
        - libm::lgamma(shape)
        - libm::lgamma(value + 1.0)
        - shape * libm::log1p(mean / shape)
        + value * libm::log(q);
    let (mut sum, mut term, mut k) = (0.0, 1.0, value);
    for _ in 0..MOST_TERMS {
        sum += term;
        term *= (shape + k) / (k + 1.0) * q;
        k += 1.0;
        if term < 1e-3 * sum {
            break;
        }
    }
    let surprise = -(log + libm::log(2.0 * sum)) / std::f64::consts::LN_10;
    within(surprise, 0.0, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(values: &[f64], times: usize) -> Counts {
        let mut counts = Counts::new(0.0).unwrap();
        for _ in 0..times {
            for value in values {
                assert!(counts.learn(*value, None, 1.0));
            }
        }
        counts
    }

    #[test]
    fn tails_are_those_of_the_distribution() {
        // A shape this large is Poisson.
        let poisson = |value| libm::pow(10.0, -surprise(value, 2.0, 1e9));
        for (value, tail) in [
            (0.0, 0.135_335),
            (4.0, 0.142_877),
            (8.0, 1.096_72e-3),
            (12.0, 1.364_6e-6),
        ] {
            let found = poisson(value);
            assert!((found / (2.0 * tail) - 1.0).abs() < 1e-3, "{value}: {found}");
        }
        // A shape of one is geometric.
        for value in [3.0, 20.0, 63.0, 65.0, 200.0] {
            let found = surprise(value, 2.0, 1.0);
            let exact = -value * libm::log10(2.0 / 3.0) - libm::log10(2.0);
            assert!((found - exact).abs() < 0.02, "{value}: {found} {exact}");
        }
    }

    #[test]
    fn a_rare_error_is_no_news_and_a_burst_is() {
        let mut values = [0.0; 20];
        values[3] = 1.0;
        let counts = learned(&values, 50);
        let of = |value| counts.nominal(value, None).unwrap();
        assert_eq!(of(0.0), 0.0);
        assert!(of(1.0) < 1.2, "{}", of(1.0));
        assert!(of(4.0) > 4.0, "{}", of(4.0));
        // What scatters anyhow says less.
        values[3] = 4.0;
        let clumsy = learned(&values, 50);
        assert!(clumsy.nominal(4.0, None).unwrap() < 2.0);
    }

    #[test]
    fn what_is_no_count_is_not_judged_as_one() {
        assert_eq!(Counts::new(0.5), None);
        assert_eq!(Counts::new(-1.0), None);
        assert!(!learned(&[1.0, 2.0], 20).learn(1.5, None, 1.0));
        // A state that hardly ever changes, counts that are large, and nothing at all so far.
        for values in [[1.0, 1.0], [30.0, 25.0], [0.0, 0.0]] {
            assert_eq!(learned(&values, 50).nominal(3.0, None), None, "{values:?}");
        }
    }

    #[test]
    fn surprise_rises_with_the_value_and_is_finite() {
        let counts = learned(&[0.0, 1.0, 0.0, 3.0, 1.0], 40);
        let mut last = 0.0;
        for value in [2.0, 4.0, 9.0, 20.0, 60.0, 64.0, 65.0, 70.0, 1e3, 1e9, 1e30] {
            let now = counts.nominal(value, None).unwrap();
            assert!(now.is_finite() && now >= last - 1e-6, "{value}: {now} after {last}");
            last = now;
        }
        assert!(counts.nominal(3.0, Some(0.0)).unwrap() > counts.nominal(3.0, Some(3.0)).unwrap());
    }
}
