//! How many people are in the shop: the shape of a day, the weekday, and the
//! slow wandering that makes no two days alike.

use super::noise::{Drift, Noise};

/// Demand relative to an ordinary evening peak, at each full hour UTC.
const HOURS: [f64; 24] = [
    0.34, 0.26, 0.21, 0.19, 0.19, 0.22, 0.32, 0.48, 0.63, 0.74, 0.80, 0.87, //
    0.96, 0.93, 0.83, 0.79, 0.81, 0.87, 0.94, 1.00, 0.99, 0.87, 0.67, 0.48,
];

/// Monday first. The weekend sells a little more.
const WEEKDAYS: [f64; 7] = [1.00, 0.98, 0.97, 1.00, 1.03, 1.12, 1.14];

/// The demand of the moment, before campaigns.
pub(super) struct Load {
    noise: Noise,
    weather: Drift,
    chatter: Drift,
}

impl Load {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            noise: Noise::new(seed, 0),
            // The first remembers about four hours, the second three minutes.
            weather: Drift::new(0.998, 0.04),
            chatter: Drift::new(0.85, 0.02),
        }
    }

    pub(super) fn step(&mut self, second: i64) -> f64 {
        let wandering = self.weather.step(&mut self.noise) + self.chatter.step(&mut self.noise);
        expected(second) * libm::exp(wandering)
    }
}

/// The demand one would plan for at this moment, without noise.
pub(super) fn expected(second: i64) -> f64 {
    let of_day = second.rem_euclid(86_400) as f64 / 3600.0;
    let hour = of_day as usize % 24;
    // A raised cosine between the hours leaves no corners in the curve.
    let blend = 0.5 - 0.5 * libm::cos(std::f64::consts::PI * (of_day - hour as f64));
    let shape = HOURS[hour] * (1.0 - blend) + HOURS[(hour + 1) % 24] * blend;
    // Day zero of the Unix epoch was a Thursday.
    let weekday = (second.div_euclid(86_400) + 3).rem_euclid(7) as usize;
    shape * WEEKDAYS[weekday]
}

/// How much slower everything answers at this demand than in an empty shop.
pub(super) fn crowding(demand: f64) -> f64 {
    1.0 + 0.06 * demand + 0.06 * demand * demand
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_a_trough_and_a_peak() {
        let day: Vec<f64> = (0..2880).map(|tick| expected(tick * 30)).collect();
        let peak = day.iter().copied().fold(0.0, f64::max);
        let trough = day.iter().copied().fold(f64::MAX, f64::min);
        assert!((4.0..6.0).contains(&(peak / trough)));
        let jump = day.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        assert!(jump < 0.01);
    }
}
