//! How much an anomaly matters, and why it is one.

use proptest::collection::vec;

use super::*;

proptest! {
    #![proptest_config(runs(200))]

    #[test]
    fn a_larger_spike_is_never_less_severe(past in past(1..2), size in -50.0..50.0_f64, larger in 1.0..20.0_f64) {
        let (detector, mut row) = past.live();
        row.values[0].1 += size;
        if let Some(small) = alarm(&detector, &row) {
            enlarge(&mut row, 0, &small, larger);
            let large = alarm(&detector, &row).expect("a larger spike is an alarm, too");
            prop_assert!(large.severity >= small.severity, "{small:#?}\n{large:#?}");
        }
    }

    #[test]
    fn a_larger_spike_beside_others_is_never_less_severe(
        past in past(2..5),
        sizes in vec(-60.0..60.0_f64, 4),
        larger in 1.0..10.0_f64,
        which in 0..4_usize,
    ) {
        let (detector, mut row) = past.live();
        row.values.iter_mut().zip(&sizes).for_each(|(value, size)| value.1 += size);
        if let Some(small) = alarm(&detector, &row) {
            enlarge(&mut row, which % past.metrics, &small, larger);
            let large = alarm(&detector, &row).expect("a larger spike is an alarm, too");
            prop_assert!(large.severity >= small.severity, "{small:#?}\n{large:#?}");
        }
    }

    #[test]
    fn what_lasts_longer_is_never_less_severe(
        past in past(1..3), size in 2.0..50.0_f64, short in 1..30_usize, more in 1..60_usize,
    ) {
        let (mut detector, mut row) = past.live();
        row.values[0].1 += size;
        let mut said = Said::default();
        let mut open: Vec<(u64, f64, Severity)> = Vec::new();
        for n in 0..short + more {
            said.observe(&mut detector, &row);
            row.time = row.time.plus_seconds(60.0);
            if n + 1 == short || n + 1 == short + more {
                let mut closed = Detector::restore(past.config(), &detector.snapshot()).unwrap();
                let mut reports = Vec::new();
                closed.close(&mut reports);
                open.extend(anomalies(&reports).map(|a| (a.timestamp.nanos() as u64, a.seconds, a.severity)));
            }
        }
        if let [(first, short, low), (second, long, high)] = open[..]
            && first == second
        {
            prop_assert!(long >= short && high >= low, "{open:?}");
        }
    }

    #[test]
    fn a_worse_level_is_never_less_severe(seed in any::<u64>(), lines in 50..400_usize) {
        let mut detector = Detector::new(loud());
        let mut random = Random::new(seed);
        let mut time = Timestamp::from_seconds(1_800_000_000);
        for _ in 0..lines {
            time = time.plus_seconds(2.0);
            let line = Happening::line(time, Some(Level::Info), &format!("request {} done", random.below(900)));
            Said::default().observe(&mut detector, &line);
        }
        let worse = Level::ALL.map(|level| {
            let mut detector = Detector::restore(loud(), &detector.snapshot()).unwrap();
            let mut said = Said::default();
            let verdict = said.observe(&mut detector, &Happening::line(time, Some(level), "the queue is full"));
            (verdict.surprise, said.anomalies().next().map(|anomaly| anomaly.severity))
        });
        for pair in worse.windows(2) {
            prop_assert!(pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1, "{worse:?}");
        }
        prop_assert!(worse[6].1.is_some(), "a fatal line among {} lines of one kind is an alarm", lines);
    }

    #[test]
    fn contributions_sum_to_the_surprise(seed in any::<u64>(), length in 50..600_usize) {
        let mut detector = Detector::new(loud());
        let mut said = Said::default();
        said.all(&mut detector, &World::new(seed).take(length));
        for anomaly in said.anomalies() {
            let sum: f64 = anomaly.explanation.contributions.iter().map(|part| part.surprise).sum();
            prop_assert!((sum - anomaly.surprise).abs() <= 1e-9 * anomaly.surprise, "{anomaly:#?}");
            prop_assert!(anomaly.surprise >= anomaly.threshold, "{anomaly:#?}");
        }
    }

    /// An answer moves the surprise, and the explanation still has to add up to it.
    #[test]
    fn contributions_sum_to_the_surprise_after_feedback(
        past in past(1..4), size in 5.0..80.0_f64, matters in any::<bool>(),
    ) {
        let (mut detector, mut row) = past.live();
        let mut copy = Detector::restore(past.config(), &detector.snapshot()).unwrap();
        let about = Said::default().observe(&mut copy, &row).fingerprint;
        detector.feedback(about, if matters { FeedbackLabel::Matters } else { FeedbackLabel::Fine });
        row.values[0].1 += size;
        if let Some(anomaly) = alarm(&detector, &row) {
            let sum: f64 = anomaly.explanation.contributions.iter().map(|part| part.surprise).sum();
            prop_assert!((sum - anomaly.surprise).abs() <= 1e-9 * anomaly.surprise, "{anomaly:#?}");
        }
    }

    /// A limit takes its part of the surprise, and the rest is as before.
    #[test]
    fn contributions_sum_to_the_surprise_above_hard_limits(
        seed in any::<u64>(), length in 50..600_usize, latency in 15.0..120.0_f64, queue in 0..20_u32,
    ) {
        let rules = format!(
            r#"{{"false_alarms_per_day": 200, "rules": {{
                "cart": {{"latency_ms": {latency}, "queue": {queue}}},
                "mail": {{}},
                "__default__": {{"latency_ms": {latency}, "errors_per_minute": 1}}
            }}}}"#
        );
        let config = Config::from_json(&rules).unwrap();
        let mut detector = Detector::new(config.clone());
        let mut said = Said::default();
        for (n, event) in World::new(seed).take(length).iter().enumerate() {
            if n % 97 == 96 {
                detector = Detector::restore(config.clone(), &detector.snapshot()).unwrap();
            }
            let verdict = said.observe(&mut detector, event);
            let service = event.labels[0].1.as_str();
            let above = |name: &str, limit: f64| event.values.iter().any(|(of, value)| of == name && *value > limit);
            let hit = match service {
                "cart" => above("latency_ms", latency) || above("queue", f64::from(queue)),
                "mail" => false,
                _ => above("latency_ms", latency),
            };
            prop_assert!(!hit || verdict.state.is_anomalous(), "{event:?}: {verdict:?}");
        }
        detector.close(&mut said.reports);
        for anomaly in said.anomalies() {
            let parts = &anomaly.explanation.contributions;
            let sum: f64 = parts.iter().map(|part| part.surprise).sum();
            prop_assert!((sum - anomaly.surprise).abs() <= 1e-9 * anomaly.surprise, "{anomaly:#?}");
            prop_assert!(anomaly.surprise >= anomaly.threshold, "{anomaly:#?}");
            prop_assert_eq!(anomaly.kind == Kind::Rule, parts[0].model == "rule");
            prop_assert!(parts.iter().skip_while(|part| part.model == "rule").all(|part| part.model != "rule"));
            let named = anomaly.explanation.features.keys().any(|name| name.starts_with(&parts[0].of));
            let of_line = anomaly.explanation.features.contains_key("message_length");
            prop_assert!(named || of_line || anomaly.kind == Kind::Silence, "{anomaly:#?}");
        }
        said.check_reports()?;
    }

    #[test]
    fn the_counterfactual_clears_and_more_than_it_does_not(past in past(1..5), trouble in trouble()) {
        let (mut detector, mut row) = past.live();
        let mut random = Random::new(past.seed ^ 1);
        for n in 0..trouble.length {
            let before = detector.snapshot();
            past.next(&mut row, &mut random);
            let values = row.values.clone();
            trouble.spoil(&mut row, n);
            let Some(anomaly) = alarm(&detector, &row) else {
                Said::default().observe(&mut detector, &row);
                row.values = values;
                continue;
            };
            let Some((last, rest)) = anomaly.explanation.counterfactual.split_last() else { break };
            let observed = row.value(&last.of);
            let judge = |value: f64| {
                let mut changed = row.clone();
                rest.iter().for_each(|substitution| changed.set(substitution));
                changed.set(&Substitution { of: last.of.clone(), value });
                let mut detector = Detector::restore(past.config(), &before).unwrap();
                Said::default().observe(&mut detector, &changed).state
            };
            prop_assert!(!judge(last.value).is_anomalous(), "{anomaly:#?}");
            // Of one value the nearest is told; of what lasts, one that adds nothing to it any more.
            let mut parts = anomaly.explanation.contributions.iter();
            let of_a_value = parts.any(|part| part.of == last.of && part.model == "point");
            for part in if of_a_value { vec![0.1, 0.5, 1.0] } else { vec![1.0] } {
                let between = last.value + part * (observed - last.value);
                prop_assert!(judge(between).is_anomalous(), "{part} of the way to {observed}: {anomaly:#?}");
            }
            break;
        }
    }
}

