//! Parameters by example, and what is watched of them.

use super::*;
use crate::log::Templates;
use crate::{Anomaly, Config, Detector, Event, LogRecord, Observation, Report, Subject, Timestamp};

/// The parameters of the last of these messages.
fn parameters<'a>(messages: &[&'a str]) -> Vec<Parameter<'a>> {
    let mut templates = Templates::new(100);
    let mut last = Vec::new();
    for message in messages {
        let index = templates.observe(message).index;
        last = templates.parameters(index, message);
    }
    last
}

#[track_caller]
fn check(message: &str, expected: &[(Option<&str>, ParameterValue<'_>)]) {
    let found = parameters(&[message]);
    let found: Vec<_> = found.iter().map(|p| (p.name, p.value)).collect();
    assert_eq!(found, expected, "{message}");
}

#[test]
fn values_have_types_and_names() {
    use ParameterValue::*;
    check("took 5021 ms", &[(Some("took"), Duration(5021.0))]);
    check("took 1.5s", &[(Some("took"), Duration(1500.0))]);
    check("done in about 2m30s", &[(Some("done"), Duration(150_000.0))]);
    check(
        "heap=512MiB of 93%",
        &[(Some("heap"), Size(536_870_912.0)), (Some("of"), Percentage(93.0))],
    );
    check("x closed, 733 bytes sent", &[(Some("sent"), Size(733.0))]);
    check(
        "took 5 ms 7 times",
        &[(Some("took"), Duration(5.0)), (None, Integer(7))],
    );
    check(
        "cache=7, load=0.75",
        &[(Some("cache"), Integer(7)), (Some("load"), Float(0.75))],
    );
    check(
        "from 10.0.0.1 to fe80::1:2",
        &[(Some("from"), Address("10.0.0.1")), (Some("to"), Address("fe80::1:2"))],
    );
    check("open /var/lib/x.db failed", &[(Some("open"), Path("/var/lib/x.db"))]);
    check(
        "at 12:30:59.123 on 24/12/2024",
        &[(Some("at"), Time("12:30:59.123")), (Some("on"), Time("24/12/2024"))],
    );
    check("block blk_-1234 gone", &[(Some("block"), Identifier("blk_-1234"))]);
    check(
        "colour deadbeef, v 1.2.3",
        &[
            (Some("colour"), Identifier("deadbeef")),
            (Some("v"), Identifier("1.2.3")),
        ],
    );
    check("tag=\"two words\", x", &[(Some("tag"), Quoted("two words"))]);
    check("ready: true", &[(Some("ready"), Word("true"))]);
}

/// Alarms of a log with one line a second.
fn alarms(lines: impl Iterator<Item = String>) -> Vec<Anomaly> {
    let mut detector = Detector::new(Config::default());
    let mut reports = Vec::new();
    for (second, message) in lines.enumerate() {
        let record = LogRecord {
            time: Timestamp::from_seconds(second as i64),
            subject: Subject::default(),
            level: None,
            message: &message,
            session: None,
            fields: &[],
        };
        detector.observe(&Event::Log(record), &mut reports);
    }
    reports
        .into_iter()
        .filter_map(|report| match report {
            Report::Anomaly(anomaly) => Some(*anomaly),
            Report::Session { .. } => None,
        })
        .collect()
}

/// Numbers that look like chance.
fn noise(n: u64, below: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()) % below
}

#[test]
fn a_duration_in_the_text_is_a_latency() {
    let took = |n: u64| if n > 2990 { 5021 } else { 20 + noise(n, 30) };
    let line = |n: u64| format!("GET /cart took {} ms, id={}", took(n), noise(n + 7, 1 << 40));
    let alarms = alarms((0..3000).map(line));
    let [alarm] = &alarms[..] else {
        panic!("one alarm: {alarms:?}");
    };
    let explanation = &alarm.explanation;
    assert_eq!(explanation.template.as_deref(), Some("GET <*> took <*> ms, id=<*>"));
    let contribution = &explanation.contributions[0];
    assert_eq!(
        (contribution.of.as_str(), contribution.unit.as_deref()),
        ("took_ms", Some("ms"))
    );
    assert_eq!(contribution.observed, Observation::Number(5021.0));
    assert!(matches!(contribution.expected.value, Observation::Number(value) if (20.0..50.0).contains(&value)));
    assert_eq!(explanation.counterfactual[0].of, "took_ms");
}

/// What is watched of lines.
fn watched(lines: impl Iterator<Item = String>) -> Vec<(String, f64)> {
    let mut templates = Templates::new(100);
    let mut watches = Watches::default();
    let mut last = Vec::new();
    for message in lines {
        let index = templates.observe(&message).index;
        let mut watch = watches.lend(index, &templates).unwrap();
        let values = watches.values(&mut watch, index, &templates, &message, true);
        last = values.iter().map(|v| (v.metric.to_owned(), v.value.value())).collect();
        watches.give_back(index, watch);
    }
    last
}

#[test]
fn measurements_are_watched() {
    let lines = (0..40).map(|n| {
        let (some, great) = (noise(n, 90), noise(n, 1 << 40));
        format!(
            "job done in {some} ms, {some}% of {great} bytes read: queue={some} tick={n} id={great} key={great} \
             port={some} fast={} from 10.0.0.{some}:{some} after {some} tries, limit 7 s",
            n % 2
        )
    });
    let found = watched(lines);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["done_ms", "share_percent", "read_bytes", "queue"]);
    assert_eq!(found[0].1, noise(39, 90) as f64);
}

