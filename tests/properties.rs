//! What must hold whatever comes in. Every property is tried on many inputs (proptest) that are the same in every
//! run; where a property needs a detector that has lived, a [`World`] makes its past from a seed.

#[path = "properties/episodes.rs"]
mod episodes;
#[path = "properties/exchange.rs"]
mod exchange;
#[path = "properties/frozen.rs"]
mod frozen;
#[path = "properties/identity.rs"]
mod identity;
#[path = "properties/near.rs"]
mod near;
#[path = "properties/numbers.rs"]
mod numbers;
#[path = "quality/random.rs"]
#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod random;
#[path = "properties/requests.rs"]
mod requests;
#[path = "properties/snapshots.rs"]
mod snapshots;
#[path = "properties/times.rs"]
mod times;
#[path = "quality/world.rs"]
mod world;

use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use random::Random;
use watchpost_detector::wire::Format;
use watchpost_detector::{
    Anomaly, Config, Detector, Emit, FeedbackLabel, Fingerprint, Input, Kind, Level, Line, Observation, Phase, Report,
    Scorer, Severity, SnapshotError, State, Substitution, Timestamp, Verdict, score,
};
use world::{Happening, MINUTE, World};

fn runs(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_120),
        ..ProptestConfig::default()
    }
}

/// Many alarms, so that there is much to be tested.
fn loud() -> Config {
    Config::from_json(r#"{"false_alarms_per_day": 200}"#).unwrap()
}

/// Bounds that the world does not fit into.
fn small() -> Config {
    let text = r#"{"false_alarms_per_day": 200, "bounds": {"max_series": 4, "max_metrics": 9, "max_templates": 6}}"#;
    Config::from_json(text).unwrap()
}

fn lived(config: Config, seed: u64, events: usize) -> Detector {
    let mut detector = Detector::new(config);
    Said::default().all(&mut detector, &World::new(seed).take(events));
    detector
}

/// A quiet past of one subject, minute by minute.
#[derive(Debug, Clone)]
struct Past {
    seed: u64,
    metrics: usize,
    rows: usize,
}

fn past(metrics: Range<usize>) -> impl Strategy<Value = Past> {
    (any::<u64>(), metrics, 120..900_usize).prop_map(|(seed, metrics, rows)| Past { seed, metrics, rows })
}

impl Past {
    fn config(&self) -> Config {
        loud()
    }

    /// A detector with this past, and the row that would be next.
    fn live(&self) -> (Detector, Happening) {
        let mut detector = Detector::new(self.config());
        let mut random = Random::new(self.seed);
        let mut row = Happening::row(Timestamp::from_seconds(1_800_000_000), &[]);
        for _ in 0..self.rows {
            self.next(&mut row, &mut random);
            Said::default().observe(&mut detector, &row);
        }
        let mut reports = Vec::new();
        row.time = row.time.plus_seconds(1_200.0);
        detector.tick(row.time, &mut reports);
        self.next(&mut row, &mut random);
        (detector, row)
    }

    fn next(&self, row: &mut Happening, random: &mut Random) {
        row.time = row.time.plus_seconds(60.0);
        let value = |metric: usize, random: &mut Random| match (self.seed as usize).wrapping_add(metric) % 4 {
            0 => 50.0 + 2.0 * random.normal(),
            1 => 10.0 + random.heavy(),
            2 => random.below(6) as f64,
            _ => 1_000.0 + random.normal().abs(),
        };
        row.values = (0..self.metrics)
            .map(|metric| (format!("m{metric}"), value(metric, random)))
            .collect();
    }
}

/// What a detector said.
#[derive(Default)]
struct Said {
    reports: Vec<Report>,
    written: usize,
    out: Vec<u8>,
}

impl Said {
    fn observe(&mut self, detector: &mut Detector, event: &Happening) -> Verdict {
        let verdict = event.with(|event| detector.observe(event, &mut self.reports));
        self.write_reports();
        let template = detector.template(&verdict);
        let Verdict {
            surprise,
            state,
            fingerprint,
            ..
        } = verdict;
        self.out
            .extend_from_slice(format!("{surprise:?} {state:?} {fingerprint} {template:?}\n").as_bytes());
        verdict
    }

    fn all(&mut self, detector: &mut Detector, events: &[Happening]) {
        for event in events {
            self.observe(detector, event);
        }
    }

    fn write_reports(&mut self) {
        for report in &self.reports[self.written..] {
            match report {
                Report::Anomaly(anomaly) => serde_json::to_writer(&mut self.out, anomaly).unwrap(),
                Report::Session {
                    session,
                    surprise,
                    anomalous,
                    lines,
                    unfinished,
                    evidence,
                } => {
                    assert!(
                        surprise.is_finite() && surprise.is_sign_positive(),
                        "{session}: {surprise:?}"
                    );
                    let said = format!("{session} {surprise:?} {anomalous} {lines} {unfinished} {evidence:?}");
                    self.out.extend_from_slice(said.as_bytes());
                }
            }
            self.out.push(b'\n');
        }
        self.written = self.reports.len();
    }

    fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        anomalies(&self.reports)
    }

    /// What was reported can be read back, which a number that is not finite cannot.
    fn check_reports(&self) -> Result<(), TestCaseError> {
        for anomaly in self.anomalies() {
            let text = serde_json::to_string(anomaly).unwrap();
            let back: Result<Anomaly, _> = serde_json::from_str(&text);
            prop_assert!(back.is_ok(), "{text}");
            prop_assert!((0.0..=1.0).contains(&anomaly.score) && anomaly.seconds >= 0.0, "{text}");
        }
        Ok(())
    }

    fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }
}

fn anomalies(reports: &[Report]) -> impl Iterator<Item = &Anomaly> {
    reports.iter().filter_map(|report| match report {
        Report::Anomaly(anomaly) => Some(&**anomaly),
        Report::Session { .. } => None,
    })
}

/// Scores NDJSON in chunks with these ends.
fn score_bytes(bytes: &[u8], emit: Emit, ends: &[usize]) -> Vec<u8> {
    let mut scorer = Scorer::new(Detector::new(loud()));
    scorer.begin(Input {
        emit,
        ..Input::new(Format::Ndjson)
    });
    let mut out = Vec::new();
    let mut from = 0;
    for end in ends {
        scorer.push(&bytes[from..*end], &mut out);
        from = *end;
    }
    scorer.finish(&mut out);
    scorer.close(&mut out);
    out
}

fn lines(bytes: &[u8]) -> Vec<Line> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The first line that differs.
fn difference(expected: &str, found: &str) -> String {
    let pair = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
    pair.map_or_else(
        || "one is longer".to_owned(),
        |(a, b)| format!("expected {a}\nfound    {b}"),
    )
}
