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

/// The alarm has raised the threshold, which is no reason to leave the same line out that comes again.
#[test]
fn a_line_that_comes_again_belongs_to_the_episode_that_it_began() {
    let mut watch = Watch::new("");
    for at in 0..600 {
        watch.line(said(at * 10, &format!("GET /cart took {} ms", 10 + at % 7)));
    }
    let mut fatal = |at| {
        let line = Said {
            level: Level::Fatal,
            ..said(at, "no memory is left for the heap")
        };
        watch.line(line).state
    };
    assert_eq!(fatal(6_001), crate::State::Anomalous { onset: true });
    assert_eq!(fatal(6_003), crate::State::Anomalous { onset: false });
}

fn fatal(at: i64, message: &str) -> Said<'_> {
    Said {
        level: Level::Fatal,
        ..said(at, message)
    }
}

/// A log of harmless lines, and a fatal one that has raised an alarm.
fn after_a_fatal_line() -> Watch {
    let mut watch = Watch::with(r#"{"patterns": {"library": false}}"#);
    for at in 0..600 {
        watch.line(said(at * 10, &format!("GET /cart took {} ms", 10 + at % 7)));
    }
    watch.line(fatal(
        6_001,
        "cannot write the journal to /var/lib/shop: read-only file system",
    ));
    assert_eq!(watch.onsets().len(), 1);
    watch
}

/// The second one is less surprising than the first, and matters no less for it.
#[test]
fn another_fatal_line_is_told_within_the_episode_of_the_first() {
    let mut watch = after_a_fatal_line();
    watch.line(fatal(6_031, "no memory is left for the heap"));
    let [worse] = watch.told(Phase::Worse)[..] else {
        panic!("{:#?}", watch.reports)
    };
    assert_eq!(headline(worse).2, 6_031);
    assert_eq!(
        worse.explanation.template.as_deref(),
        Some("no memory is left for the heap")
    );
    // What was told is no news, in whatever order it comes again.
    watch.line(fatal(6_041, "no memory is left for the heap"));
    watch.line(fatal(
        6_042,
        "cannot write the journal to /var/lib/shop: read-only file system",
    ));
    watch.line(fatal(6_043, "no memory is left for the heap"));
    assert_eq!(watch.told(Phase::Worse).len(), 1);
}

#[test]
fn however_many_kinds_of_fatal_lines_there_are_an_episode_is_told_a_few_times() {
    let mut watch = after_a_fatal_line();
    let words = [
        "rack", "fan", "link", "node", "torus", "cable", "board", "clock", "cache", "lane",
    ];
    for at in 0..900 {
        let [a, b, c] = [at % 10, at / 10 % 10, at / 100].map(|place| words[place]);
        watch.line(fatal(6_031 + at as i64, &format!("{a} {b} is gone from {c}")));
    }
    let told = watch.told(Phase::Worse).len();
    assert!((1..=8).contains(&told), "{told}");
}

/// However long harmless lines have come before it.
#[test]
fn how_much_a_line_matters_does_not_depend_on_the_age_of_its_episode() {
    let severity = |hours: i64| {
        let mut watch = rules(&[("cache-miss", "low")]);
        for at in 0..720 {
            watch.line(said(at * 10, &format!("GET /cart took {} ms", 10 + at % 7)));
        }
        for at in 0..=hours * 12 {
            watch.line(said(7_200 + at * 300, "cache-miss"));
        }
        watch.line(fatal(7_201 + hours * 3_600, "no memory is left for the heap"));
        let [onset] = watch.onsets()[..] else {
            panic!("{:#?}", watch.reports)
        };
        assert_eq!(onset.severity, Severity::Low);
        let worse = watch.told(Phase::Worse);
        worse.iter().map(|worse| headline(worse).0).collect::<Vec<_>>()
    };
    let ([young], [old]) = (&severity(0)[..], &severity(2)[..]) else {
        panic!("each is told once")
    };
    assert!(old <= young && *young >= Severity::Medium, "{young:?} {old:?}");
}

/// A day with a harmless line every half minute, and every other minute one that a rule is about.
#[test]
fn a_rule_that_is_met_all_the_time_alarms_once_and_again_after_a_silence() {
    let mut watch = rules(&[("cache-miss", "low")]);
    let mut hours = |hours: std::ops::Range<i64>, misses: bool| {
        for at in hours.start * 120..hours.end * 120 {
            watch.line(said(at * 30, &format!("GET /cart took {} ms", 10 + at % 7)));
            if misses && at % 4 == 0 {
                watch.line(said(at * 30, &format!("cache-miss for {at}")));
            }
        }
        let onsets = watch.onsets().into_iter().map(headline).collect::<Vec<_>>();
        onsets.into_iter().map(|onset| onset.2 / 3_600).collect::<Vec<_>>()
    };
    assert_eq!(hours(0..30, true), [0]);
    assert_eq!(hours(30..31, false), [0]);
    assert_eq!(hours(31..60, true), [0, 31]);
    // What the models find in it is told, and is over when it has lasted.
    watch.line(fatal(60 * 3_600, "no memory is left for the heap"));
    let worse: Vec<_> = watch.told(Phase::Worse).into_iter().map(headline).collect();
    assert_eq!(worse.iter().map(|worse| worse.2).collect::<Vec<_>>(), [60 * 3_600]);
    for at in 60 * 120..64 * 120 {
        watch.line(said(at * 30, &format!("GET /cart took {} ms", 10 + at % 7)));
        if at % 4 == 0 {
            watch.line(said(at * 30, &format!("cache-miss for {at}")));
        }
    }
    let ends = watch.told(Phase::End);
    let [_, end] = ends[..] else { panic!("{ends:#?}") };
    assert!(end.severity >= Severity::High);
}
