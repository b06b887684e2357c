//! Streams, checked against the truth that is written beside them.

use serde_json::Value;

use super::*;
use crate::simulate::plan::Draw;
use crate::simulate::truth::{Kind, Label, Labels};
use crate::simulate::{LogForm, MetricForm, RequestForm};

const START: i64 = 1_794_816_000; // 2026-11-16T08:00:00Z, a Monday
const HOUR: i64 = 3600;

fn draw(seed: u64, hours: i64, kinds: &[Kind]) -> Draw {
    Draw {
        seed,
        start: START,
        seconds: hours * HOUR,
        calm: HOUR,
        incidents_per_day: 24.0 / hours as f64,
        harmless_per_day: 0.0,
        kinds: kinds.to_vec(),
    }
}

fn run(draw: &Draw, content: Content, rate: f64) -> String {
    let mut stream = Stream::new(draw.plan().unwrap(), content, rate, draw.seconds);
    let mut text = stream.header();
    let mut batch = Batch::default();
    let mut last = i64::MIN;
    while stream.tick(&mut batch) {
        for (time, line) in batch.lines() {
            assert!(last <= time, "{}", String::from_utf8_lossy(line));
            assert!(line.ends_with(b"\n"));
            last = time;
        }
        text.extend_from_slice(batch.bytes());
    }
    assert!(last < (START + draw.seconds) * SECOND);
    String::from_utf8(text).unwrap()
}

/// One request, as a reader of the access log has it.
struct Request {
    start: f64,
    route: Option<String>,
    status: u64,
    ms: f64,
    client: String,
}

fn requests(text: &str, from: i64, to: i64) -> Vec<Request> {
    // To read JSON takes longer than to write it, and most of it is not needed.
    let moment = |line: &str| seconds(&line[15..39]);
    let near = text
        .lines()
        .filter(|line| (from as f64..to as f64).contains(&moment(line)));
    let requests = near.map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        Request {
            start: seconds(line["start_time"].as_str().unwrap()),
            route: line["route_name"].as_str().map(str::to_owned),
            status: line["response_code"].as_u64().unwrap(),
            ms: line["duration"].as_f64().unwrap(),
            client: text("downstream_remote_address").split(':').next().unwrap().to_owned(),
        }
    });
    requests.collect()
}

/// Unix seconds of a time on the day of the tests.
fn seconds(stamp: &str) -> f64 {
    let part = |range: std::ops::Range<usize>| stamp[range].parse::<f64>().unwrap();
    assert_eq!(&stamp[..8], "2026-11-");
    (START / 86_400 * 86_400) as f64
        + (part(8..10) - 16.0) * 86_400.0
        + part(11..13) * 3600.0
        + part(14..16) * 60.0
        + part(17..stamp.len() - 1)
}

#[derive(Debug)]
struct Figures {
    per_second: f64,
    failing: f64,
    median: f64,
    mean: f64,
    p90: f64,
}

fn figures<'a>(requests: impl Iterator<Item = &'a Request>, from: i64, to: i64) -> Figures {
    let of: Vec<&Request> = requests
        .filter(|request| (from as f64..to as f64).contains(&request.start))
        .collect();
    let mut ms: Vec<f64> = of
        .iter()
        .filter(|r| (200..300).contains(&r.status))
        .map(|r| r.ms)
        .collect();
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| ms.get((ms.len() as f64 * share) as usize).copied().unwrap_or(0.0);
    Figures {
        per_second: of.len() as f64 / (to - from) as f64,
        failing: of.iter().filter(|r| r.status >= 500).count() as f64 / of.len().max(1) as f64,
        median: at(0.5),
        mean: ms.iter().sum::<f64>() / ms.len().max(1) as f64,
        p90: at(0.9),
    }
}

/// The only incident of a plan of one kind, and its requests.
fn incident(kind: Kind, seed: u64, hours: i64) -> (Label, Vec<Request>) {
    let draw = draw(seed, hours, &[kind]);
    let mut labels = Labels::of(&draw.plan().unwrap(), START + draw.seconds);
    assert_eq!(labels.incidents.len(), 1);
    let label = labels.incidents.remove(0);
    assert_eq!(label.incident.kind, kind);
    assert!(label.incident.start <= label.onset && label.onset < label.incident.end);
    let text = run(&draw, Content::Requests(RequestForm::EnvoyJson), 20.0);
    let requests = requests(&text, label.incident.start - HOUR / 2, label.incident.end + HOUR / 4);
    (label, requests)
}

