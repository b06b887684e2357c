//! The models over the metrics of a row together, as a detector uses them.

use watchpost_detector::joint::JointModel;
use watchpost_detector::{
    Anomaly, Config, Detector, Event, Finite, Phase, Report, Sample, SnapshotError, Subject, Timestamp, Value, Verdict,
};

/// What looks at metrics together.
const VIEWS: [&str; 3] = ["state", "season", "change"];
const METRICS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A configuration with these models.
fn with(models: &[JointModel], budget: u32) -> Config {
    let mut config = Config::from_json(&format!(r#"{{"false_alarms_per_day": {budget}}}"#)).unwrap();
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
    let config = with(&JointModel::ALL, 10);
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
        Err(SnapshotError::Configuration { differences }) if differences.starts_with("`models.together` was [")
    ));
}

#[test]
fn what_is_strange_together_is_explained_and_has_a_counterfactual() {
    for model in JointModel::ALL {
        explained(model);
    }
}

fn explained(model: JointModel) {
    let config = with(&[model], 10);
    let mut detector = Detector::new(config.clone());
    let (mut state, mut alarms) = (1, Vec::new());
    let (mut minute, mut quiet) = (0, 0);
    // An alarm that is still open would be no new one.
    while minute < 3000 || quiet < 60 {
        let row: Vec<f64> = (0..6).map(|_| 10.0 + noise(&mut state)).collect();
        let verdict = observe(&mut detector, minute, &row, &mut alarms);
        quiet = if verdict.state.is_anomalous() { 0 } else { quiet + 1 };
        minute += 1;
    }
    let onsets = alarms.iter().filter(|alarm| alarm.phase == Phase::Onset).count();
    // One row in a hundred is strange enough for an alarm where so many are allowed.
    assert!(
        100 * onsets <= minute as usize,
        "{model:?}: {onsets} alarms in {minute} rows of noise"
    );
    let before = detector.snapshot();
    let mut strange = [10.0; 6];
    strange[..4].fill(12.2);
    alarms.clear();
    let verdict = observe(&mut detector, minute, &strange, &mut alarms);
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
    // A row that is like this one but for what is strange need not be like it in all the rest.
    let strange_ones = named.iter().filter(|name| METRICS[..4].contains(name)).count();
    assert!(2 * strange_ones > named.len(), "{model:?}: {named:?}");
    assert!(METRICS[..4].contains(&named[0]), "{model:?}: {named:?}");
    let substitutions = &alarm.explanation.counterfactual;
    assert!(!substitutions.is_empty(), "{model:?}");
    for substitution in substitutions {
        let place = METRICS.iter().position(|metric| *metric == substitution.of).unwrap();
        strange[place] = substitution.value;
    }
    let mut again = Detector::restore(config, &before).unwrap();
    let verdict = observe(&mut again, minute, &strange, &mut Vec::new());
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
        let mut detector = Detector::new(with(&[model], 1));
        let (mut state, mut alarms) = (1, Vec::new());
        let mut most = 0.0_f64;
        for minute in 0..4005 {
            // A load that rises and falls, not with the time of the day, and six metrics that follow it.
            let load = 10.0 + 5.0 * f64::from(u8::from(minute / 37 % 2 == 0)) + 3.0 * noise(&mut state);
            let broken = minute >= 4000;
            let row: Vec<f64> = (0..6)
                .map(|metric| {
                    let part = if broken && metric == 2 { 25.0 - load } else { load };
                    part * f64::from(metric + 1) + 0.2 * noise(&mut state)
                })
                .collect();
            if minute == 4000 {
                alarms.clear();
            }
            let verdict = observe(&mut detector, minute, &row, &mut alarms);
            if broken {
                most = most.max(verdict.surprise);
            }
        }
        let named: Vec<_> = alarms
            .iter()
            .flat_map(|alarm| &alarm.explanation.contributions)
            .map(|part| (part.of.as_str(), part.model.as_str(), part.surprise))
            .collect();
        println!("{model:?}: {most} {named:?}");
        assert!(most >= 3.0, "{model:?}: {most}");
        assert!(named.iter().any(|(metric, ..)| *metric == "c"), "{model:?}: {named:?}");
    }
}
