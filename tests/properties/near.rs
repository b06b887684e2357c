//! Near misses: they are told where they are asked for, and change nothing else.

use watchpost_detector::{Event, NEAR_BUDGET};

use super::exchange::{Exchange, Site};
use super::*;

fn watched(config: &Config) -> Config {
    Config {
        near_misses: true,
        ..config.clone()
    }
}

/// A budget that leaves room between its threshold and the least one, and that some of the trouble reaches.
fn ordinary() -> Config {
    Config::from_json(r#"{"false_alarms_per_day": 2}"#).unwrap()
}

/// What two detectors say of the same events, of which the second tells near misses. Those are returned, too.
struct Pair {
    detectors: [Detector; 2],
    reports: [Vec<Report>; 2],
    verdicts: [Vec<Verdict>; 2],
    near: Vec<Anomaly>,
}

impl Pair {
    fn new(config: &Config) -> Self {
        Pair {
            detectors: [Detector::new(config.clone()), Detector::new(watched(config))],
            reports: Default::default(),
            verdicts: Default::default(),
            near: Vec::new(),
        }
    }

    fn observe(&mut self, event: &Event<'_>) {
        for ((detector, reports), verdicts) in self.detectors.iter_mut().zip(&mut self.reports).zip(&mut self.verdicts)
        {
            verdicts.push(detector.observe(event, reports));
        }
        self.sort();
    }

    fn sort(&mut self) {
        let [_, told] = &mut self.reports;
        told.retain(|report| match report {
            Report::Anomaly(anomaly) if anomaly.phase == Phase::Near => {
                self.near.push((**anomaly).clone());
                false
            }
            _ => true,
        });
    }

    fn check(mut self) -> Result<Vec<Anomaly>, TestCaseError> {
        let [plain, told] = &self.detectors;
        prop_assert_eq!(plain.status(), told.status());
        for (detector, reports) in self.detectors.iter_mut().zip(&mut self.reports) {
            detector.close(reports);
        }
        self.sort();
        let [plain, told] = &self.reports;
        prop_assert_eq!(plain, told);
        let [plain, told] = &self.verdicts;
        prop_assert!(plain == told, "the verdicts differ");
        let most = NEAR_BUDGET.log10() + 1e-9;
        for near in &self.near {
            let below = near.threshold - near.surprise;
            prop_assert!(below > 0.0 && below <= most && near.surprise >= 2.0, "{near:?}");
            prop_assert!(
                near.timestamp <= near.peak && near.events > 0 && near.seconds >= 0.0,
                "{near:?}"
            );
            let sum: f64 = near.explanation.contributions.iter().map(|part| part.surprise).sum();
            prop_assert!((sum - near.surprise).abs() < 1e-6 * near.surprise.max(1.0), "{near:?}");
        }
        Ok(self.near)
    }
}

fn requests(config: &Config, exchanges: &[Exchange]) -> Result<Vec<Anomaly>, TestCaseError> {
    let mut pair = Pair::new(config);
    exchanges
        .iter()
        .for_each(|exchange| exchange.with(|event| pair.observe(event)));
    pair.check()
}

proptest! {
    #![proptest_config(runs(24))]

    #[test]
    fn telling_near_misses_changes_nothing_else(seed in any::<u64>(), length in 20..1_500_usize, tight in any::<bool>()) {
        let mut pair = Pair::new(&if tight { small() } else { ordinary() });
        World::new(seed).take(length).iter().for_each(|event| event.with(|event| pair.observe(event)));
        pair.check()?;
    }

    #[test]
    fn nor_does_it_for_requests(seed in any::<u64>()) {
        requests(&ordinary(), &Site::new(seed).take(12_000))?;
    }

    #[test]
    fn near_misses_are_part_of_a_snapshot(seed in any::<u64>(), cut in 0..12_000_usize) {
        let config = watched(&ordinary());
        let exchanges = Site::new(seed).take(12_000);
        let mut whole = Detector::new(config.clone());
        let mut before = Vec::new();
        for exchange in &exchanges[..cut] {
            exchange.with(|event| whole.observe(event, &mut before));
        }
        let mut restored = Detector::restore(config, &whole.snapshot()).unwrap();
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        for (detector, reports) in [(&mut whole, &mut expected), (&mut restored, &mut found)] {
            for exchange in &exchanges[cut..] {
                exchange.with(|event| detector.observe(event, reports));
            }
            detector.close(reports);
        }
        prop_assert_eq!(expected, found);
    }
}

/// Trouble that a budget of one alarm in ten days lets pass, and one of an alarm a day does not.
#[test]
fn a_near_miss_is_what_a_larger_budget_reports() {
    let mut found = 0;
    for seed in 0..12 {
        let mut site = Site::new(seed);
        let mut exchanges = site.healthy(30_000);
        exchanges.extend(site.take(12_000));
        let near = requests(&Config::default(), &exchanges).unwrap();
        let mut larger = Detector::new(Config::from_json(r#"{"false_alarms_per_day": 1}"#).unwrap());
        let mut reports = Vec::new();
        for exchange in &exchanges {
            exchange.with(|event| larger.observe(event, &mut reports));
        }
        for miss in &near {
            let is_it = |other: &Anomaly| {
                let apart = other.timestamp.seconds_since(miss.timestamp);
                other.fingerprint == miss.fingerprint && apart.abs() < 600.0
            };
            found += usize::from(anomalies(&reports).any(is_it));
        }
        println!("{seed}: {} near", near.len());
    }
    assert!(found > 0);
}