/// The route at fault in the hour before the onset, and from there to the end.
fn before_and_during(kind: Kind, seed: u64, hours: i64) -> (Figures, Figures) {
    let (label, requests) = incident(kind, seed, hours);
    let route = label
        .incident
        .at_fault
        .iter()
        .find_map(|subject| subject.route)
        .unwrap();
    let of_route = || {
        requests
            .iter()
            .filter(|request| request.route.as_deref() == Some(route))
    };
    let Label { incident, onset, .. } = label;
    (
        figures(of_route(), incident.start - HOUR / 2, incident.start),
        figures(of_route(), onset, incident.end),
    )
}

#[test]
fn what_fails_in_the_truth_fails_in_the_stream() {
    for seed in 0..3 {
        let (before, during) = before_and_during(Kind::ErrorBurst, seed, 3);
        assert!(before.failing < 0.02 && during.failing > 0.05, "{before:?} {during:?}");
        assert!(during.per_second > 0.7 * before.per_second, "{before:?} {during:?}");
        let (before, during) = before_and_during(Kind::RetryStorm, seed, 3);
        assert!(
            during.per_second > 1.7 * before.per_second && during.failing > 0.25,
            "{before:?} {during:?}"
        );
    }
    let (before, during) = before_and_during(Kind::LostUpstream, 0, 4);
    assert!(before.failing < 0.02 && during.failing > 0.08, "{before:?} {during:?}");
}

#[test]
fn what_is_slow_in_the_truth_is_slow_in_the_stream() {
    for (kind, hours, least) in [
        (Kind::LatencyRegression, 3, 1.4),
        (Kind::SlowUpstream, 3, 1.5),
        (Kind::SlowRoute, 4, 1.5),
        (Kind::SlowDrift, 5, 1.25),
    ] {
        let (before, during) = before_and_during(kind, 1, hours);
        assert!(during.median > least * before.median, "{kind:?} {before:?} {during:?}");
        assert!(during.failing < 0.03, "{kind:?} {during:?}");
    }
}

#[test]
fn a_split_leaves_the_mean_where_it_was() {
    for seed in 0..3 {
        let (before, during) = before_and_during(Kind::LatencySplit, seed, 4);
        assert!(
            (0.9..1.1).contains(&(during.mean / before.mean)),
            "{before:?} {during:?}"
        );
        assert!(
            during.median < 0.85 * before.median && during.p90 > 1.1 * before.p90,
            "{before:?} {during:?}"
        );
    }
}

#[test]
fn a_silent_route_is_silent_and_only_then() {
    let (before, during) = before_and_during(Kind::SilentRoute, 2, 3);
    assert!(
        before.per_second > 0.2 && during.per_second == 0.0,
        "{before:?} {during:?}"
    );
}

#[test]
fn a_scan_is_one_client_that_finds_nothing() {
    let (label, requests) = incident(Kind::PathScan, 0, 3);
    let client = label.client.unwrap().to_string();
    let mut asked = requests.iter().filter(|request| request.client == client).peekable();
    assert!(asked.peek().is_some());
    let span = label.incident.start as f64..label.incident.end as f64;
    let mut count = 0;
    for request in asked {
        assert!(request.status == 404 && request.route.is_none() && span.contains(&request.start));
        count += 1;
    }
    assert!(f64::from(count) > 1.2 * (span.end - span.start), "{count}");
}

#[test]
fn traffic_has_the_rate_and_the_shape_of_a_shop() {
    let quiet = Draw {
        incidents_per_day: 0.0,
        ..draw(5, 24, &Kind::ALL)
    };
    let quiet_end = START + 24 * HOUR;
    let requests = requests(
        &run(&quiet, Content::Requests(RequestForm::EnvoyJson), 4.0),
        START,
        quiet_end,
    );
    let day = figures(requests.iter(), START, START + 24 * HOUR);
    // A Monday is as busy as the average of the week, more or less.
    assert!((3.5..4.5).contains(&day.per_second), "{day:?}");
    assert!(day.failing < 0.005, "{day:?}");
    let share = |status: u64| requests.iter().filter(|r| r.status == status).count() as f64 / requests.len() as f64;
    assert!((0.005..0.03).contains(&share(404)) && share(400) > 0.0005 && share(503) > 0.0001);
    assert!(requests.iter().map(|request| request.ms).fold(0.0, f64::max) > 1_500.0);
    let mut visits = std::collections::BTreeMap::new();
    for request in requests.iter().filter(|request| !request.client.starts_with("10.")) {
        *visits.entry(&request.client).or_insert(0) += 1;
    }
    let mut visits: Vec<i32> = visits.into_values().collect();
    visits.sort_unstable();
    let most = f64::from(visits[visits.len() - 1]) / f64::from(visits.iter().sum::<i32>());
    assert!(
        (0.002..0.05).contains(&most) && visits.len() > 3_000,
        "{most} {}",
        visits.len()
    );
    let lines = run(&quiet, Content::Logs(LogForm::Text), 3.0).lines().count() as f64 / 86_400.0;
    assert!((2.5..3.5).contains(&lines), "{lines} lines a second");
}

