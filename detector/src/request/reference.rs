//! How long the requests of a route usually take (and how large its responses usually are): a histogram over the
//! logarithm, and what a single value means against it.

use serde::{Deserialize, Serialize};

use super::tail::{normal_quantile, of_normal};

/// Bins are a tenth wide: enough to see a route become a fifth slower, and few enough for a thousand routes.
const WIDTH: f64 = 0.1;
/// From 0.05 to 3.6 million (ms: an hour); for sizes of responses, which are larger, from 10 bytes on.
const BINS: usize = 182;
const LOWEST: f64 = -3.0;

/// The usual values forget with this half-life, in slots of ten seconds: twelve hours.
const HALF_LIFE: f64 = 4320.0;

/// How a value compares with the usual ones.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Standing {
    /// Its normal score: mean 0 and variance 1 over the usual values (van der Waerden 1952).
    pub(super) z: f64,
    /// The square of it, with mean 0 and variance 1.
    pub(super) w: f64,
    /// The logarithm of its ratio to the usual value.
    pub(super) ratio: f64,
    /// Whether it is among the usual largest twentieth.
    pub(super) slow: bool,
    /// `−log10` of the share of usual values that are at least as large.
    pub(super) surprise: f64,
}

/// The distribution of one quantity of one route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reference {
    usual: Vec<f32>,
    total: f64,
    /// Sum of logarithms of the usual values.
    logs: f64,
    /// What came in this span of five minutes and in the one before it, which is learned next.
    pending: [Recent; 2],
    scale: f64,
    /// Derived from `usual`: normal scores of the bins.
    scores: Vec<f32>,
    score_mean: f64,
    score_spread: f64,
    square_spread: f64,
    /// The first bin of the largest twentieth, and the share that it and those above it really hold.
    slow_from: usize,
    slow_share: f64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Recent {
    counts: Vec<u32>,
    total: f64,
    logs: f64,
}

impl Recent {
    fn clear(&mut self) {
        self.counts.clear();
        self.total = 0.0;
        self.logs = 0.0;
    }
}

impl Reference {
    /// `scale` is the value that counts as 1.
    pub(super) fn new(scale: f64) -> Self {
        Reference {
            usual: Vec::new(),
            total: 0.0,
            logs: 0.0,
            pending: [Recent::default(), Recent::default()],
            scale,
            scores: Vec::new(),
            score_mean: 0.0,
            score_spread: 1.0,
            square_spread: 1.0,
            slow_from: BINS,
            slow_share: 0.0,
        }
    }

    /// The usual value: the geometric mean.
    pub(super) fn usual(&self) -> f64 {
        self.scale * libm::exp(self.logs / self.total.at_least(1e-9))
    }

    pub(super) fn slow_share(&self) -> f64 {
        self.slow_share
    }

    /// Takes a value in, to be learned later, and says how it compares with what is known by now.
    pub(super) fn observe(&mut self, value: f64) -> Option<Standing> {
        let log = libm::log((value / self.scale).at_least(1e-300));
        let log = log.at_least(LOWEST);
        let bin = (((log - LOWEST) / WIDTH) as usize).min(BINS - 1);
        let [now, _] = &mut self.pending;
        if now.counts.len() <= bin {
            now.counts.resize(bin + 1, 0);
        }
        if let Some(count) = now.counts.get_mut(bin) {
            *count += 1;
            now.total += 1.0;
            now.logs += log;
        }
        if self.total < LEAST_KNOWN {
            return None;
        }
        let score = f64::from(self.scores.get(bin).or(self.scores.last()).copied().unwrap_or(0.0));
        let z = (score - self.score_mean) / self.score_spread;
        Some(Standing {
            z,
            w: (z * z - 1.0) / self.square_spread,
            ratio: log - self.logs / self.total,
            slow: bin >= self.slow_from,
            surprise: of_normal(score),
        })
    }

    /// A span of so many slots is over: what came in the span before it is learned with this weight. With `at_once`,
    /// what came in this span is as well, because nothing is known yet.
    pub(super) fn turn(&mut self, slots: f64, weight: Option<f64>, at_once: bool) {
        if let Some(weight) = weight {
            let kept = libm::exp(-slots / HALF_LIFE * std::f64::consts::LN_2);
            if self.total > LEAST_KNOWN {
                self.usual.iter_mut().for_each(|count| *count *= kept as f32);
                self.total *= kept;
                self.logs *= kept;
            }
            let [now, before] = &mut self.pending;
            let spans: &mut [&mut Recent] = if at_once { &mut [before, now] } else { &mut [before] };
            for recent in spans {
                if self.usual.len() < recent.counts.len() {
                    self.usual.resize(recent.counts.len(), 0.0);
                }
                for (usual, count) in self.usual.iter_mut().zip(&recent.counts) {
                    *usual += (f64::from(*count) * weight) as f32;
                }
                self.total += recent.total * weight;
                self.logs += recent.logs * weight;
                recent.clear();
            }
            self.settle();
        }
        let [now, before] = &mut self.pending;
        std::mem::swap(now, before);
        now.clear();
    }

