//! The library finds what it should, and nothing else.

use super::*;

const EXAMPLES: &str = include_str!("../examples.txt");

/// Every example, with the pattern that it is of and whether it is one to be found.
fn examples() -> impl Iterator<Item = (&'static str, bool, &'static str)> {
    let mut name = "";
    EXAMPLES.lines().filter_map(move |line| {
        if let Some(next) = line.strip_prefix('[') {
            name = next.trim_end_matches(']');
        }
        let (found, text) = line.strip_prefix("+ ").map(|text| (true, text)).or_else(|| {
            let text = line.strip_prefix("- ")?;
            Some((false, text))
        })?;
        Some((name, found, text))
    })
}

#[test]
fn examples_are_found_and_counter_examples_are_not() {
    let wrong: Vec<_> = examples()
        .filter(|(name, found, text)| {
            let mut watch = Watch::with("{}");
            watch.line(said(0, text));
            (watch.matches(name) == 1) != *found
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn counter_examples_are_nothing_to_any_pattern() {
    for (name, _, text) in examples().filter(|(_, found, _)| !found) {
        let mut watch = Watch::with("{}");
        watch.line(said(0, text));
        let reports = watch.detector.patterns();
        let found: Vec<_> = reports.iter().filter(|report| report.matches > 0).collect();
        assert!(found.is_empty(), "{name}: {text}: {found:?}");
    }
}

#[test]
fn every_pattern_has_examples_of_both_kinds() {
    for name in library::names() {
        for (kind, least) in [(true, 3), (false, 2)] {
            let count = examples()
                .filter(|(of, found, _)| *of == name && *found == kind)
                .count();
            assert!(count >= least, "{name} has {count} examples that are found: {kind}");
        }
    }
    for (name, ..) in examples() {
        assert!(library::named(name).is_some(), "{name} is no pattern of the library");
    }
}

#[test]
fn a_filter_finds_them_all_three_bytes_apart() {
    for name in library::names() {
        let shape = literal::shape(library::named(name).unwrap().regex);
        assert!(shape.whole, "{name} is more than texts");
        let literals = shape
            .literals
            .unwrap_or_else(|| panic!("{name} has no texts to look for"));
        let shortest = literals.iter().min_by_key(|text| text.len()).unwrap();
        assert!(shortest.len() >= 6, "{name}: {shortest}");
    }
}

#[test]
fn the_documentation_has_them_all() {
    let page = include_str!("../../../../docs/patterns.md");
    for pattern in library::patterns() {
        let severity = format!("{:?}", pattern.severity).to_lowercase();
        let row = format!(
            "| `{}` | {severity} | {} |",
            pattern.name.as_str(),
            pattern.description.as_str()
        );
        assert!(page.contains(&row), "docs/patterns.md lacks: {row}");
    }
}

#[test]
fn they_name_lines_and_alarm_nobody() {
    let mut watch = Watch::with("{}");
    for n in 0..200 {
        watch.line(said(n * 60, "GET /cart took 12 ms"));
    }
    let threshold = watch.detector.status().threshold;
    let verdict = watch.line(said(200 * 60, "upstream: connection refused"));
    assert!(verdict.surprise < threshold, "{} {threshold}", verdict.surprise);
    assert_eq!(watch.matches("connection-refused"), 1);
    assert!(watch.onsets().is_empty());
}

#[test]
fn what_is_anomalous_is_named_and_matters_as_much_as_the_pattern_says() {
    let mut watch = Watch::with("{}");
    for n in 0..2_000 {
        watch.line(said(n * 10, "GET /cart took 12 ms"));
    }
    watch.line(Said {
        level: Level::Fatal,
        ..said(20_000, "Out of memory: Killed process 4242 (java)")
    });
    let [alarm] = watch.onsets()[..] else {
        panic!("{:?}", watch.reports)
    };
    assert_ne!(alarm.kind, Kind::Pattern);
    assert_eq!(alarm.severity, Severity::Critical);
    assert_eq!(alarm.explanation.patterns[0].name, "out-of-memory");
    let sum: f64 = alarm.explanation.contributions.iter().map(|part| part.surprise).sum();
    assert!((sum - alarm.surprise).abs() < 1e-9);
}

#[test]
fn they_can_be_made_alarms_and_switched_off() {
    let mut watch = Watch::with(
        r#"{"patterns": {"change": {"timeout": {"off": true},
            "connection-refused": {"alarm": true, "severity": "high"}}}}"#,
    );
    assert_eq!(watch.alarms(&[(0, "read timed out"), (1, "ECONNREFUSED")]), [1]);
    assert_eq!(watch.matches("timeout"), 0);
    let alarm = watch.onsets()[0];
    assert_eq!((alarm.kind, alarm.severity), (Kind::Pattern, Severity::High));

    let mut none = Watch::with(r#"{"patterns": {"library": false}}"#);
    none.line(said(0, "kernel panic"));
    assert_eq!(none.detector.status().patterns, 0);
}