#[test]
fn every_stream_tells_of_the_same_shop() {
    let draw = draw(4, 3, &[Kind::ErrorBurst]);
    let label = Labels::of(&draw.plan().unwrap(), 0).incidents.remove(0);
    let fault = &label.incident.at_fault[0];
    let (from, to) = (label.incident.start, label.incident.end);
    let text = run(&draw, Content::Requests(RequestForm::EnvoyJson), 20.0);
    let requests = requests(&text, from, to);
    let of_route = requests
        .iter()
        .filter(|request| request.route.as_deref() == fault.route);
    let counted = figures(of_route, from, to);
    let rows = run(&draw, Content::Metrics(MetricForm::Ndjson), 20.0);
    let (mut rate, mut failing, mut count) = (0.0, 0.0, 0.0);
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let time = seconds(row["timestamp"].as_str().unwrap()) as i64;
        if row["route"].as_str() == fault.route && time > from && time <= to {
            let metric = |name: &str| row["metrics"][name].as_f64().unwrap();
            rate += metric("requests_per_second");
            failing += metric("requests_per_second") * metric("error_ratio");
            count += 1.0;
        }
    }
    assert!((rate / count / counted.per_second - 1.0).abs() < 0.02, "{counted:?}");
    assert!((failing / rate - counted.failing).abs() < 0.02, "{counted:?}");
    let all = run(&draw, Content::All, 20.0);
    assert_eq!(all.matches("\"start_time\"").count(), text.lines().count());
    assert_eq!(all.matches("\"metrics\":{").count(), rows.lines().count());
    assert!(all.matches("\"message\":").count() > 2_000);
}

#[test]
fn csv_has_the_cells_of_its_header() {
    let draw = draw(0, 2, &Kind::ALL);
    let table = run(&draw, Content::Metrics(MetricForm::Csv), 10.0);
    let columns = table.lines().next().unwrap().split(',').count();
    assert!(table.lines().all(|row| row.split(',').count() == columns));
    let objects = run(&draw, Content::Metrics(MetricForm::Ndjson), 10.0);
    assert_eq!(table.lines().count(), objects.lines().count() + 1);
}

#[test]
fn envelopes_hold_lines_that_can_be_read() {
    let text = run(&draw(0, 2, &Kind::ALL), Content::Logs(LogForm::Envelope), 2.0);
    let mut formats = std::collections::BTreeSet::new();
    for line in text.lines() {
        let envelope: Value = serde_json::from_str(line).unwrap();
        let raw = envelope["raw_log"].as_str().unwrap();
        match envelope["format_type"].as_str().unwrap() {
            "json" => {
                let inner: Value = serde_json::from_str(raw).unwrap();
                assert!(inner["message"].is_string() && inner["level"].is_string());
            }
            "kv" => assert!(raw.starts_with("timestamp=2026-11-16T") && raw.contains(" level=") && raw.ends_with('"')),
            other => panic!("{other}"),
        }
        formats.insert(envelope["format_type"].to_string() + envelope["source"].as_str().unwrap());
    }
    assert_eq!(formats.len(), 4, "{formats:?}");
}

#[test]
fn a_plan_has_what_was_asked_for_and_nothing_overlaps() {
    for seed in 0..40 {
        let draw = Draw {
            seed,
            start: START,
            seconds: 7 * 24 * HOUR,
            calm: 12 * HOUR,
            incidents_per_day: 3.0,
            harmless_per_day: 1.0,
            kinds: Kind::ALL.to_vec(),
        };
        let plan = draw.plan().unwrap();
        let labels = Labels::of(&plan, START + draw.seconds);
        assert_eq!((labels.incidents.len(), labels.harmless.len()), (21, 7), "seed {seed}");
        let mut events = plan.events.clone();
        events.sort_by_key(|event| event.start);
        assert!(events.windows(2).all(|pair| pair[0].end < pair[1].start));
        assert!(
            events
                .iter()
                .all(|event| event.start >= START && event.end <= plan.end())
        );
        assert!(
            labels
                .incidents
                .iter()
                .all(|label| label.incident.start >= START + 12 * HOUR)
        );
        let kinds = labels.incidents.iter().map(|label| label.incident.kind.name());
        assert_eq!(kinds.collect::<std::collections::BTreeSet<_>>().len(), Kind::ALL.len());
    }
    let many = Draw {
        incidents_per_day: 1_000.0,
        ..draw(0, 3, &Kind::ALL)
    };
    assert!(many.plan().unwrap_err().to_string().contains("only for 8"));
    let leak = draw(0, 3, &[Kind::MemoryLeak]).plan().unwrap_err().to_string();
    assert!(leak.starts_with("memory_leak takes "), "{leak}");
}
