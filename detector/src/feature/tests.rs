//! Features against naive references, and what lines tell.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::event::Finite;

fn field(metric: &str, value: f64) -> Value<'_> {
    Value {
        metric,
        value: Finite::new(value).unwrap(),
    }
}

fn near(found: Option<f64>, expected: f64, scale: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() <= 1e-9 * scale.max(1.0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_agree_with_naive_references(points in vec((0..100_000_i64, -1e4..1e4_f64), 1..40)) {
        let window: Vec<Point> = points.iter().map(|(time, value)| (Timestamp::from_seconds(*time), *value)).collect();
        let n = points.len() as f64;
        let average = points.iter().map(|p| p.1).sum::<f64>() / n;
        let deviation = (points.iter().map(|p| (p.1 - average) * (p.1 - average)).sum::<f64>() / n).sqrt();
        prop_assert!(near(mean(&window), average, 1e4));
        prop_assert!(near(std(&window), deviation, 1e4));
        let mut sorted: Vec<f64> = points.iter().map(|p| p.1).collect();
        sorted.sort_by(f64::total_cmp);
        prop_assert_eq!(min(&window), Some(sorted[0]));
        prop_assert_eq!(max(&window), Some(sorted[sorted.len() - 1]));
        let middle = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
        prop_assert!(near(median(&window), middle, 1e4));

        // The normal equations, solved by Cramer's rule.
        let t = |p: &(i64, f64)| p.0 as f64;
        let (st, sv) = (points.iter().map(t).sum::<f64>(), points.iter().map(|p| p.1).sum::<f64>());
        let stt = points.iter().map(|p| t(p) * t(p)).sum::<f64>();
        let stv = points.iter().map(|p| t(p) * p.1).sum::<f64>();
        let determinant = n * stt - st * st;
        if points.iter().all(|p| p.0 == points[0].0) {
            prop_assert_eq!(slope(&window), None);
        } else {
            let expected = (n * stv - st * sv) / determinant;
            let found = slope(&window).unwrap();
            prop_assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{found} {expected}");
        }
        if let [.., a, b] = &points[..] {
            let expected = (b.0 > a.0).then(|| (b.1 - a.1) / (b.0 - a.0) as f64);
            prop_assert_eq!(rate_of_change(&window), expected);
        } else {
            prop_assert_eq!(rate_of_change(&window), None);
        }
        let last = points[points.len() - 1].1;
        let expected = if deviation > 0.0 { (last - average) / deviation } else { 0.0 };
        prop_assert!((normalised(last, &window).unwrap() - expected).abs() < 1e-6);
    }

    #[test]
    fn no_number_that_is_not_finite_comes_out(points in vec((any::<i64>(), any::<f64>()), 0..20)) {
        let finite = points.iter().filter(|(_, value)| value.is_finite());
        let window: Vec<Point> = finite.map(|(time, value)| (Timestamp::from_nanos(*time), *value)).collect();
        for (name, value) in of_window("m", &window) {
            prop_assert!(value.is_finite(), "{name}: {value}");
        }
    }

    #[test]
    fn lines_have_finite_features(message in "\\PC{0,120}", name in "[a-zA-Z_.]{0,20}", value in -1e308..1e308_f64) {
        for fields in [vec![], vec![field("mem_gb", value), field("latency_h", value), field(&name, value)]] {
            let features = of_line(None, &message, &fields);
            prop_assert!((3..=5).contains(&features.len()), "{features:?}");
            prop_assert!(features.values().all(|value| value.is_finite()), "{features:?}");
            prop_assert_eq!(features["message_length"], message.chars().count() as f64);
        }
    }

    #[test]
    fn counts_by_level_add_up(levels in vec(proptest::option::of(0..7_usize), 0..60)) {
        let levels: Vec<Option<Level>> = levels.iter().map(|level| level.map(|level| Level::ALL[level])).collect();
        let counts: LevelCounts = levels.iter().copied().collect();
        for level in Level::ALL {
            prop_assert_eq!(counts.of(level), levels.iter().filter(|one| **one == Some(level)).count() as u64);
        }
        let errors = levels.iter().filter(|level| **level >= Some(Level::Error)).count();
        prop_assert_eq!(counts.error_rate(), errors as f64 / levels.len().max(1) as f64);
        prop_assert_eq!(counts.lines(), levels.len() as u64);
    }
}

#[test]
fn nothing_has_no_features() {
    assert!(of_window("cpu", &[]).is_empty());
    let one = of_window("cpu", &[(Timestamp::default(), 4.0)]);
    let names: Vec<&str> = one.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "cpu_max",
            "cpu_mean",
            "cpu_median",
            "cpu_min",
            "cpu_normalised",
            "cpu_std"
        ]
    );
    assert_eq!((one["cpu_std"], one["cpu_normalised"]), (0.0, 0.0));
}

