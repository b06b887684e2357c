//! Counts under a rate that is itself uncertain.

use crate::threshold::within;

/// A surprise above this is not told from it.
const MOST: f64 = 60.0;

/// What is known of a rate: a gamma distribution with this many events in this much exposure.
///
/// A count under such a rate follows a negative binomial distribution (Gamma–Poisson), so that what was seen seldom
/// is known badly, and a count that would surprise an expert does not surprise a beginner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) events: f64,
    pub(crate) exposure: f64,
}

impl Rate {
    pub(crate) fn mean(&self) -> f64 {
        self.events / self.exposure
    }

    /// The same rate, known `dispersion` times less well: real counts vary more than by chance.
    pub(crate) fn widened(self, dispersion: f64) -> Rate {
        Rate {
            events: self.events / dispersion,
            exposure: self.exposure / dispersion,
        }
    }

    /// How surprising it is that at least `count` events come in this much exposure.
    pub(crate) fn at_least(&self, count: f64, exposure: f64) -> f64 {
        if count <= 0.0 {
            return 0.0;
        }
        // The terms of the tail fall from the mean on; below it, nothing is surprising.
        if count <= self.mean() * exposure {
            return 0.0;
        }
        let step = exposure / (self.exposure + exposure);
        let mut term = 1.0;
        let mut sum = 1.0;
        let mut at = count;
        for _ in 0..MOST_TERMS {
            term *= (at + self.events) / (at + 1.0) * step;
            sum += term;
            at += 1.0;
            if term < sum * 1e-9 {
                break;
            }
        }
        within(self.surprise_of(count, exposure) - libm::log10(sum), 0.0, MOST)
    }

    /// How surprising it is that at most `count` events come in this much exposure.
    pub(crate) fn at_most(&self, count: f64, exposure: f64) -> f64 {
        if count >= self.mean() * exposure {
            return 0.0;
        }
        let step = exposure / (self.exposure + exposure);
        let mut term = 1.0;
        let mut sum = 1.0;
        let mut at = count;
        for _ in 0..MOST_TERMS {
            if at < 1.0 {
                break;
            }
            term *= at / ((at - 1.0 + self.events) * step);
            sum += term;
            at -= 1.0;
            if term < sum * 1e-9 {
                break;
            }
        }
        within(self.surprise_of(count, exposure) - libm::log10(sum), 0.0, MOST)
    }

    /// `−log10` of the probability of exactly `count` events.
    fn surprise_of(&self, count: f64, exposure: f64) -> f64 {
        let all = self.exposure + exposure;
        let log = libm::lgamma(count + self.events) - libm::lgamma(count + 1.0) - libm::lgamma(self.events)
            + self.events * libm::log(self.exposure / all)
            + count * libm::log(exposure / all);
        -log / std::f64::consts::LN_10
    }
}

const MOST_TERMS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_is_well_known_is_poisson() {
        // P(X ≥ 20 | 10) = 0.003454, P(X ≤ 3 | 10) = 0.010336.
        let rate = Rate {
            events: 1e7,
            exposure: 1e6,
        };
        assert!(
            (rate.at_least(20.0, 1.0) - 2.4617).abs() < 1e-3,
            "{}",
            rate.at_least(20.0, 1.0)
        );
        assert!(
            (rate.at_most(3.0, 1.0) - 1.9857).abs() < 1e-3,
            "{}",
            rate.at_most(3.0, 1.0)
        );
        assert_eq!(rate.at_least(5.0, 1.0), 0.0);
        assert_eq!(rate.at_most(15.0, 1.0), 0.0);
    }

    #[test]
    fn a_rate_that_is_hardly_known_surprises_less() {
        let known = Rate {
            events: 500.0,
            exposure: 100_000.0,
        };
        let guessed = Rate {
            events: 0.25,
            exposure: 50.0,
        };
        assert!(guessed.at_least(6.0, 100.0) < known.at_least(6.0, 100.0));
        assert!(known.widened(4.0).at_least(6.0, 100.0) <= known.at_least(6.0, 100.0));
    }

    #[test]
    fn surprise_is_monotone_and_finite() {
        let rate = Rate {
            events: 3.0,
            exposure: 40.0,
        };
        let mut last = 0.0;
        for count in 0..5_000 {
            let now = rate.at_least(f64::from(count), 100.0);
            assert!(now.is_finite() && now >= last - 1e-9, "{count}: {now} after {last}");
            last = now;
        }
        assert!(rate.at_most(0.0, 1e9).is_finite());
    }
}
