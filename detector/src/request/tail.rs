//! Tails of the distributions that counts and sums of requests follow, as nominal surprise.

use crate::number::Bounded;
use crate::threshold::within;

/// A surprise above this is not told from it.
const MOST: f64 = 60.0;

/// `−log10` of the probability that a standard normal variable reaches `z`.
pub(super) fn of_normal(z: f64) -> f64 {
    within(-libm::log10(0.5 * libm::erfc(z / std::f64::consts::SQRT_2)), 0.0, MOST)
}

/// `−log10` of the probability that a sum of squares reaches `z` of its standard deviations above its mean, where
/// the sum has a gamma distribution of this shape: the cube root of it is nearly normal (Wilson and Hilferty 1931).
pub(super) fn of_gamma(z: f64, shape: f64) -> f64 {
    let shape = shape.at_least(0.5);
    let root = libm::cbrt((1.0 + z / shape.sqrt()).at_least(0.0));
    of_normal((root - 1.0 + 1.0 / (9.0 * shape)) * 3.0 * shape.sqrt())
}

/// The standard normal quantile of a probability in (0, 1): Acklam's rational approximation (2003), whose relative
/// error is below 1.2e-9.
pub(super) fn normal_quantile(p: f64) -> f64 {
    const LOW: f64 = 0.024_25;
    let tail = |q: f64| {
        let numerator = ((((-7.784_894_002_430_293e-3 * q - 3.223_964_580_411_365e-1) * q - 2.400_758_277_161_838)
            * q
            - 2.549_732_539_343_734)
            * q
            + 4.374_664_141_464_968)
            * q
            + 2.938_163_982_698_783;
        let denominator = (((7.784_695_709_041_462e-3 * q + 3.224_671_290_700_398e-1) * q + 2.445_134_137_142_996) * q
            + 3.754_408_661_907_416)
            * q
            + 1.0;
        numerator / denominator
    };
    if p < LOW {
        return tail((-2.0 * libm::log(p)).sqrt());
    }
    if p > 1.0 - LOW {
        return -tail((-2.0 * libm::log(1.0 - p)).sqrt());
    }
    let q = p - 0.5;
    let r = q * q;
    let numerator = (((((-3.969_683_028_665_376e1 * r + 2.209_460_984_245_205e2) * r - 2.759_285_104_469_687e2) * r
        + 1.383_577_518_672_69e2)
        * r
        - 3.066_479_806_614_716e1)
        * r
        + 2.506_628_277_459_239)
        * q;
    let denominator = ((((-5.447_609_879_822_406e1 * r + 1.615_858_368_580_409e2) * r - 1.556_989_798_598_866e2) * r
        + 6.680_131_188_771_972e1)
        * r
        - 1.328_068_155_288_572e1)
        * r
        + 1.0;
    numerator / denominator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_tails_and_quantiles_agree() {
        for z in [0.0, 0.5, 1.0, 2.0, 3.0, 3.7] {
            let p = libm::pow(10.0, -of_normal(z));
            assert!((normal_quantile(1.0 - p) - z).abs() < 1e-6, "{z}");
            assert!((normal_quantile(p) + z).abs() < 1e-6, "{z}");
        }
        assert!((of_normal(3.0) - 2.869_694).abs() < 1e-5);
    }

    #[test]
    fn sums_of_squares_have_heavier_tails() {
        // P(χ² with 80 degrees of freedom ≥ 143.2) = 1.96e-5, five standard deviations above the mean.
        assert!(
            (of_gamma(4.9966, 40.0) - 4.71).abs() < 0.05,
            "{}",
            of_gamma(4.9966, 40.0)
        );
        assert!((of_gamma(4.0, 1e9) - of_normal(4.0)).abs() < 1e-3);
        assert!(of_gamma(-1e9, 3.0).is_finite());
    }
}