/// Takes a metric further away from what was expected of it, as far as the alarm tells that.
fn enlarge(row: &mut Happening, which: usize, alarm: &Anomaly, larger: f64) {
    let (name, value) = &mut row.values[which];
    let part = alarm
        .explanation
        .contributions
        .iter()
        .find(|part| part.of == *name && part.model == "point");
    if let Some(Observation::Number(expected)) = part.map(|part| &part.expected.value) {
        *value = expected + (*value - expected) * larger;
    }
}

/// What goes wrong, and for how many rows.
#[derive(Debug, Clone)]
struct Trouble {
    sizes: Vec<f64>,
    factor: f64,
    growing: bool,
    length: usize,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let sizes = vec(prop_oneof![Just(0.0), -40.0..40.0_f64], 4);
    (sizes, 0.0..1.0_f64, any::<bool>(), 1..40_usize).prop_map(|(sizes, factor, growing, length)| Trouble {
        sizes,
        factor,
        growing,
        length,
    })
}

impl Trouble {
    fn spoil(&self, row: &mut Happening, n: usize) {
        let part = if self.growing {
            (n + 1) as f64 / self.length as f64
        } else {
            self.factor
        };
        for (value, size) in row.values.iter_mut().zip(&self.sizes) {
            value.1 += part * size;
        }
    }
}

/// The alarm that a row is for a detector, which is left as it was.
fn alarm(detector: &Detector, row: &Happening) -> Option<Anomaly> {
    let mut detector = Detector::restore(loud(), &detector.snapshot()).unwrap();
    let mut said = Said::default();
    let verdict = said.observe(&mut detector, row);
    let onset = said.anomalies().find(|anomaly| anomaly.phase == Phase::Onset).cloned();
    assert_eq!(onset.is_some(), verdict.state == State::Anomalous { onset: true });
    onset
}
