//! Near misses, told in a line each after the table: who scores a short file wants to know what came closest.

use watchpost_detector::{Anomaly, Phase};

use crate::cli::console::Console;
use crate::cli::page::{self, words};

/// So many are told, those that came nearest; the rest is counted.
const SHOWN: usize = 3;

#[derive(Debug, Default)]
pub(super) struct NearMisses {
    nearest: Vec<Anomaly>,
    count: u64,
}

impl NearMisses {
    pub(super) fn hear(&mut self, anomaly: &Anomaly) {
        if anomaly.phase != Phase::Near {
            return;
        }
        self.count += 1;
        let place = self.nearest.partition_point(|known| gap(known) <= gap(anomaly));
        if place < SHOWN {
            self.nearest.insert(place, anomaly.clone());
            self.nearest.truncate(SHOWN);
        }
    }

    /// Says what they are, and with which budget each would have been an alarm where it was `budget`.
    pub(super) fn tell(&self, budget: f64, console: &Console) {
        if self.nearest.is_empty() {
            return;
        }
        let count = words::counted_as(self.count, "near miss", "near misses");
        let which = if self.count > SHOWN as u64 { "; the nearest" } else { "" };
        console.summary(format_args!(
            "{count}, which a larger budget would have reported{which}:"
        ));
        for anomaly in &self.nearest {
            let enough = words::number(enough(budget, gap(anomaly)));
            let told = page::sentence(anomaly);
            console.summary(format_args!("  {told} (--false-alarms-per-day {enough})"));
        }
    }
}

/// How far it stayed below the threshold, in decades.
fn gap(anomaly: &Anomaly) -> f64 {
    anomaly.threshold - anomaly.surprise
}

/// The least budget that would have raised the alarm, rounded up to a digit: a decade of surprise is a tenth of the budget.
fn enough(budget: f64, gap: f64) -> f64 {
    let least = budget * 10_f64.powf(gap);
    let digit = 10_f64.powf(least.log10().floor());
    (least / digit).ceil() * digit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_that_is_named_is_enough_and_short() {
        for (gap, told) in [(0.0, "0.1"), (0.01, "0.2"), (0.5, "0.4"), (0.95, "0.9"), (0.96, "1")] {
            assert_eq!(words::number(enough(0.1, gap)), told, "{gap}");
        }
        assert_eq!(words::number(enough(20.0, 0.9)), "200");
    }
}
