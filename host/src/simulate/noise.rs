//! Randomness: one seeded stream per simulated thing, and the distributions
//! the shop needs. Everything transcendental goes through `libm`, so that the
//! same seed gives the same bytes on every platform.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A seeded stream of random numbers.
pub(super) struct Noise {
    generator: Pcg64Mcg,
    /// The polar method makes normal variates in pairs; the second waits here.
    spare: Option<f64>,
}

impl Noise {
    /// Every service, every route and the log has its own stream, so that an
    /// event scheduled for one of them leaves the others' noise as it was.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mixed = seed ^ (stream + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            generator: Pcg64Mcg::seed_from_u64(mixed),
            spare: None,
        }
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Uniform among `0..bound`, for a bound above zero.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.generator.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let x = 2.0 * self.unit() - 1.0;
            let y = 2.0 * self.unit() - 1.0;
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// Log-normal around a median of one.
    pub(super) fn lognormal(&mut self, sigma: f64) -> f64 {
        libm::exp(sigma * self.normal())
    }

    /// How many independent events happen when `mean` are expected.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        // Above thirty the normal approximation is within what anyone could
        // measure, and its cost does not grow with the mean.
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).max(0.0).round() as u32;
        }
        let floor = libm::exp(-mean);
        let mut product = self.unit();
        let mut count = 0;
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// How many of `trials` succeed.
    pub(super) fn binomial(&mut self, trials: u32, probability: f64) -> u32 {
        if trials == 0 || probability <= 0.0 {
            return 0;
        }
        if probability > 0.5 {
            return trials - self.binomial(trials, 1.0 - probability);
        }
        let mean = f64::from(trials) * probability;
        if mean > 20.0 {
            let spread = (mean * (1.0 - probability)).sqrt();
            return ((mean + spread * self.normal()).max(0.0).round() as u32).min(trials);
        }
        if trials > 64 {
            return self.poisson(mean).min(trials);
        }
        (0..trials).filter(|_| self.chance(probability)).count() as u32
    }
}

/// First-order autoregressive noise around zero: what a quantity does that
/// depends mostly on where it was half a minute ago.
pub(super) struct Drift {
    value: f64,
    memory: f64,
    kick: f64,
}

impl Drift {
    /// `memory` is the correlation between neighbouring ticks, `spread` the
    /// standard deviation over a long time.
    pub(super) fn new(memory: f64, spread: f64) -> Self {
        Self {
            value: 0.0,
            memory,
            kick: spread * (1.0 - memory * memory).sqrt(),
        }
    }

    pub(super) fn step(&mut self, noise: &mut Noise) -> f64 {
        self.value = self.memory * self.value + self.kick * noise.normal();
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_variance(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let square = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        (mean, square / values.len() as f64)
    }

    #[test]
    fn counts_have_the_moments_of_their_distribution() {
        let mut noise = Noise::new(7, 0);
        for mean in [0.3, 4.0, 29.0, 400.0] {
            let draws: Vec<f64> = (0..20_000).map(|_| f64::from(noise.poisson(mean))).collect();
            let (m, v) = mean_and_variance(&draws);
            assert!((m - mean).abs() < 0.04 * mean, "mean {m} of {mean}");
            assert!((v - mean).abs() < 0.08 * mean, "variance {v} of {mean}");
        }
        for (trials, probability) in [(10, 0.2), (60, 0.98), (900, 0.002), (900, 0.3)] {
            let draws: Vec<f64> = (0..20_000)
                .map(|_| f64::from(noise.binomial(trials, probability)))
                .collect();
            let (m, _) = mean_and_variance(&draws);
            let expected = f64::from(trials) * probability;
            assert!((m - expected).abs() < 0.04 * expected, "mean {m} of {expected}");
        }
    }

    #[test]
    fn drift_keeps_its_spread() {
        let mut noise = Noise::new(7, 1);
        let mut drift = Drift::new(0.9, 0.05);
        let steps: Vec<f64> = (0..50_000).map(|_| drift.step(&mut noise)).collect();
        let (mean, variance) = mean_and_variance(&steps);
        assert!(mean.abs() < 0.005);
        assert!((variance.sqrt() - 0.05).abs() < 0.005);
    }
}
