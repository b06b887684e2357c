//! The models over the metrics of a row together, as a detector uses them.

use watchpost_detector::joint::JointModel;
use watchpost_detector::{
    Anomaly, Config, Detector, Event, Finite, Phase, Report, Sample, SnapshotError, Subject, Timestamp, Value, Verdict,
};

/// What looks at metrics together.
const VIEWS: [&str; 3] = ["state", "season", "change"];
const METRICS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A configuration with these models.
fn with(models: &[JointModel]) -> Config {
    let mut config = Config::from_json(r#"{"false_alarms_per_day": 10}"#).unwrap();
    config.models.together = models.iter().copied().collect();
    config
}

/// Noise in (-1.5, 1.5), the same in every run.
fn noise(state: &mut u64) -> f64 {
    let mut sum = -1.5;
    for _ in 0..3 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        sum += (*state >> 11) as f64 / (1u64 << 53) as f64;
    }
    sum
}

fn observe(detector: &mut Detector, minute: i64, row: &[f64], alarms: &mut Vec<Anomaly>) -> Verdict {
    let values: Vec<_> = METRICS
        .iter()
        .zip(row)
        .map(|(metric, value)| Value {
            metric,
            value: Finite::new(*value).unwrap(),
        })
        .collect();
    let mut reports = Vec::new();
    let sample = Sample {
        time: Timestamp::from_seconds(minute * 60),
        subject: Subject::default(),
        values: &values,
    };
    let verdict = detector.observe(&Event::Sample(sample), &mut reports);
    alarms.extend(reports.into_iter().filter_map(|report| match report {
        Report::Anomaly(anomaly) => Some(*anomaly),
        Report::Session { .. } => None,
    }));
    verdict
}

#[test]
fn a_snapshot_anywhere_changes_nothing() {
    let config = with(&JointModel::ALL);
    let (mut whole, mut cut) = (Detector::new(config.clone()), Detector::new(config.clone()));
    let (mut state, mut alarms, mut others) = (1, Vec::new(), Vec::new());
    for minute in 0..900 {
        if minute % 123 == 45 {
            cut = Detector::restore(config.clone(), &cut.snapshot()).unwrap();
        }
        // A metric that comes later, and one that is missing now and then.
        let metrics = if minute < 300 {
            5
        } else {
            6 - usize::from(minute % 50 == 0)
        };
        let row: Vec<f64> = (0..metrics).map(|_| 10.0 + noise(&mut state)).collect();
        let verdict = observe(&mut whole, minute, &row, &mut alarms);
        assert_eq!(verdict, observe(&mut cut, minute, &row, &mut others), "minute {minute}");
    }
    assert_eq!(alarms, others);
    assert_eq!(whole.snapshot(), cut.snapshot());
    assert!(matches!(
        Detector::restore(Config::default(), &cut.snapshot()),
        Err(SnapshotError::Bounds)
    ));
}

#[test]
fn what_is_strange_together_is_explained_and_has_a_counterfactual() {
    for model in JointModel::ALL {
        explained(model);
    }
}

