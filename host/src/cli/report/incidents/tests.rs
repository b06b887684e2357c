use std::collections::BTreeMap;

use watchpost_detector::{AnomalyType, Explanation, Severity};

use super::*;

/// What one worker says of an episode: its onset, or all of it.
pub(crate) fn alarm(fingerprint: u64, minute: i64, beyond: f64) -> (Anomaly, Witness) {
    let time = Timestamp::from_seconds(1_795_262_400 + 60 * minute);
    let anomaly = Anomaly {
        timestamp: time,
        subject: BTreeMap::from([("route".to_owned(), format!("/{fingerprint}"))]),
        kind: Kind::Latency,
        anomaly_type: AnomalyType::Performance,
        severity: Severity::Low,
        score: 0.999,
        surprise: 4.5 + beyond,
        threshold: 4.5,
        phase: Phase::End,
        seconds: 120.0,
        events: 13,
        peak: time,
        fingerprint: Fingerprint(fingerprint),
        row: None,
        explanation: Explanation::default(),
    };
    (anomaly, witness("1"))
}

pub(crate) fn near(fingerprint: u64, minute: i64, below: f64) -> (Anomaly, Witness) {
    let (anomaly, witness) = alarm(fingerprint, minute, -below);
    let phase = Phase::Near;
    (Anomaly { phase, ..anomaly }, witness)
}

pub(crate) fn incidents(said: impl IntoIterator<Item = (Anomaly, Witness)>) -> Vec<Incident> {
    let mut episodes = Episodes::default();
    said.into_iter()
        .for_each(|(anomaly, witness)| episodes.add(anomaly, witness));
    episodes.into_incidents()
}

fn witness(thread: &str) -> Witness {
    let thread = thread.to_owned();
    (
        0,
        Voice {
            thread,
            ..Voice::default()
        },
    )
}

fn by(thread: &str, (anomaly, _): (Anomaly, Witness)) -> (Anomaly, Witness) {
    (anomaly, witness(thread))
}

fn onset((anomaly, witness): (Anomaly, Witness)) -> (Anomaly, Witness) {
    let begun = Anomaly {
        phase: Phase::Onset,
        seconds: 0.0,
        events: 1,
        surprise: 4.5,
        ..anomaly
    };
    (begun, witness)
}

/// Minute, workers, seconds and phase of each.
fn told(incidents: &[Incident]) -> Vec<(i64, usize, f64, Phase)> {
    let start = Timestamp::from_seconds(1_795_262_400);
    let told = incidents.iter().map(|incident| {
        let Anomaly {
            timestamp,
            seconds,
            phase,
            ..
        } = incident.anomaly;
        (
            (timestamp.seconds_since(start) / 60.0) as i64,
            incident.workers,
            seconds,
            phase,
        )
    });
    told.collect()
}

#[test]
fn onset_and_end_are_one_episode() {
    let whole = alarm(1, 0, 1.0);
    let found = incidents([onset(whole.clone()), whole.clone(), whole]);
    assert_eq!(told(&found), [(0, 1, 120.0, Phase::End)]);
    assert_eq!((found[0].anomaly.events, found[0].beyond), (13, 1.0));
    assert_eq!(told(&incidents([onset(alarm(1, 0, 1.0))])), [(0, 1, 0.0, Phase::Open)]);
}

#[test]
fn what_several_workers_see_at_the_same_time_is_one_incident() {
    // Two of them in the same slot, the third one a little later, and long before the others call it over.
    let found = incidents([
        by("1", onset(alarm(1, 0, 1.0))),
        by("2", onset(alarm(1, 0, 0.5))),
        by("1", alarm(1, 0, 1.0)),
        by("2", alarm(1, 0, 0.5)),
        by("3", onset(alarm(1, 8, 2.0))),
        by("3", alarm(1, 8, 2.0)),
        by("3", alarm(2, 8, 2.0)),
    ]);
    assert_eq!(told(&found), [(0, 3, 600.0, Phase::End), (8, 1, 120.0, Phase::End)]);
    assert_eq!((found[0].anomaly.surprise, found[0].anomaly.events), (6.5, 39));
}

#[test]
fn a_worker_that_begins_anew_has_seen_another_incident() {
    // Other trouble of the same route, which follows at once.
    let found = incidents([alarm(1, 0, 1.0), alarm(1, 3, 1.0)]);
    assert_eq!(told(&found), [(0, 1, 120.0, Phase::End), (3, 1, 120.0, Phase::End)]);
    // The other worker has seen both as well.
    let found = incidents([
        by("1", alarm(1, 0, 1.0)),
        by("2", alarm(1, 0, 1.0)),
        by("1", alarm(1, 3, 1.0)),
        by("2", alarm(1, 4, 1.0)),
    ]);
    assert_eq!(told(&found), [(0, 2, 120.0, Phase::End), (3, 2, 180.0, Phase::End)]);
    // A worker that died has left an onset, which does not take in all that comes after it.
    let found = incidents([onset(alarm(1, 0, 1.0)), alarm(1, 40, 1.0), by("2", alarm(1, 300, 1.0))]);
    assert_eq!(
        told(&found),
        [
            (0, 1, 0.0, Phase::Open),
            (40, 1, 120.0, Phase::End),
            (300, 1, 120.0, Phase::End)
        ]
    );
}

#[test]
fn a_worker_that_was_restarted_is_counted_once() {
    let found = incidents([by("17", onset(alarm(1, 0, 1.0))), by("23", alarm(1, 0, 1.0))]);
    assert_eq!(told(&found), [(0, 1, 120.0, Phase::End)]);
}

#[test]
fn a_near_miss_of_one_is_no_miss_where_another_raised_the_alarm() {
    let found = incidents([by("1", near(1, 0, 0.2)), by("2", alarm(1, 1, 0.3))]);
    assert_eq!(told(&found), [(1, 1, 120.0, Phase::End)]);
    assert_eq!(told(&incidents([near(1, 0, 0.2)])), [(0, 1, 120.0, Phase::Near)]);
}

#[test]
fn what_becomes_worse_is_the_same_alarm_as_it_was_said_last() {
    let (mut worse, witness) = alarm(1, 0, 2.0);
    worse.phase = Phase::Worse;
    worse.severity = Severity::Critical;
    let (begun, _) = onset(alarm(1, 0, 1.0));
    let begun = Anomaly { events: 1, ..begun };
    // The onset is read a second time, as from the part of a rotated log.
    let found = incidents([
        (begun.clone(), witness.clone()),
        (worse, witness.clone()),
        (begun, witness),
    ]);
    assert_eq!(told(&found), [(0, 1, 120.0, Phase::Open)]);
    assert_eq!(found[0].anomaly.severity, Severity::Critical);
}
