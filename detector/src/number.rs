//! Bounds of numbers by comparison: wasm has no instruction for what `f64::max` and `f64::min` say of what is no number,
//! so that each of these is a call there.

/// Numbers that can be bounded.
pub(crate) trait Bounded: Copy {
    /// The greater one; the other one where either is no number.
    fn at_least(self, low: Self) -> Self;

    /// The lesser one; the other one where either is no number.
    fn at_most(self, high: Self) -> Self;
}

impl Bounded for f64 {
    fn at_least(self, low: f64) -> f64 {
        if self > low || low.is_nan() { self } else { low }
    }

    fn at_most(self, high: f64) -> f64 {
        if self < high || high.is_nan() { self } else { high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_standard_library() {
        let numbers = [f64::NAN, f64::NEG_INFINITY, -1.5, 0.0, 1e-300, 2.0, f64::INFINITY];
        for a in numbers {
            for b in numbers {
                assert_eq!(a.at_least(b).to_bits(), a.max(b).to_bits(), "{a} {b}");
                assert_eq!(a.at_most(b).to_bits(), a.min(b).to_bits(), "{a} {b}");
            }
        }
    }
}