fn explained(model: JointModel) {
    let config = with(&[model]);
    let mut detector = Detector::new(config.clone());
    let (mut state, mut alarms) = (1, Vec::new());
    for minute in 0..3000 {
        let row: Vec<f64> = (0..6).map(|_| 10.0 + noise(&mut state)).collect();
        observe(&mut detector, minute, &row, &mut alarms);
    }
    let onsets = alarms.iter().filter(|alarm| alarm.phase == Phase::Onset).count();
    // One row in a hundred is strange enough for an alarm where so many are allowed.
    assert!(onsets <= 30, "{model:?}: {onsets} alarms in 3,000 rows of noise");
    let before = detector.snapshot();
    let mut strange = [10.0; 6];
    strange[..4].fill(12.2);
    alarms.clear();
    let verdict = observe(&mut detector, 3000, &strange, &mut alarms);
    let Some(alarm) = alarms.iter().find(|alarm| alarm.phase == Phase::Onset) else {
        panic!("{model:?}: an alarm: {verdict:?} {alarms:?}")
    };
    let contributions = &alarm.explanation.contributions;
    let sum: f64 = contributions.iter().map(|contribution| contribution.surprise).sum();
    assert!((sum - alarm.surprise).abs() < 1e-9, "{sum} {}", alarm.surprise);
    let named: Vec<_> = contributions
        .iter()
        .filter(|contribution| contribution.model == model.name() || VIEWS.contains(&contribution.model.as_str()))
        .map(|contribution| contribution.of.as_str())
        .collect();
    // The four come first; that one of the others is a little off the rows this one is most like is by chance.
    assert!(
        !named.is_empty() && named.iter().take(4).all(|name| METRICS[..4].contains(name)),
        "{model:?}: {named:?}"
    );
    let substitutions = &alarm.explanation.counterfactual;
    assert!(!substitutions.is_empty(), "{model:?}");
    for substitution in substitutions {
        let place = METRICS.iter().position(|metric| *metric == substitution.of).unwrap();
        strange[place] = substitution.value;
    }
    let mut again = Detector::restore(config, &before).unwrap();
    let verdict = observe(&mut again, 3000, &strange, &mut Vec::new());
    assert!(!verdict.state.is_anomalous(), "{model:?}: {verdict:?}");
}

#[test]
fn metrics_that_move_together_and_stop_doing_so_are_found_though_each_stays_where_it_often_is() {
    let mut detector = Detector::new(Config::default());
    let (mut state, mut alarms) = (1, Vec::new());
    let mut rank = [0, 0];
    for minute in 0..6000 {
        // A load that rises and falls, not with the time of the day, and six metrics that follow it.
        let load = 10.0 + 5.0 * f64::from(u8::from(minute / 37 % 2 == 0)) + 3.0 * noise(&mut state);
        let broken = (5900..5905).contains(&minute);
        let row: Vec<f64> = (0..6)
            .map(|metric| {
                let part = if broken && metric < 3 { 25.0 - load } else { load };
                part * f64::from(metric + 1) + 0.2 * noise(&mut state)
            })
            .collect();
        let verdict = observe(&mut detector, minute, &row, &mut alarms);
        if minute >= 3000 {
            rank[usize::from(broken)] += usize::from(verdict.surprise >= 2.0);
        }
    }
    assert!(rank[1] >= 3 && rank[0] < 60, "{rank:?}");
}

#[test]
fn with_each_model_a_metric_that_leaves_the_others_is_found_and_named() {
    for model in JointModel::ALL {
        let mut detector = Detector::new(with(&[model]));
        let (mut state, mut alarms) = (1, Vec::new());
        let (mut found, mut by_name) = (0, 0);
        for minute in 0..4500 {
            // A load that rises and falls, not with the time of the day, and six metrics that follow it.
            let load = 10.0 + 5.0 * f64::from(u8::from(minute / 37 % 2 == 0)) + noise(&mut state);
            let broken = minute >= 3000 && minute % 150 < 2;
            let row: Vec<f64> = (0..6)
                .map(|metric| {
                    let part = if broken && metric == 2 { 25.0 - load } else { load };
                    part * f64::from(metric + 1) + 0.2 * noise(&mut state)
                })
                .collect();
            alarms.clear();
            observe(&mut detector, minute, &row, &mut alarms);
            for alarm in alarms.iter().filter(|alarm| alarm.phase == Phase::Onset && broken) {
                let named = &alarm.explanation.contributions;
                found += usize::from(named.iter().any(|part| part.of == "c"));
                by_name += usize::from(named.iter().any(|part| part.model == model.name()));
            }
        }
        println!("{model:?}: {found} of 10, {by_name} by its name");
        assert!(found >= 5, "{model:?}: {found} of 10");
    }
}
