//! Clocks that are late or wrong.

use super::*;

proptest! {
    #![proptest_config(runs(24))]

    /// A row that is late tells nothing about what comes next: the counter has not jumped.
    #[test]
    fn a_late_row_is_no_jump_of_a_counter(
        seed in any::<u64>(), rows in 200..600_i64, late in 1..150_i64, step in 0..60_i64,
    ) {
        let (mut detector, mut counter) = shop(seed, rows);
        let mut without = Detector::restore(Config::default(), &detector.snapshot()).unwrap();
        let old = counter.row(rows - late, step);
        Said::default().observe(&mut detector, &old);
        for minute in rows..rows + 5 {
            let row = counter.row(minute, 0);
            let a = Said::default().observe(&mut without, &row);
            let b = Said::default().observe(&mut detector, &row);
            let same = a.state.is_anomalous() || !b.state.is_anomalous();
            prop_assert!(same, "{late} minutes late: {a:?}, and with it {b:?}");
        }
    }

    /// One row with a wrong clock must not end the watch: time goes on for everybody else.
    #[test]
    fn a_row_from_the_far_future_blinds_nothing(seed in any::<u64>(), rows in 200..600_i64, years in 1..200_i64) {
        let (mut detector, mut counter) = shop(seed, rows);
        let mut wrong = counter.row(rows - 1, 30);
        wrong.time = counter.at(rows + years * 365 * 1440, 0);
        Said::default().observe(&mut detector, &wrong);
        let mut said = Said::default();
        for minute in rows..rows + 240 {
            counter.each = if minute < rows + 120 { 100.0 } else { 900.0 };
            let row = counter.row(minute, 0);
            said.observe(&mut detector, &row);
        }
        let jump = counter.at(rows + 120, 0)..counter.at(rows + 240, 0);
        let seen = said.anomalies().any(|anomaly| jump.contains(&anomaly.timestamp));
        prop_assert!(seen, "nine times the rate is an alarm, after a row {years} years ahead as before it");
    }
}

struct Counter {
    random: Random,
    each: f64,
    sums: Vec<f64>,
}

impl Counter {
    fn at(&self, minute: i64, second: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + minute * 60 + second)
    }

    fn row(&mut self, minute: i64, second: i64) -> Happening {
        let index = minute as usize;
        while self.sums.len() <= index + 1 {
            let last = self.sums.last().copied().unwrap_or(0.0);
            self.sums.push(last + self.each + 3.0 * self.random.normal());
        }
        let served = self.sums[index] + (self.sums[index + 1] - self.sums[index]) * second as f64 / 60.0;
        Happening::row(self.at(minute, second), &[("served_total", served.floor())])
    }
}

fn shop(seed: u64, rows: i64) -> (Detector, Counter) {
    let mut detector = Detector::new(Config::default());
    let mut counter = Counter {
        random: Random::new(seed),
        each: 100.0,
        sums: Vec::new(),
    };
    for minute in 0..rows {
        let row = counter.row(minute, 0);
        Said::default().observe(&mut detector, &row);
    }
    (detector, counter)
}
