//! What comes up in an episode that is open already is told at once where it matters as much as anything before, and
//! otherwise listed at the end.

use super::*;

fn rules(rules: &[(&str, &str)]) -> Watch {
    let rules = rules
        .iter()
        .map(|(name, severity)| {
            format!(r#"{{"name": "{name}", "severity": "{severity}", "when": {{"regex": "{name}"}}}}"#)
        })
        .collect::<Vec<_>>();
    Watch::new(&rules.join(","))
}

/// What is told of an alarm: how much it matters, the name of what explains it, and when that came.
fn headline(anomaly: &Anomaly) -> (Severity, &str, i64) {
    let peak = anomaly.peak.seconds_since(Timestamp::from_seconds(1_000_000)) as i64;
    (anomaly.severity, &*anomaly.explanation.contributions[0].of, peak)
}

fn listed(anomaly: &Anomaly) -> Vec<(&str, u64)> {
    let patterns = anomaly.explanation.patterns.iter();
    patterns.map(|pattern| (&*pattern.name, pattern.events)).collect()
}

#[test]
fn a_grave_pattern_is_told_within_the_episode_of_a_chatty_one() {
    let mut watch = rules(&[("cache-miss", "low"), ("gateway-down", "critical")]);
    for at in 0..20 {
        watch.line(said(at, "cache-miss"));
    }
    watch.line(said(20, "gateway-down"));
    for at in 21..40 {
        watch.line(said(at, "cache-miss"));
    }
    watch.line(said(40, "gateway-down"));
    watch.tick(3_600);
    assert_eq!(
        watch.onsets().into_iter().map(headline).collect::<Vec<_>>(),
        [(Severity::Low, "cache-miss", 0)]
    );
    let worse = watch.told(Phase::Worse);
    assert_eq!(
        worse.iter().map(|worse| headline(worse)).collect::<Vec<_>>(),
        [(Severity::Critical, "gateway-down", 20)]
    );
    assert_eq!(worse[0].explanation.line.as_deref(), Some("gateway-down"));
    assert_eq!(listed(worse[0]), [("gateway-down", 1), ("cache-miss", 20)]);
    let [end] = watch.told(Phase::End)[..] else {
        panic!("one end")
    };
    assert_eq!(headline(end), (Severity::Critical, "gateway-down", 20));
    assert_eq!(listed(end), [("gateway-down", 2), ("cache-miss", 39)]);
    assert_eq!(watch.detector.status().alarms, 1, "an episode is one alarm");
}

#[test]
fn a_pattern_that_matters_as_much_is_told_by_its_name_and_one_that_matters_less_is_listed() {
    let mut watch = rules(&[("gateway-down", "high"), ("cache-miss", "low"), ("bank-down", "high")]);
    for (at, message) in ["gateway-down", "cache-miss", "bank-down", "gateway-down"]
        .into_iter()
        .enumerate()
    {
        watch.line(said(at as i64, message));
    }
    let worse: Vec<_> = watch.told(Phase::Worse).into_iter().map(headline).collect();
    assert_eq!(worse, [(Severity::High, "bank-down", 2)]);
    watch.tick(3_600);
    assert_eq!(
        listed(watch.told(Phase::End)[0]),
        [("gateway-down", 2), ("bank-down", 1), ("cache-miss", 1)]
    );
}

#[test]
fn however_many_patterns_there_are_an_episode_is_told_a_few_times() {
    let names: Vec<String> = (10..90).map(|number| format!("rule-{number}")).collect();
    let severities = ["low", "medium", "high", "critical"];
    let all: Vec<(&str, &str)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), severities[at * 4 / names.len()]))
        .collect();
    let mut watch = rules(&all);
    for at in 0..400 {
        watch.line(said(at, all[at as usize % all.len()].0));
    }
    watch.tick(3_600);
    assert!(
        (3..=8).contains(&watch.told(Phase::Worse).len()),
        "{}",
        watch.told(Phase::Worse).len()
    );
    let patterns = &watch.told(Phase::End)[0].explanation.patterns;
    assert_eq!(patterns.len(), 5);
    assert!(
        patterns
            .iter()
            .all(|pattern| pattern.severity == Severity::Critical && pattern.alarm)
    );
}

#[test]
fn a_pattern_matters_exactly_as_much_as_it_says() {
    for (severity, expected) in [
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("critical", Severity::Critical),
    ] {
        let mut watch = rules(&[("disk", severity)]);
        for at in 0..2_000 {
            watch.line(said(at, "all is well"));
        }
        for at in 2_000..2_060 {
            watch.line(Said {
                level: Level::Fatal,
                ..said(at * 60 - 118_000, "disk on fire")
            });
        }
        let told: Vec<&Anomaly> = watch
            .reports
            .iter()
            .filter_map(|report| match report {
                Report::Anomaly(anomaly) => Some(&**anomaly),
                Report::Session { .. } => None,
            })
            .collect();
        let of_pattern: Vec<Severity> = told
            .iter()
            .filter(|anomaly| anomaly.kind == Kind::Pattern)
            .map(|anomaly| anomaly.severity)
            .collect();
        assert!(
            !of_pattern.is_empty() && of_pattern.iter().all(|told| *told == expected),
            "{severity}: {told:#?}"
        );
    }
}

#[test]
fn a_fatal_line_is_told_within_the_episode_of_a_pattern() {
    let mut watch = rules(&[("cache-miss", "low")]);
    for at in 0..2_000 {
        watch.line(said(at, "served a page"));
    }
    watch.line(said(2_000, "cache-miss"));
    watch.line(Said {
        level: Level::Fatal,
        ..said(2_010, "out of memory: killed process 4242")
    });
    let [worse] = watch.told(Phase::Worse)[..] else {
        panic!("{:#?}", watch.reports)
    };
    assert_eq!((worse.kind, worse.severity), (Kind::LogSeverity, Severity::Critical));
    assert_eq!(listed(worse), [("cache-miss", 1), ("out-of-memory", 1)]);
}

#[test]
fn what_was_told_is_part_of_the_state() {
    let mut watch = rules(&[("cache-miss", "low"), ("gateway-down", "critical")]);
    for (at, message) in ["cache-miss", "gateway-down"].into_iter().enumerate() {
        watch.line(said(at as i64, message));
    }
    let config = watch.detector.config().clone();
    let mut later = Watch {
        detector: Detector::restore(config, &watch.detector.snapshot()).unwrap(),
        reports: Vec::new(),
    };
    later.line(said(2, "gateway-down"));
    assert_eq!(later.reports, []);
    later.tick(3_600);
    assert_eq!(
        listed(later.told(Phase::End)[0]),
        [("gateway-down", 2), ("cache-miss", 1)]
    );
}