#[test]
fn values_in_a_row_are_measured_by_the_last_where_it_has_a_unit() {
    let take = |line: &dyn Fn(u64) -> String| watched((0..40).map(line));
    let last = noise(39, 90) as f64;
    let express = take(&|n| format!("GET /cart/{} {} {} ms - {n}", noise(n, 999), 200 + n % 4, noise(n, 90)));
    assert_eq!(express, [("duration_ms".to_owned(), last)]);
    let united = take(&|n| format!("POST /cart/{n} {}ms", noise(n, 90)));
    assert_eq!(united, [("duration_ms".to_owned(), last)]);
    let bare = take(&|n| format!("GET /cart/{n} 200 {}", noise(n, 90)));
    assert_eq!(bare, []);
    let size = take(&|n| format!("wrote /var/lib/{n}.db {}.1 MB", noise(n, 90)));
    assert_eq!(size, [("size_bytes".to_owned(), (last + 0.1) * 1e6)]);
}

#[test]
fn units_that_vary_are_one_unit() {
    let lines = (0..40).map(|n| match n % 3 {
        0 => format!("pause of {} us", noise(n, 900)),
        1 => format!("pause of {} ms", noise(n, 900)),
        _ => format!("pause of <{} sec", noise(n, 900)),
    });
    let last = noise(38, 900) as f64 * 1000.0;
    assert_eq!(watched(lines.take(39)), [("pause_ms".to_owned(), last)]);
}

#[test]
fn what_is_watched_survives_a_restart() {
    let mut templates = Templates::new(100);
    let mut one = Watches::default();
    for n in 0..60 {
        let message = format!("took {} ms", noise(n, 90));
        let index = templates.observe(&message).index;
        let mut other: Watches = postcard::from_bytes(&postcard::to_allocvec(&one).unwrap()).unwrap();
        let [these, those] = [&mut one, &mut other].map(|watches| {
            let mut watch = watches.lend(index, &templates).unwrap();
            let values = watches.values(&mut watch, index, &templates, &message, true);
            let values: Vec<_> = values.iter().map(|v| (v.metric.to_owned(), v.value)).collect();
            watches.give_back(index, watch);
            values
        });
        assert_eq!(these.len(), usize::from(n >= 30));
        assert_eq!(these, those);
    }
}
