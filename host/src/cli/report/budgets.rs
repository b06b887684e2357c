//! What another budget would have fired.
//!
//! A budget that is ten times as large has a threshold that is a decade lower, all else being the same. So an alarm
//! that was so far beyond its threshold would have been one under a smaller budget, too, and a near miss one under a
//! larger budget. What that budget would have learned from its own alarms is left out.

use serde::Serialize;
use watchpost_detector::{AlarmRate, NEAR_BUDGET};

use super::incidents::Incident;

/// The alarms of a period under several budgets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Budgets {
    /// The budget that the detectors had.
    pub(super) now: f64,
    /// From the smallest to the largest.
    pub(super) rows: Vec<Row>,
    /// The largest budget that the log can tell of.
    pub(super) told_up_to: f64,
    /// What they were counted from.
    pub(super) alarms: usize,
    pub(super) near_misses: usize,
    /// Alarms of which the log does not tell how strange they became: smaller budgets may have raised them as well.
    pub(super) without_end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) false_alarms_per_day: f64,
    /// Nothing where the log cannot tell.
    pub(super) alarms: Option<usize>,
}

/// The budgets that are shown, in parts of the one that was.
const SHOWN: [f64; 5] = [0.1, 0.3, 1.0, 3.0, 10.0];

impl Budgets {
    /// Counts the incidents of a period, also under `asked`. Whether near misses were told at all, their absence does
    /// not say: the configuration or the rest of the log does.
    pub(super) fn of(
        incidents: &[&Incident],
        now: AlarmRate,
        asked: Option<AlarmRate>,
        near_misses_told: bool,
    ) -> Self {
        let now = now.per_day();
        let near_misses = incidents.iter().filter(|incident| incident.is_near()).count();
        let alarms = incidents.len() - near_misses;
        let told_up_to = if near_misses_told { now * NEAR_BUDGET } else { now };
        let mut budgets: Vec<f64> = SHOWN.iter().map(|part| rounded(part * now)).collect();
        budgets.extend(asked.map(AlarmRate::per_day));
        budgets.sort_by(f64::total_cmp);
        budgets.dedup();
        let row = |budget: f64| Row {
            false_alarms_per_day: budget,
            alarms: (budget <= told_up_to * (1.0 + SAME))
                .then(|| incidents.iter().filter(|incident| incident.fires(budget, now)).count()),
        };
        Budgets {
            now,
            rows: budgets.into_iter().map(row).collect(),
            told_up_to: rounded(told_up_to),
            alarms,
            near_misses,
            without_end: incidents.iter().filter(|incident| !incident.is_whole()).count(),
        }
    }
}

/// Numbers that differ by less are meant to be the same.
const SAME: f64 = 1e-9;

impl Incident {
    /// Whether a budget would have raised an alarm for it, where the one that was is `now`.
    pub(super) fn fires(&self, budget: f64, now: f64) -> bool {
        // What was raised was raised, however its threshold was written.
        if budget >= now * (1.0 - SAME) && !self.is_near() {
            return true;
        }
        self.beyond >= libm::log10(now / budget) - SAME
    }
}

/// To so many digits as a person would give.
fn rounded(budget: f64) -> f64 {
    format!("{budget:.2e}").parse().unwrap_or(budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::incidents::tests::{alarm, incidents, near};

    fn counts(budgets: &Budgets) -> Vec<(f64, Option<usize>)> {
        let rows = budgets.rows.iter();
        rows.map(|row| (row.false_alarms_per_day, row.alarms)).collect()
    }

    #[test]
    fn each_decade_of_surprise_is_a_tenth_of_the_budget() {
        // Beyond the threshold by 1.2, 0.6 and 0.1 decades, and below it by 0.3 and 0.9.
        let incidents = incidents([
            alarm(1, 0, 1.2),
            alarm(2, 0, 0.6),
            alarm(3, 0, 0.1),
            near(4, 0, 0.3),
            near(5, 0, 0.9),
        ]);
        let all: Vec<&Incident> = incidents.iter().collect();
        let rate = |per_day| AlarmRate::new(per_day).unwrap();
        let budgets = Budgets::of(&all, rate(0.1), Some(rate(0.5)), true);
        assert_eq!(
            counts(&budgets),
            [
                (0.01, Some(1)),
                (0.03, Some(2)),
                (0.1, Some(3)),
                (0.3, Some(4)),
                (0.5, Some(4)),
                (1.0, Some(5))
            ]
        );
        assert_eq!((budgets.alarms, budgets.near_misses, budgets.told_up_to), (3, 2, 1.0));
        let alarms = &all[..3];
        let budgets = Budgets::of(alarms, rate(0.1), None, false);
        assert_eq!(counts(&budgets)[2..], [(0.1, Some(3)), (0.3, None), (1.0, None)]);
        assert_eq!(budgets.told_up_to, 0.1);
    }
}