/// The example of the documentation.
#[test]
fn a_line_has_the_features_that_it_tells() {
    let features = of_line(Some(Level::Error), "Database connection timeout after 30s", &[]);
    let expected = [
        ("error_keywords", 2.0),
        ("level_severity", 4.0),
        ("message_length", 37.0),
        ("response_time", 30_000.0),
    ];
    let found: Vec<(&str, f64)> = features.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(found, expected);
}

#[test]
fn words_about_errors_are_counted() {
    for (message, expected) in [
        ("finished with no errors", 0),
        ("0 failed, 12 passed", 0),
        ("upstream connect error or disconnect", 1),
        ("java.net.ConnectionTimeoutException: failed", 2),
        ("served request 12", 0),
        ("", 0),
    ] {
        assert_eq!(error_keywords(message), expected, "{message}");
    }
    let counted = keywords("Connection failed: ConnectionTimeoutException after failure");
    assert_eq!(
        counted,
        [("timeout", 1), ("connection", 2), ("failed", 2), ("exception", 1)]
    );
}

#[test]
fn levels_are_numbers() {
    let numbers = Level::ALL.map(|level| level_severity(Some(level)));
    assert_eq!(numbers, [1, 1, 2, 2, 3, 4, 5]);
    assert_eq!(level_severity(None), 2);
}

#[test]
fn times_are_told_by_fields_or_words() {
    for (message, fields, expected) in [
        ("served", vec![field("response_time", 1600.0)], Some(1600.0)),
        ("served", vec![field("responseTimeMs", 1600.0)], Some(1600.0)),
        ("served", vec![field("elapsed_seconds", 1.5)], Some(1500.0)),
        ("served", vec![field("db.query.latency_us", 1500.0)], Some(1.5)),
        ("took 250 ms", vec![field("response_bytes", 512.0)], Some(250.0)),
        ("took 250 ms", vec![field("latency", 8.0)], Some(8.0)),
        ("served request 9516 in 13 ms", vec![], Some(13.0)),
        ("GET /a status=200 duration=1.5s", vec![], Some(1500.0)),
        ("gave up after 2 minutes", vec![], Some(120_000.0)),
        ("took 12µs.", vec![], Some(0.012)),
        ("retry in 5s", vec![], None),
        ("after 30 attempts", vec![], None),
        ("started 8s ago", vec![], None),
        ("version 1.2.3s after all", vec![], None),
        ("", vec![field("timestamp", 1.0), field("time", 2.0)], None),
    ] {
        assert_eq!(response_time(message, &fields), expected, "{message} {fields:?}");
    }
}

#[test]
fn memory_is_told_by_fields_or_words() {
    for (message, fields, expected) in [
        ("gc", vec![field("memory_usage", 88.3)], Some(88.3)),
        ("gc", vec![field("heapUsedBytes", 4096.0)], Some(4096.0)),
        ("gc", vec![field("mem_mb", 512.0)], Some(512e6)),
        ("gc", vec![field("memory_total_bytes", 4096.0)], None),
        ("memory usage at 92%", vec![], Some(92.0)),
        ("heap 1.5 GiB, 12 threads", vec![], Some(1.5 * 1024.0 * 1024.0 * 1024.0)),
        ("uses 512 MB of memory", vec![], Some(512e6)),
        ("wrote 512 MB to disk", vec![], None),
        ("out of memory", vec![], None),
    ] {
        assert_eq!(memory_usage(message, &fields), expected, "{message} {fields:?}");
    }
}