    /// The level that there is now is the usual one from here on.
    pub(super) fn restart(&mut self) {
        self.usual.clear();
        self.total = 0.0;
        self.logs = 0.0;
        self.turn(0.0, Some(1.0), true);
    }

    /// Scores of the bins, from what is usual: the middle of the ranks that a bin takes.
    fn settle(&mut self) {
        if self.total <= 0.0 {
            self.scores.clear();
            return;
        }
        let all: f64 = self.usual.iter().map(|count| f64::from(*count)).sum();
        let mut below = 0.0;
        self.scores.clear();
        self.slow_from = self.usual.len();
        let (mut mean, mut square, mut fourth) = (0.0, 0.0, 0.0);
        for (bin, count) in self.usual.iter().enumerate() {
            let count = f64::from(*count);
            let rank = (below + 0.5 * count + 0.5) / (all + 1.0);
            if below >= SLOW * all {
                self.slow_from = self.slow_from.min(bin);
            }
            below += count;
            let score = normal_quantile(rank.clamp(1e-6, 1.0 - 1e-6));
            self.scores.push(score as f32);
            mean += count * score / all;
        }
        // Beyond everything that was ever seen there is one more bin.
        self.scores.push(normal_quantile((all + 0.75) / (all + 1.0)) as f32);
        for (count, score) in self.usual.iter().zip(&self.scores) {
            let count = f64::from(*count);
            let z = f64::from(*score) - mean;
            square += count * z * z / all;
            fourth += count * z * z * z * z / all;
        }
        self.score_mean = mean;
        // Values that are all alike have no spread, and a value beside them is still no miracle.
        self.score_spread = square.sqrt().at_least(0.3);
        let variance = self.score_spread * self.score_spread;
        self.square_spread = (fourth / (variance * variance) - 1.0).at_least(0.5).sqrt();
        let slow: f64 = self
            .usual
            .iter()
            .skip(self.slow_from)
            .map(|count| f64::from(*count))
            .sum();
        self.slow_share = slow / all;
    }
}

/// What is slower than so many of the usual requests is slow.
const SLOW: f64 = 0.95;

/// Before so many values nobody knows what is usual. So much is never forgotten, either: a route that is asked once a
/// day is known by its last requests.
const LEAST_KNOWN: f64 = 50.0;
use crate::number::Bounded;

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(state: &mut u64) -> f64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((*state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn learned(values: impl Iterator<Item = f64>) -> Reference {
        let mut reference = Reference::new(1.0);
        for value in values {
            reference.observe(value);
        }
        reference.turn(30.0, Some(1.0), true);
        reference
    }

    #[test]
    fn usual_values_have_mean_zero_and_variance_one() {
        let mut state = 5;
        let value = move |state: &mut u64| 40.0 * libm::exp(0.5 * normal_quantile(uniform(state)));
        let mut reference = learned((0..20_000).map(|_| value(&mut state)));
        assert!((reference.usual() / 40.0 - 1.0).abs() < 0.02, "{}", reference.usual());
        let (mut z, mut zz, mut w, mut slow) = (0.0, 0.0, 0.0, 0.0);
        let count = 20_000;
        for _ in 0..count {
            let standing = reference.observe(value(&mut state)).unwrap();
            z += standing.z;
            zz += standing.z * standing.z;
            w += standing.w;
            slow += f64::from(u8::from(standing.slow));
        }
        let count = f64::from(count);
        assert!((z / count).abs() < 0.03 && (zz / count - 1.0).abs() < 0.05 && (w / count).abs() < 0.05);
        assert!((slow / count - reference.slow_share()).abs() < 0.01);
        assert!(
            (0.02..0.09).contains(&reference.slow_share()),
            "{}",
            reference.slow_share()
        );
    }

    #[test]
    fn strange_values_are_finite_and_far_out() {
        let mut reference = learned((0..1_000).map(|n| f64::from(n % 7 + 20)));
        for value in [0.0, 1e-300, 5e-324, 1e300, f64::MAX] {
            let standing = reference.observe(value).unwrap();
            assert!(standing.z.is_finite() && standing.w.is_finite() && standing.ratio.is_finite());
            assert!(standing.surprise.is_finite() && standing.surprise >= 0.0);
        }
        assert!(reference.observe(1e6).unwrap().z > 2.5);
        assert!(reference.observe(1e6).unwrap().surprise > 2.5);
    }

    #[test]
    fn what_is_pending_is_not_usual_yet() {
        let mut reference = learned((0..1_000).map(|_| 20.0));
        for _ in 0..500 {
            reference.observe(200.0);
        }
        reference.turn(30.0, Some(1.0), false);
        assert!(reference.observe(200.0).unwrap().ratio > 2.0);
        reference.turn(30.0, Some(1.0), false);
        assert!(reference.observe(200.0).unwrap().ratio < 2.0);
    }
}
